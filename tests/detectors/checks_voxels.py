"""Voxel grids (voxel.aggregate) beside numpy, through the engine: voxels by floor indices, sums
that are rounded once, mean and variance, boxes that cover just what changed, layers."""

import json
import math
import subprocess
import tempfile
from pathlib import Path

import numpy
from check import at_most, check, equals

from engine import PROGRAM

POINTS = 20000
ORIGIN = numpy.array([-5.0, 0.0, 0.3])
RESOLUTION = numpy.array([0.1, 0.25, 0.7])
COUNTS = numpy.array([1000, 1000, 1000])
LAYERS = 12
EVERY = 4000  # ms; a point per ms

TOPOLOGY = """\
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: check}}
spec:
  guarantee: at_least_once
  sources:
    - name: rows
      type: file
      path: {folder}/rows.csv
      format: csv
      csv: {{columns: [i, px, py, pz, value]}}
      schema: {{i: int, px: double, py: double, pz: double, value: double}}
      timestamp: i
  operators:
    - name: voxels
      type: voxel.aggregate
      from: rows
      key: []
      position: [px, py, pz]
      signals: [value]
      origin: {origin}
      bounds: {bounds}
      resolution: {resolution}
      every: {every}ms
  sinks:
    - {{name: main, type: file, from: voxels, path: {folder}/main.json}}
    - {{name: changed, type: file, from: voxels.changed, path: {folder}/changed.json}}
    - {{name: layers, type: file, from: voxels.layers, path: {folder}/layers.json}}
    - {{name: outside, type: file, from: voxels.outside, path: {folder}/outside.json}}
"""


def points(seed):
    """Points of a spot that wanders over layer after layer, with some beyond the grid."""
    source = numpy.random.default_rng(seed)
    steps = numpy.arange(POINTS)
    layer = steps * LAYERS // POINTS
    spot = numpy.stack([40 + 30 * numpy.sin(steps / 300), 100 + 80 * numpy.cos(steps / 170)], 1)
    place = numpy.column_stack([spot + source.normal(0, 0.4, (POINTS, 2)),
                                ORIGIN[2] + (layer + source.uniform(0, 1, POINTS)) * RESOLUTION[2]])
    place[source.uniform(size=POINTS) < 0.01, 0] -= 1000
    return place, source.normal(1e6, 30, POINTS)


def run(place, values):
    """The records of each output."""
    with tempfile.TemporaryDirectory(prefix="millrace-voxels-") as folder:
        with open(Path(folder) / "rows.csv", "w", encoding="utf-8") as file:
            for number, (row, value) in enumerate(zip(place, values)):
                cells = ",".join(repr(float(cell)) for cell in (*row, value))
                file.write(f"{number},{cells}\n")
        topology = Path(folder) / "topology.yaml"
        topology.write_text(TOPOLOGY.format(
            folder=folder, origin=ORIGIN.tolist(), resolution=RESOLUTION.tolist(), every=EVERY,
            bounds=(ORIGIN + COUNTS * RESOLUTION).tolist()), encoding="utf-8")
        result = subprocess.run([str(PROGRAM), "run", str(topology), "--until-end", "--quiet"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                check=False, timeout=600)
        if result.returncode != 0:
            raise RuntimeError(result.stderr)
        found = {}
        for name in ("main", "changed", "layers", "outside"):
            paths = sorted(Path(folder).glob(f"{name}-*.json"))
            text = "".join(path.read_text(encoding="utf-8") for path in paths)
            found[name] = [json.loads(line) for line in text.splitlines()]
    return found


def differences(cell, values):
    """What is asked to be exact and differs, and the largest relative difference of the rest."""
    exact = (cell["n"] == len(values), cell["sum"] == math.fsum(values),
             cell["min"] == values.min(), cell["max"] == values.max(), cell["last"] == values[-1])
    far = abs(cell["mean"] / values.mean() - 1)
    if len(values) > 1:
        # Less the mean of all: numpy's own two passes lose nothing then.
        variance = (values - 1e6).var(ddof=1)
        far = max(far, abs(cell["variance"] / variance - 1))
    return exact.count(False), far


RESULTS = {}


def compared():
    """Run once: the number of exact members that differ, and the largest relative difference."""
    if RESULTS:
        return RESULTS
    place, values = points(5)
    index = numpy.floor((place - ORIGIN) / RESOLUTION).astype(int)
    inside = ((index >= 0) & (index < COUNTS)).all(axis=1)
    found = run(place, values)
    wrong, far, boxes = 0, 0.0, 0
    wrong += [row["i"] for row in found["outside"]] != numpy.flatnonzero(~inside).tolist()
    for end in range(EVERY, POINTS + EVERY, EVERY):
        steps = numpy.arange(POINTS)
        here = inside & (steps >= end - EVERY) & (steps < end)
        new = {tuple(one) for one in index[here].tolist()}
        told = [row for row in found["main"] if row["interval_end"] == end]
        wrong += {(row["ix"], row["iy"], row["layer"])
                  for row in told} != new or len(told) != len(new)
        covered = [(i, j, box["layer"]) for box in found["changed"] if box["interval_end"] == end
                   for i in range(box["ix_first"], box["ix_last"] + 1)
                   for j in range(box["iy_first"], box["iy_last"] + 1)]
        boxes += set(covered) != new or len(covered) != len(new)
    last = {(row["ix"], row["iy"], row["layer"]): row for row in found["main"]}
    for row in last.values():
        here = (index == (row["ix"], row["iy"], row["layer"])).all(axis=1)
        one, other = differences(row["signals"]["value"], values[here & inside])
        wrong, far = wrong + one, max(far, other)
    wrong += [row["layer"] for row in found["layers"]] != list(range(LAYERS))
    for row in found["layers"]:
        here = inside & (index[:, 2] == row["layer"])
        one, other = differences(row["signals"]["value"], values[here])
        filled = len({tuple(voxel) for voxel in index[here].tolist()})
        wrong, far = wrong + one + (row["filled"] != filled), max(far, other)
    RESULTS.update(wrong=wrong, far=far, boxes=boxes, rows=len(found["main"]))
    return RESULTS


@check("voxel.aggregate: n, sum, min, max, last, filled that differ", "numpy, math.fsum", equals(0))
def exact_members():
    return compared()["wrong"]


@check("voxel.aggregate: mean and variance, relative", "numpy", at_most(1e-12))
def moments():
    return compared()["far"]


@check("voxel.aggregate: intervals whose boxes do not cover what changed", "numpy", equals(0))
def boxes():
    return compared()["boxes"]
