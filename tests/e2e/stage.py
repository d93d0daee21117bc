"""What the tests of bad input and faults share: names, files, runs and checks."""

import json
import os
import time
from collections import Counter
from pathlib import Path

from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)


TICKS = os.sysconf("SC_CLK_TCK")


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
    return topology(
        path,
        name,
        f"- {{name: records, type: kafka, topic: {source}{source_more}}}",
        f"- {{name: copies, type: kafka, from: known, topic: {sink}{sink_more}}}",
        "- {name: known, type: filter, from: records, where: 'id >= 0.0'}",
    )


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
        assert time.time() - start < timeout, "it did not happen in time" + (
            tail(run) if run else ""
        )
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
            position = (
                headers["millrace.topic"],
                int(headers["millrace.partition"]),
                int(headers["millrace.offset"]),
            )
            letters.setdefault(position, []).append((headers, message.key(), message.value()))
    return letters


def check_letters(kafka, name, source, is_bad):
    """Each bad input has exactly one dead letter with its bytes, no good one has any."""
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
    entries = [
        ConfigEntry(name.replace("_", "."), str(value), incremental_operation=AlterConfigOpType.SET)
        for name, value in settings.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    for future in kafka.admin().incremental_alter_configs([resource]).values():
        future.result(30)
    time.sleep(0.3)  # until the broker has applied it


def changelog(kafka, cluster):
    return next(
        t for t in kafka.topics() if t.startswith(f"{cluster}.") and t.endswith(".changelog")
    )


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
        options = {
            "brokers": self.kafka.brokers,
            "cluster": self.name,
            "state": self.state,
            "log": self.log,
        } | options
        return self.runs(*files, **options)

    def to_end(self, *files, code=0, timeout=60, **options):
        """Run until the end; the exit code is as expected. Returns what was written."""
        size = self.log.stat().st_size if self.log.exists() else 0
        got, out, _ = self.run(*files, until_end=True, **options).wait(timeout)
        text = self.log.read_text()[size:]
        assert got == code, text[-3000:]
        return text + out
