"""The pages of `make bench`: what takes twenty minutes to measure should not be lost when it is written down."""

from __future__ import annotations

import pytest
from bench.page import page
from bench.results import Figure, Table
from bench.scale import scale
from bench.setups import NAMES

# A figure that is met or missed whether it should be great or small.
GREAT, SMALL = 1_000_000.0, 0.1


def measured(value: float) -> list[Table]:
    table = Table("Checks", "What they are.", ("set-up", "figure"))
    for setup in NAMES:
        table.add(setup, f"{value:.1f}")
        table.figures.update({(figure, setup): value for figure in Figure})
    return [table]


@pytest.mark.parametrize("value", [GREAT, SMALL])
def test_an_aim_that_was_missed_is_told_as_one_that_was_met(value: float):
    lines = page(measured(value), minutes=20, quick=False).splitlines()
    aims = [line for line in lines if "| at least " in line or "| at most " in line]
    for line in aims:
        assert line.endswith("| yes |" if ("at least" in line) == (value == GREAT) else "| **no** |")
    assert len(aims) == 6


def test_a_short_run_is_told_as_one():
    assert "short run" in page(measured(1.0), minutes=2, quick=True)
    assert "short run" not in page(measured(1.0), minutes=20, quick=False)


def test_what_many_need_is_derived_from_the_figures():
    text = scale(measured(100.0))
    # 15,000 checks a second, of which a core answers 100.
    assert "| cores for 15,000 checks | 150.0 | 150.0 | 150.0 |" in text
    assert "| 1,000 | 10,000 | 5,000 | 15,000 | 166,667 |" in text
    assert "nan" not in text
    assert "inf" not in text.split()
