#!/usr/bin/env python3
"""Packs a root filesystem as an OCI image layout in one tar, as `docker load`, `podman load`,
`ctr images import` and `skopeo copy oci-archive:` read it.

    oci.py --base FOLDER --root FOLDER --time SECONDS --revision TEXT --out FILE

Two layers: the base, and what the root has beyond it. User, entry point, folder and labels are
those of the last stage of the Dockerfile beside this file. The same roots give the same bytes:
entries are sorted, times are at most SECONDS, and nothing of this machine is written.
"""

import argparse
import datetime
import filecmp
import gzip
import hashlib
import io
import json
import os
import re
import shlex
import stat
import tarfile
from pathlib import Path

# Filled by whoever runs the container; what is in them here belongs to the machine that builds.
EMPTY = ("dev", "proc", "sys", "run", "tmp")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def instructions(text):
    """(name, rest) of each instruction of a Dockerfile, continued lines joined."""
    text = re.sub(r"(?m)^\s*#.*\n", "", text)
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield name.upper(), rest.strip()


def last_stage(text):
    """The instructions of the Dockerfile's last stage, the FROM first."""
    found = list(instructions(text))
    begins = max(index for index, (name, _) in enumerate(found) if name == "FROM")
    return found[begins:]


def image_settings(text, arguments):
    """What the last stage says of the image, as OCI's configuration has it. arguments: values of
    the ARGs that its labels name."""
    settings = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}
    names = {"USER": "User", "WORKDIR": "WorkingDir"}
    lists = {"ENTRYPOINT": "Entrypoint", "CMD": "Cmd"}
    for name, rest in last_stage(text):
        if name in names:
            settings[names[name]] = rest
        elif name in lists:
            settings[lists[name]] = json.loads(rest)
        elif name == "LABEL":
            pairs = dict(word.split("=", 1) for word in shlex.split(rest))
            settings.setdefault("Labels", {}).update(
                {key: re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], value)
                 for key, value in pairs.items()})
        elif name not in ("FROM", "ARG", "COPY"):
            raise SystemExit(f"oci.py: {name} in the Dockerfile's last stage is not known here")
    return settings


def paths_of(root):
    """Every path below root, relative and sorted, without what is in EMPTY."""
    found = []
    for folder, folders, files in os.walk(root):
        relative = os.path.relpath(folder, root)
        if relative in EMPTY:
            folders.clear()
            continue
        found += [os.path.normpath(os.path.join(relative, one)) for one in folders + files]
    return sorted(found)


def same(one, other):
    """Whether two paths are the same entry: kind, rights, owner and content."""
    try:
        left, right = one.lstat(), other.lstat()
    except FileNotFoundError:
        return False
    if (left.st_mode, left.st_uid, left.st_gid) != (right.st_mode, right.st_uid, right.st_gid):
        return False
    if stat.S_ISLNK(left.st_mode):
        return one.readlink() == other.readlink()
    return not stat.S_ISREG(left.st_mode) or filecmp.cmp(one, other, shallow=False)


def add(archive, root, path, seconds):
    entry = archive.gettarinfo(root / path, path)
    if entry is None:
        raise SystemExit(f"oci.py: {path} is neither file, folder nor link")
    entry.mtime = min(int(entry.mtime), seconds)
    entry.uname = entry.gname = ""
    if entry.isreg():
        with open(root / path, "rb") as content:
            archive.addfile(entry, content)
    else:
        archive.addfile(entry)


def whiteout(archive, path, seconds):
    """How a layer says that a path of the layer below is gone."""
    entry = tarfile.TarInfo(os.path.join(os.path.dirname(path), ".wh." + os.path.basename(path)))
    entry.mtime = seconds
    archive.addfile(entry)


def layer(root, base, seconds):
    """The bytes of a tar of root, or of what differs from base where one is given."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in paths_of(root):
            if base is None or not same(root / path, base / path):
                add(archive, root, path, seconds)
        gone = set(paths_of(base)) - set(paths_of(root)) if base else ()
        for path in sorted(gone):
            if os.path.dirname(path) not in gone:
                whiteout(archive, path, seconds)
    return buffer.getvalue()


class Layout:
    """The blobs of an OCI image layout."""

    def __init__(self):
        self.files = {"oci-layout": json.dumps({"imageLayoutVersion": "1.0.0"}).encode()}

    def blob(self, media_type, content):
        """Keeps the bytes; the descriptor."""
        digest = hashlib.sha256(content).hexdigest()
        self.files["blobs/sha256/" + digest] = content
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(content)}

    def document(self, media_type, value):
        return self.blob(media_type, json.dumps(value, sort_keys=True).encode())

    def write(self, path, seconds):
        with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
            for name in sorted(self.files):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mtime = len(self.files[name]), seconds
                archive.addfile(entry, io.BytesIO(self.files[name]))


def pack(base, root, seconds, revision, out):
    """Writes the layout. Returns the image's digest and its sizes in bytes: (digest, {name: (as
    files, compressed)})."""
    dockerfile = (Path(__file__).parent / "Dockerfile").read_text()
    settings = image_settings(dockerfile, {"REVISION": revision})
    created = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat()
    layout, descriptors, contents, sizes = Layout(), [], [], {}
    for name, content in (("base", layer(base, None, seconds)),
                          ("millrace", layer(root, base, seconds))):
        packed = gzip.compress(content, 9, mtime=0)
        descriptors.append(layout.blob(LAYER, packed))
        contents.append("sha256:" + hashlib.sha256(content).hexdigest())
        sizes[name] = len(content), len(packed)
    platform = {"architecture": ARCHITECTURES[os.uname().machine], "os": "linux"}
    history = [{"created": created, "comment": "Debian 13"},
               {"created": created, "comment": "Millrace and its libraries"}]
    config = layout.document(CONFIG, {**platform, "created": created, "config": settings,
                                      "rootfs": {"type": "layers", "diff_ids": contents},
                                      "history": history})
    labels = settings["Labels"]
    manifest = layout.document(MANIFEST, {"schemaVersion": 2, "mediaType": MANIFEST,
                                          "config": config, "layers": descriptors,
                                          "annotations": labels})
    tag = labels["org.opencontainers.image.version"]
    names = {"org.opencontainers.image.ref.name": f"millrace:{tag}"}
    layout.files["index.json"] = json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{**manifest, "platform": platform, "annotations": names}]}).encode()
    layout.write(out, seconds)
    return manifest["digest"], sizes


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("base", "root", "out"):
        parser.add_argument("--" + name, type=Path, required=True)
    parser.add_argument("--time", type=int, required=True)
    parser.add_argument("--revision", required=True)
    options = parser.parse_args()
    digest, sizes = pack(options.base, options.root, options.time, options.revision, options.out)
    for name, (plain, packed) in sizes.items():
        print(f"layer {name}: {plain / 1e6:.1f} MB, {packed / 1e6:.1f} MB compressed")
    print(f"image {digest}: {options.out}")


if __name__ == "__main__":
    main()
