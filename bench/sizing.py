"""What a topology takes of everything: the table of docs/OPERATIONS.md, section Sizing.

    script/bench sizing [--records 2000000] [--events 1000000] [--rounds 3] [--rows NAME,...]

Each row is one process, exactly once on a real Kafka, with the default budget of memory. While it
runs its state folder is looked at; behind the last round its changelog is read, which has one
message per key that a transaction changed: the last value of each key is the state. What is
printed:
records per CPU-second, resident memory: as the kernel accounts for the process (wait4);
keys, state: the most that was alive at a time in each task, of the changelog, summed over tasks;
disk: the most blocks that the state folder had, as du counts them;
changelog: bytes of the topic's segments on the broker's disk, for each record of the input, and
for each change of a key in a transaction.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import BIN, Broker, median, print_environment
from nexmark import QUERIES
from nexmark import run as run_query

PROGRESS_KEY = b"\0\0\0\0progress"
MIB = 1 << 20
BLOCK = 512  # of st_blocks
LOOK_SECONDS = 0.1
# name: (what it is, topology under bench/ or examples/nexmark/, keys of the readings)
ROWS = {
    "zscore": ("z-score per sensor, 10,000 sensors", "zscore", 10_000),
    "zscore-many": ("z-score per sensor, 100,000 sensors", "zscore", 100_000),
    "tumbling": ("4 aggregates per sensor and minute", "tumbling", 10_000),
    "session": ("4 aggregates per sensor and session of 20 s", "session", 10_000),
    "q8": ("windowed join (Nexmark q8)", "q8", None),
    "q9": ("join and winner per auction (Nexmark q9)", "q9", None),
}


def disk_bytes(folder):
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(place, name)).st_blocks * BLOCK
            except FileNotFoundError:
                pass  # merged away meanwhile
    return total


class Watched:
    """A process that ends by itself, and the most that its state folder took."""

    def __init__(self, words, environment, state):
        self.disk = 0
        with tempfile.TemporaryFile("w+") as out:
            process = subprocess.Popen(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=out, env=dict(os.environ, **environment))
            ended = 0
            while ended == 0:
                time.sleep(LOOK_SECONDS)
                self.disk = max(self.disk, disk_bytes(state))
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.disk = max(self.disk, disk_bytes(state))
            out.seek(0)
            output = out.read()
        if process.returncode != 0:
            sys.exit(f"{words[0]} ended with {process.returncode}:\n{output[-3000:]}")
        self.cpu = usage.ru_utime + usage.ru_stime
        self.rss = usage.ru_maxrss * 1024


class Changelog:
    """What a topology has written to its changelog, and the most state that it held."""

    def __init__(self, broker, cluster):
        self.bytes = self.changes = self.keys = self.state = 0
        for topic in broker.admin.list_topics(timeout=30).topics:
            if not topic.startswith(f"{cluster}.") or not topic.endswith(".changelog"):
                continue
            for segment in Path(broker.folder, "kafka", "data").glob(f"{topic}-*/*.log"):
                self.bytes += segment.stat().st_size
            for partition in broker.partitions(topic):
                self._fold(messages_of(broker, topic, partition.id))

    def _fold(self, messages):
        sizes = {}
        live = keys = most = 0
        for message in messages:
            key, value = message.key(), message.value()
            if key == PROGRESS_KEY:
                continue
            self.changes += 1
            live -= sizes.pop(key, 0)
            if value is not None:
                sizes[key] = len(key) + len(value)
                live += sizes[key]
            keys, most = max(keys, len(sizes)), max(most, live)
        self.keys += keys
        self.state += most


def messages_of(broker, topic, partition):
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
    reader = Consumer({"bootstrap.servers": broker.address, "group.id": "sizing",
                       "isolation.level": "read_committed", "enable.auto.commit": False,
                       "enable.partition.eof": True})
    reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    ended = False
    while not ended:
        for message in reader.consume(10_000, 1.0):
            if message.error() is None:
                yield message
            else:
                ended = True  # the end of the partition
    reader.close()


def run(broker, cluster, path, environment):
    state = Path(broker.folder) / cluster
    words = [BIN / "millrace", "run", path, "--brokers", broker.address, "--cluster", cluster,
             "--state-dir", state, "--until-end"]
    watched = Watched(words, environment, state)
    shutil.rmtree(state, ignore_errors=True)
    print(f"  {path.stem}: {watched.cpu:.2f} s CPU", file=sys.stderr)
    return watched


def print_row(name, records, runs, changelog):
    cells = [ROWS[name][0], f"{records / median(runs, lambda one: one.cpu):,.0f}",
             f"{changelog.keys:,}", f"{changelog.state / MIB:.1f} MiB",
             f"{max(one.rss for one in runs) / MIB:.0f} MiB",
             f"{max(one.disk for one in runs) / MIB:.1f} MiB",
             f"{changelog.bytes / records:.0f} ({changelog.bytes / changelog.changes:.0f})"]
    print("| " + " | ".join(cells) + " |", flush=True)


class Inputs:
    """Topics of input, made when they are first asked for."""

    def __init__(self, broker, arguments):
        self.broker, self.arguments, self.topics = broker, arguments, {}

    def readings(self, keys):
        if keys not in self.topics:
            self.topics[keys] = self.broker.load(self.arguments.records, keys)
        return self.topics[keys]

    def events(self):
        environment = {"NEXMARK_EVENTS": str(self.arguments.events),
                       "NEXMARK_SIDE_INPUT": str(QUERIES / "side-input.csv")}
        if None not in self.topics:
            self.topics[None] = run_query(self.broker, "events", environment,
                                          Path(self.broker.folder) / "events")
        return environment


def measure_row(broker, inputs, name):
    _, topology, keys = ROWS[name]
    runs = []
    for _ in range(inputs.arguments.rounds):
        target = broker.topic()
        cluster = f"z{broker.count}"
        if keys is None:
            environment = inputs.events() | {"NEXMARK_TO": target}
            path = QUERIES / f"{topology}.yaml"
        else:
            environment = {"BENCH_FROM": inputs.readings(keys), "BENCH_TO": target}
            path = Path(__file__).parent / "topologies" / f"{topology}.yaml"
        runs.append(run(broker, cluster, path, environment))
        broker.delete(target)
    records = inputs.arguments.events if keys is None else inputs.arguments.records
    print_row(name, records, runs, Changelog(broker, cluster))


def main():
    parser = argparse.ArgumentParser(prog="script/bench sizing")
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", default=",".join(ROWS))
    arguments = parser.parse_args()
    names = arguments.rows.split(",")
    if set(names) - set(ROWS):
        sys.exit(f"the rows are {', '.join(ROWS)}")
    # What is replaced must not leave the changelogs before they are measured.
    with Broker("log.cleaner.enable=false") as broker:
        print_environment(arguments.records)
        inputs = Inputs(broker, arguments)
        print("| | records per CPU-second | keys | state | resident | disk | changelog, bytes a"
              " record (a change) |\n|---|---:|---:|---:|---:|---:|---:|", flush=True)
        for name in names:
            measure_row(broker, inputs, name)


if __name__ == "__main__":
    main()
