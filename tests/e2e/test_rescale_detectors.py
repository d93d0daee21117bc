"""A rescale from one worker to four in the middle of a series: scores of detectors with state of
different shapes equal those of an undisturbed run, as text."""

import json
import random
import threading
import time

import pytest

from cluster import Cluster, wait_until

PARTITIONS, KEYS, RECORDS = 4, 24, 4800
# An object alone, a window in slots, trees over pages, a forest that is expanded in memory, moments
# of several fields, and scores that are calibrated in a second table; rings of numbers and of
# points with what is derived from them, tails, seasons, known values, and change detectors.
DETECTORS = [
    ("zscore", "type: detect.zscore", "field: value, learn: normal_only, suppress: {count: 5}"),
    ("robust", "type: detect.robust_z", "field: value, window: {count: 40}, warmup: 10"),
    ("trees", "type: detect.half_space_trees",
     "fields: [value, other], trees: 5, depth: 6, window_size: 30"),
    ("forest", "type: detect.random_cut_forest",
     "fields: [value, other], trees: 5, sample: 32, shingle: 2"),
    ("distance", "type: detect.mahalanobis", "fields: [value, other], warmup: 10"),
    ("tail", "type: detect.ewma", "field: value, calibrate: {conformal: 50, rate: 0.05}"),
    ("hampel", "type: detect.hampel", "field: value, window: {count: 40}, warmup: 10"),
    ("extremes", "type: detect.spot", "field: value, init: 60, level: 0.9, excesses: 20"),
    ("drifting", "type: detect.dspot", "field: value, init: 60, level: 0.9, depth: 10"),
    ("histograms", "type: detect.loda", "fields: [value, other], window_size: 40"),
    ("isolation", "type: detect.isolation_forest",
     "fields: [value, other], trees: 5, sample: 32, window: 64, step: 32, warmup: 32"),
    ("neighbours", "type: detect.knn_cad", "field: value, warmup: 60, shingle: 4, neighbours: 5"),
    ("surprise", "type: detect.relative_entropy",
     "field: value, window: {count: 10}, warmup: 20, range: {minimum: 14, maximum: 26}, bins: 4"),
    ("nearest", "type: detect.nearest", "field: value, shingle: 2, points: 50, warmup: 10"),
    ("motif", "type: detect.matrix_profile",
     "field: value, window_size: 60, subsequence: 8, warmup: 20"),
    ("season", "type: detect.forecast",
     "field: value, season: additive, period: 8, warmup: 20"),
    ("spectrum", "type: detect.spectral_residual", "field: value, window_size: 32"),
    ("rare", "type: detect.rare_value", "field: kind, warmup: 10"),
    ("change", "type: drift.adwin", "field: value"),
    ("slope", "type: drift.page_hinkley", "field: value"),
]


def topology(path, name, source, target):
    operators, before = [], "readings"
    for member, kind, options in DETECTORS:
        operators.append(f"    - {{name: {member}, {kind}, from: {before}, key: [sensor], "
                         f"as: {member}, {options}}}")
        before = member
    text = "\n".join(operators)
    path.write_text(f"""apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: {name}}}
spec:
  commit_interval: 100ms
  sources:
    - {{name: readings, type: kafka, topic: {source}, key: [sensor], timestamp: ts}}
  operators:
{text}
  sinks:
    - {{name: results, type: kafka, from: {before}, topic: {target}, key: [sensor]}}
""")
    return path


def records():
    chance = random.Random(5)
    for number in range(RECORDS):
        sensor = f"s{chance.randrange(KEYS)}"
        value = chance.gauss(20, 2) + (30 if chance.random() < 0.02 else 0)
        record = {"id": number, "sensor": sensor, "ts": 1_700_000_000_000 + number,
                  "value": value, "other": 0.5 * value + chance.gauss(0, 1),
                  "kind": "abc"[min(chance.randrange(12) // 5, 2)]}
        yield sensor.encode(), json.dumps(record).encode()


def feed(kafka, topic, given, pause):
    """In small steps, so that tasks move while records come."""
    for first in range(0, len(given), 100):
        kafka.produce(topic, given[first:first + 100], PARTITIONS)
        time.sleep(pause)


def outputs(kafka, topic):
    """Each output as text, by its id: how often it came is part of the result."""
    found = {}
    for value in kafka.values(topic):
        found.setdefault(json.loads(value)["id"], []).append(bytes(value))
    return found


@pytest.fixture
def cluster(kafka, unique, tmp_path):
    started = Cluster(kafka.brokers, unique, tmp_path)
    yield started
    started.end()
    print(started.logs(3000))


def test_scores_of_a_rescaled_run_are_those_of_an_undisturbed_one(kafka, unique, runs, cluster,
                                                                  tmp_path):
    given = list(records())
    source = kafka.create(unique + "-in", PARTITIONS)
    target = kafka.create(unique + "-out", PARTITIONS)
    calm = kafka.create(unique + "-calm", PARTITIONS)
    kafka.produce(source, given[:RECORDS // 4], PARTITIONS)
    cluster.coordinator()
    cluster.worker(threads=1)
    cluster.submit(topology(tmp_path / "moving.yaml", unique, source, target))
    cluster.wait_running(PARTITIONS)
    wait_until(lambda: len(outputs(kafka, target)) >= RECORDS // 8, 60, what="first outputs")
    writer = threading.Thread(target=feed, args=(kafka, source, given[RECORDS // 4:], 0.1))
    writer.start()
    for _ in range(3):
        cluster.worker(threads=1)

    def spread():
        tasks = [task for task in cluster.tasks() if task["role"] == "active"]
        return len(tasks) == PARTITIONS and len({task["worker"] for task in tasks}) == 4 and all(
            task["state"] == "running" and not task["moving_to"] for task in tasks)

    wait_until(spread, 60, 0.2, "one task on each of four workers")
    moved_at = len(outputs(kafka, target))
    writer.join(120)
    wait_until(lambda: len(outputs(kafka, target)) >= RECORDS, 60, what="all outputs")

    path = topology(tmp_path / "calm.yaml", unique + "-calm", source, calm)
    code, _, err = runs(path, brokers=kafka.brokers, cluster=unique + "-calm",
                        state=tmp_path / "state", until_end=True).wait(120)
    assert code == 0, err
    expected, found = outputs(kafka, calm), outputs(kafka, target)
    assert len(expected) == RECORDS and all(len(one) == 1 for one in expected.values())
    print("outputs when the tasks had moved:", moved_at, "of", RECORDS)
    for member, _, _ in DETECTORS:
        judged = [json.loads(one[0])[member] for one in expected.values()]
        assert sum(one["score"] > 0 for one in judged) > RECORDS / 10, member
        assert len({one["score"] for one in judged}) > RECORDS / 50, member
    differing = [number for number, one in expected.items() if found.get(number) != one]
    assert not differing, (len(differing), expected[differing[0]], found.get(differing[0]))
