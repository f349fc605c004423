from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from exposure_samples import RULES, TERMS, index_returns, peeking_labels, run_rules, trailing_labels

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.portfolio.exposure.engine import Terms
from regime_nas_pipeline.portfolio.exposure.rules import Known
from regime_nas_pipeline.walkforward.exposure_resemblance import (
    DEEP_REGIME,
    PublishedStrategy,
    implied_bars,
    resemblance,
    resemblance_words,
    unpaid_leverage,
)
from regime_nas_pipeline.walkforward.exposures import RUNGS, Ladder, cheat_ladder

RETURNS = index_returns()
NAMES = ("buy_and_hold", "calm_only", "levered")


def published_of(net: pd.DataFrame) -> list[PublishedStrategy]:
    """What somebody would publish who had earned these returns."""
    return [
        PublishedStrategy(
            name,
            float((1 + net[name]).prod() - 1),
            float(net[name].mean() / net[name].std(ddof=0) * math.sqrt(252)),
            float(net[name].mean()),
            float(net[name].std(ddof=0)),
        )
        for name in NAMES
    ]


@pytest.fixture(scope="module")
def ladder() -> Ladder:
    return cheat_ladder(
        RETURNS,
        RULES,
        TERMS,
        hindsight={"peeking": peeking_labels(RETURNS)},
        online={"peeking": trailing_labels(RETURNS)},
        max_exposure=1.5,
    )


@pytest.mark.parametrize("rung", ["same_bar", "lagged", "online"])
def test_figures_of_a_rung_are_nearest_to_it(ladder: Ladder, rung: str) -> None:
    published = published_of(ladder.net["peeking", rung])
    table = resemblance(ladder.net, published, bars_per_year=252, n_resamples=200).set_index("rung")
    assert table.index[table["nearest"]].tolist() == [rung]
    # The published bars follow from rounded moments, so the distance is small and not zero.
    assert table.loc[rung, "distance"] < 0.05
    assert table.loc[rung, "p_value"] > 0.95
    far = "own_close" if rung == "same_bar" else "same_bar"
    assert table.loc[far, "distance"] > 3.0
    assert table.loc[far, "p_value"] == pytest.approx(1 / 201)
    assert table.loc[far, "sharpe_p_value"] < 0.05
    assert not table.loc[far, "as_near"]


def test_resamples_of_a_rung_are_seldom_far_from_it(ladder: Ladder) -> None:
    """Another draw of the same length lies about one standard error away."""
    net = ladder.net["peeking", "lagged"]
    generator = np.random.default_rng(4)
    distances = []
    for _ in range(12):
        rows = generator.integers(0, len(net), len(net))
        drawn = net.iloc[rows].set_axis(net.index, axis=0)
        table = resemblance(
            {("peeking", "lagged"): net}, published_of(drawn), bars_per_year=252, n_resamples=100
        )
        distances.append(float(table["distance"].iloc[0]))
    assert 0.4 < np.mean(distances) < 1.6


def test_the_same_seed_gives_the_same_bits(ladder: Ladder) -> None:
    one, two = (
        resemblance(ladder.net, DEEP_REGIME, bars_per_year=252, n_resamples=50, seed=6)
        for _ in range(2)
    )
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_the_published_sample_length_follows_from_mean_volatility_and_return() -> None:
    generator = np.random.default_rng(0)
    moves = pd.DataFrame(generator.normal(0.0004, 0.01, (3000, 3)), columns=list(NAMES))
    assert implied_bars(published_of(moves)) == pytest.approx(3000, abs=3)
    # Each of DeepRegime's three strategies implies the same 19.7 years of days.
    counts = [implied_bars([each]) for each in DEEP_REGIME]
    assert max(counts) - min(counts) < 30
    assert implied_bars(DEEP_REGIME) == pytest.approx(4955, abs=5)


def test_published_means_show_whether_leverage_was_paid_for() -> None:
    known = Known(RETURNS, trailing_labels(RETURNS), 252)

    def of(terms: Terms) -> dict[str, float | bool]:
        results = run_rules(RULES, known, terms, max_exposure=1.5)
        return unpaid_leverage(published_of(results.column("net")))

    free = of(replace(TERMS, cash_rate=0.0, financing_spread=0.0, cost_bps=0.0))
    assert free["unpaid"]
    assert free["implied"] == pytest.approx(free["published"], abs=1e-15)
    paid = of(replace(TERMS, cost_bps=0.0, financing_spread=0.0))
    assert not paid["unpaid"]
    assert paid["implied"] - paid["published"] == pytest.approx(0.03 / 252 / 2, rel=0.02)
    assert of(replace(TERMS, cash_rate=0.0))["unpaid"] is False  # the spread alone shows


def test_deep_regime_paid_neither_interest_nor_financing() -> None:
    found = unpaid_leverage(DEEP_REGIME)
    assert found["implied"] == pytest.approx(0.3 * 0.000476 + 1.2 * 0.000242)
    assert found["unpaid"]
    with pytest.raises(DataError, match="levered"):
        unpaid_leverage(DEEP_REGIME[:2])


def test_words_name_the_nearest_rung_and_those_ruled_out(ladder: Ladder) -> None:
    labels = {rung.name: rung.label for rung in RUNGS}
    published = published_of(ladder.net["peeking", "same_bar"])
    table = resemblance(ladder.net, published, bars_per_year=252, n_resamples=100)
    (said,) = resemblance_words(table)
    assert f"nearest to '{labels['same_bar']}': 0.0 standard errors" in said
    assert "over 12 figures" in said
    assert f"Farther: {labels['own_close']} (" in said
    assert f"Their Sharpe ratios alone rule out: {labels['own_close']}" in said
    assert "the labels or the years were others" not in said
    stranger = [replace(each, volatility_per_bar=0.05) for each in published]
    (said,) = resemblance_words(
        resemblance(ladder.net, stranger, bars_per_year=252, n_resamples=100)
    )
    assert "the labels or the years were others" in said


def test_what_cannot_be_compared_is_refused(ladder: Ladder) -> None:
    with pytest.raises(ParameterError, match="published figures"):
        resemblance(ladder.net, [], bars_per_year=252)
    unknown = [replace(DEEP_REGIME[0], strategy="moon")]
    with pytest.raises(DataError, match="'moon'"):
        resemblance(ladder.net, unknown, bars_per_year=252)
