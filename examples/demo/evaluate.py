"""Compares what was injected with what was found, from the demo's result files and final lines.

Usage: evaluate.py RESULTS_FOLDER GENERATE_LOG DETECT_LOG RECORDS
Exit code 0: precision and recall are both 0.95 or more.
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


def report(counts):
    """Print how well the injected anomalies were found. True: well enough."""
    injected, found, both, learning = counts
    precision = both / found if found else 0.0
    recall = both / injected if injected else 0.0
    print(f"""\
injected anomalies  {injected:>10,}   labelled by the generator, which the detector does not read
found               {found:>10,}   {both:,} of them injected, {found - both:,} false
precision           {precision:>10.4f}
recall              {recall:>10.4f}   {injected - both:,} missed, {learning:,} while learning""")
    if precision < WANTED or recall < WANTED:
        print(f"demo: precision and recall shall be {WANTED} or more", file=sys.stderr)
        return False
    return True


def main():
    folder, generate_log, detect_log, records = sys.argv[1:]
    seconds, _, _, _ = last_line(generate_log)
    _, _, p50, p99 = last_line(detect_log)
    records = int(records)
    print(f"\nrecords             {records:>10,}   of 1,000 sensors")
    well = report(judge_records(records_of(folder)))
    rate = records / seconds
    print(f"""\
throughput          {rate:>10,.0f}   records/s generated, written, read and scored
latency             {p50:>10.1f}   ms p50, {p99:.1f} ms p99, from first record to commit
""")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
