"""Measures detectors inside the engine, beside river and other peers; called by script/bench.

`millrace run` takes records from an embedded source through one detector to a sink that takes the
anomalies: once from typed columns (generate.random), once from JSON lines (a file). The processor
time of all threads of the process counts, as the kernel accounts for it (wait4). A run without the
detector says what source and sink take by themselves. The peers score and learn the same numbers
one record after the other, in a process of their own.
"""

import argparse
import importlib
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import bench

MANY_KEYS = 10_000
TOPOLOGY = """\
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: bench}}
spec:
  commit_interval: 1s
  memory: 1GiB
  sources:
{source}
  operators:
{operators}
  sinks:
    - {{name: found, type: file, from: {last}, path: "{folder}/found", where: '{where}'}}
"""


class Case:
    """A detector, how many records a round takes, and what the project aims at."""

    def __init__(self, name, options, records, fields=1, typed=None, json=None, peers=()):
        self.name = name
        self.options = options
        self.records = records
        self.fields = fields
        self.targets = {"typed": typed, "JSON": json}
        self.peers = peers


CONSTANT = {"typed": 5_000_000, "json": 1_500_000}
CASES = [
    Case("detect.threshold", "above: 1000", 2_000_000, **CONSTANT),
    Case("detect.zscore", "", 2_000_000, **CONSTANT, peers=["river GaussianScorer"]),
    Case("detect.ewma", "", 2_000_000, **CONSTANT, peers=["river EwaVar"]),
    Case(
        "detect.robust_z",
        "window: {count: 1000}",
        1_000_000,
        typed=1_500_000,
        peers=["river StandardAbsoluteDeviation"],
    ),
    Case(
        "detect.mahalanobis",
        "",
        1_000_000,
        fields=10,
        typed=1_500_000,
        peers=["river EmpiricalPrecision"],
    ),
    Case(
        "detect.half_space_trees",
        "trees: 25, depth: 10",
        500_000,
        fields=10,
        typed=500_000,
        peers=["river HalfSpaceTrees"],
    ),
    Case("detect.loda", "", 500_000, fields=10, typed=400_000, peers=["river LODA"]),
    Case(
        "detect.random_cut_forest",
        "trees: 40, sample: 256, shingle: 4",
        40_000,
        typed=20_000,
        peers=["AWS randomcutforest", "rrcf"],
    ),
    Case("detect.spot", "", 500_000, peers=["libspot"]),
    Case("detect.matrix_profile", "window_size: 2048", 40_000, peers=["stumpy stumpi"]),
    Case("drift.adwin", "", 1_000_000, peers=["river ADWIN"]),
    Case("drift.page_hinkley", "", 1_000_000, **CONSTANT, peers=["river PageHinkley"]),
]


def field_names(case):
    return ["value"] + [f"f{index}" for index in range(1, case.fields)]


def typed_source(case, keys, records, _folder):
    fields = [f"        - {{name: {name}, distribution: normal}}" for name in field_names(case)]
    if keys > 1:
        fields.insert(0, "        - {name: k, distribution: key}")
    return "\n".join(
        [
            "    - name: rows",
            "      type: generate.random",
            f"      count: {records}",
            f"      keys: {keys}",
            "      fields:",
            *fields,
        ]
    )


def json_source(_case, _keys, _records, folder):
    return f'    - {{name: rows, type: file, path: "{folder}/rows.jsonl", format: json}}'


def operator(case, keys):
    names = field_names(case)
    fields = f"fields: [{', '.join(names)}]" if takes_several(case) else "field: value"
    options = f", {case.options}" if case.options else ""
    # In the task of the source: a repartition would be measured with it.
    key = "" if case.name == "detect.threshold" else "scope: partition, "
    if key and keys > 1:
        key += "key: [k], "
    return f"    - {{name: judged, type: {case.name}, from: rows, {key}{fields}{options}}}"


def takes_several(case):
    return case.fields > 1 or case.name == "detect.random_cut_forest"


def bare_operator(case, keys):
    """Reads the fields as the detector does, the key among them, and lets nothing pass."""
    where = " + ".join(field_names(case)) + " > 1e9"
    if keys > 1:
        where += " || size(k) > 1000"
    return f"    - {{name: judged, type: filter, from: rows, where: '{where}'}}"


def run_engine(case, keys, source, records, folder, bare):
    for old in Path(folder).glob("found*"):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    text = TOPOLOGY.format(
        source=source(case, keys, records, folder),
        operators=bare_operator(case, keys) if bare else operator(case, keys),
        last="judged",
        where="true" if bare else "anomaly.score > 1e12",
        folder=folder,
    )
    if case.name.startswith("drift.") and not bare:
        text = text.replace("anomaly.score", "drift.score")
    path = Path(folder) / "topology.yaml"
    path.write_text(text)
    words = [bench.BIN / "millrace", "run", path, "--quiet", "--threads", 1, "--until-end"]
    return bench.Measured([*words, "--state-dir", Path(folder) / "state"]).cpu


def write_lines(case, keys, records, path):
    import numpy

    random = numpy.random.default_rng(1)
    names = field_names(case)
    with open(path, "w", encoding="utf-8") as file:
        for first in range(0, records, 10_000):
            count = min(10_000, records - first)
            numbers = random.normal(size=(count, case.fields)).round(3).tolist()
            owners = random.integers(keys, size=count).tolist()
            for owner, row in zip(owners, numbers):
                record = {"k": f"s-{owner:05}", **dict(zip(names, row))}
                file.write(json.dumps(record, separators=(",", ":")) + "\n")


# ---- Peers: each returns CPU seconds for rows of numbers ----


def peer_rows(case, count):
    import numpy

    return numpy.random.default_rng(1).normal(size=(count, case.fields))


def cpu_of(step, rows):
    import time

    begin = time.process_time()
    for row in rows:
        step(row)
    return time.process_time() - begin


def river_anomaly(name, **options):
    def make(case):
        module = importlib.import_module("river.anomaly")
        model = getattr(module, name)(**options)
        names = field_names(case)
        if name in ("GaussianScorer", "StandardAbsoluteDeviation"):

            def step(row):
                model.score_one(None, row[0])
                model.learn_one(None, row[0])

        else:

            def step(row):
                record = dict(zip(names, row))
                model.score_one(record)
                model.learn_one(record)

        return step

    return make


def river_ewma(_case):
    from river import stats

    mean, variance = stats.EWMean(0.01), stats.EWVar(0.01)

    def step(row):
        abs(row[0] - mean.get()) / (variance.get() + 1e-9) ** 0.5
        mean.update(row[0])
        variance.update(row[0])

    return step


def river_precision(case):
    """River keeps the inverse covariance; the distance is two products with it."""
    from river import covariance

    model = covariance.EmpiricalPrecision()
    names = field_names(case)

    def step(row):
        record = dict(zip(names, row))
        model.update(record)

    return step


def river_drift(name):
    def make(_case):
        model = getattr(importlib.import_module("river.drift"), name)()
        return lambda row: model.update(row[0])

    return make


def rrcf_forest(_case):
    """As in its documentation: 40 trees of 256 points, the oldest leaves."""
    import rrcf

    trees = [rrcf.RCTree() for _ in range(40)]
    window = []
    position = 0

    def step(row):
        nonlocal position
        window.append(row[0])
        del window[:-4]
        if len(window) < 4:
            return
        for tree in trees:
            if len(tree.leaves) >= 256:
                tree.forget_point(position - 256)
            tree.insert_point(list(window), index=position)
            tree.codisp(position)
        position += 1

    return step


def libspot_tail(case):
    import libspot

    model = libspot.Spot(1e-4, low=False)
    model.fit(peer_rows(case, 1000)[:, 0])
    return lambda row: model.step(row[0])


def stumpy_profile(case):
    """The newest distance of a series of 2,048 numbers of which the oldest leaves (egress)."""
    import stumpy

    series = stumpy.stumpi(peer_rows(case, 2048)[:, 0].copy(), m=64, egress=True)
    series.update(0.5)  # compiles itself
    return lambda row: series.update(row[0])


PEERS = {
    "river GaussianScorer": (river_anomaly("GaussianScorer"), 100_000),
    "river EwaVar": (river_ewma, 100_000),
    "river StandardAbsoluteDeviation": (river_anomaly("StandardAbsoluteDeviation"), 100_000),
    "river EmpiricalPrecision": (river_precision, 10_000),
    "river HalfSpaceTrees": (river_anomaly("HalfSpaceTrees", n_trees=25, height=10), 2_000),
    "river LODA": (river_anomaly("LODA"), 5_000),
    "libspot": (libspot_tail, 200_000),
    "stumpy stumpi": (stumpy_profile, 1000),
    "river ADWIN": (river_drift("ADWIN"), 100_000),
    "river PageHinkley": (river_drift("PageHinkley"), 200_000),
    "rrcf": (rrcf_forest, 600),
}


def aws_forest(folder):
    """Points per CPU-second of AWS's forest, 40 trees of 256 points of 4 numbers; None: no Java."""
    jars = Path(folder) / "jars"
    fetch = [
        "mvn",
        "-q",
        "dependency:copy",
        f"-Dartifact={AWS_ARTIFACT}",
        f"-DoutputDirectory={jars}",
    ]
    try:
        bench.output_of(*fetch)
        program = bench.ROOT / "bench" / "ForestPeer.java"
        return float(bench.output_of("java", "-cp", f"{jars}/*", program))
    except (OSError, ValueError):
        return None


AWS_ARTIFACT = "software.amazon.randomcutforest:randomcutforest-core:4.3.0"


def measure_peer(name, case, folder):
    """Records per CPU-second, or None where it is not installed."""
    if name.startswith("AWS"):
        return aws_forest(folder)
    make, count = PEERS[name]
    try:
        step = make(case)
    except ImportError:
        return None
    return count / max(cpu_of(step, peer_rows(case, count)), 1e-9)


def measure(case, keys, kind, folder, rounds, scale):
    """Medians of records per CPU-second: all of the process, and the detector's share alone."""
    records = max(1000, int(case.records * scale))
    source = typed_source
    if kind == "JSON":
        records = min(records, 1_000_000)
        write_lines(case, keys, records, Path(folder) / "rows.jsonl")
        source = json_source
    whole, bare = [], []
    for _ in range(rounds):
        bare.append(run_engine(case, keys, source, records, folder, True))
        whole.append(run_engine(case, keys, source, records, folder, False))
    share = statistics.median(whole) - statistics.median(bare)
    return records / statistics.median(whole), records / max(share, 1e-9)


def figure(number):
    return "" if number is None else f"{number:,.0f}"


def reached(case, keys_text, kind, process, alone):
    target = case.targets[kind]
    if target is None:
        return f"| {keys_text} | {kind} | {figure(process)} | {figure(alone)} | | |"
    # Typed columns are given: what makes them is not the detector's. JSON has to be read.
    met = alone if kind == "typed" else process
    verdict = "yes" if met >= target else "no"
    return (
        f"| {keys_text} | {kind} | {figure(process)} | {figure(alone)} | {figure(target)} | "
        f"{verdict} |"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("detectors", nargs="*", help="types; default: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of records")
    parser.add_argument("--no-peers", action="store_true")
    arguments = parser.parse_args()
    cases = [case for case in CASES if not arguments.detectors or case.name in arguments.detectors]
    if not cases:
        sys.exit("none of these detectors is measured: " + ", ".join(arguments.detectors))
    print(
        f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, load"
        f" {os.getloadavg()[0]:.1f}; {bench.output_of(str(bench.BIN / 'millrace'), 'version')}"
    )
    print("| | keys | from | records per CPU-second | the detector alone | target | reached |")
    print("|---|---|---|---:|---:|---:|---|")
    with tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder:
        for case in cases:
            for keys in (1, MANY_KEYS):
                for kind in ("typed", "JSON"):
                    both = measure(case, keys, kind, folder, arguments.rounds, arguments.scale)
                    row = reached(case, figure(keys), kind, *both)
                    print(f"| {case.name} {row}", flush=True)
            for peer in case.peers if not arguments.no_peers else ():
                found = figure(measure_peer(peer, case, folder)) or "not installed"
                print(f"| {peer} | 1 | numbers | | {found} | | |", flush=True)


if __name__ == "__main__":
    main()
