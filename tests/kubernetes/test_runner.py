"""The process runner itself, with small programs: what a pod's processes are given, and what is
made of their probes, ends and deletions."""

import base64
import itertools
import json
import time

import pytest

NAMESPACES = itertools.count()
PROGRAM = """
echo "$NAME $POD_IP $GREETING $SECRET $NOWHERE $MEMORY" >>/data/starts
cat /etc/settings/colour >>/data/starts
trap 'echo ended >>/data/starts; exit 0' TERM
cd /data && python3 -m http.server 8080 >/dev/null 2>&1 &
while true; do sleep 0.1; done
"""

MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {greeting: hello, colour: blue}
---
apiVersion: v1
kind: Secret
metadata: {name: hidden}
data: {word: SECRET}
---
apiVersion: v1
kind: Service
metadata: {name: all}
spec: {clusterIP: None, selector: {app: small}, ports: [{port: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: any}
spec: {selector: {app: small}, ports: [{port: 80, targetPort: web}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: small}
spec:
  serviceName: all
  replicas: 2
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: small}}
  template:
    metadata: {labels: {app: small}}
    spec:
      terminationGracePeriodSeconds: 5
      securityContext: {runAsUser: 10001, runAsGroup: 10001, runAsNonRoot: true, fsGroup: 10001}
      containers:
        - name: main
          image: small
          securityContext: {readOnlyRootFilesystem: true}
          command: [sh, -c, PROGRAM]
          env:
            - {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
            - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
            - {name: GREETING, value: "$(NAME)-$$(NAME)-$(NONE)"}
            - {name: SECRET, valueFrom: {secretKeyRef: {name: hidden, key: word}}}
            - {name: NOWHERE,
               valueFrom: {configMapKeyRef: {name: none, key: none, optional: true}}}
            - {name: MEMORY,
               valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}
          resources: {limits: {memory: 64Mi}}
          ports: [{name: web, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /ready, port: web}, periodSeconds: 1}
          livenessProbe:
            {exec: {command: [sh, -c, "test ! -e /data/dead"]}, periodSeconds: 1,
             failureThreshold: 1}
          lifecycle:
            preStop: {exec: {command: [sh, -c, "echo leaving >>/data/starts"]}}
          volumeMounts:
            - {name: data, mountPath: /data}
            - {name: settings, mountPath: /etc/settings}
            - {name: tmp, mountPath: /tmp}
      volumes:
        - {name: settings, configMap: {name: settings}}
        - {name: tmp, emptyDir: {}}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


def wait_for(condition, seconds=60, what="the condition"):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come within {seconds} s")


@pytest.fixture
def small(plane, runners):
    """The StatefulSet in a namespace of its own: (runner, folder of the claims, kubectl)."""
    namespace = f"small-{next(NAMESPACES)}"
    runner = runners(namespace)
    text = MANIFEST.replace("[sh, -c, PROGRAM]", f"[sh, -c, {json.dumps(PROGRAM)}]")
    text = text.replace("{word: SECRET}", f"{{word: {base64.b64encode(b'hush').decode()}}}")

    def kubectl(*words, **options):
        return plane.kubectl("--namespace", namespace, *words, **options)

    kubectl("apply", "-f", "-", text=text)
    yield runner, runner.folder / "claims", kubectl
    kubectl("delete", "statefulset,service,pvc,configmap", "--all", "--wait=false")
    wait_for(lambda: not runner.pods, what="the end of all pods")


def ready_count(kubectl):
    return kubectl("get", "statefulset", "small", "-o", "jsonpath={.status.readyReplicas}")


def test_a_pod_gets_what_its_manifest_says(small):
    runner, claims, kubectl = small
    for index in (0, 1):
        file = claims / f"data-small-{index}" / "starts"
        wait_for(lambda file=file: file.exists() and "blue" in file.read_text(),
                 what=f"the start of small-{index}")
        pod = runner.pod(f"small-{index}")
        name = pod.name
        assert file.read_text() == \
            f"{name} {pod.sandbox.address} {name}-$(NAME)-$(NONE) hush  64\nblue"
    assert not ready_count(kubectl), "nobody is ready before /ready is there"
    for index in (0, 1):
        (claims / f"data-small-{index}" / "ready").write_text(f"page {index}")
    wait_for(lambda: ready_count(kubectl) == "2", what="two ready pods")
    check_network(runner)
    assert not runner.failures


def check_network(runner):
    """Pods find each other by name, and Services by theirs."""
    pod = runner.pod("small-0")
    spec = pod.found["spec"]["containers"][0]

    def fetch(url):
        process = pod.launch(spec, ["python3", "-c", "import urllib.request as r, sys; "
                                    "sys.stdout.write(r.urlopen(sys.argv[1], timeout=5).read()"
                                    ".decode())", url], open(pod.folder / "page", "wb"))
        assert process.wait(20) == 0, (pod.folder / "page").read_text()
        return (pod.folder / "page").read_text()

    wait_for(lambda: "small-1.all" in runner.hosts.read_text(), what="the pod's name")
    assert fetch(f"http://small-1.all.{runner.namespace}.svc.cluster.local:8080/ready") == "page 1"
    assert {fetch("http://any/ready") for _ in range(12)} == {"page 0", "page 1"}


def test_what_ends_is_started_again_and_what_is_deleted_ends_in_order(small):
    runner, claims, kubectl = small
    for index in (0, 1):
        wait_for((claims / f"data-small-{index}" / "starts").exists, what="the claims' folders")
        (claims / f"data-small-{index}" / "ready").write_text("ready")
    wait_for(lambda: ready_count(kubectl) == "2", what="two ready pods")
    starts = claims / "data-small-1" / "starts"

    (claims / "data-small-1" / "dead").write_text("the liveness probe fails")
    wait_for(lambda: starts.read_text().count("hush") == 2 and "ended" in starts.read_text(),
             what="the restart")
    (claims / "data-small-1" / "dead").unlink()
    wait_for(lambda: kubectl("get", "pod", "small-1", "-o", "jsonpath={.status."
                             "containerStatuses[0].restartCount}") >= "1", what="the count")
    wait_for(lambda: ready_count(kubectl) == "2", what="two ready pods again")

    runner.exits.clear()
    kubectl("scale", "statefulset", "small", "--replicas=1")
    wait_for(lambda: runner.exits, what="the end of small-1")
    assert runner.exits[0][0] == "small-1" and runner.exits[0][2] == [0]
    assert starts.read_text().endswith("leaving\nended\n")
    kubectl("scale", "statefulset", "small", "--replicas=2")
    wait_for(lambda: ready_count(kubectl) == "2", what="small-1 on its old claim")
    assert starts.read_text().count("hush") >= 3
    assert not runner.failures
