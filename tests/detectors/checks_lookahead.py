"""No detector looks ahead: two series with the same beginning and different futures have the same
results there, through the engine, where a batch holds more than one record."""

import json
import random
import subprocess
import tempfile
from pathlib import Path

from check import at_most, check

from engine import PROGRAM

ROWS, COMMON = 900, 600  # a batch goes over the place where the futures part

# Options that a type cannot do without, and those that make it judge early; others take `field` or
# `fields`.
OPTIONS = {
    "detect.forecast": "field: value, period: 24",
    "detect.matrix_profile": "field: value, subsequence: 24, window_size: 200, warmup: 100",
    "detect.seasonal_esd": "field: value, period: 24",
    "detect.spectral_residual": "field: value, window_size: 128",
    "detect.threshold": "field: value, above: 1.5",
    "drift.ddm": "field: failed",
    "drift.eddm": "field: failed",
    "drift.hddm_a": "field: failed",
    "drift.hddm_w": "field: failed",
}

TOPOLOGY = """\
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: futures}}
spec:
  guarantee: at_least_once
  sources:
    - name: rows
      type: file
      path: {folder}/rows.csv
      format: csv
      csv: {{columns: [row, value, second, failed]}}
      schema: {{row: int, value: double, second: double, failed: int}}
      timestamp: row
      timestamp_unit: s
  operators:
{operators}
  sinks:
{sinks}
"""


def documented(*words):
    return subprocess.run([str(PROGRAM), "docs", *words], stdout=subprocess.PIPE, text=True,
                          check=True, timeout=60).stdout


def detectors():
    """Each registered type that judges records by their numbers, and the options that it gets."""
    types = [line.split()[0] for line in documented().splitlines() if line.startswith("  ")]
    found = {}
    for name in types:
        if not name.startswith(("detect.", "drift.")):
            continue
        text = documented(name)
        several = "\n  fields (paths" in text
        if not several and "\n  field (path" not in text:
            continue  # detect.heartbeat judges silence, detect.rate windows
        options = OPTIONS.get(name, "fields: [value, second]" if several else "field: value")
        found[name] = options if name == "detect.threshold" else f"key: [], {options}"
    return found


def write(path, future):
    """Numbers with a season, spikes and a step; behind COMMON as the future has it."""
    source, later = random.Random(5), random.Random(future)
    with open(path, "w", encoding="utf-8") as file:
        for row in range(ROWS):
            draw = source if row < COMMON else later
            value = (row % 24) / 12 + draw.gauss(0, 0.3) + 40 * (draw.random() < 0.01)
            value += 3 * (row > 400) + (0 if row < COMMON else 100 * future)
            failed = int(draw.random() < (0.05 if row < 300 else 0.3))
            file.write(f"{row},{value!r},{draw.gauss(5, 1)!r},{failed}\n")


def results(types, future):
    """What each detector adds to the common rows."""
    operators = [f"    - {{name: op{place}, type: {name}, from: rows, as: result, {options}}}"
                 for place, (name, options) in enumerate(types.items())]
    sinks = [f"    - {{name: out{place}, type: stdout, from: op{place}}}"
             for place in range(len(types))]
    with tempfile.TemporaryDirectory(prefix="millrace-futures-") as folder:
        write(Path(folder) / "rows.csv", future)
        topology = Path(folder) / "topology.yaml"
        topology.write_text(TOPOLOGY.format(folder=folder, operators="\n".join(operators),
                                            sinks="\n".join(sinks)), encoding="utf-8")
        run = subprocess.run([str(PROGRAM), "run", str(topology), "--until-end", "--quiet"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
                             check=False, timeout=300)
        if run.returncode != 0:
            raise RuntimeError(run.stderr)
    found = {name: [] for name in types}
    for line in run.stdout.splitlines():
        record = json.loads(line)
        found[record["result"]["detector"]].append(record)
    for name, records in found.items():
        assert len(records) == ROWS, f"{name} gave {len(records)} records"
        found[name] = records[:COMMON]
    return found


@check("all detectors: records whose result depends on what follows", "two futures", at_most(0),
       quick=True)
def futures():
    types = detectors()
    first, second = results(types, 0), results(types, 1)
    return sum(one != other for name in types for one, other in zip(first[name], second[name]))
