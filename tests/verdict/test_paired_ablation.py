from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.verdict.ablation import (
    COLUMNS,
    compare_variants,
    paired_difference,
    sentences,
)

finite = st.floats(-10, 10).map(lambda value: round(value, 3))
pairs = st.lists(st.tuples(finite, finite), min_size=2, max_size=9)


@given(pairs)
def test_interval_and_p_value_are_those_of_scipys_paired_test(drawn: list[tuple[float, float]]):
    values, reference = (list(side) for side in zip(*drawn, strict=True))
    found = paired_difference(values, reference, level=0.9)
    if np.ptp(np.subtract(values, reference)) < 1e-9:
        return
    expected = stats.ttest_rel(values, reference)
    interval = expected.confidence_interval(0.9)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-9)
    assert found.low <= found.mean <= found.high
    assert found.n == len(values)


def test_a_difference_without_spread_is_certain() -> None:
    same = paired_difference([1.0, 2.0], [1.0, 2.0])
    assert (same.mean, same.low, same.high, same.p_value) == (0.0, 0.0, 0.0, 1.0)
    shifted = paired_difference([2.0, 3.0], [1.0, 2.0])
    assert (shifted.low, shifted.high, shifted.p_value) == (1.0, 1.0, 0.0)


def test_pairs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="one length"):
        paired_difference([1.0, 2.0], [1.0])
    with pytest.raises(DataError, match="blank"):
        paired_difference([1.0, math.nan], [1.0, 2.0])
    with pytest.raises(ParameterError, match="level"):
        paired_difference([1.0, 2.0], [1.0, 2.0], level=1.0)


def tidy(metric: str, **values: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"variant": name, "seed": seed, "metric": metric, "value": value}
            for name, seeds in values.items()
            for seed, value in enumerate(seeds)
        ]
    )


FULL = [1.00, 1.02, 0.98, 1.01, 0.99]
WORSE = [1.10, 1.121, 1.08, 1.112, 1.09]
NOISE = [1.01, 0.99, 1.00, 1.02, 0.97]


def test_holm_corrects_within_each_measure_for_all_variants() -> None:
    results = pd.concat(
        [
            tidy("theil_u", full=FULL, without_trend=WORSE, uniform_gate=NOISE),
            tidy("sharpe", full=FULL, without_trend=WORSE, uniform_gate=NOISE),
        ]
    )
    table = compare_variants(results).set_index(["metric", "variant"])
    p = [stats.ttest_rel(WORSE, FULL).pvalue, stats.ttest_rel(NOISE, FULL).pvalue]
    assert p[0] < p[1]
    expected = [min(1.0, 2 * p[0]), min(1.0, max(2 * p[0], p[1]))]
    for metric in ("theil_u", "sharpe"):
        rows = table.loc[metric]
        assert rows["p_holm"].tolist() == pytest.approx(expected)
    # The same difference is for the worse in one measure and for the better in the other.
    assert table.loc[("theil_u", "without_trend"), "effect"] == "worse"
    assert table.loc[("sharpe", "without_trend"), "effect"] == "better"
    assert set(table.loc[(slice(None), "uniform_gate"), "effect"]) == {"none"}


def test_a_difference_outside_its_interval_needs_to_survive_holm() -> None:
    slight = [1.03, 1.03, 1.03, 1.06, 1.01]
    alone = compare_variants(tidy("theil_u", full=FULL, without_trend=slight))
    assert alone["low"].item() > 0.0
    assert alone["effect"].item() == "worse"
    others = {f"variant_{number}": NOISE for number in range(8)}
    among = compare_variants(tidy("theil_u", full=FULL, without_trend=slight, **others))
    assert among.set_index("variant").loc["without_trend", "effect"] == "none"


def test_what_is_the_full_network_already_is_not_compared_nor_counted() -> None:
    results = tidy("theil_u", full=FULL, without_trend=WORSE)
    with_twin = tidy("theil_u", full=FULL, without_trend=WORSE, no_lipschitz=FULL)
    pd.testing.assert_frame_equal(
        compare_variants(results), compare_variants(with_twin, same=["no_lipschitz"])
    )


def test_an_undefined_measure_is_unknown_and_no_test() -> None:
    blank = [math.nan, *NOISE[1:]]
    table = compare_variants(
        tidy("rank_ic", full=FULL, without_trend=WORSE, uniform_gate=blank)
    ).set_index("variant")
    assert table.loc["uniform_gate", "effect"] == "unknown"
    assert math.isnan(table.loc["uniform_gate", "p_holm"])
    assert table.loc["without_trend", "p_holm"] == table.loc["without_trend", "p_value"]


def test_measures_that_are_not_compared_are_passed_over_and_columns_are_fixed() -> None:
    results = pd.concat([tidy("theil_u", full=FULL, a=NOISE), tidy("seconds", full=FULL, a=NOISE)])
    table = compare_variants(results)
    assert tuple(table.columns) == COLUMNS
    assert set(table["metric"]) == {"theil_u"}
    with pytest.raises(DataError, match="'other'"):
        compare_variants(results, reference="other")


def test_sentences_say_what_differs_and_call_the_rest_luck() -> None:
    labels = {"without_trend": "Without the trend block", "uniform_gate": "Uniform gate"}
    table = compare_variants(tidy("theil_u", full=FULL, without_trend=WORSE, uniform_gate=NOISE))
    said = sentences(table, labels)["theil_u"]
    assert "'Without the trend block' is worse than the full network" in said
    assert "Uniform gate" not in said
    assert "other 1" in said
    nothing = compare_variants(tidy("sharpe", full=FULL, uniform_gate=NOISE))
    assert "no variant can be told apart" in sentences(nothing, labels)["sharpe"]
    blank = compare_variants(tidy("sharpe", full=FULL, uniform_gate=[math.nan, *NOISE[1:]]))
    assert sentences(blank, labels)["sharpe"] == "Sharpe ratio is undefined for: Uniform gate."
