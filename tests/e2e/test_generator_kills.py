"""Generators over a real Kafka while their processes are killed with -9: the same bytes as of a
calm run, each once, with one worker and four, and on one processor and all of them."""

import json
import os
import random
import threading
import time
from collections import Counter

import pytest

from cluster import Cluster, wait_until
from millrace import ROOT

PARTITIONS = 2
COUNT, RATE = 24_000, "8000/s"  # of each source: three seconds and more
STATES = ("[{name: idle, next: [busy, down], weights: [9, 1], dwell: gamma, mean: 40ms}, "
          "{name: busy, next: [idle], dwell: lognormal, mean: 70ms, value: 5, value_sd: 1}, "
          "{name: down, mean: 90ms, label: fault}]")
FIELDS = ("[{name: key, holds: key}, {name: ts, holds: time}, {name: v, ar: [0.6], noise: 2}, "
          "{name: id, holds: anomaly_id}, {name: bad, holds: is_anomaly}]")
ANOMALIES = ("[{kind: spike, share: 0.01, size: 12}, {kind: gap, share: 0.01}, "
             "{kind: duplicate, share: 0.01}]")
SOURCES = {
    "sequence": "",
    "random": "keys: 50, fields: [{name: k, distribution: key}, {name: v, distribution: normal}]",
    "datagen": ("fields: [{name: id, rule: uuid}, {name: sku, rule: regex, pattern: '[A-Z]{3}'}, "
                "{name: z, rule: zipf, minimum: 1, maximum: 1000}]"),
    "timeseries": f"keys: 8, fields: {FIELDS}, anomalies: {ANOMALIES}",
    "nexmark": "",
    "shuffle": "record_bytes: 60",
    "markov": f"keys: 6, states: {STATES}",
    "bootstrap": f"model: {ROOT}/examples/models/machines.json",
    "copula": f"model: {ROOT}/examples/models/people.json",
    "network": f"model: {ROOT}/examples/models/placements.json",
}


def sources_topology(path, name, topic):
    """Each source with what its records say of their place behind it."""
    sources = "\n".join(
        f"    - {{name: {one}, type: generate.{one}, partitions: {PARTITIONS}, count: {COUNT}, "
        f"rate: {RATE}{', ' if options else ''}{options}}}" for one, options in SOURCES.items())
    operators = "\n".join(
        f"    - {{name: {one}-at, type: map, from: {one}, set: {{made_by: '\"{one}\"', "
        "at_partition: meta.partition, at_offset: meta.offset}}" for one in SOURCES)
    sinks = "\n".join(
        f"    - {{name: {one}-out, type: kafka, from: {one}-at, topic: {topic}}}"
        for one in SOURCES)
    path.write_text(f"""apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: {name}}}
spec:
  commit_interval: 50ms
  sources:
{sources}
  operators:
{operators}
  sinks:
{sinks}
""")
    return path


def by_source(values):
    found = {one: Counter() for one in SOURCES}
    for value in values:
        found[json.loads(value)["made_by"]][bytes(value)] += 1
    return found


def same(found, wanted):
    for one in SOURCES:
        missing, more = wanted[one] - found[one], found[one] - wanted[one]
        assert not missing and not more, (one, len(missing), len(more), min(missing, default=""),
                                          min(more, default=""))


def committed(kafka, topic):
    return sum(kafka.ends(topic).values())


def killed(kafka, path, topic, runs, words, kills=3, seed=1):
    """A run that is killed so often while it writes, and one to the end."""
    chance = random.Random(seed)
    seen = set()
    for _ in range(kills):
        before = sum(kafka.ends(topic, committed=False).values())
        run = runs(path, **words)
        deadline = time.time() + 30
        while sum(kafka.ends(topic, committed=False).values()) == before:
            assert time.time() < deadline and run.alive(), "nothing is written"
            time.sleep(0.01)
        time.sleep(0.1 + chance.random() * 0.4)
        run.kill()
        seen.add(committed(kafka, topic))
    code, _, log = runs(path, until_end=True, **words).wait(120)
    assert code == 0, log
    assert len(seen | {committed(kafka, topic)}) >= 3, f"the kills came too late: {seen}"


@pytest.fixture
def cluster(kafka, unique, tmp_path):
    started = Cluster(kafka.brokers, f"{unique}-four", tmp_path)
    yield started
    started.end()
    print(started.logs(2000))


def test_sources_make_the_same_bytes_anywhere(kafka, unique, runs, cluster, tmp_path):
    calm, killed_topic, four = (kafka.create(f"{unique}-{run}") for run in ("calm", "kill", "four"))
    processors = os.sched_getaffinity(0)
    path = sources_topology(tmp_path / "calm.yaml", "calm", calm)
    os.sched_setaffinity(0, {min(processors)})  # its threads inherit it
    try:
        run = runs(path, brokers=kafka.brokers, cluster=f"{unique}-calm", threads=1,
                   state=tmp_path / "calm", until_end=True)
    finally:
        os.sched_setaffinity(0, processors)
    code, _, log = run.wait(120)
    assert code == 0, log
    wanted = by_source(kafka.values(calm))
    for one, records in wanted.items():
        # What is missing in gaps and what comes twice is counted, too.
        assert 0.95 * COUNT <= sum(records.values()) <= COUNT, one
        assert max(records.values()) == 1, one

    path = sources_topology(tmp_path / "kill.yaml", "kill", killed_topic)
    killed(kafka, path, killed_topic, runs,
           {"brokers": kafka.brokers, "cluster": f"{unique}-kill", "threads": 2,
            "state": tmp_path / "kill"})
    same(by_source(kafka.values(killed_topic)), wanted)

    cluster.coordinator()
    workers = [cluster.worker(threads=1) for _ in range(4)]
    wait_until(lambda: len(cluster.get("/v1/workers")["workers"]) == 4, what="four workers")
    cluster.submit(sources_topology(tmp_path / "four.yaml", "four", four))
    total = sum(sum(records.values()) for records in wanted.values())
    for victim in workers[:2]:
        before = committed(kafka, four)
        wait_until(lambda: committed(kafka, four) > before, 60, what="records of four workers")
        victim.kill()
        victim.start()
    wait_until(lambda: committed(kafka, four) >= total, 90, 0.3, "all records of four workers")
    same(by_source(kafka.values(four)), wanted)


LEARNERS = """apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: learners}}
spec:
  commit_interval: 50ms
  sources:
    - {{name: machines, type: kafka, topic: {name}-machines, key: [machine], timestamp: ts}}
  operators:
    - name: like
      type: generate.bootstrap
      learn: machines
      key: [machine]
      fields: [status, load, parts]
      ratio: 0.5
      half_life: 500
      min_records: 300
      reservoir: 300
    - name: sequences
      type: generate.markov
      learn: machines
      key: [machine]
      field: status
      chain_order: 2
      keys: 5
      half_life: 2000
      min_records: 60
  sinks:
    - {{name: rows, type: kafka, from: like, topic: {name}-rows-{run}}}
    - {{name: states, type: kafka, from: sequences, topic: {name}-rows-{run}}}
"""


def machines(count):
    chance = random.Random(3)
    states = {}
    for number in range(count):
        machine = f"m{number % 12}"
        if chance.random() < 0.3:
            states[machine] = chance.choice(["idle", "busy", "down"])
        status = states.get(machine, "idle")
        row = {"machine": machine, "ts": 1_700_000_000_000 + 10 * number, "status": status,
               "load": round(chance.gauss({"busy": 80}.get(status, 20), 6), 2),
               "parts": chance.randrange(5) if status == "busy" else None}
        yield machine.encode(), json.dumps(row).encode()


def test_learners_that_are_killed(kafka, unique, runs, tmp_path):
    """A feed of some seconds, meanwhile kills; what was made is that of a run over all of it."""
    source = kafka.create(f"{unique}-machines")
    records = list(machines(40_000))

    def feed():
        for first in range(0, len(records), 800):
            kafka.produce(source, records[first:first + 800])
            time.sleep(0.1)

    topics = {run: kafka.create(f"{unique}-rows-{run}") for run in ("kill", "calm")}
    paths = {}
    for run in topics:
        paths[run] = tmp_path / f"{run}.yaml"
        paths[run].write_text(LEARNERS.format(name=unique, run=run))
    writer = threading.Thread(target=feed)
    writer.start()
    words = {"brokers": kafka.brokers, "cluster": f"{unique}-kill", "threads": 2,
             "state": tmp_path / "kill"}
    killed(kafka, paths["kill"], topics["kill"], runs, words, kills=5)
    writer.join(120)
    code, _, log = runs(paths["kill"], until_end=True, **words).wait(120)
    assert code == 0, log
    code, _, log = runs(paths["calm"], until_end=True, brokers=kafka.brokers, threads=1,
                        cluster=f"{unique}-calm", state=tmp_path / "calm").wait(120)
    assert code == 0, log
    found, wanted = (Counter(kafka.values(topics[run])) for run in ("kill", "calm"))
    assert found == wanted, (len(found - wanted), len(wanted - found))
    made = [json.loads(value) for value in wanted.elements()]
    rows = [row for row in made if "sequence" not in row]
    assert len(rows) > 15_000 and len(made) - len(rows) > 1000
    assert {row["status"] for row in rows} == {"idle", "busy", "down"}


JUDGED = f"""apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: judged}}
spec:
  commit_interval: 50ms
  sources:
    - {{name: series, type: generate.timeseries, partitions: 2, keys: 8, count: 30000, rate: 8000/s,
       step: 100ms, key: [key], watermark: {{max_delay: 10s}}, fields: {FIELDS},
       anomalies: {ANOMALIES}}}
    - {{name: network, type: generate.network, partitions: 2, count: 30000, rate: 8000/s,
       model: {ROOT}/tests/golden/operators/network_model.json}}
  operators:
    - {{name: score, type: detect.robust_z, from: series, key: [key], field: v, threshold: 4}}
    - {{name: quality, type: evaluate.detection, from: score, key: [key], is_anomaly: bad,
       anomaly_id: id, detection: anomaly.is_anomaly, window: {{tumbling: 2m}}}}
  sinks:
    - {{name: rows, type: kafka, from: network, topic: TOPIC}}
    - {{name: judged, type: kafka, from: quality, topic: TOPIC}}
"""


def test_a_network_and_judged_detections_that_are_killed(kafka, unique, runs, tmp_path):
    topics = {run: kafka.create(f"{unique}-{run}") for run in ("kill", "calm")}
    paths = {}
    for run, topic in topics.items():
        paths[run] = tmp_path / f"{run}.yaml"
        paths[run].write_text(JUDGED.replace("TOPIC", topic))
    killed(kafka, paths["kill"], topics["kill"], runs,
           {"brokers": kafka.brokers, "cluster": f"{unique}-kill", "threads": 2,
            "state": tmp_path / "kill"}, kills=4)
    code, _, log = runs(paths["calm"], until_end=True, brokers=kafka.brokers, threads=1,
                        cluster=f"{unique}-calm", state=tmp_path / "calm").wait(120)
    assert code == 0, log
    found, wanted = (Counter(kafka.values(topics[run])) for run in ("kill", "calm"))
    assert found == wanted, (len(found - wanted), len(wanted - found))
    made = [json.loads(value) for value in wanted.elements()]
    judged = [row for row in made if "precision" in row]
    assert len(made) - len(judged) == 30000
    assert len({(row["key"], row["window_end"]) for row in judged}) == len(judged) > 8 * 20
    assert sum(row["episodes"] for row in judged) > 100
