"""The quick checks of generators beside their references (tests/generators); script/generators runs
all of them."""

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "detectors"))

import check  # noqa: E402

QUICK = [one for one in check.load(TESTS / "generators") if one.quick]


@pytest.mark.parametrize("one", QUICK, ids=lambda one: one.name)
def test_quick_check(one):
    figure = one.run()
    assert one.asked.holds(figure), f"{figure} {one.asked.text} ({one.reference})"
