"""Faults against a running cluster, and what is measured meanwhile: a feed of records with unique
ids, a reader of committed outputs, and a nemesis with a seed. tests/e2e/oracle.py judges."""

import json
import os
import random
import threading
import time
from array import array

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from cluster import Cluster, wait_until
from millrace import readings, zscore_topology

# Where a worker may kill itself.
CRASH_POINTS = ("after_init", "claim_after_init", "claim_before_write", "after_claim",
                "before_restore", "restore_commit", "before_begin", "after_outputs",
                "after_produce", "before_end_txn", "after_end_txn", "after_apply")
ONCE_PER_TASK = CRASH_POINTS[:5]


class Feed(threading.Thread):
    """Writes readings at a steady rate until it is stopped. Ids count from 0."""

    def __init__(self, brokers, topic, rate, keys, seed=1):
        super().__init__(daemon=True)
        self.topic, self.rate, self.keys, self.seed = topic, rate, keys, seed
        self.producer = Producer({
            "bootstrap.servers": brokers, "partitioner": "murmur2_random", "linger.ms": 5,
            "enable.idempotence": True, "message.timeout.ms": 300000,
            "queue.buffering.max.messages": 1000000, "log_level": 0})
        self.count, self.failures, self.halt = 0, [], threading.Event()
        self.begun = None
        self.delivered, self.pauses = None, []  # the last delivery; (end, seconds) of long waits

    def _delivered(self, error, _message):
        if error is not None:
            self.failures.append(str(error))
        now = time.monotonic()
        if self.delivered is not None and now - self.delivered > 0.2:
            self.pauses.append((now, now - self.delivered))
        self.delivered = now

    def longest_pause(self, since):
        """The longest time without a delivery since then: the broker or this machine stood still,
        and nobody's outputs can have come meanwhile."""
        return max((pause for end, pause in list(self.pauses) if end >= since), default=0.0)

    def run(self):
        begun = self.begun = time.monotonic()
        records = readings(10**9, self.keys, seed=self.seed)
        while not self.halt.is_set():
            due = int((time.monotonic() - begun) * self.rate)
            while self.count < due and not self.halt.is_set():
                key, value = next(records)
                while True:
                    try:
                        self.producer.produce(self.topic, value, key, on_delivery=self._delivered)
                        break
                    except BufferError:
                        self.producer.poll(0.1)
                self.count += 1
            self.producer.poll(0)
            time.sleep(0.005)
        self.producer.flush(120)

    def stop(self):
        """How many records were written."""
        self.halt.set()
        self.join(180)
        assert not self.is_alive(), "records of the feed are still on their way"
        assert not self.failures, self.failures[:3]
        return self.count


class Reader(threading.Thread):
    """A read_committed reader of the outputs: which ids each partition had, and when they came."""

    def __init__(self, brokers, topic, partitions):
        super().__init__(daemon=True)
        self.consumer = Consumer({
            "bootstrap.servers": brokers, "group.id": "chaos-reader",
            "isolation.level": "read_committed", "enable.auto.commit": False,
            "fetch.wait.max.ms": 20, "log_level": 0})
        self.consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
        self.halt, self.lock = threading.Event(), threading.Lock()
        self.ids = [array("q") for _ in range(partitions)]
        self.arrivals = [[] for _ in range(partitions)]  # (monotonic time, count, newest id)
        self.errors = []

    def run(self):
        while not self.halt.is_set():
            messages = self.consumer.consume(5000, 0.02)
            now = time.monotonic()
            moved = set()
            for message in messages:
                if message.error():
                    if message.error().code() != KafkaError._PARTITION_EOF:
                        self.errors.append(str(message.error()))  # a broker that is down, mostly
                    continue
                self.ids[message.partition()].append(json.loads(message.value())["id"])
                moved.add(message.partition())
            with self.lock:
                for partition in moved:
                    ids = self.ids[partition]
                    self.arrivals[partition].append((now, len(ids), ids[-1]))
        self.consumer.close()

    def count(self):
        return sum(len(ids) for ids in self.ids)

    def first_after(self, partition, mark, timeout=60):
        """Seconds from a mark (Scene.mark) to the first output of a record that is younger: nobody
        who was dead by then can have made it."""
        since, identity = mark
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            found = None
            with self.lock:
                for at, _, newest in reversed(self.arrivals[partition]):  # ids rise
                    if newest < identity:
                        break
                    found = at
            if found is not None:
                return found - since
            time.sleep(0.01)
        raise AssertionError(f"partition {partition}: no output for {timeout} s after the fault")

    def gaps(self, since=None, until=None, partitions=None):
        """The longest time without an output, by partition."""
        found = {}
        with self.lock:
            for partition in range(len(self.ids)) if partitions is None else partitions:
                times = [at for at, _, _ in self.arrivals[partition]
                         if (since is None or at >= since) and (until is None or at <= until)]
                times = ([since] if since else []) + times + ([until] if until else [])
                found[partition] = max((b - a for a, b in zip(times, times[1:])), default=0.0)
        return found

    def longest_gap(self, since=None, until=None):
        return max(self.gaps(since, until).values())

    def per_second(self, since, until):
        """Outputs a second in between."""
        total = 0
        with self.lock:
            for arrivals in self.arrivals:
                counts = [count for at, count, _ in arrivals if at <= until]
                before = [count for at, count, _ in arrivals if at <= since]
                total += (counts[-1] if counts else 0) - (before[-1] if before else 0)
        return total / (until - since)

    def stop(self):
        self.halt.set()
        self.join(30)


class Nemesis:
    """Faults on a cluster, by a seed: the same seed chooses the same ones."""

    def __init__(self, cluster, seed, kafka=None):
        self.cluster, self.chance, self.kafka = cluster, random.Random(seed), kafka
        self.done = []  # (wall clock, fault, whom)
        self.extra = 0

    def one_worker(self):
        return self.chance.choice(sorted(self.cluster.workers))

    def one_coordinator(self):
        return self.chance.choice([one for one in self.cluster.coordinators if one.alive()])

    def note(self, fault, whom=""):
        self.done.append((round(time.time(), 3), fault, whom))

    def kill_worker(self, name=None, restart=True):
        """kill -9, and start it again at once: it comes back as a new instance."""
        worker = self.cluster.workers[name or self.one_worker()]
        worker.kill()
        self.note("kill_worker", worker.name)
        if restart:
            worker.start()

    def kill_coordinator(self):
        victim = self.one_coordinator()
        victim.kill()
        self.note("kill_coordinator", victim.http)
        victim.start()

    def pause_worker(self):
        """SIGSTOP for longer than its silence is borne: a zombie when it wakes up."""
        self._pause(self.cluster.workers[self.one_worker()], "pause_worker")

    def pause_coordinator(self):
        self._pause(self.one_coordinator(), "pause_coordinator")

    def _pause(self, process, fault):
        process.pause()
        time.sleep(self.chance.uniform(1.5, 6))
        process.resume()
        self.note(fault, process.http)

    def restart_worker(self):
        worker = self.cluster.workers[self.one_worker()]
        self.note("restart_worker", worker.name)
        code = worker.stop(90)
        assert code == 0, worker.text()[-3000:]
        worker.start()

    def kill_all_workers(self):
        for worker in self.cluster.workers.values():
            worker.kill()
        self.note("kill_all_workers")
        for worker in self.cluster.workers.values():
            worker.start()

    def crash_point(self):
        """A worker that kills itself at a named point, soon after its start."""
        worker = self.cluster.workers[self.one_worker()]
        point = self.chance.choice(CRASH_POINTS)
        nth = 1 if point in ONCE_PER_TASK else self.chance.randint(1, 20)
        worker.kill()
        worker.start({"MILLRACE_FAILPOINT": f"{point}:{nth}"})
        deadline = time.time() + 8
        while worker.alive() and time.time() < deadline:
            time.sleep(0.05)
        hit = "missed" if worker.alive() else "hit"
        worker.kill()
        self.note("crash_point", f"{worker.name} {point}:{nth} {hit}")
        worker.start()

    def kill_broker(self):
        self.kafka.stop(kill=True)
        self.note("kill_broker")
        time.sleep(self.chance.uniform(0.2, 3))
        self.kafka.start()

    FAULTS = ("kill_worker", "kill_coordinator", "pause_worker", "pause_coordinator",
              "restart_worker", "kill_all_workers", "crash_point")

    def random_fault(self, faults=FAULTS):
        getattr(self, self.chance.choice(list(faults)))()


class Scene:
    """A cluster, a topology with one z-score per sensor, a feed of it and a reader."""

    def __init__(self, kafka, name, folder, build=None):
        self.kafka, self.name, self.folder = kafka, name, folder
        os.makedirs(folder, exist_ok=True)
        more = {} if build is None else {"build": build}
        self.cluster = Cluster(kafka.brokers, name, folder, **more)
        self.source, self.sink = name + "-in", name + "-out"
        self.partitions, self.feed, self.reader = 0, None, None

    def cast(self, workers=3, coordinators=1, threads=1, options=(), **more):
        """Start the processes."""
        for _ in range(coordinators):
            self.cluster.coordinator(*options)
        for _ in range(workers):
            self.cluster.worker(threads=threads, **more)
        self.present(workers)
        return self

    def present(self, count, seconds=40):
        """Until so many workers are present."""
        return wait_until(
            lambda: len([worker for worker in self.workers() if worker["state"] == "present"])
            == count, seconds, what=f"{count} workers")

    def workers(self):
        return self.cluster.get("/v1/workers")["workers"]

    def topology(self, interval="100ms", standbys=0):
        path = zscore_topology(self.folder / "topology.yaml", self.source, self.sink,
                               name=self.name, interval=interval)
        if standbys:
            path.write_text(path.read_text().replace(
                "spec:\n", f"spec:\n  standbys: {standbys}\n", 1))
        return path

    def play(self, partitions=6, rate=2000, keys=300, seed=1, **more):
        """Topics, the topology, its tasks running, records flowing."""
        self.partitions = partitions
        self.kafka.create(self.source, partitions)
        self.kafka.create(self.sink, partitions)
        self.cluster.submit(self.topology(**more))
        self.cluster.wait_running(partitions)
        self.reader = Reader(self.kafka.brokers, self.sink, partitions)
        self.reader.start()
        self.feed = Feed(self.kafka.brokers, self.source, rate, keys, seed)
        self.feed.start()
        self.flows()
        return self

    def mark(self):
        """Now, and the id that the feed writes next."""
        return time.monotonic(), self.feed.count

    def flows(self, seconds=60):
        """Until every partition has an output of a record that is not written yet."""
        mark = self.mark()
        for partition in range(self.partitions):
            self.reader.first_after(partition, mark, seconds)

    def killed(self, worker):
        """kill -9. The mark to measure from: its time is before the kill, its id behind it."""
        at = time.monotonic()
        worker.kill()
        return at, self.feed.count

    def owned_by(self, worker):
        """The partitions whose active task a worker has."""
        return sorted(task["partition"] for task in self.cluster.tasks()
                      if task["worker"] == worker and task["role"] == "active")

    def owners(self):
        return {task["partition"]: task["worker"] for task in self.cluster.tasks()
                if task["role"] == "active"}

    def end(self):
        if self.feed is not None:
            self.feed.halt.set()
            self.feed.join(30)
        self.cluster.end()
        if self.reader is not None:
            self.reader.stop()
