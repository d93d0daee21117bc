"""Exactly-once on a real Kafka: a clean run, random kills, every named crash point, two owners."""

import random
import shutil
import time

import pytest

from millrace import DEEP, check_outputs, readings, zscore_topology

RECORDS = 3_000_000 if DEEP else 300_000
CRASH_POINTS = [
    "after_init",
    "claim_after_init",
    "claim_before_write",
    "after_claim",
    "after_produce:3",
    "before_end_txn:3",
    "after_end_txn:3",
    "after_apply:3",
    "before_restore",
    "restore_commit:5",
]


@pytest.fixture
def stage(kafka, unique, tmp_path):
    """An input topic, an output topic, a topology over them."""

    def prepare(count, keys):
        source, sink = kafka.create(unique + "-in"), kafka.create(unique + "-out")
        kafka.produce(source, readings(count, keys))
        return source, sink, zscore_topology(tmp_path / "scores.yaml", source, sink, name=unique)

    return prepare


def test_every_score_equals_the_reference(kafka, unique, stage, runs, tmp_path):
    source, sink, topology = stage(RECORDS, 10_000)
    code, _, err = runs(
        topology, brokers=kafka.brokers, cluster=unique, state=tmp_path / "state", until_end=True
    ).wait(600)
    assert code == 0, err
    assert check_outputs(kafka, source, sink) == RECORDS


def test_thirty_random_kills(kafka, unique, stage, runs, tmp_path):
    source, sink, topology = stage(200_000, 1_000)
    chance = random.Random(7)
    kills = 0
    log = tmp_path / "log"
    feed = iter(range(200_000, 10_000_000, 3_000))
    while kills < 30:
        run = runs(
            topology, brokers=kafka.brokers, cluster=unique, state=tmp_path / "state", log=log
        )
        start = next(feed)
        kafka.produce(source, readings(3_000, 1_000, start=start, seed=start))
        time.sleep(chance.uniform(0.05, 1.2))
        assert run.alive(), log.read_text()[-3000:]
        run.kill()
        kills += 1
    code, _, _ = runs(
        topology,
        brokers=kafka.brokers,
        cluster=unique,
        state=tmp_path / "state",
        until_end=True,
        log=log,
    ).wait(300)
    assert code == 0, log.read_text()[-3000:]
    assert check_outputs(kafka, source, sink) == 200_000 + 30 * 3_000


def test_each_crash_point(kafka, unique, stage, runs, tmp_path):
    source, sink, topology = stage(40_000, 500)
    hit = []
    for index, point in enumerate(CRASH_POINTS):
        if point.startswith("restore"):  # a restore worth the name
            shutil.rmtree(tmp_path / "state", ignore_errors=True)
        kafka.produce(source, readings(60_000, 500, start=40_000 + index * 60_000, seed=index + 2))
        code, _, err = runs(
            topology,
            brokers=kafka.brokers,
            cluster=unique,
            state=tmp_path / "state",
            failpoint=point,
            until_end=True,
        ).wait(120)
        if code == -9:
            hit.append(point)
        else:
            assert code == 0, err
    code, _, err = runs(
        topology, brokers=kafka.brokers, cluster=unique, state=tmp_path / "state", until_end=True
    ).wait(300)
    assert code == 0, err
    assert hit == CRASH_POINTS
    assert check_outputs(kafka, source, sink) == 40_000 + len(CRASH_POINTS) * 60_000


def test_a_paused_owner_commits_nothing_after_the_takeover(kafka, unique, stage, runs, tmp_path):
    source, sink, topology = stage(100_000, 500)
    log = tmp_path / "log"
    first = runs(topology, brokers=kafka.brokers, cluster=unique, state=tmp_path / "first", log=log)
    first.wait_for("task restored", 4)
    time.sleep(0.2)
    first.pause()
    kafka.produce(source, readings(50_000, 500, start=100_000, seed=9))
    second = runs(
        topology, brokers=kafka.brokers, cluster=unique, state=tmp_path / "second", until_end=True
    )
    code, _, err = second.wait(300)
    assert code == 0, err
    before = kafka.ends(sink)
    assert check_outputs(kafka, source, sink) == 150_000
    first.resume()
    code, _, _ = first.wait(120)
    assert code == 1, log.read_text()[-3000:]
    assert "was taken over" in log.read_text()
    assert kafka.ends(sink) == before  # not a record, not a marker
    assert check_outputs(kafka, source, sink) == 150_000


def test_restart_goes_on_from_local_state(kafka, unique, stage, runs, tmp_path):
    source, sink, topology = stage(100_000, 2_000)
    log = tmp_path / "log"
    code, _, _ = runs(
        topology,
        brokers=kafka.brokers,
        cluster=unique,
        state=tmp_path / "state",
        until_end=True,
        log=log,
    ).wait(300)
    assert code == 0

    def written():
        return sum(sum(kafka.ends(t).values()) for t in kafka.topics()
                   if t.startswith(unique) and t.endswith("changelog"))

    before = written()
    kafka.produce(source, readings(50_000, 2_000, start=100_000, seed=3))
    run = runs(topology, brokers=kafka.brokers, cluster=unique, state=tmp_path / "state", log=log)
    time.sleep(3)
    run.kill()
    at_kill = written()
    log2 = tmp_path / "log2"
    code, _, _ = runs(
        topology,
        brokers=kafka.brokers,
        cluster=unique,
        state=tmp_path / "state",
        until_end=True,
        log=log2,
    ).wait(300)
    assert code == 0
    replayed = [
        int(part.split("=")[1])
        for line in log2.read_text().splitlines()
        if "task restored" in line
        for part in line.split()
        if part.startswith("replayed_records=")
    ]
    print(f"replayed {sum(replayed)}, {before} were written before the killed run began")
    assert len(replayed) == 4
    assert before > 0 and sum(replayed) <= at_kill - before  # nothing of a run that ended well
    check_outputs(kafka, source, sink)


def test_at_least_once_loses_nothing(kafka, unique, runs, tmp_path):
    source, sink = kafka.create(unique + "-in"), kafka.create(unique + "-out")
    topology = zscore_topology(
        tmp_path / "scores.yaml", source, sink, name=unique, guarantee="at_least_once"
    )
    for start in range(0, 120_000, 20_000):
        kafka.produce(source, readings(20_000, 500, start=start, seed=start + 1))
        run = runs(topology, brokers=kafka.brokers, cluster=unique, state=tmp_path / "state")
        time.sleep(0.7)
        run.kill()
    code, _, err = runs(
        topology, brokers=kafka.brokers, cluster=unique, state=tmp_path / "state", until_end=True
    ).wait(120)
    assert code == 0, err
    assert check_outputs(kafka, source, sink, exactly=False) == 120_000
