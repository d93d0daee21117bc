"""script/nexmark: the Nexmark queries beside DuckDB, with as many events as wanted.

A variant is how a query is run: in one process on the embedded broker, or in a cluster of one or
four workers on a Kafka that is started for it; with events that arrive out of order; with kill -9
of a worker while it is in the middle. Prints one line per query and variant.
"""

import argparse
import itertools
import random
import re
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import nexmark
from cluster import Cluster, wait_until
from millrace import Kafka

SHUFFLE = 4_000  # events, at 1,000 per second of event time: what the watermark allows
STILL_SECONDS = 2  # that nothing came out after all is read
MEMORY = "8GiB"  # so that all queries at once find room in one worker
CLOCK_SECONDS = 13  # the same where windows end by the clock


@dataclass(frozen=True)
class Variant:
    workers: int = 0  # 0: one process on the embedded broker
    shuffle: int = 1
    kill: bool = False

    def __str__(self):
        words = ["embedded" if self.workers == 0 else "1 worker" if self.workers == 1
                 else f"{self.workers} workers"]
        return ", ".join(words + [f"shuffled by {self.shuffle}"] * (self.shuffle > 1)
                         + ["kill -9"] * self.kill)


ALL = (Variant(), Variant(1), Variant(4), Variant(4, SHUFFLE), Variant(4, 1, True),
       Variant(1, SHUFFLE, True))


def topology_text(query, source, target):
    """The example with other topics, as a cluster takes it, whose folder is another."""
    values = {"NEXMARK_TOPIC": source, "NEXMARK_TO": target,
              "NEXMARK_SIDE_INPUT": str(nexmark.EXAMPLES / "side-input.csv")}
    text = (nexmark.EXAMPLES / f"{query}.yaml").read_text()
    return re.sub(r"\$\{(\w+):([^}]*)\}", lambda found: values.get(found[1], found[2]), text)


def load(kafka, topic, events, first=0, end=None):
    """Events first to end, by partition in the file's order; behind the last ones ticks, in each
    partition."""
    ticks = []

    def given():
        with open(events, "rb") as lines:
            for line in itertools.islice(lines, first, end):
                if line.startswith(b'{"event_type":3'):
                    ticks.append((str(len(ticks)).encode(), line.rstrip(b"\n")))
                else:
                    yield None, line.rstrip(b"\n")
    kafka.produce(topic, given())
    kafka.produce(topic, ticks)


class OnCluster:
    """Runs queries in a cluster of their own, one or several at once, and fetches what they
    wrote."""

    def __init__(self, kafka, folder, variant, name, seed=1):
        self.kafka, self.variant, self.name = kafka, variant, name
        self.folder = Path(folder) / name
        self.folder.mkdir(parents=True)
        self.cluster = Cluster(kafka.brokers, name, self.folder)
        self.random = random.Random(seed)
        self.note = ""

    def __enter__(self):
        self.cluster.coordinator()
        for _ in range(self.variant.workers):
            self.cluster.worker(None, "--memory", MEMORY, threads=1)
        self.cluster.server()
        wait_until(lambda: len([worker for worker in self.cluster.get("/v1/workers")["workers"]
                                if worker["state"] == "present"]) == self.variant.workers,
                   60, what="workers")
        return self

    def __exit__(self, *_):
        self.cluster.end()
        for topic in self.kafka.topics():
            if topic.startswith((f"{self.name}.", f"{self.name}-")):
                self.kafka.delete(topic)

    def __call__(self, queries, source, rest=None, timeout=1800):
        """query -> file of its records, a partition's in order. rest: loads the events that the
        source does not have yet, while a worker is killed."""
        targets = {query: self.kafka.create(f"{self.name}-{query}", nexmark.PARTITIONS)
                   for query in queries}
        self.note = ""
        for query in queries:
            path = self.folder / f"{query}.yaml"
            path.write_text(topology_text(query, source, targets[query]))
            self.cluster.submit(path)
        if self.variant.kill and rest is None:
            self.kill_in_the_middle(sum(self.kafka.ends(source).values()) * len(queries))
        elif self.variant.kill:
            self.kill_while(rest, queries)
        self.wait_until_done(queries, targets, timeout)
        self.check_dead_letters()
        return {query: self.fetch(query, targets[query]) for query in queries}

    def lags(self):
        """topology -> records that wait, None: not known."""
        return {found["topology"]: found["lag"] for found in self.cluster.get("/v1/lag")[
            "topologies"]}

    def kill_in_the_middle(self, total):
        """kill -9 of a worker that has tasks, once a part of the events was read."""
        part, seen = self.random.uniform(0.05, 0.4), 0

        def in_the_middle():
            nonlocal seen
            seen = sum(task["input_records"] for task in self.cluster.tasks())
            return seen >= part * total
        wait_until(in_the_middle, 120, 0.02, "the middle of the events")
        over = all(lag == 0 for lag in wait_until(self.lags, what="lags").values())
        self.kill_one(f"when {seen:,} records were read")
        if over:
            raise RuntimeError("it was over before a worker could be killed: give it more events")

    def kill_while(self, rest, queries):
        """The same while the rest of the events comes."""
        def all_read():
            read = {task["topology"] for task in self.cluster.tasks() if task["input_records"] > 0}
            return len(read) == len(queries)
        wait_until(all_read, 300, what="queries that read")
        loading = threading.Thread(target=rest)
        loading.start()
        self.kill_one("while events came")
        loading.join()

    def kill_one(self, when):
        tasks = wait_until(self.cluster.tasks, what="tasks")
        owners = sorted({task["worker"] for task in tasks if task["worker"]})
        victim = self.cluster.workers[self.random.choice(owners)]
        victim.kill()
        self.note = f"{victim.name} killed {when}"
        victim.start()

    def wait_until_done(self, queries, targets, timeout):
        """Until nothing waits, in any task, and nothing more comes out."""
        still_seconds = CLOCK_SECONDS if "q12" in queries else STILL_SECONDS
        last, since, deadline = None, time.monotonic(), time.monotonic() + timeout
        while time.monotonic() < deadline:
            lags = wait_until(self.lags, 60, what="lags")
            ends = {query: self.kafka.ends(target) for query, target in targets.items()}
            waits = [name for name, lag in lags.items() if lag != 0]
            if ends != last or waits or len(lags) < len(queries):
                last, since = ends, time.monotonic()
            if time.monotonic() - since > still_seconds:
                return
            tasks = wait_until(self.cluster.tasks, 60, what="tasks")
            failed = [task["error"] for task in tasks if task["state"] == "failed"]
            if failed:
                raise RuntimeError(f"{failed[0]}\n{self.cluster.logs()}")
            time.sleep(0.5)
        raise RuntimeError(f"not done within {timeout} s: {lags}\n{self.cluster.logs()}")

    def check_dead_letters(self):
        for topic in self.kafka.topics():
            if topic.startswith("nexmark-") and topic.endswith(".dead-letters"):
                values = self.kafka.values(topic)
                if values:
                    raise RuntimeError(f"{len(values)} dead letters: {values[0]}")

    def fetch(self, query, target):
        path = self.folder / f"{query}.jsonl"
        with open(path, "wb") as file:
            for _, messages in sorted(self.kafka.read(target).items()):
                file.writelines(message.value() + b"\n" for message in messages)
        return path


def judge(database, query, path, begun_ms):
    if query == "q12":
        return nexmark.compare_by_the_clock(database, path, begun_ms, time.time() * 1000)
    return nexmark.compare(database, query, path)


class Check:
    """Events and their batch, by how they are shuffled; what was found."""

    def __init__(self, folder, count, seed):
        self.folder, self.count, self.seed = Path(folder), count, seed
        self.given, self.kafka, self.loaded = {}, None, set()
        self.lines, self.failed = 0, 0

    def events(self, shuffle):
        """(file, database)."""
        if shuffle not in self.given:
            start = time.monotonic()
            folder = self.folder / f"shuffled-{shuffle}"
            folder.mkdir()
            events = nexmark.make_events(folder, self.count, self.seed, shuffle=shuffle)
            self.given[shuffle] = events, nexmark.batch(events)
            print(f"{self.count:,} events of seed {self.seed}, shuffled by {shuffle}, made in"
                  f" {time.monotonic() - start:.1f} s", flush=True)
        return self.given[shuffle]

    def tell(self, query, variant, outcome, seconds, note=""):
        self.lines += 1
        self.failed += outcome.difference is not None
        print(f"{query:4} {str(variant):34} {self.count:11,} events {outcome.rows:9,} rows"
              f" {outcome.records:9,} records {seconds:6.1f} s "
              f" {outcome.difference or 'equal'}{note and f' ({note})'}", flush=True)

    def run(self, query, variant, one):
        """one: gives the file of the query's records."""
        _, database = self.events(variant.shuffle)
        begun_ms, start, note = time.time() * 1000, time.monotonic(), ""
        try:
            path, note = one(query)
            seconds = time.monotonic() - start
            outcome = judge(database, query, path, begun_ms)
            path.unlink()
        except (RuntimeError, AssertionError) as error:
            seconds, outcome = time.monotonic() - start, nexmark.Outcome(0, 0, str(error))
        self.tell(query, variant, outcome, seconds, note)

    def embedded(self, queries, variant):
        def one(query):
            with tempfile.TemporaryDirectory(dir=self.folder) as folder:
                path = nexmark.streamed(query, self.events(variant.shuffle)[0], folder)
                return path.rename(self.folder / path.name), ""
        for query in queries:
            self.run(query, variant, one)

    def on_cluster(self, queries, variant):
        events, _ = self.events(variant.shuffle)
        source = f"nexmark-{variant.shuffle}"
        if source not in self.loaded:
            load(self.kafka, self.kafka.create(source, nexmark.PARTITIONS), events)
            self.loaded.add(source)

        def one(query):
            name, seed = f"n{self.lines}", self.seed + self.lines
            with OnCluster(self.kafka, self.folder, variant, name, seed) as cluster:
                return cluster([query], source)[query], cluster.note
        for query in queries:
            self.run(query, variant, one)

    def by_the_clock(self):
        start = time.monotonic()
        path, count, rows = nexmark.clock_test(self.events(1)[0], self.folder)
        difference = nexmark.run_clock_test(path)
        self.lines += 1
        self.failed += difference is not None
        print(f"q12  {'millrace test, its clock':34} {count:11,} events {rows:9,} rows {'':17}"
              f" {time.monotonic() - start:6.1f} s  {difference or 'equal'}", flush=True)

    def all(self, queries, variants):
        if any(variant.workers for variant in variants):
            self.kafka = Kafka(self.folder / "kafka", "--property", "log.retention.ms=-1").start()
        try:
            for variant in variants:
                (self.on_cluster if variant.workers else self.embedded)(queries, variant)
            if "q12" in queries:
                self.by_the_clock()
        finally:
            if self.kafka is not None:
                self.kafka.stop(kill=True)


def main():
    known = list(nexmark.QUERIES)
    parser = argparse.ArgumentParser(prog="script/nexmark", description=__doc__)
    parser.add_argument("--check", action="store_true", required=True,
                        help="compare with DuckDB; the only thing this does")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--query", default=",".join(known), help="q0,q1,...; by default all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all", action="store_true",
                        help="; ".join(str(variant) for variant in ALL))
    parser.add_argument("--shuffle", type=int, default=1, metavar="N",
                        help=f"events arrive out of order, in groups of N (at most {SHUFFLE:,})")
    parser.add_argument("--workers", type=int, default=None, metavar="N",
                        help="in a cluster of so many workers, on a Kafka")
    parser.add_argument("--kill", action="store_true",
                        help="in a cluster (of one worker, without --workers), with kill -9")
    arguments = parser.parse_args()
    queries = arguments.query.split(",")
    for query in queries:
        if query not in known:
            parser.error(f"there is no query {query}: {', '.join(known)}")
    if not 1 <= arguments.shuffle <= SHUFFLE:
        parser.error(f"--shuffle is 1 to {SHUFFLE}: beyond it the watermark calls events late")
    workers = arguments.workers if arguments.workers is not None else int(arguments.kill)
    variants = ALL if arguments.all else (Variant(workers, arguments.shuffle, arguments.kill),)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and end what was started
    with tempfile.TemporaryDirectory(prefix="millrace-nexmark-") as folder:
        check = Check(folder, arguments.events, arguments.seed)
        check.all(queries, variants)
    print(f"{check.lines - check.failed} of {check.lines} are equal")
    sys.exit(1 if check.failed else 0)


if __name__ == "__main__":
    main()
