"""deploy/k8s on a real API server with its controllers: script/test-kubernetes runs this file.

Pods are only marked running (kwok), so what is shown is that the server takes every object, that
controllers make of them what is meant, and that rights are what they should be.
"""

import json
import os
import re
import subprocess
import time

import pytest
import yaml

from manifests import (CACHE, CHART, DEPLOY, FOREIGN_KINDS, ROOT, VARIANTS, documents, find,
                       helm_template, kustomized, own, tool)

NAMESPACE = "millrace"
COORDINATOR = "system:serviceaccount:millrace:millrace-coordinator"
WORKER = "system:serviceaccount:millrace:millrace-worker"
CRD = DEPLOY / "base" / "crd.yaml"


class Server:
    """A cluster, asked with kubectl and helm."""

    def __init__(self, kubeconfig):
        self.environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}

    def run(self, program, *words, given=None):
        return subprocess.run([tool(program), *words], input=given, capture_output=True, text=True,
                              env=self.environment, check=False, timeout=180)

    def kubectl(self, *words, given=None):
        done = self.run("kubectl", *words, given=given)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def helm(self, *words):
        done = self.run("helm", *words, f"--namespace={NAMESPACE}")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def get(self, *words):
        return json.loads(self.kubectl("get", "-n", NAMESPACE, "-o", "json", *words))

    def may(self, who, verb, *what, namespace=NAMESPACE):
        done = self.run("kubectl", "auth", "can-i", verb, *what, f"--as={who}", f"-n={namespace}")
        answer = done.stdout.strip().split("\n")[-1]
        assert answer in ("yes", "no"), done.stdout + done.stderr
        return answer == "yes"

    def wait(self, condition, what, seconds=90):
        deadline = time.time() + seconds
        while time.time() < deadline:
            if condition():
                return
            time.sleep(0.3)
        raise AssertionError(f"{what} did not come: {self.kubectl('get', 'all', '-A')}")

    def ready(self, kind, name, count):
        status = self.get(kind, name)["status"]
        return (status.get("readyReplicas", 0) == count and status.get("replicas", 0) == count
                and status.get("updatedReplicas", count) == count)

    def provide_volumes(self, count):
        """Nothing makes volumes here: as many that a claim of any size is bound to."""
        volumes = [{
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": f"volume-{number}", "labels": {"test": "millrace"}},
            "spec": {"capacity": {"storage": "500Gi"}, "accessModes": ["ReadWriteOnce"],
                     "hostPath": {"path": f"/nowhere/{number}"},
                     "persistentVolumeReclaimPolicy": "Retain"}} for number in range(count)]
        self.kubectl("apply", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List",
                                                           "items": volumes}))

    def clear(self):
        """All that a variant makes is taken away."""
        self.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
        self.kubectl("delete", "persistentvolume", "-l", "test=millrace")
        for kind in ("validatingwebhookconfiguration", "clusterrole", "clusterrolebinding"):
            self.kubectl("delete", kind, "--ignore-not-found",
                         "-l", "app.kubernetes.io/part-of=millrace")

    def begin(self):
        self.clear()
        self.kubectl("apply", "-f", str(DEPLOY / "namespace.yaml"))
        self.provide_volumes(6)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory):
    given = os.environ.get("MILLRACE_KUBECONFIG")
    if given:
        yield Server(given)
        return
    program = os.environ["MILLRACE_CONTROL_PLANE"]
    folder = tmp_path_factory.mktemp("control-plane")
    with open(folder / "log", "w", encoding="utf-8") as log:  # the servers keep it open
        started = subprocess.run([program, "up", folder], check=False, timeout=900,
                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        assert started.returncode == 0, (folder / "log").read_text()
        yield Server(folder / "kubeconfig")
    finally:
        subprocess.run([program, "down", folder], check=False, timeout=60)


@pytest.fixture(scope="session")
def server(control_plane):
    """With the definitions of the custom resources."""
    paths = [CACHE / "crds" / name for name in FOREIGN_KINDS.values()]
    for path in [*paths, CRD]:
        control_plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(path))
        control_plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f",
                              str(path))
    yield control_plane
    control_plane.clear()


@pytest.fixture
def empty(server):
    server.begin()
    return server


@pytest.fixture(scope="module")
def installed(server):
    """The base, with its pods."""
    server.begin()
    server.kubectl("apply", "--validate=strict", "-k", str(DEPLOY / "base"))
    return server


def workloads(variant):
    for document in own(variant):
        if document["kind"] in ("Deployment", "StatefulSet"):
            yield (document["kind"], document["metadata"]["name"],
                   document["spec"].get("replicas", 3))


def text_of(variant):
    """All documents of a variant, the definitions of custom resources among them."""
    return yaml.safe_dump_all(documents(kustomized(variant)))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_server_takes_every_object(empty, variant):
    """Strictly, first without and then with effect; then the controllers make its pods."""
    words = ["apply", "--validate=strict", "-f", "-"]
    said = empty.kubectl(*words, "--dry-run=server", given=text_of(variant))
    assert len(said.strip().split("\n")) == len(documents(kustomized(variant)))
    said = empty.kubectl(*words, given=text_of(variant))
    assert "Warning" not in said
    for kind, name, count in workloads(variant):
        if "hpa" in variant or "keda" in variant:
            if kind == "StatefulSet":
                empty.kubectl("scale", "-n", NAMESPACE, "statefulset", name, f"--replicas={count}")
        empty.wait(lambda k=kind, n=name, c=count: empty.ready(k, n, c), f"{count} of {name}")
    events = [event["message"] for event in empty.get("events")["items"]
              if event["reason"] in ("FailedCreate", "FailedScheduling", "FailedBinding")
              and "unbound" not in event["message"]]
    assert not [message for message in events if "PodSecurity" in message], events
    # A second time it changes nothing that pods are made of.
    before = [empty.get(kind, name)["metadata"]["generation"]
              for kind, name, _ in workloads(variant)]
    empty.kubectl(*words, given=text_of(variant))
    assert before == [empty.get(kind, name)["metadata"]["generation"]
                      for kind, name, _ in workloads(variant)]


def replicas(server):
    return server.get("statefulset", "millrace-worker")["spec"]["replicas"]


@pytest.mark.parametrize("scaler", ["hpa", "keda"])
def test_an_autoscaler_takes_over_the_number_of_workers(empty, scaler, tmp_path):
    """With the step that the README names; without it kubectl sets the number to 1."""
    text = (DEPLOY / "README.md").read_text()
    step, = re.findall(r"^(KUBE_EDITOR=.*)$", text, re.M)
    (tmp_path / "kubectl").symlink_to(tool("kubectl"))
    place = {**empty.environment, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    empty.kubectl("apply", "-f", "-", given=kustomized("production"))
    empty.kubectl("scale", "-n", NAMESPACE, "statefulset", "millrace-worker", "--replicas=4")
    said = empty.kubectl("apply", "--dry-run=server", "-o", "json", "-f", "-",
                         given=kustomized("production-" + scaler))
    reset, = [item["spec"]["replicas"] for item in json.loads(said)["items"]
              if item["kind"] == "StatefulSet"]
    assert reset == 1, "the trap is gone, and so may be the step"
    done = subprocess.run(["bash", "-c", step], env=place, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for _ in range(2):
        empty.kubectl("apply", "-f", "-", given=kustomized("production-" + scaler))
        assert replicas(empty) == 4


def test_helm_leaves_the_number_of_workers_to_an_autoscaler(empty):
    values = [f"--values={CHART}/profiles/production.yaml"]
    empty.helm("install", "millrace", str(CHART), *values)
    assert replicas(empty) == 3
    values.append(f"--values={CHART}/profiles/hpa.yaml")
    for number in (3, 5):
        empty.kubectl("scale", "-n", NAMESPACE, "statefulset", "millrace-worker",
                      f"--replicas={number}")
        empty.helm("upgrade", "millrace", str(CHART), *values)
        assert replicas(empty) == number


def test_an_installation_is_taken_away_without_the_definition_of_topologies(empty):
    """As docs/OPERATIONS.md has it where other namespaces have topologies."""
    text = (ROOT / "docs" / "OPERATIONS.md").read_text()
    words, = re.findall(r"\| kubectl (delete -f - .*)`", text)
    empty.kubectl("apply", "-f", "-", given=kustomized("production"))
    empty.kubectl(*words.split(), given=kustomized("production"))
    for document in own("production"):
        found = empty.run("kubectl", "get", document["kind"], document["metadata"]["name"],
                          f"--namespace={NAMESPACE}")
        assert "NotFound" in found.stderr, document
    empty.kubectl("get", "crd", "topologies.millrace.io")


def test_rights_in_the_namespace_are_enough_for_config_maps(empty):
    """Nobody can grant rights that they do not have: with topologies.objects=false none of the
    cluster's are needed."""
    bound = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
             "metadata": {"name": "owner"}, "subjects": [{"kind": "User", "name": "owner"}],
             "roleRef": {"kind": "ClusterRole", "name": "admin",
                         "apiGroup": "rbac.authorization.k8s.io"}}
    empty.kubectl("apply", "-n", NAMESPACE, "-f", "-", given=json.dumps(bound))

    def install(*words):
        text = helm_template("--skip-tests", *words).stdout
        return empty.run("kubectl", "apply", "--as=owner", "-n", NAMESPACE, "-f", "-", given=text)

    refused = install()
    assert refused.returncode != 0 and "attempting to grant RBAC permissions" in refused.stderr
    done = install("--set=topologies.objects=false")
    assert done.returncode == 0, done.stderr


def test_strict_validation_refuses_what_is_wrong(installed):
    text = kustomized("base").replace("podManagementPolicy:", "podManagementPlicy:")
    done = installed.run("kubectl", "apply", "--validate=strict", "--dry-run=server", "-f", "-",
                         given=text)
    assert done.returncode != 0 and "podManagementPlicy" in done.stderr


def test_the_namespace_refuses_pods_with_privileges(installed):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "root", "namespace": NAMESPACE},
           "spec": {"containers": [{"name": "root", "image": "millrace:0.1.0"}]}}
    done = installed.run("kubectl", "apply", "-f", "-", given=json.dumps(pod))
    assert done.returncode != 0 and "PodSecurity" in done.stderr


@pytest.mark.parametrize("verb, what", [
    *((verb, "topologies.millrace.io") for verb in ("list", "watch", "patch")),
    ("patch", "topologies.millrace.io/status"),
    *((verb, "configmaps") for verb in ("get", "list", "watch", "patch")),
    ("get", "statefulsets.apps/millrace-worker"),
    ("get", "secrets/millrace-admission"), ("patch", "secrets/millrace-admission"),
    ("get", "validatingwebhookconfigurations.admissionregistration.k8s.io/millrace-millrace"),
    ("patch", "validatingwebhookconfigurations.admissionregistration.k8s.io/millrace-millrace"),
])
def test_what_coordinators_may(installed, verb, what):
    resource, subresource = (what, None) if "/" not in what else what.split("/")
    words = [what]
    if subresource == "status":
        words = [resource, f"--subresource={subresource}"]
    assert installed.may(COORDINATOR, verb, *words)
    assert not installed.may(WORKER, verb, *words)


@pytest.mark.parametrize("verb, what", [
    ("get", "topologies.millrace.io"),
    ("create", "topologies.millrace.io"), ("delete", "topologies.millrace.io"),
    ("update", "topologies.millrace.io"), ("get", "secrets"), ("list", "secrets"),
    ("create", "secrets"), ("get", "secrets/millrace-token"),
    ("delete", "secrets/millrace-admission"),
    ("create", "configmaps"), ("update", "configmaps"), ("delete", "configmaps"),
    ("create", "events"), ("get", "pods"), ("delete", "pods"), ("create", "pods/exec"),
    ("patch", "statefulsets.apps/millrace-worker"), ("get", "statefulsets.apps/kafka"),
    ("list", "statefulsets.apps"), ("patch", "statefulsets.apps/millrace-worker/scale"),
    ("get", "deployments.apps"), ("get", "nodes"), ("list", "namespaces"),
    ("create", "serviceaccounts/token"), ("get", "leases.coordination.k8s.io"),
    ("get", "validatingwebhookconfigurations.admissionregistration.k8s.io/another"),
    ("list", "validatingwebhookconfigurations.admissionregistration.k8s.io"),
    ("delete", "validatingwebhookconfigurations.admissionregistration.k8s.io/millrace-millrace"),
    ("patch", "mutatingwebhookconfigurations.admissionregistration.k8s.io/millrace-millrace"),
    ("patch", "customresourcedefinitions.apiextensions.k8s.io"),
    ("create", "rolebindings.rbac.authorization.k8s.io"), ("impersonate", "users"),
])
def test_what_nobody_may(installed, verb, what):
    assert not installed.may(COORDINATOR, verb, what)
    assert not installed.may(WORKER, verb, what)


def test_rights_end_with_the_namespace(installed):
    for verb, what in (("list", "configmaps"), ("list", "topologies.millrace.io"),
                       ("get", "statefulsets.apps/millrace-worker")):
        assert not installed.may(COORDINATOR, verb, what, namespace="default")


def test_pods_have_names_disks_and_an_order_of_leaving(installed):
    server = installed
    server.wait(lambda: server.ready("StatefulSet", "millrace-worker", 2), "two workers")
    claims = {claim["metadata"]["name"] for claim in server.get("persistentvolumeclaims")["items"]}
    assert claims == {"state-millrace-worker-0", "state-millrace-worker-1"}
    for count in (0, 3, 2):
        server.kubectl("scale", "-n", NAMESPACE, "statefulset/millrace-worker",
                       f"--replicas={count}")
        server.wait(lambda c=count: server.ready("StatefulSet", "millrace-worker", c),
                    f"{count} workers")
        kept = {item["metadata"]["name"] for item in server.get("persistentvolumeclaims")["items"]}
        assert claims <= kept
    names = {pod["metadata"]["name"] for pod in server.get("pods")["items"]}
    assert {"millrace-worker-0", "millrace-worker-1"} <= names
    assert "millrace-worker-2" not in names


def test_only_one_pod_of_each_may_be_evicted(installed):
    server = installed
    server.wait(lambda: server.ready("Deployment", "millrace-coordinator", 2), "coordinators")
    for name in ("millrace-coordinator", "millrace-worker"):
        server.wait(lambda n=name: server.get("poddisruptionbudget", n)["status"].get(
            "disruptionsAllowed") == 1, f"the budget of {name}")


def test_without_a_coordinator_a_topology_is_refused(installed):
    """The webhook fails closed, in its namespace only, and lets what is deleted go."""
    topology = yaml.safe_load((ROOT / "examples/quickstart/sensor-anomalies.yaml")
                              .read_text())
    done = installed.run("kubectl", "apply", "-n", NAMESPACE, "-f", "-",
                         given=json.dumps(topology))
    assert done.returncode != 0 and "topologies.millrace.io" in done.stderr, done.stderr
    topology["metadata"]["finalizers"] = ["millrace.io/topology"]
    installed.kubectl("create", "-n", "default", "-f", "-", given=json.dumps(topology))
    name = topology["metadata"]["name"]
    installed.kubectl("delete", "-n", "default", "topology", name, "--wait=false")
    installed.kubectl("patch", "-n", "default", "topology", name, "--type=json",
                      "-p", '[{"op": "remove", "path": "/metadata/finalizers"}]')


@pytest.mark.parametrize("profiles", [profiles for _, profiles in VARIANTS.values()],
                         ids=list(VARIANTS))
def test_helm_installs(empty, profiles):
    values = [f"--values={CHART}/profiles/{name}.yaml" for name in profiles]
    empty.helm("install", "millrace", str(CHART), "--dry-run=server", *values)
    empty.helm("install", "millrace", str(CHART), *values)
    count = empty.get("deployment", "millrace-coordinator")["spec"]["replicas"]
    empty.wait(lambda: empty.ready("Deployment", "millrace-coordinator", count), "coordinators")
    empty.helm("upgrade", "millrace", str(CHART), *values, "--set=coordinator.grace=3m")
    empty.helm("rollback", "millrace", "1")
    said = empty.helm("get", "hooks", "millrace")
    empty.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", given=said)
    empty.helm("uninstall", "millrace")
    left = empty.get("all")["items"]
    assert {item["kind"] for item in left} <= {"Pod", "ReplicaSet", "ControllerRevision"}
