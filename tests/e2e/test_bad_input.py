"""Bad input: every case ends in a dead letter or a sentence that names place and remedy. Nothing is
lost, nothing hangs, nothing spins."""

import json
import math
import os
import re
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    NewPartitions,
)

import millrace
from millrace import check_outputs, readings, reference_scores, zscore_topology
from stage import (
    Stage,
    body,
    check_letters,
    configure,
    cpu_seconds,
    dead_letters,
    ended,
    eventually,
    identities,
    once,
    passing,
    tail,
    topology,
)

NOW_MS = int(time.time() * 1000)
YEAR_MS = 366 * 24 * 3600 * 1000


# ---- Records ----


def bad_records():
    """name -> (key, value, operator that refuses it, words of the cause)."""
    good = {"sensor": "s-bad", "ts": NOW_MS, "value": 21.0, "id": -1}

    def text(**changes):
        return json.dumps(good | changes).encode()

    def raw(value):
        return text(value="@").replace(b'"@"', value)

    key = b"s-bad"
    without_value = json.dumps({k: v for k, v in good.items() if k != "value"}).encode()
    without_time = json.dumps({k: v for k, v in good.items() if k != "ts"}).encode()
    return {
        "cut off": (key, b'{"sensor":"s-bad","value":', "readings", "JSON|byte"),
        "no JSON at all": (key, b"21.0,s-bad", "readings", "JSON|byte"),
        "two documents": (key, text() + text(), "readings", "JSON|byte"),
        "not an object": (key, b"[1,2]", "readings", "object"),
        "invalid UTF-8": (key, text(site="@").replace(b"@", b"\xff\xfe"), "readings", "UTF-8"),
        "bare NaN": (key, raw(b"NaN"), "readings", "byte"),
        "bare Infinity": (key, raw(b"Infinity"), "readings", "byte"),
        "bare -Infinity": (key, raw(b"-Infinity"), "readings", "byte"),
        "infinite by exponent": (key, raw(b"1e400"), "score", "range|double|finite"),
        "negative infinite": (key, raw(b"-1e400"), "score", "range|double|finite"),
        "missing field": (key, without_value, "score", "value"),
        "null field": (key, text(value=None), "score", "value"),
        "wrong type": (key, text(value="hot"), "score", "value"),
        "missing time": (key, without_time, "readings", "timestamp"),
        "wrong time": (key, text(ts="yesterday"), "readings", "timestamp"),
        "a year ahead": (key, text(ts=NOW_MS + YEAR_MS), "readings", "max_ahead"),
        "empty value": (key, b"", "readings", "."),
        "null value": (key, None, "readings", "tombstone"),
        "null key": (None, text(), "readings", "key"),
        "empty key": (b"", text(), "readings", "key"),
        "other key": (b"s-other", text(), "readings", "key"),
    }


def test_bad_records_become_dead_letters_and_delay_nobody(stage):
    kafka, bad = stage.create().kafka, bad_records()
    good = list(readings(4_000, 50))
    mixed = good[:1_000]
    for offset, (key, value, _, _) in enumerate(bad.values()):  # among good ones: a batch has both
        mixed += [(key, value)] + good[1_000 + 50 * offset : 1_050 + 50 * offset]
    mixed += good[1_000 + 50 * len(bad) :]
    kafka.produce(stage.source, mixed)
    text = stage.to_end(zscore_topology(stage.file(), stage.source, stage.sink, name=stage.name))
    values = {(key, value) for key, value, _, _ in bad.values()}
    causes = check_letters(
        kafka, stage.name, stage.source, lambda m: (m.key(), m.value()) in values
    )
    by_bytes = {
        (m.key(), m.value()): causes[(stage.source, m.partition(), m.offset())]
        for part in kafka.read(stage.source).values()
        for m in part
        if (m.key(), m.value()) in values
    }
    for name, (key, value, operator, words) in bad.items():
        got_operator, cause = by_bytes[(key, value)]
        assert got_operator == operator, (name, got_operator, cause)
        assert re.search(words, cause), (name, cause)
    check_good_scores(stage, values)
    assert text.count("\n") < 40, text


def check_good_scores(stage, bad):
    inputs = {
        p: [m for m in part if (m.key(), m.value()) not in bad]
        for p, part in stage.kafka.read(stage.source).items()
    }
    expected = reference_scores(inputs)
    outputs = [json.loads(value) for value in stage.kafka.values(stage.sink)]
    assert Counter(o["id"] for o in outputs) == once(expected)
    for output in outputs:
        assert math.isclose(
            output["anomaly"]["score"], expected[output["id"]], rel_tol=1e-9, abs_tol=1e-9
        )


def test_a_bad_record_does_not_hold_up_the_next_one(stage):
    kafka = stage.create(1).kafka
    run = stage.run(passing(stage.file(), stage.name, stage.source, stage.sink))
    kafka.produce(stage.source, [(b"k", body(0))])
    eventually(lambda: kafka.values(stage.sink), 20, run)
    kafka.produce(stage.source, [(b"k", b"{"), (b"k", body(1))])
    took = eventually(lambda: len(kafka.values(stage.sink)) == 2, 5, run)
    assert took < 3
    assert run.stop(20)[0] == 0
    assert len(check_letters(kafka, stage.name, stage.source, lambda m: m.value() == b"{")) == 1


def test_one_megabyte_values(stage):
    kafka = stage.create(2).kafka
    large = [(b"k%d" % i, body(i, pad="x" * (1_000_000 + i * 1_000))) for i in range(8)]
    kafka.produce(
        stage.source, [r for i, l in enumerate(large) for r in (l, (l[0], body(100 + i)))]
    )
    stage.to_end(passing(stage.file(), stage.name, stage.source, stage.sink))
    assert Counter(kafka.values(stage.sink)) == Counter(kafka.values(stage.source))
    assert not dead_letters(kafka, stage.name)


def test_empty_and_null_keys_and_values_pass_as_they_are(stage):
    kafka = stage.create(1).kafka
    records = [
        (key, value)
        for key in (None, b"", b"k", b"\x00\xff")
        for value in (None, b"", b"v", b"\x00\xff" * 9)
    ]
    kafka.produce(stage.source, records * 10)
    topology(
        stage.file(),
        stage.name,
        f"- {{name: records, type: kafka, topic: {stage.source}, format: bytes}}",
        f"- {{name: copies, type: kafka, from: records, topic: {stage.sink}, format: bytes}}",
    )
    stage.to_end(stage.file())
    assert [(m.key(), m.value()) for m in kafka.read(stage.sink)[0]] == records * 10
    assert not dead_letters(kafka, stage.name)


def test_a_record_larger_than_the_target_topic_takes(stage):
    kafka = stage.create(2, max_message_bytes=3_000).kafka
    sizes = [
        200,
        5_000,
        1_500,
        2_500,
        100_000,
        50,
    ] * 200  # many together are larger than the topic's limit, too
    kafka.produce(
        stage.source, [(b"k%d" % (i % 7), body(i, pad="x" * size)) for i, size in enumerate(sizes)]
    )
    stage.to_end(passing(stage.file(), stage.name, stage.source, stage.sink))
    assert identities(kafka.values(stage.sink)) == once(
        i for i, size in enumerate(sizes) if size < 3_000
    )
    causes = check_letters(kafka, stage.name, stage.source, lambda m: len(m.value()) > 3_000)
    assert all(
        operator == "copies" and stage.sink in cause and "max.message.bytes" in cause
        for operator, cause in causes.values()
    )


def test_the_limit_of_a_target_topic_sinks_while_running(stage):
    kafka = stage.create(2).kafka
    run = stage.run(passing(stage.file(), stage.name, stage.source, stage.sink))
    kafka.produce(stage.source, [(b"k", body(0))])
    eventually(lambda: kafka.values(stage.sink), 20, run)
    configure(kafka, stage.sink, max_message_bytes=3_000)
    kafka.produce(
        stage.source,
        [(b"k%d" % i, body(i, pad="x" * (5_000 if i == 30 else 500))) for i in range(1, 60)],
    )
    assert ended(run, 40) == 1
    text = stage.log.read_text()
    assert stage.sink in text and "max.message.bytes" in text
    stage.to_end(stage.file())
    assert identities(kafka.values(stage.sink)) == once(set(range(60)) - {30})
    assert (
        len(check_letters(kafka, stage.name, stage.source, lambda m: len(m.value()) > 5_000)) == 1
    )


# ---- on_error ----


def test_on_error_skip(stage):
    kafka = stage.create().kafka
    kafka.produce(
        stage.source, [(b"k%d" % i, b"{" if i % 10 == 3 else body(i)) for i in range(1_000)]
    )
    stage.to_end(
        passing(stage.file(), stage.name, stage.source, stage.sink, source_more=", on_error: skip")
    )
    assert identities(kafka.values(stage.sink)) == once(i for i in range(1_000) if i % 10 != 3)
    assert not dead_letters(kafka, stage.name)


def test_on_error_fail_stops_with_the_place_and_goes_on_when_it_is_changed(stage):
    kafka = stage.create(1).kafka
    kafka.produce(stage.source, [(b"k", b"{" if i == 700 else body(i)) for i in range(1_000)])
    text = stage.to_end(
        passing(stage.file(), stage.name, stage.source, stage.sink, source_more=", on_error: fail"),
        code=1,
    )
    assert f"{stage.source}[0]@700" in text and "on_error: fail" in text and "records" in text
    assert set(identities(kafka.values(stage.sink))) <= set(range(700))
    assert (
        stage.to_end(stage.file(), code=1).count(f"{stage.source}[0]@700") >= 1
    )  # it did not pass unseen
    stage.to_end(passing(stage.file(), stage.name, stage.source, stage.sink))
    assert identities(kafka.values(stage.sink)) == once(set(range(1_000)) - {700})
    assert len(dead_letters(kafka, stage.name)) == 1


def test_a_sink_expression_that_fails(stage):
    kafka = stage.create().kafka
    kafka.produce(
        stage.source,
        [
            (b"k%d" % i, body(i, **({"wanted": [True, False, "yes"][i % 3]} if i % 5 else {})))
            for i in range(1_000)
        ],
    )
    stage.to_end(
        passing(stage.file(), stage.name, stage.source, stage.sink, sink_more=", where: wanted")
    )
    assert identities(kafka.values(stage.sink)) == once(
        i for i in range(1_000) if i % 5 and i % 3 == 0
    )
    causes = check_letters(
        kafka,
        stage.name,
        stage.source,
        lambda m: json.loads(m.value()).get("wanted", "none") in ("yes", "none"),
    )
    assert {operator for operator, _ in causes.values()} == {"copies"}
    assert {("wanted" in cause or "true or false" in cause) for _, cause in causes.values()} == {
        True
    }


def test_topic_from_with_topics_that_are_forbidden_or_missing(stage):
    kafka = stage.create().kafka
    allowed = [
        kafka.create(f"{stage.name}-to-a", 2),
        kafka.create(f"{stage.name}-to-b", 2, max_message_bytes=20_000),
    ]
    targets = [*allowed, f"{stage.name}-to-missing", stage.sink, "", "no such name!"]
    count = 6_000
    kafka.produce(stage.source, [(b"k%d" % i, body(i, to=targets[i % 6])) for i in range(count)])
    topology(
        stage.file(),
        stage.name,
        f"- {{name: records, type: kafka, topic: {stage.source}}}",
        f"- {{name: copies, type: kafka, from: records, topic_from: to, "
        f"topic_allow: ['{stage.name}-to-*']}}",
    )
    start = time.time()
    stage.to_end(stage.file())
    assert time.time() - start < 12  # the missing topic is not asked for again with every record
    for index, topic in enumerate(allowed):
        assert identities(kafka.values(topic)) == once(range(index, count, 6))
    assert not kafka.values(stage.sink)
    causes = check_letters(
        kafka, stage.name, stage.source, lambda m: json.loads(m.value())["id"] % 6 > 1
    )
    texts = Counter(cause for operator, cause in causes.values() if operator == "copies")
    assert sum(texts.values()) == count // 6 * 4
    assert sum(n for text, n in texts.items() if "topic_allow" in text) == count // 6 * 2
    assert sum(n for text, n in texts.items() if f"{stage.name}-to-missing" in text) == count // 6


def test_dead_letters_are_exactly_once_across_kills(stage):
    kafka = stage.create().kafka
    zscore_topology(stage.file(), stage.source, stage.sink, name=stage.name)
    bad = []
    for step, point in enumerate(
        ["after_produce:3", "before_end_txn:3", "after_end_txn:3", "after_apply:3", None]
    ):
        records = list(readings(8_000, 200, start=step * 8_000, seed=step + 1))
        for index in range(0, 8_000, 80):
            records[index] = (records[index][0], b'{"broken":%d' % (step * 8_000 + index))
            bad.append(records[index])
        kafka.produce(stage.source, records)
        got = stage.run(stage.file(), until_end=True, failpoint=point).wait(60)[0]
        assert got == (0 if point is None else -9), stage.log.read_text()[-3000:]
    causes = check_letters(
        kafka, stage.name, stage.source, lambda m: m.value().startswith(b'{"broken"')
    )
    assert len(causes) == len(bad)
    check_good_scores(stage, set(bad))


# ---- Topics ----


@pytest.mark.parametrize("missing, word", [("source", "Source"), ("sink", "Sink")])
def test_a_topic_that_does_not_exist(stage, missing, word):
    kafka = stage.create().kafka
    absent = stage.source if missing == "source" else stage.sink
    kafka.delete(absent)
    passing(stage.file(), stage.name, stage.source, stage.sink)
    start = time.time()
    text = stage.to_end(stage.file(), code=1, timeout=30)
    assert time.time() - start < 15
    assert re.search(
        rf'{word} "\w+" \w+ topic "{absent}", which does not exist\. Create it', text
    ), text


def test_a_source_topic_made_anew_while_stopped(stage):
    kafka = stage.create().kafka
    kafka.produce(stage.source, readings(1_000, 20))
    stage.to_end(zscore_topology(stage.file(), stage.source, stage.sink, name=stage.name))
    before = kafka.ends(stage.sink)
    kafka.delete(stage.source)
    kafka.create(stage.source)
    kafka.produce(stage.source, readings(2_000, 20, start=5_000))
    text = stage.to_end(stage.file(), code=1, timeout=40)
    assert f"Topic {stage.source} was deleted and created anew" in text and "new name" in text
    assert kafka.ends(stage.sink) == before
    zscore_topology(
        stage.file("anew.yaml"),
        stage.source,
        kafka.create(stage.sink + "-2"),
        name=stage.name + "-2",
    )
    stage.to_end(stage.file("anew.yaml"))  # the remedy that the sentence names
    assert check_outputs(kafka, stage.source, stage.sink + "-2") == 2_000


@pytest.fixture(scope="module")
def watched(kafka):
    """Three processes at the same time, since each may take 30 s: partitions are added to a source
    of a stateless and of a keyed topology, and a source topic is deleted and created anew. What
    happened, by name."""
    directory = Path(tempfile.mkdtemp(prefix="millrace-e2e-watched-"))
    stages, started = {}, {}
    for kind in ("stateless", "keyed", "anew"):
        name = f"w{os.getpid()}-{kind}"
        stages[kind] = stage = Stage(kafka, name, millrace.Run, directory / kind)
        stage.directory.mkdir()
        stage.create(2)
        kafka.produce(stage.source, readings(2_000, 50))
        make = zscore_topology if kind == "keyed" else passing
        file = make(stage.file(), source=stage.source, sink=stage.sink, name=name)
        started[kind] = stage.run(file)
    for kind, run in started.items():
        eventually(
            lambda s=stages[kind]: sum(len(p) for p in kafka.read(s.sink).values()) == 2_000,
            40,
            run,
        )
    cpu = {kind: cpu_seconds(run) for kind, run in started.items()}
    for kind in ("stateless", "keyed"):
        for future in (
            kafka.admin().create_partitions([NewPartitions(stages[kind].source, 6)]).values()
        ):
            future.result(30)
    kafka.delete(stages["anew"].source)
    kafka.create(stages["anew"].source, 2)
    time.sleep(0.5)
    kafka.produce(stages["stateless"].source, readings(2_000, 50, start=2_000))
    kafka.produce(stages["anew"].source, readings(2_000, 50, start=2_000))
    yield stages, started, cpu, time.time()
    for run in started.values():
        if run.alive():
            run.kill()
        run.log.close()
    shutil.rmtree(directory, ignore_errors=True)


def test_partitions_added_to_a_stateless_topology(watched):
    stages, started, cpu, since = watched
    stage, run = stages["stateless"], started["stateless"]
    kafka = stage.kafka
    new = sum(len(p) for number, p in kafka.read(stage.source).items() if number >= 2)
    assert new > 100
    eventually(lambda: len(kafka.values(stage.sink)) == 4_000, since + 30 - time.time(), run)
    used = cpu_seconds(run) - cpu["stateless"]
    assert run.stop(20)[0] == 0, tail(run)
    assert identities(kafka.values(stage.sink)) == once(range(4_000))
    assert used < 4, f"{used} s of processor time"


def test_partitions_added_to_keyed_state(watched):
    stages, started, _, since = watched
    stage, run = stages["keyed"], started["keyed"]
    assert ended(run, since + 30 - time.time()) == 1
    text = stage.log.read_text()
    assert "blocked: repartition needed" in text and stage.source in text and "new name" in text
    assert identities(stage.kafka.values(stage.sink)) == once(range(2_000))
    assert "blocked: repartition needed" in stage.to_end(
        stage.file(), code=1
    )  # and so at the next start


def test_a_source_topic_made_anew_while_running(watched):
    stages, started, _, since = watched
    stage, run = stages["anew"], started["anew"]
    assert ended(run, since + 30 - time.time()) == 1
    text = stage.log.read_text()
    assert stage.source in text and "deleted" in text and "new name" in text, text[-2000:]
    assert identities(stage.kafka.values(stage.sink)) == once(
        range(2_000)
    )  # nothing at the old offset
