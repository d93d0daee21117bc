"""The registry of checks of detectors and generators, and the table that script/detectors and
script/generators print."""

import argparse
import importlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


@dataclass
class Asked:
    text: str
    holds: object  # of a figure


def at_least(bound):
    return Asked(f">= {bound:g}", lambda figure: figure >= bound)


def at_most(bound):
    return Asked(f"<= {bound:g}", lambda figure: figure <= bound)


def equals(expected):
    return Asked(f"= {expected}", lambda figure: figure == expected)


def near(expected, tolerance):
    return Asked(f"{expected:g} +- {tolerance:g}",
                 lambda figure: abs(figure - expected) <= tolerance)


class Missing(Exception):
    """The data of a check is not here: it is left out, and says so."""


@dataclass
class Check:
    name: str
    reference: str
    asked: Asked
    quick: bool
    run: object  # returns the figure


CHECKS = []


def check(name, reference, asked, quick=False):
    """Registers the function below as a check."""

    def register(run):
        CHECKS.append(Check(name, reference, asked, quick, run))
        return run

    return register


def load(folder=FOLDER):
    """All checks of a folder, by file and place."""
    sys.path[:0] = [str(folder), str(FOLDER)]
    registry = importlib.import_module("check")  # the one that the checks import
    names = [path.stem for path in sorted(Path(folder).glob("checks_*.py"))]
    for name in names:
        importlib.import_module(name)
    return [one for one in registry.CHECKS if one.run.__module__ in names]


def show(figure):
    return figure if isinstance(figure, str) else f"{figure:.4g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="run the checks")
    parser.add_argument("--list", action="store_true", help="print the names")
    parser.add_argument("--only", default="", help="checks whose name contains this")
    parser.add_argument("--quick", action="store_true", help="those that take a second")
    parser.add_argument("--folder", default=FOLDER, help="where the checks are")
    options = parser.parse_args()
    chosen = [one for one in load(options.folder) if options.only in one.name
              and (one.quick or not options.quick)]
    if options.list or not options.check:
        print("\n".join(one.name for one in chosen))
        return 0
    failed = 0
    print(f"{'check':58} {'reference':26} {'figure':>10} {'asked':>12}   seconds")
    for one in chosen:
        started = time.monotonic()
        try:
            figure = one.run()
        except Missing as missing:
            print(f"{one.name:58} left out: {missing}", flush=True)
            continue
        holds = one.asked.holds(figure)
        failed += not holds
        print(f"{one.name:58} {one.reference:26} {show(figure):>10} {one.asked.text:>12}   "
              f"{time.monotonic() - started:.1f}{'' if holds else '   FAILED'}", flush=True)
    print(f"{len(chosen)} checks, {failed} failed")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    import check as itself  # the module that the checks import, with its Missing

    sys.exit(itself.main())
