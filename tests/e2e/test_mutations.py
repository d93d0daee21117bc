"""Each guard of the exactly-once protocol, switched off, must be noticed (docs/EXACTLY_ONCE.md).

Every scenario runs twice: the program as built passes it, the program without the guard breaks the
promise. A scenario raises Broken for a broken promise only; whatever else goes wrong fails the test
in both builds.
"""

import shutil
import struct
import sys
import tempfile
import time
from pathlib import Path

import pytest
from confluent_kafka import Producer

import millrace
import mutations
from millrace import PROGRAM, ROOT, check_outputs, readings, zscore_topology

sys.path.insert(0, str(ROOT / "tests" / "support"))
from kafka_proxy import Proxy  # noqa: E402


class Broken(Exception):
    """Outputs are lost, doubled, out of order or have a wrong score."""


class Stage:
    """One topic of one partition in, one out, a topology over them, and runs of one program."""

    def __init__(self, kafka, name, folder, program, runs):
        self.kafka, self.name, self.folder = kafka, name, folder
        self.program, self.runs = program, runs
        self.source = kafka.create(name + "-in", 1)
        self.sink = kafka.create(name + "-out", 1)
        self.topology = zscore_topology(folder / "scores.yaml", self.source, self.sink, name=name)
        self.fed = 0

    def feed(self, count, first_sensor=0, sensors=50):
        """The next records; sensors of another range are keys that no earlier record had."""
        records = []
        for key, value in readings(count, sensors, start=self.fed, seed=self.fed + 1):
            moved = b"s-%05d" % (int(key[2:]) + first_sensor)
            records.append((moved, value.replace(key, moved)))
        self.kafka.produce(self.source, records)
        self.fed += count

    def run(self, state="state", log=None, failpoint=None, until_end=False):
        return self.runs(self.topology, brokers=self.kafka.brokers, cluster=self.name, threads=1,
                         state=self.folder / state, program=self.program, failpoint=failpoint,
                         until_end=until_end, log=log and self.folder / log)

    def run_to_end(self, state="state"):
        code, _, err = self.run(state, until_end=True).wait(120)
        assert code == 0, err

    def stopped(self, run):
        """Wait until the process has stopped itself at its crash point."""
        deadline = time.time() + 60
        while "State:\tT" not in Path(f"/proc/{run.process.pid}/status").read_text():
            assert time.time() < deadline and run.alive()
            time.sleep(0.02)

    def wait_for_outputs(self, count, timeout=90):
        """Committed ones; a missing one is found by check."""
        deadline = time.time() + timeout
        while len(self.kafka.values(self.sink)) < count and time.time() < deadline:
            time.sleep(0.2)

    def claims(self):
        """The live claims: (generation, incarnation) of each task. There is one: its transaction
        may be committed and its markers still on their way, so a reader waits for it."""
        deadline = time.time() + 60
        while not (found := self._claims()):
            assert time.time() < deadline, "nobody claims a task"
            time.sleep(0.05)
        return found

    def _claims(self):
        last = {}
        for messages in self.kafka.read(self.name + ".claims").values():
            for message in messages:
                last[message.key()] = message.value()
        found = []
        for key, value in last.items():
            _, released, _, incarnation = struct.unpack("<BBQQ", value[:18])
            if not released:
                found.append((key.split(b"/")[0].decode(), incarnation))
        return found

    def check(self):
        try:
            assert check_outputs(self.kafka, self.source, self.sink) == self.fed
        except AssertionError as error:
            raise Broken(str(error)[:500]) from error


def fence(stage):
    """A paused owner wakes up behind a takeover with a sealed transaction in hand."""
    stage.feed(20_000)
    first = stage.run("first", log="log", failpoint="before_begin:1:stop")
    stage.stopped(first)
    stage.run_to_end("second")
    first.resume()
    time.sleep(3)
    first.kill()
    stage.check()


def write_after_commit(stage):
    """Kafka refuses a transaction of new keys, so that no changelog record repairs them."""
    stage.feed(10_000)
    stage.run_to_end()
    stage.feed(10_000, first_sensor=1000)
    run = stage.run(log="log", failpoint="before_end_txn:1:stop")
    stage.stopped(run)
    for generation, incarnation in stage.claims():
        for turn in range(2):
            identity = f"{stage.name}.data.{generation}.{incarnation:016x}.{turn}"
            Producer({"bootstrap.servers": stage.kafka.brokers,
                      "transactional.id": identity}).init_transactions(30)
    run.resume()
    run.wait_for("task restored", 2)
    code, _, _ = run.stop()
    assert code == 0, (stage.folder / "log").read_text()
    stage.run_to_end()
    stage.check()


def read_to_end(stage):
    """An owner's claim lies behind somebody's open transaction as the next owner looks."""
    stage.feed(10_000)
    first = stage.run("first", log="first.log", failpoint="claim_before_write:1:stop")
    stage.stopped(first)
    other = Producer({"bootstrap.servers": stage.kafka.brokers,
                      "transactional.id": stage.name + "-other"})
    other.init_transactions(30)
    other.begin_transaction()
    for partition in stage.kafka.ends(stage.name + ".claims"):
        other.produce(stage.name + ".claims", b"", b"other", partition=partition)
    other.flush(30)
    first.resume()
    first.wait_for("task restored")
    second = stage.run("second", log="second.log")
    deadline = time.time() + 5
    log = stage.folder / "second.log"
    while time.time() < deadline and "task restored" not in log.read_text():
        time.sleep(0.1)
    other.commit_transaction(30)
    second.wait_for("task restored")
    stage.feed(10_000)
    stage.wait_for_outputs(20_000)
    time.sleep(1)
    for run in (first, second):
        if run.alive():
            run.stop()
    stage.check()


def offset_filter(stage):
    """The consumer delivers records again that the task has already processed."""
    stage.feed(20_000)
    stage.run_to_end()
    stage.feed(10_000)
    run = stage.run(failpoint="rewind:500", until_end=True)
    code, _, err = run.wait(60)
    assert code == 0, err
    stage.check()


def clean_commit(stage):
    """A delayed EndTxn, repeated by the client, arrives in a later transaction (KAFKA-17754)."""
    proxy = stage.kafka.proxy
    proxy.hold_end_txn(after=0)
    run = stage.run(log="log", failpoint="after_outputs:3:sleep=20000")
    deadline = time.time() + 40
    while not proxy.produced.is_set() and time.time() < deadline:
        stage.feed(500)
        time.sleep(0.05)
    assert proxy.held is not None and proxy.repeated.is_set()
    proxy.let_go()
    run.kill()
    stage.run_to_end()
    stage.check()


@pytest.fixture(scope="module")
def proxied_kafka():
    """A broker that every client, the broker itself too, reaches through a proxy."""
    started = []

    def start():
        directory = tempfile.mkdtemp(prefix="millrace-e2e-proxied-")
        port = millrace.free_port()
        kafka = millrace.Kafka(directory, "--property",
                               f"advertised.listeners=BROKER://127.0.0.1:{port}")
        kafka.proxy = Proxy(port, kafka.port)
        started.append((kafka, directory))
        return kafka.start()

    yield start
    for kafka, directory in started:
        kafka.stop(kill=True)
        kafka.proxy.close()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.mark.parametrize("mutated", [False, True], ids=["as built", "mutated"])
@pytest.mark.parametrize(
    "scenario", [fence, write_after_commit, read_to_end, offset_filter, clean_commit],
    ids=lambda scenario: scenario.__name__)
def test_guard(scenario, mutated, kafka, proxied_kafka, unique, runs, tmp_path):
    program = mutations.build(scenario.__name__) if mutated else PROGRAM
    broker = proxied_kafka() if scenario is clean_commit else kafka
    stage = Stage(broker, unique, tmp_path, program, runs)
    if not mutated:
        scenario(stage)
        return
    with pytest.raises(Broken) as broken:
        scenario(stage)
    print(f"{scenario.__name__}: {broken.value}")
