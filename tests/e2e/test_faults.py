"""Brokers, disks and state that fail: a sentence with place and remedy; nothing is lost."""

import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

import millrace
from millrace import check_outputs, free_port, readings, zscore_topology
from stage import (
    Stage,
    body,
    changelog,
    configure,
    cpu_seconds,
    ended,
    eventually,
    identities,
    once,
    passing,
    tail,
)

# ---- Brokers ----


@pytest.fixture(scope="module")
def outage(kafka):
    """A broker that goes away for 20 s under a running process, while another process is told to
    use a broker that never comes. What happened."""
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
        nowhere = stage.run(
            stage.file(),
            brokers=f"127.0.0.1:{free_port()}",
            log=directory / "nowhere",
            state=directory / "other",
        )
        started.append(nowhere)
        nowhere_seconds, before = [], cpu_seconds(run)
        waiter = threading.Thread(
            target=lambda start=time.time(): (
                nowhere.process.wait(60),
                nowhere_seconds.append(time.time() - start),
            )
        )
        waiter.start()
        time.sleep(20)
        used, nowhere_used = cpu_seconds(run) - before, cpu_seconds(nowhere)
        lines = stage.log.read_text().count("\n")
        assert run.alive(), tail(run)
        broker.start()
        broker.produce(stage.source, readings(5_000, 500, start=60_000, seed=6))
        eventually(
            lambda: sum(len(p) for p in broker.read(stage.sink).values()) >= 65_000, 60, run, 0.5
        )
        code = run.stop(40)[0]
        checked = check_outputs(broker, stage.source, stage.sink)
        waiter.join(60)
        yield {
            "code": code,
            "used": used,
            "lines": lines,
            "checked": checked,
            "text": stage.log.read_text(),
            "nowhere_code": nowhere.process.returncode,
            "nowhere_text": (directory / "nowhere").read_text(),
            "nowhere_seconds": nowhere_seconds[0],
            "nowhere_used": nowhere_used,
        }
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
    assert (
        last.startswith("millrace: ") and "no Kafka broker answered" in last and "--brokers" in last
    ), text


def test_a_broker_that_goes_away_for_20_s(outage):
    assert outage["used"] < 2, f"{outage['used']} s of processor time in 20 s without a broker"
    assert outage["lines"] < 100, outage["text"]
    assert outage["code"] == 0, outage["text"][-3000:]
    assert outage["checked"] == 65_000


def test_a_wrong_password(stage):
    broker = millrace.Kafka(stage.directory / "kafka", "--sasl", "engine:rosebud-1941")
    config = stage.directory / "client.properties"
    settings = "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n"
    settings += "sasl.username=engine\nsasl.password=%s\n"
    passing(stage.file(), stage.name, stage.source, stage.sink)
    broker.start()
    try:
        config.write_text(settings % "wrong-xanadu")
        run = stage.run(stage.file(), brokers=broker.brokers, extra=["--kafka-config", str(config)])
        command, environment = (
            Path(f"/proc/{run.process.pid}/{name}").read_bytes() for name in ("cmdline", "environ")
        )
        assert b"xanadu" not in command + environment
        assert ended(run, 30) == 1
        text = stage.log.read_text() + run.process.stdout.read()
        assert (
            "Check the credentials" in text and "xanadu" not in text and "rosebud" not in text
        ), text
        assert text.count("\n") < 20, text
        config.write_text(settings % "rosebud-1941")
        text = stage.to_end(
            stage.file(), code=1, brokers=broker.brokers, extra=["--kafka-config", str(config)]
        )
        assert (
            f'topic "{stage.source}", which does not exist' in text and "rosebud" not in text
        ), text  # logged in
        config.write_text(
            settings % "rosebud-1941" + "sasl.mechanisms=rosebud-1941\nssl.key.password\n"
        )
        text = stage.to_end(
            stage.file(), code=1, brokers=broker.brokers, extra=["--kafka-config", str(config)]
        )
        assert "client.properties:6" in text, text
    finally:
        broker.stop(kill=True)


# ---- State on disk ----


@pytest.fixture
def small_disk(tmp_path):
    """A folder on 8 MB of disk; without the right to mount, files of at most 1 MB instead."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mounted = (
        os.geteuid() == 0
        and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(directory)], capture_output=True
        ).returncode
        == 0
    )
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
    while (
        run.alive() and time.time() - start < 60
    ):  # a flush that fails in the background is told by the next write
        kafka.produce(stage.source, readings(5_000, 150_000, start=count, seed=count))
        count += 5_000
        time.sleep(0.5)
    assert not run.alive() and run.process.returncode == 1
    text = stage.log.read_text()
    assert (
        "disk is full" in text if mounted else "File too large" in text
    ) and "state" in text, text[-3000:]
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
        self.kafka.produce(
            self.source, readings(5_000, self.keys, start=self.count, seed=self.count)
        )
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
    wiped = {
        int(number): line
        for line in text.splitlines()
        if "wiped" in line and "restored in full" in line
        for number in re.findall(r"partition=(\d+)|/(\d+)$", line)[0]
        if number
    }
    assert set(wiped) == set(range(len(DAMAGES))), (list(DAMAGES), text)
    assert all("damage" in line for line in wiped.values()), text
    restored = {
        int(p): int(n) for p, n in re.findall(r"partition=(\d+) replayed_records=(\d+)", text)
    }
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
