from __future__ import annotations

import math

import pytest

from regime_nas_pipeline.networks.lipschitz.slope import UNBOUNDED, Slope, times


def test_chain_of_window_maps_multiplies_and_ends_on_the_last_row() -> None:
    outer, inner = Slope(3.0, 2.0), Slope(5.0, 4.0)
    assert outer.after(inner) == Slope(15.0, 10.0)


def test_a_map_bar_by_bar_keeps_the_slope_of_the_last_bar() -> None:
    assert Slope.of_bar(2.0).after(Slope(5.0, 4.0)) == Slope(10.0, 8.0)
    assert Slope.of_bar(2.0).after(Slope.of_bar(3.0)) == Slope(6.0, 6.0, local=True)


def test_sums_add_and_scaling_scales() -> None:
    assert Slope(1.0, 2.0) + Slope.of_bar(3.0) == Slope(4.0, 5.0)
    assert Slope(1.0, 2.0).scaled(-0.5) == Slope(0.5, 1.0)


def test_an_unbounded_map_stays_unbounded_unless_nothing_is_made_of_it() -> None:
    nothing = Slope.of_bar(0.0)
    assert UNBOUNDED.after(Slope(1.0, 1.0)) == UNBOUNDED
    assert nothing.after(UNBOUNDED) == Slope(0.0, 0.0)
    assert UNBOUNDED.after(nothing).window == 0.0
    assert (UNBOUNDED + Slope(1.0, 1.0)).last == math.inf


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [(0.0, math.inf, 0.0), (math.inf, 0.0, 0.0), (2.0, 3.0, 6.0), (2.0, math.inf, math.inf)],
)
def test_products_with_infinity(a: float, b: float, expected: float) -> None:
    assert times(a, b) == expected
