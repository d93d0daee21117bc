"""Brokers that die, one and three (9 of the fault scenarios in docs/TESTING.md)."""

import shutil
import tempfile
import time

import pytest

import millrace
from chaos import Nemesis
from cluster import wait_until
from oracle import check


@pytest.fixture
def brokers():
    """Starts what the test asks for."""
    started = []

    def start(kind):
        folder = tempfile.mkdtemp(prefix="millrace-e2e-brokers-")
        started.append((kind(folder), folder))
        return started[-1][0].start()

    yield start
    for kafka, folder in started:
        kafka.stop(kill=True)
        shutil.rmtree(folder, ignore_errors=True)


def test_the_only_broker_dies_and_comes_back(scenes, brokers):
    """9: killed, and stopped in order; nobody needs to be restarted by hand."""
    kafka = brokers(millrace.Kafka)
    scene = scenes(kafka)
    scene.cast(workers=2).play()
    pids = [worker.process.pid for worker in scene.cluster.workers.values()]
    nemesis = Nemesis(scene.cluster, 5, kafka)
    nemesis.kill_broker()
    scene.flows(90)
    kafka.stop()
    kafka.start()
    scene.flows(90)
    assert all(worker.alive() for worker in scene.cluster.workers.values())
    assert [worker.process.pid for worker in scene.cluster.workers.values()] == pids
    check(scene)


def test_a_leader_among_three_brokers_dies(scenes, brokers):
    """9: with three copies of everything, brokers are killed in turn: leaders of partitions, of
    transactions and of the cluster change; outputs go on while one is down."""
    kafka = brokers(millrace.Brokers)
    scene = scenes(kafka)
    scene.cast(workers=2).play(partitions=3, rate=1000)
    for node in kafka.nodes[:3 if millrace.DEEP else 2]:
        begun = time.monotonic()
        node.stop(kill=True)
        scene.flows(60)
        print(f"a broker of three died: longest gap"
              f" {scene.reader.longest_gap(begun, time.monotonic()):.1f} s")
        node.start()
        wait_until(lambda: kafka.whole(scene.sink), 60, what="copies in step")
    scene.flows(60)
    check(scene)
    assert all(worker.alive() for worker in scene.cluster.workers.values())
