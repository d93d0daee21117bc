"""deploy/k8s/overlays/tls with real processes: certificates for the names that its README states,
a token, and the admission webhook with the certificate that the leader makes."""

import base64
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import yaml
from cluster import wait_until
from millrace import ROOT

NAMESPACE = "sealed"
TOKEN = "a-token-of-the-test"
FOREIGN = ("PodMonitor", "PrometheusRule")
NAMES = {
    "coordinator": ["millrace-coordinator.sealed.svc", "*.millrace-coordinators.sealed.svc"],
    "worker": ["*.millrace-worker.sealed.svc"],
}
TOPOLOGY = """
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {name: scores, namespace: sealed}
spec:
  sources: [{name: readings, type: kafka, topic: @TOPIC@, key: [sensor]}]
  operators: [{name: score, type: @TYPE@, from: readings, key: [sensor], field: value}]
  sinks: [{name: out, type: kafka, from: score, topic: @TOPIC@, key: [sensor]}]
"""


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def certificates(folder):
    """Secret's name -> its files: one authority, and a certificate for each component."""
    curve = ("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out")
    openssl(folder, *curve, "authority.key")
    openssl(folder, "req", "-x509", "-new", "-key", "authority.key", "-sha256", "-days", "2",
            "-subj", "/CN=authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
            "-out", "ca.crt")
    made = {}
    for component, names in NAMES.items():
        openssl(folder, *curve, f"{component}.key")
        openssl(folder, "req", "-new", "-key", f"{component}.key", "-subj", f"/CN={component}",
                "-out", "request")
        (folder / "names").write_text(
            "subjectAltName=" + ",".join(f"DNS:{name}" for name in names))
        openssl(folder, "x509", "-req", "-in", "request", "-CA", "ca.crt", "-CAkey",
                "authority.key", "-CAcreateserial", "-sha256", "-days", "2", "-extfile", "names",
                "-out", f"{component}.crt")
        made[f"millrace-{component}-tls"] = {
            "tls.crt": (folder / f"{component}.crt").read_bytes(),
            "tls.key": (folder / f"{component}.key").read_bytes(),
            "ca.crt": (folder / "ca.crt").read_bytes()}
    return made


def secret(name, files):
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "data": {key: base64.b64encode(value).decode() for key, value in files.items()}}


def moved(text):
    """Manifests of the namespace millrace, for this one: other tests have that."""
    text = re.sub(r"(namespace|kubernetes.io/metadata.name): millrace$", rf"\1: {NAMESPACE}", text,
                  flags=re.M)
    return text.replace("millrace-millrace", f"millrace-{NAMESPACE}")


def objects(plane, brokers):
    """The overlay for this broker, with one worker, and without what needs more definitions."""
    built = moved(plane.kubectl("kustomize", ROOT / "deploy" / "k8s" / "overlays" / "tls"))
    for found in yaml.safe_load_all(built):
        if found["kind"] == "ConfigMap" and found["metadata"]["name"] == "millrace":
            found["data"]["MILLRACE_BROKERS"] = brokers
        if found["kind"] == "StatefulSet":
            found["spec"]["replicas"] = 1
        if found["kind"] not in FOREIGN:
            yield found


@pytest.fixture(scope="module")
def sealed(plane, kafka, tmp_path_factory):
    from conftest import make_runner
    files = Path(tempfile.mkdtemp(prefix="millrace-tls-"))
    runner = make_runner(plane, NAMESPACE, tmp_path_factory.mktemp("tls"))
    secrets = [secret(name, content) for name, content in certificates(files).items()]
    secrets += [secret("millrace-token", {"token": TOKEN.encode()}),
                secret("millrace-kafka", {"client.properties": b"security.protocol=plaintext\n"}),
                secret("millrace-kafka-tls", {"ca.crt": b""})]
    space = (ROOT / "deploy" / "k8s" / "namespace.yaml").read_text()
    plane.kubectl("apply", "-f", "-", text=space.replace("name: millrace", f"name: {NAMESPACE}"))
    plane.kubectl("apply", "-f", "-", text=yaml.safe_dump_all(
        [*secrets, *objects(plane, kafka.brokers)]))
    try:
        runner.start()
        yield runner, files
    finally:
        runner.stop()
        print(runner.logs())
        shutil.rmtree(files, ignore_errors=True)


def ask(sealed, *words, token="/etc/millrace/token/token", name="millrace-coordinator"):
    """`millrace WORDS` in a worker's pod, over the client Service: (exit code, what it says)."""
    runner, files = sealed
    pod = runner.pod("millrace-worker-0")
    if pod is None:
        raise ConnectionError("there is no worker's pod yet")
    server = {"MILLRACE_SERVER": f"https://{name}.{NAMESPACE}.svc:8080",
              "MILLRACE_CA_FILE": "/etc/millrace/tls/ca.crt", "MILLRACE_TOKEN_FILE": token,
              "PATH": "/opt/millrace:/usr/bin:/bin"}
    with open(files / "said", "w+", encoding="utf-8") as said:
        code = pod.sandbox.start(["millrace", *words], server, said).wait(60)
        said.seek(0)
        return code, said.read()


def test_workers_join_over_certificates(sealed):
    """The worker finds the leader by its pod's name, whichever coordinator it asks first."""
    wait_until(lambda: '"present"' in ask(sealed, "workers", "-o", "json")[1], 180, 1,
               "the worker")
    for _ in range(4):  # whichever coordinator answers: one that follows names the leader
        wait_until(lambda: ask(sealed, "list")[0] == 0, 60, 0.5, "an answer by HTTPS")
    told = wait_until(lambda: refused(sealed), 60, 0.5, "the refusal of a wrong token")
    assert "token" in told, told


def test_the_command_line_in_every_coordinator_s_pod_needs_no_options(sealed):
    """As docs/OPERATIONS.md has it for `kubectl exec`: with the token and the authority that the
    pod's variables name, by names that certificates are for."""
    pods = [sealed[0].pod(name) for name in sorted(one.name for one in sealed[0].pods.values())
            if name.startswith("millrace-coordinator-")]
    assert len(pods) == 2
    for pod in pods:
        wait_until(lambda one=pod: one.execute("millrace", "list")[0] == 0, 60, 0.5,
                   f"an answer to {pod.name}")
        code, said = pod.execute("millrace", "workers", "-o", "json")
        assert code == 0 and '"present"' in said, said


def refused(sealed):
    code, text = ask(sealed, "list", token="/etc/millrace/kafka/client.properties")
    return text if code == 1 else None


def test_pods_get_ready_over_https(plane, sealed):
    assert sealed
    for kind in ("deployment/millrace-coordinator", "statefulset/millrace-worker"):
        plane.kubectl("--namespace", NAMESPACE, "rollout", "status", kind, "--timeout=120s")


def test_the_webhook_answers_with_the_certificate_that_the_leader_made(plane, sealed):
    assert sealed

    def bundle():
        found = json.loads(plane.kubectl("get", "-o", "json", "validatingwebhookconfiguration",
                                         f"millrace-{NAMESPACE}"))
        return found["webhooks"][0]["clientConfig"].get("caBundle")
    made = wait_until(bundle, 120, 0.5, "the authority in the webhook")
    held = json.loads(plane.kubectl("--namespace", NAMESPACE, "get", "-o", "json", "secret",
                                    "millrace-admission"))["data"]
    assert set(held) == {"ca.crt", "ca.key", "tls.crt", "tls.key"} and held["ca.crt"] == made
    wrong = TOPOLOGY.replace("@TYPE@", "detect.zscor").replace("@TOPIC@", "readings")
    right = TOPOLOGY.replace("@TYPE@", "detect.zscore").replace("@TOPIC@", "readings")
    said = wait_until(lambda: refusal(plane, wrong), 60, 1, "the refusal")
    assert "detect.zscore" in said and "operators" in said, said
    plane.kubectl("apply", "--dry-run=server", "-f", "-", text=right)


def refusal(plane, text):
    """What the webhook says of a topology; None while it is not reached."""
    said = plane.kubectl("apply", "--dry-run=server", "-f", "-", text=text, check=False)
    return said if "denied the request" in said else None
