"""What pods may do, what they are given, and how they are asked and ended."""

import re
import subprocess

import pytest

from manifests import BUILD, ROOT, VARIANTS, documents, find, helm_template, own, pods

PROGRAMS = {"coordinator": "millrace-coordinator", "worker": "millrace-worker"}
EVERY = [pytest.param(variant, id=variant) for variant in VARIANTS]


def seconds(text):
    """A duration of the programs, as seconds."""
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)(ms|s|m|h)", text))


def environment(container):
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container["env"]}


def own_pods(variant):
    return {labels["app.kubernetes.io/component"]: spec for _, _, spec, labels in pods(variant)
            if labels["app.kubernetes.io/component"] in PROGRAMS}


def all_specs(variant):
    specs = [spec for _, _, spec, _ in pods(variant)]
    if variant == "base":
        specs += [document["spec"] for document in documents(helm_template().stdout)
                  if document["kind"] == "Pod"]
    return specs


@pytest.mark.parametrize("variant", EVERY)
def test_pods_have_no_privileges(variant):
    for spec in all_specs(variant):
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] >= 1000 and security["runAsGroup"] >= 1000
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not any(spec.get(host) for host in ("hostNetwork", "hostPID", "hostIPC"))
        assert "initContainers" not in spec
        assert all(set(volume) - {"name"} <= {"emptyDir", "secret", "configMap"}
                   for volume in spec.get("volumes", []))
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "privileged": False,
                "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
            assert not any("hostPort" in port for port in container.get("ports", []))


@pytest.mark.parametrize("variant", EVERY)
def test_pods_state_what_they_take(variant):
    for spec in all_specs(variant):
        for container in spec["containers"]:
            resources = container["resources"]
            assert {"cpu", "memory"} <= set(resources["requests"])
            assert "memory" in resources["limits"]
        for volume in spec.get("volumes", []):
            assert "emptyDir" not in volume or "sizeLimit" in volume["emptyDir"]
    worker = own_pods(variant)["worker"]["containers"][0]
    limits, names = worker["resources"]["limits"], environment(worker)
    # The program takes its memory and its threads from these limits.
    assert {"cpu", "memory"} <= set(limits)
    assert not {"MILLRACE_MEMORY", "MILLRACE_THREADS"} & set(names)
    assert worker["resources"]["requests"]["memory"] == limits["memory"]


def test_the_webhook_s_names_agree():
    names = environment(own_pods("base")["coordinator"]["containers"][0])
    hook, = find("base", "ValidatingWebhookConfiguration", "millrace-millrace")["webhooks"]
    service = hook["clientConfig"]["service"]
    assert names["MILLRACE_KUBERNETES_ADMISSION_WEBHOOK"] == "millrace-millrace"
    assert names["MILLRACE_KUBERNETES_ADMISSION_SERVICE"] == service["name"]
    assert find("base", "Secret", names["MILLRACE_KUBERNETES_ADMISSION_SECRET"])
    target, = [port["targetPort"] for port in find("base", "Service", service["name"])["spec"][
        "ports"] if port["port"] == service["port"]]
    ports = {port["name"]: port["containerPort"]
             for port in own_pods("base")["coordinator"]["containers"][0]["ports"]}
    assert names["MILLRACE_KUBERNETES_ADMISSION"] == f"0.0.0.0:{ports[target]}"
    assert names["MILLRACE_KUBERNETES_TOPOLOGIES"] == "true"


@pytest.mark.parametrize("variant", EVERY)
def test_the_set_that_is_scaled_is_the_workers(variant):
    names = environment(own_pods(variant)["coordinator"]["containers"][0])
    assert names["MILLRACE_WORKERS_SET"] == "millrace-worker"
    assert find(variant, "StatefulSet", names["MILLRACE_WORKERS_SET"])


@pytest.mark.parametrize("variant", EVERY)
def test_only_coordinators_are_known_to_the_api_server(variant):
    specs = own_pods(variant)
    assert specs["coordinator"]["automountServiceAccountToken"] is True
    assert specs["worker"]["automountServiceAccountToken"] is False
    for spec in all_specs(variant):
        if spec is not specs["coordinator"]:
            assert spec["automountServiceAccountToken"] is False
    accounts = [document for document in own(variant) if document["kind"] == "ServiceAccount"]
    assert len(accounts) == 2
    assert all(account["automountServiceAccountToken"] is False for account in accounts)
    bound = [subject["name"] for document in own(variant) if document["kind"].endswith("Binding")
             for subject in document["subjects"]]
    assert set(bound) == {"millrace-coordinator"}


def test_rights_are_the_least():
    rules = (find("base", "Role", "millrace-coordinator")["rules"]
             + find("base", "ClusterRole", "millrace-millrace-webhook")["rules"])
    given = {(group, resource): (set(rule["verbs"]), rule.get("resourceNames"))
             for rule in rules for group in rule["apiGroups"] for resource in rule["resources"]}
    assert not any("*" in key or "*" in verbs for key, (verbs, _) in given.items())
    assert given["", "secrets"] == ({"get", "patch"}, ["millrace-admission"])
    assert given["millrace.io", "topologies"] == ({"list", "watch", "patch"}, None)
    assert given["millrace.io", "topologies/status"] == ({"patch"}, None)
    assert given["", "configmaps"] == ({"get", "list", "watch", "patch"}, None)
    assert given["apps", "statefulsets"] == ({"get"}, ["millrace-worker"])
    webhook = given["admissionregistration.k8s.io", "validatingwebhookconfigurations"]
    assert webhook == ({"get", "patch"}, ["millrace-millrace"])
    assert not any({"create", "update", "delete", "deletecollection", "bind", "escalate"} & verbs
                   for verbs, _ in given.values())


@pytest.mark.parametrize("variant", EVERY)
def test_probes_ask_what_the_programs_answer(variant):
    scheme = "HTTPS" if variant == "tls" else "HTTP"
    for spec in own_pods(variant).values():
        container = spec["containers"][0]
        paths = {kind: container[kind + "Probe"]["httpGet"]["path"]
                 for kind in ("startup", "readiness", "liveness")}
        assert paths == {"startup": "/healthz", "readiness": "/readyz", "liveness": "/healthz"}
        for kind in paths:
            assert container[kind + "Probe"]["httpGet"]["scheme"] == scheme
            assert container[kind + "Probe"]["httpGet"]["port"] == "http"
        port = environment(container)["MILLRACE_HTTP"].rsplit(":", 1)[1]
        assert {"name": "http", "containerPort": int(port)} in container["ports"]
        # A probe carries no certificate.
        assert "MILLRACE_HTTP_CLIENT_AUTHORITY" not in environment(container)


@pytest.mark.parametrize("variant", EVERY)
def test_probes_are_those_that_the_documentation_names(variant):
    probes = {name: {kind: spec["containers"][0][kind + "Probe"]
                     for kind in ("startup", "readiness", "liveness")}
              for name, spec in own_pods(variant).items()}
    worker, coordinator = probes["worker"], probes["coordinator"]
    for kind in ("readiness", "liveness"):
        assert worker[kind] == coordinator[kind]
    assert worker["startup"]["periodSeconds"] == coordinator["startup"]["periodSeconds"]

    def of(kind):
        return (f"{kind} every {worker[kind]['periodSeconds']} s, "
                f"{worker[kind]['failureThreshold']} failures")
    text = " ".join((ROOT / "docs" / "OPERATIONS.md").read_text().split())
    assert (f"{of('startup')} for a worker and {coordinator['startup']['failureThreshold']} for a "
            "coordinator; "
            f"{of('liveness')} of {worker['liveness']['timeoutSeconds']} s; "
            f"{of('readiness')} of {worker['readiness']['timeoutSeconds']} s.") in text


@pytest.mark.parametrize("variant", EVERY)
def test_pods_are_given_the_time_to_end(variant):
    specs = own_pods(variant)
    worker, coordinator = specs["worker"], specs["coordinator"]
    names = environment(worker["containers"][0])
    stop, drain = (seconds(names[f"MILLRACE_{kind}_DEADLINE"]) for kind in ("STOP", "DRAIN"))
    grace = seconds(environment(coordinator["containers"][0])["MILLRACE_GRACE"])
    # 5 s: the question whether it comes back, and closing. SIGTERM does all of it.
    assert drain + stop + 5 < worker["terminationGracePeriodSeconds"]
    assert "lifecycle" not in worker["containers"][0]
    # Tasks wait for a pod of an update at least as long as it may take to end and begin.
    assert grace >= stop + 60
    assert coordinator["terminationGracePeriodSeconds"] >= 20


def help_of(program, *command):
    path = BUILD / "bin" / program
    if not path.exists():
        pytest.skip(f"skipped: {path} is not built")
    return subprocess.run([path, *command, "--help"], capture_output=True, text=True,
                          check=True).stdout


def variables(program):
    """Names that `PROGRAM --help` says it reads."""
    return set(re.findall(r"\[(MILLRACE_\w+)\]", help_of(program)))


def command_line_variables():
    """Names that `millrace list --help` says it reads: where coordinators are, and how to ask."""
    return set(re.findall(r"MILLRACE_\w+", help_of("millrace", "list")))


@pytest.mark.parametrize("variant", EVERY)
def test_the_programs_read_every_variable(variant):
    shared = set(find(variant, "ConfigMap", "millrace")["data"])
    for component, spec in own_pods(variant).items():
        container = spec["containers"][0]
        names = {name for name in environment(container) if name.startswith("MILLRACE_")} | shared
        names |= set(re.findall(r"MILLRACE_\w+", " ".join(container["args"])))
        known = variables(PROGRAMS[component])
        if component == "coordinator":  # `kubectl exec` runs the command line in it
            known |= command_line_variables()
        assert not names - known
        assert PROGRAMS[component] in " ".join(container["args"])
        # $(NAME) is only replaced by a variable that stands before it.
        seen = set()
        for item in container["env"]:
            assert set(re.findall(r"\$\((\w+)\)", item.get("value", ""))) <= seen
            seen.add(item["name"])


@pytest.mark.parametrize("variant", EVERY)
def test_the_command_line_in_a_coordinator_s_pod_needs_no_options(variant):
    """It is told a scheme and a name that certificates are for, whom to trust, and the token."""
    container = own_pods(variant)["coordinator"]["containers"][0]
    names = environment(container)
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    scheme = "https" if variant == "tls" else "http"
    assert names["MILLRACE_SERVER"] == f"{scheme}://millrace-coordinator.$(NAMESPACE).svc:8080"
    assert ("MILLRACE_CA_FILE" in names) == ("tls" in mounts)
    assert names.get("MILLRACE_CA_FILE") == names.get("MILLRACE_HTTP_AUTHORITY")
    assert ("MILLRACE_TOKEN_FILE" in names) == ("token" in mounts)
    assert names.get("MILLRACE_TOKEN_FILE") == names.get("MILLRACE_HTTP_TOKEN_FILE")


@pytest.mark.parametrize("variant", EVERY)
def test_the_image_s_entry_point_is_the_first_process(variant):
    """tini, which takes the program from `args`; a `command` would take its place."""
    text = (ROOT / "deploy" / "image" / "Dockerfile").read_text()
    assert text.count("ENTRYPOINT") == 1 and 'ENTRYPOINT ["/usr/bin/tini", "--"]' in text
    images = {container["image"]: "command" in container for spec in all_specs(variant)
              for container in spec["containers"] if "kafka" not in container["image"]}
    assert images == {"millrace:0.1.0": False}


@pytest.mark.parametrize("variant", EVERY)
def test_workers_have_names_and_disks_of_their_own(variant):
    workers = find(variant, "StatefulSet", "millrace-worker")["spec"]
    assert workers["podManagementPolicy"] == "Parallel"
    assert workers["updateStrategy"]["type"] == "RollingUpdate"
    assert workers["persistentVolumeClaimRetentionPolicy"] == {
        "whenDeleted": "Retain", "whenScaled": "Retain"}
    assert ("replicas" in workers) == (variant not in ("production-hpa", "production-keda"))
    container = workers["template"]["spec"]["containers"][0]
    names = environment(container)
    assert names["MILLRACE_NAME"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert names["MILLRACE_STATE_DIR"].startswith(mounts["state"] + "/")
    assert [claim["metadata"]["name"] for claim in workers["volumeClaimTemplates"]] == ["state"]
    service = find(variant, "Service", workers["serviceName"])["spec"]
    assert service["clusterIP"] == "None" and service["publishNotReadyAddresses"] is True
    keys = {spread["topologyKey"]
            for spread in workers["template"]["spec"]["topologySpreadConstraints"]}
    assert keys == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}


@pytest.mark.parametrize("variant", EVERY)
def test_coordinators_stand_apart(variant):
    deployment = find(variant, "Deployment", "millrace-coordinator")["spec"]
    terms = deployment["template"]["spec"]["affinity"]["podAntiAffinity"][
        "preferredDuringSchedulingIgnoredDuringExecution"]
    assert terms[0]["podAffinityTerm"]["topologyKey"] == "topology.kubernetes.io/zone"
    assert terms[0]["podAffinityTerm"]["labelSelector"] == deployment["selector"]
    budgets = {document["metadata"]["name"]: document["spec"] for document in own(variant)
               if document["kind"] == "PodDisruptionBudget"}
    assert ("millrace-coordinator" in budgets) == (deployment["replicas"] > 1)
    assert budgets["millrace-worker"]["maxUnavailable"] == 1


def test_secrets_are_named_and_never_held():
    for variant in VARIANTS:
        made, = [document for document in own(variant) if document["kind"] == "Secret"]
        assert set(made) == {"apiVersion", "kind", "metadata", "type"}
        assert made["metadata"]["name"] == "millrace-admission"
    secrets = {volume["secret"]["secretName"] for spec in own_pods("tls").values()
               for volume in spec["volumes"] if "secret" in volume}
    assert secrets == {"millrace-kafka", "millrace-kafka-tls", "millrace-token",
                       "millrace-coordinator-tls", "millrace-worker-tls"}


@pytest.mark.parametrize("variant", EVERY)
def test_what_is_named_is_there(variant):
    """Selectors find pods, ports have names, mounts have volumes, configuration exists."""
    labels = [labels for _, _, _, labels in pods(variant)]
    names = {(document["kind"], document["metadata"]["name"]) for document in own(variant)}
    for document in own(variant):
        if document["kind"] in ("Service", "PodDisruptionBudget"):
            selector = document["spec"]["selector"]
            selector = selector.get("matchLabels", selector)
            assert any(selector.items() <= each.items() for each in labels), document["metadata"]
    for kind, name, spec, _ in pods(variant):
        container = spec["containers"][0]
        claims = find(variant, kind, name)["spec"].get("volumeClaimTemplates", [])
        volumes = {volume["name"] for volume in spec["volumes"]}
        volumes |= {claim["metadata"]["name"] for claim in claims}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
        ports = [port["name"] for port in container["ports"]]
        assert len(set(ports)) == len(ports)
        for source in container.get("envFrom", []):
            assert ("ConfigMap", source["configMapRef"]["name"]) in names
