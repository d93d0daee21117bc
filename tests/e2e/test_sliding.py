"""Sliding windows on a cluster whose workers are killed: one result per record, over exactly the
records of its window, those of functions with bodies, too."""

import json
import random
import time
from collections import Counter

from stage import eventually, topology

PARTITIONS, KEYS, PIECES, PIECE = 3, 9, 6, 300
SIZE_MS, DELAY_MS, LISTED = 700, 200, 4
BASE_MS = 1767225600000

OPERATORS = f"""- {{name: lately, type: window.aggregate, from: a, key: [k],
   window: {{sliding: {SIZE_MS}ms}}, aggregates: {{rows: count(), total: sum(id), low: min(x),
   ids: 'collect(id, {LISTED})', kinds: 'count_distinct(kind)'}}}}"""


def make_records():
    """In the order of arrival: no two of one time, out of order by less than DELAY_MS."""
    chance = random.Random(11)
    records = [{"id": index, "ts": BASE_MS + 4 * index, "k": f"k{chance.randrange(KEYS)}",
                "x": chance.randrange(1000), "kind": f"kind-{chance.randrange(20)}"}
               for index in range(PIECES * PIECE)]
    return sorted(records, key=lambda record: record["ts"] + chance.randrange(DELAY_MS - 10))


def computed(records):
    results = Counter()
    by_key = {}
    for record in sorted(records, key=lambda record: record["ts"]):
        by_key.setdefault(record["k"], []).append(record)
    for key, rows in by_key.items():
        for record in rows:
            inside = [row for row in rows if record["ts"] - SIZE_MS < row["ts"] <= record["ts"]]
            results[key, record["ts"] + 1, len(inside), sum(row["id"] for row in inside),
                    min(row["x"] for row in inside), len({row["kind"] for row in inside}),
                    tuple(row["id"] for row in inside[:LISTED])] += 1
    return results


def test_sliding_windows_survive_the_death_of_workers(kafka, unique, scenes):
    scene = scenes()
    cluster, records = scene.cluster, make_records()
    for topic in (scene.source, scene.sink):
        kafka.create(topic, PARTITIONS)
    path = topology(
        scene.folder / "t.yaml", scene.name,
        f"- {{name: a, type: kafka, topic: {scene.source}, format: json, timestamp: ts, "
        "schema: {id: int, x: int, k: string, kind: string, ts: int}, "
        f"watermark: {{max_delay: {DELAY_MS}ms}}}}",
        f"- {{name: out, type: kafka, from: lately, topic: {scene.sink}}}", OPERATORS)
    scene.cast(workers=2, threads=1)
    cluster.submit(path)
    cluster.wait_running(2 * PARTITIONS)

    def results():
        return [json.loads(value) for value in kafka.values(scene.sink)]

    def write(rows):
        kafka.produce(scene.source, ((str(row["id"]).encode(), json.dumps(row).encode())
                                     for row in rows), PARTITIONS)

    names = list(cluster.workers)
    for piece in range(PIECES):
        write(records[piece * PIECE:(piece + 1) * PIECE])
        time.sleep(0.3)
        if piece % 2 == 1:  # one, the other, both
            victims = [cluster.workers[name] for name in
                       (names if piece == PIECES - 1 else [names[piece // 2]])]
            for victim in victims:
                victim.kill()
            assert len(results()) < len(records)
            for victim in victims:
                victim.start()
    # Time goes on in every partition: the last windows are done.
    end = json.dumps({"id": 0, "x": 0, "kind": "", "k": "end", "ts": BASE_MS + 10**6}).encode()
    kafka.produce(scene.source, [(b"end-%d" % n, end) for n in range(60)], PARTITIONS)
    eventually(lambda: len(results()) >= len(records), 120)
    time.sleep(1)
    found = Counter((row["k"], row["window_end"], row["rows"], row["total"], row["low"],
                     row["kinds"], tuple(row["ids"])) for row in results())
    wanted = computed(records)
    assert found == wanted, (list((wanted - found).items())[:5], list((found - wanted).items())[:5])
