"""Voxel grids on a cluster: workers killed and added while points come, layers and boxes reset in
between, grids asked for by place; everything is told once, and as plain arithmetic has it."""

import json
import math
import random
from fractions import Fraction

import pytest

from cluster import Cluster, wait_until

PARTITIONS, BUILDS, POINTS, STEP, EVERY, SIDE, LAYERS = 4, 16, 8000, 10, 8000, 40, 6
HALF = POINTS // 2  # an interval ends there
TOPOLOGY = """
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: {name}}}
spec:
  commit_interval: 100ms
  sources:
    - {{name: points, type: kafka, topic: {name}-in, key: [build], timestamp: ts}}
    - name: orders
      type: kafka
      topic: {name}-orders
      key: [key]
      timestamp: ts
      watermark: {{idle_timeout: 300ms}}
  operators:
    - name: voxels
      type: voxel.aggregate
      from: points
      control: orders
      key: [build]
      position: [x, 'y', z]
      signals: [value]
      bounds: [20, 20, 3]
      resolution: [0.5, 0.5, 0.5]
      every: 8s
  sinks:
    - {{name: main, type: kafka, from: voxels, topic: {name}-main}}
    - {{name: changed, type: kafka, from: voxels.changed, topic: {name}-changed}}
    - {{name: layers, type: kafka, from: voxels.layers, topic: {name}-layers}}
"""
# What is forgotten in the middle, and the voxels that it is about.
ORDERS = [
    ({"key": "b3", "layer": 1}, lambda i, j, k: k == 1),
    ({"key": "b4"}, lambda i, j, k: True),
    ({"key": "b5", "from": [4, 0, 0], "to": [9.7, 12, 3]}, lambda i, j, k: 8 <= i < 20 and j < 24),
    ({"key": "b6", "layer": 2, "from": [0, 0, 0], "to": [20, 20, 3]}, lambda i, j, k: k == 2),
]


def points():
    """A spot that wanders over each build, layer by layer, in the order of time."""
    chance = random.Random(11)
    for number in range(POINTS):
        build = chance.randrange(BUILDS)
        layer = max(0, number * LAYERS // POINTS - (chance.random() < 0.1))
        i = int(12 + 8 * math.sin(number / 300 + build) + chance.gauss(0, 2)) % (SIDE - 1)
        j = int(20 + 9 * math.cos(number / 170) + chance.gauss(0, 2)) % (SIDE - 1)
        yield {"build": f"b{build}", "ts": STEP * number, "x": i / 2 + 0.1, "y": j / 2 + 0.3,
               "z": layer / 2 + 0.2, "value": chance.gauss(1500, 20)}


def place(point):
    return int(point["x"] * 2), int(point["y"] * 2), int(point["z"] * 2)


def expected(given):
    """What is told: by build, voxel and end of the interval, all values of the voxel and how many
    of them are told at least (the watermark may be behind); and what is there in the end."""
    told, grids, changed = {}, {}, set()

    def tell(end):
        for build, voxel in changed:
            if voxel in grids[build]:
                values = grids[build][voxel]
                told[build, voxel, end] = values, len(values)
        changed.clear()

    for number, point in enumerate(given):
        if number == HALF:
            for order, forgets in ORDERS:
                grid = grids[order["key"]]
                for voxel in [one for one in grid if forgets(*one)]:
                    del grid[voxel]
        if number * STEP % EVERY == 0:
            tell(number * STEP)
        grids.setdefault(point["build"], {}).setdefault(place(point), []).append(point["value"])
        changed.add((point["build"], place(point)))
    tell(POINTS * STEP)
    return told, grids


def variance(values):
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    return float(sum((value - mean) ** 2 for value in exact) / (len(exact) - 1))


def check_cell(cell, values):
    assert (cell["n"], cell["min"], cell["max"], cell["last"]) == (
        len(values), min(values), max(values), values[-1])
    assert cell["sum"] == math.fsum(values)
    assert math.isclose(cell["mean"], math.fsum(values) / len(values), rel_tol=1e-12)
    if len(values) > 1:
        assert math.isclose(cell["variance"], variance(values), rel_tol=1e-12)


@pytest.fixture
def cluster(kafka, unique, tmp_path):
    made = Cluster(kafka.brokers, unique, tmp_path)
    made.coordinator()
    yield made
    made.end()
    print(made.logs(2000))


def key_of(row):
    return row["build"], (row["ix"], row["iy"], row["layer"]), row["interval_end"]


def covered(boxes):
    return [(box["build"], (i, j, box["layer"]), box["interval_end"]) for box in boxes
            for i in range(box["ix_first"], box["ix_last"] + 1)
            for j in range(box["iy_first"], box["iy_last"] + 1)]


class Story:
    """The points, the cluster that they go to, and what is done to it."""

    def __init__(self, kafka, name, cluster):
        self.kafka, self.name, self.cluster = kafka, name, cluster
        self.given = list(points())
        self.told, self.grids = expected(self.given)

    def send(self, end, records):
        self.kafka.produce(f"{self.name}-{end}", [(key.encode(), json.dumps(record).encode())
                                                  for key, record in records], PARTITIONS)

    def feed(self, first, last, killed):
        """In steps, with the kill of a worker after some."""
        for start in range(first, last, 500):
            self.send("in", [(one["build"], one) for one in self.given[start:start + 500]])
            if start % 2000 == 1000:
                self.cluster.workers[killed].kill()
                self.cluster.workers[killed].start()

    def ask(self, build, query=""):
        return self.cluster.get(f"/v1/state/{self.name}/voxels/{build}{query}")["value"]

    def reset(self):
        """When the first half is in the grids; wait until it shows."""
        seen = {build: [] for build in self.grids}
        for one in self.given[:HALF]:
            seen[one["build"]].append(one)
        wait_until(lambda: all(self.ask(build)["points"] == len(there)
                               for build, there in seen.items()), 90, what="the first half")
        self.send("orders", [(order["key"], {"ts": HALF * STEP - 1, "operator": "voxels",
                                             "action": "reset", **order}) for order, _ in ORDERS])
        left = {order["key"]: len({place(one) for one in seen[order["key"]]
                                   if not forgets(*place(one))}) for order, forgets in ORDERS}
        wait_until(lambda: all(self.ask(build)["filled"] == count
                               for build, count in left.items() if count > 0), 60,
                   what="the resets")

    def end(self):
        """Points far behind the last interval, in every partition."""
        self.send("in", [(build, {**self.given[0], "build": build, "ts": POINTS * STEP + 3000000,
                                  "x": 19.9, "y": 19.9, "z": 2.9}) for build in self.grids])
        wait_until(lambda: len(self.rows("main")) >= len(self.told), 90, 0.3,
                   what="all that is told")
        wait_until(lambda: len(self.closings()) == (BUILDS - len(ORDERS)) * (LAYERS - 1) and all(
            found[-1]["points"] == len(self.of_layer(*layer))
            for layer, found in self.closings().items()), 60, 0.3, what="the closed layers")

    def of_layer(self, build, layer):
        return [one["value"] for one in self.given
                if one["build"] == build and place(one)[2] == layer]

    def closings(self):
        """What is told of each layer but the last, of builds of which nothing was reset."""
        found, reset = {}, {order["key"] for order, _ in ORDERS}
        for row in self.rows("layers"):
            if row["build"] not in reset and row["layer"] < LAYERS - 1:
                found.setdefault((row["build"], row["layer"]), []).append(row)
        return found

    def rows(self, end):
        """Those of whole intervals."""
        found = [json.loads(value) for value in self.kafka.values(f"{self.name}-{end}")]
        return [row for row in found if row.get("interval_end", 0) <= POINTS * STEP]


def check_voxels(story):
    main = story.rows("main")
    assert sorted(key_of(row) for row in main) == sorted(story.told)
    assert sorted(covered(story.rows("changed"))) == sorted(story.told)
    for row in main:
        cell = row["signals"]["value"]
        values, least = story.told[key_of(row)]
        assert cell["n"] >= least
        check_cell(cell, values[:cell["n"]])


def check_layers(story):
    for layer, found in story.closings().items():
        assert [row["closing"] for row in found] == list(range(1, len(found) + 1))
        assert found[-1]["points"] == found[-1]["signals"]["value"]["n"]
        check_cell(found[-1]["signals"]["value"], story.of_layer(*layer))


def check_answers(story):
    for build in ("b3", "b5", "b0"):
        asked = story.ask(build, "?from=0,0,0&to=10,12,2.5")
        there = {voxel: values for voxel, values in story.grids[build].items()
                 if voxel[0] < 20 and voxel[1] < 24 and voxel[2] < 5}
        shown = {(one["ix"], one["iy"], one["layer"]): one for one in asked["voxels"]}
        assert not asked["more"] and set(shown) == set(there) and len(shown) > 50
        for voxel, values in there.items():
            check_cell(shown[voxel]["signals"]["value"], values)


def test_grids_are_exact_over_kills_resets_and_a_rescale(kafka, unique, cluster, tmp_path):
    story = Story(kafka, unique, cluster)
    for end in ("in", "orders", "main", "changed", "layers"):
        kafka.create(f"{unique}-{end}", PARTITIONS)
    path = tmp_path / "voxels.yaml"
    path.write_text(TOPOLOGY.format(name=unique))
    cluster.worker("w0", threads=1)
    cluster.submit(path)
    cluster.wait_running(PARTITIONS)
    story.feed(0, HALF, "w0")
    story.reset()
    for name in ("w1", "w2"):
        cluster.worker(name, threads=1)
    story.feed(HALF, POINTS, "w1")
    story.end()
    check_voxels(story)
    check_layers(story)
    check_answers(story)
