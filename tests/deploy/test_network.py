"""Reads the network policies: each port that listens is open to whom needs it, and to nobody else.

A small model of what Kubernetes defines: a pod that a policy selects for a direction may do in it
only what some policy that selects it allows; ports of a rule without peers are open to all.
"""

import itertools

import pytest

from manifests import CHART, documents, find, helm_template, own, pods

OWN = {"app.kubernetes.io/name": "millrace", "app.kubernetes.io/instance": "millrace"}
NAMESPACES = {"millrace", "monitoring", "kube-system", "other"}


def pod(namespace, **labels):
    return {"namespace": namespace, "labels": labels}


def millrace(component, namespace="millrace", **more):
    return pod(namespace, **{**OWN, "app.kubernetes.io/component": component, **more})


PODS = {
    "coordinator": millrace("coordinator"),
    "worker": millrace("worker"),
    "kafka": millrace("kafka"),
    "client": pod("millrace", **{"millrace.io/client": "true"}),
    "neighbour": pod("millrace", app="web"),
    "prometheus": pod("monitoring", **{"app.kubernetes.io/name": "prometheus"}),
    "grafana": pod("monitoring", **{"app.kubernetes.io/name": "grafana"}),
    "names": pod("kube-system", **{"k8s-app": "kube-dns"}),
    "stranger": pod("other", **{"app.kubernetes.io/name": "prometheus"}),
    "imitator": millrace("worker", namespace="other"),
    "client elsewhere": pod("other", **{"millrace.io/client": "true"}),
    "outside": None,
}


def selects(selector, labels):
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    for term in selector.get("matchExpressions", []):
        assert term["operator"] == "In"
        if labels.get(term["key"]) not in term["values"]:
            return False
    return True


def is_peer(peer, other, home):
    """Whether a policy's peer means another pod; home: the policy's namespace."""
    if other is None or "ipBlock" in peer:
        return False
    if "namespaceSelector" in peer:
        names = {"kubernetes.io/metadata.name": other["namespace"]}
        if not selects(peer["namespaceSelector"], names):
            return False
    elif other["namespace"] != home:
        return False
    return selects(peer.get("podSelector", {}), other["labels"])


def allows(policies, direction, subject, other, port, protocol):
    """Whether the subject's own policies let this pass. direction: Ingress or Egress."""
    if subject is None:
        return True
    applied = [policy for policy in policies
               if policy["metadata"]["namespace"] == subject["namespace"]
               and direction in policy["spec"]["policyTypes"]
               and selects(policy["spec"]["podSelector"], subject["labels"])]
    if not applied:
        return True
    key = "from" if direction == "Ingress" else "to"
    for policy in applied:
        for rule in policy["spec"].get(direction.lower(), []):
            home = policy["metadata"]["namespace"]
            if key in rule and not any(is_peer(peer, other, home) for peer in rule[key]):
                continue
            if "ports" not in rule or {"protocol": protocol, "port": port} in rule["ports"]:
                return True
    return False


def policies_of(found):
    return [document for document in found if document["kind"] == "NetworkPolicy"]


def passes(variant, source, target, port, protocol="TCP"):
    return let_through(policies_of(own(variant)), source, target, port, protocol)


def let_through(policies, source, target, port, protocol="TCP"):
    return (allows(policies, "Egress", PODS[source], PODS[target], port, protocol)
            and allows(policies, "Ingress", PODS[target], PODS[source], port, protocol))


# Who may ask whom at which port. Whatever is not here must not pass.
ALLOWED = {
    ("worker", "coordinator", 7070),
    ("client", "coordinator", 8080),
    ("coordinator", "coordinator", 8080),  # to the leader: the command line in a pod that follows
    ("prometheus", "coordinator", 8080),
    ("coordinator", "worker", 8081),
    ("prometheus", "worker", 8081),
}
# The webhook's port is the API server's, which has no labels; any address may reach it.
WEBHOOK = 9443


@pytest.mark.parametrize("variant", ["base", "dev", "production", "tls"])
def test_only_who_must_reaches_a_port_that_listens(variant):
    for source, target in itertools.product(PODS, ("coordinator", "worker")):
        for port in (7070, 8080, 8081, 8765, 22, 80):
            expected = (source, target, port) in ALLOWED
            assert passes(variant, source, target, port) == expected, (source, target, port)
        if PODS[source] is None or OWN.items() - PODS[source]["labels"].items():
            wanted = target == "coordinator"
            assert passes(variant, source, target, WEBHOOK) == wanted, (source, target)


@pytest.mark.parametrize("variant", ["base", "production", "tls"])
def test_where_pods_may_go(variant):
    kafka = 9092 if variant == "base" else 9093
    for source in ("coordinator", "worker"):
        assert passes(variant, source, "outside", kafka)
        assert passes(variant, source, "names", 53) and passes(variant, source, "names", 53, "UDP")
        assert not passes(variant, source, "neighbour", 53, "UDP")
        for port in (22, 80, 8080, 2379, 10250, 9092 + 9093 - kafka):
            assert not passes(variant, source, "outside", port), (source, port)
        assert passes(variant, source, "outside", 6443) == (source == "coordinator")
        assert passes(variant, source, "outside", 443) == (source == "coordinator")


def test_generators_over_websocket_are_for_clients():
    done = helm_template(f"--values={CHART}/profiles/production.yaml",
                         f"--values={CHART}/profiles/tls.yaml", "--set=websocket.enabled=true")
    assert done.returncode == 0, done.stderr
    policies = policies_of(documents(done.stdout))
    more = {("client", "coordinator", 8765)}
    for source, target in itertools.product(PODS, ("coordinator", "worker")):
        for port in (7070, 8080, 8081, 8765, 22):
            expected = (source, target, port) in ALLOWED | more
            assert let_through(policies, source, target, port) == expected, (source, target, port)


def test_the_kafka_of_dev_is_for_millrace():
    for source in PODS:
        if source != "kafka":
            expected = source in ("coordinator", "worker", "client")
            assert passes("dev", source, "kafka", 9092) == expected, source
            assert not passes("dev", source, "kafka", 9093), source
    assert not passes("dev", "worker", "outside", 9092)
    assert not passes("dev", "kafka", "outside", 443)


@pytest.mark.parametrize("variant", ["base", "dev", "production", "tls"])
def test_every_pod_is_selected_and_every_port_is_spoken_of(variant):
    policies = policies_of(own(variant))
    for _, name, spec, labels in pods(variant):
        chosen = [policy for policy in policies if selects(policy["spec"]["podSelector"], labels)]
        assert [policy["metadata"]["name"] for policy in chosen] == [name]
        assert chosen[0]["spec"]["policyTypes"] == ["Ingress", "Egress"]
        open_ports = {port["port"] for rule in chosen[0]["spec"]["ingress"]
                      for port in rule["ports"]}
        assert open_ports == {port["containerPort"] for port in spec["containers"][0]["ports"]}


def test_the_webhook_asks_for_topologies_of_its_namespace_only():
    configuration = find("base", "ValidatingWebhookConfiguration", "millrace-millrace")
    hook, = configuration["webhooks"]
    assert hook["failurePolicy"] == "Fail" and hook["sideEffects"] == "None"
    assert 1 <= hook["timeoutSeconds"] <= 10
    assert hook["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "millrace"}}
    assert hook["rules"] == [{"apiGroups": ["millrace.io"], "apiVersions": ["*"],
                              "operations": ["CREATE", "UPDATE"], "resources": ["topologies"],
                              "scope": "Namespaced"}]
    service = hook["clientConfig"]["service"]
    assert service["path"] == "/v1/admission"
    ports = find("base", "Service", service["name"])["spec"]["ports"]
    assert service["port"] in [port["port"] for port in ports]
