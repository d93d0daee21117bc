"""The node's part of the runner: nodes that stay Ready, PersistentVolumes for claims, the names and
the addresses of Services. It stands for the kubelet's node status, a volume provisioner, a DNS
server and kube-proxy."""

import datetime
import random
import socket
import threading
from pathlib import Path

NODES = "/api/v1/nodes"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
API_SERVICE = "10.0.0.1"


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def stamp(micro=False):
    return now().strftime("%Y-%m-%dT%H:%M:%S" + (".%fZ" if micro else "Z"))


def keep_node(api, name, zone):
    """Makes a node if it is not there, and says that it lives; every 10 s."""
    api.create(NODES, {"metadata": {"name": name, "labels": {
        "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/zone": zone}}}, exists_is_fine=True)
    room = {"cpu": "32", "memory": "256Gi", "pods": "110"}
    ready = {"type": "Ready", "status": "True", "reason": "ProcessRunner",
             "message": "processes stand for containers", "lastHeartbeatTime": stamp(),
             "lastTransitionTime": stamp()}
    api.merge(f"{NODES}/{name}/status", {"status": {"capacity": room, "allocatable": room,
                                                    "conditions": [ready]}})
    lease = {"metadata": {"name": name}, "spec": {"holderIdentity": name,
                                                  "leaseDurationSeconds": 40,
                                                  "renewTime": stamp(micro=True)}}
    if api.create(LEASES, lease, exists_is_fine=True) is None:
        api.merge(f"{LEASES}/{name}", {"spec": lease["spec"]})


def provision(api, namespace, folder):
    """A PersistentVolume for each claim that waits, and its folder. The folder outlives pods."""
    volumes = {one["metadata"]["name"] for one in api.items("/api/v1/persistentvolumes")}
    for claim in api.items(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"):
        name = claim["metadata"]["name"]
        if claim["status"].get("phase") != "Pending" or f"{namespace}-{name}" in volumes:
            continue
        place = claim_folder(folder, name)
        place.mkdir(parents=True, exist_ok=True)
        spec = claim["spec"]
        api.create("/api/v1/persistentvolumes", {
            "metadata": {"name": f"{namespace}-{name}"},
            "spec": {"capacity": spec["resources"]["requests"], "hostPath": {"path": str(place)},
                     "accessModes": spec["accessModes"],
                     "storageClassName": spec.get("storageClassName", ""),
                     "persistentVolumeReclaimPolicy": "Retain",
                     "claimRef": {"namespace": namespace, "name": name}}}, exists_is_fine=True)


def claim_folder(folder, name):
    return Path(folder) / "claims" / name


def names_of(service, namespace):
    return [f"{service}{rest}" for rest in ("", f".{namespace}", f".{namespace}.svc",
                                            f".{namespace}.svc.cluster.local")]


def host_lines(services, endpoints, namespace):
    """The lines of /etc/hosts that stand for the namespace's DNS: a Service's own address, or for
    a headless one those of its pods, each under its own name, too."""
    yield f"{API_SERVICE} kubernetes.default.svc kubernetes.default kubernetes"
    for service in services:
        name = service["metadata"]["name"]
        names = names_of(name, namespace)
        if service["spec"].get("clusterIP", "None") != "None":
            yield " ".join([service["spec"]["clusterIP"], *names])
            continue
        for subset in endpoints.get(name, {}).get("subsets") or []:
            for one in subset.get("addresses") or []:
                yield " ".join([one["ip"], *names])
                own = one.get("hostname") or one["ip"].replace(".", "-")
                yield " ".join([one["ip"], *names_of(f"{own}.{name}", namespace)])


def targets(services, endpoints):
    """(service's address, port) -> [(pod's address, port)], for those that have an address."""
    found = {}
    for service in services:
        address = service["spec"].get("clusterIP", "None")
        if address == "None":
            continue
        subsets = endpoints.get(service["metadata"]["name"], {}).get("subsets") or []
        for port in service["spec"].get("ports", []):
            found[address, port["port"]] = [
                (one["ip"], target["port"]) for subset in subsets
                for target in subset.get("ports") or []
                if target.get("name") == port.get("name")
                for one in subset.get("addresses") or []]
    return found


class Forwarder:
    """Listens at a Service's address and passes connections on to one of its pods."""

    def __init__(self, address, backends):
        self.backends = backends
        self.listener = socket.create_server(address, backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(random.choice(self.backends), timeout=5)
            except (OSError, IndexError):
                client.close()
                continue
            server.settimeout(None)
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=copy, args=(one, other), daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def copy(source, sink):
    """One direction of a connection, until it ends."""
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for one in (source, sink):
            one.close()
