"""pod_spec.py: what the kubelet makes of a pod's specification."""

import base64

import pytest

import node
import pod_spec

POD = {"metadata": {"name": "w-0", "namespace": "n", "labels": {"app/x": "y"}},
       "spec": {"nodeName": "node-1"}, "status": {"podIP": "10.244.0.9"}}
OBJECTS = {
    ("configMap", "settings"): {"kind": "ConfigMap", "data": {"A": "1", "B": "2"}},
    ("secret", "hidden"): {"kind": "Secret",
                           "data": {"word": base64.b64encode(b"hush").decode()}}}


def read(kind, given):
    return f"token for {given['audience']}" if kind == "token" else OBJECTS.get((kind, given))


def test_variables_come_in_order_and_expand():
    container = {"name": "c", "envFrom": [{"configMapRef": {"name": "settings"}, "prefix": "X_"},
                                          {"secretRef": {"name": "none", "optional": True}}],
                 "env": [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                         {"name": "URL", "value": "tcp://$(IP):$(PORT)/$$(IP)"},
                         {"name": "X_A", "value": "own"}],
                 "args": ["run", "--at=$(URL)"]}
    known = pod_spec.environment(POD, container, read)
    assert known["X_A"] == "own" and known["X_B"] == "2" and known["HOSTNAME"] == "w-0"
    assert known["URL"] == "tcp://10.244.0.9:$(PORT)/$(IP)"
    assert pod_spec.words(container, known) == ["run", "--at=" + known["URL"]]


def test_fields_and_resources():
    assert pod_spec.field(POD, "metadata.labels['app/x']") == "y"
    assert pod_spec.field(POD, "metadata.labels['none']") == ""
    assert pod_spec.field(POD, "spec.nodeName") == "node-1"
    container = {"name": "c", "resources": {"limits": {"memory": "1500Mi", "cpu": "1500m"}}}
    assert pod_spec.resource(container, {"resource": "limits.memory"}) == str(1500 << 20)
    assert pod_spec.resource(container, {"resource": "limits.cpu"}) == "2"
    assert pod_spec.resource(container, {"resource": "limits.memory", "divisor": "1Gi"}) == "2"


@pytest.mark.parametrize("source", [
    {"configMapKeyRef": {"name": "settings", "key": "C"}},
    {"secretKeyRef": {"name": "none", "key": "word"}},
    {"resourceFieldRef": {"resource": "limits.memory"}}])
def test_what_is_not_there_is_said(source):
    container = {"name": "c", "env": [{"name": "V", "valueFrom": source}]}
    with pytest.raises(pod_spec.Invalid):
        pod_spec.environment(POD, container, read)


def test_volumes_are_files():
    volume = {"projected": {"defaultMode": 0o400, "sources": [
        {"configMap": {"name": "settings", "items": [{"key": "A", "path": "sub/a"}]}},
        {"secret": {"name": "hidden"}},
        {"downwardAPI": {"items": [{"path": "name", "fieldRef": {
            "fieldPath": "metadata.name"}}]}},
        {"serviceAccountToken": {"path": "token", "audience": "api"}}]}}
    assert pod_spec.volume_files(POD, volume, read) == {
        "sub/a": (b"1", 0o400), "word": (b"hush", 0o400), "name": (b"w-0", 0o400),
        "token": (b"token for api", 0o400)}
    assert pod_spec.volume_files(POD, {"emptyDir": {}}, read) is None


def test_names_of_services():
    services = [{"metadata": {"name": "all"}, "spec": {"clusterIP": "None"}},
                {"metadata": {"name": "any"}, "spec": {
                    "clusterIP": "10.0.0.7", "ports": [{"name": "http", "port": 80}]}}]
    endpoints = {name: {"subsets": [{"addresses": [{"ip": "10.244.0.9", "hostname": "w-0"}],
                                     "ports": [{"name": "http", "port": 8080}]}]}
                 for name in ("all", "any")}
    lines = list(node.host_lines(services, endpoints, "n"))
    assert "10.244.0.9 all all.n all.n.svc all.n.svc.cluster.local" in lines
    assert "10.244.0.9 w-0.all w-0.all.n w-0.all.n.svc w-0.all.n.svc.cluster.local" in lines
    assert "10.0.0.7 any any.n any.n.svc any.n.svc.cluster.local" in lines
    assert node.targets(services, endpoints) == {("10.0.0.7", 80): [("10.244.0.9", 8080)]}
