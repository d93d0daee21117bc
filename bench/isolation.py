#!/usr/bin/env python3
"""How one topology's latency fares beside neighbours on the same workers (bench/README.md).

    bench/isolation.py [--seconds 15] [--rounds 1] [--rate 1000] [--build build/release]
                       [--beside flood,spin,fail]

A z-score topology at a steady rate is measured beside a topology that floods (as fast as it can
from a backlog), one that spins (an expression of milliseconds per record) and one that fails again
and again, and alone before each of them: what else the machine does changes from minute to minute.
Latency is from the offer of a record to its output at a read_committed reader. Everything that is
committed is judged at the end.

Broker, worker and reader share this machine's processors here. Where the kernel groups processes by
session (kernel.sched_autogroup_enabled = 1), a broker's thread that is ready waits for up to 200 ms
beside a busy worker, which says nothing of the worker: switch it off for the measurement.
"""

import argparse
import os
import shutil
import statistics
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
import stage  # noqa: E402

# Some milliseconds of work per record: 150 x 150 steps of nested comprehension.
NUMBERS = ",".join(str(number) for number in range(150))
SPIN = (f"- {{name: spun, type: filter, from: records, "
        f"where: '[{NUMBERS}].all(a, [{NUMBERS}].all(b, a * b >= 0 && id >= 0.0))'}}")


def percentiles(scene, seconds):
    """Latencies' p50 and p99 in ms, and the longest."""
    begun = time.monotonic()
    time.sleep(seconds)
    until = time.monotonic()
    with scene.reader.lock:
        found = sorted(at - scene.feed.begun - newest / scene.feed.rate
                       for arrivals in scene.reader.arrivals for at, _, newest in arrivals
                       if begun <= at <= until)
    return [1000 * found[min(len(found) - 1, int(len(found) * share))]
            for share in (0.5, 0.99, 1)]


def flooding(scene, name):
    source, sink = topics(scene, name)
    scene.kafka.produce(source, millrace.readings(1_500_000, 1000))
    return stage.passing(scene.folder / f"{name}.yaml", name, source, sink)


def spinning(scene, name):
    source, sink = topics(scene, name)
    scene.kafka.produce(source, millrace.readings(100_000, 1000))
    return stage.topology(scene.folder / f"{name}.yaml", name,
                          f"- {{name: records, type: kafka, topic: {source}}}",
                          f"- {{name: copies, type: kafka, from: spun, topic: {sink}}}", SPIN)


def failing(scene, name):
    source, sink = topics(scene, name)
    scene.kafka.produce(source, [(b"k", b"{")])
    return stage.passing(scene.folder / f"{name}.yaml", name, source, sink,
                         source_more=", on_error: fail")


def topics(scene, name):
    return (scene.kafka.create(f"{scene.name}-{name}-in", 2),
            scene.kafka.create(f"{scene.name}-{name}-out", 2))


NEIGHBOURS = {"flood": flooding, "spin": spinning, "fail": failing}


def beside(scene, what, number, seconds):
    """Percentiles beside a neighbour that comes and goes."""
    name = f"{what}{number}"
    path = NEIGHBOURS[what](scene, name)
    time.sleep(3)  # what was produced is on disk
    scene.cluster.submit(path)
    cluster.wait_until(
        lambda: scene.cluster.get(f"/v1/topologies/{name}")["health"]
        in ("running", "failed", "stalled", "starting"), 30)
    time.sleep(1)
    found = percentiles(scene, seconds)
    scene.cluster.delete(f"/v1/topologies/{name}")
    time.sleep(3)
    return found


def groups_by_session():
    setting = Path("/proc/sys/kernel/sched_autogroup_enabled")
    return setting.exists() and setting.read_text().strip() == "1"


def measure(options, folder):
    kafka = millrace.Kafka(folder / "kafka").start()
    scene = chaos.Scene(kafka, "isolation", folder / "cluster", options.build)
    ratios = {name: [] for name in options.beside.split(",")}
    try:
        scene.cast(1, 1, 2)
        scene.play(2, options.rate, 1000)
        time.sleep(20)  # the broker compiles its hot paths
        for number in range(options.rounds):
            for name, found in ratios.items():
                alone = percentiles(scene, options.seconds)
                near = beside(scene, name, number, options.seconds)
                found.append(near[1] / alone[1])
                print("alone p50 {:.0f} ms, p99 {:.0f} ms; beside {} p50 {:.0f} ms, p99 {:.0f} ms, "
                      "longest {:.0f} ms; p99 {:.2f} times its own; load {:.0f}".format(
                          *alone[:2], name, *near, found[-1], os.getloadavg()[0]), flush=True)
        for name, found in ratios.items():
            print(f"median beside {name}: {statistics.median(found):.2f} times its own")
        scene.feed.stop()
        print(f"{oracle.check(scene)} records, exactly once")
    finally:
        scene.end()
        kafka.stop(kill=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--beside", default="flood,spin,fail")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    options = parser.parse_args()
    if groups_by_session():
        print("kernel.sched_autogroup_enabled is 1: the broker waits for the processor beside a "
              "busy worker, and the figures are those of the kernel's groups", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="millrace-isolation-"))
    measure(options, folder)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
