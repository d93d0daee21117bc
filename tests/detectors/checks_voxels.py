"""Voxel grids (voxel.aggregate) beside numpy, through the engine: voxels by floor indices, sums
that are rounded once, mean and variance, boxes that cover just what changed, layers, in a grid of
10^9 voxels. MILLRACE_VOXEL_POINTS=10000000: so many points, which takes some minutes."""

import json
import math
import os
import subprocess
import tempfile
from pathlib import Path

import numpy
from check import at_most, check, equals

from engine import PROGRAM

POINTS = int(os.environ.get("MILLRACE_VOXEL_POINTS", "20000"))
PATH = 300000  # steps of the way; more points are steps that are shorter
ORIGIN = numpy.array([-5.0, 0.0, 0.3])
RESOLUTION = numpy.array([0.1, 0.25, 0.7])
COUNTS = numpy.array([1000, 1000, 1000])
LAYERS = 12
EVERY = POINTS // 5  # ms; a point per ms
LEVEL = 1e6

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
    way = steps * min(1, PATH / POINTS)
    place = numpy.column_stack([40 + 30 * numpy.sin(way / 300), 100 + 80 * numpy.cos(way / 170),
                                ORIGIN[2] + (layer + source.uniform(0, 1, POINTS)) * RESOLUTION[2]])
    place[:, :2] += source.normal(0, 0.4, (POINTS, 2))
    place[source.uniform(size=POINTS) < 0.01, 0] -= 1000
    return place, source.normal(LEVEL, 30, POINTS)


def write_rows(path, place, values):
    with open(path, "w", encoding="utf-8") as file:
        for first in range(0, POINTS, 100000):
            part = slice(first, first + 100000)
            cells = zip(*(column.tolist() for column in (*place[part].T, values[part])))
            file.writelines(f"{first + number},{x!r},{y!r},{z!r},{value!r}\n"
                            for number, (x, y, z, value) in enumerate(cells))


class Run:
    """The engine over the points; the records of each output, one by one."""

    def __init__(self, place, values):
        self.folder = tempfile.TemporaryDirectory(prefix="millrace-voxels-")
        path = Path(self.folder.name)
        write_rows(path / "rows.csv", place, values)
        (path / "topology.yaml").write_text(TOPOLOGY.format(
            folder=path, origin=ORIGIN.tolist(), resolution=RESOLUTION.tolist(), every=EVERY,
            bounds=(ORIGIN + COUNTS * RESOLUTION).tolist()), encoding="utf-8")
        result = subprocess.run([str(PROGRAM), "run", str(path / "topology.yaml"), "--until-end",
                                 "--quiet"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, check=False, timeout=3600)
        if result.returncode != 0:
            raise RuntimeError(result.stderr)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def rows(self, name):
        for path in sorted(Path(self.folder.name).glob(f"{name}-*.json")):
            with open(path, encoding="utf-8") as file:
                for line in file:
                    yield json.loads(line)


def codes_of(index):
    """One number per voxel."""
    return (index[..., 2] * COUNTS[1] + index[..., 1]) * COUNTS[0] + index[..., 0]


def code_of(i, j, layer):
    return (layer * int(COUNTS[1]) + j) * int(COUNTS[0]) + i


def differences(cell, values):
    """What is asked to be exact and differs, and the largest relative difference of the rest."""
    exact = (cell["n"] == len(values), cell["sum"] == math.fsum(values),
             cell["min"] == values.min(), cell["max"] == values.max(), cell["last"] == values[-1])
    far = abs(cell["mean"] / values.mean() - 1)
    if len(values) > 1:
        # Less what all have in common: numpy's own two passes lose nothing then.
        variance = (values - LEVEL).var(ddof=1)
        far = max(far, abs(cell["variance"] - variance) / (variance if variance > 0 else 1))
    return exact.count(False), far


class Groups:
    """Values by a code of each point, in the order in which they came."""

    def __init__(self, codes, values):
        order = numpy.argsort(codes, kind="stable")
        self.values = values[order]
        self.codes, first = numpy.unique(codes[order], return_index=True)
        self.first = numpy.append(first, len(codes))

    def of(self, code):
        at = int(numpy.searchsorted(self.codes, code))
        return self.values[self.first[at]:self.first[at + 1]]


def covered(box):
    return [code_of(i, j, box["layer"]) for j in range(box["iy_first"], box["iy_last"] + 1)
            for i in range(box["ix_first"], box["ix_last"] + 1)]


def differ(told, expected):
    return sorted(told) != expected.tolist()


RESULTS = {}


def compare_intervals(found, steps, codes):
    """Intervals of which other voxels are told, or covered by boxes, than have changed; and the
    last record of each voxel."""
    told, boxes, last = {}, {}, {}
    for row in found.rows("main"):
        code = code_of(row["ix"], row["iy"], row["layer"])
        told.setdefault(row["interval_end"], []).append(code)
        last[code] = row["signals"]["value"]
    for box in found.rows("changed"):
        boxes.setdefault(box["interval_end"], []).extend(covered(box))
    wrong = wrong_boxes = 0
    for end in range(EVERY, POINTS + EVERY, EVERY):
        new = numpy.unique(codes[(steps >= end - EVERY) & (steps < end)])
        wrong += differ(told.pop(end, []), new)
        wrong_boxes += differ(boxes.pop(end, []), new)
    return wrong + len(told), wrong_boxes + len(boxes), last


def compared():
    """Run once: how many exact members differ, the largest relative difference, boxes."""
    if RESULTS:
        return RESULTS
    place, values = points(5)
    index = numpy.floor((place - ORIGIN) / RESOLUTION).astype(int)
    inside = ((index >= 0) & (index < COUNTS)).all(axis=1)
    steps, index, held = numpy.flatnonzero(inside), index[inside], values[inside]
    codes = codes_of(index)
    with Run(place, values) as found:
        wrong, boxes, last = compare_intervals(found, steps, codes)
        wrong += [row["i"] for row in found.rows("outside")] != numpy.flatnonzero(~inside).tolist()
        layers = list(found.rows("layers"))
    far, groups = 0.0, Groups(codes, held)
    wrong += sorted(last) != groups.codes.tolist()
    for code, cell in last.items():
        one, other = differences(cell, groups.of(code))
        wrong, far = wrong + one, max(far, other)
    wrong += [row["layer"] for row in layers] != list(range(LAYERS))
    by_layer = Groups(index[:, 2], held)
    for row in layers:
        one, other = differences(row["signals"]["value"], by_layer.of(row["layer"]))
        filled = numpy.count_nonzero(groups.codes // (COUNTS[0] * COUNTS[1]) == row["layer"])
        wrong, far = wrong + one + (row["filled"] != filled), max(far, other)
    print(f"{POINTS} points, {len(last)} voxels of {int(COUNTS.prod())}")
    RESULTS.update(wrong=wrong, far=far, boxes=boxes)
    return RESULTS


@check("voxel.aggregate: n, sum, min, max, last, filled that differ", "numpy, math.fsum", equals(0),
       quick=True)
def exact_members():
    return compared()["wrong"]


@check("voxel.aggregate: mean and variance, relative", "numpy", at_most(1e-12), quick=True)
def moments():
    return compared()["far"]


@check("voxel.aggregate: intervals whose boxes do not cover what changed", "numpy", equals(0),
       quick=True)
def boxes():
    return compared()["boxes"]
