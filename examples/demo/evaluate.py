"""Shows how well what was injected was found: the figures of evaluate.detection, which must be
those that follow from the demo's result files, and the final lines of the runs.

Usage: evaluate.py RESULTS_FOLDER FIGURES GENERATE_LOG DETECT_LOG RECORDS
Exit code 0: the figures are right, and precision and recall are both 0.95 or more.
"""

import json
import re
import sys
from pathlib import Path

WANTED = 0.95
STOPPED = re.compile(
    r"stopped after ([\d.]+) s: (\d+) records in, (\d+) out, (\d+) anomalies, (\d+) commits, "
    r"latency p50 ([\d.]+) ms, p99 ([\d.]+) ms"
)


def last_line(path):
    """(seconds, records in, p50 ms, p99 ms) of a run's final line."""
    matches = STOPPED.findall(Path(path).read_text())
    if not matches:
        sys.exit(f"{path}: the run's final line is missing")
    seconds, records, _, _, _, p50, p99 = matches[0]
    return float(seconds), int(records), float(p50), float(p99)


def judge_records(records):
    """Counts of (injected, found, injected and found, missed while the sensor was learned)."""
    injected = found = both = learning = 0
    for record in records:
        anomaly = record["anomaly"]
        injected += record["injected"]
        found += anomaly["is_anomaly"]
        both += record["injected"] and anomaly["is_anomaly"]
        learning += record["injected"] and anomaly["count"] < 20
    return injected, found, both, learning


def records_of(folder):
    files = sorted(Path(folder).glob("*.jsonl"))
    if not files:
        sys.exit(f"{folder}: there are no results")
    for file in files:
        for line in file.read_text().splitlines():
            yield json.loads(line)


def report(counts, figures):
    """Print how well the injected anomalies were found. figures: a record of evaluate.detection.
    True: it agrees with the counts, and they are good enough."""
    injected, found, both, learning = counts
    precision, recall = figures["precision"] or 0.0, figures["recall"] or 0.0
    hourly, delay = figures["false_alarms_per_hour"] or 0.0, figures["time_to_detect_mean"] or 0.0
    print(f"""\
injected anomalies  {injected:>10,}   labelled by the generator, which the detector does not read
found               {found:>10,}   {both:,} of them injected, {found - both:,} false
precision           {precision:>10.4f}   by evaluate.detection, as the following
recall              {recall:>10.4f}   {injected - both:,} missed, {learning:,} while learning
time to detect      {delay:>10.1f}   ms of event time, mean of {figures["episodes_found"]:,} spikes
false alarms        {hourly:>10.1f}   per hour of event time, all sensors together""")
    told = [figures[name] for name in ("true_positives", "false_positives", "false_negatives")]
    if told != [both, found - both, injected - both]:
        print(f"demo: evaluate.detection tells {told}: the results say otherwise",
              file=sys.stderr)
        return False
    if precision < WANTED or recall < WANTED:
        print(f"demo: precision and recall shall be {WANTED} or more", file=sys.stderr)
        return False
    return True


def main():
    folder, figures, generate_log, detect_log, records = sys.argv[1:]
    seconds, _, _, _ = last_line(generate_log)
    _, _, p50, p99 = last_line(detect_log)
    records = int(records)
    print(f"\nrecords             {records:>10,}   of 1,000 sensors")
    (line,) = Path(figures).read_text().splitlines()
    well = report(judge_records(records_of(folder)), json.loads(line))
    rate = records / seconds
    print(f"""\
throughput          {rate:>10,.0f}   records/s generated, written, read and scored
latency             {p50:>10.1f}   ms p50, {p99:.1f} ms p99, from first record to commit
""")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
