from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.verdict.trials import backtest_overfitting, deflate_sharpes
from regime_nas_pipeline.verdict.trials.counted import (
    DEFLATED_COLUMNS,
    IN_SEARCH,
    OUT_OF_SAMPLE,
    RISK_FREE,
    Evaluated,
    deflate_all,
    overfitting_by_search,
    overfitting_out_of_sample,
)

RATES = {"bars_per_year": 252, "risk_free": 0.02}


def panel(n_bars: int, names: list[str], seed: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    values = generator.normal(0.0003, 0.01, (n_bars, len(names)))
    return pd.DataFrame(values, index=pd.bdate_range("2015-01-01", periods=n_bars), columns=names)


@pytest.fixture(scope="module")
def strategies() -> pd.DataFrame:
    common = panel(400, ["market"], 3)["market"]
    own = 0.3 * panel(400, ["regime_nas", "gru", "equal_weight"], 4)
    return own.add(common, axis=0)


@pytest.fixture(scope="module")
def trials() -> pd.DataFrame:
    return panel(300, [f"t{number}" for number in range(8)], 5)


def test_what_searches_chose_is_held_against_all_trials(
    strategies: pd.DataFrame, trials: pd.DataFrame
) -> None:
    table = deflate_all(strategies, trials, {"regime_nas": "t2", "gru": "t5"}, **RATES)
    assert list(table.columns) == list(DEFLATED_COLUMNS)
    own = table[table["scope"] == IN_SEARCH].set_index("strategy")
    # Returns in excess of a portfolio need no capital and so no risk-free rate.
    expected = deflate_sharpes(trials[["t2", "t5"]], trials, bars_per_year=252)
    assert own.index.tolist() == ["regime_nas", "gru"]
    for column in ("sharpe", "n_trials", "n_effective", "deflated_probability"):
        assert own[column].tolist() == expected[column].tolist()
    assert set(own["reference"]) == {"equal_weight"}


def test_out_of_sample_the_strategies_are_the_trials(
    strategies: pd.DataFrame, trials: pd.DataFrame
) -> None:
    table = deflate_all(strategies, trials, {}, **RATES)
    assert set(table["scope"]) == {OUT_OF_SAMPLE}
    lead = table[table["reference"] == "equal_weight"].set_index("strategy")
    alone = table[table["reference"] == RISK_FREE].set_index("strategy")
    assert lead.index.tolist() == ["regime_nas", "gru"]
    assert alone.index.tolist() == ["regime_nas", "gru", "equal_weight"]
    assert (lead["n_trials"] == 2).all()
    assert (alone["n_trials"] == 3).all()
    gap = strategies["gru"] - strategies["equal_weight"]
    assert lead.loc["gru", "sharpe"] == pytest.approx(gap.mean() / gap.std(), rel=1e-12)
    excess = strategies["gru"] - (1.02 ** (1 / 252) - 1)
    assert alone.loc["gru", "sharpe"] == pytest.approx(excess.mean() / excess.std(), rel=1e-12)


def evaluated_with(strategies: pd.DataFrame, others: pd.DataFrame) -> Evaluated:
    """This run's strategies, and others whose reference earned nothing."""
    lead = strategies.sub(strategies["equal_weight"], axis=0)
    return Evaluated(
        pd.concat([strategies, others], axis=1), pd.concat([lead, others], axis=1), list(strategies)
    )


def out_of_sample(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["scope"] == OUT_OF_SAMPLE].set_index(["reference", "strategy"])


def test_whatever_was_evaluated_is_a_trial_of_the_strategies(
    strategies: pd.DataFrame, trials: pd.DataFrame
) -> None:
    others = panel(400, ["seed", "earlier"], 8)
    everything = evaluated_with(strategies, others)
    table = deflate_all(strategies, trials, {}, **RATES, evaluated=everything)
    own = out_of_sample(table)
    # The reference has no lead over itself.
    assert (own.loc["equal_weight", "n_trials"] == 4).all()
    assert (own.loc[RISK_FREE, "n_trials"] == 5).all()
    lead = everything.leads.drop(columns="equal_weight")
    expected = deflate_sharpes(lead[["regime_nas", "gru"]], lead, bars_per_year=252)
    assert own.loc["equal_weight", "n_effective"].tolist() == expected["n_effective"].tolist()
    assert own.loc["equal_weight", "sharpe"].tolist() == expected["sharpe"].tolist()


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**31 - 1),
    n_others=st.integers(1, 12),
    size=st.sampled_from([0.001, 0.01, 0.1]),
)
def test_further_trials_never_raise_a_deflated_probability(
    seed: int, n_others: int, size: float
) -> None:
    own = panel(120, ["regime_nas", "gru", "momentum", "equal_weight"], seed)
    # Strategies far apart: further trials in between would make the spread of ratios smaller.
    own["momentum"] -= 0.01
    others = size * panel(120, [f"o{number}" for number in range(n_others)], seed + 1)
    alone = out_of_sample(deflate_all(own, others, {}, **RATES))
    counted = deflate_all(own, others, {}, **RATES, evaluated=evaluated_with(own, others))
    after = out_of_sample(counted)
    assert (after["n_trials"] == alone["n_trials"] + n_others).all()
    assert (after["deflated_probability"] <= alone["deflated_probability"]).all()
    assert (after["minimum_track_record"] >= alone["minimum_track_record"]).all()
    assert (after["psr_against_zero"] == alone["psr_against_zero"]).all()


def test_many_independent_trials_lower_every_deflated_probability(
    strategies: pd.DataFrame, trials: pd.DataFrame
) -> None:
    others = panel(400, [f"o{number}" for number in range(40)], 9)
    alone = out_of_sample(deflate_all(strategies, trials, {}, **RATES))
    everything = evaluated_with(strategies, others)
    after = out_of_sample(deflate_all(strategies, trials, {}, **RATES, evaluated=everything))
    assert (after["n_effective"] > alone["n_effective"] + 20).all()
    assert (after["deflated_probability"] < alone["deflated_probability"]).all()


def test_overfitting_of_what_was_evaluated_out_of_sample(strategies: pd.DataFrame) -> None:
    lead = strategies.sub(strategies["equal_weight"], axis=0)
    found = overfitting_out_of_sample(lead, n_blocks=6)
    expected = backtest_overfitting(lead[["regime_nas", "gru"]], n_blocks=6)
    assert found["probability"] == expected.probability
    assert found["probability_of_loss"] == expected.probability_of_loss
    assert found["reason"] == ""
    alone = overfitting_out_of_sample(lead[["gru", "equal_weight"]], n_blocks=6)
    assert alone["probability"] is None
    assert "one trial is no choice" in alone["reason"]


def test_a_strategy_that_is_the_reference_under_another_name_has_no_lead(
    strategies: pd.DataFrame, trials: pd.DataFrame
) -> None:
    twin = strategies.assign(gru=strategies["equal_weight"] + 1e-15)
    table = deflate_all(twin, trials, {}, **RATES)
    lead = table[table["reference"] == "equal_weight"]
    assert lead["strategy"].tolist() == ["regime_nas"]
    assert (lead["n_trials"] == 1).all()


def test_nothing_is_said_of_samples_that_are_too_short(
    strategies: pd.DataFrame, trials: pd.DataFrame
) -> None:
    table = deflate_all(strategies.iloc[:29], trials.iloc[:29], {"gru": "t1"}, **RATES)
    assert table.empty
    assert list(table.columns) == list(DEFLATED_COLUMNS)


def test_the_reference_must_be_there(strategies: pd.DataFrame, trials: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="equal_weight"):
        deflate_all(strategies.drop(columns="equal_weight"), trials, {}, **RATES)


def owners(trials: pd.DataFrame) -> pd.Series:
    names = ["gru", "gru", "gru", "regime_nas", "regime_nas", "regime_nas", "regime_nas", "alone"]
    return pd.Series(names, index=trials.columns)


def test_overfitting_of_all_trials_and_of_each_search(trials: pd.DataFrame) -> None:
    found = overfitting_by_search(trials, owners(trials), n_blocks=6)
    whole = backtest_overfitting(trials, n_blocks=6)
    assert found["probability"] == whole.probability
    assert found["slope"] == whole.slope
    assert found["n_trials"] == 8
    assert len(found["logits"]) == math.comb(6, 3)
    np.testing.assert_allclose(found["logits"], whole.logits, atol=1e-9)
    gru = backtest_overfitting(trials[["t0", "t1", "t2"]], n_blocks=6)
    assert found["forecasters"]["gru"]["probability"] == gru.probability
    # Rounded logits tell failures apart as the exact ones do: zero is the median and a failure.
    for part in (found, *found["forecasters"].values()):
        if part["logits"]:
            assert np.mean(np.array(part["logits"]) <= 0.0) == part["probability"]
    json.dumps(found, allow_nan=False)


def test_one_trial_is_no_choice_and_says_so(trials: pd.DataFrame) -> None:
    part = overfitting_by_search(trials, owners(trials), n_blocks=6)["forecasters"]["alone"]
    assert part["probability"] is None
    assert part["logits"] == []
    assert "one trial is no choice" in part["reason"]


def test_too_few_bars_for_the_blocks_are_a_reason_and_no_failure(trials: pd.DataFrame) -> None:
    found = overfitting_by_search(trials.iloc[:31], owners(trials), n_blocks=16)
    assert found["probability"] is None
    assert "n_blocks" in found["reason"]


def test_copies_count_once(trials: pd.DataFrame) -> None:
    again = trials[["t0", "t3"]].add_prefix("again ")
    both = pd.concat([trials, again], axis=1)
    names = pd.concat([owners(trials), pd.Series(["gru", "regime_nas"], index=again.columns)])
    once = overfitting_by_search(trials, owners(trials), n_blocks=6)
    twice = overfitting_by_search(both, names, n_blocks=6)
    assert twice["n_copies"] == 2
    assert twice["n_trials"] == once["n_trials"]
    assert twice["logits"] == once["logits"]


def test_no_trial_at_all_is_a_reason_too(trials: pd.DataFrame) -> None:
    none = trials[[]]
    found = overfitting_by_search(none, pd.Series(dtype="string"), n_blocks=6)
    assert found["probability"] is None
    assert found["n_trials"] == 0
    assert found["forecasters"] == {}
