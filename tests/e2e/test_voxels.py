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


def rows(kafka, topic):
    """Those of whole intervals."""
    found = [json.loads(value) for value in kafka.values(topic)]
    return [row for row in found if row.get("interval_end", 0) <= POINTS * STEP]


def key_of(row):
    return row["build"], (row["ix"], row["iy"], row["layer"]), row["interval_end"]


def covered(boxes):
    return [(box["build"], (i, j, box["layer"]), box["interval_end"]) for box in boxes
            for i in range(box["ix_first"], box["ix_last"] + 1)
            for j in range(box["iy_first"], box["iy_last"] + 1)]


def test_grids_are_exact_over_kills_resets_and_a_rescale(kafka, unique, cluster, tmp_path):
    given = list(points())
    told, grids = expected(given)
    for end in ("in", "orders", "main", "changed", "layers"):
        kafka.create(f"{unique}-{end}", PARTITIONS)
    path = tmp_path / "voxels.yaml"
    path.write_text(TOPOLOGY.format(name=unique))
    cluster.worker("w0", threads=1)
    cluster.submit(path)
    cluster.wait_running(PARTITIONS)

    def feed(first, last, step, between):
        for start in range(first, last, step):
            kafka.produce(f"{unique}-in", [(point["build"].encode(), json.dumps(point).encode())
                                           for point in given[start:start + step]], PARTITIONS)
            between(start)

    def count(build, member):
        return cluster.get(f"/v1/state/{unique}/voxels/{build}")["value"][member]

    def kill_sometimes(start):
        if start % 2000 == 1000:
            cluster.workers["w0"].kill()
            cluster.workers["w0"].start()

    feed(0, HALF, 500, kill_sometimes)
    builds = sorted(grids)
    seen = {build: [one for one in given[:HALF] if one["build"] == build] for build in builds}
    wait_until(lambda: all(count(build, "points") == len(seen[build]) for build in builds), 90,
               what="the first half")
    orders = [(order["key"].encode(), json.dumps(
        {"ts": HALF * STEP - 1, "operator": "voxels", "action": "reset", **order}).encode())
        for order, _ in ORDERS]
    kafka.produce(f"{unique}-orders", orders, PARTITIONS)

    def left(order, forgets):
        voxels = {place(one) for one in seen[order["key"]]}
        return len([one for one in voxels if not forgets(*one)])

    wait_until(lambda: all(count(order["key"], "filled") == left(order, forgets)
                           for order, forgets in ORDERS if left(order, forgets) > 0), 60,
               what="the resets")
    for name in ("w1", "w2"):
        cluster.worker(name, threads=1)

    def kill_other(start):
        if start == HALF + 1500:
            cluster.workers["w1"].kill()
            cluster.workers["w1"].start()

    feed(HALF, POINTS, 500, kill_other)
    ends = [{**given[0], "build": build, "ts": POINTS * STEP + 3000000, "x": 19.9, "y": 19.9,
             "z": 2.9} for build in builds]
    kafka.produce(f"{unique}-in", [(one["build"].encode(), json.dumps(one).encode())
                                   for one in ends], PARTITIONS)
    wait_until(lambda: len(rows(kafka, f"{unique}-main")) >= len(told), 90, 0.3,
               what="all that is told")

    main, boxes = rows(kafka, f"{unique}-main"), rows(kafka, f"{unique}-changed")
    assert sorted(key_of(row) for row in main) == sorted(told)
    assert sorted(covered(boxes)) == sorted(told)
    for row in main:
        cell = row["signals"]["value"]
        values, least = told[key_of(row)]
        assert cell["n"] >= least
        check_cell(cell, values[:cell["n"]])
    closings = {}
    for row in rows(kafka, f"{unique}-layers"):
        closings.setdefault((row["build"], row["layer"]), []).append(row)
    reset = {order["key"] for order, _ in ORDERS}
    for (build, layer), found in closings.items():
        if build in reset:
            continue
        assert [row["closing"] for row in found] == list(range(1, len(found) + 1))
        values = [one["value"] for one in given if one["build"] == build and place(one)[2] == layer]
        assert found[-1]["points"] == found[-1]["signals"]["value"]["n"]
        if layer < LAYERS - 1:
            check_cell(found[-1]["signals"]["value"], values)
    for build in ("b3", "b5", "b0"):
        asked = cluster.get(f"/v1/state/{unique}/voxels/{build}?from=0,0,0&to=10,12,2.5")["value"]
        there = {voxel: values for voxel, values in grids[build].items()
                 if voxel[0] < 20 and voxel[1] < 24 and voxel[2] < 5}
        shown = {(one["ix"], one["iy"], one["layer"]): one for one in asked["voxels"]}
        assert not asked["more"] and set(shown) == set(there) and len(shown) > 50
        for voxel, values in there.items():
            check_cell(shown[voxel]["signals"]["value"], values)
