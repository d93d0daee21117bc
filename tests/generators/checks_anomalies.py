"""evaluate.detection beside an independent reference, and the detectors with their defaults over
the labelled anomalies of generate.timeseries, beside the bound of Neyman and Pearson."""

import functools
import json
import tempfile
from pathlib import Path

import numpy
from check import at_least, at_most, check, equals

import evaluation
import labelled

TOPOLOGY = """\
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: check}}
spec:
  guarantee: at_least_once
  sources:
    - name: rows
      type: file
      path: {folder}/rows.jsonl
      timestamp: ts
      watermark: {{max_delay: 1h}}
    - name: told
      type: file
      path: {folder}/alerts.jsonl
      timestamp: ts
      watermark: {{max_delay: 1h}}
  operators:
    - name: quality
      type: evaluate.detection
      from: rows
      is_anomaly: truth
      label: kind
      anomaly_id: id
      {key}
      {options}
    - {{name: unread, type: filter, from: told, where: 'false'}}
    - {{name: results, type: map, from: quality, set: {{what: '"result"'}}}}
    - {{name: kinds, type: map, from: quality.kinds, set: {{what: '"kind"'}}}}
    - {{name: episodes, type: map, from: quality.episodes, set: {{what: '"episode"'}}}}
    - {{name: all, type: merge, inputs: [results, kinds, episodes]}}
  sinks:
    - {{name: out, type: stdout, from: all}}
    - {{name: nothing, type: stdout, from: unread}}
"""


def entries_of(seed, count, by_alerts):
    """Labels, detections and alerts as they should never be: in any order, at the same times, with
    ids that come again and overlap, and more kinds than there is room for."""
    source = numpy.random.default_rng(seed)
    made = []
    for place in range(count):
        is_alert = by_alerts and source.random() < 0.3
        is_labelled = not is_alert and source.random() < [0.3, 0.3, 0.9][seed % 3]
        made.append(evaluation.Entry(
            time=1700000000000 + 40 * (place // 8) + int(source.integers(0, 400)),
            key=f"k{source.integers(0, 3)}", series=f"s{source.integers(0, 2)}",
            labelled=is_labelled, flagged=not by_alerts and bool(source.random() < 0.3),
            kind="" if source.random() < 0.1 else f"kind{source.geometric(0.2)}",
            id="" if source.random() < 0.3 else f"id{source.integers(0, 12)}", is_alert=is_alert))
        if source.random() < 0.2:
            made[-1].time = made[max(0, len(made) - 2)].time
    return made


def written(entries, folder):
    with open(Path(folder) / "rows.jsonl", "w", encoding="utf-8") as rows, \
            open(Path(folder) / "alerts.jsonl", "w", encoding="utf-8") as alerts:
        alerts.write(json.dumps({"ts": 1700000000000, "key": "none", "state": "resolved"}) + "\n")
        for one in entries:
            if one.is_alert:
                alerts.write(json.dumps({"ts": one.time, "key": one.key or one.series,
                                         "state": "open"}) + "\n")
                continue
            rows.write(json.dumps({"ts": one.time, "k": one.key, "s": one.series,
                                   "truth": one.labelled, "found": one.flagged, "kind": one.kind,
                                   "id": one.id}) + "\n")


def engine_results(entries, key, options):
    """(results, kinds, episodes) as the reference has them."""
    with tempfile.TemporaryDirectory(prefix="millrace-evaluation-") as folder:
        written(entries, folder)
        rows = labelled.run(TOPOLOGY.format(folder=folder, key=key, options=options), folder)
    results, kinds, episodes = {}, {}, []
    for row in rows:
        what = row.pop("what")
        at = row.pop("k", ""), row.get("window_end")
        if what == "result":
            results[at] = row
        elif what == "kind":
            kinds.setdefault(at, {})[row["label"] or ""] = [
                row["records"], row["flagged"], row["episodes"], row["episodes_found"],
                row["time_to_detect_max"]]
        else:
            episodes.append((at[0], row["first_time"], row["last_time"], row["series"] or "",
                             row["anomaly_id"] or "", row["label"] or "", row["records"],
                             row["flagged"], row["found"], row["time_to_detect"]))
    return results, kinds, sorted(episodes, key=str)


def differences(entries, key, options, rules, has_series):
    """How many results, kinds and episodes are not those of the reference."""
    results, kinds, episodes = engine_results(entries, key, options)
    wanted, wanted_kinds, wanted_episodes = evaluation.evaluated(entries, rules)
    told = sorted(((at, one.first, one.last, series if has_series else "", one.id, one.kind,
                    one.count, one.flagged, one.found is not None,
                    None if one.found is None else one.found - one.first)
                   for at, series, one in wanted_episodes), key=str)
    wrong = sum(results.get(at) != wanted.get(at) for at in set(results) | set(wanted))
    wrong += sum(kinds.get(at, {}) != wanted_kinds.get(at, {})
                 for at in set(kinds) | set(wanted_kinds))
    assert len(wanted) > 2 and len(told) > 100
    return wrong + (episodes != told)


def with_rules(rules):
    return "\n      ".join([f"window: {{tumbling: {rules.window}ms}}",
                           f"running: {str(rules.running).lower()}",
                           f"tolerance: {rules.tolerance}ms",
                           f"close_after: {rules.close_after}ms"])


def without_key(entries):
    for one in entries:
        one.key = ""
    return entries


def without_series(entries):
    for one in entries:
        one.series = ""
    return entries


@check("evaluation: records flagged by a field, 3 sets of rules", "tests/generators/evaluation.py",
       equals(0), quick=True)
def by_field():
    wrong = 0
    for seed in range(3):
        rules = evaluation.Rules(tolerance=[0, 35, 200][seed % 3], close_after=[90, 1000][seed % 2],
                                 window=[1000, 7000, 2000][seed], running=seed == 1)
        entries = entries_of(seed, 3000, False)
        wrong += differences(entries, "key: [k]\n      series: [s]",
                             f"detection: found\n      {with_rules(rules)}", rules, True)
    return wrong


@check("evaluation: flagged by alerts, of keys and of series", "tests/generators/evaluation.py",
       equals(0), quick=True)
def by_alerts():
    wrong = 0
    for seed in range(3):
        rules = evaluation.Rules(tolerance=[0, 50][seed % 2], close_after=300, window=2000,
                                 running=seed == 2)
        of_series = seed >= 1
        entries = entries_of(100 + seed, 3000, True)
        entries = without_key(entries) if of_series else without_series(entries)
        key = "key: []\n      series: [s]" if of_series else "key: [k]"
        wrong += differences(entries, key, f"alerts: told\n      {with_rules(rules)}", rules,
                             of_series)
    return wrong


@check("anomalies: bound of Neyman and Pearson, 4 million draws", "numpy, likelihood ratios",
       at_most(0.002), quick=True)
def simulated_bound():
    source = numpy.random.default_rng(3)
    worst = 0.0
    for size in (2, 3.5, 5):
        noise = source.normal(size=1000000)
        shifted = source.normal(size=1000000) + size * source.choice([-1, 1], 1000000)
        ratios = [numpy.logaddexp(size * z, -size * z) for z in (noise, shifted)]
        for rate in (1e-3, 1e-2):
            limit = numpy.quantile(ratios[0], 1 - rate)
            found = numpy.mean(ratios[1] > limit)
            got = numpy.mean(ratios[0] > limit)
            worst = max(worst, abs(found - labelled.bound(got, size)))
    return worst


@check("anomalies: robust_z as it is, 8 sd, precision at recall >= 0.95", "labels", at_least(0.9))
def as_it_is():
    rows = [judged("detect.robust_z", kind, 8)[0] for kind in ("spike", "level_shift")]
    assert min(row["recall"] for row in rows) >= 0.95
    return min(row["precision"] for row in rows)


PURPOSE = [("detect.zscore", "spike"), ("detect.zscore", "level_shift"),
           ("detect.robust_z", "spike"), ("detect.robust_z", "level_shift"),
           ("detect.hampel", "spike"), ("detect.hampel", "level_shift"),
           ("detect.iqr", "spike"), ("detect.iqr", "level_shift")]


@functools.cache
def judged(detector, kind, size):
    return labelled.judged(detector, kind, size)


def check_far(detector, kind):
    @check(f"anomalies: {detector}, {kind} of 8 sd, recall at precision 0.9", "labels",
           at_least(0.95))
    def far():
        return labelled.recall_at(judged(detector, kind, 8)[1], 0.9)[0]

    return far


def check_near(detector, kind):
    @check(f"anomalies: {detector}, {kind} of 5 sd, recall below bound", "Neyman and Pearson",
           at_most(0.03))
    def near_bound():
        row = judged(detector, kind, 5)[0]
        return labelled.bound(labelled.false_rate(row), 5) - row["recall"]

    return near_bound


for purpose in PURPOSE:
    check_far(*purpose)
    check_near(*purpose)
