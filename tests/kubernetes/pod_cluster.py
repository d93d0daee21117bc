"""Millrace as deploy/k8s deploys it on the process runner: what tests/e2e/cluster.py is for
processes that a test starts itself. The judge (tests/e2e/oracle.py) takes either."""

import os
import shutil
from collections import Counter
from pathlib import Path

from chaos import Scene
from cluster import Cluster, Refused, ask, wait_until
from millrace import ROOT

COORDINATORS, WORKERS = "millrace-coordinator-", "millrace-worker-"
NAMESPACE = "millrace"

OVERLAY = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: millrace
resources: ["@BASE@"]
patches:
  - patch: |-
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: millrace, namespace: millrace}
      data: {MILLRACE_BROKERS: "@BROKERS@"}
  - target: {kind: StatefulSet, name: millrace-worker}
    patch: |-
      - {op: replace, path: /spec/replicas, value: @WORKERS@}
  # A machine that runs a control plane, a broker and all pods is slow at times.
  - target: {kind: Deployment, name: millrace-coordinator}
    patch: |-
      - op: add
        path: /spec/template/spec/containers/0/env/-
        value: {name: MILLRACE_SILENCE, value: 20s}
"""


def deploy(plane, brokers, folder, workers):
    """Applies the namespace and the base with this broker and as many workers."""
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    base = os.path.relpath(ROOT / "deploy" / "k8s" / "base", folder.resolve())
    text = OVERLAY.replace("@BASE@", base).replace("@BROKERS@", brokers)
    (folder / "kustomization.yaml").write_text(text.replace("@WORKERS@", str(workers)))
    plane.kubectl("apply", "-f", ROOT / "deploy" / "k8s" / "namespace.yaml")
    plane.kubectl("apply", "-f", "-", text=plane.kubectl("kustomize", folder))


class PodCluster(Cluster):
    """Coordinators and workers that are pods."""

    def __init__(self, brokers, name, runner, plane):
        super().__init__(brokers, name, runner.folder)
        self.runner, self.plane = runner, plane

    def submit(self, path, query="", seconds=60):
        """As an object of Kubernetes: the coordinator that leads finds it."""
        return self.plane.kubectl("--namespace", NAMESPACE, "apply", "-f", path)

    def pods(self, prefix):
        with self.runner.lock:
            pods = list(self.runner.pods.values())
        return [pod for pod in pods if pod.name.startswith(prefix) and pod.is_alive()]

    def _leader(self):
        for pod in self.pods(COORDINATORS):
            address = f"http://{pod.sandbox.address}:8080"
            try:
                if ask(address + "/v1/leader", timeout=2)["leads"]:
                    return address
            except (OSError, Refused):
                continue
        raise ConnectionError("no coordinator leads")

    def logs(self, size=3000):
        return self.runner.logs(size)

    def end(self):
        """The runner ends its pods itself."""


class PodScene(Scene):
    """A topology, a feed and a reader beside the deployed cluster."""

    def __init__(self, kafka, folder, runner, plane):
        super().__init__(kafka, NAMESPACE, folder)  # the cluster's and the topology's name
        self.cluster = PodCluster(kafka.brokers, NAMESPACE, runner, plane)

    def worker_names(self):
        return sorted(worker["name"] for worker in self.workers()
                      if worker["state"] == "present")

    def status(self):
        """The Topology's status, and its conditions by type."""
        found = self.cluster.runner.api.get(
            f"/apis/millrace.io/v1alpha1/namespaces/{NAMESPACE}/topologies/{self.name}")
        status = found.get("status", {})
        return status, {one["type"]: one["status"] for one in status.get("conditions", [])}

    def says(self, ready, seconds=60):
        """Until the Topology's status is what is: accepted, ready or not, and the version, state
        and tasks that the leader counts. It is written at most every 2 s, its lag every 10 s."""
        def told():
            status, conditions = self.status()
            found = self.leader_s()
            running, total = found["tasks_running"], found["tasks"]
            restoring = found["tasks_restoring"]
            return (conditions.get("Accepted") == "True"
                    and conditions.get("Ready") == ("True" if ready else "False")
                    and conditions.get("Restoring") == ("True" if restoring else "False")
                    and (running == self.partitions) == ready and total == self.partitions
                    and status.get("version") == found["version"]
                    and status.get("state") == found["health"].capitalize()
                    and status.get("tasks") == {"summary": f"{running}/{total}", "total": total,
                                                "running": running, "restoring": restoring}
                    and "lastError" not in status and (not ready or self._lag_is_known(status)))
        try:
            return wait_until(told, seconds, what="the status of the topology")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.status()}, {self.leader_s()}") from error

    def leader_s(self):
        """The topology as /v1/topologies of the leader has it."""
        return next(one for one in self.cluster.get("/v1/topologies")["topologies"]
                    if one["name"] == self.name)

    def _lag_is_known(self, status):
        """It changes all the time: a number that can be, beside the records that were written."""
        return 0 <= status.get("lag", -1) <= self.feed.count

    def settled(self, workers, seconds=240):
        """Until so many workers are present and share the tasks, none of which moves."""
        def balanced():
            tasks = [task for task in self.cluster.tasks() if task["role"] == "active"]
            counts = Counter(task["worker"] for task in tasks)
            return (len(self.worker_names()) == workers and len(tasks) == self.partitions
                    and all(task["state"] == "running" for task in tasks)
                    and len(counts) == min(workers, self.partitions)
                    and max(counts.values()) - min(counts.values()) <= 1)
        return wait_until(balanced, seconds, what=f"{workers} workers that share the tasks")
