"""What a pod's processes live in: a network, mount and host name namespace of its own, with an
address on a bridge, and a root put together from this machine's programs, read-only if the pod
says so. Needs root rights; the whole lives in namespaces of the test (`enclose`), so nothing of it
is seen outside, nothing is left behind, and several tests run beside each other."""

import ctypes
import os
import shutil
import signal
import subprocess
from pathlib import Path

BRIDGE = "10.244.0.1"
POD_NETWORK = "10.244.0.{}"
SERVICES = "10.0.0.0/24"
NEW_MOUNTS, NEW_NETWORK = 0x00020000, 0x40000000
RECURSIVE, PRIVATE = 0x4000, 0x40000
# From this machine: programs, libraries, and what they look up. All read-only.
SHARED = ("/usr", "/etc/ssl", "/etc/ca-certificates", "/etc/alternatives", "/etc/ld.so.cache",
          "/etc/nsswitch.conf", "/etc/passwd", "/etc/group", "/etc/host.conf", "/etc/gai.conf")


def run(*words):
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, words))}: {done.stdout.strip()}")


def enclose():
    """Moves this process, and what it starts, into a network and a mount namespace of their own,
    with a bridge for the pods and the services' addresses on the loopback. Before any thread."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEW_MOUNTS | NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "unshare: needs root rights")
    if libc.mount(b"none", b"/", None, RECURSIVE | PRIVATE, None) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "pods", "type", "bridge")
    run("ip", "address", "add", f"{BRIDGE}/24", "dev", "pods")
    run("ip", "link", "set", "pods", "up")
    run("ip", "route", "add", "local", SERVICES, "dev", "lo")


def network_of(process):
    """Which network namespace a process is in; None: it has ended."""
    try:
        return os.readlink(f"/proc/{process}/ns/net")
    except OSError:
        return None


class Sandbox:
    """One pod's. `number` is unique and 2 to 254; `programs` the folder of Millrace's programs."""

    def __init__(self, folder, name, number, hosts, programs, extra=()):
        self.folder, self.name, self.number = Path(folder), name, number
        self.address = POD_NETWORK.format(number)
        self.root = self.folder / "root"
        self.hosts, self.extra = hosts, [Path(one) for one in extra]
        self.programs = Path(programs)
        self.mounts = []  # (source, path in the root, read-only)
        self.holder = None

    def mount(self, source, path, read_only=False):
        """Lays a folder or file of this machine into the root. Before open()."""
        self.mounts.append((Path(source), path.lstrip("/"), read_only))

    def _lines(self, read_only):
        """The shell commands that put the root together inside the namespace."""
        shared = [Path(one) for one in SHARED if Path(one).exists()]
        binds = [(one, str(one).lstrip("/"), True) for one in [*shared, *self.extra]]
        binds += [(self.programs, "opt/millrace", True), (self.hosts, "etc/hosts", True)]
        yield f"mount --bind {self.root} {self.root}"
        for source, path, locked in [*binds, *self.mounts]:
            place = self.root / path
            if source.is_dir():
                place.mkdir(parents=True, exist_ok=True)
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.touch()
            yield f"mount --bind '{source}' '{place}'"
            if locked:
                yield f"mount -o remount,bind,ro '{place}'"
        for kind in ("dev", "proc", "sys"):
            (self.root / kind).mkdir(exist_ok=True)
            yield f"mount --rbind /{kind} {self.root}/{kind}"
        if read_only:
            yield f"mount -o remount,bind,ro {self.root}"
        yield f"hostname {self.name}"
        yield "ip link set lo up"

    def open(self, read_only=False):
        """Makes the namespaces and connects them."""
        self.root.mkdir(parents=True)
        for name in ("tmp", "var", "run", "root"):
            (self.root / name).mkdir()
        (self.root / "tmp").chmod(0o1777)
        (self.root / "var" / "run").symlink_to("../run")
        for name in ("bin", "sbin", "lib", "lib64"):
            (self.root / name).symlink_to("usr/" + name)
        script = "\n".join(["set -e", *self._lines(read_only), "echo made", "exec sleep infinity"])
        self.holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--uts", "--propagation", "private", "sh", "-c",
             script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True)
        said = self.holder.stdout.readline()
        if said != "made\n":
            raise RuntimeError(f"the sandbox of {self.name}: {said}{self.holder.stdout.read()}")
        ours, theirs = f"v{self.number}", f"p{self.number}"
        run("ip", "link", "add", ours, "type", "veth", "peer", "name", theirs)
        run("ip", "link", "set", ours, "master", "pods", "up")
        run("ip", "link", "set", theirs, "netns", self.holder.pid)
        inside = ["nsenter", "--net", "-t", self.holder.pid, "ip"]
        run(*inside, "address", "add", f"{self.address}/24", "dev", theirs)
        run(*inside, "link", "set", theirs, "up")
        run(*inside, "route", "add", "default", "via", BRIDGE)

    def start(self, words, environment, log, user=None, folder="/"):
        """A process in the pod. Its id is the program's own: signals reach it."""
        enter = ["/usr/bin/nsenter", "--net", "--mount", "--uts", "-t", str(self.holder.pid),
                 "/usr/sbin/chroot", *([f"--userspec={user}"] if user else []), str(self.root),
                 "/usr/bin/env", f"--chdir={folder}"]
        return subprocess.Popen([*enter, *words], stdin=subprocess.DEVNULL, stdout=log,
                                stderr=log, env=environment)

    def _end_processes(self):
        """What a program that was killed has left running: a pod's processes end with the pod."""
        network = network_of(self.holder.pid)
        if network in (None, network_of("self")):  # it never had one of its own
            return
        for place in Path("/proc").glob("[0-9]*"):
            if network_of(place.name) == network and int(place.name) != self.holder.pid:
                try:
                    os.kill(int(place.name), signal.SIGKILL)
                except ProcessLookupError:
                    continue

    def close(self):
        """Ends the namespaces and what runs in them. The files of the root go, volumes stay: they
        were mounted inside only."""
        if self.holder is not None:
            self._end_processes()
            self.holder.kill()
            self.holder.wait()
            self.holder.stdout.close()
        shutil.rmtree(self.root, ignore_errors=True)


def own(path, user, group):
    """Gives a folder and what is in it to a user."""
    for folder, folders, files in os.walk(path):
        for name in (".", *folders, *files):
            os.chown(os.path.join(folder, name), user, group, follow_symlinks=False)
