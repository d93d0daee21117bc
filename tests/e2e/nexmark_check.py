"""script/nexmark: the Nexmark queries beside DuckDB, with as many events as wanted.

By default each query runs in one process on the embedded broker. With --workers or --kill it runs
on a Kafka that is started for it: in a cluster, or in one process that is killed in the middle.
"""

import argparse
import json
import random
import re
import sys
import tempfile
import time
from pathlib import Path

import nexmark
from cluster import Cluster
from millrace import Kafka, Run

KILLS = 3


class OnKafka:
    """Runs queries on a real Kafka: in one process, or in a cluster."""

    def __init__(self, folder, workers, kill, seed):
        self.folder, self.workers, self.kill = Path(folder), workers, kill
        self.random = random.Random(seed)
        self.kafka = Kafka(self.folder / "kafka", "--property", "log.retention.ms=-1")
        self.source = None
        self.runs = 0

    def __enter__(self):
        self.kafka.start()
        return self

    def __exit__(self, *_):
        self.kafka.stop(kill=True)

    def load(self, events):
        """The events, by partition in the file's order, and ticks in each partition."""
        self.source = self.kafka.create("nexmark", nexmark.PARTITIONS)
        with open(events, "rb") as lines:
            self.kafka.produce(self.source, ((None, line.rstrip(b"\n")) for line in lines
                                             if not line.startswith(b'{"event_type":3')))
        with open(events, "rb") as lines:
            ticks = [line.rstrip(b"\n") for line in lines if line.startswith(b'{"event_type":3')]
        self.kafka.produce(self.source, ((str(i).encode(), tick) for i, tick in enumerate(ticks)))

    def __call__(self, query, events, folder):
        if self.source is None:
            self.load(events)
        self.runs += 1
        target = self.kafka.create(f"nexmark-{query}", nexmark.PARTITIONS)
        folder = Path(folder) / query
        folder.mkdir(parents=True)
        text = (nexmark.EXAMPLES / f"{query}.yaml").read_text()
        path = folder / "topology.yaml"
        path.write_text(re.sub(r"\$\{\w+:([^}]*)\}", r"\1", text))
        if self.workers > 1:
            self.in_cluster(path, target, folder)
        else:
            self.in_one_process(path, folder)
        records = [json.loads(value) for value in self.kafka.values(target)]
        self.kafka.delete(target)
        return records

    def start(self, path, folder):
        return Run(path, brokers=self.kafka.brokers, cluster=f"n{self.runs}",
                   state=folder / "state", until_end=True, threads=2, log=folder / "log")

    def in_one_process(self, path, folder):
        run = self.start(path, folder)
        for _ in range(KILLS if self.kill else 0):
            time.sleep(self.random.uniform(0.8, 2.5))
            if not run.alive():
                break
            run.kill()
            run = self.start(path, folder)
        code, _, _ = run.wait(1800)
        if code != 0:
            raise RuntimeError((folder / "log").read_text()[-4000:])

    def in_cluster(self, path, target, folder):
        cluster = Cluster(self.kafka.brokers, f"n{self.runs}", folder)
        try:
            cluster.coordinator()
            for _ in range(self.workers):
                cluster.worker(threads=1)
            cluster.server()
            cluster.submit(path)
            if self.kill:
                time.sleep(self.random.uniform(3, 6))
                victim = cluster.workers["w1"]
                victim.kill()
                victim.start()
            self.wait_until_quiet(f"n{self.runs}", target)
        finally:
            cluster.end()

    def wait_until_quiet(self, name, target, quiet_seconds=5, timeout=1800):
        """Until every event is behind the mirrored offsets, and nothing more comes out."""
        from confluent_kafka import Consumer, TopicPartition

        group = f"{name}.nexmark-{target.removeprefix('nexmark-')}"
        reader = Consumer({"bootstrap.servers": self.kafka.brokers, "group.id": group,
                           "enable.auto.commit": False})
        ends = self.kafka.ends(self.source)
        parts = [TopicPartition(self.source, part) for part in ends]
        last, since, deadline = None, time.monotonic(), time.monotonic() + timeout
        while time.monotonic() < deadline:
            read = all(part.offset >= ends[part.partition] for part in reader.committed(parts, 30))
            now = self.kafka.ends(target)
            if now != last or not read:
                last, since = now, time.monotonic()
            if time.monotonic() - since > quiet_seconds:
                reader.close()
                return
            time.sleep(0.3)
        raise RuntimeError(f"{name}: not done within {timeout} s")


def check_all(arguments, folder, run):
    start = time.monotonic()
    events = nexmark.make_events(folder, arguments.events, arguments.seed,
                                 shuffle=arguments.shuffle)
    database = nexmark.batch(events)
    print(f"{arguments.events:,} events, seed {arguments.seed}, shuffle {arguments.shuffle}:"
          f" made and loaded in {time.monotonic() - start:.1f} s", flush=True)
    failed = 0
    for query in arguments.queries:
        try:
            rows, records, difference, seconds = nexmark.check(query, events, folder, database, run)
        except (RuntimeError, AssertionError) as error:
            rows, records, difference, seconds = 0, 0, str(error), 0
        failed += difference is not None
        print(f"{query:4} {rows:9,} rows, {records:9,} records in {seconds:6.1f} s:"
              f" {'equal' if difference is None else difference}", flush=True)
    return failed


def main():
    known = nexmark.available()
    parser = argparse.ArgumentParser(prog="script/nexmark", description=__doc__)
    parser.add_argument("--check", action="store_true", required=True,
                        help="compare with DuckDB; the only thing this does")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--queries", default=",".join(known), help="by default all there are")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shuffle", type=int, default=1,
                        help="events arrive shuffled in groups of this many (at most 4,000)")
    parser.add_argument("--workers", type=int, choices=(1, 4), default=None,
                        help="on a Kafka: in one process, or in a cluster of four workers")
    parser.add_argument("--kill", action="store_true", help="on a Kafka, with kill -9 meanwhile")
    arguments = parser.parse_args()
    arguments.queries = arguments.queries.split(",")
    for query in arguments.queries:
        if query not in known:
            parser.error(f"there is no query {query}: {', '.join(known)}")
    with tempfile.TemporaryDirectory(prefix="millrace-nexmark-") as folder:
        if arguments.workers is None and not arguments.kill:
            failed = check_all(arguments, folder, nexmark.streamed)
        else:
            with OnKafka(folder, arguments.workers or 1, arguments.kill, arguments.seed) as run:
                failed = check_all(arguments, folder, run)
    print(f"{len(arguments.queries) - failed} of {len(arguments.queries)} queries are equal")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
