"""A lookup in a topic that every task reads whole, on a cluster: workers are killed and added, the
table grows by a partition. Each record finds the table as it was written before it."""

import json
import random
import time

from confluent_kafka.admin import NewPartitions
from stage import eventually, topology

PARTITIONS, TABLE_PARTITIONS, KEYS, ROUND = 4, 3, 40, 400
BASE_MS = 1767225600000
STREAM_KEYS = [f"s{index}" for index in range(60)]  # of all partitions


class Table:
    """What is written to the table, and the records that look it up."""

    def __init__(self, kafka, scene):
        self.kafka, self.scene, self.table = kafka, scene, scene.name + "-table"
        self.chance, self.rows, self.now = random.Random(5), {}, BASE_MS
        self.wanted, self.partitions = {}, TABLE_PARTITIONS

    def write(self, version):
        """Changes and deletions, then a mark in each partition. Records of the table come with
        the partition that they go to, as a key stays where it is when a table grows."""
        records = []
        for index in range(KEYS // 2):
            key, deleted = f"k{self.chance.randrange(KEYS)}", self.chance.random() < 0.2
            self.rows[key] = None if deleted else f"{version}-{index}"
            records.append((key, self.rows[key]))
        records += [(f"mark-{index}", str(version)) for index in range(self.partitions)]
        self.kafka.produce(self.table, [self.table_record(*record) for record in records])

    def table_record(self, key, rate):
        self.now += 1
        value = None if rate is None else json.dumps({"k": key, "rate": rate}).encode()
        where = int(key.split("-")[1]) if "-" in key else int(key[1:]) % TABLE_PARTITIONS
        return key.encode(), value, self.now, where

    def look_up(self, ids):
        """Records to all partitions. ids: of what is asked, by id."""
        records = []
        for index, (name, key) in enumerate(ids.items()):
            self.now += 1
            records.append((STREAM_KEYS[index % len(STREAM_KEYS)].encode(),
                            json.dumps({"id": name, "c": key}).encode(), self.now))
        self.kafka.produce(self.scene.source, records, PARTITIONS)

    def found(self):
        """Rates by the ids of the records, each of which is there once."""
        found = {}
        for value in self.kafka.values(self.scene.sink):
            row = json.loads(value)
            assert row["id"] not in found, row
            found[row["id"]] = (row.get("rates") or {}).get("rate")
        return found

    def play(self, version, meanwhile=lambda: None):
        """A round: the table changes, all tasks have seen it, records ask for it."""
        self.write(version)
        self.wait_seen(version)
        ids = {f"{version}.{index}": f"k{self.chance.randrange(KEYS + 5)}"
               for index in range(ROUND)}
        self.wanted.update({name: self.rows.get(key) for name, key in ids.items()})
        self.look_up(ids)
        meanwhile()
        eventually(lambda: len(ids.keys() - self.found().keys()) == 0, 120)

    def wait_seen(self, version):
        """Until each task finds the last mark of each partition."""
        attempts = 0

        def seen():
            nonlocal attempts
            attempts += 1
            marks = {f"mark.{version}.{attempts}.{index}.{mark}": f"mark-{mark}"
                     for mark in range(self.partitions) for index in range(len(STREAM_KEYS))}
            self.look_up(marks)
            eventually(lambda: len(marks.keys() - self.found().keys()) == 0, 120)
            found = self.found()
            return all(found[name] == str(version) for name in marks)

        eventually(seen, 120)


def test_a_table_for_every_task_survives_kills_and_growth(kafka, scenes):
    scene = scenes()
    cluster, table = scene.cluster, Table(kafka, scene)
    kafka.create(scene.source, PARTITIONS)
    kafka.create(scene.sink, PARTITIONS)
    kafka.create(table.table, TABLE_PARTITIONS, **{"cleanup.policy": "compact"})
    path = topology(
        scene.folder / "t.yaml", scene.name,
        f"- {{name: sales, type: kafka, topic: {scene.source}}}\n"
        f"- {{name: rates, type: kafka, topic: {table.table}, key: [k], table: true, "
        "retention: 1h}",
        f"- {{name: joined, type: kafka, from: known, topic: {scene.sink}}}",
        "- {name: known, type: join.lookup, from: sales, table: rates, key: [c], kind: left}",
        "  standbys: 1\n")
    scene.cast(workers=2, threads=2)
    cluster.submit(path)
    cluster.wait_running(PARTITIONS)
    table.play(1)
    first, second = list(cluster.workers.values())[:2]

    def kill(worker):
        time.sleep(0.1)
        worker.kill()
        worker.start()

    table.play(2, lambda: kill(first))
    table.play(3, lambda: (kill(first), kill(second)))
    cluster.worker("added", threads=1)  # tasks move to it: their table comes with them
    table.play(4, lambda: kill(second))
    grown = kafka.admin().create_partitions([NewPartitions(table.table, TABLE_PARTITIONS + 1)])
    for future in grown.values():
        future.result(30)
    table.partitions += 1
    table.play(5, lambda: kill(first))
    found = table.found()
    wrong = [(name, rate, found.get(name)) for name, rate in table.wanted.items()
             if found.get(name) != rate]
    assert not wrong, wrong[:5]
