"""quality.checkpoint and quality.score while workers are killed and tasks move: which records pass
and fail, with which others, and the places of those that violate a check, are those of a model
that reads the source topic in one go."""

import json
import random
import statistics
import threading
import time
from collections import defaultdict

import pytest

from cluster import Cluster, wait_until

PARTITIONS, KEYS, RECORDS = 4, 20, 6000
BATCH, WINDOW, DELAY = 7, 400, 100
FIRST = 1_700_000_000_000

TOPOLOGY = """
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: {name}}}
spec:
  commit_interval: 100ms
  sources:
    - name: readings
      type: kafka
      topic: {name}-in
      key: [sensor]
      timestamp: ts
      watermark: {{max_delay: {delay}ms}}
      schema: {{sensor: string, serial: int, id: int, ts: int, value: double}}
  operators:
    - name: batches
      type: quality.checkpoint
      from: readings
      key: [sensor]
      window: {{count: {batch}}}
      max_wait: 1d
      checks:
        - {{name: plausible, field: value, expect: between, max: 30, mostly: 0.8}}
        - {{name: mean, field: value, expect: mean_between, min: 18.5, max: 21.5}}
        - {{name: once, field: id, expect: unique, severity: critical}}
    - name: windows
      type: quality.checkpoint
      from: readings
      key: [sensor]
      window: {{tumbling: {window}ms}}
      checks:
        - {{name: enough, expect: row_count_between, min: 3}}
        - {{name: present, field: value, expect: not_null, mostly: 0.75}}
        - {{name: low, where: '!has(record.value) || value < 40.0'}}
    - name: score
      type: quality.score
      from: readings
      key: [sensor]
      fields: [value]
      identity: [id]
      window: {{count: 60}}
      warmup: 20
  sinks:
    - {{name: scored, type: kafka, topic: {name}-scored, from: score, key: [sensor]}}
    - {{name: b-pass, type: kafka, topic: {name}-b-pass, from: batches, key: [sensor]}}
    - {{name: b-fail, type: kafka, topic: {name}-b-fail, from: batches.fail, key: [sensor]}}
    - {{name: b-results, type: kafka, topic: {name}-b-results, from: batches.results, key: [key]}}
    - {{name: w-pass, type: kafka, topic: {name}-w-pass, from: windows, key: [sensor]}}
    - {{name: w-fail, type: kafka, topic: {name}-w-fail, from: windows.fail, key: [sensor]}}
    - {{name: w-results, type: kafka, topic: {name}-w-results, from: windows.results, key: [key]}}
"""
TARGETS = ["b-pass", "b-fail", "b-results", "w-pass", "w-fail", "w-results", "scored"]


def readings():
    """Some values missing, far off or without a number, some records sent again; out of order by
    less than the watermark's delay. The last record of each sensor closes its windows."""
    chance = random.Random(9)
    rows, kept = [], []
    for n in range(RECORDS):
        row = {"sensor": f"s{chance.randrange(KEYS)}", "serial": n, "id": n, "ts": FIRST + 5 * n,
               "value": round(chance.gauss(20, 2), 3)}
        if chance.random() < 0.03:
            row["value"] = 60.0
        if chance.random() < 0.03:
            del row["value"]
        if kept and chance.random() < 0.01:
            again = chance.choice(kept[-100:])
            row["sensor"], row["id"] = again["sensor"], again["id"]
        kept.append(row)
        rows.append((5 * n + chance.random() * (DELAY - 20), row))
    rows = [row for _, row in sorted(rows, key=lambda pair: pair[0])]
    ends = [{"sensor": f"s{k}", "serial": RECORDS + k, "id": -1 - k, "ts": FIRST + 3_600_000,
             "value": 20.0} for k in range(KEYS)]
    return [(row["sensor"].encode(), json.dumps(row).encode()) for row in rows + ends]


def judge_batch(rows):
    values = [row["value"] for row in rows if "value" in row]
    seen, violated = set(), defaultdict(list)
    for index, row in enumerate(rows):
        if row.get("value", 0) > 30:
            violated["plausible"].append(index)
        if row["id"] in seen:
            violated["once"].append(index)
        seen.add(row["id"])
    failed = []
    if values and (len(values) - len(violated["plausible"])) / len(values) < 0.8:
        failed.append("plausible")
    if values and not 18.5 <= sum(values) / len(values) <= 21.5:
        failed.append("mean")
    if violated["once"]:
        failed.append("once")
    return failed, violated


def judge_window(rows):
    violated = defaultdict(list)
    for index, row in enumerate(rows):
        if "value" not in row:
            violated["present"].append(index)
        elif row["value"] >= 40:
            violated["low"].append(index)
    failed = ["enough"] if len(rows) < 3 else []
    if 1 - len(violated["present"]) / len(rows) < 0.75:
        failed.append("present")
    if violated["low"]:
        failed.append("low")
    return failed, violated


def model(kafka, topic):
    """Units of the source topic's records: a list of rows with their places, and how to judge."""
    batches, windows = [], {}
    for partition, messages in kafka.read(topic).items():
        open_batches = defaultdict(list)
        for message in messages:
            row = json.loads(message.value())
            row["place"] = (topic, partition, message.offset())
            batch = open_batches[row["sensor"]]
            batch.append(row)
            if len(batch) == BATCH:
                batches.append(open_batches.pop(row["sensor"]))
            windows.setdefault((row["sensor"], row["ts"] // WINDOW), []).append(row)
    last = (FIRST + 3_600_000) // WINDOW
    whole = [rows for (_, number), rows in windows.items() if number != last]
    return [(rows, *judge_batch(rows)) for rows in batches], [
        (rows, *judge_window(rows)) for rows in whole]


def scores(kafka, topic):
    """By the records' serial numbers: score, outlier, duplicate."""
    found = {}
    for messages in kafka.read(topic).values():
        values, ids, marks = defaultdict(list), defaultdict(list), defaultdict(list)
        for row in (json.loads(message.value()) for message in messages):
            sensor, outlier = row["sensor"], False
            before = values[sensor][-60:]
            if "value" in row:
                if len(before) >= 20:
                    middle = statistics.median(before)
                    scale = 1.4826 * statistics.median(abs(one - middle) for one in before)
                    outlier = abs(row["value"] - middle) / max(scale, 1e-9) > 3.5
                values[sensor].append(row["value"])
            duplicate = row["id"] in ids[sensor][-60:]
            ids[sensor].append(row["id"])
            marks[sensor].append(outlier or duplicate)
            last = marks[sensor][-60:]
            found[row["serial"]] = ((len(last) - sum(last)) / len(last), outlier, duplicate)
    return found


def expected_of(units):
    passed, failed, results = {}, {}, []
    for rows, names, violated in units:
        for index, row in enumerate(rows):
            own = sorted(name for name, places in violated.items() if index in places)
            (failed if names else passed)[row["serial"]] = (names, own, len(rows))
        offenders = {name: [rows[index]["place"] for index in places][:8]
                     for name, places in sorted(violated.items()) if places}
        results.append((rows[0]["sensor"], len(rows), not names, names, offenders))
    return passed, failed, sorted(results, key=repr)


def found_of(kafka, name, kind):
    ways = []
    for way in ("pass", "fail"):
        values = [json.loads(value) for value in kafka.values(f"{name}-{kind}-{way}")]
        rows = {value["serial"]: (value["quality"]["failed"], sorted(value["quality"]["violated"]),
                             value["quality"]["records"]) for value in values}
        assert len(rows) == len(values), "a record left twice"
        assert all(value["quality"]["passed"] == (way == "pass") for value in values)
        ways.append(rows)
    results = []
    for value in map(json.loads, kafka.values(f"{name}-{kind}-results")):
        offenders = {check["name"]: [tuple(place.values()) for place in check["offenders"]]
                     for check in sorted(value["checks"], key=lambda check: check["name"])
                     if check["offenders"]}
        results.append((value["key"], value["records"], value["passed"], value["failed"],
                        offenders))
    return ways[0], ways[1], sorted(results, key=repr)


def feed(kafka, topic, given, pause):
    for first in range(0, len(given), 150):
        kafka.produce(topic, given[first:first + 150], PARTITIONS)
        time.sleep(pause)


@pytest.fixture
def cluster(kafka, unique, tmp_path):
    started = Cluster(kafka.brokers, unique, tmp_path)
    yield started
    started.end()
    print(started.logs(3000))


def disturb(cluster, kafka, target):
    """Kill the only worker twice, then let three more take tasks, and kill the first for good."""
    for count in (200, 700):
        wait_until(lambda least=count: len(kafka.values(target)) >= least, 60, what="outputs")
        cluster.workers["w0"].kill()
        cluster.workers["w0"].start()
    for _ in range(3):
        cluster.worker(threads=1)

    def spread():
        tasks = [task for task in cluster.tasks() if task["role"] == "active"]
        return len({task["worker"] for task in tasks}) == 4 and all(
            task["state"] == "running" and not task["moving_to"] for task in tasks)

    wait_until(spread, 60, 0.2, "one task on each of four workers")
    cluster.workers["w0"].kill()


def test_verdicts_are_the_models_across_kills_and_a_rescale(kafka, unique, cluster, tmp_path):
    given = readings()
    source = kafka.create(f"{unique}-in", PARTITIONS)
    for target in TARGETS:
        kafka.create(f"{unique}-{target}", PARTITIONS)
    path = tmp_path / "quality.yaml"
    path.write_text(TOPOLOGY.format(name=unique, batch=BATCH, window=WINDOW, delay=DELAY))
    cluster.coordinator()
    cluster.worker("w0", threads=1)
    kafka.produce(source, given[:600], PARTITIONS)
    cluster.submit(path)
    cluster.wait_running(PARTITIONS)
    writer = threading.Thread(target=feed, args=(kafka, source, given[600:], 0.25))
    writer.start()
    disturb(cluster, kafka, f"{unique}-w-pass")
    moved_at = len(kafka.values(f"{unique}-w-pass"))
    writer.join(120)
    batches, windows = model(kafka, source)
    expected = {"b": expected_of(batches), "w": expected_of(windows)}

    def all_came():
        wanted = {f"{kind}-results": len(expected[kind][2]) for kind in expected}
        wanted["scored"] = len(given)
        return all(len(kafka.values(f"{unique}-{topic}")) >= count
                   for topic, count in wanted.items())

    wait_until(all_came, 90, 0.5, "all results")
    time.sleep(1)
    print("passed when the tasks had moved:", moved_at)
    for kind, (passed, failed, results) in expected.items():
        assert len(passed) > RECORDS / 8 and len(failed) > RECORDS / 8, kind
        found = found_of(kafka, unique, kind)
        for what, left, right in zip(("passed", "failed"), (passed, failed), found):
            assert left == right, (kind, what, sorted(set(left) ^ set(right))[:5])
        assert results == found[2], kind
    scored = [json.loads(value) for value in kafka.values(f"{unique}-scored")]
    assert len(scored) == len(given)
    names = ("score", "outlier", "duplicate")
    found = {row["serial"]: tuple(row["quality"][name] for name in names) for row in scored}
    assert found == scores(kafka, source)
    assert sum(outlier for _, outlier, _ in found.values()) > 50
    assert sum(duplicate for _, _, duplicate in found.values()) > 20
