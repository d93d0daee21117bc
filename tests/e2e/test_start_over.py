"""Operators that start over in place: a new version drops what some of them have stored, once, with
an old owner asleep through it and a kill behind it; the others go on."""

import itertools
import json

import pytest

from cluster import Cluster, Refused, wait_until
from stage import topology

PARTITIONS, KEYS, USERS = 2, 20, 25

TOPOLOGY = """apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: starts}}
spec:
  commit_interval: 50ms
  memory: 64MiB
  sources:
    - {{name: events, type: kafka, format: json, topic: {name}-in, key: [k]}}
    - {{name: users, type: kafka, format: json, topic: {name}-users, table: true, key: [id]}}
  operators:
    - {{name: total, type: aggregate, from: events, key: [k], aggregates: {{seen: count(){more}}}}}
    - {{name: stays, type: aggregate, from: events, key: [k], aggregates: {{seen: count()}}}}
    - {{name: known, type: join.table, from: events, table: users, key: [k]}}
    - {{name: shown, type: map, from: known, set: {{said: {said}}}, remove: [users]}}
  sinks:
    - {{name: totals, type: kafka, from: total, topic: {name}-totals}}
    - {{name: others, type: kafka, from: stays, topic: {name}-stays}}
    - {{name: joined, type: kafka, from: shown, topic: {name}-joined}}
"""


def message(key, time_ms, **fields):
    return key.encode(), json.dumps(fields).encode(), time_ms


class Scene:
    def __init__(self, kafka, name, folder):
        self.kafka, self.name, self.folder, self.fed = kafka, name, folder, 0
        self.cluster = Cluster(kafka.brokers, name, folder)
        for topic in ("in", "totals", "stays", "joined"):
            kafka.create(f"{name}-{topic}", PARTITIONS)
        kafka.create(f"{name}-users", PARTITIONS, **{"cleanup.policy": "compact"})
        kafka.produce(f"{name}-users", [
            message(f"k{user}", 1000, id=f"k{user}", name=f"n{user}", town=f"t{user}")
            for user in range(USERS)], PARTITIONS)
        self.path = folder / "t.yaml"
        self.write("", "users.name")

    def write(self, more, said):
        self.path.write_text(TOPOLOGY.format(name=self.name, more=more, said=said))

    def feed(self, count=1000):
        self.kafka.produce(f"{self.name}-in", [
            message(f"k{event % KEYS}", 2000 + event, k=f"k{event % KEYS}", id=event, v=event)
            for event in range(self.fed, self.fed + count)], PARTITIONS)
        self.fed += count

    def await_outputs(self, seconds=180):
        def done():
            return all(sum(self.kafka.ends(f"{self.name}-{topic}").values()) >= self.fed
                       for topic in ("totals", "stays", "joined"))
        wait_until(done, seconds, 0.2, f"{self.fed} outputs each")

    def rows(self, topic):
        return [json.loads(message.value())
                for messages in self.kafka.read(f"{self.name}-{topic}").values()
                for message in messages]


@pytest.fixture
def scene(kafka, unique, tmp_path):
    made = Scene(kafka, unique, tmp_path)
    yield made
    made.cluster.end()


def by_key(rows):
    rows.sort(key=lambda row: row["k"])  # stable: the order of a key stays
    return {key: list(items) for key, items in itertools.groupby(rows, lambda row: row["k"])}


def check_starts_over(rows, each):
    """Counts of a key rise by one, begin again once, and then know the new aggregate."""
    for key, items in by_key(rows).items():
        seen = [row["seen"] for row in items]
        again = seen.index(1, 1)
        assert seen == [*range(1, again + 1), *range(1, len(seen) - again + 1)], (key, seen)
        assert len(seen) == each
        assert ["high" in row for row in items] == [False] * again + [True] * (each - again)


def test_operators_start_over_in_place_once(scene):
    cluster = scene.cluster
    cluster.coordinator()
    workers = [cluster.worker("w0"), cluster.worker("w1")]
    wait_until(lambda: len(cluster.get("/v1/workers")["workers"]) == 2, 60, what="two workers")
    cluster.submit(scene.path)
    scene.feed()
    scene.await_outputs()
    wait_until(lambda: {task["worker"] for task in cluster.tasks()} == {"w0", "w1"}, 90,
               what="tasks on both workers")
    scene.write(", high: max(v)", "users.name + users.town")
    with pytest.raises(Refused) as refused:
        cluster.submit(scene.path)
    assert refused.value.code == 422
    workers[0].pause()  # it owns a task, and does not hear of the version
    answer = cluster.submit(scene.path, "?drop_state=total,known", seconds=90)
    states = {state["operator"]: state for state in answer["difference"]["state"]}
    assert states["total"]["changed_option"] == "aggregates" and states["total"]["starts_over"]
    assert "town" in states["known"]["changed_field"] and states["known"]["starts_over"]
    assert not states["stays"]["starts_over"]
    wait_until(lambda: {task["version"] for task in cluster.tasks()} == {2}, 120, what="version 2")
    scene.feed()
    workers[0].resume()
    scene.await_outputs()
    workers[1].kill()
    workers[1].start()
    scene.feed()
    scene.await_outputs()
    each = scene.fed // KEYS
    check_starts_over(scene.rows("totals"), each)
    for items in by_key(scene.rows("stays")).values():
        assert [row["seen"] for row in items] == list(range(1, each + 1))
    joined = scene.rows("joined")
    assert sorted(row["id"] for row in joined) == list(range(scene.fed))
    for row in joined:  # the table was read again, before the first record was joined
        number = row["k"][1:]
        assert row["said"] == (f"n{number}" if row["id"] < 1000 else f"n{number}t{number}"), row
    assert workers[0].alive()


def test_run_compares_as_submit_does(stage):
    """`millrace run` on its own: refused with the same words, and permitted by the same flag."""
    source, sink = stage.create(PARTITIONS).source, stage.sink

    def write(aggregates):
        return topology(
            stage.file(), stage.name,
            f"- {{name: events, type: kafka, topic: {source}, key: [k]}}",
            f"- {{name: totals, type: kafka, from: total, topic: {sink}}}",
            f"- {{name: total, type: aggregate, from: events, key: [k], "
            f"aggregates: {{{aggregates}}}}}")

    def feed(first):
        stage.kafka.produce(source, [message(f"k{event % KEYS}", event, k=f"k{event % KEYS}", v=1)
                                     for event in range(first, first + 200)], PARTITIONS)

    feed(0)
    stage.to_end(write("seen: count()"))
    feed(200)
    path = write("seen: count(), high: max(v)")
    said = stage.to_end(path, code=1)
    assert "\"total\" keeps state that depends on 'aggregates'" in said
    assert "--drop-state total" in said
    for _ in range(2):  # whoever starts it again gives the same words
        stage.to_end(path, extra=["--drop-state", "total"])
    rows = [json.loads(value) for value in stage.kafka.values(sink)]
    for items in by_key(rows).values():
        assert [row["seen"] for row in items] == [*range(1, 11), *range(1, 11)]
