"""The Helm chart with real processes: installed, tried by `helm test`, taken away."""

import os
import re
import subprocess

import pytest
import yaml

from cluster import wait_until
from control_plane import CACHE
from millrace import ROOT

NAMESPACE = "charted"
CHART = ROOT / "deploy" / "k8s" / "chart" / "millrace"
TOPOLOGY = """
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {name: @NAME@}
spec:
  sources: [{name: readings, type: kafka, topic: charted-in, key: [sensor]}]
  operators: [{name: score, type: detect.zscore, from: readings, key: [sensor], field: value}]
  sinks: [{name: out, type: kafka, from: score, topic: charted-out, key: [sensor]}]
"""
FINALIZER = "millrace.io/topology"


@pytest.fixture(scope="module")
def helm(plane, kafka, tmp_path_factory):
    """Runs helm for the namespace, whose pods are processes: (exit code, what it prints)."""
    from conftest import make_runner
    folder = tmp_path_factory.mktemp("helm")
    environment = {**os.environ, "KUBECONFIG": str(plane.kubeconfig), "HELM_CACHE_HOME": folder,
                   "HELM_CONFIG_HOME": folder, "HELM_DATA_HOME": folder}

    def run(verb, *words):
        done = subprocess.run(
            [CACHE / "kubernetes" / "bin" / "helm", verb, f"--namespace={NAMESPACE}", *words],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False)
        return done.returncode, done.stdout

    space = (ROOT / "deploy" / "k8s" / "namespace.yaml").read_text()
    plane.kubectl("apply", "-f", "-", text=space.replace("name: millrace", f"name: {NAMESPACE}"))
    runner = make_runner(plane, NAMESPACE, tmp_path_factory.mktemp("charted"))
    run.set = [f"--set=kafka.brokers={kafka.brokers}", "--set=worker.replicas=2",
               "--set=coordinator.environment.MILLRACE_SILENCE=20s"]
    run.runner = runner
    try:
        runner.start()
        yield run
        assert not runner.failures
    finally:
        print(run("uninstall", "millrace")[1])
        runner.stop()
        print(runner.logs())
        print("\n".join(runner.failures))


def test_helm_install_waits_for_ready_pods_and_helm_test_passes(helm):
    code, said = helm("install", "millrace", CHART, *helm.set, "--wait", "--timeout=180s")
    assert code == 0, said
    code, said = helm("test", "millrace", "--timeout=180s")
    assert code == 0 and "Succeeded" in said, said


def test_helm_test_fails_where_one_worker_is_missing(plane, helm):
    plane.kubectl("--namespace", NAMESPACE, "scale", "statefulset/millrace-worker", "--replicas=1")
    wait_until(lambda: all(one.name != "millrace-worker-1"
                           for one in list(helm.runner.pods.values())), 180,
               what="the worker's end")
    code, said = helm("test", "millrace", "--timeout=60s", "--logs")
    assert code != 0 and "Failed" in said, said
    assert any("worker millrace-worker-1 has not joined" in log.read_text(errors="replace")
               for log in helm.runner.folder.glob("pods/millrace-test-*/log"))


def documented(pattern):
    """The words of kubectl commands of docs/OPERATIONS.md, for this namespace."""
    text = (ROOT / "docs" / "OPERATIONS.md").read_text()
    found = re.findall(rf"`kubectl (-n millrace {pattern})`", text)
    assert found, pattern
    return [command.replace("-n millrace", f"-n {NAMESPACE}").split() for command in found]


def test_it_is_taken_away_in_the_order_that_is_documented(plane, kafka, helm):
    """Topologies, of both kinds, while a coordinator runs; then the installation; then volumes."""
    for topic in ("charted-in", "charted-out"):
        kafka.create(topic, 1)
    held = {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "held", "labels": {"millrace.io/topology": "true"}},
            "data": {"topology.yaml": TOPOLOGY.replace("@NAME@", "from-a-map")}}
    for text in (TOPOLOGY.replace("@NAME@", "scores"), yaml.safe_dump(held)):
        plane.kubectl("--namespace", NAMESPACE, "apply", "-f", "-", text=text)
    for kind, name in (("topology", "scores"), ("configmap", "held")):
        wait_until(lambda one=(kind, name): FINALIZER in plane.kubectl(
            "--namespace", NAMESPACE, "get", *one, "-o", "jsonpath={.metadata.finalizers}"),
            120, 0.5, f"the finalizer of {name}")
    for words in documented("delete (?:topologies --all|configmaps -l [^`]*)")[-2:]:
        plane.kubectl(*words, "--timeout=120s")
    for kind, name in (("topology", "scores"), ("configmap", "held")):
        assert "NotFound" in plane.kubectl("--namespace", NAMESPACE, "get", kind, name, check=False)
    code, said = helm("uninstall", "millrace", "--wait", "--timeout=180s")
    assert code == 0, said
    wait_until(lambda: {one.name for one in list(helm.runner.pods.values())} <= {"millrace-test"},
               120, 0.5, "the end of all pods but the one of the test that failed")
    words, = documented("delete pvc [^`]*")
    plane.kubectl(*words, "--timeout=60s")
    assert "No resources" in plane.kubectl("--namespace", NAMESPACE, "get", "pvc")
