"""Silences of keys while workers are killed: each is told once, and so is its end, at the event
times that the records say."""

import json
import random
import threading
import time

import pytest

from cluster import Cluster, wait_until

PARTITIONS, KEYS, STEADY = 4, 30, 20
LIMIT, BEAT, ROUNDS, START = 10_000, 1000, 300, 1_700_000_000_000
TOPOLOGY = """apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: {name}}}
spec:
  commit_interval: 100ms
  sources:
    - {{name: beats, type: kafka, topic: {source}, key: [sensor], timestamp: ts}}
  operators:
    - {{name: alive, type: detect.heartbeat, from: beats, key: [sensor], timeout: 10s}}
  sinks:
    - {{name: all, type: kafka, from: alive, topic: {judged}, key: [sensor]}}
    - {{name: alerts, type: kafka, from: alive.alerts, topic: {alerts}, key: [key]}}
"""


def beats():
    """(sensor, time) in the order of time: every BEAT each sensor, but when it is silent; some go
    for good. The steady ones move each partition's watermark."""
    chance = random.Random(3)
    silent = {f"s{key}": [] for key in range(KEYS)}
    for key, spans in silent.items():
        for _ in range(chance.randrange(4)):
            first = chance.randrange(20, ROUNDS - 40)
            spans.append((first, first + chance.randrange(2, 30)))
        if chance.random() < 0.3:
            spans.append((ROUNDS - 30, ROUNDS))
    for number in range(ROUNDS):
        for key, spans in silent.items():
            if not any(first <= number < end for first, end in spans):
                yield key, START + number * BEAT
        for key in range(STEADY):
            yield f"steady-{key}", START + number * BEAT


def expected_alerts(given):
    """(key, state, event time), from the gaps between a key's times."""
    last, found = {}, []
    for key, at in given:
        before = last.get(key, at)
        if at - before > LIMIT:
            found += [(key, "open", before + LIMIT + 1), (key, "resolved", at)]
        last[key] = at
    found += [(key, "open", at + LIMIT + 1) for key, at in last.items()
              if at + LIMIT + 1 <= given[-1][1]]
    return sorted(found)


def found_alerts(kafka, topic):
    return [json.loads(value) for value in kafka.values(topic)]


@pytest.fixture
def cluster(kafka, unique, tmp_path):
    started = Cluster(kafka.brokers, unique, tmp_path)
    yield started
    started.end()
    print(started.logs(3000))


def test_each_silence_is_told_once_while_workers_are_killed(kafka, unique, cluster, tmp_path):
    given = list(beats())
    source = kafka.create(unique + "-in", PARTITIONS)
    judged = kafka.create(unique + "-all", PARTITIONS)
    alerts = kafka.create(unique + "-alerts", PARTITIONS)
    path = tmp_path / "topology.yaml"
    path.write_text(TOPOLOGY.format(name=unique, source=source, judged=judged, alerts=alerts))
    cluster.coordinator()
    workers = [cluster.worker(threads=1) for _ in range(2)]
    cluster.submit(path)
    cluster.wait_running(PARTITIONS)

    def feed():
        for first in range(0, len(given), 250):
            kafka.produce(source, [(key.encode(), json.dumps({"sensor": key, "ts": at}).encode())
                                   for key, at in given[first:first + 250]], PARTITIONS)
            time.sleep(0.15)

    writer = threading.Thread(target=feed)
    writer.start()
    for number in range(4):
        before = len(kafka.values(judged))
        wait_until(lambda: len(kafka.values(judged)) > before + 500 or not writer.is_alive(), 60,
                   what="more results")
        victim = workers[number % 2]
        victim.kill()
        victim.start()
    writer.join(120)
    asked = expected_alerts(given)
    wait_until(lambda: len(kafka.values(judged)) >= len(given), 90, what="all records")
    wait_until(lambda: len(found_alerts(kafka, alerts)) >= len(asked), 30, what="all alerts")
    time.sleep(1)  # for alerts that nobody asked for

    found = found_alerts(kafka, alerts)
    assert sorted((one["key"], one["state"], one["event_time"]) for one in found) == asked
    assert len(asked) > 40 and len(kafka.values(judged)) == len(given)
    opened = {one["id"] for one in found if one["state"] == "open"}
    resolved = {one["id"] for one in found if one["state"] == "resolved"}
    assert len(opened) == sum(one["state"] == "open" for one in found), "an id for each silence"
    assert resolved < opened
