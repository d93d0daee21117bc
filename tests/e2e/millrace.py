"""What the end-to-end tests share: a real Kafka, the program as a process, readers, references.

Every test starts what it uses on free loopback ports and in temporary folders, and ends what it
started.
"""

import json
import math
import os
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections import Counter
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("MILLRACE_BUILD", ROOT / "build" / "dev"))
PROGRAM = BUILD / "bin" / "millrace"
DEEP = "MILLRACE_DEEP" in os.environ


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Kafka:
    """One broker of script/kafka."""

    def __init__(self, directory, *options):
        self.port = free_port()
        self.directory = directory
        self.options = list(options)
        self.brokers = f"127.0.0.1:{self.port}"
        self._admin = None

    def _script(self, *words, check=True):
        return subprocess.run(
            [
                str(ROOT / "script" / "kafka"),
                *words,
                "--port",
                str(self.port),
                "--dir",
                str(self.directory),
            ],
            check=check,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def start(self):
        self._script("start", *self.options)
        return self

    def stop(self, kill=False):
        self._script("stop", *(["--kill"] if kill else []), check=False)

    def pid(self):
        return int((Path(self.directory) / "broker.state").read_text().split()[0])

    def admin(self):
        """One client for the broker's life: a request dies with the client that sent it."""
        if self._admin is None:
            self._admin = AdminClient({"bootstrap.servers": self.brokers})
        return self._admin

    def create(self, name, partitions=4, **config):
        # Outputs carry event times; test data is old, and the broker would delete it by retention.
        settings = {"retention.ms": "-1"}
        settings |= {key.replace("_", "."): str(value) for key, value in config.items()}
        for future in (
            self.admin().create_topics([NewTopic(name, partitions, config=settings)]).values()
        ):
            future.result(30)
        deadline = time.time() + 20
        while time.time() < deadline:
            found = self.admin().list_topics(name, timeout=10).topics[name]
            if found.error is None and len(found.partitions) == partitions and all(
                    one.leader >= 0 for one in found.partitions.values()):
                return name
            time.sleep(0.1)
        raise AssertionError(f"topic {name} has no leaders after 20 s")

    def delete(self, name):
        for future in self.admin().delete_topics([name]).values():
            future.result(30)
        deadline = time.time() + 20
        while name in self.admin().list_topics(timeout=10).topics and time.time() < deadline:
            time.sleep(0.2)

    def topics(self):
        return set(self.admin().list_topics(timeout=10).topics)

    def produce(self, topic, records, partitions=4):
        """records: (key bytes or None, value bytes or None[, timestamp ms[, partition]]), in order
        per key."""
        producer = Producer(
            {
                "bootstrap.servers": self.brokers,
                "partitioner": "murmur2_random",
                "linger.ms": 20,
                "queue.buffering.max.messages": 1000000,
                "enable.idempotence": True,
                "message.max.bytes": 8_000_000,
            }
        )
        failures = []

        def delivered(error, _message):
            if error is not None:
                failures.append(error)

        for record in records:
            key, value, *rest = record
            extra = dict(zip(("timestamp", "partition"), rest))
            while True:
                try:
                    producer.produce(topic, value, key, on_delivery=delivered, **extra)
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        producer.flush(60)
        assert not failures, failures[:3]

    def ends(self, topic, committed=True):
        """The end of each partition: last stable offset, or high watermark."""
        consumer = self._consumer("read_committed" if committed else "read_uncommitted")
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ends = {
            p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1]
            for p in partitions
        }
        consumer.close()
        return ends

    def _consumer(self, isolation):
        return Consumer(
            {
                "bootstrap.servers": self.brokers,
                "group.id": "reader-" + uuid.uuid4().hex,
                "isolation.level": isolation,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
            }
        )

    def read(self, topic, isolation="read_committed"):
        """All committed messages, by partition in order, to each partition's end."""
        consumer = self._consumer(isolation)
        partitions = sorted(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
        messages = {p: [] for p in partitions}
        waiting = set(partitions)
        deadline = time.time() + 120
        while waiting and time.time() < deadline:
            for message in consumer.consume(10000, 0.2):
                if message.error():
                    if message.error().code() == KafkaError._PARTITION_EOF:
                        waiting.discard(message.partition())
                        continue
                    raise RuntimeError(message.error())
                messages[message.partition()].append(message)
        consumer.close()
        assert not waiting, f"{topic}: partitions {waiting} did not end"
        return messages

    def values(self, topic, isolation="read_committed"):
        return [m.value() for part in self.read(topic, isolation).values() for m in part]


class Brokers(Kafka):
    """Three small brokers with copies of everything, where leaders change."""

    COUNT = 3

    def __init__(self, directory):
        ports = [free_port() for _ in range(self.COUNT)]
        voters = ",".join(f"{n + 1}@127.0.0.1:{port}" for n, port in enumerate(ports))
        copies = ["offsets.topic", "transaction.state.log"]
        options = ["--heap", "256m", "--voters", voters, "--property", "min.insync.replicas=2",
                   "--property", f"default.replication.factor={self.COUNT}"]
        for name in copies:
            options += ["--property", f"{name}.replication.factor={self.COUNT}"]
        for setting in ("transaction.state.log.min.isr=2", "broker.session.timeout.ms=3000",
                        "broker.heartbeat.interval.ms=500", "replica.lag.time.max.ms=5000"):
            options += ["--property", setting]
        self.nodes = [Kafka(f"{directory}/{n + 1}", "--node", str(n + 1), *options)
                      for n in range(self.COUNT)]
        super().__init__(directory)
        self.brokers = ",".join(node.brokers for node in self.nodes)

    def start(self):
        starts = [threading.Thread(target=node.start) for node in self.nodes]
        for start in starts:
            start.start()
        for start in starts:
            start.join()
        return self

    def stop(self, kill=False):
        stops = [threading.Thread(target=node.stop, args=(kill,)) for node in self.nodes]
        for stop in stops:
            stop.start()
        for stop in stops:
            stop.join()

    def whole(self, topic):
        """Every copy of a topic is in step again."""
        partitions = self.admin().list_topics(topic, timeout=10).topics[topic].partitions
        return all(len(partition.isrs) == self.COUNT for partition in partitions.values())


class Run:
    """A `millrace run` process."""

    def __init__(
        self,
        *files,
        brokers=None,
        cluster="millrace",
        state=None,
        until_end=False,
        threads=2,
        failpoint=None,
        program=PROGRAM,
        extra=(),
        log=None,
    ):
        words = [
            str(program),
            "run",
            *map(str, files),
            "--cluster",
            cluster,
            "--threads",
            str(threads),
            "--quiet",
        ]
        if brokers:
            words += ["--brokers", brokers]
        if state:
            words += ["--state-dir", str(state)]
        if until_end:
            words += ["--until-end"]
        words += list(extra)
        environment = dict(os.environ)
        environment.pop("MILLRACE_FAILPOINT", None)
        if failpoint:
            environment["MILLRACE_FAILPOINT"] = failpoint
        self.log = open(log, "a") if log else None
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log or subprocess.PIPE,
            text=True,
            env=environment,
        )

    def wait(self, timeout=120):
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            raise AssertionError(
                f"the process did not end within {timeout} s:\n{(err or '')[-4000:]}"
            )
        return self.process.returncode, out, err or ""

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def stop(self, timeout=60):
        self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def wait_for(self, text, count=1, timeout=60):
        """Until the log file holds text count times."""
        deadline = time.time() + timeout
        while Path(self.log.name).read_text().count(text) < count:
            assert time.time() < deadline and self.alive(), Path(self.log.name).read_text()[-3000:]
            time.sleep(0.05)

    def alive(self):
        return self.process.poll() is None


def readings(count, keys, start=0, seed=1):
    """Sensor readings: JSON of about 105 bytes with a unique id, deterministic."""
    state = seed * 2654435761 % 2**32
    for index in range(start, start + count):
        state = (state * 1664525 + 1013904223) % 2**32
        sensor = f"s-{state % keys:05d}"
        value = 20.0 + (state >> 8) % 10000 / 1000.0
        if (state >> 4) % 997 == 0:
            value += 40.0
        body = (
            f'{{"sensor":"{sensor}","ts":{1767225600000 + index},"value":{value:.6f},'
            f'"ok":true,"site":"plant-7","id":{index}}}'
        )
        yield sensor.encode(), body.encode()


class Welford:
    """detect.zscore by its definition: earlier records only, sample deviation."""

    def __init__(self, warmup=30, floor=1e-9):
        self.warmup, self.floor, self.n, self.mean, self.m2 = warmup, floor, 0, 0.0, 0.0

    def score(self, x):
        score = 0.0
        if self.n >= self.warmup:
            deviation = math.sqrt(self.m2 / (self.n - 1))
            score = abs(x - self.mean) / max(deviation, self.floor)
        self.n += 1
        delta = x - self.mean
        self.mean += delta / self.n
        self.m2 += delta * (x - self.mean)
        return score


def reference_scores(partitions):
    """id -> score, from input messages in partition order."""
    scores = {}
    for messages in partitions.values():
        models = {}
        for message in messages:
            record = json.loads(message.value())
            model = models.setdefault(record["sensor"], Welford())
            scores[record["id"]] = model.score(record["value"])
    return scores


def zscore_topology(path, source, sink, name="scores", guarantee="exactly_once", interval="100ms"):
    Path(path).write_text(f"""apiVersion: millrace.io/v1alpha1
kind: Topology
metadata:
  name: {name}
spec:
  guarantee: {guarantee}
  commit_interval: {interval}
  sources:
    - name: readings
      type: kafka
      topic: {source}
      format: json
      key: [sensor]
      timestamp: ts
  operators:
    - name: score
      type: detect.zscore
      from: readings
      key: [sensor]
      field: value
      threshold: 4.0
  sinks:
    - name: results
      type: kafka
      from: score
      topic: {sink}
      key: [sensor]
""")
    return path


def check_outputs(kafka, source, sink, exactly=True):
    """Every input's output exactly (or at least) once, in order, with the right score."""
    inputs = kafka.read(source)
    expected = reference_scores(inputs)
    outputs = kafka.read(sink)
    seen = Counter()
    for partition, messages in outputs.items():
        last = {}
        for message in messages:
            record = json.loads(message.value())
            identity = record["id"]
            seen[identity] += 1
            if exactly:
                assert (
                    last.get(record["sensor"], -1) < identity
                ), f"order broken in partition {partition} at id {identity}"
                score = record["anomaly"]["score"]
                want = expected[identity]
                assert math.isclose(score, want, rel_tol=1e-9, abs_tol=1e-9), (
                    identity,
                    score,
                    want,
                )
                assert record["anomaly"]["is_anomaly"] == (want > 4.0), record
            last[record["sensor"]] = identity
    missing = [i for i in expected if seen[i] == 0]
    doubled = [i for i in seen if seen[i] > 1]
    assert not missing, f"{len(missing)} inputs have no output, first {missing[:5]}"
    if exactly:
        assert not doubled, f"{len(doubled)} outputs are doubled, first {doubled[:5]}"
    assert set(seen) == set(expected)
    for topic in [sink]:
        assert_no_open_transaction(kafka, topic)
    return len(expected)


def assert_no_open_transaction(kafka, topic):
    """Once every producer is gone, the last stable offset reaches the end."""
    deadline = time.time() + 60
    while time.time() < deadline:
        if kafka.ends(topic, committed=True) == kafka.ends(topic, committed=False):
            return
        time.sleep(0.5)
    raise AssertionError(f"{topic}: a transaction is open")
