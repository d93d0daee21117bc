"""quality.synthetic on Kafka: the windows of two streams, exact and sampled, are those of an
undisturbed run, each exactly once, across `kill -9` and a rescale from one worker to three."""

import json
import random
import threading
import time

import pytest

from cluster import Cluster, wait_until

PARTITIONS, REGIONS, RECORDS, WINDOW_MS = 3, 6, 3600, 200

TOPOLOGY = """apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {name: NAME}
spec:
  commit_interval: 100ms
  sources:
    - {name: orders, type: kafka, topic: REAL, key: [region], timestamp: ts}
    - {name: made, type: kafka, topic: SYNTHETIC, key: [region], timestamp: ts}
  operators:
    - {name: likeness, type: quality.synthetic, real: orders, synthetic: made, key: [region],
       fields: [amount, paid_by, items], window: {tumbling: 200ms}, rows: 33, min_records: 5,
       threshold: 0.78, distances: true}
  sinks:
    - {name: windows, type: kafka, from: likeness, topic: OUT, key: [region]}
    - {name: alerts, type: kafka, from: likeness.alerts, topic: ALERTS}
"""


def records(seed, shift):
    chance = random.Random(seed)
    for number in range(RECORDS):
        region = f"r{chance.randrange(REGIONS)}"
        items = chance.randrange(1, 6)
        record = {"region": region, "ts": 1_700_000_000_000 + number,
                  "amount": round(items * 10 + chance.gauss(shift, 4), 2), "items": items,
                  "paid_by": "card" if chance.random() < items / 6 else "cash"}
        yield region.encode(), json.dumps(record).encode()


def topology(path, name, topics):
    text = TOPOLOGY.replace("NAME", name)
    for word, topic in zip(("REAL", "SYNTHETIC", "OUT", "ALERTS"), topics):
        text = text.replace(word, topic)
    path.write_text(text)
    return path


def windows(kafka, topic):
    found = {}
    for value in kafka.values(topic):
        window = json.loads(value)
        found.setdefault((window["region"], window["window_end"]), []).append(bytes(value))
    return found


@pytest.fixture
def cluster(kafka, unique, tmp_path):
    started = Cluster(kafka.brokers, unique, tmp_path)
    yield started
    started.end()
    print(started.logs(3000))


def test_windows_of_a_disturbed_run_are_those_of_a_calm_one(kafka, unique, runs, cluster,
                                                            tmp_path):
    real, synthetic = list(records(1, 0)), list(records(2, 3))
    inputs = [kafka.create(f"{unique}-{name}", PARTITIONS) for name in ("real", "synthetic")]
    moving, alerts, calm, calm_alerts = (kafka.create(f"{unique}-{name}", PARTITIONS)
                                         for name in ("out", "alerts", "calm", "calm-alerts"))

    def feed(first, last, pause):
        for start in range(first, last, 100):
            for topic, given in zip(inputs, (real, synthetic)):
                kafka.produce(topic, given[start:start + 100], PARTITIONS)
            time.sleep(pause)

    feed(0, RECORDS // 4, 0)
    cluster.coordinator()
    first = cluster.worker(threads=1)
    cluster.submit(topology(tmp_path / "moving.yaml", unique, (*inputs, moving, alerts)))
    cluster.wait_running(PARTITIONS)
    wait_until(lambda: windows(kafka, moving), 60, what="first windows")
    writer = threading.Thread(target=feed, args=(RECORDS // 4, RECORDS, 0.1))
    writer.start()
    cluster.worker(threads=1)
    cluster.worker(threads=1)
    wait_until(lambda: len({task["worker"] for task in cluster.tasks()
                            if task["role"] == "active"}) == 3, 60, 0.2, "a task on each worker")
    first.kill()
    writer.join(120)

    path = topology(tmp_path / "calm.yaml", unique + "-calm", (*inputs, calm, calm_alerts))
    code, _, err = runs(path, brokers=kafka.brokers, cluster=unique + "-calm",
                        state=tmp_path / "state", until_end=True).wait(120)
    assert code == 0, err
    expected = windows(kafka, calm)
    last = max(end for _, end in expected) - WINDOW_MS  # the last ones stay open in the cluster
    closed = {key for key in expected if key[1] <= last}
    wait_until(lambda: closed <= set(windows(kafka, moving)), 90, what="all windows")
    found = windows(kafka, moving)
    differing = [key for key in closed if found[key] != expected[key]]
    assert not differing, (len(differing), expected[differing[0]], found[differing[0]])
    judged = [json.loads(one[0]) for one in expected.values()]
    assert all(len(one) == 1 for one in expected.values())
    assert {window["exact"] for window in judged} == {True, False}
    assert {window["passed"] for window in judged} >= {True, False}
    told = {(alert["key"], alert["event_time"]): alert for alert in
            map(json.loads, kafka.values(alerts))}
    failed = {(window["region"], window["window_end"]) for window in judged
              if window["passed"] is False and window["window_end"] <= last}
    assert len(failed) > 3 and len(told) >= len(failed)
