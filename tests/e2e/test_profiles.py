"""quality.profile and quality.duplicates while workers are killed and tasks move: what they write
is, as text, what an undisturbed run writes, and says what a model says that reads the source topic
in one go: of profiles all that is exact, of duplicates the marks, how many there were and where the
first one stands; Bloom filters miss none of them."""

import json
import random
import statistics
import threading
import time
from collections import Counter, defaultdict

import pytest

from cluster import Cluster, wait_until

PARTITIONS, KEYS, RECORDS = 4, 16, 4800
WINDOW, DELAY, FRESH = 2000, 100, 300  # of profiles, ms
PROFILED, EVERY, TOP = 30, 10, 3  # of profiles by count, in records
SLIDING, LAST, LATENESS, RATE = 500, 8, 200, 0.02  # of duplicates
EXACT_DISTINCT = 30  # as the page says
FIRST = 1_700_000_000_000
END = FIRST + 3_600_000  # the last records, whose window stays open
MISSING = object()
# A pause in which values and keys are forgotten.
PAUSE = 20_000
SINKS = ["windows", "parts", "late", "low", "marks", "repeats", "time-alerts", "row-alerts"]

TOPOLOGY = """
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: {name}}}
spec:
  commit_interval: 100ms
  sources:
    - name: readings
      type: kafka
      topic: {source}
      key: [sensor]
      timestamp: ts
      watermark: {{max_delay: {delay}ms}}
  operators:
    - name: by-time
      type: quality.profile
      from: readings
      key: [sensor]
      fields: [id, value, unit]
      window: {{tumbling: {window}ms}}
      valid: {{value: 'value < 26.0'}}
      unique: [id]
      fresh_within: {fresh}ms
      threshold: 0.9
    - name: by-count
      type: quality.profile
      from: readings
      key: [sensor]
      fields: [id, value, unit]
      window: {{count: {profiled}, every: {every}}}
      valid: {{value: 'value < 26.0'}}
      unique: [id]
      top: {top}
      precision: 8
    - {{name: time, type: quality.duplicates, from: readings, key: [sensor], fields: [id],
       window: {{sliding: {sliding}ms}}, as: time}}
    - {{name: rows, type: quality.duplicates, from: time, key: [sensor], fields: [id],
       window: {{count: {last}}}, as: rows}}
    - {{name: time-bloom, type: quality.duplicates, from: rows, key: [sensor], fields: [id],
       window: {{sliding: {sliding}ms}}, as: time_bloom,
       bloom: {{rate: {rate}, capacity: 40, lateness: {lateness}ms}}}}
    - {{name: rows-bloom, type: quality.duplicates, from: time-bloom, key: [sensor], fields: [id],
       window: {{count: {last}}}, as: rows_bloom, bloom: {{rate: {rate}}}}}
  sinks:
    - {{name: windows, type: kafka, topic: {prefix}-windows, from: by-time, key: [sensor]}}
    - {{name: parts, type: kafka, topic: {prefix}-parts, from: by-count, key: [sensor]}}
    - {{name: late, type: kafka, topic: {prefix}-late, from: by-time.late, key: [sensor]}}
    - {{name: low, type: kafka, topic: {prefix}-low, from: by-time.alerts, key: [key]}}
    - {{name: marks, type: kafka, topic: {prefix}-marks, from: rows-bloom, key: [sensor]}}
    - {{name: repeats, type: kafka, topic: {prefix}-repeats, from: rows.duplicates, key: [sensor]}}
    - {{name: time-alerts, type: kafka, topic: {prefix}-time-alerts, from: time.alerts, key: [key]}}
    - {{name: row-alerts, type: kafka, topic: {prefix}-row-alerts, from: rows.alerts, key: [key]}}
"""


def on_time(n):
    return FIRST + 5 * n + (PAUSE if n > RECORDS // 2 else 0)


def readings():
    """(key, value, message's timestamp) of records, some sent again, with values that are missing,
    null, a text or too high; out of order by less than the watermark's delay, but for some that are
    late. The last record of each sensor closes its windows."""
    chance = random.Random(13)
    rows, kept = [], []
    for n in range(RECORDS):
        ts = on_time(n)
        row = {"sensor": f"s{chance.randrange(KEYS)}", "serial": n, "id": n, "ts": ts,
               "value": round(chance.gauss(20, 2), 1), "unit": chance.choice("KKKCCF")}
        drawn = chance.random()
        if drawn < 0.08:
            row["value"] = chance.choice([None, "high", 90.0, MISSING])
            if row["value"] is MISSING:
                del row["value"]
        elif drawn < 0.10:
            row["ts"] -= 15_000
        elif drawn < 0.25 and kept:
            again = chance.choice(kept[-200:])
            row["sensor"], row["id"] = again["sensor"], again["id"]
        if row["ts"] == ts:
            kept.append(row)
        rows.append((ts + chance.random() * (DELAY - 20), row))
    rows = [row for _, row in sorted(rows, key=lambda pair: pair[0])]
    rows += [{"sensor": f"s{k}", "serial": RECORDS + k, "id": -1 - k, "ts": END, "value": 20.0,
              "unit": "K"} for k in range(KEYS)]
    return [(row["sensor"].encode(), json.dumps(row).encode(),
             row["ts"] + chance.randrange(10, FRESH + 80)) for row in rows]


def by_sensor_of(kafka, topic):
    """The rows of each sensor in the order of the topic, with their places and their delays."""
    found = defaultdict(list)
    for partition, messages in kafka.read(topic).items():
        for message in messages:
            row = json.loads(message.value())
            row["place"] = {"topic": topic, "partition": partition, "offset": message.offset(),
                            "event_time": row["ts"]}
            row["delay"] = message.timestamp()[1] - row["ts"]
            found[row["sensor"]].append(row)
    return found


# ---- Profiles ----

def check_field(told, rows, name, rule):
    values = [row[name] for row in rows if row.get(name) is not None]
    missing, nulls = sum(name not in row for row in rows), sum(
        name in row and row[name] is None for row in rows)
    assert (told["count"], told["present"], told["missing"], told["null"]) == (
        len(rows), len(values), missing, nulls)
    assert told["completeness"] == len(values) / len(rows)
    kinds = {int: "double", float: "double", str: "string"}  # as numbers of no schema
    types = Counter(kinds[type(value)] for value in values)
    assert {kind: count for kind, count in told["types"].items() if count} == types
    if rule is not None:
        valid = sum(rule(value) for value in values)
        assert (told["valid"], told["invalid"]) == (valid, len(values) - valid)
        assert told["validity"] == (valid / len(values) if values else None)
    numbers = [value for value in values if not isinstance(value, str)]
    if numbers:
        assert (told["min"], told["max"]) == (min(numbers), max(numbers))
        assert told["mean"] == pytest.approx(statistics.fmean(numbers), rel=1e-12)
    if len(numbers) > 1:
        assert told["stddev"] == pytest.approx(statistics.stdev(numbers), rel=1e-9, abs=1e-9)
    counts = Counter(values)
    if len(counts) <= EXACT_DISTINCT:
        assert told["distinct"] == len(counts)
    else:
        assert abs(told["distinct"] / len(counts) - 1) < 0.25
    for one in told["frequent"]:
        assert one["count"] - one["error"] <= counts[one["value"]] <= one["count"]
    return len(counts) <= EXACT_DISTINCT


def check_profile(told, rows):
    """Whether all of its numbers are exact ones."""
    assert (told["records"], told["latest"]) == (len(rows), max(row["ts"] for row in rows))
    rules = {"value": lambda value: isinstance(value, float) and value < 26}
    exact = [check_field(told["fields"][name], rows, name, rules.get(name))
             for name in ("id", "value", "unit")]
    delays = [row["delay"] for row in rows]
    assert (told["delay"]["min"], told["delay"]["max"]) == (min(delays), max(delays))
    assert told["delay"]["mean"] == pytest.approx(statistics.fmean(delays), rel=1e-12)
    fields = told["fields"].values()
    assert told["completeness"] == pytest.approx(
        statistics.fmean(field["completeness"] for field in fields), rel=1e-12)
    assert told["validity"] == told["fields"]["value"]["validity"]
    if exact[0]:
        assert told["uniqueness"] == len({row["id"] for row in rows}) / len(rows)
    scores = [told[name] for name in ("completeness", "uniqueness", "validity", "freshness")
              if told[name] is not None]
    assert told["score"] == pytest.approx(statistics.fmean(scores), rel=1e-12)
    return all(exact)


def check_windows(profiles, late, rows):
    """Of one sensor. Returns how many profiles are exact in all, and how many have not passed."""
    behind = {row["serial"] for row in late}
    windows = defaultdict(list)
    for row in rows:
        if row["serial"] in behind:
            assert row["ts"] < on_time(row["serial"])
        elif row["ts"] < END:
            windows[row["ts"] // WINDOW * WINDOW].append(row)
    assert [told["window_start"] for told in profiles] == sorted(windows)
    exact = 0
    for told in profiles:
        window = windows[told["window_start"]]
        exact += check_profile(told, window)
        assert told["freshness"] == sum(row["delay"] <= FRESH for row in window) / len(window)
        assert told["passed"] == (told["score"] >= 0.9)
    return exact, sum(not told["passed"] for told in profiles)


def check_parts(profiles, rows):
    assert len(profiles) == len(rows) // EVERY
    for index, told in enumerate(profiles):
        end = (index + 1) * EVERY
        check_profile(told, rows[max(0, end - PROFILED):end])
        assert told["freshness"] is None
        assert all(len(field["frequent"]) <= TOP for field in told["fields"].values())


# ---- Duplicates ----

class Chains:
    """The equal records of a sensor: each one is near to another one of its chain."""

    def __init__(self):
        self.of_id = {}

    def take(self, row, near):
        """How many the row's chain has with it, and where its first one stands."""
        chain = self.of_id.get(row["id"], [])
        if not any(near(row, other) for other in chain):
            chain = self.of_id[row["id"]] = []
        chain.append(row)
        return len(chain), chain[0]["place"] if len(chain) > 1 else None


def near_in_time(row, other):
    return abs(row["ts"] - other["ts"]) < SLIDING


def near_in_rows(row, other):
    return row["number"] - other["number"] <= LAST


def check_marks(texts, rows):
    """Of one sensor. Returns how many are marked in each way, and, of the Bloom filters, how many
    without an equal one anywhere."""
    told = [json.loads(text) for text in texts]
    assert [one["serial"] for one in told] == [row["serial"] for row in rows]
    chains = {"time": (Chains(), near_in_time), "rows": (Chains(), near_in_rows)}
    marked, seen = Counter(), set()
    for number, (one, row) in enumerate(zip(told, rows)):
        row["number"] = number
        for kind, (known, near) in chains.items():
            count, first = known.take(row, near)
            mark, bloom = one[kind], one[kind + "_bloom"]
            assert (mark["passed"], mark["count"], mark["first"]) == (count == 1, count, first)
            assert mark["severity"] == ("info" if count == 1 else "warning")
            assert count == 1 or not bloom["passed"], "a filter missed one"
            assert bloom["count"] is None and bloom["first"] is None and bloom["load"] > 0
            marked[kind] += count > 1
            marked[kind + " as third"] += count > 2
            marked[kind + " for nothing"] += not bloom["passed"] and row["id"] not in seen
        seen.add(row["id"])
    marked["again"] = len(rows) - len(seen)
    return marked


# ---- The story ----

def topology(path, name, source, prefix):
    """name: the identities of alerts follow from it."""
    path.write_text(TOPOLOGY.format(
        name=name, source=source, prefix=prefix, delay=DELAY, window=WINDOW, fresh=FRESH,
        profiled=PROFILED, every=EVERY, top=TOP, sliding=SLIDING, last=LAST, rate=RATE,
        lateness=LATENESS))
    return path


def outputs(kafka, prefix):
    """Of each sink the texts in order, by sensor, without what the last records closed: the end of
    a run closes their windows, a topology that goes on leaves them open."""
    found = {}
    for sink in SINKS:
        by_sensor = found[sink] = defaultdict(list)
        for text in kafka.values(f"{prefix}-{sink}"):
            one = json.loads(text)
            if one.get("window_start" if sink == "windows" else "event_time", 0) < END or (
                    sink not in ("windows", "low")):
                by_sensor[one["key" if "record" in one else "sensor"]].append(bytes(text))
    return found


def count(by_sensor):
    return sum(len(texts) for texts in by_sensor.values())


def feed(kafka, topic, given, pause):
    for first in range(0, len(given), 100):
        kafka.produce(topic, given[first:first + 100], PARTITIONS)
        time.sleep(pause)


@pytest.fixture
def cluster(kafka, unique, tmp_path):
    started = Cluster(kafka.brokers, unique, tmp_path)
    yield started
    started.end()
    print(started.logs(3000))


def disturb(cluster, kafka, target):
    """Kill the only worker twice, then let three more take tasks, and kill the first for good."""
    for least in (200, 700):
        wait_until(lambda now=least: len(kafka.values(target)) >= now, 60, what="outputs")
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
    return len(kafka.values(target))


def calm_outputs(kafka, runs, name, source, folder):
    """What one process writes that reads all records and ends."""
    prefix = f"{name}-calm"
    for sink in SINKS:
        kafka.create(f"{prefix}-{sink}", PARTITIONS)
    path = topology(folder / "calm.yaml", name, source, prefix)
    code, _, err = runs(path, brokers=kafka.brokers, cluster=prefix, state=folder / "calm-state",
                        until_end=True).wait(120)
    assert code == 0, err
    return outputs(kafka, prefix)


def check_model(found, rows_of):
    exact, low, marked = 0, 0, Counter()
    for sensor, rows in rows_of.items():
        profiles = {sink: [json.loads(text) for text in found[sink][sensor]]
                    for sink in ("windows", "parts", "late")}
        whole, failed = check_windows(profiles["windows"], profiles["late"], rows)
        exact, low = exact + whole, low + failed
        check_parts(profiles["parts"], rows)
        marked += check_marks(found["marks"][sensor], rows)
    print("exact profiles:", exact, "not passed:", low, "marked:", dict(marked))
    assert exact > 100 and low == count(found["low"]) > 10 and count(found["late"]) > 30
    for kind, sinks in (("time", ["time-alerts"]), ("rows", ["row-alerts", "repeats"])):
        assert all(count(found[sink]) == marked[kind] for sink in sinks)
        assert 100 < marked[kind] < marked["again"] and marked[kind + " as third"] > 10
        assert marked[kind + " for nothing"] <= RATE * RECORDS


def test_profiles_and_duplicates_are_exact_across_kills_and_a_rescale(kafka, unique, runs, cluster,
                                                                      tmp_path):
    given = readings()
    source = kafka.create(f"{unique}-in", PARTITIONS)
    for sink in SINKS:
        kafka.create(f"{unique}-{sink}", PARTITIONS)
    cluster.coordinator()
    cluster.worker("w0", threads=1)
    kafka.produce(source, given[:600], PARTITIONS)
    cluster.submit(topology(tmp_path / "moving.yaml", unique, source, unique))
    cluster.wait_running(PARTITIONS)
    writer = threading.Thread(target=feed, args=(kafka, source, given[600:], 0.1))
    writer.start()
    moved_at = disturb(cluster, kafka, f"{unique}-marks")
    writer.join(120)
    print("records when the tasks had moved:", moved_at, "of", len(given))
    expected = calm_outputs(kafka, runs, unique, source, tmp_path)
    numbers = {sink: count(texts) for sink, texts in expected.items()}
    print("records of an undisturbed run:", numbers)
    wait_until(lambda: all(task["lag"] == 0 for task in cluster.tasks()
                           if task["role"] == "active"), 90, 0.2, "lag 0")

    def all_came():
        found = outputs(kafka, unique)
        return {sink: count(texts) for sink, texts in found.items()} == numbers and found

    found = wait_until(all_came, 60, 0.5, "as many outputs as those of an undisturbed run")
    for sink, by_sensor in expected.items():
        for sensor, texts in by_sensor.items():
            differing = [pair for pair in zip(texts, found[sink][sensor]) if pair[0] != pair[1]]
            assert not differing, (sink, sensor, len(differing), differing[0])
            assert found[sink][sensor] == texts, (sink, sensor)
        assert set(found[sink]) == set(by_sensor), sink
    check_model(found, by_sensor_of(kafka, source))
