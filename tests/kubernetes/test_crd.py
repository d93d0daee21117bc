"""Topologies as objects of Kubernetes, on a real API server: `kubectl apply` deploys, the status
says how it goes, wrong ones are refused, `kubectl delete` takes the topology along. Coordinators
and workers are plain processes; tests/kubernetes/test_cluster.py has them as pods."""

import base64
import json
import os
import re
import shlex
import signal
import subprocess
import time

import pytest
import yaml
from cluster import Cluster, wait_until
from control_plane import KUBECTL
from millrace import ROOT

NAMESPACE = "topologies"
WEBHOOK = "millrace-topologies"
SERVICE = "millrace-coordinator"

SERVICE_TEXT = f"""
apiVersion: v1
kind: Service
metadata: {{name: {SERVICE}, namespace: {NAMESPACE}}}
spec: {{ports: [{{name: webhook, port: 443}}]}}
"""


def shipped(name):
    """The documents of a file of deploy/k8s/base, for this namespace: rights and webhook are those
    that are delivered, so that what they lack is found here."""
    text = (ROOT / "deploy" / "k8s" / "base" / name).read_text()
    text = re.sub(r"(namespace|kubernetes.io/metadata.name): millrace\b", rf"\1: {NAMESPACE}", text)
    return list(yaml.safe_load_all(text.replace("millrace-millrace", WEBHOOK)))


def empty_secret():
    return next(one for one in shipped("webhook.yaml") if one["kind"] == "Secret")


TOPOLOGY = """
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata:
  name: {name}
spec:
  sources:
    - name: readings
      type: kafka
      topic: sensor-readings
      schema: {{sensor: string, value: double}}
      key: [sensor]
  operators:
    - name: plausible
      type: filter
      from: readings
      where: 'value > -50.0'
    - name: score
      type: detect.zscore
      from: plausible
      key: [sensor]
      field: value
      threshold: {threshold}
  sinks:
    - name: anomalies
      type: kafka
      from: score
      topic: sensor-anomalies
"""


def topology(name="sensors", threshold="4.0"):
    return TOPOLOGY.format(name=name, threshold=threshold)


class Scene:
    """Coordinators, a worker, and an API server that knows them."""

    def __init__(self, plane, kafka, folder):
        self.plane, self.kafka, self.folder = plane, kafka, folder
        self.cluster = Cluster(kafka.brokers, "objects", folder)
        self.address, self.flags = None, []

    def start(self):
        plane, folder = self.plane, self.folder
        plane.kubectl("apply", "-f", ROOT / "deploy" / "k8s" / "base" / "crd.yaml")
        plane.kubectl("wait", "--for=condition=Established", "--timeout=30s",
                      "crd/topologies.millrace.io")
        plane.kubectl("create", "namespace", NAMESPACE)
        plane.kubectl("apply", "-f", "-", text=yaml.safe_dump_all(
            [*shipped("access.yaml"), empty_secret()]))
        plane.kubectl("apply", "-f", "-", text=SERVICE_TEXT)
        token = folder / "token"
        token.write_text(plane.kubectl("create", "token", "millrace-coordinator", "-n", NAMESPACE))
        for topic in ("sensor-readings", "sensor-anomalies"):
            self.kafka.create(topic, 2)
        # What a proxy does on a node: the service's address is the coordinator's.
        self.address = self.value("service", SERVICE, "{.spec.clusterIP}")
        server = yaml.safe_load(plane.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
        self.flags = ["--kubernetes-topologies", "--kubernetes", server, "--kubernetes-authority",
                      plane.authority, "--kubernetes-token-file", token, "--kubernetes-namespace",
                      NAMESPACE, "--kubernetes-admission-webhook", WEBHOOK]
        for place in (f"{self.address}:443", "127.0.0.1:0"):
            self.cluster.coordinator(*self.flags, "--kubernetes-admission", place)
        self.cluster.worker()
        self.cluster.server()
        return self

    def kubectl(self, *words, text=None, check=True):
        return self.plane.kubectl("-n", NAMESPACE, *words, text=text, check=check)

    def apply(self, text):
        return self.kubectl("apply", "-f", "-", text=text)

    def refused(self, text):
        """What kubectl says of it."""
        done = subprocess.run(
            [KUBECTL, "--kubeconfig", self.plane.kubeconfig, "-n", NAMESPACE, "apply", "-f", "-"],
            input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert done.returncode != 0, done.stdout
        return done.stdout

    def value(self, kind, name, path):
        return self.kubectl("get", kind, name, "-o", f"jsonpath={path}").strip()

    def status(self, name):
        text = self.kubectl("get", "topology", name, "-o", "json", check=False)
        return json.loads(text).get("status", {}) if text.startswith("{") else {}

    def condition(self, name, kind):
        found = {one["type"]: one for one in self.status(name).get("conditions", [])}
        return found.get(kind, {})

    def await_ready(self, name, version=None, seconds=120):
        def ready():
            status = self.status(name)
            return self.condition(name, "Ready").get("status") == "True" and (
                version is None or status.get("version") == version)
        wait_until(ready, seconds, 0.2, f"topology {name}, ready at version {version}")

    def gone(self, kind, name):
        return "NotFound" in self.kubectl("get", kind, name, check=False)

    def topologies(self):
        return [one["name"] for one in self.cluster.get("/v1/topologies")["topologies"]]

    def end(self):
        for one in [*self.cluster.coordinators, *self.cluster.workers.values()]:
            one.end()
        for one in self.cluster.coordinators:
            print(one.text()[-8000:])


@pytest.fixture(scope="module")
def scene(plane, kafka, tmp_path_factory):
    found = Scene(plane, kafka, tmp_path_factory.mktemp("objects"))
    try:
        yield found.start()
    finally:
        found.end()


@pytest.fixture
def clean(scene):
    yield scene
    scene.kubectl("delete", "topologies,configmaps", "--all", "--timeout=120s")


@pytest.fixture(scope="module")
def webhook(scene):
    """The webhook is installed, and the leader has said whom to trust."""
    hook, = [one for one in shipped("webhook.yaml") if one["kind"] != "Secret"]
    scene.plane.kubectl("apply", "-f", "-", text=yaml.safe_dump(hook))
    wait_until(
        lambda: scene.plane.kubectl(
            "get", "validatingwebhookconfiguration", WEBHOOK, "-o",
            "jsonpath={.webhooks[0].clientConfig.caBundle}").strip(),
        90, 0.3, "caBundle")
    wait_until(lambda: scene.kubectl("apply", "--dry-run=server", "-f", "-", text=topology("probe"),
                                     check=False).startswith("topology.millrace.io/probe"),
               30, 0.5, "the webhook's answer")
    yield scene
    scene.plane.kubectl("delete", "validatingwebhookconfiguration", WEBHOOK)


def test_an_applied_topology_runs_and_its_status_says_so(clean):
    clean.apply(topology())
    clean.await_ready("sensors", 1)
    status = clean.status("sensors")
    assert status["state"] == "Running"
    assert status["tasks"] == {"summary": "2/2", "total": 2, "running": 2, "restoring": 0}
    assert status["observedGeneration"] == 1
    assert clean.condition("sensors", "Accepted")["status"] == "True"
    assert clean.condition("sensors", "Restoring")["status"] == "False"
    wait_until(lambda: clean.status("sensors").get("lag") == 0, 60, 0.2, "the lag")
    lines = clean.kubectl("get", "topologies").splitlines()
    assert lines[0].split() == ["NAME", "VERSION", "TASKS", "LAG", "STATE", "AGE"]
    assert lines[1].split()[:5] == ["sensors", "1", "2/2", "0", "Running"]
    clean.apply(topology(threshold="5.0"))
    clean.await_ready("sensors", 2)
    assert clean.status("sensors")["observedGeneration"] == 2


def test_a_deleted_object_takes_its_topology_along(clean):
    clean.apply(topology())
    clean.await_ready("sensors")
    assert clean.value("topology", "sensors", "{.metadata.finalizers}") == \
        '["millrace.io/topology"]'
    clean.kubectl("delete", "topology", "sensors", "--timeout=120s")
    assert clean.gone("topology", "sensors")
    assert clean.topologies() == []


def test_without_the_webhook_a_wrong_one_says_so_in_its_status(clean):
    clean.apply(topology(threshold="-1"))
    wait_until(lambda: clean.condition("sensors", "Accepted").get("status") == "False", 60, 0.2,
               "the refusal")
    status = clean.status("sensors")
    assert status["state"] == "Refused"
    assert re.search(r"line \d+, spec\.operators\[1\]\.threshold: 'threshold'", status["lastError"])
    assert status["findings"][0]["field"] == "spec.operators[1].threshold"
    assert status["findings"][0]["text"] == "threshold: -1"
    clean.apply(topology())
    clean.await_ready("sensors")
    assert "lastError" not in clean.status("sensors")


def test_odd_values_of_one_object_hide_no_other(clean):
    """The API server keeps numbers of more than 64 bits and NULs, and sends them as JSON."""
    clean.apply(topology("large", "1e20"))
    clean.apply(topology("held-off").replace("'value > -50.0'", '"value > \\0"'))
    clean.apply(topology())
    clean.await_ready("large")
    clean.await_ready("sensors")
    assert clean.status("held-off")["state"] == "Refused"
    assert "the character NUL" in clean.status("held-off")["lastError"]


def config_map(text):
    return yaml.safe_dump({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "held", "labels": {"millrace.io/topology": "true"}},
        "data": {"topology.yaml": text}})


def annotation_of(scene, name):
    return scene.value("configmap", "held", f"{{.metadata.annotations.millrace\\.io/{name}}}")


def test_a_config_map_with_the_label_is_a_topology(clean):
    def annotation(name):
        return annotation_of(clean, name)

    clean.apply(config_map(topology("from-a-map")))
    wait_until(lambda: annotation("state") == "Running", 120, 0.2, "the ConfigMap's topology")
    assert annotation("version") == "1"
    clean.apply(config_map(topology("from-a-map", "-1")))
    wait_until(lambda: "threshold" in annotation("error"), 60, 0.2, "the ConfigMap's error")
    assert re.search(r"line 23, spec\.operators\[1\]\.threshold", annotation("error"))
    assert clean.topologies() == ["from-a-map"]
    clean.kubectl("delete", "configmap", "held", "--timeout=120s")
    assert clean.topologies() == []


def test_a_config_map_without_its_label_is_let_go(clean):
    clean.apply(config_map(topology("from-a-map")))
    wait_until(lambda: annotation_of(clean, "state") == "Running", 120, 0.2, "the topology")
    assert clean.value("configmap", "held", "{.metadata.finalizers}") == '["millrace.io/topology"]'
    clean.kubectl("label", "configmap", "held", "millrace.io/topology-")
    wait_until(lambda: not clean.value("configmap", "held", "{.metadata.finalizers}"), 60, 0.2,
               "the end of the finalizer")
    assert clean.topologies() == []
    assert annotation_of(clean, "state") == ""
    clean.kubectl("label", "configmap", "held", "millrace.io/topology=true")
    wait_until(lambda: annotation_of(clean, "state") == "Running", 120, 0.2, "it again")
    # Taken off and deleted at once: it goes all the same.
    clean.kubectl("label", "configmap", "held", "millrace.io/topology-")
    clean.kubectl("delete", "configmap", "held", "--timeout=120s")
    assert clean.topologies() == []


def api_server(plane):
    """Its process id and its words."""
    for pid in map(int, (plane.folder / "pids").read_text().split()):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")[:-1]
        except OSError:
            continue
        if words and words[0].endswith(b"kube-apiserver"):
            return pid, [word.decode() for word in words]
    raise AssertionError("there is no API server")


def test_a_restart_of_the_api_server_loses_nothing(clean):
    clean.apply(topology())
    clean.await_ready("sensors", 1)
    pid, words = api_server(clean.plane)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}") or open(
        f"/proc/{pid}/stat", encoding="utf-8").read().split()[2] == "Z", 60, 0.1, "its end")
    time.sleep(1)
    with open(clean.plane.folder / "apiserver.log", "ab") as log:
        again = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    with open(clean.plane.folder / "pids", "a", encoding="utf-8") as pids:
        pids.write(f"{again.pid}\n")
    wait_until(lambda: "ok" in clean.plane.kubectl("get", "--raw", "/readyz", check=False), 60, 0.3,
               "the API server")
    wait_until(lambda: "configured" in clean.kubectl(
        "apply", "-f", "-", text=topology(threshold="6.0"), check=False), 30, 0.5, "the change")
    clean.await_ready("sensors", 2, 120)


def test_the_next_leader_goes_on(clean):
    clean.apply(topology())
    clean.await_ready("sensors", 1)
    leader = clean.cluster.server()
    first = next(one for one in clean.cluster.coordinators if one.http in leader)
    first.kill()
    try:
        clean.apply(topology(threshold="7.0"))
        clean.await_ready("sensors", 2, 120)
        clean.kubectl("delete", "topology", "sensors", "--timeout=120s")
        assert clean.topologies() == []
    finally:
        first.start()


def test_explanations_come_from_the_options(scene):
    shown = scene.kubectl("explain", "topology.spec.operators.threshold")
    assert "detect.zscore" in shown or "anomaly" in shown
    assert "commit_interval" in scene.kubectl("explain", "topology.spec")
    assert "max_delay" in scene.kubectl("explain", "topology.spec.sources.watermark")
    assert "lastTransitionTime" in scene.kubectl("explain", "topology.status.conditions")


def changed(path, value):
    """The topology with one thing changed; value None: without it."""
    found = yaml.safe_load(topology())
    at = found
    for step in path[:-1]:
        at = at[step]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return yaml.safe_dump(found)


SCORE, FILTER = ["spec", "operators", 1], ["spec", "operators", 0]
SOURCE, SINK = ["spec", "sources", 0], ["spec", "sinks", 0]
WRONG = [
    ("an unknown type", [*SCORE, "type"], "detect.zscoer", r"spec\.operators\[1\]\.type",
     "did you mean 'detect.zscore'"),
    ("an unknown option", [*SCORE, "treshold"], 3, r"spec\.operators\[1\]\.treshold",
     "did you mean 'threshold'"),
    ("a number out of bounds", [*SCORE, "threshold"], -1, r"spec\.operators\[1\]\.threshold",
     "threshold"),
    ("a text for a number", [*SCORE, "threshold"], "high", r"spec\.operators\[1\]\.threshold",
     "expected a number"),
    ("an input that is not there", [*SCORE, "from"], "plausibel", r"spec\.operators\[1\]\.from",
     "plausible"),
    ("a broken expression", [*FILTER, "where"], "value >", r"spec\.operators\[0\]\.where",
     "where"),
    ("an expression of another type", [*FILTER, "where"], "value + 1.0",
     r"spec\.operators\[0\]\.where", "bool"),
    ("a required option that is missing", [*SCORE, "field"], None, r"spec\.operators\[1\]",
     "field"),
    ("a key that is missing", [*SCORE, "key"], None, r"spec\.operators\[1\]", "key"),
    ("a duration without a unit", ["spec", "commit_interval"], "100", r"spec\.commit_interval",
     "100ms|unit|duration"),
    ("a choice that is none", ["spec", "guarantee"], "twice", r"spec\.guarantee",
     "exactly_once"),
    ("a name that is taken", [*SCORE, "name"], "plausible", r"spec\.operators\[1\]\.name",
     "plausible"),
    ("a name that is none", [*SINK, "name"], "Anomalies", r"spec\.sinks\[0\]\.name", "Anomalies"),
    ("a source without a topic", [*SOURCE, "topic"], None, r"spec\.sources\[0\]", "topic"),
]


@pytest.mark.parametrize("what, path, value, field, reason", WRONG,
                         ids=[one[0].replace(" ", "-") for one in WRONG])
def test_a_wrong_topology_is_refused_when_it_is_applied(webhook, what, path, value, field, reason):
    text = changed(path, value)
    said = webhook.refused(text)
    assert "admission webhook" in said, said
    assert re.search(rf"line \d+, ({field}): ", said), said
    assert re.search(reason, said), said
    assert webhook.gone("topology", "sensors")


def test_the_webhook_lets_sound_ones_in_and_deletions(webhook, clean):
    clean.apply(topology())
    clean.await_ready("sensors")
    renamed = topology().replace("name: score", "name: other").replace("from: score", "from: other")
    said = clean.refused(renamed)
    assert "score" in said and "state" in said, said
    clean.await_ready("sensors", 1)
    clean.kubectl("annotate", "topology", "sensors", "millrace.io/drop-state=score")
    clean.apply(renamed)
    clean.await_ready("sensors", 2)
    clean.kubectl("delete", "topology", "sensors", "--timeout=120s")
    assert clean.topologies() == []


def test_the_secret_holds_the_certificate(webhook):
    data = json.loads(webhook.kubectl("get", "secret", "millrace-admission", "-o", "json"))["data"]
    assert sorted(data) == ["ca.crt", "ca.key", "tls.crt", "tls.key"]
    assert base64.b64decode(data["tls.crt"]).startswith(b"-----BEGIN CERTIFICATE-----")
    for one in webhook.cluster.coordinators:
        assert "PRIVATE KEY" not in one.text()
        assert (webhook.folder / "token").read_text().strip() not in one.text()


def test_config_maps_work_where_the_kind_is_not_installed(clean):
    """For people without rights to install it. Once it is there, Topologies work without more."""
    plane = clean.plane
    plane.kubectl("delete", "crd", "topologies.millrace.io", "--timeout=60s")
    try:
        for one in clean.cluster.coordinators:  # who led has listed them
            one.stop()
        for one in clean.cluster.coordinators:
            one.start()
        clean.cluster.server()
        clean.apply(config_map(topology("from-a-map")))
        wait_until(lambda: annotation_of(clean, "state") == "Running", 120, 0.2, "the topology")
        said = "".join(one.text() for one in clean.cluster.coordinators)
        assert "their definition is not installed" in said
    finally:
        plane.kubectl("apply", "-f", ROOT / "deploy" / "k8s" / "base" / "crd.yaml")
        plane.kubectl("wait", "--for=condition=Established", "--timeout=30s",
                      "crd/topologies.millrace.io")
    clean.apply(topology())
    clean.await_ready("sensors")


def test_a_secret_that_was_emptied_or_deleted_is_filled_anew(webhook):
    """As docs/OPERATIONS.md has it: the leader may fill the Secret and not make one."""
    step, = re.findall(r"`kubectl (patch secret millrace-admission .*?)`",
                       (ROOT / "docs" / "OPERATIONS.md").read_text())

    def authority():
        text = webhook.kubectl("get", "secret", "millrace-admission", "-o", "json", check=False)
        return (json.loads(text).get("data") or {}).get("ca.crt") if text.startswith("{") else None

    def trusted():
        return webhook.plane.kubectl("get", "validatingwebhookconfiguration", WEBHOOK, "-o",
                                     "jsonpath={.webhooks[0].clientConfig.caBundle}").strip()

    def await_another(before):
        wait_until(lambda: authority() not in (None, before) and authority() == trusted(), 60, 0.5,
                   "another authority")
        wait_until(lambda: webhook.kubectl("apply", "--dry-run=server", "-f", "-", check=False,
                                           text=topology("probe")).startswith("topology"),
                   30, 0.5, "the webhook's answer")

    before = authority()
    webhook.kubectl(*shlex.split(step))
    await_another(before)
    before = authority()
    webhook.kubectl("delete", "secret", "millrace-admission")
    wait_until(lambda: any("secrets" in one.text() and "forbidden" in one.text()
                           for one in webhook.cluster.coordinators), 30, 0.5, "the refusal")
    webhook.plane.kubectl("apply", "-f", "-", text=yaml.safe_dump(empty_secret()))
    await_another(before)
