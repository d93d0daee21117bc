"""Joins on a real Kafka, killed several times in the middle: the result is that of the same join
computed from the input as a whole."""

import json
import random
import time
from collections import Counter

from stage import topology

PARTITIONS, KEYS, PIECES, PIECE = 3, 30, 8, 250
TABLE_PARTITIONS = 5
BEFORE_MS, AFTER_MS, DELAY_MS = 40, 90, 60


def message(key, time_ms, **fields):
    return key.encode(), json.dumps(fields).encode(), time_ms


def feed_with_kills(stage, path, pieces):
    """Each piece is a list of (topic, records). The process is killed behind some of them."""
    run = stage.run(path)
    for index, piece in enumerate(pieces):
        for topic, records in piece:
            stage.kafka.produce(topic, records, PARTITIONS)
        time.sleep(0.4)
        if index % 2 == 1:
            run.kill()
            run = stage.run(path)
    run.kill()
    stage.to_end(path)


def values(stage):
    return [json.loads(value) for value in stage.kafka.values(stage.sink)]


def disordered(chance, begin):
    """Event times of a piece, out of order by less than DELAY_MS."""
    for index in range(PIECE):
        yield index, begin + 4 * index - chance.randrange(DELAY_MS)


def test_an_outer_join_survives_kills(stage):
    chance = random.Random(7)
    left, right = stage.create(PARTITIONS).source, stage.name + "-right"
    stage.kafka.create(right, PARTITIONS)
    path = topology(
        stage.file(), stage.name,
        f"- {{name: asked, type: kafka, topic: {left}, key: [k], "
        f"watermark: {{max_delay: {DELAY_MS}ms}}}}\n"
        f"- {{name: told, type: kafka, topic: {right}, key: [k], "
        f"watermark: {{max_delay: {DELAY_MS}ms}}}}",
        f"- {{name: pairs-out, type: kafka, from: pairs, topic: {stage.sink}}}",
        f"- {{name: pairs, type: join.interval, left: asked, right: told, key: [k], kind: outer, "
        f"interval: {{before: {BEFORE_MS}ms, after: {AFTER_MS}ms}}}}")
    rows, pieces = {left: [], right: []}, []
    for piece in range(PIECES):
        made = []
        for topic in (left, right):
            new = [(f"k{chance.randrange(KEYS)}", at, piece * PIECE + index)
                   for index, at in disordered(chance, 10_000 + piece * 4 * PIECE)]
            rows[topic] += new
            made.append((topic, [message(key, at, k=key, id=index) for key, at, index in new]))
        pieces.append(made)
    feed_with_kills(stage, path, pieces)
    wanted, matched = Counter(), (set(), set())
    for key, at, index in rows[left]:
        for other_key, other_at, other in rows[right]:
            if key == other_key and -BEFORE_MS <= other_at - at <= AFTER_MS:
                wanted[index, other] += 1
                matched[0].add(index)
                matched[1].add(other)
    everything = set(range(PIECES * PIECE))
    wanted.update((index, None) for index in everything - matched[0])
    wanted.update((None, index) for index in everything - matched[1])
    found = Counter(((row.get("left") or {}).get("id"), (row.get("right") or {}).get("id"))
                    for row in values(stage))
    assert found == wanted, (list((wanted - found).items())[:5], list((found - wanted).items())[:5])


def test_a_join_that_waits_for_its_table_survives_kills(stage):
    """Rows of the table come behind records that they hold for: all are joined as of their time."""
    chance = random.Random(11)
    table = stage.name + "-table"
    stage.create(PARTITIONS)
    stage.kafka.create(table, PARTITIONS, **{"cleanup.policy": "compact"})
    path = topology(
        stage.file(), stage.name,
        f"- {{name: asked, type: kafka, topic: {stage.source}, key: [k], "
        f"watermark: {{max_delay: {DELAY_MS}ms}}}}\n"
        f"- {{name: prices, type: kafka, topic: {table}, key: [k], table: true, retention: 1h}}",
        f"- {{name: joined, type: kafka, from: known, topic: {stage.sink}}}",
        "- {name: known, type: join.table, from: asked, table: prices, key: [k], kind: left, "
        "join_wait: 1h}")
    asked, versions, pieces = [], {}, []
    for piece in range(PIECES):
        begin = 10_000 + piece * 4 * PIECE
        new = [(f"k{chance.randrange(KEYS)}", at, piece * PIECE + index)
               for index, at in disordered(chance, begin)]
        asked += new
        rows = []
        for index in range(PIECE // 4):  # in the order of time, as a changelog is
            key, at = f"k{chance.randrange(KEYS)}", begin + 16 * index
            versions.setdefault(key, []).append((at, piece * PIECE + index))
            rows.append(message(key, at, k=key, price=piece * PIECE + index))
        events = [message(key, at, k=key, id=index) for key, at, index in new]
        pieces.append([(stage.source, events), (table, rows)])
    feed_with_kills(stage, path, pieces)
    wanted = Counter()
    for key, at, index in asked:
        known = [price for since, price in versions.get(key, []) if since <= at]
        wanted[index, known[-1] if known else None] += 1
    found = Counter((row["id"], (row.get("prices") or {}).get("price")) for row in values(stage))
    assert found == wanted, (list((wanted - found).items())[:5], list((found - wanted).items())[:5])


def test_a_lookup_in_a_topic_survives_kills(stage):
    """Every task has the rows of all partitions of a table that is wider than its stream. The table
    is written while nobody runs: who starts reads it to its end before the stream."""
    chance = random.Random(13)
    table = stage.name + "-table"
    stage.create(PARTITIONS)
    stage.kafka.create(table, TABLE_PARTITIONS, **{"cleanup.policy": "compact"})
    path = topology(
        stage.file(), stage.name,
        f"- {{name: sales, type: kafka, topic: {stage.source}}}\n"
        f"- {{name: rates, type: kafka, topic: {table}, key: [k], table: true, retention: 1h}}",
        f"- {{name: joined, type: kafka, from: known, topic: {stage.sink}}}",
        "- {name: known, type: join.lookup, from: sales, table: rates, key: [c], kind: left}")
    sales, versions = [], {}
    for piece in range(PIECES):
        begin, rows = 10_000 + piece * 4 * PIECE, []
        for index in range(PIECE // 4):
            key, at = f"k{chance.randrange(KEYS)}", begin + 16 * index
            rate = None if chance.random() < 0.2 else piece * PIECE + index
            versions.setdefault(key, []).append((at, rate))
            rows.append((key.encode(), None, at) if rate is None else
                        message(key, at, k=key, rate=rate))
        new = [(f"k{chance.randrange(KEYS)}", begin + 4 * index, piece * PIECE + index)
               for index in range(PIECE)]
        sales += new
        stage.kafka.produce(table, rows, TABLE_PARTITIONS)
        stage.kafka.produce(stage.source, [message(str(index), at, c=key, id=index)
                                           for key, at, index in new], PARTITIONS)
        run = stage.run(path)
        time.sleep(0.2 * (piece % 4))
        run.kill()
    stage.to_end(path)
    wanted = Counter()
    for key, at, index in sales:
        known = [rate for since, rate in versions.get(key, []) if since <= at]
        wanted[index, known[-1] if known else None] += 1
    found = Counter((row["id"], (row.get("rates") or {}).get("rate")) for row in values(stage))
    assert found == wanted, (list((wanted - found).items())[:5], list((found - wanted).items())[:5])
