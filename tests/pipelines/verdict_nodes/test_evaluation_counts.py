"""Every strategy and seed that was ever evaluated is a trial of the next run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from verdict_datasets import recorded_of

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.datasets.ledger import LedgerDataset
from regime_nas_pipeline.pipelines.common import allocator_of, folds_of, market_of, rules_of
from regime_nas_pipeline.pipelines.verdict.nodes import count_trials
from regime_nas_pipeline.pipelines.walk_forward_evaluation.nodes import trade_strategies
from regime_nas_pipeline.portfolio.allocate import Allocator, EqualWeight
from regime_nas_pipeline.verdict.trials.counted import IN_SEARCH, OUT_OF_SAMPLE
from regime_nas_pipeline.verdict.trials.overfitting import backtest_overfitting
from regime_nas_pipeline.walkforward.deciding import choices_at
from regime_nas_pipeline.walkforward.evaluation import decision_dates, forecast_arrays
from regime_nas_pipeline.walkforward.evaluation_ledger import (
    VariantReturns,
    Whose,
    evaluation_rows,
    hash_of_evaluated_closes,
    hash_of_settings,
    variant_rows,
)
from regime_nas_pipeline.walkforward.seeded_walks import joined_folds
from regime_nas_pipeline.walkforward.trading import trade


@pytest.fixture(scope="module")
def dearer(prices, settings, forecasts) -> pd.DataFrame:
    """Ledger rows of an earlier run with five times the costs."""
    portfolio = settings.portfolio.model_copy(update={"cost_bps": 35.0})
    blocks = {**settings.of("universe", "walk_forward"), "portfolio": portfolio}
    _, returns, *_ = trade_strategies(prices, **blocks, **forecasts)
    made = recorded_of(prices, returns, settings, forecasts, portfolio=portfolio)
    rows: pd.DataFrame = made["evaluations"]
    return rows


def test_seeds_are_evaluated_beside_their_average(recorded, traded) -> None:
    rows = recorded["evaluations"]
    assert rows.loc[rows["seed"].isna(), "strategy"].tolist() == list(traded["strategy_returns"])
    seeds = rows[rows["seed"].notna()]
    assert list(zip(seeds["strategy"], seeds["seed"], strict=True)) == [("gru", 1), ("gru", 2)]
    assert set(rows["env"]) == {"tiny"}
    assert (rows["cost_bps"] == 7.0).all()


def test_a_first_run_counts_itself(counted) -> None:
    _, overfitting = counted
    found = overfitting["out_of_sample"]
    origins = {name: found[name] for name in ("n_strategies", "n_seeds", "n_earlier", "n_copies")}
    assert origins == {"n_strategies": 6, "n_seeds": 2, "n_earlier": 0, "n_copies": 0}
    assert found["n_trials_counted"] == found["n_in_ledger"] == 8
    assert 1 <= found["n_effective"] <= 7
    assert 0.0 <= found["probability"] <= 1.0
    json.dumps(overfitting, allow_nan=False)


def test_the_verdict_says_what_was_evaluated(verdict, counted) -> None:
    found = counted[1]["out_of_sample"]
    assert verdict["out_of_sample"] == {
        "n_trials": 8,
        "n_strategies": 6,
        "n_seeds": 2,
        "n_earlier": 0,
        "n_by_origin": {"this_run": 8},
        "n_effective": found["n_effective"],
        "n_left_out": 0,
        "pbo": found["probability"],
    }


def test_the_same_run_again_adds_nothing(
    counting, counted, settings, forecasts, tmp_path: Path
) -> None:
    ledger = LedgerDataset(filepath=tmp_path, key="evaluation_id")
    ledger.save(counting["evaluations"])
    again = recorded_of(counting["prices"], counting["strategy_returns"], settings, forecasts)
    ledger.save(again["evaluations"].assign(run_id="second"))
    assert len(list(tmp_path.iterdir())) == 1
    loaded = ledger.load()
    assert set(loaded["run_id"]) == {"first"}
    deflated, overfitting = count_trials(**{**counting, "evaluations": loaded})
    pd.testing.assert_frame_equal(deflated, counted[0], check_exact=True)
    assert overfitting == counted[1]


def test_a_run_with_other_costs_adds_its_trials_and_raises_no_probability(
    counting, counted, dearer, tmp_path: Path
) -> None:
    ledger = LedgerDataset(filepath=tmp_path, key="evaluation_id")
    ledger.save(dearer)
    ledger.save(counting["evaluations"])
    deflated, overfitting = count_trials(**{**counting, "evaluations": ledger.load()})
    found = overfitting["out_of_sample"]
    assert (found["n_strategies"], found["n_seeds"], found["n_earlier"]) == (6, 2, 8)
    assert found["n_in_ledger"] == found["n_trials_counted"] == 16
    before, after = (
        table[table["scope"] == OUT_OF_SAMPLE].reset_index(drop=True)
        for table in (counted[0], deflated)
    )
    # The other run's equal weight has no lead over itself, whatever it paid.
    assert after["n_trials"].tolist() == [14] * 5 + [16] * 6
    assert (after["deflated_probability"] <= before["deflated_probability"]).all()
    pd.testing.assert_frame_equal(
        deflated[deflated["scope"] == IN_SEARCH], counted[0][counted[0]["scope"] == IN_SEARCH]
    )
    # Strategies that pay more hardly are different ones.
    assert found["n_effective"] < 14


def test_independent_trials_of_earlier_runs_raise_no_probability(counting, counted) -> None:
    own = counting["evaluations"]
    generator = np.random.default_rng(5)
    returns = counting["strategy_returns"]
    noise = returns["equal_weight"].to_numpy()[:, None] + generator.normal(
        0.0, 0.01, (len(returns), 30)
    )
    names = [f"try {number}" for number in range(30)]
    tried = pd.DataFrame(noise, index=returns.index, columns=names)
    tried["equal_weight"] = returns["equal_weight"]
    identity = {name: own[name].iloc[0] for name in ("closes_hash", "settings_hash", "cost_bps")}
    no_seeds = counting["seed_returns"].iloc[:0]
    earlier = evaluation_rows(tried, no_seeds, **identity, run_facts={})
    everything = pd.concat([own, earlier], ignore_index=True)
    deflated, overfitting = count_trials(**{**counting, "evaluations": everything})
    assert overfitting["out_of_sample"]["n_earlier"] == 30
    # Their equal weight is this run's and has its name.
    assert overfitting["out_of_sample"]["n_in_ledger"] == 38
    before, after = (
        table[table["scope"] == OUT_OF_SAMPLE].reset_index(drop=True)
        for table in (counted[0], deflated)
    )
    for column in ("n_trials", "n_effective", "maximum_by_correlation"):
        assert (after[column] > before[column]).all(), column
    # Luckier tries make every strategy less sure; tries near zero among strategies far apart would
    # make the spread of ratios look small, and must not make one more sure.
    assert (after["expected_maximum"] >= before["expected_maximum"]).all()
    assert (after["deflated_probability"] <= before["deflated_probability"]).all()


def test_variants_that_experiments_traded_are_trials_of_every_later_run(
    counting, counted, settings, forecasts, tmp_path: Path
) -> None:
    market = market_of(counting["prices"], settings.universe)
    folds = joined_folds(folds_of(market, settings.walk_forward), 1)
    rules, dates = rules_of(settings.walk_forward, settings.portfolio), decision_dates(folds)
    choices = choices_at(market, dates, rules.horizon)
    generator = np.random.default_rng(8)

    def net(mean: np.ndarray | None, allocator: Allocator) -> pd.Series:
        returns: pd.Series = trade(market, choices, allocator, rules, mean).backtest.net
        return returns

    mean = forecast_arrays(forecasts["gru"], market, dates, ("mean",))["mean"]
    means = {number: mean + generator.normal(0.0, 0.02, mean.shape) for number in (1, 2, 3)}
    # One happens to know the first half of the sample, and to be wrong about the second.
    target = market.target(rules.horizon, rules.execution_lag)[market.dates.get_indexer(dates)]
    turned = np.where(np.arange(len(dates)) < len(dates) / 2, 1.0, -1.0)
    means[1] = np.nan_to_num(turned[:, None] * target)
    nets = {
        Whose("gru", number, "plain"): net(own, allocator_of(settings.portfolio))
        for number, own in means.items()
    }
    tried = variant_rows(
        VariantReturns(nets, net(None, EqualWeight())),
        origin="calibration",
        closes_hash=hash_of_evaluated_closes(market, folds),
        settings_hash=hash_of_settings(
            **settings.of("universe", "walk_forward", "portfolio"), seed=settings.compute.seed
        ),
        cost_bps=settings.portfolio.cost_bps,
        run_facts={"env": "tiny", "run_id": "tried"},
    )
    # Two datasets of one folder: the experiment's and the whole run's.
    for rows in (tried, counting["evaluations"], tried):
        LedgerDataset(filepath=tmp_path, key="evaluation_id").save(rows)
    ledger = LedgerDataset(filepath=tmp_path, key="evaluation_id").load()
    deflated, overfitting = count_trials(**{**counting, "evaluations": ledger})
    found = overfitting["out_of_sample"]
    assert (found["n_strategies"], found["n_seeds"], found["n_earlier"]) == (6, 2, 3)
    assert found["n_in_ledger"] == found["n_trials_counted"] == 11
    assert list(found["origins"]) == ["this_run", "calibration"]
    assert found["origins"]["calibration"]["n_trials_counted"] == 3
    before, after = (
        table[table["scope"] == OUT_OF_SAMPLE].reset_index(drop=True)
        for table in (counted[0], deflated)
    )
    assert (after["n_trials"] == before["n_trials"] + 3).all()
    assert (after["deflated_probability"] <= before["deflated_probability"]).all()
    # Whoever picks the best picks from the variants, too.
    seeds = counting["seed_returns"].pivot(index="date", columns="seed", values="net")
    strategies = counting["strategy_returns"]
    everything = pd.concat([strategies, seeds, pd.DataFrame(nets)], axis="columns", sort=False)
    leads = everything.sub(strategies["equal_weight"], axis="index").drop(columns="equal_weight")
    picked = backtest_overfitting(leads.set_axis(range(10), axis="columns"), n_blocks=4)
    assert found["probability"] == picked.probability
    assert found["probability"] != counted[1]["out_of_sample"]["probability"]


def test_evaluations_on_other_prices_are_counted_and_left_out(
    counting, counted, settings, forecasts
) -> None:
    prices = counting["prices"].copy()
    prices.loc[prices["date"] == prices["date"].max(), "close"] *= 1.01
    elsewhere = recorded_of(prices, counting["strategy_returns"], settings, forecasts)
    both = pd.concat([counting["evaluations"], elsewhere["evaluations"]], ignore_index=True)
    deflated, overfitting = count_trials(**{**counting, "evaluations": both})
    left_out = overfitting["out_of_sample"]["left_out"]
    assert {reason: number for reason, number in left_out.items() if number} == {
        "on other prices": 8
    }
    pd.testing.assert_frame_equal(deflated, counted[0], check_exact=True)
    # They are the returns of a run of their own, and that run's prices are not these.
    with pytest.raises(DataError, match="not in the ledger of evaluations on these prices"):
        count_trials(**{**counting, "evaluations": elsewhere["evaluations"]})
