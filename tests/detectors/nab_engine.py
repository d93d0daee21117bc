"""Detectors over the Numenta Anomaly Benchmark (nab.py) through the engine: script/nab.

A topology of the benchmark reads `${NAB_ROWS}`, lines `series,row,ts,value,low,high`, and writes a
record {series, row, score} for each of them to standard output: examples/nab/README.md.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from datetime import timezone
from pathlib import Path

import nab
from engine import PROGRAM, ROOT

EXAMPLES = ROOT / "examples" / "nab"


def write_rows(series, path):
    """All series, one behind the other."""
    with open(path, "w", encoding="utf-8") as file:
        for one in series:
            bounds = f"{min(one.values)!r},{max(one.values)!r}"
            for row, (time, value) in enumerate(zip(one.times, one.values)):
                time_ms = int(time.replace(tzinfo=timezone.utc).timestamp() * 1000)
                file.write(f"{one.name},{row},{time_ms},{value!r},{bounds}\n")


def scores_of(lines, series):
    """The scores of each series; each of its rows has one."""
    found = {one.name: [math.nan] * len(one.values) for one in series}
    for line in lines:
        record = json.loads(line)
        found[record["series"]][record["row"]] = float(record["score"])
    for one in series:
        missing = sum(math.isnan(score) for score in found[one.name])
        if missing:
            raise RuntimeError(f"{missing} of {len(one.values)} rows of {one.name} have no score: "
                               "the topology must write {series, row, score} for each row")
    return found


def run(topology, series, folder):
    """The scores that a topology gives to series; folder: for files of the run. One that reads
    ${NAB_WARMUP} runs once for each length of it."""
    if "${NAB_WARMUP" not in Path(topology).read_text(encoding="utf-8"):
        return run_once(topology, series, folder)
    found = {}
    for probation in sorted({one.probation for one in series}):
        alike = [one for one in series if one.probation == probation]
        found.update(run_once(topology, alike, folder, probation))
    return found


def run_once(topology, series, folder, probation=0):
    rows = Path(folder) / "rows.csv"
    write_rows(series, rows)
    environment = {"NAB_ROWS": str(rows), "NAB_WARMUP": str(probation - 1),
                   "NAB_PAUSE": str(probation // 5)}
    result = subprocess.run([str(PROGRAM), "run", str(Path(topology).resolve()), "--until-end",
                             "--quiet"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
                            env={**os.environ, **environment}, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"{topology}: {result.stderr}")
    return scores_of(result.stdout.splitlines(), series)


def main():
    parser = argparse.ArgumentParser(prog="script/nab", description=__doc__)
    parser.add_argument("--data", default=nab.default_folder(), help="a folder in NAB's layout")
    parser.add_argument("topology", nargs="*", default=sorted(EXAMPLES.glob("*.yaml")))
    options = parser.parse_args()
    try:
        benchmark = nab.Benchmark(options.data)
    except OSError as error:
        parser.error(f"{options.data} is no folder in NAB's layout: {error}")
    print(f"{len(benchmark.series)} series, {benchmark.windows} windows", file=sys.stderr)
    print(f"{'detector':28} {'standard':>9} {'low FP':>9} {'low FN':>9}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="millrace-nab-") as folder:
        for topology in options.topology:
            figures = benchmark.score(run(topology, benchmark.series, folder)).values()
            print(f"{Path(topology).stem:28} {' '.join(f'{one:9.2f}' for one in figures)}",
                  flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
