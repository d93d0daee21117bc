"""The judge of a run with faults: recomputes everything from the input topic and compares.

A z-score topology that keeps keys and partitions is judged: each output partition holds exactly the
ids of its input partition, in order, once each, with the score of a model that is computed here
anew; the changelog's fold is the models' last state; progress and claims never go back; no
transaction is open; what a reader saw while it happened is a prefix. Partitions are streamed one
after the other, so millions of records fit: about 100,000 a second.
"""

import json
import math
import struct
import time
from array import array

from confluent_kafka import Consumer, KafkaError, TopicPartition

from millrace import Welford

PROGRESS_KEY = b"\0\0\0\0progress"
OBJECT = 2


def committed_reader(kafka):
    """One for the broker's life: to connect takes longer than to read a small topic."""
    if not hasattr(kafka, "oracle_reader"):
        kafka.oracle_reader = Consumer({
            "bootstrap.servers": kafka.brokers, "group.id": "oracle", "log_level": 0,
            "isolation.level": "read_committed", "enable.auto.commit": False,
            "enable.partition.eof": True, "fetch.wait.max.ms": 10})
    return kafka.oracle_reader


def stream(kafka, topic, partition):
    """The committed messages of a partition, to its end."""
    consumer = committed_reader(kafka)
    consumer.assign([TopicPartition(topic, partition, 0)])
    deadline = time.time() + 120
    try:
        while True:
            for message in consumer.consume(10000, 0.05):
                if message.error() is None:
                    deadline = time.time() + 120
                    yield message
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    return
            assert time.time() < deadline, f"{topic}/{partition} does not end"
    finally:
        consumer.unassign()


def drained(kafka, sink, count, timeout=180, still=15):
    """Until the outputs are as many as the inputs, or nothing moves any more."""
    deadline = time.time() + timeout
    before, moved_at = -1, time.time()
    while time.time() < deadline:
        ends = sum(kafka.ends(sink).values())
        if ends != before:
            before, moved_at = ends, time.time()
        # markers are counted, too, so the count may be reached early: then wait for silence
        if time.time() - moved_at > (still if ends < count else 2):
            return
        time.sleep(0.5)


def say_difference(partition, wanted, found):
    """Why two lists of ids are not the same."""
    lost, extra = set(wanted) - set(found), set(found) - set(wanted)
    seen, doubled = set(), []
    for identity in found:
        if identity in seen:
            doubled.append(identity)
        seen.add(identity)
    return (f"partition {partition}: {len(wanted)} inputs, {len(found)} outputs; {len(lost)} lost"
            f" {sorted(lost)[:5]}, {len(doubled)} doubled {doubled[:5]}, {len(extra)} unknown"
            f" {sorted(extra)[:5]}" + ("" if lost or doubled or extra else "; the order differs"))


def check_partition(kafka, source, sink, partition):
    """Outputs against inputs; the ids in order and the models at the end."""
    ids, scores, models = array("q"), array("d"), {}
    for message in stream(kafka, source, partition):
        record = json.loads(message.value())
        model = models.get(record["sensor"])
        if model is None:
            model = models[record["sensor"]] = Welford()
        ids.append(record["id"])
        scores.append(model.score(record["value"]))
    found, wrong = array("q"), []
    for message in stream(kafka, sink, partition):
        record = json.loads(message.value())
        at = len(found)
        found.append(record["id"])
        if at < len(ids) and ids[at] == record["id"]:
            anomaly = record["anomaly"]
            if (not math.isclose(anomaly["score"], scores[at], rel_tol=1e-9, abs_tol=1e-9)
                    or anomaly["is_anomaly"] != (scores[at] > 4.0)):
                wrong.append((record["id"], anomaly["score"], scores[at]))
    assert found == ids, say_difference(partition, ids, found)
    assert not wrong, f"partition {partition}: {len(wrong)} wrong scores, first {wrong[:3]}"
    return found, models


def read_progress(value):
    """epoch, incarnation, sequence, {(topic, partition): next offset} of worker/progress.h."""
    version, epoch, incarnation, sequence, _, _, _ = struct.unpack("<BQQQqqq", value[:49])
    assert version == 4
    count, = struct.unpack("<H", value[49:51])
    at, offsets = 51, {}
    for _ in range(count):
        size, = struct.unpack("<H", value[at:at + 2])
        topic = value[at + 2:at + 2 + size].decode()
        at += 2 + size
        partition, size = struct.unpack("<iH", value[at:at + 6])
        at += 6 + size
        offsets[topic, partition], = struct.unpack("<q", value[at:at + 8])
        size, = struct.unpack("<H", value[at + 25:at + 27])  # of the name of who writes it
        at += 27 + size
        upstreams, = struct.unpack("<I", value[at:at + 4])
        at += 4 + 9 * upstreams
    return epoch, incarnation, sequence, offsets


def check_owners(partition, owners):
    """(epoch, incarnation) of each transaction: epochs rise, and nobody comes back."""
    assert owners == sorted(owners, key=lambda owner: owner[0]), (
        f"partition {partition}: an older epoch commits after a newer one: {owners}")
    assert len(set(owners)) == len(owners), (
        f"partition {partition}: an owner commits after it was replaced: {owners}")


def check_changelog(kafka, changelog, source, partition, models):
    """Progress goes forward only and has reached the end; the fold is the models' state."""
    state, owners, before = {}, [], None
    for message in stream(kafka, changelog, partition):
        if message.key() == PROGRESS_KEY:
            epoch, incarnation, sequence, offsets = read_progress(message.value())
            if not owners or owners[-1] != (epoch, incarnation):
                owners.append((epoch, incarnation))
            now = (sequence, *(offset for _, offset in sorted(offsets.items())))
            assert before is None or all(a <= b for a, b in zip(before, now)), (
                f"partition {partition}: progress goes back from {before} to {now}")
            before = now
        elif message.value() is None:
            state.pop(message.key(), None)
        else:
            state[message.key()] = message.value()
    check_owners(partition, owners)
    if before is not None:
        end = kafka.ends(source)[partition]
        assert before[1] == end, f"partition {partition}: progress {before[1]}, the input's {end}"
    # flags and records judged (operators/detector_stage.h), then what operators/detect_zscore.c has
    found = {key[5:].decode(): struct.unpack("<BQBQdd", value[3:])
             for key, value in state.items() if key[4] == OBJECT}
    wanted = {sensor: (0, model.n, 0, model.n, model.mean, model.m2)
              for sensor, model in models.items()}
    assert found == wanted, f"partition {partition}: the changelog's fold is not the state"
    return owners


def check_claims(kafka, cluster):
    """Epochs of claims never go back. How many claims each task has had (as compaction left it)."""
    last, counts = {}, {}
    for messages in kafka.read(cluster + ".claims").values():
        for message in messages:
            if message.value() is None:
                continue
            _, released, epoch, _ = struct.unpack("<BBQQ", message.value()[:18])
            assert epoch >= last.get(message.key(), 0), (
                f"claim {message.key()}: epoch {epoch} after {last[message.key()]}")
            last[message.key()] = epoch
            counts[message.key()] = counts.get(message.key(), 0) + (0 if released else 1)
    return counts


def fields(data):
    """A protobuf message's fields by number: the last one wins."""
    at, found = 0, {}

    def number():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        tag = number()
        kind = tag & 7
        if kind == 0:
            found[tag >> 3] = number()
        elif kind == 1:
            found[tag >> 3] = data[at:at + 8]
            at += 8
        else:
            assert kind == 2, f"wire type {kind}"
            size = number()
            found[tag >> 3] = data[at:at + size]
            at += size
    return found


def check_control(kafka, cluster):
    """One line of decisions: terms and the epochs of tasks never go back. The last term."""
    term, epochs = 0, {}
    for message in stream(kafka, cluster + ".control", 0):
        kind = message.key().split(b"/")[0]
        if message.value() is None or kind not in (b"leader", b"task"):
            continue
        found = fields(message.value()[1:])
        if kind == b"leader":
            assert found.get(1, 0) >= term, f"term {found.get(1)} after {term}"
            term = found.get(1, 0)
        else:
            epoch = found.get(1, 0)
            assert epoch >= epochs.get(message.key(), 0), (
                f"{message.key()}: epoch {epoch} after {epochs[message.key()]}")
            epochs[message.key()] = epoch
    return term


def check_closed(kafka, topics, timeout=30):
    """No transaction is open."""
    deadline = time.time() + timeout
    for topic in topics:
        while (committed := kafka.ends(topic)) != (written := kafka.ends(topic, committed=False)):
            assert time.time() < deadline, (
                f"{topic}: a transaction is open: {committed} of {written}")
            time.sleep(0.3)


def changelog_of(cluster, kafka):
    """There is one; only a submit that was repeated because the lead was lost over it may have left
    the empty one of a generation that nobody knows."""
    found = [name for name in kafka.topics()
             if name.startswith(cluster.name + ".") and name.endswith(".changelog")]
    assert len(found) <= 1 + cluster.repeated_submits, found
    written = [name for name in found if sum(kafka.ends(name).values()) > 0]
    assert len(written) == 1, found
    return written[0]


def check(scene, state=True):
    """Stop the feed of a scene and judge what it has seen. The number of records."""
    kafka, sink = scene.kafka, scene.sink
    count = scene.feed.stop()
    drained(kafka, sink, count)
    changelog = changelog_of(scene.cluster, kafka)
    check_closed(kafka, [sink, changelog, scene.name + ".claims"])
    scene.reader.stop()
    judged = 0
    for partition in range(scene.partitions):
        ids, models = check_partition(kafka, scene.source, sink, partition)
        seen = scene.reader.ids[partition]
        assert seen == ids[:len(seen)], (
            f"a reader saw what is not there: {say_difference(partition, ids, seen)}")
        if state:
            check_changelog(kafka, changelog, scene.source, partition, models)
        judged += len(ids)
    assert judged == count, f"{count} records were fed, {judged} are in the input topic"
    check_claims(kafka, scene.name)
    check_control(kafka, scene.name)
    return count
