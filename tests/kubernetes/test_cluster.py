"""The manifests of deploy/k8s on a real control plane, with real processes for their pods and a
real Kafka: workers are scaled by the replica count, deleted and rolled under load, and every output
is there exactly once."""

import random
import time

import pytest

import oracle
from cluster import wait_until
from events import Events
from millrace import ROOT
from pod_cluster import COORDINATORS, NAMESPACE, WORKERS, PodScene, deploy
from stage import passing

pytestmark = pytest.mark.skipif(not (ROOT / "deploy" / "k8s" / "base").exists(),
                                reason="deploy/k8s has no base")
PARTITIONS = 8
RATE = 200
PAUSE_SECONDS = 5.0  # of a task that did not move: a slow machine's, not a move's


@pytest.fixture(scope="module")
def scene(plane, kafka, tmp_path_factory):
    """The deployed cluster with two workers, and a topology that is fed."""
    from conftest import make_runner
    folder = tmp_path_factory.mktemp("cluster")
    runner = make_runner(plane, NAMESPACE, folder / "pods")
    found = PodScene(kafka, folder / "scene", runner, plane)
    try:
        deploy(plane, kafka.brokers, folder / "overlay", workers=2)
        runner.start()
        found.present(2, seconds=120)
        found.play(PARTITIONS, rate=RATE)
        yield found
    finally:
        found.end()
        # While a coordinator runs: with their finalizers left, the definition could not be deleted.
        plane.kubectl("--namespace", NAMESPACE, "delete", "topologies", "--all", "--timeout=60s",
                      check=False)
        runner.stop()
        print(runner.logs())
        print("\n".join(runner.failures))


def rollout(plane, kind, seconds=180):
    plane.kubectl("--namespace", NAMESPACE, "rollout", "status", kind, f"--timeout={seconds}s")


def scale(plane, scene, replicas):
    """kubectl scale, until the tasks are shared by as many. (since, who had which partition
    before, who has it now)."""
    before, since = scene.owners(), time.monotonic()
    plane.kubectl("--namespace", NAMESPACE, "scale", "statefulset", "millrace-worker",
                  f"--replicas={replicas}")
    scene.settled(replicas)
    scene.flows(120)
    scene.says(ready=True)
    return since, before, scene.owners()


def calm(scene, action, undo=lambda: None):
    """(what action() returns, the leader's events meanwhile), while one coordinator leads: where
    the lead is lost (a machine that is too slow for Kafka's commits), workers are taken for silent,
    and other tasks move, rightly; then undo(), and again."""
    for _ in range(3):
        server, term = scene.cluster.server(), scene.cluster.get("/v1/leader")["term"]
        events = Events(server)
        found = action()
        if scene.cluster.get("/v1/leader")["term"] == term:
            return found, events.stop_whole()
        events.stop()
        undo()
    raise AssertionError("the lead changed three times: this machine is too slow for the test")


def calm_scale(plane, scene, replicas, back):
    """scale, with the leader's events: (since, owners before, owners after, events)."""
    scene.settled(back)
    found, events = calm(scene, lambda: scale(plane, scene, replicas),
                         lambda: scale(plane, scene, back))
    return *found, events


def unmoved(before, after, events):
    """The partitions whose task has stayed: with its owner now as before, and in between."""
    assigned = events.assigned()
    stayed = [partition for partition, owner in before.items() if after[partition] == owner]
    for partition in stayed:
        assert set(assigned[partition]) <= {before[partition]}, (partition, events.heard)
    # Each of the others was given to the one that has it: nothing was missed.
    for partition in set(before) - set(stayed):
        assert assigned[partition][-1] == after[partition], (partition, events.heard)
    return stayed


def stood_still(scene, since, partitions):
    """The longest silence of these partitions since then, less what stood still for everybody."""
    gaps = scene.reader.gaps(since, time.monotonic(), partitions)
    return max(gaps.values(), default=0.0) - scene.feed.longest_pause(since)


def test_workers_scale_up_and_down_by_the_replica_count(plane, scene):
    since, before, after, events = calm_scale(plane, scene, 4, back=2)
    stayed = unmoved(before, after, events)
    assert len(stayed) >= PARTITIONS // 2, (before, after)
    assert not set(stayed) & set(events.moved()), events.heard
    assert stood_still(scene, since, stayed) < PAUSE_SECONDS
    rollout(plane, "statefulset/millrace-worker")

    since, before, after, events = calm_scale(plane, scene, 1, back=4)
    assert set(after.values()) == {"millrace-worker-0"}
    assert stood_still(scene, since, unmoved(before, after, events)) < PAUSE_SECONDS
    scale(plane, scene, 2)
    assert not scene.cluster.runner.failures


def test_the_command_line_in_every_coordinator_s_pod_needs_no_options(scene):
    """As docs/OPERATIONS.md has it for `kubectl exec`: one that follows sends on to the leader."""
    pods = scene.cluster.pods(COORDINATORS)
    assert len(pods) == 2
    for pod in pods:
        wait_until(lambda one=pod: one.execute("millrace", "list")[0] == 0, 60, 0.5,
                   f"an answer to {pod.name}")
        code, said = pod.execute("millrace", "list")
        assert code == 0 and scene.name in said, said


def test_a_wrong_topology_is_refused_when_it_is_applied(plane, scene):
    """By the webhook, through the API server and the Service."""
    text = (scene.folder / "topology.yaml").read_text()
    refused = plane.kubectl("--namespace", NAMESPACE, "apply", "-f", "-", check=False,
                            text=text.replace("detect.zscore", "detect.nothing"))
    assert "denied the request" in refused and "detect.nothing" in refused, refused
    scene.says(ready=True)


def test_pods_that_are_deleted_come_back(plane, scene):
    """At random, some with force: as a node that is gone."""
    chance = random.Random(9)
    scene.settled(2)
    for _ in range(4):
        prefix = chance.choice([WORKERS, WORKERS, COORDINATORS])
        pod = chance.choice(sorted(pod.name for pod in scene.cluster.pods(prefix)))
        force = ["--force", "--grace-period=0"] if chance.random() < 0.5 else []
        plane.kubectl("--namespace", NAMESPACE, "delete", "pod", pod, "--wait=false", *force)
        time.sleep(1)
        scene.settled(2)
        scene.flows(120)
        scene.says(ready=True)


def roll(plane, scene):
    """Starts each worker's pod anew: (owners before, owners after, how the pods ended)."""
    before, codes = scene.owners(), len(scene.cluster.runner.exits)
    plane.kubectl("--namespace", NAMESPACE, "rollout", "restart", "statefulset/millrace-worker")
    rollout(plane, "statefulset/millrace-worker")
    scene.settled(2)
    ended = {name: code for name, _, code in scene.cluster.runner.exits[codes:]
             if name.startswith(WORKERS)}
    return before, scene.owners(), ended


def test_a_rolling_update_moves_no_task(plane, scene):
    """Each pod comes back within its grace, with its volume, and takes up its own tasks; nobody
    else is given one in between."""
    scene.settled(2)
    (before, after, ended), events = calm(scene, lambda: roll(plane, scene))
    assert ended == {"millrace-worker-0": [0], "millrace-worker-1": [0]}
    assert len(unmoved(before, after, events)) == PARTITIONS, (before, after)
    assert len(events.assigned()) == PARTITIONS, "each task is given to its worker again"
    assert not events.moved()
    scene.says(ready=True)


def test_a_failed_topology_holds_up_no_rolling_update(plane, scene):
    """One with bad data, on the same workers: they get ready all the same."""
    name = scene.name + "-failing"
    broken, sink = scene.kafka.create(name + "-in", 2), scene.kafka.create(name + "-out", 2)
    scene.kafka.produce(broken, [(b"k", b"{")])
    scene.cluster.submit(passing(scene.folder / "failing.yaml", name, broken, sink,
                                 source_more=", on_error: fail"))

    def failed():
        return scene.cluster.get(f"/v1/topologies/{name}")["health"] == "failed"
    wait_until(failed, 60, what="the failed topology")
    plane.kubectl("--namespace", NAMESPACE, "rollout", "restart", "statefulset/millrace-worker")
    rollout(plane, "statefulset/millrace-worker")
    wait_until(failed, 60, what="the failed topology behind the rolling update")
    scene.flows(120)
    plane.kubectl("--namespace", NAMESPACE, "delete", "topology", name)
    scene.settled(2)
    scene.says(ready=True)


def test_scaled_to_zero_and_back_it_goes_on_where_it_was(plane, scene):
    plane.kubectl("--namespace", NAMESPACE, "scale", "statefulset", "millrace-worker",
                  "--replicas=0")
    wait_until(lambda: not scene.cluster.pods(WORKERS), 120,
               what="the end of all workers")
    scene.says(ready=False)
    scale(plane, scene, 2)


def test_every_output_is_there_once(scene):
    """The judge, at last: over all that was done above."""
    assert oracle.check(scene) > 0
    assert not scene.cluster.runner.failures
