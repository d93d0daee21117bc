#!/usr/bin/env python3
"""Open session windows by the million: memory, state on disk, CPU; started by hand.

    bench/sessions.py [--sessions 1000000] [--memory 256MiB] [--bin DIR]

Each record of a generator has a key of its own, and no session ends before the last record: all are
open at once. Then the source has ended, and all close at one step of the watermark; results go to a
topic of a real Kafka, exactly once. The process then goes on without input, and its state must
leave the disk. Fails when resident memory passes the limit and 20 %, when a result is missing, or
when the disk keeps more than a tenth.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from bench import BIN, Broker

TOPOLOGY = """\
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: sessions}}
spec:
  memory: {memory}
  commit_interval: 1s
  sources:
    - {{name: made, type: generate.sequence, count: {sessions}, schema: {{seq: int}}}}
  operators:
    - {{name: open, type: window.aggregate, from: made, key: [seq], scope: partition,
       window: {{session: 300d}}, aggregates: {{rows: count(), last: max(seq)}}}}
  sinks:
    - {{name: closed, type: kafka, from: open, topic: {topic}}}
"""
MIB = 1 << 20
TICKS = os.sysconf("SC_CLK_TCK")
SETTLED = 0.1  # of the most that the state took on disk
REST_SECONDS = 120


def disk_bytes(folder):
    total = 0
    for path in Path(folder).rglob("*.sst"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            pass  # merged away meanwhile
    return total


def size_of(text):
    for unit, factor in (("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)):
        if text.endswith(unit):
            return int(text[:-len(unit)]) * factor
    sys.exit(f"no size: {text}")


class Process:
    """A run of the topology, looked at from outside."""

    def __init__(self, arguments, broker, sessions):
        self.state = Path(broker.folder) / f"state-{sessions}"
        self.topic = broker.topic()
        file = Path(broker.folder) / f"sessions-{sessions}.yaml"
        file.write_text(TOPOLOGY.format(memory=arguments.memory, sessions=sessions,
                                        topic=self.topic))
        self.log = open(f"{broker.folder}/log-{sessions}", "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [Path(arguments.bin) / "millrace", "run", "--quiet", file, "--brokers", broker.address,
             "--cluster", f"s{sessions}", "--state-dir", self.state, "--threads", "1"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.rss = self.disk = 0

    def look(self):
        """RSS, CPU seconds and bytes on disk, now."""
        if self.process.poll() is not None:
            sys.exit(f"millrace ended with {self.process.returncode}:\n"
                     f"{Path(self.log.name).read_text(encoding='utf-8')[-3000:]}")
        folder = Path("/proc") / str(self.process.pid)
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        rss = int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
        disk = disk_bytes(self.state)
        self.rss, self.disk = max(self.rss, rss), max(self.disk, disk)
        return rss, (int(fields[11]) + int(fields[12])) / TICKS, disk

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.log.close()


class Counter:
    """Records of a topic; markers of transactions are counted, too."""

    def __init__(self, broker, topic):
        from confluent_kafka import Consumer
        self.topic = topic
        self.partitions = [partition.id for partition in broker.partitions(topic)]
        self.consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "count"})
        self.total = 0

    def count(self):
        from confluent_kafka import KafkaException, TopicPartition
        try:
            ends = [self.consumer.get_watermark_offsets(TopicPartition(self.topic, partition), 30)
                    for partition in self.partitions]
            self.total = sum(high - low for low, high in ends)
        except KafkaException:
            pass  # the next look tells
        return self.total


def run(arguments, broker, sessions):
    process = Process(arguments, broker, sessions)
    counter = Counter(broker, process.topic)
    began = time.monotonic()
    said = began
    try:
        while counter.count() < sessions:
            rss, cpu, disk = process.look()
            if time.monotonic() - said > 15:
                said = time.monotonic()
                print(f"  {said - began:.0f} s: {rss / MIB:.0f} MiB resident, {cpu:.0f} s CPU,"
                      f" {disk / MIB:.0f} MiB on disk, {counter.total:,} closed",
                      flush=True)
            time.sleep(1)
        _, cpu, _ = process.look()
        took = time.monotonic() - began
        disk = process.disk
        while disk > process.disk * SETTLED and time.monotonic() - began - took < REST_SECONDS:
            _, _, disk = process.look()
            time.sleep(0.5)
        rest = time.monotonic() - began - took
        print(f"{sessions:,} sessions: {process.rss / MIB:.0f} MiB resident at most,"
              f" {process.disk / MIB:.1f} MiB on disk, {disk / MIB:.1f} MiB {rest:.0f} s after the"
              f" last result; {took:.0f} s, {cpu / sessions * 1e6:.2f} us CPU a session",
              flush=True)
    finally:
        counter.consumer.close()
        process.stop()
    return process.rss, process.disk, disk


def main():
    parser = argparse.ArgumentParser(prog="bench/sessions.py")
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--memory", default="256MiB")
    parser.add_argument("--bin", default=str(BIN))
    arguments = parser.parse_args()
    with Broker() as broker:
        rss, most, left = run(arguments, broker, arguments.sessions)
    limit = size_of(arguments.memory)
    print(f"limit {limit / MIB:.0f} MiB")
    if rss > limit * 1.2:
        sys.exit("resident memory is above the limit and 20 %")
    if left > most * SETTLED:
        sys.exit("the state has not left the disk")


if __name__ == "__main__":
    main()
