#!/usr/bin/env python3
"""Checks docs/models/exactly_once.pml with Spin: the model as designed must hold, and with one rule
taken out Spin must find a counterexample. Each case is one choice of bounds and mutations.

    run_models.py [--out FOLDER] [--shortest] [--replay] [CASE...]   default: all but the deep ones
    run_models.py --list                                             names and labels, for ctest

A case is judged by what Spin prints, not by its exit code, which is 0 for every finished search.
Exit codes: 0 as expected, 1 not, 77 without Spin (ctest counts the test as skipped).
"""

import argparse
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "models",
                     "exactly_once.pml")
DEPTH_MAX = 1000000
MEMORY_MB_MAX = {"model": 3000, "deep": 12000}
SECONDS_MAX = {"model": 600, "deep": 3600}
SKIPPED = 77

# expect: holds, fails (an effect is seen twice, never or out of order), reaches (a run to its end).
Case = collections.namedtuple("Case", "name expect label flags")

ALL = "RELEASE TIMEOUT "
MUTATED = "EFFECTS_ONLY "
TABLE = [
    # The design. Each has crashes, pauses and both data producers unless it says otherwise.
    ("holds.one_task", "holds", "model", ALL + "OFFSETS=3 HELD PIECES=2"),
    ("holds.epochs", "holds", "model", ALL + "OFFSETS=2 EPOCHS=2"),
    ("holds.four_incarnations", "holds", "model", ALL + "OFFSETS=2 STARTS_0=2 STARTS_1=2"),
    ("holds.two_tasks", "holds", "model", "TASKS=2 OFFSETS=1 TIMEOUT"),
    ("holds.two_tasks_release", "holds", "model",
     "TASKS=2 OFFSETS=1 RELEASE STARTS_0=1 STARTS_1=1"),
    ("holds.two_tasks_held", "holds", "model",
     "TASKS=2 OFFSETS=1 HELD PIECES=2 STARTS_0=1 STARTS_1=1"),
    ("holds.shared_progress", "holds", "model", "TASKS=2 OFFSETS=1 SHARED_PROGRESS"),
    ("holds.two_tasks_release_again", "holds", "deep", "TASKS=2 OFFSETS=1 RELEASE"),
    ("holds.two_tasks_two_offsets", "holds", "deep", "TASKS=2 OFFSETS=2"),
    ("holds.two_tasks_all", "holds", "deep",
     ALL + "TASKS=2 OFFSETS=1 HELD PIECES=2 STARTS_0=1 STARTS_1=1"),
    ("holds.five_offsets", "holds", "deep", ALL + "OFFSETS=5 HELD PIECES=2 EPOCHS=2"),
    # What safety does not need: epochs, and reading to the end of a partition that has one owner
    # as long as every change of owners is fenced.
    ("holds.without_epochs", "holds", "model",
     MUTATED + "OFFSETS=2 EPOCHS=2 RELEASE NO_EPOCHS"),
    ("holds.own_progress_read_stable", "holds", "model",
     MUTATED + "TASKS=2 OFFSETS=1 READ_PROGRESS_STABLE"),
    # Something happens at all, and once faults stop everything is processed.
    ("reaches.end", "reaches", "model", ALL + "TASKS=2 OFFSETS=2 REACH"),
    ("recovers.one_task", "holds", "model", ALL + "OFFSETS=2 HELD PIECES=2 LIVENESS"),
    ("recovers.two_tasks", "holds", "model", "TASKS=2 OFFSETS=1 TIMEOUT LIVENESS"),
    ("recovers.without_timeout", "fails", "model", "TASKS=2 OFFSETS=1 LIVENESS"),
    # Rule 1: a data id is initialised once, before a claim names it.
    ("rule1.init_again", "fails", "model", MUTATED + "OFFSETS=2 INIT_AGAIN"),
    ("rule1.claim_before_init", "fails", "model", MUTATED + "OFFSETS=2 CLAIM_BEFORE_INIT"),
    ("rule1.claim_read_first", "fails", "model", MUTATED + "OFFSETS=2 CLAIM_READ_FIRST"),
    # Rule 2: claim before reading; fence; read to the end.
    ("rule2.no_fence", "fails", "model", MUTATED + "OFFSETS=2 NO_FENCE"),
    ("rule2.fence_one_id", "fails", "model", MUTATED + "OFFSETS=2 FENCE_ONE_ID"),
    ("rule2.fence_after_claim", "fails", "model", MUTATED + "OFFSETS=2 FENCE_AFTER_CLAIM"),
    ("rule2.progress_first", "fails", "model", MUTATED + "OFFSETS=2 PROGRESS_FIRST"),
    ("rule2.read_progress_stable", "fails", "model",
     MUTATED + "OFFSETS=2 RELEASE READ_PROGRESS_STABLE"),
    ("rule2.read_claims_stable", "fails", "model",
     MUTATED + "TASKS=2 OFFSETS=1 STARTS_0=1 READ_CLAIMS_STABLE"),
    # Rule 3: where another owner writes progress, its open transaction hides what is committed.
    ("rule3.shared_progress", "fails", "model",
     MUTATED + "TASKS=2 OFFSETS=1 SHARED_PROGRESS READ_PROGRESS_STABLE"),
    # Rule 5: clean commits only; the outcome is learned from progress.
    ("rule5.unclean", "fails", "model", MUTATED + "OFFSETS=3 HELD PIECES=2 UNCLEAN"),
    ("rule5.unclean_one_id", "fails", "model",
     MUTATED + "OFFSETS=2 HELD PIECES=2 SLOTS=1 UNCLEAN"),
    ("rule5.from_memory", "fails", "model", MUTATED + "OFFSETS=2 HELD OUTCOME_FROM_MEMORY"),
    # Rule 6: the pipeline's order; what follows a failed transaction is dropped with it.
    ("rule6.end_early", "fails", "model", MUTATED + "OFFSETS=2 END_EARLY"),
    ("rule6.send_early", "fails", "model", MUTATED + "OFFSETS=2 PIECES=2 SEND_EARLY"),
    ("rule6.keep_staged", "fails", "model", MUTATED + "OFFSETS=2 KEEP_STAGED"),
    # Rule 7: nothing holds a record of a task that is released, and it is still one's own.
    ("rule7.undrained", "fails", "model", MUTATED + "OFFSETS=2 RELEASE RELEASE_UNDRAINED"),
    ("rule7.unchecked", "fails", "model", MUTATED + "OFFSETS=2 RELEASE RELEASE_UNCHECKED"),
]
CASES = [Case(name, expect, label, flags.split()) for name, expect, label, flags in TABLE]

Result = collections.namedtuple("Result", "good why states depth memory_mb seconds length")


def run(command, folder, seconds_max):
    """Output of a command, both streams; None when it did not end in time."""
    try:
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                              timeout=seconds_max, check=False)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout


def build(case, folder):
    """Makes FOLDER/pan, or raises RuntimeError with what the tools said."""
    shown = run(["spin"] + ["-D" + flag for flag in case.flags] + ["-a", MODEL], folder, 120)
    if shown is None or not os.path.isfile(os.path.join(folder, "pan.c")):
        raise RuntimeError("Spin made no verifier:\n%s" % shown)
    # Spin 6.5 leaves its own complaints in the output and goes on: they are errors here.
    if "Error:" in shown:
        raise RuntimeError("Spin does not accept the model:\n%s" % shown)
    # A counterexample is found in less time than an optimising compiler takes.
    level = "-O2" if case.expect == "holds" else "-O0"
    command = ["gcc", level, "-w", "-DCOLLAPSE", "-DNOFAIR", "-DVECTORSZ=2048",
               "-DMEMLIM=%d" % MEMORY_MB_MAX[case.label], "-o", "pan", "pan.c"]
    if "LIVENESS" not in case.flags:
        command.insert(2, "-DSAFETY")
    if case.expect == "fails":
        command.insert(2, "-DREACH")  # for the shortest counterexample; no effect without -i
    shown = run(command, folder, 120)
    if not os.path.isfile(os.path.join(folder, "pan")):
        raise RuntimeError("the verifier does not compile:\n%s" % shown)


def number(pattern, text):
    found = re.search(pattern, text)
    return float(found.group(1)) if found else 0.0


def judge(case, output, seconds):
    """What Spin's summary says, against what the case expects."""
    errors = re.search(r"errors: (\d+)", output)
    violation = re.search(r"pan:\d+: (.*) \(at depth (\d+)\)", output)
    # A liveness search names the violated cycle, a safety search the violated assertion.
    kind = violation.group(1) if violation else ""
    unfinished = re.search(r"max search depth too small|out of memory|MEMLIM|Search not completed"
                           r"|error: .*", output)
    length = 0
    if errors is None:
        why = "no summary: " + output.strip()[-300:]
    elif case.expect == "holds" and int(errors.group(1)) > 0:
        why = "a counterexample: " + kind
    elif case.expect == "holds" and unfinished:
        why = "not searched to the end: " + unfinished.group(0)
    elif case.expect != "holds" and int(errors.group(1)) == 0:
        why = "no counterexample, so the model would not notice that the rule is broken"
    elif case.expect != "holds" and not is_meant(case, kind):
        why = "another error than the one meant: " + kind
    else:
        why = ""
        # With -i Spin goes on with the depth of the last counterexample as its bound.
        shorter = re.findall(r"reducing search depth to (\d+)", output)
        length = int(shorter[-1] if shorter else violation.group(2)) if violation else 0
    return Result(why == "", why or kind, number(r"([\d.e+]+) states, stored", output),
                  number(r"depth reached (\d+)", output),
                  number(r"([\d.]+)\s+total actual memory usage", output), seconds, length)


def is_meant(case, kind):
    """A mutation must break a promise to readers; an overflow of the model's arrays is none."""
    if "LIVENESS" in case.flags:
        return kind.startswith("acceptance cycle")
    if case.expect == "reaches":
        return "!(" in kind and "progress" in kind
    return "effects[" in kind or "progress[" in kind


def check(case, folder, shortest):
    build(case, folder)
    command = ["./pan", "-n", "-m%d" % DEPTH_MAX]
    if "LIVENESS" in case.flags:
        command.append("-a")
    elif case.expect == "fails" and shortest:
        command.append("-i")
    begun = time.monotonic()
    output = run(command, folder, SECONDS_MAX[case.label])
    if output is None:
        return Result(False, "not done after %d s" % SECONDS_MAX[case.label], 0, 0, 0,
                      time.monotonic() - begun, 0)
    return judge(case, output, time.monotonic() - begun)


def replay(folder):
    """What the last counterexample does, in the model's own words."""
    trail = [name for name in os.listdir(folder) if name.endswith(".trail")]
    if not trail:
        return
    shown = run(["./pan", "-r", trail[0]], folder, 60) or ""
    for line in shown.splitlines():
        if line.startswith("spin: trail ends"):
            break
        if not re.match(r" *\d+:\t|MSC: ", line):  # steps by their place in the verifier
            print("    " + line)


def show_header():
    print("%-32s %-8s %12s %8s %9s %8s %7s" %
          ("case", "verdict", "states", "depth", "memory MB", "seconds", "length"), flush=True)


def show(case, result):
    print("%-32s %-8s %12d %8d %9d %8.1f %7s" %
          (case.name, case.expect if result.good else "WRONG", result.states, result.depth,
           result.memory_mb, result.seconds, result.length or "-"), flush=True)
    if not result.good:
        print("    expected: %s; %s" % (case.expect, result.why), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--list", action="store_true", help="names and labels of all cases")
    parser.add_argument("--deep", action="store_true", help="the deep cases, too")
    parser.add_argument("--out", help="keep verifiers and trails in this folder")
    parser.add_argument("--shortest", action="store_true", help="shorten counterexamples (minutes)")
    parser.add_argument("--replay", action="store_true", help="tell each counterexample")
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    if options.list:
        for case in CASES:
            print(case.name, case.label)
        return 0
    unknown = set(options.cases) - {case.name for case in CASES}
    if unknown:
        parser.error("no such case: " + ", ".join(sorted(unknown)))
    if not shutil.which("spin"):
        print("skipped: Spin is not installed (script/bootstrap installs it)")
        return SKIPPED
    chosen = [case for case in CASES
              if case.name in options.cases or
              (not options.cases and (case.label == "model" or options.deep))]
    show_header()
    good = True
    for case in chosen:
        with tempfile.TemporaryDirectory() as temporary:
            folder = os.path.join(options.out, case.name) if options.out else temporary
            os.makedirs(folder, exist_ok=True)
            try:
                result = check(case, folder, options.shortest)
            except RuntimeError as error:
                result = Result(False, str(error), 0, 0, 0, 0.0, 0)
            show(case, result)
            if options.replay:
                replay(folder)
        good = good and result.good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
