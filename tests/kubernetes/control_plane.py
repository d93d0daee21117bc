"""The control plane that the tests run on: API server, controllers and scheduler as the program
`cluster` starts them (docs/TESTING.md, Kubernetes), and kubectl. Its kwok, which would mark every
pod as running, is ended: the process runner is the node."""

import os
import signal
import subprocess
import time
from pathlib import Path

from api import Api

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = Path(os.environ.get("MILLRACE_CONTROL_PLANE",
                              ROOT.parent / "shared" / "kubernetes" / "cluster"))
CACHE = Path(os.environ.get("MILLRACE_CACHE", Path.home() / ".cache" / "millrace"))
KUBECTL = CACHE / "kubernetes" / "bin" / "kubectl"


class ControlPlane:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.kubeconfig = self.folder / "kubeconfig"
        self.authority = self.folder / "pki" / "apiserver" / "apiserver.crt"
        self.api = None

    def start(self):
        with open(self.folder / "cluster.log", "wb") as log:
            subprocess.run([CLUSTER, "up", self.folder], check=True,
                           stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._end_kwok()
        self.api = Api(self.kubeconfig)
        return self

    def _end_kwok(self):
        """kwok is started last, and its process may still be the shell's copy as `up` returns. One
        that lived on would delete pods before the runner has ended their processes."""
        deadline = time.monotonic() + 10
        while True:
            for pid in map(int, (self.folder / "pids").read_text().split()):
                if b"/kwok\0" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)
                    return
            assert time.monotonic() < deadline, "`cluster up` has started no kwok"
            time.sleep(0.01)

    def stop(self):
        subprocess.run([CLUSTER, "down", self.folder], check=False,
                       stdin=subprocess.DEVNULL)

    def kubectl(self, *words, text=None, check=True):
        """What it prints. text: its standard input."""
        done = subprocess.run(
            [KUBECTL, "--kubeconfig", self.kubeconfig, *map(str, words)], input=text or "",
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(map(str, words))}: {done.stdout}")
        return done.stdout
