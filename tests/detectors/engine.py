"""A detector over rows of numbers, through the engine: one topology, one file, `millrace run`."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("MILLRACE_BUILD", ROOT / "build" / "dev"))
PROGRAM = BUILD / "bin" / "millrace"

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
      csv: {{columns: [i, {names}]}}
      schema: {{i: int, {typed}}}
      timestamp: i
  operators:
    - {{name: judged, type: {detector}, from: rows, key: [], {fields}{options}}}
    - {{name: results, type: map, from: judged, keep: [i, anomaly]}}
  sinks:
    - {{name: out, type: stdout, from: results}}
"""


def judged(detector, rows, options=""):
    """The added object of each row. rows: equally long lists of numbers. `fields: [f0, ...]` is
    written for several numbers, `field: f0` for one where the options do not say `fields`, and
    where they say `size: f1`."""
    names = [f"f{place}" for place in range(len(rows[0]))]
    fields = f"fields: [{', '.join(names)}]"
    if (len(names) == 1 and "fields: one" not in options) or "size: f1" in options:
        fields = "field: f0"
    options = options.replace("fields: one", "").strip(", ")
    with tempfile.TemporaryDirectory(prefix="millrace-detectors-") as folder:
        with open(Path(folder) / "rows.csv", "w", encoding="utf-8") as file:
            for place, row in enumerate(rows):
                file.write(f"{place},{','.join(repr(float(number)) for number in row)}\n")
        topology = Path(folder) / "topology.yaml"
        topology.write_text(TOPOLOGY.format(
            folder=folder, names=", ".join(names), detector=detector, fields=fields,
            typed=", ".join(f"{name}: double" for name in names),
            options=f", {options}" if options else ""), encoding="utf-8")
        result = subprocess.run([str(PROGRAM), "run", str(topology), "--until-end", "--quiet"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                cwd=folder, check=False, timeout=600)
    if result.returncode != 0:
        raise RuntimeError(result.stderr)
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["i"] for one in found] == list(range(len(rows))), "rows are missing or reordered"
    return [one["anomaly"] for one in found]


def scores(detector, rows, options=""):
    """The score of each row; no sentence is made, as no row is above the threshold."""
    return [one["score"] for one in judged(detector, rows, f"threshold: 1e300, {options}")]
