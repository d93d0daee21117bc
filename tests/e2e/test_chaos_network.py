"""Networks that hold, delay and cut what workers say to coordinators and to Kafka.

The numbers are those of the fault scenarios in docs/TESTING.md. Proxies stand between a worker and
the others; feed and oracle reach the broker directly.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path

import pytest

import millrace
from cluster import wait_until
from oracle import check, check_claims

sys.path.insert(0, str(millrace.ROOT / "tests" / "support"))
from kafka_proxy import Proxy  # noqa: E402
from tcp_wire import Wire  # noqa: E402

CUT_S = 5


@pytest.fixture(scope="module")
def crossing():
    """A broker with a second door behind a proxy, made by the test: (Kafka, its port, where the
    broker tells the door's clients to go)."""
    folder = Path(tempfile.mkdtemp(prefix="millrace-e2e-crossing-"))
    door, proxy = millrace.free_port(), millrace.free_port()
    kafka = millrace.Kafka(folder, "--via", f"{door}:{proxy}").start()
    yield kafka, door, proxy
    kafka.stop(kill=True)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def proxied(crossing):
    """The broker and a proxy that understands requests."""
    kafka, door, port = crossing
    proxy = Proxy(port, door)
    yield kafka, proxy, f"127.0.0.1:{port}"
    proxy.close()


@pytest.fixture
def wired(crossing):
    """The broker and a wire to it."""
    kafka, door, port = crossing
    wire = Wire(door, port)
    yield kafka, wire, f"127.0.0.1:{port}"
    wire.close()


def counted(scene, before, most):
    """No task was claimed more often than that meanwhile: nobody fights."""
    after = check_claims(scene.kafka, scene.name)
    assert all(after[task] - before.get(task, 0) <= most for task in after), (before, after)


WAYS = {"both": (True, True), "there": (True, False), "back": (False, True)}


def test_a_worker_that_is_cut_off_from_the_coordinator(scene):
    """6: for 5 s each, in both ways and in either. It runs on; its tasks are given to others; it
    finds itself fenced, asks, and comes back."""
    scene.cast(workers=2)
    wire = Wire(int(scene.cluster.coordinators[0].listen.rsplit(":", 1)[1]))
    try:
        scene.cluster.worker("far", threads=1, coordinators=f"tcp://127.0.0.1:{wire.port}")
        scene.present(3)
        scene.play()
        far = scene.cluster.workers["far"]
        for way, (there, back) in WAYS.items():
            assert scene.owned_by("far"), way
            before = check_claims(scene.kafka, scene.name)
            wire.hold(there, back)
            begun = time.monotonic()
            time.sleep(CUT_S)
            scene.flows()
            wire.mend()
            wait_until(lambda: scene.owned_by("far"), 30, what="tasks for the one that is back")
            scene.cluster.wait_running(scene.partitions)
            scene.flows()
            counted(scene, before, 4)
            print(way, "longest gap", round(scene.reader.longest_gap(begun, time.monotonic()), 2))
        assert far.alive()
        check(scene)
    finally:
        wire.close()


def test_all_workers_are_cut_off_from_the_coordinator(scene):
    """6: nobody reaches it for 5 s, and it reaches Kafka: everything runs on, nothing moves far."""
    scene.cast(workers=0)
    wire = Wire(int(scene.cluster.coordinators[0].listen.rsplit(":", 1)[1]))
    try:
        for name in ("w0", "w1"):
            scene.cluster.worker(name, threads=1, coordinators=f"tcp://127.0.0.1:{wire.port}")
        scene.present(2)
        scene.play()
        before = check_claims(scene.kafka, scene.name)
        wire.break_off()
        begun = time.monotonic()
        time.sleep(CUT_S)
        gap = scene.reader.longest_gap(begun, time.monotonic())
        assert gap < 3, f"without a coordinator the outputs stopped for {gap:.1f} s"
        wire.mend()
        scene.present(2)
        scene.cluster.wait_running(scene.partitions)
        scene.flows()
        counted(scene, before, 3)
        check(scene)
    finally:
        wire.close()


def test_a_worker_that_is_cut_off_from_kafka(scenes, wired):
    """6: Kafka's connections hold for 5 s, the coordinator's do not. Requests come late."""
    kafka, wire, brokers = wired
    scene = scenes(kafka)
    scene.cast(workers=2)
    scene.cluster.worker("far", threads=1, brokers=brokers)
    scene.present(3)
    scene.play()
    for there, back in WAYS.values():
        assert scene.owned_by("far")
        before = check_claims(kafka, scene.name)
        wire.hold(there, back)
        time.sleep(CUT_S)
        wire.mend()
        scene.cluster.wait_running(scene.partitions)
        scene.flows()
        counted(scene, before, 4)
    check(scene)


def test_a_delayed_end_of_transaction(scenes, proxied):
    """7: EndTxn is held, its connection closed; the client repeats it; the held one arrives in a
    later transaction. Without the clean-commit rule outputs are lost: test_mutations.py."""
    kafka, proxy, brokers = proxied
    scene = scenes(kafka)
    scene.cast(workers=1)
    far = scene.cluster.worker("far", threads=1, brokers=brokers)
    scene.present(2)
    scene.play()
    proxy.hold_end_txn(after=10)
    wait_until(lambda: proxy.held is not None and proxy.repeated.is_set(), 30, what="a repetition")
    time.sleep(1)
    error = proxy.let_go()
    scene.flows()
    check(scene)
    assert "incarnation" in far.text(), "the commit counted as clean"
    print("the broker answered the delayed EndTxn with", error)


def test_a_delayed_produce_after_a_fence(scenes, proxied):
    """8: Produce is held and its worker killed; it arrives when the next owner has fenced."""
    kafka, proxy, brokers = proxied
    scene = scenes(kafka)
    scene.cast(workers=1)
    far = scene.cluster.worker("far", threads=1, brokers=brokers)
    scene.present(2)
    scene.play()
    proxy.hold_produce(after=10)
    wait_until(lambda: proxy.held is not None, 30, what="a Produce")
    far.kill()
    scene.flows()
    error = proxy.let_go()
    assert error != 0, "the broker took a record of a fenced producer"
    scene.flows()
    check(scene)
