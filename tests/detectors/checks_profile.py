"""quality.profile and quality.duplicates, against Counter, numpy and datasketches."""

import json
import math
import random
import subprocess
import tempfile
from collections import Counter, defaultdict
from functools import lru_cache
from pathlib import Path

import datasketches
import numpy
from check import at_least, at_most, check, equals

from engine import PROGRAM

TOPOLOGY = """\
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: check}}
spec:
  guarantee: at_least_once
  sources:
    - {{name: rows, type: file, path: {folder}/rows.jsonl, format: json, timestamp: ts}}
  operators:
    - {{name: judged, from: rows, {operator}}}
  sinks:
    - {{name: out, type: stdout, from: judged}}
"""


def run(records, operator):
    """What the operator makes of the records, in the order in which it leaves."""
    with tempfile.TemporaryDirectory(prefix="millrace-profile-") as folder:
        with open(Path(folder) / "rows.jsonl", "w", encoding="utf-8") as file:
            for record in records:
                file.write(json.dumps(record) + "\n")
        topology = Path(folder) / "topology.yaml"
        topology.write_text(TOPOLOGY.format(folder=folder, operator=operator), encoding="utf-8")
        result = subprocess.run([str(PROGRAM), "run", str(topology), "--until-end", "--quiet"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                cwd=folder, check=False, timeout=600)
    if result.returncode != 0:
        raise RuntimeError(result.stderr)
    return [json.loads(line) for line in result.stdout.splitlines()]


def mixed(count, seed):
    """Records with numbers, texts, nulls, gaps and what does not belong there."""
    source = random.Random(seed)
    records = []
    for place in range(count):
        record = {"ts": place}
        kind = source.random()
        if kind < 0.7:
            record["x"] = source.choice([source.gauss(1e6, 3), source.gauss(0, 1e-3), -0.0, 1e140,
                                         -1e140, 5e-324]) if seed % 2 else source.gauss(50, 20)
        elif kind < 0.8:
            record["x"] = None
        elif kind < 0.9:
            record["x"] = source.choice(["text", "", "a longer text, with words", [1], {"a": 1}])
        elif kind < 0.95:
            record["x"] = source.random() < 0.5
        records.append(record)
    return records


def type_of(value):
    names = {bool: "bool", float: "double", str: "string", list: "list", dict: "object"}
    return names[type(value)]


def wrong_members(found, values, rows):
    """How many of the members that are exact are not those of Counter."""
    present = [value for value in values if value is not None]
    numbers = [value for value in present if type(value) is float]
    expected = {
        "count": rows, "present": len(present), "missing": rows - len(values),
        "null": len(values) - len(present), "completeness": len(present) / rows,
        "types": dict(Counter(map(type_of, present))),
        "valid": sum(number > 20 for number in numbers),
        "invalid": len(present) - sum(number > 20 for number in numbers),
        "min": min(numbers), "max": max(numbers)}
    return sum(found[name] != value for name, value in expected.items())


@lru_cache
def profiles():
    """Pairs of what was found of a window, and its records."""
    pairs = []
    for seed in range(6):
        records = mixed(4000, seed)
        operator = ("type: quality.profile, key: [], fields: [x], valid: {x: 'x > 20.0'}, window: "
                    + ("{tumbling: 1000ms}" if seed % 3 else "{count: 500}"))
        step = 1000 if seed % 3 else 500
        found = run(records, operator)
        assert len(found) == len(records) // step
        pairs += [(one["fields"]["x"], records[place * step:(place + 1) * step])
                  for place, one in enumerate(found)]
    return pairs


@check("quality.profile: members that are exact and differ",
        "collections.Counter", equals(0), quick=True)
def profile_counts():
    return sum(wrong_members(found, [record["x"] for record in records if "x" in record],
                             len(records)) for found, records in profiles())


@check("quality.profile: mean and stddev, relative to the largest number", "numpy", at_most(1e-12),
       quick=True)
def profile_moments():
    worst = 0.0
    for found, records in profiles():
        numbers = numpy.array([record["x"] for record in records
                               if isinstance(record.get("x"), float)], dtype=numpy.longdouble)
        scale = numpy.abs(numbers).max()
        worst = max(worst, float(abs(found["mean"] - numbers.mean()) / scale),
                    float(abs(found["stddev"] - numbers.std(ddof=1)) / scale))
    return worst


SKETCHED = 150  # keys, each of which is a seed


@lru_cache
def sketched():
    """Numbers by key, and the profile of each key."""
    source = numpy.random.default_rng(7)
    values = {}
    for key in range(SKETCHED):
        size = int(source.integers(200, 3000))
        values[key] = {0: source.lognormal(3, 1.5, size), 1: source.normal(0, 1, size),
                       2: numpy.floor(source.pareto(1.1, size)) + 1.0}[key % 3]
    records = [{"k": key, "ts": 1000, "x": float(number)}
               for key, numbers in values.items() for number in numbers]
    found = run(records, "type: quality.profile, key: [k], fields: [x], window: {tumbling: 1m}")
    assert len(found) == SKETCHED
    return values, {one["k"]: one["fields"]["x"] for one in found}


@check("quality.profile: share of distinct counts within 2.6 standard errors",
        "set", at_least(0.98))
def profile_distinct():
    values, found = sketched()
    near = [abs(found[key]["distinct"] / len(set(numbers)) - 1) <= 2.6 * 1.04 / math.sqrt(2 ** 12)
            for key, numbers in values.items()]
    return sum(near) / len(near)


@check("quality.profile: error of distinct counts beside HLL_8's", "datasketches", at_most(1.2))
def profile_distinct_beside():
    values, found = sketched()
    own = other = 0.0
    for key, numbers in values.items():
        sketch = datasketches.hll_sketch(12, datasketches.tgt_hll_type.HLL_8)
        for number in numbers:
            sketch.update(float(number))
        exact = len(set(numbers))
        own += (found[key]["distinct"] / exact - 1) ** 2
        other += (sketch.get_estimate() / exact - 1) ** 2
    return math.sqrt(own / other)


QUANTILES = {"p1": 0.01, "p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95,
             "p99": 0.99}


@check("quality.profile: worst relative error of a quantile", "numpy", at_most(0.008))
def profile_quantiles():
    values, found = sketched()
    worst = 0.0
    for key, numbers in values.items():
        for name, share in QUANTILES.items():
            exact = numpy.quantile(numbers, share, method="inverted_cdf")
            worst = max(worst, abs(found[key]["quantiles"][name] - exact) / abs(exact))
    return worst


@check("quality.profile: mean rank error of quantiles beside KLL(200)'s",
        "datasketches", at_most(1.0))
def profile_quantiles_beside():
    values, found = sketched()
    own, other = [], []
    for key, numbers in values.items():
        if key % 3 == 2:
            continue  # few values: a rank is that of many equal ones
        sketch = datasketches.kll_doubles_sketch(200)
        for number in numbers:
            sketch.update(float(number))
        for name, share in QUANTILES.items():
            own.append(abs(numpy.mean(numbers <= found[key]["quantiles"][name]) - share))
            other.append(abs(numpy.mean(numbers <= sketch.get_quantile(share)) - share))
    return float(numpy.mean(own) / numpy.mean(other))


@check("quality.profile: frequent values whose bounds do not hold",
        "collections.Counter", equals(0))
def profile_frequent():
    values, found = sketched()
    broken = 0
    for key, numbers in values.items():
        counts = Counter(numbers)
        listed = {one["value"]: one for one in found[key]["frequent"]}
        for value, one in listed.items():
            broken += not one["count"] - one["error"] <= counts[value] <= one["count"]
            broken += one["error"] > len(numbers) / 100
        least = min(one["count"] for one in listed.values())
        broken += sum(count > least and value not in listed for value, count in counts.items())
    return broken


@check("quality.profile: certain heavy hitters of the reference that are missing", "datasketches",
       equals(0))
def profile_frequent_beside():
    values, found = sketched()
    missing = 0
    for key, numbers in values.items():
        sketch = datasketches.frequent_items_sketch(7)  # 96 counters
        for number in numbers:
            sketch.update(float(number))
        sure = sketch.get_frequent_items(
            datasketches.frequent_items_error_type.NO_FALSE_POSITIVES)
        listed = {one["value"] for one in found[key]["frequent"]}
        missing += sum(item[0] not in listed for item in sure[:5])
    return missing


# ---- Duplicates ----


def orders(count, values, seed):
    source = random.Random(seed)
    records, now = [], 100000
    for place in range(count):
        now += source.choice([0, 1, 5, 20])
        if source.random() < 0.003:
            now += 3000
        records.append({"i": place, "ts": now,
                        "k": source.choice("ab"), "id": source.randrange(values)})
    return records


def judged(records, options):
    found = run(records, f"type: quality.duplicates, key: [k], fields: [id], {options}")
    found = {one["i"]: one["quality"] for one in found}
    assert len(found) == len(records)
    return [found[place] for place in range(len(records))]


def near_in_time(records, window):
    """Of each record whether an equal one before it is less than the window away."""
    seen = defaultdict(list)
    for record in records:
        times = seen[record["k"], record["id"]]
        yield any(abs(time - record["ts"]) < window for time in times)
        times.append(record["ts"])


def near_in_records(records, window):
    last, counts = {}, Counter()
    for record in records:
        name = record["k"], record["id"]
        counts[record["k"]] += 1
        yield counts[record["k"]] - last.get(name, -window) <= window
        last[name] = counts[record["k"]]


@check("quality.duplicates: records told wrongly, windows of time and of records",
        "their definitions",
       equals(0), quick=True)
def exact_duplicates():
    wrong = 0
    for seed in range(3):
        records = orders(3000, 300, seed)
        for options, expected in [
                ("window: {sliding: 1s}", near_in_time(records, 1000)),
                ("window: {count: 100}", near_in_records(records, 100))]:
            wrong += sum(one["passed"] == is_duplicate
                         for one, is_duplicate in zip(judged(records, options), expected))
    return wrong


@check("quality.duplicates: chains whose count or first record is another one", "their definition",
       equals(0), quick=True)
def first_records():
    records = orders(3000, 300, 9)
    chains, wrong = {}, 0
    for record, one in zip(records, judged(records, "window: {sliding: 1s}")):
        name = record["k"], record["id"]
        begin, last, count = chains.get(name, (None, -10 ** 9, 0))
        if record["ts"] - last >= 1000:
            begin, count = record["ts"], 0
        chains[name] = begin, record["ts"], count + 1
        wrong += one["count"] != count + 1
        wrong += (one["first"] or {}).get("event_time", begin) != begin
    return wrong


@lru_cache
def filtered():
    """Missed records; looks at records that are not in the window; of those found."""
    missed = looks = found = 0
    for seed in range(4):
        records = orders(16000, 20000, seed)
        for options, window, older in [
                ("window: {sliding: 26s}, bloom: {rate: 0.01, capacity: 2200}",
                 near_in_time(records, 26000), near_in_time(records, 32502)),
                ("window: {count: 4000}, bloom: {rate: 0.01}",
                 near_in_records(records, 4000), near_in_records(records, 5005))]:
            for one, inside, near in zip(judged(records, options), window, older):
                missed += inside and one["passed"]
                looks += not near
                found += not near and not one["passed"]
                assert one["load"] <= 1, "more than the capacity: the check itself is wrong"
    return missed, looks, found


@check("quality.duplicates: records that Bloom filters miss", "their definitions", equals(0))
def missed_by_filters():
    return filtered()[0]


@check("quality.duplicates: rate at which Bloom filters find others, asked 0.01",
        "their definitions",
       at_most(0.01 + 2.33 * math.sqrt(0.01 / 20000)))
def found_by_filters():
    _, looks, found = filtered()
    assert looks > 20000
    return found / looks
