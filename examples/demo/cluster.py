"""What `script/demo --kafka` runs: a cluster of one coordinator and two workers over a real Kafka.

Submits the detector, generates readings, kills one worker with SIGKILL in the middle, shows where
its tasks went and how long a reader of the results saw nothing of them, starts the worker again,
and compares every reading that was written with every result. All that it starts, it ends.

Usage: cluster.py PROGRAMS_FOLDER BROKERS FOLDER RECORDS RATE
Exit code 0: nothing was lost or doubled, every process ended with 0, and precision and recall are
both 0.95 or more.
"""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from evaluate import judge_records, report

HERE = Path(__file__).resolve().parent
CLUSTER = "demo"
TASKS = 4
KILLED, OTHER = "worker-2", "worker-1"
RESTART_WITHIN_S = 30


def say(text):
    print(f"== {text}", flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds, what):
    """What condition() returns once it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = condition()
        except (urllib.error.URLError, OSError):
            found = None
        if found:
            return found
        time.sleep(0.02)
    raise SystemExit(f"demo: {what} did not come within {seconds} s")


class Reader(threading.Thread):
    """Reads the results as they are committed, and notes when each partition had something new."""

    def __init__(self, command):
        super().__init__(daemon=True)
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.records = 0
        self.last = {}  # partition: time of its newest record
        self.longest = {}  # partition: longest time without one, since the last reset

    def run(self):
        for line in self.process.stdout:
            # The partition stands in front of everything that comes from a record.
            partition = int(line.split(b'"partition":', 1)[1].split(b",", 1)[0])
            now = time.monotonic()
            silence = now - self.last.get(partition, now)
            if silence > self.longest.get(partition, 0.0):
                self.longest[partition] = silence
            self.last[partition] = now
            self.records += 1

    def reset(self):
        self.longest = {}

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.join()


class Demo:
    def __init__(self, programs, brokers, folder, records, rate):
        self.programs, self.brokers, self.folder = Path(programs), brokers, Path(folder)
        self.records, self.rate = records, rate
        self.listen = f"tcp://127.0.0.1:{free_port()}"
        self.server = f"http://127.0.0.1:{free_port()}"
        self.processes = {}
        self.reader = None

    # ---- Processes ----

    def start(self, name, *words):
        """A program in the background; its log is FOLDER/NAME.log."""
        command = [str(self.programs / words[0]), *words[1:]]
        print("   $", shlex.join([words[0], *words[1:]]), "&", flush=True)
        with open(self.folder / f"{name}.log", "ab") as log:
            environment = dict(os.environ, DEMO_COUNT=str(self.records), DEMO_RATE=self.rate)
            self.processes[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )

    def start_worker(self, name):
        self.start(
            name, "millrace-worker", "--cluster", CLUSTER, "--brokers", self.brokers,
            "--coordinators", self.listen, "--name", name,
            "--state-dir", str(self.folder / f"state-{name}"), "--threads", "1",
            "--http", "127.0.0.1:0",
        )

    def run(self, *words, show=True):
        """A command of `millrace`, to its end. Its output, indented, when it is to be shown."""
        if show:
            print("   $", shlex.join(["millrace", *words]), flush=True)
        result = subprocess.run(
            [str(self.programs / "millrace"), *words], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=None if show else subprocess.DEVNULL, text=True,
            env=dict(os.environ, MILLRACE_SERVER=self.server),
        )
        if show:
            print("".join(f"     {line}\n" for line in result.stdout.splitlines()), end="")
            sys.stdout.flush()
        if result.returncode != 0:
            raise SystemExit(f"demo: `millrace {words[0]}` ended with {result.returncode}")
        return result.stdout

    def end(self):
        """SIGTERM, and the exit code of each."""
        codes = {}
        for name in (KILLED, OTHER, "coordinator"):
            process = self.processes.pop(name)
            process.send_signal(signal.SIGTERM)
            codes[name] = process.wait(40)
        return codes

    def kill_rest(self):
        if self.reader is not None:
            self.reader.process.kill()
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()

    # ---- What the coordinator says ----

    def ask(self, path):
        with urllib.request.urlopen(self.server + path, timeout=5) as answer:
            return json.load(answer)

    def tasks(self, **wanted):
        """Active tasks with these members."""
        return [
            task for task in self.ask("/v1/tasks")["tasks"]
            if task["role"] == "active" and all(task[key] == wanted[key] for key in wanted)
        ]

    # ---- The story ----

    def begin(self):
        say("one coordinator and two workers")
        self.start(
            "coordinator", "millrace-coordinator", "--cluster", CLUSTER, "--brokers", self.brokers,
            "--listen", self.listen, "--http", self.server.removeprefix("http://"),
        )
        self.start_worker(OTHER)
        self.start_worker(KILLED)
        self.run("run", str(HERE / "topics.yaml"), "--brokers", self.brokers, "--cluster",
                 "generator", "--state-dir", str(self.folder / "state-generator"), "--until-end",
                 "--quiet", show=False)
        wait_until(lambda: len(self.ask("/v1/workers")["workers"]) == 2, 30, "two workers")
        say(f"submit the detector (the topic demo-readings was made before) to {self.server}")
        self.run("submit", "--wait", str(HERE / "detect-cluster.yaml"))
        self.run("tasks")
        self.reader = Reader([
            str(self.programs / "millrace"), "tail", "demo-scores", "--brokers", self.brokers,
            "--from", "earliest", "--follow", "-o", "json",
        ])
        self.reader.start()
        say(f"generate {self.records:,} readings at {self.rate}, outside of the cluster")
        self.start(
            "generator", "millrace", "run", str(HERE / "generate.yaml"), "--brokers", self.brokers,
            "--cluster", "generator", "--state-dir", str(self.folder / "state-generator"),
            "--until-end",
        )

    def kill(self):
        """Kill a worker, wait until its tasks write results again, and say where."""
        middle = self.records * 2 // 5
        wait_until(lambda: self.reader.records >= middle, 120, "the middle of the readings")
        before = {task["partition"] for task in self.tasks(worker=KILLED)}
        process = self.processes.pop(KILLED)
        say(f"{self.reader.records:,} results are committed; kill -9 {process.pid}   ({KILLED})")
        self.reader.reset()
        killed = time.monotonic()
        process.kill()
        process.wait()
        moved = {}  # partition: (worker, when it was first seen to run there)

        def all_write():
            for task in self.tasks(state="running"):
                place = task["partition"]
                if place in before and task["worker"] != KILLED:
                    moved.setdefault(place, (task["worker"], time.monotonic()))
            return len(moved) == len(before) and all(
                self.reader.last.get(place, 0) > moved[place][1] for place in before
            )

        wait_until(all_write, 60, "the tasks of the killed worker elsewhere")
        silence = dict(self.reader.longest)
        for place in sorted(before):
            worker, seen = moved[place]
            print(
                f"   task score/{place}: {KILLED} -> {worker}, running {seen - killed:.1f} s after"
                f" the kill; its results paused for {silence[place]:.1f} s",
                flush=True,
            )
        rest = [silence.get(place, 0.0) for place in range(TASKS) if place not in before]
        print(
            f"   the tasks that {OTHER} had all along: no pause longer than"
            f" {max(rest, default=0.0):.1f} s",
            flush=True,
        )

    def restart(self):
        say(f"start {KILLED} again, on the disk that it left; tasks come back to it")
        self.start_worker(KILLED)
        wait_until(
            lambda: len(self.tasks(state="running")) == TASKS
            and len(self.tasks(worker=KILLED)) == TASKS // 2,
            RESTART_WITHIN_S, f"half of the tasks on {KILLED}",
        )

    def finish(self):
        generator = self.processes.pop("generator")
        if generator.wait(300) != 0:
            raise SystemExit("demo: the generator failed")
        wait_until(lambda: self.reader.records >= self.records, 120, "a result for every reading")
        wait_until(
            lambda: self.ask("/v1/topologies/demo-detect")["lag"] == 0, 30, "a lag of 0"
        )
        self.run("workers")
        self.run("status", "demo-detect")
        self.reader.end()
        say("stop everything by SIGTERM: the workers commit and release their tasks")
        codes = self.end()
        print("   exit codes: " + ", ".join(f"{name} {code}" for name, code in codes.items()))
        return all(code == 0 for code in codes.values())

    def read(self, topic):
        """All committed values of a topic, in the order of each partition."""
        with open(self.folder / f"{topic}.jsonl", "wb") as output:
            subprocess.run(
                [str(self.programs / "millrace"), "tail", topic, "--brokers", self.brokers,
                 "--from", "earliest", "-o", "text"],
                stdin=subprocess.DEVNULL, stdout=output, check=True,
            )
        with open(self.folder / f"{topic}.jsonl", "rb") as lines:
            for line in lines:
                yield json.loads(line)


def figures_of(demo, scored):
    """What evaluate.detection tells of the results with a label or a finding."""
    found = demo.folder / "found.jsonl"
    found.write_text("".join(json.dumps(result) + "\n" for result in scored))
    say("millrace run evaluate.yaml --until-end   (labels beside findings)")
    told = subprocess.run(
        [str(demo.programs / "millrace"), "run", str(HERE / "evaluate.yaml"), "--until-end",
         "--quiet"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True,
        env=dict(os.environ, DEMO_FOUND=str(found)),
    )
    return json.loads(told.stdout)


def compare(demo):
    """Every reading against every result. True: each has exactly one, and the state missed none."""
    say("compare what was written with what came out, read_committed from the first record on")
    waiting = {}  # (sensor, time): readings without a result
    for reading in demo.read("demo-readings"):
        place = (reading["sensor"], reading["ts"])
        waiting[place] = waiting.get(place, 0) + 1
    written = sum(waiting.values())
    results = unasked = miscounted = 0
    counts = {}  # sensor: how many of its readings the state must have seen
    scored = []
    for result in demo.read("demo-scores"):
        place, anomaly = (result["sensor"], result["ts"]), result["anomaly"]
        results += 1
        if waiting.get(place, 0) == 0:
            unasked += 1
        else:
            waiting[place] -= 1
        expected = counts.get(place[0], 0)
        miscounted += anomaly["count"] != expected
        counts[place[0]] = expected + 1
        if result["injected"] or anomaly["is_anomaly"]:
            scored.append(result)
    lost = sum(waiting.values())
    print(f"""
readings written    {written:>10,}   by the generator
results             {results:>10,}   read from the topic demo-scores
lost                {lost:>10,}   readings without a result
doubled             {unasked:>10,}   results beyond one per reading
wrong state         {miscounted:>10,}   results that miscount the sensor's earlier readings""")
    exact = written == results == demo.records and lost == unasked == miscounted == 0
    return exact, judge_records(scored), figures_of(demo, scored)


def main():
    programs, brokers, folder, records, rate = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    demo = Demo(programs, brokers, folder, int(records), rate)
    try:
        demo.begin()
        demo.kill()
        demo.restart()
        orderly = demo.finish()
        exact, counts, figures = compare(demo)
    finally:
        demo.kill_rest()
    found_well = report(counts, figures)
    print()
    if not exact:
        print("demo: something was lost or doubled", file=sys.stderr)
    if not orderly:
        print("demo: a process did not end orderly", file=sys.stderr)
    return 0 if exact and orderly and found_well else 1


if __name__ == "__main__":
    sys.exit(main())
