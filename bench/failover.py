#!/usr/bin/env python3
"""How long outputs stop when workers are killed or restarted (bench/README.md).

    bench/failover.py [--kills 20] [--rate 10000] [--standbys 0,1] [--build build/release]

For each kill -9: seconds until the first commit of each of the victim's tasks elsewhere, as a
read_committed reader sees it. The raw list, p50 and p99, the longest gap of the reader. The victim
is started again when its tasks run elsewhere. Then each worker is restarted once, as a rolling
upgrade does (SIGTERM, and started when it has ended): the longest gap of its partitions, beside the
time that the process was away. Everything that is committed is judged at the end.
"""

import argparse
import math
import os
import random
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = Path(os.environ.get("MILLRACE_CACHE", Path.home() / ".cache" / "millrace")) / "venv/bin"
if Path(sys.prefix).resolve() != PYTHON.parent.resolve() and (PYTHON / "python").exists():
    os.execv(PYTHON / "python", [str(PYTHON / "python"), "-B", *sys.argv])
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

import chaos  # noqa: E402
import cluster  # noqa: E402
import millrace  # noqa: E402
import oracle  # noqa: E402


def percentile(values, share):
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def even(scene, standbys):
    """Tasks are spread over all workers, run, and have warm standbys."""
    tasks = scene.cluster.tasks()
    active = [task for task in tasks if task["role"] == "active"]
    counts = [sum(task["worker"] == name for task in active) for name in scene.cluster.workers]
    followers = [task for task in tasks if task["role"] == "standby" and task["worker"]
                 and task["state"] == "following"
                 and (task["changelog_remaining"] or 0) < 1000]
    return (all(task["state"] == "running" and not task["moving_to"] for task in active)
            and max(counts) - min(counts) <= 1
            and len(followers) == standbys * len(active))


def kill_once(scene, chance, standbys):
    """Seconds for each task of one victim."""
    cluster.wait_until(lambda: even(scene, standbys), 120, 0.2, "an even spread")
    time.sleep(3)
    victim = chance.choice(sorted(scene.cluster.workers))
    partitions = scene.owned_by(victim)
    worker = scene.cluster.workers[victim]
    mark = scene.killed(worker)
    seconds = [scene.reader.first_after(partition, mark) for partition in partitions]
    gaps = scene.reader.gaps(mark[0] - 1, time.monotonic())
    worker.start()
    scene.present(len(scene.cluster.workers))
    return victim, seconds, max(gaps.values())


def restart_each(scene, standbys):
    """A rolling restart: (worker, seconds that it was away, longest gap of its partitions, how many
    tasks had another owner afterwards)."""
    found = []
    for name in sorted(scene.cluster.workers):
        cluster.wait_until(lambda: even(scene, standbys), 120, 0.2, "an even spread")
        time.sleep(3)
        worker, partitions = scene.cluster.workers[name], scene.owned_by(name)
        begun = time.monotonic()
        code = worker.stop()
        assert code == 0, f"{name} ended with {code}"
        worker.start()
        away = time.monotonic() - begun
        scene.flows()
        time.sleep(2)
        gap = max(scene.reader.gaps(begun - 1, time.monotonic(), partitions).values())
        moved = len(set(partitions) - set(scene.owned_by(name)))
        found.append((name, away, gap, moved))
    return found


def restore_times(scene):
    """Milliseconds of every restore that replayed something."""
    text = "".join(worker.text() for worker in scene.cluster.workers.values())
    pattern = r"task restored.*replayed_records=([1-9]\d*) milliseconds=(\d+)"
    return [(int(records), int(ms)) for records, ms in re.findall(pattern, text)]


def measure(options, standbys, folder):
    kafka = millrace.Kafka(folder / "kafka").start()
    scene = chaos.Scene(kafka, f"failover-{standbys}", folder / f"cluster-{standbys}",
                        options.build)
    chance, raw, gaps = random.Random(options.seed), [], []
    try:
        scene.cast(options.workers, 1, 2)
        scene.play(12, options.rate, 5000, standbys=standbys)
        time.sleep(20)  # the broker compiles its hot paths
        for index in range(options.kills):
            victim, seconds, gap = kill_once(scene, chance, standbys)
            raw += seconds
            gaps.append(gap)
            print(f"  kill {index + 1} of {victim}:",
                  " ".join(f"{one:.2f}" for one in seconds), f"gap {gap:.2f}", flush=True)
        restarts = restart_each(scene, standbys)
        restores = restore_times(scene)
        count = oracle.check(scene)
    finally:
        scene.end()
        kafka.stop(kill=True)
    print(f"standbys {standbys}: {len(raw)} tasks of {options.kills} kills: p50"
          f" {percentile(raw, 0.5):.2f} s, p99 {percentile(raw, 0.99):.2f} s, longest"
          f" {max(raw):.2f} s; longest gap of a reader {max(gaps):.2f} s")
    for name, away, gap, moved in restarts:
        print(f"  restart of {name}: away {away:.2f} s, longest gap of its partitions {gap:.2f} s,"
              f" {moved} tasks with another owner")
    if restores:
        print(f"  restores with records: {len(restores)}, of them the longest"
              f" {max(ms for _, ms in restores)} ms, median"
              f" {percentile([ms for _, ms in restores], 0.5)} ms,"
              f" {max(records for records, _ in restores)} records at most")
    print(f"  {count} records, exactly once")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rate", type=int, default=10000)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--standbys", default="0,1")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    options = parser.parse_args()
    for standbys in map(int, options.standbys.split(",")):
        folder = Path(tempfile.mkdtemp(prefix="millrace-failover-"))
        measure(options, standbys, folder)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
