"""The chart is the one source: the base is made of it, and every overlay equals a profile of it."""

import json

import pytest
import yaml

from manifests import (CHART, DEPLOY, VARIANTS, by_identity, documents, generator, helm_template,
                       kustomized, run, templated, tool)


def test_generated_files_are_what_the_chart_renders():
    for path, text in generator().generate(tool("helm")).items():
        assert (DEPLOY / path).read_text() == text, f"{path}: run deploy/k8s/generate"


@pytest.mark.parametrize("variant", VARIANTS)
def test_kustomize_and_helm_agree(variant):
    built = by_identity(kustomized(variant))
    rendered = by_identity(templated(variant))
    assert sorted(built, key=str) == sorted(rendered, key=str)
    for identity, document in built.items():
        assert document == rendered[identity], identity


def test_agreement_can_fail():
    done = helm_template("--skip-tests", "--include-crds", "--set=worker.stopDeadline=61s")
    assert by_identity(done.stdout) != by_identity(kustomized("base"))


def test_the_base_is_all_that_its_folder_holds():
    listed = yaml.safe_load((DEPLOY / "base" / "kustomization.yaml").read_text())["resources"]
    files = {path.name for path in (DEPLOY / "base").glob("*.yaml")} - {"kustomization.yaml"}
    assert set(listed) == files
    copy = CHART / "crds" / "topologies.yaml"
    assert copy.read_text() == (DEPLOY / "base" / "crd.yaml").read_text()


def test_lint():
    for profiles in ([], *(profiles for _, profiles in VARIANTS.values())):
        values = [f"--values={CHART}/profiles/{name}.yaml" for name in profiles]
        done = run(tool("helm"), "lint", "--strict", str(CHART), *values)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("setting, said", [
    ("worker.replica=2", "replica is not allowed"),
    ("worker.replicas=-1", "greater than or equal to 0"),
    ("worker.stopDeadline=30x", "pattern"),
    ("worker.environment.PATH=x", "pattern"),
    ("kafka.brokers=kafka", "pattern"),
    ("image.digest=sha256:12", "pattern"),
    ("coordinator.resources.limits.memory=1GB", "pattern"),
    ("autoscaling.mode=keda", "at least 1 items"),
    ("networkPolicy.apiServerPorts={0}", "greater than or equal to 1"),
    ("websocket.connections=1001", "less than or equal to 1000"),
    ("websocket.enabled=true", "needs tls.enabled and token.secret"),
])
def test_wrong_values_are_refused(setting, said):
    done = helm_template(f"--set={setting}")
    assert done.returncode != 0 and said in done.stderr, done.stderr


def test_releases_of_other_names_share_nothing_of_the_cluster():
    done = run(tool("helm"), "template", "second", str(CHART), "--namespace=other",
               "--kube-version=1.30.0")
    assert done.returncode == 0, done.stderr
    first = {key for key in by_identity(templated("base")) if key[0] != "CustomResourceDefinition"}
    second = by_identity(done.stdout)
    assert not first & set(second)
    hook = [document for document in documents(done.stdout) if document["kind"] == "Pod"]
    assert len(hook) == 1 and hook[0]["metadata"]["annotations"]["helm.sh/hook"] == "test"
    account = second["ServiceAccount", "other", "second-millrace-worker"]
    assert account["automountServiceAccountToken"] is False


def test_options_of_the_chart_reach_the_pods():
    done = helm_template(
        "--set=image.digest=sha256:" + "a" * 64, "--set=image.pullSecrets={registry}",
        "--set=worker.environment.MILLRACE_THREADS=3", "--set=worker.nodeSelector.disk=fast",
        "--set=coordinator.priorityClassName=high", "--set=networkPolicy.enabled=false",
        "--set=topologies.webhook=false", "--set=topologies.deploy=false",
        "--set=worker.storage.className=local")
    assert done.returncode == 0, done.stderr
    found = by_identity(done.stdout)
    kinds = {identity[0] for identity in found}
    assert not kinds & {"NetworkPolicy", "ValidatingWebhookConfiguration", "ClusterRole"}
    rules = found["Role", "millrace", "millrace-coordinator"]["rules"]
    assert [rule["resources"] for rule in rules] == [["statefulsets"]]
    workers = found["StatefulSet", "millrace", "millrace-worker"]["spec"]
    pod = workers["template"]["spec"]
    container = pod["containers"][0]
    assert container["image"] == "millrace@sha256:" + "a" * 64
    assert {"name": "MILLRACE_THREADS", "value": "3"} in container["env"]
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["nodeSelector"] == {"disk": "fast"}
    assert workers["volumeClaimTemplates"][0]["spec"]["storageClassName"] == "local"
    coordinators = found["Deployment", "millrace", "millrace-coordinator"]["spec"]["template"]
    assert coordinators["spec"]["priorityClassName"] == "high"


def test_without_objects_config_maps_are_left():
    done = helm_template("--skip-tests", "--set=topologies.objects=false")
    assert done.returncode == 0, done.stderr
    found = by_identity(done.stdout)
    assert not {identity[0] for identity in found} & {
        "ValidatingWebhookConfiguration", "ClusterRole", "ClusterRoleBinding", "Secret"}
    rules = found["Role", "millrace", "millrace-coordinator"]["rules"]
    assert [rule["resources"] for rule in rules] == [["configmaps"], ["statefulsets"]]
    coordinators = found["Deployment", "millrace", "millrace-coordinator"]["spec"]["template"]
    known = {item["name"]: item.get("value")
             for item in coordinators["spec"]["containers"][0]["env"]}
    assert known["MILLRACE_KUBERNETES_TOPOLOGIES"] == "true"


@pytest.mark.parametrize("webhook", ["true", "false"])
def test_without_topologies_as_objects_nothing_of_the_webhook_is_left(webhook):
    """It would refuse every topology, where no coordinator answers it."""
    done = helm_template("--skip-tests", "--set=topologies.deploy=false",
                         f"--set=topologies.webhook={webhook}")
    assert done.returncode == 0, done.stderr
    found = by_identity(done.stdout)
    assert not {identity[0] for identity in found} & {
        "ValidatingWebhookConfiguration", "ClusterRole", "ClusterRoleBinding", "Secret"}
    rules = found["Role", "millrace", "millrace-coordinator"]["rules"]
    assert [rule["resources"] for rule in rules] == [["statefulsets"]]
    assert "MILLRACE_KUBERNETES_ADMISSION" not in done.stdout and "9443" not in done.stdout
    ports = found["Service", "millrace", "millrace-coordinator"]["spec"]["ports"]
    assert {port["port"] for port in ports} == {7070, 8080}


@pytest.mark.parametrize("words, count", [
    ([], 2), (["--set=worker.replicas=11"], 11), (["--set=worker.replicas=0"], 0),
    (["--set=autoscaling.mode=hpa", "--set=autoscaling.minimum=4"], 4),
])
def test_helm_s_test_asks_for_every_worker_that_there_must_be(words, count, tmp_path):
    """The test's own shell lines, with an answer in which one worker after the other is there."""
    done = helm_template("--show-only=templates/tests/cluster.yaml", *words)
    assert done.returncode == 0, done.stderr
    script = documents(done.stdout)[0]["spec"]["containers"][0]["args"][-1]

    def said(present):
        workers = [{"zone": None, "name": f"millrace-worker-{number}",
                    "state": "present" if number < present else "gone"} for number in range(12)]
        answer = json.dumps({"workers": workers}, indent=2)
        return run("sh", "-ec", "millrace() { cat <<'END'\n" + answer + "\nEND\n}\n"
                   + script.replace("/tmp/", f"{tmp_path}/"))
    assert said(count).returncode == 0, said(count).stdout
    if count > 0:
        missing = said(count - 1)
        assert missing.returncode == 1
        assert missing.stdout == f"worker millrace-worker-{count - 1} has not joined\n"


def test_generators_over_websocket_have_a_port():
    values = [f"--values={CHART}/profiles/{name}.yaml" for name in ("production", "tls")]
    done = helm_template(*values, "--set=websocket.enabled=true", "--set=websocket.connections=7")
    assert done.returncode == 0, done.stderr
    found = by_identity(done.stdout)
    pod = found["Deployment", "millrace", "millrace-coordinator"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    known = {item["name"]: item.get("value") for item in container["env"]}
    assert known["MILLRACE_WEBSOCKET"] == "0.0.0.0:8765"
    assert known["MILLRACE_WEBSOCKET_CONNECTIONS"] == "7"
    assert "MILLRACE_HTTP_TOKEN_FILE" in known and "MILLRACE_HTTP_CERTIFICATE" in known
    assert {"name": "websocket", "containerPort": 8765} in container["ports"]
    ports = found["Service", "millrace", "millrace-coordinator"]["spec"]["ports"]
    assert {"name": "websocket", "port": 8765, "targetPort": "websocket"} in ports
