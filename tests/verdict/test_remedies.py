from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp, ttest_rel

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.verdict.remedies import (
    COLUMNS,
    compare_remedies,
    remedies_headline,
    remedy_sentences,
)

LABELS = {"plain": "Plain", "spread": "Spread scaling", "garch": "GARCH volatilities"}
SLOPES = {
    ("gru", "plain"): [3.0, 3.2, 2.9, 3.1],
    ("gru", "spread"): [0.9, 1.2, 1.1, 0.8],
    ("gru", "garch"): [3.0, 3.2, 2.9, 3.1],
    # As far above one as it was below: a difference, and no gain.
    ("regime_nas", "plain"): [0.5, 0.6, 0.4, 0.55],
    ("regime_nas", "spread"): [1.45, 1.45, 1.55, 1.48],
    ("regime_nas", "garch"): [0.5, np.nan, 0.4, 0.55],
}
SPREADS = {key: [value / 10 for value in values] for key, values in SLOPES.items()}
SHARPES = {
    ("gru", "plain"): [0.5, 0.6, 0.4, 0.5],
    ("gru", "spread"): [0.3, 0.45, 0.2, 0.32],
    ("gru", "garch"): [0.55, 0.5, 0.48, 0.5],
}


def results() -> pd.DataFrame:
    rows: list[tuple[Any, ...]] = []
    for metric, values in (("cross_slope", SLOPES), ("spread_ratio", SPREADS), ("sharpe", SHARPES)):
        for (name, variant), own in values.items():
            rows += [(name, variant, seed, metric, value) for seed, value in enumerate(own)]
    rows += [("gru", "plain", seed, "epochs", 3.0) for seed in range(4)]
    return pd.DataFrame(rows, columns=["forecaster", "variant", "seed", "metric", "value"])


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return compare_remedies(results())


def row(table: pd.DataFrame, *key: str) -> dict[str, Any]:
    found = table.set_index(["metric", "forecaster", "variant"]).loc[key]
    return dict(found)


def test_differences_are_paired_and_gains_are_towards_one(table: pd.DataFrame) -> None:
    assert list(table.columns) == list(COLUMNS)
    assert set(table["metric"]) == {"cross_slope", "spread_ratio", "sharpe"}
    found = row(table, "cross_slope", "gru", "spread")
    own, plain = np.array(SLOPES["gru", "spread"]), np.array(SLOPES["gru", "plain"])
    test = ttest_rel(own, plain)
    interval = test.confidence_interval(0.95)
    assert found["difference"] == pytest.approx(-2.05)
    assert (found["low"], found["high"]) == pytest.approx((interval.low, interval.high))
    gain = np.abs(plain - 1) - np.abs(own - 1)
    assert found["gain"] == pytest.approx(gain.mean())
    assert found["p_value"] == pytest.approx(ttest_1samp(gain, 0.0).pvalue)
    assert found["effect"] == "better"


def test_as_far_on_the_other_side_is_a_difference_and_no_gain(table: pd.DataFrame) -> None:
    found = row(table, "cross_slope", "regime_nas", "spread")
    assert found["low"] > 0.5
    assert abs(found["gain"]) < 0.1
    assert found["effect"] == "none"


def test_what_cannot_be_judged_is_not_tested(table: pd.DataFrame) -> None:
    assert row(table, "cross_slope", "gru", "garch")["effect"] == "same"
    assert row(table, "cross_slope", "regime_nas", "garch")["effect"] == "unknown"
    described = row(table, "spread_ratio", "gru", "spread")
    assert described["effect"] == "unjudged"
    assert described["difference"] == pytest.approx(-0.205)
    untested = table[table["effect"].isin(["same", "unknown", "unjudged"])]
    assert untested[["gain", "p_value", "p_holm"]].isna().all(axis=None)


def test_holms_correction_counts_all_forecasters_of_a_measure(table: pd.DataFrame) -> None:
    better, none = (row(table, "cross_slope", name, "spread") for name in ("gru", "regime_nas"))
    assert better["p_holm"] == pytest.approx(2 * better["p_value"])
    assert none["p_holm"] == pytest.approx(none["p_value"])
    worse = row(table, "sharpe", "gru", "spread")
    assert worse["effect"] == "worse"
    assert worse["gain"] == pytest.approx(worse["difference"])


def test_words_say_what_was_found(table: pd.DataFrame) -> None:
    said = remedy_sentences(table, LABELS)
    assert set(said) == {"cross_slope", "sharpe"}
    assert "GRU, spread scaling is better than plain, 1 after 3.05" in said["cross_slope"]
    assert "The other 1 cannot be told apart" in said["cross_slope"]
    headline = remedies_headline(table, env="etf")
    assert "GRU 3.05, RegimeNAS 0.51 (1 is right)" in headline
    assert "Of 4 comparisons with a remedy, 1 are better and 1 worse" in headline
    none = table[table["effect"] == "none"]
    assert "no remedy can be told apart" in remedy_sentences(none, LABELS)["cross_slope"]
    sharpe = table[table["metric"] == "sharpe"]
    assert "no slope across assets" in remedies_headline(sharpe, env="etf")


def test_a_forecaster_without_a_plain_walk_is_an_error() -> None:
    frame = results()
    with pytest.raises(DataError, match="gru has no results of the variant 'plain'"):
        compare_remedies(frame[(frame["variant"] != "plain") | (frame["forecaster"] != "gru")])
