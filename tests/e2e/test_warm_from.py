"""`warm_from`: a detector starts in the past, learns it, and tells only of what comes after it went
live; a kill in the middle of the history changes nothing."""

import json
import time

HOUR = 3_600_000
KEYS = 8


def topology(path, name, source, target, warm, start=""):
    path.write_text(f"""apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: {name}}}
spec:
  commit_interval: 50ms
  sources:
    - {{name: readings, type: kafka, topic: {source}, key: [sensor], timestamp: ts{start}}}
  operators:
    - {{name: score, type: detect.zscore, from: readings, key: [sensor], field: value, {warm}}}
  sinks:
    - {{name: results, type: kafka, from: score, topic: {target}, key: [sensor]}}
""")
    return path


def reading(number, time_ms):
    sensor = f"s{number % KEYS}"
    record = {"id": number, "sensor": sensor, "ts": time_ms, "value": 20 + number * 7919 % 101}
    return sensor.encode(), json.dumps(record).encode(), time_ms


def counts(kafka, topic):
    """How many earlier records of its key each output knew, by its id."""
    found = {}
    for value in kafka.values(topic):
        record = json.loads(value)
        assert record["id"] not in found
        found[record["id"]] = record["anomaly"]["count"]
    return found


def test_history_is_learned_and_not_emitted(kafka, unique, runs, tmp_path):
    source, target = kafka.create(unique + "-in"), kafka.create(unique + "-out")
    now = int(time.time() * 1000)
    old = [reading(number, now - 5 * HOUR + number) for number in range(400)]
    recent = [reading(number, now - 2 * HOUR + number) for number in range(400, 20_400)]
    kafka.produce(source, old + recent)
    path = topology(tmp_path / "warm.yaml", unique, source, target, "warm_from: {since: 3h}")
    common = {"brokers": kafka.brokers, "cluster": unique, "state": tmp_path / "state"}
    first = runs(path, **common)
    time.sleep(1.5)  # wherever it is by then
    first.kill()
    code, _, err = runs(path, until_end=True, **common).wait(120)
    assert code == 0, err
    assert not counts(kafka, target)

    # The moment is that of the first start: what was written between two starts is live.
    later = int(time.time() * 1000) + 1000
    kafka.produce(source, [reading(number, later + number) for number in range(20_400, 20_480)])
    time.sleep(1.1)
    code, _, err = runs(path, until_end=True, **common).wait(120)
    assert code == 0, err
    found = counts(kafka, target)
    assert sorted(found) == list(range(20_400, 20_480))
    # Each key learned its 2,500 records of the last three hours, once, and none from before.
    assert all(found[number] == 2500 + (number - 20_400) // KEYS for number in found)


def test_history_may_be_emitted(kafka, unique, runs, tmp_path):
    source, target = kafka.create(unique + "-in"), kafka.create(unique + "-out")
    now = int(time.time() * 1000)
    kafka.produce(source, [reading(number, now - 5 * HOUR + number) for number in range(80)])
    kafka.produce(source, [reading(number, now - 2 * HOUR + number) for number in range(80, 160)])
    path = topology(tmp_path / "warm.yaml", unique, source, target,
                    "warm_from: {since: 3h, emit: true}")
    code, _, err = runs(path, brokers=kafka.brokers, cluster=unique, state=tmp_path / "state",
                        until_end=True).wait(120)
    assert code == 0, err
    assert sorted(counts(kafka, target)) == list(range(80, 160))


def test_where_the_source_cannot_go_back_is_refused(unique, runs, tmp_path):
    path = topology(tmp_path / "warm.yaml", unique, "in", "out", "warm_from: {since: 3h}",
                    ", start: latest")
    code, _, err = runs(path, until_end=True).wait(60)
    assert code == 1
    assert "leave out 'start'" in err
