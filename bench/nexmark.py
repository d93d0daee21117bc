"""Events per CPU-second of the Nexmark queries, exactly once on a real Kafka; see bench.py.

Every event counts, also those that a query does not select, as in the published figures. The topic
is filled by examples/nexmark/events.yaml. Called by script/bench.
"""

import argparse
import shutil
import sys
from pathlib import Path

from bench import BIN, ROOT, Broker, Measured, median, print_environment

QUERIES = ROOT / "examples" / "nexmark"
# Events per CPU-second that are aimed at.
TARGETS = {"q0": 400_000, "q1": 400_000, "q2": 400_000, "q3": 250_000, "q4": 60_000,
           "q5": 100_000, "q7": 150_000, "q8": 300_000, "q9": 40_000, "q18": 100_000}
# Published, per core: RisingWave from Kafka, Flink from a generator in its own process.
RISINGWAVE = {"q0": 118_000, "q1": 119_000, "q2": 127_000, "q3": 97_000, "q4": 14_000, "q5": 5_200,
              "q7": 20_000, "q8": 61_000, "q9": 8_000, "q17": 17_000, "q18": 10_000, "q20": 13_000}
FLINK = {"q0": 155_000, "q1": 158_000, "q2": 175_000, "q3": 152_000, "q4": 34_000, "q5": 22_000,
         "q7": 12_000, "q8": 146_000, "q9": 14_000, "q11": 40_000, "q12": 76_000, "q13": 131_000,
         "q15": 72_000, "q16": 19_000, "q17": 117_000, "q18": 54_000, "q19": 44_000, "q20": 19_000}


def known():
    return sorted((path.stem for path in QUERIES.glob("q*.yaml")), key=lambda name: int(name[1:]))


def run(broker, name, environment, state):
    """One run of a topology to its end, under a cluster name of its own."""
    broker.count += 1
    words = [BIN / "millrace", "run", QUERIES / f"{name}.yaml", "--brokers", broker.address,
             "--cluster", f"n{broker.count}", "--state-dir", state, "--until-end"]
    measured = Measured(words, environment)
    shutil.rmtree(state, ignore_errors=True)
    return measured


def print_row(name, events, runs):
    speed = events / median(runs, lambda one: one.cpu)
    target = TARGETS.get(name)
    reached = "" if target is None else "yes" if speed >= target else "no"

    def known_of(table):
        return f"{table[name]:,}" if name in table else ""
    cells = [name, f"{speed:,.0f}", known_of(TARGETS), reached,
             f"{events / median(runs, lambda one: one.seconds):,.0f}",
             f"{median(runs, lambda one: one.rss_mib):.0f}", known_of(RISINGWAVE), known_of(FLINK)]
    print("| " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="script/bench nexmark")
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--queries", default=",".join(known()))
    parser.add_argument("--event-rate", type=int, default=10_000,
                        help="events per second of event time")
    arguments = parser.parse_args()
    queries = arguments.queries.split(",")
    unknown = set(queries) - set(known())
    if unknown:
        sys.exit(f"there is no query {', '.join(sorted(unknown))}: {', '.join(known())}")
    print(Measured([BIN / "nexmark_generator"]).output, flush=True)
    with Broker() as broker:
        state = Path(broker.folder) / "state"
        environment = {"NEXMARK_EVENTS": str(arguments.events),
                       "NEXMARK_EVENT_RATE": f"{arguments.event_rate}/s",
                       "NEXMARK_SIDE_INPUT": str(QUERIES / "side-input.csv")}
        print_environment(arguments.events, "events of 288 bytes on average")
        filled = run(broker, "events", environment, state)
        print(f"events.yaml writes {arguments.events / filled.cpu:,.0f} events per CPU-second\n\n"
              "| | events per CPU-second | target | reached | events/s | peak RSS MiB |"
              " RisingWave | Flink |\n|---|---:|---:|---|---:|---:|---:|---:|")
        for name in queries:
            runs = []
            for number in range(arguments.rounds):
                target = f"nexmark-{name}-{number}"
                runs.append(run(broker, name, environment | {"NEXMARK_TO": target}, state))
                broker.delete(target)
            print_row(name, arguments.events, runs)


if __name__ == "__main__":
    main()
