#!/usr/bin/env python3
"""Tries the image's root filesystem as a container would run it: read-only, as the image's user,
with its own folders for state and temporary files.

    smoke.py --base FOLDER --root FOLDER

Needs root rights, a mount namespace that nobody else sees (script/image makes one), and what
script/kafka needs. Everything listens on the loopback; all that is started is ended. Exit code 1
and a sentence on the first thing that is not right.
"""

import argparse
import os
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import oci
import sbom

CHECKOUT = Path(__file__).resolve().parents[2]
SIZE_BYTES_MAX = 120_000_000  # beyond Debian's base
READY_SECONDS_MAX = 10.0  # a worker that takes as long is broken; the aim is under 1 s
STARTS = 5
FILES = 65536  # or what this machine allows


class Wrong(Exception):
    """What is wrong with the root, as a sentence."""


def run(*words):
    subprocess.run([str(word) for word in words], check=True, stdin=subprocess.DEVNULL)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Container:
    """The root as a container sees it. Its mounts go with the namespace."""

    def __init__(self, root, place):
        self.place = place
        dockerfile = (Path(oci.__file__).parent / "Dockerfile").read_text()
        self.settings = oci.image_settings(dockerfile, {"REVISION": ""})
        user = self.settings["User"]
        owner, group = user.split(":")
        run("mount", "--bind", root, place)
        run("mount", "-o", "remount,bind,ro", place)
        for folder in ("tmp", self.settings["WorkingDir"].lstrip("/")):
            run("mount", "-t", "tmpfs", "-o", f"uid={owner},gid={group},mode=750", "tmpfs",
                place / folder)
        run("mount", "-t", "proc", "proc", place / "proc")
        run("mount", "-t", "tmpfs", "tmpfs", place / "mnt")
        (place / "mnt" / "examples").mkdir()
        run("mount", "--bind", CHECKOUT / "examples", place / "mnt" / "examples")
        run("mount", "-o", "remount,bind,ro", place / "mnt" / "examples")
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        files = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
        self.words = ["prlimit", f"--nofile={files}:{most}",
                      "unshare", "--pid", "--fork", "--kill-child", "setpriv", "--no-new-privs",
                      "chroot", f"--userspec={user}", str(place), "/usr/bin/env", "-i",
                      *self.settings["Env"], "--chdir=" + self.settings["WorkingDir"],
                      *self.settings["Entrypoint"]]

    def start(self, *words, log):
        return subprocess.Popen([*self.words, *map(str, words)], stdin=subprocess.DEVNULL,
                                stdout=log, stderr=subprocess.STDOUT)

    def text(self, *words, seconds=120):
        """What a command prints; it must end with 0."""
        done = subprocess.run([*self.words, *map(str, words)], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds,
                              check=False)
        if done.returncode != 0:
            raise Wrong(f"{' '.join(map(str, words[:4]))} ... ended with {done.returncode}:\n"
                        f"{done.stdout[-3000:]}")
        return done.stdout


def check_programs(container):
    version = sbom.version_of_millrace()
    for program in sbom.PROGRAMS:
        libraries = container.text("ldd", "/usr/bin/" + program)
        if "not found" in libraries:
            raise Wrong(f"{program} does not find its libraries:\n{libraries}")
        container.text(program, "--help")
    if version not in container.text("millrace", "version"):
        raise Wrong(f"millrace version does not say {version}")
    if container.text("id", "-u").strip() == "0":
        raise Wrong("the image's user is root")
    try:
        container.text("touch", "/usr/probe")
    except Wrong:
        print(f"smoke: the programs start, read-only, as {container.settings['User']}")
        return
    raise Wrong("the root can be written to")


def check_examples(container):
    """Runs one example to its end, and the tests that all examples carry."""
    examples = sorted((CHECKOUT / "examples" / "operators").glob("*.yaml"))
    shown = container.text("env", "--chdir=/mnt", "millrace", "test",
                           *(one.relative_to(CHECKOUT) for one in examples), seconds=600)
    container.text("env", "--chdir=/mnt", "ANOMALIES=/tmp/found.jsonl", "millrace", "run",
                   "examples/quickstart/sensor-anomalies.yaml", "--until-end", "--quiet")
    found = container.text("sh", "-c", "cat /tmp/found-*.jsonl").count("is_anomaly")
    if found != 2:
        raise Wrong(f"examples/quickstart finds {found} anomalies, not 2")
    print(f"smoke: an example runs; {shown.strip().splitlines()[-1]}")


def ready(port, process, seconds=60):
    """When /readyz answers 200, by the monotonic clock."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
                return time.monotonic()
        except OSError:
            if process.poll() is not None:
                raise Wrong(f"a program ended with {process.returncode}") from None
            time.sleep(0.005)
    raise Wrong(f"/readyz was not 200 within {seconds} s")


def wait_for_leader(port):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/leader", timeout=2) as answer:
                if re.search(rb'"leads":\s*true', answer.read()):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise Wrong("the coordinator did not lead within 60 s")


def stop(process):
    """SIGTERM for the first process of the container, which must end with 0."""
    first = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
    os.kill(int(first), signal.SIGTERM)
    code = process.wait(60)
    if code != 0:
        raise Wrong(f"after SIGTERM a program ended with {code}")


def check_cluster(container, brokers, log):
    """A coordinator, `doctor`, and the time that workers without state take to be ready."""
    listen, http = free_port(), free_port()
    coordinator = container.start(
        "millrace-coordinator", "--brokers", brokers, "--listen", f"tcp://127.0.0.1:{listen}",
        "--http", f"127.0.0.1:{http}", log=log)
    try:
        ready(http, coordinator)
        wait_for_leader(http)
        found = container.text("millrace", "doctor", "--brokers", brokers, "--server",
                               f"http://127.0.0.1:{http}", "--state-dir", "/var/lib/millrace")
        if re.search(r"(?m)^(warning(?!  replicas )|wrong)", found):
            raise Wrong(f"millrace doctor is not clean:\n{found}")
        print("smoke: millrace doctor is clean, but for its Kafka of one broker")
        times = []
        for start in range(STARTS):
            port, began = free_port(), time.monotonic()
            worker = container.start(
                "millrace-worker", "--brokers", brokers, "--coordinators",
                f"tcp://127.0.0.1:{listen}", "--name", f"worker-{start}", "--state-dir",
                f"/var/lib/millrace/{start}", "--http", f"127.0.0.1:{port}", log=log)
            try:
                times.append(ready(port, worker) - began)
                stop(worker)
            finally:
                worker.kill()
        if min(times) > READY_SECONDS_MAX:
            raise Wrong(f"a worker without state takes {min(times):.1f} s to be ready")
        print(f"smoke: a worker without state is ready {statistics.median(times):.3f} s after its "
              f"start (median of {STARTS}; {min(times):.3f} to {max(times):.3f})")
        stop(coordinator)
    finally:
        coordinator.kill()


def check_size(base, root):
    sizes = {name: sum((folder / path).lstat().st_size for path in oci.paths_of(folder)
                       if not (folder / path).is_dir())
             for name, folder in (("base", base), ("root", root))}
    beyond = sizes["root"] - sizes["base"]
    if beyond > SIZE_BYTES_MAX:
        raise Wrong(f"{beyond / 1e6:.1f} MB beyond Debian's base are more than "
                    f"{SIZE_BYTES_MAX / 1e6:.0f} MB")
    print(f"smoke: {beyond / 1e6:.1f} MB beyond Debian's base of {sizes['base'] / 1e6:.1f} MB")


def with_kafka(folder, use):
    kafka = str(CHECKOUT / "script" / "kafka")
    started = subprocess.run([kafka, "start", "--port", "0", "--dir", folder], check=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        use(started.stdout.strip().splitlines()[-1])
    finally:
        subprocess.run([kafka, "stop", "--dir", folder, "--remove"], check=False,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True)
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="millrace-smoke-root-"))  # nothing is deleted below it
    with tempfile.TemporaryDirectory(prefix="millrace-smoke-") as folder:
        log = Path(folder) / "log"
        try:
            check_size(options.base, options.root)
            container = Container(options.root, place)
            check_programs(container)
            check_examples(container)
            with open(log, "wb") as output:
                with_kafka(os.path.join(folder, "kafka"),
                           lambda brokers: check_cluster(container, brokers, output))
        except Wrong as wrong:
            print(f"smoke: {wrong}", file=sys.stderr)
            if log.exists():
                print(log.read_text(errors="replace")[-3000:], file=sys.stderr)
            sys.exit(1)
        finally:
            subprocess.run(["umount", "--recursive", "--lazy", str(place)], check=False,
                           stderr=subprocess.DEVNULL)
            place.rmdir()


if __name__ == "__main__":
    main()
