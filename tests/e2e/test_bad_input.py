"""Bad input and faults: every case ends in a dead letter or a sentence that names place and remedy. Nothing is lost,
nothing hangs, nothing spins."""

import json
import math
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, ResourceType

import millrace
from millrace import check_outputs, free_port, readings, reference_scores, zscore_topology

NOW_MS = int(time.time() * 1000)
YEAR_MS = 366 * 24 * 3600 * 1000
TICKS = os.sysconf("SC_CLK_TCK")


# ---- Helpers ----

def topology(path, name, sources, sinks, operators="", spec=""):
    """A topology file from the YAML of its lists' items."""
    text = f"apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata:\n  name: {name}\nspec:\n"
    text += f"  commit_interval: 100ms\n{spec}  sources:\n{indented(sources)}"
    text += f"  operators:\n{indented(operators)}" if operators else ""
    Path(path).write_text(text + f"  sinks:\n{indented(sinks)}")
    return path


def indented(items):
    return "".join(f"    {line}\n" for line in items.strip().splitlines())


def passing(path, name, source, sink, source_more="", sink_more=""):
    """Records go through as they are; only `id` is read, to validate JSON."""
    return topology(path, name,
                    f"- {{name: records, type: kafka, topic: {source}{source_more}}}",
                    f"- {{name: copies, type: kafka, from: known, topic: {sink}{sink_more}}}",
                    "- {name: known, type: filter, from: records, where: 'id >= 0.0'}")


def body(index, **more):
    return json.dumps({"id": index, **more}).encode()


def identities(values):
    return Counter(json.loads(value)["id"] for value in values)


def once(indices):
    return Counter(list(indices))


def cpu_seconds(run):
    fields = Path(f"/proc/{run.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def eventually(check, timeout, run=None, pause=0.1):
    """Until check() is true; run must stay alive meanwhile. The seconds that it took."""
    start = time.time()
    while not check():
        assert time.time() - start < timeout, "it did not happen in time" + (tail(run) if run else "")
        assert run is None or run.alive(), "the process ended" + tail(run)
        time.sleep(pause)
    return time.time() - start


def tail(run):
    return ":\n" + Path(run.log.name).read_text()[-3000:] if run.log else ""


def ended(run, timeout):
    """The exit code, once the process ends by itself."""
    eventually(lambda: not run.alive(), timeout)
    return run.process.returncode


def dead_letters(kafka, name):
    """(topic, partition, offset) -> list of (headers, key, value)."""
    letters = {}
    for messages in kafka.read(f"{name}.dead-letters").values():
        for message in messages:
            headers = {key: value.decode() for key, value in message.headers()}
            position = (headers["millrace.topic"], int(headers["millrace.partition"]), int(headers["millrace.offset"]))
            letters.setdefault(position, []).append((headers, message.key(), message.value()))
    return letters


def check_letters(kafka, name, source, is_bad):
    """Each bad input has exactly one dead letter, with its bytes and its origin; no good one has any. causes by id."""
    letters = dead_letters(kafka, name)
    wanted = {}
    for partition, messages in kafka.read(source).items():
        for message in messages:
            if is_bad(message):
                wanted[(source, partition, message.offset())] = message
    assert set(letters) == set(wanted)
    causes = {}
    for position, message in wanted.items():
        assert len(letters[position]) == 1, f"{position} has {len(letters[position])} dead letters"
        headers, key, value = letters[position][0]
        assert (key, value) == (message.key(), message.value())
        assert headers["millrace.topology"] == name
        causes[position] = (headers["millrace.operator"], headers["millrace.cause"])
    return causes


def configure(kafka, topic, **settings):
    entries = [ConfigEntry(name.replace("_", "."), str(value), incremental_operation=AlterConfigOpType.SET)
               for name, value in settings.items()]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    for future in kafka.admin().incremental_alter_configs([resource]).values():
        future.result(30)
    time.sleep(0.3)  # until the broker has applied it


def changelog(kafka, cluster):
    return next(t for t in kafka.topics() if t.startswith(f"{cluster}.") and t.endswith(".changelog"))


class Stage:
    """Names, files and runs of one test."""

    def __init__(self, kafka, unique, runs, directory):
        self.kafka, self.name, self.runs, self.directory = kafka, unique, runs, directory
        self.source, self.sink = unique + "-in", unique + "-out"
        self.state, self.log = directory / "state", directory / "log"

    def create(self, partitions=4, **config):
        self.kafka.create(self.source, partitions)
        self.kafka.create(self.sink, partitions, **config)
        return self

    def file(self, name="topology.yaml"):
        return self.directory / name

    def run(self, *files, **options):
        options = {"brokers": self.kafka.brokers, "cluster": self.name, "state": self.state, "log": self.log} | options
        return self.runs(*files, **options)

    def to_end(self, *files, code=0, timeout=60, **options):
        """Run until the end; the exit code is as expected. Returns what was written to standard error."""
        size = self.log.stat().st_size if self.log.exists() else 0
        got, out, _ = self.run(*files, until_end=True, **options).wait(timeout)
        text = self.log.read_text()[size:]
        assert got == code, text[-3000:]
        return text + out


@pytest.fixture
def stage(kafka, unique, runs, tmp_path):
    return Stage(kafka, unique, runs, tmp_path)


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
        mixed += [(key, value)] + good[1_000 + 50 * offset:1_050 + 50 * offset]
    mixed += good[1_000 + 50 * len(bad):]
    kafka.produce(stage.source, mixed)
    text = stage.to_end(zscore_topology(stage.file(), stage.source, stage.sink, name=stage.name))
    values = {(key, value) for key, value, _, _ in bad.values()}
    causes = check_letters(kafka, stage.name, stage.source, lambda m: (m.key(), m.value()) in values)
    by_bytes = {(m.key(), m.value()): causes[(stage.source, m.partition(), m.offset())]
                for part in kafka.read(stage.source).values() for m in part if (m.key(), m.value()) in values}
    for name, (key, value, operator, words) in bad.items():
        got_operator, cause = by_bytes[(key, value)]
        assert got_operator == operator, (name, got_operator, cause)
        assert re.search(words, cause), (name, cause)
    check_good_scores(stage, values)
    assert text.count("\n") < 40, text


def check_good_scores(stage, bad):
    inputs = {p: [m for m in part if (m.key(), m.value()) not in bad]
              for p, part in stage.kafka.read(stage.source).items()}
    expected = reference_scores(inputs)
    outputs = [json.loads(value) for value in stage.kafka.values(stage.sink)]
    assert Counter(o["id"] for o in outputs) == once(expected)
    for output in outputs:
        assert math.isclose(output["anomaly"]["score"], expected[output["id"]], rel_tol=1e-9, abs_tol=1e-9)


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
    kafka.produce(stage.source, [r for i, l in enumerate(large) for r in (l, (l[0], body(100 + i)))])
    stage.to_end(passing(stage.file(), stage.name, stage.source, stage.sink))
    assert Counter(kafka.values(stage.sink)) == Counter(kafka.values(stage.source))
    assert not dead_letters(kafka, stage.name)


def test_empty_and_null_keys_and_values_pass_as_they_are(stage):
    kafka = stage.create(1).kafka
    records = [(key, value) for key in (None, b"", b"k", b"\x00\xff") for value in (None, b"", b"v", b"\x00\xff" * 9)]
    kafka.produce(stage.source, records * 10)
    topology(stage.file(), stage.name, f"- {{name: records, type: kafka, topic: {stage.source}, format: bytes}}",
             f"- {{name: copies, type: kafka, from: records, topic: {stage.sink}, format: bytes}}")
    stage.to_end(stage.file())
    assert [(m.key(), m.value()) for m in kafka.read(stage.sink)[0]] == records * 10
    assert not dead_letters(kafka, stage.name)


def test_a_record_larger_than_the_target_topic_takes(stage):
    kafka = stage.create(2, max_message_bytes=3_000).kafka
    sizes = [200, 5_000, 1_500, 2_500, 100_000, 50] * 200  # many together are larger than the topic's limit, too
    kafka.produce(stage.source, [(b"k%d" % (i % 7), body(i, pad="x" * size)) for i, size in enumerate(sizes)])
    stage.to_end(passing(stage.file(), stage.name, stage.source, stage.sink))
    assert identities(kafka.values(stage.sink)) == once(i for i, size in enumerate(sizes) if size < 3_000)
    causes = check_letters(kafka, stage.name, stage.source, lambda m: len(m.value()) > 3_000)
    assert all(operator == "copies" and stage.sink in cause and "max.message.bytes" in cause
               for operator, cause in causes.values())


def test_the_limit_of_a_target_topic_sinks_while_running(stage):
    kafka = stage.create(2).kafka
    run = stage.run(passing(stage.file(), stage.name, stage.source, stage.sink))
    kafka.produce(stage.source, [(b"k", body(0))])
    eventually(lambda: kafka.values(stage.sink), 20, run)
    configure(kafka, stage.sink, max_message_bytes=3_000)
    kafka.produce(stage.source, [(b"k%d" % i, body(i, pad="x" * (5_000 if i == 30 else 500))) for i in range(1, 60)])
    assert ended(run, 40) == 1
    text = stage.log.read_text()
    assert stage.sink in text and "max.message.bytes" in text
    stage.to_end(stage.file())
    assert identities(kafka.values(stage.sink)) == once(set(range(60)) - {30})
    assert len(check_letters(kafka, stage.name, stage.source, lambda m: len(m.value()) > 5_000)) == 1


# ---- on_error ----

def test_on_error_skip(stage):
    kafka = stage.create().kafka
    kafka.produce(stage.source, [(b"k%d" % i, b"{" if i % 10 == 3 else body(i)) for i in range(1_000)])
    stage.to_end(passing(stage.file(), stage.name, stage.source, stage.sink, source_more=", on_error: skip"))
    assert identities(kafka.values(stage.sink)) == once(i for i in range(1_000) if i % 10 != 3)
    assert not dead_letters(kafka, stage.name)


def test_on_error_fail_stops_with_the_place_and_goes_on_when_it_is_changed(stage):
    kafka = stage.create(1).kafka
    kafka.produce(stage.source, [(b"k", b"{" if i == 700 else body(i)) for i in range(1_000)])
    text = stage.to_end(passing(stage.file(), stage.name, stage.source, stage.sink, source_more=", on_error: fail"),
                        code=1)
    assert f"{stage.source}[0]@700" in text and "on_error: fail" in text and "records" in text
    assert set(identities(kafka.values(stage.sink))) <= set(range(700))
    assert stage.to_end(stage.file(), code=1).count(f"{stage.source}[0]@700") >= 1  # it did not pass unseen
    stage.to_end(passing(stage.file(), stage.name, stage.source, stage.sink))
    assert identities(kafka.values(stage.sink)) == once(set(range(1_000)) - {700})
    assert len(dead_letters(kafka, stage.name)) == 1


def test_a_sink_expression_that_fails(stage):
    kafka = stage.create().kafka
    kafka.produce(stage.source, [(b"k%d" % i, body(i, **({"wanted": [True, False, "yes"][i % 3]} if i % 5 else {})))
                                 for i in range(1_000)])
    stage.to_end(passing(stage.file(), stage.name, stage.source, stage.sink, sink_more=", where: wanted"))
    assert identities(kafka.values(stage.sink)) == once(i for i in range(1_000) if i % 5 and i % 3 == 0)
    causes = check_letters(kafka, stage.name, stage.source,
                           lambda m: json.loads(m.value()).get("wanted", "none") in ("yes", "none"))
    assert {operator for operator, _ in causes.values()} == {"copies"}
    assert {("wanted" in cause or "true or false" in cause) for _, cause in causes.values()} == {True}


def test_topic_from_with_topics_that_are_forbidden_or_missing(stage):
    kafka = stage.create().kafka
    allowed = [kafka.create(f"{stage.name}-to-a", 2), kafka.create(f"{stage.name}-to-b", 2, max_message_bytes=20_000)]
    targets = [*allowed, f"{stage.name}-to-missing", stage.sink, "", "no such name!"]
    count = 6_000
    kafka.produce(stage.source, [(b"k%d" % i, body(i, to=targets[i % 6])) for i in range(count)])
    topology(stage.file(), stage.name, f"- {{name: records, type: kafka, topic: {stage.source}}}",
             f"- {{name: copies, type: kafka, from: records, topic_from: to, topic_allow: ['{stage.name}-to-*']}}")
    start = time.time()
    stage.to_end(stage.file())
    assert time.time() - start < 12  # the missing topic is not asked for again with every record
    for index, topic in enumerate(allowed):
        assert identities(kafka.values(topic)) == once(range(index, count, 6))
    assert not kafka.values(stage.sink)
    causes = check_letters(kafka, stage.name, stage.source, lambda m: json.loads(m.value())["id"] % 6 > 1)
    texts = Counter(cause for operator, cause in causes.values() if operator == "copies")
    assert sum(texts.values()) == count // 6 * 4
    assert sum(n for text, n in texts.items() if "topic_allow" in text) == count // 6 * 2
    assert sum(n for text, n in texts.items() if f"{stage.name}-to-missing" in text) == count // 6


def test_dead_letters_are_exactly_once_across_kills(stage):
    kafka = stage.create().kafka
    zscore_topology(stage.file(), stage.source, stage.sink, name=stage.name)
    bad = []
    for step, point in enumerate(["after_produce:3", "before_end_txn:3", "after_end_txn:3", "after_apply:3", None]):
        records = list(readings(8_000, 200, start=step * 8_000, seed=step + 1))
        for index in range(0, 8_000, 80):
            records[index] = (records[index][0], b'{"broken":%d' % (step * 8_000 + index))
            bad.append(records[index])
        kafka.produce(stage.source, records)
        got = stage.run(stage.file(), until_end=True, failpoint=point).wait(60)[0]
        assert got == (0 if point is None else -9), stage.log.read_text()[-3000:]
    causes = check_letters(kafka, stage.name, stage.source, lambda m: m.value().startswith(b'{"broken"'))
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
    assert re.search(rf'{word} "\w+" \w+ topic "{absent}", which does not exist\. Create it', text), text


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
    zscore_topology(stage.file("anew.yaml"), stage.source, kafka.create(stage.sink + "-2"), name=stage.name + "-2")
    stage.to_end(stage.file("anew.yaml"))  # the remedy that the sentence names
    assert check_outputs(kafka, stage.source, stage.sink + "-2") == 2_000


@pytest.fixture(scope="module")
def watched(kafka):
    """Three processes at the same time, since each may take 30 s: partitions are added to the source of a stateless
    and of a keyed topology, and a source topic is deleted and created anew. What happened, by name."""
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
        eventually(lambda s=stages[kind]: sum(len(p) for p in kafka.read(s.sink).values()) == 2_000, 40, run)
    cpu = {kind: cpu_seconds(run) for kind, run in started.items()}
    for kind in ("stateless", "keyed"):
        for future in kafka.admin().create_partitions([NewPartitions(stages[kind].source, 6)]).values():
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
    assert "blocked: repartition needed" in stage.to_end(stage.file(), code=1)  # and so at the next start


def test_a_source_topic_made_anew_while_running(watched):
    stages, started, _, since = watched
    stage, run = stages["anew"], started["anew"]
    assert ended(run, since + 30 - time.time()) == 1
    text = stage.log.read_text()
    assert stage.source in text and "deleted" in text and "new name" in text, text[-2000:]
    assert identities(stage.kafka.values(stage.sink)) == once(range(2_000))  # nothing at the old offset


# ---- Brokers ----

@pytest.fixture(scope="module")
def outage(kafka):
    """A broker that goes away for 20 s under a running process, while another process is told to use a broker that
    never comes. What happened."""
    directory = Path(tempfile.mkdtemp(prefix="millrace-e2e-outage-"))
    broker = millrace.Kafka(directory / "kafka").start()
    started = []
    try:
        stage = Stage(broker, "outage", millrace.Run, directory)
        stage.create()
        broker.produce(stage.source, readings(20_000, 500))
        zscore_topology(stage.file(), stage.source, stage.sink, name="outage")
        run = stage.run(stage.file())
        started.append(run)
        eventually(lambda: len(broker.values(stage.sink)) == 20_000, 60, run)
        broker.produce(stage.source, readings(40_000, 500, start=20_000, seed=5))
        time.sleep(0.3)  # in the middle of it
        broker.stop(kill=True)
        nowhere = stage.run(stage.file(), brokers=f"127.0.0.1:{free_port()}", log=directory / "nowhere",
                            state=directory / "other")
        started.append(nowhere)
        nowhere_seconds, before = [], cpu_seconds(run)
        waiter = threading.Thread(target=lambda start=time.time(): (nowhere.process.wait(60),
                                                                    nowhere_seconds.append(time.time() - start)))
        waiter.start()
        time.sleep(20)
        used, nowhere_used = cpu_seconds(run) - before, cpu_seconds(nowhere)
        lines = stage.log.read_text().count("\n")
        assert run.alive(), tail(run)
        broker.start()
        broker.produce(stage.source, readings(5_000, 500, start=60_000, seed=6))
        eventually(lambda: sum(len(p) for p in broker.read(stage.sink).values()) >= 65_000, 60, run, 0.5)
        code = run.stop(40)[0]
        checked = check_outputs(broker, stage.source, stage.sink)
        waiter.join(60)
        yield {"code": code, "used": used, "lines": lines, "checked": checked, "text": stage.log.read_text(),
               "nowhere_code": nowhere.process.returncode, "nowhere_text": (directory / "nowhere").read_text(),
               "nowhere_seconds": nowhere_seconds[0], "nowhere_used": nowhere_used}
    finally:
        for run in started:
            if run.alive():
                run.kill()
            run.log.close()
        broker.stop(kill=True)
        shutil.rmtree(directory, ignore_errors=True)


def test_a_broker_that_is_down_at_start(outage):
    text = outage["nowhere_text"]
    assert outage["nowhere_code"] == 3, text
    assert 15 < outage["nowhere_seconds"] < 40
    assert outage["nowhere_used"] < 2, f"{outage['nowhere_used']} s of processor time in 20 s"
    assert text.count("\n") < 60, text
    last = text.strip().splitlines()[-1]
    assert last.startswith("millrace: ") and "no Kafka broker answered" in last and "--brokers" in last, text


def test_a_broker_that_goes_away_for_20_s(outage):
    assert outage["used"] < 2, f"{outage['used']} s of processor time in 20 s without a broker"
    assert outage["lines"] < 100, outage["text"]
    assert outage["code"] == 0, outage["text"][-3000:]
    assert outage["checked"] == 65_000


def test_a_wrong_password(stage):
    broker = millrace.Kafka(stage.directory / "kafka", "--sasl", "engine:rosebud-1941")
    config = stage.directory / "client.properties"
    settings = "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.username=engine\nsasl.password=%s\n"
    passing(stage.file(), stage.name, stage.source, stage.sink)
    broker.start()
    try:
        config.write_text(settings % "wrong-xanadu")
        run = stage.run(stage.file(), brokers=broker.brokers, extra=["--kafka-config", str(config)])
        command, environment = (Path(f"/proc/{run.process.pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
        assert b"xanadu" not in command + environment
        assert ended(run, 30) == 1
        text = stage.log.read_text() + run.process.stdout.read()
        assert "Check the credentials" in text and "xanadu" not in text and "rosebud" not in text, text
        assert text.count("\n") < 20, text
        config.write_text(settings % "rosebud-1941")
        text = stage.to_end(stage.file(), code=1, brokers=broker.brokers, extra=["--kafka-config", str(config)])
        assert f'topic "{stage.source}", which does not exist' in text and "rosebud" not in text, text  # logged in
        config.write_text(settings % "rosebud-1941" + "sasl.mechanisms=rosebud-1941\nssl.key.password\n")
        text = stage.to_end(stage.file(), code=1, brokers=broker.brokers, extra=["--kafka-config", str(config)])
        assert "client.properties:6" in text, text
    finally:
        broker.stop(kill=True)


# ---- State on disk ----

@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of 8 MB; without the right to mount, files of at most 1 MB instead."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(directory)], capture_output=True).returncode == 0
    yield directory, mounted
    if mounted:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def limited(program, directory):
    """The program behind a shell that limits the size of a file."""
    path = directory / "limited"
    path.write_text(f"#!/bin/bash\ntrap '' XFSZ\nulimit -f 1024\nexec {program} \"$@\"\n")
    path.chmod(0o755)
    return path


def test_a_full_disk(stage, small_disk):
    directory, mounted = small_disk
    kafka = stage.create(2).kafka
    kafka.produce(stage.source, readings(150_000, 150_000))
    zscore_topology(stage.file(), stage.source, stage.sink, name=stage.name)
    stage.file().write_text(stage.file().read_text().replace("spec:\n", "spec:\n  memory: 16MiB\n"))
    filler = directory / "filler"
    if mounted:
        filler.write_bytes(b"x" * 7_500_000)
    program = millrace.PROGRAM if mounted else limited(millrace.PROGRAM, stage.directory)
    run = stage.run(stage.file(), state=directory / "state", program=program)
    count, start = 150_000, time.time()
    while run.alive() and time.time() - start < 60:  # a flush that fails in the background is told by the next write
        kafka.produce(stage.source, readings(5_000, 150_000, start=count, seed=count))
        count += 5_000
        time.sleep(0.5)
    assert not run.alive() and run.process.returncode == 1
    text = stage.log.read_text()
    assert ("disk is full" in text if mounted else "File too large" in text) and "state" in text, text[-3000:]
    assert text.count("\n") < 40, text
    filler.unlink(missing_ok=True)
    if mounted:
        subprocess.run(["mount", "-o", "remount,size=64m", str(directory)], check=True)
    stage.to_end(stage.file(), state=directory / "state")
    assert check_outputs(kafka, stage.source, stage.sink) == count


class Kept(Stage):
    """A finished run with state, to which records are added."""

    def prepare(self, keys=2_000, partitions=6):
        self.keys, self.count = keys, 30_000
        self.create(partitions).kafka.produce(self.source, readings(30_000, keys))
        self.to_end(zscore_topology(self.file(), self.source, self.sink, name=self.name))
        return self

    def folders(self):
        """The tasks' folders, by partition."""
        return {int(path.parent.name): path.parent for path in self.state.rglob("CURRENT")}

    def go_on(self):
        """More records of the same keys; then every score must be as if nothing had happened."""
        self.kafka.produce(self.source, readings(5_000, self.keys, start=self.count, seed=self.count))
        self.count += 5_000
        text = self.to_end(self.file())
        assert check_outputs(self.kafka, self.source, self.sink) == self.count
        return text


@pytest.fixture
def kept(kafka, unique, runs, tmp_path):
    return Kept(kafka, unique, runs, tmp_path).prepare()


def replayed(text):
    return [int(n) for n in re.findall(r"replayed_records=(\d+)", text)]


def flip(path, at, count=64):
    data = bytearray(path.read_bytes())
    for index in range(at, min(at + count, len(data))):
        data[index] ^= 0x5A
    path.write_bytes(data)


def damage_tables(folder, where):
    tables = list(folder.glob("*.sst"))
    assert tables, list(folder.iterdir())
    for table in tables:
        flip(table, int(table.stat().st_size * where))


def damage_footers(folder):
    for table in folder.glob("*.sst"):
        flip(table, table.stat().st_size - 40)


DAMAGES = {
    "current": lambda folder: (folder / "CURRENT").write_bytes(b""),
    "manifest": lambda folder: [os.truncate(path, 20) for path in folder.glob("MANIFEST-*")],
    "table footers": damage_footers,
    "table blocks": lambda folder: damage_tables(folder, 0.4),
    "tables missing": lambda folder: [path.unlink() for path in folder.glob("*.sst")],
}


def test_a_corrupt_state_folder_is_wiped_and_restored_in_full(kept):
    untouched = kept.go_on()
    assert "wiped" not in untouched and max(replayed(untouched)) < 100
    folders = kept.folders()
    for partition, damage in enumerate(DAMAGES.values()):
        damage(folders[partition])
    text = kept.go_on()
    wiped = {int(number): line for line in text.splitlines() if "wiped" in line and "restored in full" in line
             for number in re.findall(r"partition=(\d+)|/(\d+)$", line)[0] if number}
    assert set(wiped) == set(range(len(DAMAGES))), (list(DAMAGES), text)
    assert all("damage" in line for line in wiped.values()), text
    restored = {int(p): int(n) for p, n in re.findall(r"partition=(\d+) replayed_records=(\d+)", text)}
    assert all((restored[partition] > 100) == (partition in wiped) for partition in folders), text
    assert text.count("\n") < 60, text
    assert "wiped" not in kept.go_on()


def test_a_state_folder_of_another_run(kept, unique):
    other = Kept(kept.kafka, unique + "-b", kept.runs, kept.directory / "b")
    other.directory.mkdir()
    other.prepare(keys=300)
    theirs, ours = other.folders()[0].parent.parent, kept.folders()[0].parent.parent
    shutil.rmtree(ours)
    shutil.copytree(theirs, ours)  # under our name, with what they know
    text = kept.go_on()
    assert text.count("local state was wiped") == 6, text
    assert "belongs to an earlier generation" in text or "belongs to another" in text
    assert len(replayed(text)) == 6 and min(replayed(text)) > 100
    assert "wiped" not in kept.go_on()


def test_a_state_folder_older_than_the_tombstones(kept):
    assert "wiped" not in kept.go_on()
    configure(kept.kafka, changelog(kept.kafka, kept.name), delete_retention_ms=4_000)
    time.sleep(2.5)
    text = kept.go_on()
    assert text.count("local state was wiped") == 6, text
    assert "older than the changelog keeps deletions" in text
    assert min(replayed(text)) > 100


# ---- The process ----

def claims(kafka, cluster):
    """Key of a task -> whether its last claim is released."""
    found = {}
    for messages in kafka.read(f"{cluster}.claims").values():
        for message in messages:
            assert message.value()[0] == 1  # the layout of worker/claim.h
            found[message.key()] = message.value()[1] == 1
    return found


def test_sigterm_under_load_commits_releases_and_exits_0(stage):
    kafka, chunk = stage.create().kafka, 20_000
    kafka.produce(stage.source, readings(chunk, 5_000))
    zscore_topology(stage.file(), stage.source, stage.sink, name=stage.name)

    run = stage.run(stage.file())
    fed = [0]

    def feed():  # as long as the process lives: it is stopped under load
        while run.alive() and fed[-1] < 50:
            start = len(fed) * chunk
            kafka.produce(stage.source, readings(chunk, 5_000, start=start, seed=start))
            fed.append(len(fed))

    feeder = threading.Thread(target=feed)
    feeder.start()
    eventually(lambda: sum(kafka.ends(stage.sink).values()) > 5_000, 40, run)
    start = time.time()
    code, _, _ = run.stop(30)
    assert code == 0, tail(run)
    assert time.time() - start < 10
    feeder.join()
    found = claims(kafka, stage.name)
    assert len(found) == 4 and all(found.values()), (found, tail(run))
    text = stage.to_end(stage.file())
    assert max(replayed(text)) == 0, text  # nor is anything restored
    assert check_outputs(kafka, stage.source, stage.sink) == len(fed) * chunk


def test_one_of_two_topologies_fails_and_the_other_goes_on(stage):
    kafka = stage.create().kafka
    other = Stage(kafka, stage.name + "-b", stage.runs, stage.directory).create(2)
    passing(stage.file(), stage.name, stage.source, stage.sink, source_more=", on_error: fail")
    passing(stage.file("b.yaml"), other.name, other.source, other.sink)
    kafka.produce(stage.source, [(b"k", body(0)), (b"k", b"{"), (b"k", body(1))])
    kafka.produce(other.source, [(b"k%d" % i, body(i)) for i in range(1_000)])
    run = stage.run(stage.file(), stage.file("b.yaml"))
    eventually(lambda: "on_error: fail" in stage.log.read_text(), 30, run)
    before, start = cpu_seconds(run), time.time()
    kafka.produce(other.source, [(b"k%d" % i, body(i)) for i in range(1_000, 2_000)])
    eventually(lambda: len(kafka.values(other.sink)) == 2_000, 20, run)
    time.sleep(2)
    assert cpu_seconds(run) - before < 0.5 * (time.time() - start)
    code, _, _ = run.stop(20)
    assert code == 1
    assert f'millrace: topology "{stage.name}" stopped: ' in stage.log.read_text()
    assert identities(kafka.values(other.sink)) == once(range(2_000))
    assert set(identities(kafka.values(stage.sink))) <= {0}
