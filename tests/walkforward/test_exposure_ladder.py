from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from exposure_samples import RULES, TERMS, index_returns, peeking_labels, run_rules, trailing_labels

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.statistics import per_bar_rate
from regime_nas_pipeline.portfolio.exposure.rules import CalmOnly, Known
from regime_nas_pipeline.verdict.comparison.ledoit_wolf import ledoit_wolf
from regime_nas_pipeline.walkforward.exposures import (
    RUNGS,
    WORTH,
    Ladder,
    cheat_ladder,
    exposure_tests,
    rung_terms,
)

RETURNS = index_returns()
PEEKING = peeking_labels(RETURNS)
TRAILING = trailing_labels(RETURNS)


@pytest.fixture(scope="module")
def ladder() -> Ladder:
    return cheat_ladder(
        RETURNS,
        RULES,
        TERMS,
        hindsight={"peeking": PEEKING, "honest": TRAILING},
        online={"peeking": TRAILING, "honest": TRAILING},
        max_exposure=1.5,
    )


def test_every_rung_earns_the_same_bars(ladder: Ladder) -> None:
    # Online labels begin on bar 100; a lag of one bar makes bar 102 the first that is earned.
    expected = list(RETURNS.index[102:])
    assert all(list(net.index) == expected for net in ladder.net.values())
    rungs = [rung.name for rung in RUNGS]
    assert list(ladder.net) == [(who, rung) for who in ("peeking", "honest") for rung in rungs]
    assert len(ladder.table) == 2 * len(rungs) * len(RULES)


def test_rungs_are_those_of_a_plain_reckoning(ladder: Ladder) -> None:
    bars = RETURNS.index[102:]
    exposure = np.where(PEEKING["calm"] == 1.0, 1.5, 0.3)
    wanted = pd.Series(exposure, index=RETURNS.index)
    for rung, shift in (("same_bar", 0), ("own_close", 1), ("lagged", 2)):
        plain = (wanted.shift(shift) * RETURNS).loc[bars]
        np.testing.assert_allclose(ladder.net["peeking", rung]["levered"], plain, atol=1e-15)
    held, moves = wanted.shift(2).loc[bars].to_numpy(), RETURNS.loc[bars].to_numpy()

    def net_of_costs(gross: np.ndarray) -> np.ndarray:
        drifted = np.r_[0.0, (held * (1 + moves) / (1 + gross))[:-1]]
        charged: np.ndarray = (1 - 0.0005 * np.abs(held - drifted)) * (1 + gross) - 1
        return charged

    gross = held * moves
    np.testing.assert_allclose(
        ladder.net["peeking", "costs"]["levered"], net_of_costs(gross), atol=1e-15
    )
    cash, loan = per_bar_rate(0.03, 252), per_bar_rate(0.04, 252)
    paid = gross + np.where(held < 1, (1 - held) * cash, (1 - held) * loan)
    np.testing.assert_allclose(
        ladder.net["peeking", "financing"]["levered"], net_of_costs(paid), atol=1e-15
    )


def test_the_last_rung_is_the_honest_run(ladder: Ladder) -> None:
    honest = run_rules(RULES, Known(RETURNS, TRAILING, 252), TERMS, max_exposure=1.5)
    for who in ("peeking", "honest"):
        pd.testing.assert_frame_equal(
            ladder.net[who, "online"], honest.column("net"), check_exact=True
        )
    same = ladder.table[ladder.table["labeller"] == "honest"].set_index(["rung", "strategy"])
    # Labels that are the same in hindsight have nothing to lose on the last rung.
    assert not same.loc["online", [f"worth_{key}" for key in WORTH]].to_numpy().any()


def test_the_labels_own_bar_is_what_a_peeking_label_is_worth(ladder: Ladder) -> None:
    table = ladder.table.set_index(["labeller", "strategy", "rung"]).sort_index()
    calm_only = table.loc[("peeking", "calm_only")]
    assert calm_only.loc["same_bar", "sharpe"] > 5.0
    assert calm_only.loc["own_close", "worth_sharpe"] > 4.0
    assert calm_only["worth_sharpe"].drop(["same_bar", "own_close"]).abs().max() < 1.5
    assert np.isnan(calm_only.loc["same_bar", "worth_sharpe"])
    # Buy and hold looks at no label and pays for one purchase only.
    bought = table.loc[("peeking", "buy_and_hold")]
    assert bought["worth_sharpe"].drop("same_bar").abs().max() < 0.01
    # Without labels the last rung takes nothing away.
    assert table.loc[("peeking", "volatility_target", "online"), "worth_cagr"] == 0.0


def test_worth_adds_up_to_the_whole_ladder(ladder: Ladder) -> None:
    for _, rows in ladder.table.groupby(["labeller", "strategy"]):
        of_rung = rows.set_index("rung")
        for key in WORTH:
            fall = of_rung.loc["same_bar", key] - of_rung.loc["online", key]
            assert of_rung[f"worth_{key}"].sum() == pytest.approx(fall)


def test_terms_of_the_rungs() -> None:
    assert rung_terms("online", TERMS) is TERMS
    assert rung_terms("financing", TERMS) is TERMS
    assert rung_terms("costs", TERMS).cash_rate == 0.0
    assert rung_terms("costs", TERMS).cost_bps == 5.0
    assert rung_terms("lagged", TERMS).cost_bps == 0.0
    assert rung_terms("lagged", TERMS).execution_lag == 1
    assert rung_terms("own_close", TERMS).execution_lag == 0
    with pytest.raises(DataError, match="no rung is called 'roof'"):
        rung_terms("roof", TERMS)


def test_the_honest_rung_does_not_depend_on_the_future(ladder: Ladder) -> None:
    cut = 600
    scrambled = RETURNS.copy()
    scrambled.iloc[cut:] = np.random.default_rng(0).normal(0, 0.03, len(RETURNS) - cut)
    known = Known(scrambled, trailing_labels(scrambled), 252)
    results = run_rules(RULES, known, TERMS, max_exposure=1.5)
    past = RETURNS.index[102:cut]
    pd.testing.assert_frame_equal(
        results.column("net").loc[past], ladder.net["peeking", "online"].loc[past], check_exact=True
    )


def test_strategies_are_tested_against_buy_and_hold_above_cash() -> None:
    results = run_rules(RULES, Known(RETURNS, TRAILING, 252), TERMS, max_exposure=1.5)
    table = exposure_tests(results, TERMS, n_resamples=99, seed=3)
    assert set(table["against"]) == {"buy_and_hold"}
    robust = table[table["test"] == "ledoit_wolf"].set_index("subject")
    net = results.column("net")
    single = ledoit_wolf(
        net["calm_only"], net["buy_and_hold"], per_bar_rate(0.03, 252), n_resamples=99, seed=3
    )
    assert robust.loc["calm_only", "statistic"] == pytest.approx(single.z)
    assert robust.loc["calm_only", "p_two_sided"] == pytest.approx(single.p_two_sided)
    # A cash rate by date that never changes is the same rate.
    dated = pd.Series(0.03, index=RETURNS.index)
    again = exposure_tests(results, type(TERMS)(1, 5.0, dated, 0.01), n_resamples=99, seed=3)
    pd.testing.assert_frame_equal(table, again)
    alone = run_rules([CalmOnly()], Known(RETURNS, TRAILING, 252), TERMS, max_exposure=1.5)
    with pytest.raises(DataError, match="buy_and_hold"):
        exposure_tests(alone, TERMS)


def test_labels_of_different_labellers_are_refused() -> None:
    kinds = {"hindsight": {"a": TRAILING}, "online": {"b": TRAILING}}
    with pytest.raises(ParameterError, match="of a and of b"):
        cheat_ladder(RETURNS, RULES, TERMS, max_exposure=1.5, **kinds)
    with pytest.raises(ParameterError, match="none"):
        cheat_ladder(RETURNS, RULES, TERMS, max_exposure=1.5, hindsight={}, online={})
