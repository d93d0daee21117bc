"""deploy/image: the Dockerfile and script/image make the same image, by the same lists and steps,
and the image is packed and described the same way every time. script/image itself is run on demand:
it takes minutes, and rights that a test run need not have."""

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
IMAGE = ROOT / "deploy" / "image"
sys.path.insert(0, str(IMAGE))

import oci  # noqa: E402
import sbom  # noqa: E402

DOCKERFILE = (IMAGE / "Dockerfile").read_text()
SCRIPT = (ROOT / "script" / "image").read_text()
STEPS = ("add-user", "build-programs", "install-packages", "trim-root")


def packages(name):
    return re.sub(r"#.*", "", (IMAGE / name).read_text()).split()


def stages():
    """The instructions of each stage of the Dockerfile, by the stage's name."""
    found, current = {}, None
    for name, rest in oci.instructions(DOCKERFILE):
        if name == "FROM":
            current = found.setdefault(rest.split(" AS ")[1], [])
        if current is not None:
            current.append((name, rest))
    return found


def test_lists_are_sorted_and_differ_only_where_they_must():
    build, run = packages("packages.build"), packages("packages.run")
    for one in (build, run):
        assert one == sorted(set(one))
    assert not [name for name in run if name.endswith("-dev")]
    assert set(build) & set(run) == {"ca-certificates", "tzdata"}


def test_both_install_the_same_lists_by_the_same_steps():
    """Neither names a package of its own, and each uses each list and each step once."""
    for text in (DOCKERFILE, SCRIPT):
        assert not re.search(r"\b(apt-get|useradd|groupadd|strip|--preset release)\b",
                             re.sub(r"(?m)^\s*#.*$", "", text))
    lists = {"packages.build", "packages.run"}
    assert set(re.findall(r"/mnt/(packages\.\w+)", DOCKERFILE)) == lists
    assert set(re.findall(r"/mnt/(packages\.\w+)", SCRIPT)) == lists
    for text in (DOCKERFILE, SCRIPT):
        assert set(re.findall(r"(?:setup|\$setup)/([a-z]+-[a-z]+)", text)) == set(STEPS)
    assert set(STEPS) == {one.name for one in (IMAGE / "setup").iterdir()}


def test_the_base_is_pinned_and_named_by_nobody_else():
    bases = [rest for name, rest in oci.instructions(DOCKERFILE) if name == "FROM"]
    assert bases[0] == "debian:trixie-slim@sha256:${DEBIAN_DIGEST} AS debian"
    known = {"debian"}
    for rest in bases[1:]:
        source, name = rest.split(" AS ")
        assert source in known, rest
        known.add(name)
    digests = [rest for name, rest in oci.instructions(DOCKERFILE)
               if name == "ARG" and rest.startswith("DEBIAN_DIGEST")]
    assert digests == ["DEBIAN_DIGEST"], "whoever builds decides, and says so"
    assert "trixie" in SCRIPT


def test_the_last_stage_is_what_a_cluster_expects():
    settings = oci.image_settings(DOCKERFILE, {"REVISION": "abc"})
    user, group = settings["User"].split(":")
    assert user == group and int(user) >= 10000, "numeric, and nobody's on the host"
    assert f"\nuser={user} " in (IMAGE / "setup" / "add-user").read_text()
    assert settings["Entrypoint"] == ["/usr/bin/tini", "--"] and "tini" in packages("packages.run")
    assert settings["Cmd"][0] in sbom.PROGRAMS
    assert settings["WorkingDir"] in (IMAGE / "setup" / "add-user").read_text()
    labels = settings["Labels"]
    assert labels["org.opencontainers.image.version"] == sbom.version_of_millrace()
    assert labels["org.opencontainers.image.revision"] == "abc"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_the_dockerfile_keeps_the_rules_of_good_dockerfiles():
    """What hadolint asks of what is in it."""
    for stage, found in stages().items():
        names = [name for name, _ in found]
        assert not set(names) & {"ADD", "MAINTAINER", "SHELL", "ONBUILD", "VOLUME"}, stage
        assert names.count("CMD") <= 1 and names.count("ENTRYPOINT") <= 1
        for name, rest in found:
            if name in ("CMD", "ENTRYPOINT"):
                assert isinstance(json.loads(rest), list)
            if name == "WORKDIR":
                assert rest.startswith("/")
            if name == "RUN":
                assert not re.search(r"\b(sudo|curl|wget|cd|chmod)\b", rest), rest
            if name == "COPY" and "--from=" in rest:
                assert re.search(r"--from=(\S+)", rest)[1] in stages()
    assert not re.search(r"(?i)(password|secret|token)", DOCKERFILE)
    users = [rest for name, rest in stages()["image"] if name == "USER"]
    assert len(users) == 1
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    assert {".git", "build"} <= set(ignored)


def test_no_file_names_an_archive():
    """Where packages come from is the machine's or Debian's image's to say."""
    for path in [*IMAGE.rglob("*"), ROOT / "script" / "image", ROOT / "script" / "debian-archive"]:
        if path.is_file() and "__pycache__" not in path.parts:
            assert not re.search(r"https?://(?!millrace\.io/spdx)[a-z]", path.read_text()), path


@pytest.mark.parametrize("path", [*(f"deploy/image/setup/{name}" for name in STEPS),
                                  "script/image", "script/debian-archive"])
def test_shell_scripts_are_programs(path):
    assert os.access(ROOT / path, os.X_OK)
    shell = (ROOT / path).read_text().split("\n")[0].split("/")[-1].split()[-1]
    subprocess.run([shell, "-n", ROOT / path], check=True)


def test_a_snapshot_is_pinned_or_refused(tmp_path):
    """install-packages with a root's sources in a folder, and an apt that shows what it is told."""
    sources = tmp_path / "debian.sources"
    text = (IMAGE / "setup" / "install-packages").read_text()
    program = tmp_path / "install"
    program.write_text(text.replace("/etc/apt/sources.list.d/debian.sources", str(sources)))
    fake = tmp_path / "apt-get"
    fake.write_text('#!/bin/sh\nfor word; do case $word in Dir::Etc::SourceParts=*) '
                    'cat "${word#*=}"/*;; esac; done\necho "$@"\n')
    fake.chmod(0o755)
    (tmp_path / "list").write_text("# a comment\none # why\ntwo\n")

    def install(snapshot):
        return subprocess.run(["sh", program, tmp_path / "list"], text=True, check=False,
                              env={"PATH": f"{tmp_path}:/usr/bin:/bin", "SNAPSHOT": snapshot},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    sources.write_text("Types: deb\n# http://a.example/archive/debian/20260101T000000Z\n"
                       "URIs: http://b.example/debian\nSuites: trixie\n")
    assert "install one two" in install("").stdout and "b.example" not in install("").stdout
    pinned = install("image").stdout
    assert "URIs: http://a.example/archive/debian/20260101T000000Z" in pinned
    assert "b.example" not in pinned and "install one two" in pinned
    assert "a.example/archive/debian/20270202T000000Z" in install("20270202T000000Z").stdout
    sources.write_text("Types: deb\nURIs: http://b.example/debian\nSuites: trixie\n")
    refused = install("image")
    assert refused.returncode == 1 and "names no snapshot" in refused.stderr


def small_roots(folder):
    """A base, and a root beyond it: a file is changed, one gone, one and a folder added."""
    for name in ("base", "root"):
        (folder / name / "etc").mkdir(parents=True)
        (folder / name / "dev").mkdir()
        (folder / name / "etc" / "same").write_text("same")
        (folder / name / "etc" / "changed").write_text(name)
        os.utime(folder / name / "etc" / "same", (1, 1))
    (folder / "base" / "etc" / "gone").write_text("gone")
    (folder / "root" / "dev" / "host").write_text("not the image's")
    (folder / "root" / "usr").mkdir()
    (folder / "root" / "usr" / "new").write_text("new")
    (folder / "root" / "usr" / "link").symlink_to("new")
    return folder / "base", folder / "root"


def test_the_same_roots_give_the_same_image(tmp_path):
    base, root = small_roots(tmp_path)
    first, _ = oci.pack(base, root, 1000, "abc", tmp_path / "one.tar")
    os.utime(root / "usr" / "new", (5000, 5000))  # later than the image's time: does not show
    second, _ = oci.pack(base, root, 1000, "abc", tmp_path / "two.tar")
    assert first == second
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    (root / "usr" / "new").write_text("other")
    assert oci.pack(base, root, 1000, "abc", tmp_path / "three.tar")[0] != first


def test_the_layout_is_one_that_tools_read(tmp_path):
    base, root = small_roots(tmp_path)
    digest, _ = oci.pack(base, root, 1000, "abc", tmp_path / "image.tar")
    with tarfile.open(tmp_path / "image.tar") as archive:
        files = {one.name: archive.extractfile(one).read() for one in archive}
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}

    def blob(descriptor):
        content = files["blobs/sha256/" + descriptor["digest"].removeprefix("sha256:")]
        assert "sha256:" + hashlib.sha256(content).hexdigest() == descriptor["digest"]
        assert len(content) == descriptor["size"]
        return content

    index = json.loads(files["index.json"])
    assert index["manifests"][0]["digest"] == digest
    manifest = json.loads(blob(index["manifests"][0]))
    config = json.loads(blob(manifest["config"]))
    layers = []
    for descriptor, plain in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        with tarfile.open(fileobj=io.BytesIO(blob(descriptor)), mode="r:gz") as archive:
            archive.fileobj.seek(0)
            content = archive.fileobj.read()
            assert "sha256:" + hashlib.sha256(content).hexdigest() == plain
            archive.fileobj.seek(0)
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            layers.append({one.name: one for one in archive})
    assert sorted(layers[0]) == ["dev", "etc", "etc/changed", "etc/gone", "etc/same"]
    assert sorted(layers[1]) == ["etc/.wh.gone", "etc/changed", "usr", "usr/link", "usr/new"]
    assert all(one.mtime <= 1000 for layer in layers for one in layer.values())
    assert config["config"]["User"] == "10001:10001" and config["os"] == "linux"


def test_licences_are_named_as_spdx_does():
    machine = ("Format: x\n\nFiles: *\nLicense: GPL-2+ and Expat\n\n"
               "Files: b\nLicense: strange-1\n a\n")
    assert sbom.licences(machine) == ({"GPL-2.0-or-later", "MIT"}, {"strange-1"})
    free = "Licensed under the terms in /usr/share/common-licenses/LGPL-2.1.\n"
    assert sbom.licences(free) == ({"LGPL-2.1-only"}, set())
    assert sbom.licences("Do what you like.") == (set(), set())


def test_the_parts_are_all_that_is_installed(tmp_path):
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "usr/bin").mkdir(parents=True)
    for name in sbom.PROGRAMS:
        (tmp_path / "usr/bin" / name).write_text(name)
    (tmp_path / "var/lib/dpkg/status").write_text(
        "Package: tini\nStatus: install ok installed\nArchitecture: amd64\nVersion: 0.19.0-3+b5\n"
        "Source: tini (0.19.0-3)\nMaintainer: A <a@example.org>\nDescription: x\n y\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n")
    copyright_file = tmp_path / "usr/share/doc/tini/copyright"
    copyright_file.parent.mkdir(parents=True)
    copyright_file.write_text("Format: x\n\nFiles: *\nLicense: Expat\n")
    found = sbom.document(tmp_path, 86400)
    assert found == sbom.document(tmp_path, 86400)
    assert found["creationInfo"]["created"] == "1970-01-02T00:00:00Z"
    tini = next(one for one in found["packages"] if one["name"] == "tini")
    assert tini["versionInfo"] == "0.19.0-3+b5" and tini["licenseDeclared"] == "MIT"
    assert tini["sourceInfo"] == "Debian source package tini 0.19.0-3"
    assert tini["externalRefs"][0]["referenceLocator"] == \
        "pkg:deb/debian/tini@0.19.0-3%2Bb5?arch=amd64&distro=debian-13"
    assert [one["name"] for one in found["packages"]] == ["millrace-image", "millrace", "tini"]
    known = {one["SPDXID"] for one in found["packages"] + found["files"]} | {"SPDXRef-DOCUMENT"}
    for relation in found["relationships"]:
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= known
