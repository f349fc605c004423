from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panel_jobs import SHOCKS, dates, group_test
from scipy.stats import norm

from regime_nas_pipeline.audit.edges import RegimeDrift
from regime_nas_pipeline.audit.panel_runs import p_value_table, run_panels
from regime_nas_pipeline.audit.panels import make_panels
from regime_nas_pipeline.audit.power import detection_rates, rising, size_at, smallest_edges
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import DataError, ParameterError

SIZES = np.linspace(0.0, 0.4, 9)


def normal_tests(
    n_bars: int, sizes: np.ndarray, n_panels: int = 500, seed: int = 0
) -> pd.DataFrame:
    """One-sided tests of a normal mean of ``size`` standard deviations over ``n_bars`` bars."""
    generator = np.random.default_rng([seed, n_bars])
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "panel": np.arange(n_panels),
                    "seed": 1,
                    "edge": "momentum" if size else "none",
                    "edge_size": size,
                    "n_bars": n_bars,
                    "test": "t",
                    "subject": "a",
                    "against": "b",
                    "p_beats": norm.sf(
                        size * np.sqrt(n_bars) + generator.standard_normal(n_panels)
                    ),
                }
            )
            for size in sizes
        ],
        ignore_index=True,
    )


def test_detection_rates_are_those_of_the_theory() -> None:
    rates = detection_rates(normal_tests(100, SIZES))
    theory = norm.sf(norm.isf(0.05) - rates["edge_size"] * 10.0)
    assert rates["rate"].to_numpy() == pytest.approx(theory, abs=0.07)
    assert (rates["rate_low"] <= rates["rate"]).all()
    assert (rates["rate"] <= rates["rate_high"]).all()
    assert (rates["n_panels"] == 500).all()


def test_the_smallest_edge_is_that_of_the_theory_and_shrinks_with_length() -> None:
    table = pd.concat([normal_tests(100, SIZES), normal_tests(400, SIZES / 2.0)])
    found = smallest_edges(detection_rates(table), power=0.8).set_index("n_bars")
    theory = (norm.isf(0.05) + norm.isf(0.2)) / np.sqrt([100, 400])
    assert found["smallest"].to_numpy() == pytest.approx(theory, rel=0.08)
    assert (found["smallest_low"] < found["smallest"]).all()
    assert (found["smallest"] < found["smallest_high"]).all()
    assert (found["reason"] == "").all()


def test_what_is_not_reached_is_blank_and_says_why() -> None:
    weak = smallest_edges(detection_rates(normal_tests(4, SIZES))).iloc[0]
    assert np.isnan(weak["smallest"])
    assert weak["reason"].startswith("not reached: the largest edge tried (0.4)")
    strong = smallest_edges(detection_rates(normal_tests(10_000, SIZES[1:]))).iloc[0]
    assert np.isnan(strong["smallest"])
    assert "the smallest edge lies below it" in strong["reason"]
    always = normal_tests(100, SIZES).assign(p_beats=0.0)
    assert "without an edge" in smallest_edges(detection_rates(always)).iloc[0]["reason"]
    single = smallest_edges(detection_rates(normal_tests(100, SIZES[3:4]))).iloc[0]
    assert "fewer than two sizes" in single["reason"]


def test_blanks_are_counted_and_left_out_of_the_rate() -> None:
    table = normal_tests(100, SIZES[:2], n_panels=10)
    table["p_beats"] = [0.01] * 4 + [0.5] * 4 + [np.nan] * 2 + [np.nan] * 10
    rates = detection_rates(table).sort_values("edge_size", ignore_index=True)
    assert rates["n_tested"].tolist() == [8, 0]
    assert rates["n_blank"].tolist() == [2, 10]
    assert rates["n_found"].tolist() == [4, 0]
    assert rates.loc[0, "rate"] == 0.5
    assert np.isnan(rates.loc[1, "rate"])
    assert "fewer than two sizes" in smallest_edges(rates).iloc[0]["reason"]


def test_an_edges_own_size_zero_goes_before_the_martingale() -> None:
    martingale = normal_tests(100, SIZES[:1]).assign(p_beats=0.0)
    own = normal_tests(100, SIZES).assign(edge="momentum")
    with_both = smallest_edges(detection_rates(pd.concat([martingale, own])))
    pd.testing.assert_frame_equal(with_both, smallest_edges(detection_rates(own)))


def test_size_at_by_hand() -> None:
    sizes = np.array([0.0, 0.1, 0.2, 0.4])
    assert size_at(sizes, np.array([0.05, 0.3, 0.9, 1.0]), 0.6) == pytest.approx(0.15)
    assert size_at(sizes, np.array([0.05, 0.3, 0.3, 0.8]), 0.8) == pytest.approx(0.4)
    assert size_at(sizes, np.array([0.05, 0.3, 0.5, 0.7]), 0.8) is None
    assert size_at(sizes, np.array([0.85, 0.9, 0.9, 1.0]), 0.8) is None


@settings(max_examples=60, deadline=None)
@given(
    rates=st.lists(st.floats(0.0, 1.0), min_size=2, max_size=8),
    power=st.floats(0.05, 0.95),
)
def test_the_inverted_curve_goes_through_the_power(rates: list[float], power: float) -> None:
    sizes = np.arange(len(rates)) / 10.0
    fitted = rising(sizes, np.array(rates), np.ones(len(rates)))
    assert (np.diff(fitted) >= -1e-12).all()
    assert fitted.mean() == pytest.approx(np.mean(rates), abs=1e-6)
    size = size_at(sizes, fitted, power)
    if size is None:
        assert fitted[-1] < power or fitted[0] >= power
    else:
        assert np.interp(size, sizes, fitted) == pytest.approx(power, abs=1e-6)


def test_larger_edges_are_found_more_often_on_real_panels() -> None:
    # A regime that never ends gives one group a drift of up to 0.4 standard deviations.
    edges = [None, *(RegimeDrift(size, stay=1.0) for size in (0.1, 0.4))]
    panels = make_panels(SHOCKS, dates=dates(80), n_panels=30, seed=4, edges=edges)
    outcomes = run_panels(group_test, panels, parameters={}, cache=PieceCache(None))
    rates = detection_rates(p_value_table(panels, outcomes))
    rates = rates[rates["test"] == "t_test"].set_index("edge_size")["rate"]
    # In half of the panels it is the other group that leads.
    assert rates[0.0] < 0.25
    assert rates[0.0] <= rates[0.1] <= rates[0.4]
    assert 0.25 < rates[0.4] < 0.75


def test_impossible_requests_are_refused() -> None:
    table = normal_tests(100, SIZES, n_panels=5)
    with pytest.raises(ParameterError, match="level"):
        detection_rates(table, level=0.0)
    with pytest.raises(ParameterError, match="power"):
        smallest_edges(detection_rates(table), power=1.0)
    with pytest.raises(DataError, match="no planted edge"):
        smallest_edges(detection_rates(normal_tests(100, SIZES[:1])))
    with pytest.raises(DataError, match="panel 0 of seed 1 is there twice"):
        detection_rates(pd.concat([table, table.head(1)]))
