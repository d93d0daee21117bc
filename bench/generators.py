"""Measures generate.copula inside the engine, beside the package copulas; called by script/bench.

`millrace run` learns mixed columns (numbers, whole numbers, texts of five and of two values) from
an embedded source and makes rows: for a sink that takes none of them (sampled), for a file of JSON
lines, and on request for a real Kafka, exactly once. The processor time of all threads of the
process counts, as the kernel accounts for it (wait4); what the same run takes that ends before rows
are made is taken off where they are made, and what it takes with a filter in the place of the
generator where rows are learned. copulas fits beta distributions to numbers, as SDV's synthesizer
does, and samples them, in a process of its own; categories are numbers to it, so that what they
take is not counted. Beside rows to Kafka stands what librdkafka alone sends of the same rows.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import bench

LEARNED = 20_480
RATIO = 1000
BATCH = 10_000  # of rows to Kafka
FIELDS = [
    "distribution: normal",
    "distribution: integer, minimum: 0, maximum: 90",
    "distribution: choice, values: [alpha, beta, gamma, delta, epsilon]",
    "distribution: choice, values: ['yes', 'no']",
    "distribution: normal, mean: 50, sd: 12, decimals: 2",
]
TOPOLOGY = """\
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: bench}}
spec:
  guarantee: {guarantee}
  commit_interval: 1s
  memory: 1GiB
  sources:
    - name: rows
      type: generate.random
      count: {count}
      fields:
{fields}
  operators:
    - {{name: made, from: rows, type: filter, where: '{where}'}}
  sinks:
    - {sink}
"""
NOTHING = '{{name: out, type: file, from: made, path: "{folder}/found", where: "false"}}'
LINES = '{{name: out, type: file, from: made, path: "{folder}/found"}}'
KAFKA = "{{name: out, type: kafka, from: made, topic: {topic}, key: [f1]}}"
# (columns, what, target in rows per CPU-second)
CASES = [
    (15, "learned", 300_000),
    (15, "sampled", 500_000),
    (15, "JSON", 250_000),
    (55, "learned", None),
    (55, "sampled", 100_000),
    (55, "JSON", None),
]
PEER = """
import sys, time, warnings
import numpy, pandas
from copulas.multivariate import GaussianMultivariate
from copulas.univariate import BetaUnivariate
warnings.simplefilter("ignore")
columns, fitted, sampled = map(int, sys.argv[1:])
source = numpy.random.default_rng(1)
rows = pandas.DataFrame({f"f{place}": source.normal(size=fitted) for place in range(columns)})
model = GaussianMultivariate(distribution=BetaUnivariate)
begun = time.process_time()
model.fit(rows)
learned = fitted / (time.process_time() - begun)
begun = time.process_time()
model.sample(sampled)
print(learned, sampled / (time.process_time() - begun))
"""


def field_lines(columns):
    return "\n".join(
        f"        - {{name: f{place}, {FIELDS[place % len(FIELDS)]}}}" for place in range(columns)
    )


def topology(folder, columns, count, sink, ratio=0, generator=True, guarantee="at_least_once"):
    """Without a generator: a filter that reads the same fields and lets nothing pass."""
    names = [f"f{place}" for place in range(columns)]
    text = TOPOLOGY.format(
        guarantee=guarantee,
        count=count,
        fields=field_lines(columns),
        where=" || ".join(f'string({name}) == "none"' for name in names),
        sink=sink,
    )
    if generator:
        options = f"key: [], fields: [{', '.join(names)}], min_records: {LEARNED}, ratio: {ratio}"
        # Of 55 columns so many rows wait at most: all that are earned are made.
        options += ", learn_batch: 64" if ratio > 0 else ""
        lines = text.splitlines()
        place = next(at for at, line in enumerate(lines) if "type: filter" in line)
        lines[place] = (
            f"    - {{name: made, learn: rows, type: generate.copula, {options}, "
            "scope: partition}"
        )
        text = "\n".join(lines) + "\n"
    path = Path(folder) / "topology.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def run(folder, path, more=()):
    for old in Path(folder).glob("found*"):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    shutil.rmtree(Path(folder) / "state", ignore_errors=True)
    words = [bench.BIN / "millrace", "run", path, "--quiet", "--threads", 1, "--until-end"]
    return bench.Measured([*words, "--state-dir", Path(folder) / "state", *more])


def measure(folder, columns, what, scale):
    """Rows per CPU-second."""
    nothing = NOTHING.format(folder=folder)
    if what == "learned":
        count = int(400_000 * scale)
        whole = run(folder, topology(folder, columns, count, nothing)).cpu
        bare = run(folder, topology(folder, columns, count, nothing, generator=False)).cpu
        return count / max(whole - bare, 1e-9)
    earned = max(int(1_000 * scale * (15 / columns)), 1)
    sink = nothing if what == "sampled" else LINES.format(folder=folder)
    count = LEARNED + earned
    whole = run(folder, topology(folder, columns, count, sink, RATIO)).cpu
    bare = run(folder, topology(folder, columns, LEARNED, nothing, RATIO)).cpu
    return earned * RATIO / max(whole - bare, 1e-9)


def peer(columns):
    """(learned, sampled) of copulas, rows per CPU-second; None: it is not installed."""
    python = Path(os.environ.get("MILLRACE_CACHE", Path.home() / ".cache" / "millrace"))
    python = python / "generators-venv" / "bin" / "python"
    if not python.exists():
        return None
    counts = ["4000", "20000"] if columns < 30 else ["1000", "5000"]
    try:
        result = subprocess.run(
            [str(python), "-c", PEER, str(columns), *counts],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300,
        )
    except subprocess.TimeoutExpired:
        return None
    return tuple(map(float, result.stdout.split())) if result.returncode == 0 else None


def figure(number):
    return "" if number is None else f"{number:,.0f}"


def print_tables(arguments):
    print("| columns | rows | generate.copula, rows per CPU-second | target | reached | copulas |")
    print("|---:|---|---:|---:|---|---:|")
    peers = {} if arguments.no_peers else {columns: peer(columns) for columns in (15, 55)}
    with tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder:
        for columns, what, target in CASES:
            found = statistics.median(
                measure(folder, columns, what, arguments.scale) for _ in range(arguments.rounds)
            )
            theirs = peers.get(columns)
            theirs = None if theirs is None or what == "JSON" else theirs[what == "sampled"]
            verdict = "" if target is None else "yes" if found >= target else "no"
            print(
                f"| {columns} | {what} | {figure(found)} | {figure(target)} | {verdict} | "
                f"{figure(theirs) or 'not measured'} |",
                flush=True,
            )


def print_kafka(rows):
    """Rows to a real Kafka, exactly once, in batches; beside them a producer that makes none."""
    with bench.Broker() as broker, tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder:
        name = broker.topic()
        path = topology(folder, 15, LEARNED, KAFKA.format(topic=name), RATIO,
                        guarantee="exactly_once")
        text = path.read_text(encoding="utf-8").replace(
            f"min_records: {LEARNED}, ratio: {RATIO}", f"fit: {{max_records: {LEARNED}}}, "
            f"max_records: {rows}, batch_size: {BATCH}")
        path.write_text(text, encoding="utf-8")
        took = run(folder, path, ["--brokers", broker.address, "--cluster", "bench"])
        print(
            f"{rows:,} rows of 15 columns to Kafka, in batches of {BATCH:,}, exactly once: "
            f"{rows / took.seconds:,.0f} rows/s by the clock, {rows / took.cpu:,.0f} rows per "
            f"CPU-second, peak RSS {took.rss_mib:,.0f} MiB"
        )
        bare = bench.Measured([bench.BIN / "bare_loop", "--brokers", broker.address, "--from",
                               name, "--to", broker.topic(), "--repeat", rows])
        values = dict(word.split("=", 1) for word in bare.output.split() if "=" in word)
        alone = float(values["records_per_s"])
        print(
            f"librdkafka alone, the same rows over and over, in transactions of 100 ms: "
            f"{alone:,.0f} rows/s by the clock, {float(values['records_per_cpu_s']):,.0f} per "
            f"CPU-second; by the clock the generator reaches {rows / took.seconds / alone:.2f} "
            f"of it"
        )


def print_models(keys):
    """Models of 8 columns, a reservoir of 128 rows each: memory and state beside what is stated."""
    with bench.Broker() as broker, tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder:
        records = max(keys * 64, 640_000)
        path = topology(folder, 8, records, NOTHING.format(folder=folder), 0.1)
        text = path.read_text(encoding="utf-8").replace("memory: 1GiB", "memory: 256MiB")
        text = text.replace("      fields:\n", f"      keys: {keys}\n      fields:\n"
                            "        - {name: k, distribution: key}\n", 1)
        text = text.replace(f"key: [], fields: [f0, f1, f2, f3, f4, f5, f6, f7], min_records: "
                            f"{LEARNED}", "key: [k], fields: [f0, f1, f2, f3, f4, f5, f6, f7], "
                            f"reservoir: 128, min_records: 64, state: {{max_keys: {keys}}}")
        path.write_text(text, encoding="utf-8")
        stated = bench.output_of(str(bench.BIN / "millrace"), "plan", str(path))
        took = run(folder, path, ["--brokers", broker.address, "--cluster", "bench"])
        state = sum(file.stat().st_size for file in (Path(folder) / "state").rglob("*")
                    if file.is_file())
        for line in stated.splitlines():
            if line.strip().startswith(("store ", "memory ", "state ", "resident ")):
                print(line.strip())
        print(f"{keys:,} models: peak RSS {took.rss_mib:,.0f} MiB, state on disk "
              f"{state / 2**20:,.0f} MiB, {records / took.cpu:,.0f} records per CPU-second")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of rows")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--kafka", type=int, default=0, metavar="ROWS",
                        help="rows to a Kafka that it starts, instead of the table; as 10000000")
    parser.add_argument("--models", type=int, default=0, metavar="KEYS",
                        help="memory of so many keyed models, instead of the table; as 10000")
    arguments = parser.parse_args()
    print(
        f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, load"
        f" {os.getloadavg()[0]:.1f}; {bench.output_of(str(bench.BIN / 'millrace'), 'version')}"
    )
    if arguments.kafka > 0:
        print_kafka(arguments.kafka)
    elif arguments.models > 0:
        print_models(arguments.models)
    else:
        print_tables(arguments)


if __name__ == "__main__":
    sys.exit(main())
