"""Runs real processes for the pods of one namespace of a control plane without a kubelet
(docs/TESTING.md, Kubernetes).

For each pod that the scheduler has placed, the runner makes a sandbox (network address, root,
volumes), starts each container's program with the environment, the arguments and the user of the
manifest, probes it, writes phase, addresses, conditions and container statuses back, starts what
ended again, and at deletion runs preStop, SIGTERM, the grace period and SIGKILL before the pod is
gone. It keeps the nodes Ready, provides claims with volumes, and gives Services names and
addresses.

Not there: images (every container runs this checkout's programs and this machine's; there is no
entry point before `args`: their first word is the process, without the image's tini), resource
limits, PID namespaces, NetworkPolicies.
"""

import itertools
import tempfile
import threading
import time
from pathlib import Path

import node
import pod_spec
from api import Refused
from container import Container
from sandbox import Sandbox, own

STEP_SECONDS = 0.05
KINDS = {"configMap": "configmaps", "secret": "secrets"}


class Pod(threading.Thread):
    """One pod's life, in a thread of its own."""

    def __init__(self, runner, found, number):
        super().__init__(name=found["metadata"]["name"], daemon=True)
        self.runner, self.found = runner, found
        self.uid = found["metadata"]["uid"]
        self.path = f"{runner.base}/pods/{self.name}"
        self.folder = runner.folder / "pods" / f"{self.name}-{self.uid[:8]}"
        self.folder.mkdir(parents=True)
        self.log = open(self.folder / "log", "ab", buffering=0)
        self.sandbox = Sandbox(self.folder, self.name, number, runner.hosts, runner.programs,
                               runner.extra)
        self.containers, self.said, self.gone = [], None, False
        self.failure = None
        self.variables = {}  # container -> its program's

    def security(self, name, spec):
        pod = self.found["spec"].get("securityContext", {})
        return spec.get("securityContext", {}).get(name, pod.get(name))

    def user(self, spec):
        user, group = self.security("runAsUser", spec), self.security("runAsGroup", spec)
        if self.security("runAsNonRoot", spec) and not user:
            raise pod_spec.Invalid(f"container {spec['name']} must not run as root, and names no "
                                   "user")
        return None if user is None else f"{user}:{user if group is None else group}"

    def read(self, kind, given):
        """What pod_spec looks up."""
        if kind == "token":
            return self.runner.token(self.found, given)
        if given == "kube-root-ca.crt":  # empty, since the control plane names no authority
            return {"kind": "ConfigMap", "data": {"ca.crt": self.runner.authority.read_text()}}
        try:
            return self.runner.api.get(f"{self.runner.base}/{KINDS[kind]}/{given}")
        except Refused as refused:
            if refused.code != 404:
                raise
        return None

    def launch(self, spec, words, log):
        """Starts a container's program, or other words beside it (probes, hooks, execute): with the
        variables that the program was started with, whatever has become of their ConfigMap."""
        if words is None:
            self.variables[spec["name"]] = pod_spec.environment(self.found, spec, self.read,
                                                                self.runner.environment)
        known = self.variables[spec["name"]]
        words = words or pod_spec.words(spec, known)
        return self.sandbox.start(words, known, log, self.user(spec), spec.get("workingDir", "/"))

    def execute(self, *words, seconds=60):
        """`kubectl exec`: other words in the first container, as its user and with its variables.
        (exit code, what they print)."""
        with tempfile.TemporaryFile("w+") as said:
            code = self.launch(self.found["spec"]["containers"][0], list(words),
                               said).wait(seconds)
            said.seek(0)
            return code, said.read()

    def _volume(self, volume):
        """The folder of this machine that stands for a volume."""
        claim = volume.get("persistentVolumeClaim")
        if claim is not None:
            return node.claim_folder(self.runner.folder, claim["claimName"])
        place = self.folder / "volumes" / volume["name"]
        place.mkdir(parents=True)
        for path, (content, mode) in (pod_spec.volume_files(self.found, volume, self.read)
                                      or {}).items():
            file = place / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            file.chmod(mode)
        return place

    def _open(self):
        """Volumes, sandbox, containers. All containers share one root: a path that two of them
        mount differently is refused."""
        spec = self.found["spec"]
        group = spec.get("securityContext", {}).get("fsGroup")
        places, mounted = {}, {}
        for volume in spec.get("volumes", []):
            places[volume["name"]] = self._volume(volume)
        for one in [*spec.get("initContainers", []), *spec["containers"]]:
            for mount in one.get("volumeMounts", []):
                source = places[mount["name"]] / mount.get("subPath", "")
                if mounted.setdefault(mount["mountPath"], source) != source:
                    raise pod_spec.Invalid(f"two volumes are mounted at {mount['mountPath']}")
        for path, source in sorted(mounted.items()):
            if group is not None and source.is_dir():
                own(source, group, group)
                source.chmod(0o2770)
            self.sandbox.mount(source, path)
        contexts = [one.get("securityContext", {}) for one in spec["containers"]]
        self.sandbox.open(all(one.get("readOnlyRootFilesystem") for one in contexts))
        self.found["status"]["podIP"] = self.sandbox.address
        self.containers = [Container(one, self.sandbox.address, self.launch, self.log)
                           for one in spec["containers"]]

    def _initialise(self):
        """Runs the init containers, one after the other, until each has ended with 0."""
        for one in self.found["spec"].get("initContainers", []):
            container = Container(one, self.sandbox.address, self.launch, self.log)
            while container.last_code != 0 and not self._leaving():
                container.step(restarts=container.last_code not in (None, 0))
                time.sleep(STEP_SECONDS)
            container.kill()

    def _leaving(self):
        return self.gone or "deletionTimestamp" in self.found["metadata"]

    def _conditions(self, ready):
        told = {one["type"]: one for one in self.found["status"].get("conditions", [])}
        for kind, holds in (("Initialized", True), ("ContainersReady", ready), ("Ready", ready)):
            value = "True" if holds else "False"
            if told.get(kind, {}).get("status") != value:
                told[kind] = {"type": kind, "status": value, "lastTransitionTime": node.stamp()}
        return list(told.values())

    def _restarts(self):
        return self.found["spec"].get("restartPolicy", "Always") == "Always"

    def _phase(self):
        codes = [one.last_code if one.process is None else None for one in self.containers]
        if codes and None not in codes and not self._restarts():
            return "Failed" if any(codes) else "Succeeded"
        running = any(one.process is not None or one.restarts for one in self.containers)
        return "Running" if running else "Pending"

    def tell(self):
        """Writes the pod's status when it has changed."""
        statuses = [one.status() for one in self.containers]
        ready = bool(statuses) and all(one["ready"] for one in statuses) and not self._leaving()
        status = {"phase": self._phase(), "podIP": self.sandbox.address,
                  "podIPs": [{"ip": self.sandbox.address}], "hostIP": "10.244.0.1",
                  "containerStatuses": statuses}
        if self.failure is not None:
            status |= {"reason": "CreateContainerError", "message": self.failure}
        if (status, ready) == self.said:
            return
        self.found["status"]["conditions"] = self._conditions(ready)
        try:
            self.runner.api.merge(self.path + "/status", {
                "metadata": {"uid": self.uid},
                "status": {**status, "conditions": self.found["status"]["conditions"],
                           "startTime": self.found["metadata"]["creationTimestamp"]}})
            self.said = status, ready
        except Refused as refused:
            # A pod of the same name took its place: 409, or 422 of its uid.
            if refused.code not in (404, 409) and not (
                    refused.code == 422 and "metadata.uid" in str(refused)):
                raise

    def run(self):
        try:
            self._live()
            self._leave()
        except Exception as error:  # pylint: disable=broad-except
            self.runner.failures.append(f"{self.name}: {error!r}")
            self.log.write(f"runner: {error!r}\n".encode())
        finally:
            for container in self.containers:
                container.kill()
            self.sandbox.close()
            self.log.close()

    def _live(self):
        try:
            self._open()
        except pod_spec.Invalid as invalid:
            self.failure = str(invalid)
        self._initialise()
        while not self._leaving():
            for container in self.containers:
                container.step(self._restarts())
            self.tell()
            time.sleep(STEP_SECONDS)

    def _leave(self):
        """The end: in time if the pod was deleted, at once if it is gone from the API."""
        if self.gone:
            return
        grace = self.found["metadata"].get("deletionGracePeriodSeconds", 30)
        deadline = time.monotonic() + grace
        self.tell()
        stops = [threading.Thread(target=one.stop, args=(deadline,)) for one in self.containers]
        for stop in stops:
            stop.start()
        while any(stop.is_alive() for stop in stops):
            if self.gone:  # deleted with force meanwhile
                for container in self.containers:
                    container.kill()
            time.sleep(STEP_SECONDS)
        self.codes = [one.process.returncode if one.process else one.last_code
                      for one in self.containers]
        self.runner.exits.append((self.name, self.uid, self.codes))
        self.runner.api.delete(self.path, self.uid, grace=0)


class Runner:
    """folder: where roots, logs and claims go. authority: the API server's certificate file.
    skip(pod) -> whether a pod is only marked as running."""

    numbers = itertools.cycle(range(10, 250))  # of addresses and interfaces: one for all runners

    def __init__(self, api, namespace, folder, programs, authority, extra=(), zones=("a", "b", "c"),
                 environment=None):
        self.api, self.namespace, self.folder = api, namespace, Path(folder)
        self.base = f"/api/v1/namespaces/{namespace}"
        self.programs, self.authority, self.extra = programs, Path(authority), extra
        self.environment = {"KUBERNETES_SERVICE_HOST": node.API_SERVICE,
                            "KUBERNETES_SERVICE_PORT": "443", **(environment or {})}
        self.zones, self.aliases = zones, {}
        self.hosts = self.folder / "hosts"
        self.pods, self.forwarders = {}, {}
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.failures, self.exits, self.threads = [], [], []

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.hosts.write_text("127.0.0.1 localhost\n")
        if not self.api.items("/api/v1/namespaces", fieldSelector="metadata.name="
                              + self.namespace):
            self.api.create("/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        api_server = (self.api.address.hostname, self.api.address.port)
        self.forwarders[node.API_SERVICE, 443] = node.Forwarder((node.API_SERVICE, 443),
                                                                [api_server])
        for seconds, work in ((0.1, self._look), (0.5, self._serve), (10, self._keep_nodes)):
            work()
            thread = threading.Thread(target=self._every, args=(seconds, work), daemon=True)
            thread.start()
            self.threads.append(thread)
        return self

    def _every(self, seconds, work):
        while not self.stopping.wait(seconds):
            try:
                work()
            except (OSError, Refused) as error:
                self.failures.append(f"{work.__name__}: {error!r}")

    def _keep_nodes(self):
        for index, zone in enumerate(self.zones, 1):
            node.keep_node(self.api, f"node-{index}", zone)

    def _look(self):
        """Starts a thread for each pod that is new, tells threads what has changed."""
        listed = {one["metadata"]["uid"]: one
                  for one in self.api.items(self.base + "/pods", resourceVersion=0)}
        with self.lock:
            known = dict(self.pods)
            for uid, pod in known.items():
                if uid not in listed:
                    pod.gone = True
                    if not pod.is_alive():
                        del self.pods[uid]
                elif "deletionTimestamp" in listed[uid]["metadata"]:
                    pod.found["metadata"] = listed[uid]["metadata"]
            for uid, found in listed.items():
                if uid not in known and found["spec"].get("nodeName"):
                    self.pods[uid] = Pod(self, found, self._free_number())
                    self.pods[uid].start()

    def _free_number(self):
        used = {pod.sandbox.number for pod in self.pods.values()}
        return next(number for number in self.numbers if number not in used)

    def _serve(self):
        """Volumes for claims, names and addresses for Services."""
        node.provision(self.api, self.namespace, self.folder)
        services = self.api.items(self.base + "/services")
        endpoints = {one["metadata"]["name"]: one
                     for one in self.api.items(self.base + "/endpoints")}
        lines = ["127.0.0.1 localhost", *node.host_lines(services, endpoints, self.namespace)]
        lines += [f"{address} {name}" for name, address in self.aliases.items()]
        text = "\n".join(lines) + "\n"
        if text != self.hosts.read_text():
            with open(self.hosts, "r+", encoding="utf-8") as file:  # in place: pods have it mounted
                file.write(text)
                file.truncate()
        for address, backends in node.targets(services, endpoints).items():
            if address not in self.forwarders:
                self.forwarders[address] = node.Forwarder(address, backends)
            self.forwarders[address].backends = backends

    def token(self, pod, source):
        """A token of the pod's service account, made by the API server."""
        account = pod["spec"].get("serviceAccountName", "default")
        request = {"spec": {"expirationSeconds": max(source.get("expirationSeconds", 3600), 600)}}
        if source.get("audience"):
            request["spec"]["audiences"] = [source["audience"]]
        found = self.api.create(f"{self.base}/serviceaccounts/{account}/token", request)
        return found["status"]["token"]

    def pod(self, name):
        """The running pod of a name, or None."""
        with self.lock:
            return next((one for one in self.pods.values() if one.name == name
                         and "deletionTimestamp" not in one.found["metadata"]), None)

    def logs(self, size=3000):
        parts = sorted((self.folder / "pods").glob("*/log"))
        return "\n".join(f"== {part.parent.name}\n"
                         f"{part.read_text(errors='replace')[-size:]}" for part in parts)

    def stop(self):
        """Ends every process, without grace; the API keeps its objects."""
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        with self.lock:
            pods = list(self.pods.values())
        for pod in pods:
            pod.gone = True
        for pod in pods:
            pod.join(30)
        for forwarder in self.forwarders.values():
            forwarder.close()
