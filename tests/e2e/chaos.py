"""Faults against a running cluster, and what is measured meanwhile: a feed of records with unique
ids, a reader of committed outputs, a nemesis with a seed, and the oracle."""

import json
import random
import threading
import time

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from millrace import check_outputs, readings


class Feed(threading.Thread):
    """Writes readings at a steady rate until it is stopped. Ids count from 0."""

    def __init__(self, brokers, topic, rate, keys, seed=1):
        super().__init__(daemon=True)
        self.topic, self.rate, self.keys, self.seed = topic, rate, keys, seed
        self.producer = Producer({
            "bootstrap.servers": brokers, "partitioner": "murmur2_random", "linger.ms": 5,
            "enable.idempotence": True, "message.timeout.ms": 300000,
            "queue.buffering.max.messages": 1000000})
        self.count, self.failures, self.halt = 0, [], threading.Event()

    def _delivered(self, error, _message):
        if error is not None:
            self.failures.append(str(error))

    def run(self):
        begun = time.monotonic()
        records = readings(10**9, self.keys, seed=self.seed)
        while not self.halt.is_set():
            due = int((time.monotonic() - begun) * self.rate)
            while self.count < due and not self.halt.is_set():
                key, value = next(records)
                try:
                    self.producer.produce(self.topic, value, key, on_delivery=self._delivered)
                except BufferError:
                    self.producer.poll(0.1)
                    self.producer.produce(self.topic, value, key, on_delivery=self._delivered)
                self.count += 1
            self.producer.poll(0)
            time.sleep(0.005)
        self.producer.flush(120)

    def stop(self):
        """How many records were written."""
        self.halt.set()
        self.join(180)
        assert not self.failures, self.failures[:3]
        return self.count


class Reader(threading.Thread):
    """A read_committed reader of the outputs: when each partition's records came, by id."""

    def __init__(self, brokers, topic, partitions):
        super().__init__(daemon=True)
        self.consumer = Consumer({
            "bootstrap.servers": brokers, "group.id": "chaos-reader",
            "isolation.level": "read_committed", "enable.auto.commit": False,
            "fetch.wait.max.ms": 20})
        self.consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
        self.halt, self.lock = threading.Event(), threading.Lock()
        self.highest = [-1] * partitions      # id of the newest output
        self.arrivals = [[] for _ in range(partitions)]  # (monotonic time, highest id)
        self.gap, self.last, self.count = [0.0] * partitions, [None] * partitions, 0

    def run(self):
        while not self.halt.is_set():
            messages = self.consumer.consume(5000, 0.02)
            now = time.monotonic()
            newest = {}
            for message in messages:
                if message.error():
                    assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                    continue
                newest[message.partition()] = message.value()
                self.count += 1
            with self.lock:
                for partition, value in newest.items():
                    self._note(partition, json.loads(value)["id"], now)
        self.consumer.close()

    def _note(self, partition, newest, now):
        if self.last[partition] is not None:
            self.gap[partition] = max(self.gap[partition], now - self.last[partition])
        self.last[partition] = now
        self.highest[partition] = newest
        self.arrivals[partition].append((now, newest))

    def first_after(self, partition, known_id, since, timeout=60):
        """Seconds from `since` to the first output of a record younger than known_id."""
        deadline = time.monotonic() + timeout
        position = 0
        while time.monotonic() < deadline:
            with self.lock:
                arrivals = self.arrivals[partition]
                while position < len(arrivals):
                    at, newest = arrivals[position]
                    if at >= since and newest > known_id:
                        return at - since
                    position += 1
            time.sleep(0.01)
        raise AssertionError(f"partition {partition}: no output for {timeout} s after the fault")

    def stop(self):
        self.halt.set()
        self.join(30)

    def longest_gap(self):
        return max(self.gap)


class Nemesis:
    """Faults on a cluster, by a seed: the same seed chooses the same ones."""

    def __init__(self, cluster, seed, kafka=None):
        self.cluster, self.chance, self.kafka = cluster, random.Random(seed), kafka
        self.done = []

    def one_worker(self):
        return self.chance.choice(sorted(self.cluster.workers))

    def note(self, fault, whom):
        self.done.append((round(time.time(), 3), fault, whom))

    def kill_worker(self, name=None, restart=True):
        """kill -9, and start it again at once: it comes back as a new instance."""
        worker = self.cluster.workers[name or self.one_worker()]
        worker.kill()
        self.note("kill worker", worker.name)
        if restart:
            worker.start()

    def kill_coordinator(self):
        alive = [one for one in self.cluster.coordinators if one.alive()]
        victim = self.chance.choice(alive)
        victim.kill()
        self.note("kill coordinator", victim.http)
        victim.start()

    def pause_worker(self):
        """SIGSTOP for longer than its silence is borne: a zombie when it wakes up."""
        worker = self.cluster.workers[self.one_worker()]
        worker.pause()
        time.sleep(self.chance.uniform(1.5, 6))
        worker.resume()
        self.note("pause worker", worker.name)

    def pause_coordinator(self):
        victim = self.chance.choice([one for one in self.cluster.coordinators if one.alive()])
        victim.pause()
        time.sleep(self.chance.uniform(1.5, 6))
        victim.resume()
        self.note("pause coordinator", victim.http)

    def restart_worker(self):
        worker = self.cluster.workers[self.one_worker()]
        code = worker.stop(90)
        assert code == 0, worker.text()[-3000:]
        self.note("restart worker", worker.name)
        worker.start()

    def kill_all_workers(self):
        for worker in self.cluster.workers.values():
            worker.kill()
        self.note("kill all workers", "")
        for worker in self.cluster.workers.values():
            worker.start()

    def kill_broker(self):
        self.kafka.stop(kill=True)
        self.note("kill broker", "")
        time.sleep(self.chance.uniform(0.2, 3))
        self.kafka.start()

    FAULTS = ("kill_worker", "kill_coordinator", "pause_worker", "pause_coordinator",
              "restart_worker", "kill_all_workers")

    def random_fault(self, faults=FAULTS):
        getattr(self, self.chance.choice(list(faults)))()


def drained(kafka, sink, count, timeout=180):
    """Until the outputs are as many as the inputs, or nothing moves any more."""
    deadline = time.time() + timeout
    before = -1
    moved_at = time.time()
    while time.time() < deadline:
        ends = sum(kafka.ends(sink).values())
        if ends != before:
            before, moved_at = ends, time.time()
        if time.time() - moved_at > 20:
            return
        if ends >= count and time.time() - moved_at > 3:
            return
        time.sleep(1)


def check(kafka, source, sink, count):
    """The oracle: each input's effect exactly once, in order, with the state's score."""
    drained(kafka, sink, count)
    committed, written = kafka.ends(sink), kafka.ends(sink, committed=False)
    assert committed == written, f"a transaction is still open: {committed} of {written}"
    assert check_outputs(kafka, source, sink) == count
