"""Event time over a repartition, on a real Kafka, under faults.

The oracle reads the repartition topic as its readers do and keeps the watermark of each writer by
itself (the bytes are in worker/egress.h): no record may lie behind the least of them, and no writer
whose source has records may be called idle, whatever happens to its process.
"""

import json
import random
import struct
import threading
import time

import pytest
from cluster import wait_until
from confluent_kafka import Consumer, Producer, TopicPartition
from stage import eventually, topology

PARTITIONS = 2
LOWEST = -(2**63)
SOURCE = """- {{name: a, type: kafka, topic: {source}, format: json, timestamp: ts, watermark:
    {{max_delay: {delay}, idle_timeout: {idle}}}}}"""
OPERATORS = """- {name: keyed, type: key_by, from: a, key: [k]}
- {name: once, type: deduplicate, from: keyed, key: [k], within: 1ms}"""
SINK = "- {{name: results, type: kafka, from: once, topic: {sink}, key: [k]}}"


def timed(path, name, source, sink, delay="0s", idle="1s"):
    return topology(path, name, SOURCE.format(source=source, delay=delay, idle=idle),
                    SINK.format(sink=sink), OPERATORS)


class Feed(threading.Thread):
    """Records in event time order in every partition, as time goes, until it is stopped."""

    def __init__(self, brokers, topic, partitions=range(PARTITIONS), pause=0.04):
        super().__init__(daemon=True)
        self.topic, self.partitions, self.pause = topic, partitions, pause
        self.producer = Producer({"bootstrap.servers": brokers, "linger.ms": 0})
        self.stopped = threading.Event()
        self.last_ms, self.count = 0, 0
        self.silence, self.delivered = 0.0, {}  # the longest time without a record in a partition

    def _delivered(self, _error, message):
        now, partition = time.monotonic(), message.partition()
        self.silence = max(self.silence, now - self.delivered.get(partition, now))
        self.delivered[partition] = now

    def run(self):
        while not self.stopped.wait(self.pause):
            self.last_ms = max(self.last_ms + 1, int(time.time() * 1000))
            for partition in self.partitions:
                self.send(partition, self.last_ms)
        self.producer.flush(30)

    def send(self, partition, event_ms):
        self.count += 1
        body = {"k": f"k{self.count % 17}", "ts": event_ms, "id": self.count}
        self.producer.produce(self.topic, json.dumps(body).encode(), partition=partition,
                              on_delivery=self._delivered)
        self.producer.poll(0)

    def stop(self):
        self.stopped.set()
        self.join()

    def was_silent(self):
        """This process, or the broker, stood still for about as long as a source may."""
        return self.silence > 0.4


class Repartition(threading.Thread):
    """Reads a repartition topic along: what is committed is purged within seconds."""

    def __init__(self, kafka, cluster):
        super().__init__(daemon=True)
        self.kafka, self.cluster = kafka, cluster
        self.records, self.marks, self.late, self.back = 0, 0, [], []
        self.idle = []  # (time, partition, writer) of idle marks
        self.written = {}  # by partition, by writer: watermark, idle
        self.stopped = threading.Event()
        self.failure = None

    def _topic(self):
        prefix = self.cluster + "."
        return next((name for name in self.kafka.topics()
                     if name.startswith(prefix) and name.endswith("-repartition")), None)

    def run(self):
        consumer = Consumer({"bootstrap.servers": self.kafka.brokers, "group.id": "time-oracle",
                             "isolation.level": "read_committed", "enable.auto.commit": False,
                             "auto.offset.reset": "error", "fetch.wait.max.ms": 20})
        try:
            topic = wait_until(self._topic, 60, 0.02, "the repartition topic")
            partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
            while not self.stopped.is_set():
                for message in consumer.consume(500, 0.1):
                    if message.error():
                        raise RuntimeError(message.error())
                    self._take(message.partition(), message.value())
        except Exception as failure:  # told by check()
            self.failure = failure
        finally:
            consumer.close()

    def _take(self, partition, value):
        writers = self.written.setdefault(partition, {})
        if value[0] == 3:
            _, idle, writer, watermark = struct.unpack("<BBIq", value)
            event_ms, self.marks = None, self.marks + 1
            if idle:
                self.idle.append((time.monotonic(), partition, writer))
        else:
            kind, event_ms, writer, watermark = struct.unpack("<BqIq", value[:21])
            assert kind == 2
            idle, self.records = 0, self.records + 1
        before = writers.get(writer, (LOWEST, 0))
        if watermark < before[0]:
            self.back.append((partition, writer, before[0], watermark))
        writers[writer] = (max(watermark, before[0]), idle)
        if event_ms is not None and event_ms < self.watermark(partition):
            self.late.append((partition, writer, event_ms, dict(writers)))

    def watermark(self, partition):
        writers = self.written.get(partition, {})
        if len(writers) < PARTITIONS:
            return LOWEST
        awake = [watermark for watermark, idle in writers.values() if not idle]
        return min(awake) if awake else max(w for w, _ in writers.values())

    def lowest(self):
        """What every reader has come to."""
        marks = [self.watermark(partition) for partition in self.written]
        return min(marks) if len(marks) == PARTITIONS else LOWEST

    def check(self):
        self.stopped.set()
        self.join()
        assert self.failure is None, self.failure
        assert self.records > 50 and self.marks > 0
        assert not self.late, self.late[:3]
        assert not self.back, self.back[:3]


@pytest.fixture
def timeline(kafka, unique, tmp_path):
    """A source and a sink topic, a feed and the oracle, for the topology of this module."""

    class Timeline:
        source = kafka.create(unique + "-in", PARTITIONS)
        sink = kafka.create(unique + "-out", PARTITIONS)
        feed = Feed(kafka.brokers, unique + "-in")
        oracle = Repartition(kafka, unique)

        def file(self, **options):
            return timed(tmp_path / "time.yaml", "time", self.source, self.sink, **options)

        def begin(self):
            self.oracle.start()
            self.feed.start()
            wait_until(lambda: self.oracle.lowest() > LOWEST, 60, 0.05, "a first watermark")

        def follows(self, seconds=60):
            """Until all readers have come to what the feed writes now."""
            now_ms = self.feed.last_ms
            wait_until(lambda: self.oracle.lowest() >= now_ms, seconds, 0.05, "the watermark")

        def nobody_was_idle(self):
            if self.oracle.idle and self.feed.was_silent():
                pytest.skip("the feed stood still for about as long as a source may")
            assert not self.oracle.idle, self.oracle.idle[:3]

    line = Timeline()
    yield line
    line.oracle.stopped.set()
    if line.feed.is_alive():
        line.feed.stop()


def test_a_stopped_process_is_not_silence(timeline, kafka, unique, runs, tmp_path):
    """SIGSTOP for three idle timeouts, again and again: nobody is called idle, nothing is late."""
    run = runs(timeline.file(), brokers=kafka.brokers, cluster=unique, state=tmp_path / "state")
    timeline.begin()
    for _ in range(3):
        timeline.follows()
        run.pause()
        time.sleep(3)
        run.resume()
    timeline.follows()
    timeline.feed.stop()
    timeline.oracle.check()
    timeline.nobody_was_idle()


def test_the_last_record_passes_when_all_are_silent(timeline, kafka, unique, runs, tmp_path):
    """Within idle_timeout and a commit the watermark stands behind the last record, everywhere;
    a partition that has been silent all along holds nobody."""
    runs(timeline.file(), brokers=kafka.brokers, cluster=unique, state=tmp_path / "state")
    timeline.feed.partitions = [1]
    timeline.oracle.start()
    timeline.feed.start()
    wait_until(lambda: timeline.oracle.lowest() > LOWEST, 60, 0.05, "the silent partition's mark")
    assert {writer for _, _, writer in timeline.oracle.idle} == {0}
    time.sleep(2)
    timeline.feed.stop()
    begun = time.monotonic()
    wait_until(lambda: timeline.oracle.lowest() > timeline.feed.last_ms, 30, 0.01, "the end")
    seconds = time.monotonic() - begun
    print("silence passed after", round(seconds, 2), "s")
    assert 0.9 < seconds < 4  # 1 s, a commit, and what a loaded machine adds
    timeline.oracle.check()


SORTS = """- {name: by-k, type: sort, from: a, key: [k], max_records: 1000000}
- {name: by-j, type: sort, from: by-k, key: [j], max_records: 1000000}"""
SORTED = """- {{name: results, type: kafka, from: by-j, topic: {sink}, key: [j]}}
- {{name: late-once, type: kafka, from: by-k.late, topic: {late}}}
- {{name: late-twice, type: kafka, from: by-j.late, topic: {late}}}"""


def shuffled(count, within, seed=5):
    """Records 10 ms apart, out of order by fewer than `within` of them, in all partitions."""
    chance, places = random.Random(seed), list(range(count))
    for first in range(0, count, within):
        block = places[first:first + within]
        chance.shuffle(block)
        places[first:first + within] = block
    for place in places:
        body = {"id": place, "ts": 1767225600000 + 10 * place, "k": place % 17, "j": place % 5}
        yield b"%d" % place, json.dumps(body).encode()


def test_disorder_and_a_crash_make_nothing_late(stage, kafka):
    """Arrival out of order within max_delay, two sorts behind two repartitions, kill -9 amid it:
    every record once, each key in event time order over the crash, the last ones, too, none late.
    """
    count, late = 20000, stage.name + "-late"
    stage.create()
    kafka.create(late, 1)
    source = SOURCE.format(source=stage.source, delay="3s", idle="0s")
    sinks = SORTED.format(sink=stage.sink, late=late)
    path = topology(stage.file(), "sorts", source, sinks, SORTS)
    records = list(shuffled(count, 250))
    kafka.produce(stage.source, records[:count // 2])
    run = stage.run(path)
    wait_until(lambda: sum(kafka.ends(stage.sink).values()) > 100, 60, 0.02, "some results")
    kafka.produce(stage.source, records[count // 2:])
    run.kill()
    done = sum(kafka.ends(stage.sink).values())
    print("killed after", done, "of", count)
    assert done < count
    stage.to_end(path)
    assert kafka.values(late) == []
    keys = {}
    for messages in kafka.read(stage.sink).values():
        for message in messages:
            body = json.loads(message.value())
            keys.setdefault(body["j"], []).append(body["id"])
    assert sorted(sum(keys.values(), [])) == list(range(count))
    for key, ids in keys.items():
        assert ids == sorted(ids), key


WINDOWS = """- {name: per-k, type: window.aggregate, from: a, key: [k], window: {tumbling: 1s},
   lateness: 300ms, aggregates: {rows: count()}}
- {name: all, type: window.aggregate, from: per-k, key: [], window: {tumbling: 5s},
   aggregates: {rows: sum(rows)}}"""
RESULTS = """- {{name: totals, type: kafka, from: all, topic: {sink}}}
- {{name: late, type: kafka, from: per-k.late, topic: {late}}}
- {{name: late-results, type: kafka, from: all.late, topic: {none}}}"""
BASE_MS = 1767225600000


def late_by_definition(records, delay_ms, window_ms, lateness_ms):
    """A record is late when the watermark in front of it is at its window's end and lateness."""
    highest, late = 0, set()
    for record in records:
        end = record["ts"] // window_ms * window_ms + window_ms
        if highest - delay_ms >= end + lateness_ms:
            late.add(record["id"])
        highest = max(highest, record["ts"])
    return late


def test_late_records_are_those_of_the_definition(stage, kafka):
    """However records are cut into batches and transactions, and with a crash: exactly those are
    late that the definition calls late. Windows of windows count the others, none late, and
    the last ones close when the source has been silent for its timeout."""
    chance, count = random.Random(9), 20000
    late, none = stage.name + "-late", stage.name + "-none"
    records = [{"id": i, "k": i % 11, "ts": BASE_MS + 10 * i - chance.choice([0] * 30 + [1, 9, 40])
                * chance.randrange(100)} for i in range(count)]
    expected = late_by_definition(records, 200, 1000, 300)
    assert 100 < len(expected) < count // 10
    stage.create(1)
    for topic in (late, none):
        kafka.create(topic, 1)
    source = SOURCE.format(source=stage.source, delay="200ms", idle="2s")
    sinks = RESULTS.format(sink=stage.sink, late=late, none=none)
    path = topology(stage.file(), "windows", source, sinks, WINDOWS)
    kafka.produce(stage.source, ((None, json.dumps(record).encode()) for record in records))
    # The lanes of two threads count together; the source's task has committed some by then.
    assert stage.run(path, failpoint="before_end_txn:6").wait(60)[0] == -9
    run = stage.run(path)
    begun = time.monotonic()

    def rows():
        return sum(json.loads(value)["rows"] for value in kafka.values(stage.sink))

    eventually(lambda: rows() >= count - len(expected), 60, run)
    print("all there after", round(time.monotonic() - begun, 1), "s,", len(expected), "late")
    assert rows() == count - len(expected)
    found = [json.loads(value)["id"] for value in kafka.values(late)]
    assert sorted(found) == sorted(expected)
    assert kafka.values(none) == []
    starts = [json.loads(value)["window_start"] for value in kafka.values(stage.sink)]
    assert len(starts) == len(set(starts))  # each window once


def test_a_killed_writer_holds_the_watermark(timeline, kafka, unique, scenes):
    """kill -9 and SIGSTOP of workers, for longer than idle_timeout: the watermark waits, no task's
    ever falls, nothing is late and nobody with records is called idle."""
    scene = scenes()
    cluster = scene.cluster
    timeline.oracle.cluster = cluster.name
    cluster.coordinator()
    for _ in range(2):
        cluster.worker(threads=1)
    wait_until(lambda: len(scene.workers()) == 2, 40, what="two workers")
    cluster.submit(timeline.file())
    cluster.wait_running(2 * PARTITIONS)
    timeline.begin()
    seen = {}

    def look():
        for task in cluster.tasks():
            key, watermark = (task["subtopology"], task["partition"]), task["watermark_ms"]
            if task["role"] == "active" and watermark is not None:
                assert watermark >= seen.get(key, LOWEST), (key, watermark, seen[key])
                seen[key] = watermark

    for fault in ("kill", "pause", "kill"):
        timeline.follows()
        look()
        victim = cluster.workers["w0"]
        if fault == "kill":
            victim.kill()
        else:
            victim.pause()
        for _ in range(10):
            time.sleep(0.3)
            look()
        if fault == "kill":
            victim.start()
        else:
            victim.resume()
        timeline.follows()
        look()
    timeline.nobody_was_idle()
    timeline.feed.stop()
    eventually(lambda: timeline.oracle.lowest() > timeline.feed.last_ms, 30)
    look()
    timeline.oracle.check()
