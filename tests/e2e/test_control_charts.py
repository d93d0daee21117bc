"""Control charts on a real Kafka: their points are those of an undisturbed run, as text, across
kill -9, restarts and a rescale from one worker to four; and what becomes of records that are sent
again, come late, or have no number, and of windows without records."""

import json
import os
import random
import statistics
import subprocess
import threading
import time
from collections import defaultdict

import pytest

from cluster import Cluster, wait_until
from millrace import PROGRAM

PARTITIONS, SENSORS, RECORDS = 4, 16, 4000
WINDOW_MS, START_MS = 2000, 1_700_000_000_000
# Without a number: missing, null, a text, too large for a double, too large for a chart.
ODD = ["", '"value":null,', '"value":"NaN",', '"value":1e999,', '"value":-1e200,']
SINKS = ["results", "counted", "lots", "windows", "late", "means", "studies"]
BRANCHES = 6  # charts that see each reading by itself
KILLS = 5
# What the charts of single readings add to them.
MEMBERS = ["single", "level", "sums", "share", "defects", "boxes", "panels", "pair", "drift"]

TOPOLOGY = """apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {name: NAME}
spec:
  commit_interval: 100ms
  sources:
    - {name: readings, type: kafka, topic: SOURCE, key: [sensor], timestamp: ts,
       watermark: {max_delay: 1s}, on_error: dead_letter}
  operators:
    - {name: single, type: spc.i_mr, from: readings, key: [sensor], field: value, as: single,
       rules: [nelson], baseline: exponential, on_error: dead_letter}
    - {name: level, type: spc.ewma, from: single, key: [sensor], field: value, as: level,
       phase1: {subgroups: 40}}
    - {name: sums, type: spc.cusum, from: level, key: [sensor], field: value, as: sums,
       head: 0.5, restart: true}
    - {name: share, type: spc.p, from: sums, key: [sensor], field: bad, size: made, as: share,
       rules: [western_electric], baseline: cumulative}
    - {name: defects, type: spc.u, from: share, key: [sensor], field: bad, size: made, as: defects}
    - {name: boxes, type: spc.np, from: defects, key: [sensor], field: bad, sample_size: 200,
       as: boxes, rules: [nelson], baseline: exponential}
    - {name: panels, type: spc.c, from: boxes, key: [sensor], field: bad, as: panels,
       rules: [western_electric], phase1: {subgroups: 40}}
    - {name: pair, type: spc.t2, from: panels, key: [sensor], fields: [value, bad], as: pair}
    - {name: drift, type: spc.mewma, from: pair, key: [sensor], fields: [value, bad], as: drift}
    - {name: by-count, type: spc.xbar_r, from: readings, key: [sensor], field: value,
       subgroup: {count: 5}, rules: [western_electric], phase1: {subgroups: 10},
       on_error: dead_letter}
    - {name: by-lot, type: spc.xbar_s, from: readings, key: [sensor], field: value,
       subgroup: {field: lot}, phase1: {subgroups: 10}, baseline: cumulative,
       on_error: dead_letter}
    - {name: by-time, type: spc.xbar_r, from: readings, key: [sensor], field: value,
       subgroup: {window: 2s}, rules: [nelson], phase1: {subgroups: 10}, on_error: dead_letter}
    - {name: by-mean, type: spc.xbar_t2, from: readings, key: [sensor], fields: [value, bad],
       subgroup: {count: 6}, phase1: {subgroups: 10}, baseline: cumulative, on_error: dead_letter}
    - {name: fit, type: spc.capability, from: readings, key: [sensor], field: value,
       subgroup: {window: 2s}, within: range, within_size: 3, lsl: 12, usl: 26, target: 20,
       on_error: dead_letter}
  sinks:
    - {name: results, type: kafka, from: drift, topic: PREFIX-results, key: [sensor]}
    - {name: counted, type: kafka, from: by-count, topic: PREFIX-counted, key: [sensor]}
    - {name: lots, type: kafka, from: by-lot, topic: PREFIX-lots, key: [sensor]}
    - {name: windows, type: kafka, from: by-time, topic: PREFIX-windows, key: [sensor]}
    - {name: late, type: kafka, from: by-time.late, topic: PREFIX-late, key: [sensor]}
    - {name: means, type: kafka, from: by-mean, topic: PREFIX-means, key: [sensor]}
    - {name: studies, type: kafka, from: fit, topic: PREFIX-studies, key: [sensor]}
"""


def write_topology(path, name, source, prefix):
    text = TOPOLOGY.replace("NAME", name).replace("SOURCE", source).replace("PREFIX", prefix)
    path.write_text(text)
    return path


def on_time(number):
    return START_MS + 10 * number + (5 * WINDOW_MS if number > RECORDS // 2 else 0)


def records():
    """(key, value) of readings: some late, some sent again, some without a number, with a pause of
    some windows that no sensor reads in."""
    chance = random.Random(11)
    lots = defaultdict(int)
    for number in range(RECORDS):
        sensor = f"s{chance.randrange(SENSORS)}"
        lots[sensor] += chance.random() < 0.2
        ts = on_time(number) - (15_000 if chance.random() < 0.02 else 0)
        value = f'"value":{chance.gauss(20, 2) + (9 if chance.random() < 0.02 else 0)!r},'
        if chance.random() < 0.03:
            value = chance.choice(ODD)
        made = chance.choice([50, 80, 200])
        text = (f'{{"id":{number},"sensor":"{sensor}","ts":{ts},{value}"lot":{lots[sensor]},'
                f'"made":{made},"bad":{sum(chance.random() < 0.05 for _ in range(made))}}}')
        for _ in range(2 if chance.random() < 0.02 else 1):
            yield sensor.encode(), text.encode()


def create(kafka, prefix):
    for sink in SINKS:
        kafka.create(f"{prefix}-{sink}", PARTITIONS)
    return prefix


def outputs(kafka, prefix):
    """Of each sink the records' texts in order, by sensor."""
    found = {}
    for sink in SINKS:
        by_sensor = found[sink] = defaultdict(list)
        for value in kafka.values(f"{prefix}-{sink}"):
            by_sensor[json.loads(value)["sensor"]].append(bytes(value))
    return found


def tells(found):
    """Whether charts and studies have points that are anomalies and points that are none: they
    went through phase 1."""
    points = {sink: [json.loads(text) for texts in found[sink].values() for text in texts]
              for sink in ("results", "means", "studies")}
    points |= {member: [one[member] for one in points["results"]] for member in MEMBERS}
    del points["results"]
    return all({one["is_anomaly"] for one in of_one if one["state"] == "armed"} == {False, True}
               for of_one in points.values())


def results(kafka, prefix):
    return len(kafka.values(f"{prefix}-results"))


def count(by_sensor):
    return sum(len(one) for one in by_sensor.values())


@pytest.fixture(scope="module")
def given():
    return list(records())


@pytest.fixture
def calm(kafka, unique, runs, tmp_path, given):
    """The source's topic, and the outputs of an undisturbed run over all records that the test puts
    there."""
    source = kafka.create(unique + "-in", PARTITIONS)

    def judge(prefix, ended=True):
        calm_prefix = create(kafka, unique + "-calm")
        path = write_topology(tmp_path / "calm.yaml", calm_prefix, source, calm_prefix)
        code, _, err = runs(path, brokers=kafka.brokers, cluster=calm_prefix,
                            state=tmp_path / "calm-state", until_end=True).wait(120)
        assert code == 0, err
        expected = outputs(kafka, calm_prefix)
        numbers = {sink: count(one) for sink, one in expected.items()}
        print("records of an undisturbed run:", numbers)
        assert numbers["results"] > 0.9 * RECORDS and numbers["counted"] > RECORDS / 8
        assert numbers["lots"] > RECORDS / 10 and numbers["windows"] > 200 < numbers["late"] * 10
        assert numbers["means"] > RECORDS / 10 and numbers["studies"] == numbers["windows"]
        assert tells(expected)
        found = outputs(kafka, prefix)
        for sink, by_sensor in expected.items():
            for sensor, texts in by_sensor.items():
                # The end of a run closes windows; a topology that goes on leaves the last one open.
                is_open = (not ended and sink in ("windows", "studies") and
                           found[sink][sensor] == texts[:-1])
                assert is_open or found[sink][sensor] == texts, (sink, sensor)
            assert set(found[sink]) == set(by_sensor)
        return expected

    return source, judge


def feed(kafka, topic, given, pause):
    """In small steps, so that tasks move while records come."""
    for first in range(0, len(given), 100):
        kafka.produce(topic, given[first:first + 100], PARTITIONS)
        time.sleep(pause)


def test_points_across_kills_and_restarts(kafka, unique, runs, calm, tmp_path, given):
    source, judge = calm
    prefix = create(kafka, unique)
    path = write_topology(tmp_path / "t.yaml", unique, source, prefix)
    options = {"brokers": kafka.brokers, "cluster": unique, "state": tmp_path / "state"}
    chance = random.Random(3)
    step = len(given) // KILLS
    for index in range(KILLS):
        before = results(kafka, prefix)
        run = runs(path, **options, log=tmp_path / "log")
        kafka.produce(source, given[index * step:(index + 1) * step], PARTITIONS)
        wait_until(lambda now=before: results(kafka, prefix) > now, 60,
                   what="results of this start")
        time.sleep(chance.uniform(0, 0.3))
        assert run.alive(), (tmp_path / "log").read_text()[-3000:]
        run.kill()
    kafka.produce(source, given[KILLS * step:], PARTITIONS)
    code, _, err = runs(path, **options, until_end=True).wait(120)
    assert code == 0, err
    judge(prefix)


@pytest.fixture
def cluster(kafka, unique, tmp_path):
    started = Cluster(kafka.brokers, unique, tmp_path)
    yield started
    started.end()
    print(started.logs(3000))


def test_points_of_a_rescaled_run(kafka, unique, cluster, calm, tmp_path, given):
    """From one worker to four; then one of them is killed."""
    source, judge = calm
    prefix = create(kafka, unique)
    kafka.produce(source, given[:len(given) // 4], PARTITIONS)
    cluster.coordinator()
    first = cluster.worker(threads=1)
    cluster.submit(write_topology(tmp_path / "t.yaml", unique, source, prefix))
    cluster.wait_running(PARTITIONS)
    wait_until(lambda: results(kafka, prefix) > 0, 60, what="first outputs")
    writer = threading.Thread(target=feed, args=(kafka, source, given[len(given) // 4:], 0.1))
    writer.start()
    for _ in range(3):
        cluster.worker(threads=1)

    def spread():
        tasks = [task for task in cluster.tasks() if task["role"] == "active"]
        return len(tasks) == PARTITIONS and len({task["worker"] for task in tasks}) == 4 and all(
            task["state"] == "running" and not task["moving_to"] for task in tasks)

    wait_until(spread, 60, 0.2, "one task on each of four workers")
    print("results when the tasks had moved:", results(kafka, prefix))
    first.kill()
    writer.join(120)
    assert not writer.is_alive()
    odd = len(set(value for _, value in given if has_no_number(json.loads(value))))
    assert odd > 50
    valid = sum(not has_no_number(json.loads(value)) for _, value in given)
    wait_until(lambda: results(kafka, prefix) >= valid, 90, 0.3, "all results")
    wait_until(lambda: all(task["lag"] == 0 for task in cluster.tasks()
                           if task["role"] == "active"), 60, 0.2, "lag 0")
    judge(prefix, ended=False)


def has_no_number(record):
    value = record.get("value")
    return not isinstance(value, (int, float)) or abs(value) > 1e140


def test_records_that_are_odd_late_or_sent_again(kafka, unique, runs, tmp_path, given):
    """Every reading is in the subgroup where the page says it is: recomputed from the input."""
    source = kafka.create(unique + "-in", PARTITIONS)
    prefix = create(kafka, unique)
    kafka.produce(source, given, PARTITIONS)
    path = write_topology(tmp_path / "t.yaml", unique, source, prefix)
    code, _, err = runs(path, brokers=kafka.brokers, cluster=unique, state=tmp_path / "state",
                        until_end=True).wait(120)
    assert code == 0, err
    found = outputs(kafka, prefix)
    read = [json.loads(value) for _, value in given]
    odd = [record for record in read if has_no_number(record)]
    letters = kafka.values(unique + ".dead-letters")
    assert len(letters) == BRANCHES * len(odd)
    by_sensor = defaultdict(list)
    for record in read:
        if not has_no_number(record):
            by_sensor[record["sensor"]].append(record)
    assert len(read) > RECORDS  # some were sent again: they are further records
    for sensor, valid in by_sensor.items():
        check_single(found["results"][sensor], valid)
        check_counted(found["counted"][sensor], valid)
        check_lots(found["lots"][sensor], valid)
        check_windows(found["windows"][sensor], found["late"][sensor], valid)
        check_means(found["means"][sensor], valid)
        check_studies(found["studies"][sensor], found["late"][sensor], valid)


def check_single(texts, valid):
    results = [json.loads(text) for text in texts]
    assert [one["id"] for one in results] == [one["id"] for one in valid]
    for member in MEMBERS:
        assert [one[member]["point"] for one in results] == list(range(1, len(valid) + 1))
    assert all(one["single"]["spread"] == pytest.approx(abs(one["value"] - before["value"]))
               for before, one in zip(results, results[1:]))
    for one in results:
        boxes, panels = one["boxes"], one["panels"]
        assert boxes["value"] == panels["value"] == one["bad"]
        assert all((chart["center"] is None) == (chart["state"] == "learning")
                   for chart in (boxes, panels))
        if panels["center"] is not None:
            assert panels["upper"] == pytest.approx(
                panels["center"] + 3 * panels["center"] ** 0.5, rel=1e-12)
        if boxes["center"] is not None:
            center = boxes["center"]
            assert boxes["upper"] == pytest.approx(
                center + 3 * (center * (1 - center / 200)) ** 0.5, rel=1e-12)


def check_group(point, group):
    values = [one["value"] for one in group]
    assert point["size"] == len(values)
    if len(values) < 2:
        assert (point["state"], point["point"], point["value"]) == ("starved", None, None)
        return
    assert point["value"] == pytest.approx(statistics.fmean(values), rel=1e-12)
    spread = (max(values) - min(values) if point["detector"] == "spc.xbar_r"
              else statistics.stdev(values))
    assert point["spread"] == pytest.approx(spread, rel=1e-9)


def check_numbers(points):
    numbers = [point["point"] for point in points if point["state"] != "starved"]
    assert numbers == list(range(1, len(numbers) + 1))


def check_counted(texts, valid):
    points = [json.loads(text) for text in texts]
    assert len(points) == len(valid) // 5
    for index, point in enumerate(points):
        check_group(point, valid[5 * index:5 * index + 5])
    check_numbers(points)


def check_lots(texts, valid):
    """The last lot is open. A late record is in the lot that it says, where it comes."""
    points = [json.loads(text) for text in texts]
    lots = []
    for record in valid:
        if not lots or lots[-1][0]["lot"] != record["lot"]:
            lots.append([])
        lots[-1].append(record)
    assert [point["subgroup"] for point in points] == [lot[0]["lot"] for lot in lots[:-1]]
    for point, lot in zip(points, lots):
        check_group(point, lot)
    assert any(point["state"] == "starved" for point in points) or len(points) < 5
    check_numbers(points)


def check_windows(texts, late_texts, valid):
    """A window without records makes no subgroup and takes no number."""
    points = [json.loads(text) for text in texts]
    late = [json.loads(text)["id"] for text in late_texts]
    windows = defaultdict(list)
    for record in valid:
        if record["id"] in late:
            assert record["ts"] < on_time(record["id"])
            continue
        windows[record["ts"] // WINDOW_MS * WINDOW_MS].append(record)
    starts = [point["window_start"] for point in points]
    assert starts == sorted(windows)[:len(starts)]
    assert len(windows) == len(starts)  # the end of the run closed the last
    assert len(starts) < (starts[-1] - starts[0]) // WINDOW_MS + 1
    for point in points:
        check_group(point, windows[point["window_start"]])
        assert point["window_end"] == point["window_start"] + WINDOW_MS
    check_numbers(points)


def check_means(texts, valid):
    points = [json.loads(text) for text in texts]
    assert len(points) == len(valid) // 6
    for index, point in enumerate(points):
        times = [one["ts"] for one in valid[6 * index:6 * index + 6]]
        assert (point["size"], point["window_start"], point["window_end"]) == (
            6, min(times), max(times) + 1)
        assert (point["value"] is None) == (point["state"] == "learning")
    check_numbers(points)


def check_studies(texts, late_texts, valid):
    studies = [json.loads(text) for text in texts]
    late = [json.loads(text)["id"] for text in late_texts]
    windows = defaultdict(list)
    for record in valid:
        if record["id"] not in late:
            windows[record["ts"] // WINDOW_MS * WINDOW_MS].append(record["value"])
    assert [study["window_start"] for study in studies] == sorted(windows)
    for study in studies:
        values = windows[study["window_start"]]
        assert study["size"] == len(values)
        if study["state"] == "starved":
            assert len(values) < 2 and study["point"] is None
            continue
        mean, sigma = statistics.fmean(values), statistics.stdev(values)
        assert study["mean"] == pytest.approx(mean, rel=1e-12)
        assert study["sigma_overall"] == pytest.approx(sigma, rel=1e-9)
        assert study["ppk"] == pytest.approx(min(mean - 12, 26 - mean) / (3 * sigma), rel=1e-8)
        outside = sum(not 12 <= value <= 26 for value in values)
        assert study["ppm_observed"] == pytest.approx(1e6 * outside / len(values), rel=1e-12)
    check_numbers(studies)


def test_a_report_of_a_cluster(kafka, unique, cluster, calm, tmp_path, given):
    """`millrace report spc` draws what the topic of the chart's sink holds."""
    source, _ = calm
    prefix = create(kafka, unique)
    kafka.produce(source, given, PARTITIONS)
    cluster.coordinator()
    cluster.worker()
    cluster.submit(write_topology(tmp_path / "t.yaml", unique, source, prefix))
    cluster.wait_running(PARTITIONS)
    valid = sum(not has_no_number(json.loads(value)) for _, value in given)
    wait_until(lambda: results(kafka, prefix) >= valid, 90, 0.3, "all results")
    points = [json.loads(text) for text in outputs(kafka, prefix)["counted"]["s3"]]

    def report(*words):
        return subprocess.run(
            [PROGRAM, "report", "spc", "--topology", unique, *words, "--server", cluster.server(),
             "--brokers", kafka.brokers], capture_output=True, text=True, timeout=60, check=False,
            env={key: value for key, value in os.environ.items() if key[:9] != "MILLRACE_"})

    told = report("--operator", "by-count", "--key", "s3", "--out", tmp_path / "c.html", "-o",
                  "json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout) == {
        "points": len(points), "phase1_points": 10,
        "anomalies": sum(point["is_anomaly"] for point in points),
        "rules_broken": sum(len(point["rules"]) for point in points)}
    page = (tmp_path / "c.html").read_text()
    assert f">{points[-1]['point']}</td>" in page
    none = report("--operator", "by-count", "--key", "none")
    assert none.returncode == 1 and f"{prefix}-counted: no points of 'by-count'" in none.stderr
    chained = report("--operator", "level", "--key", "s3")
    assert chained.returncode == 1 and "no sink of" in chained.stderr
    away = report("--operator", "by-count", "--key", "s3", "--topology", "nothing")
    assert away.returncode != 0
