"""The quick checks of detectors beside their references (tests/detectors); script/detectors runs
all of them."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "detectors"))

import check  # noqa: E402

QUICK = [one for one in check.load() if one.quick]


@pytest.mark.parametrize("one", QUICK, ids=lambda one: one.name)
def test_quick_check(one):
    try:
        figure = one.run()
    except check.Missing as missing:
        pytest.skip(str(missing))
    assert one.asked.holds(figure), f"{figure} {one.asked.text} ({one.reference})"
