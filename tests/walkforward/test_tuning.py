from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.modules.module import register_module_forward_pre_hook
from tuning_tasks import (
    HORIZON,
    PLAN,
    RULES,
    SEARCH,
    SpyGRU,
    tiny_task,
)

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.forecasters.gru import GRUForecaster
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import market_from_log_returns
from regime_nas_pipeline.portfolio.allocate import MaximumSharpe
from regime_nas_pipeline.report.cell_facts import CELL_FACTS
from regime_nas_pipeline.search.outer import Outcome, Progress, Proposal
from regime_nas_pipeline.walkforward import candidates
from regime_nas_pipeline.walkforward.candidates import (
    Task,
    evaluate_candidate,
    validation_dates,
    validation_score,
)
from regime_nas_pipeline.walkforward.deciding import choices_at
from regime_nas_pipeline.walkforward.parameters import CellSearch
from regime_nas_pipeline.walkforward.trading import trade
from regime_nas_pipeline.walkforward.tuning import describe, plan_validation

pytestmark = pytest.mark.usefixtures("nothing_handed_yet")


def test_the_validation_part_is_purged_literal():
    # 40 business days from 2000-01-03 on, the last one 2000-02-25; a quarter are the last ten.
    market = market_from_log_returns(np.zeros((39, 2)))
    plan = plan_validation(market, fraction=0.25, rebalance_every=2, horizon=3, execution_lag=1)
    assert plan.fit_end == pd.Timestamp("2000-02-11")
    assert [f"{date:%m-%d}" for date in plan.decisions] == ["02-14", "02-16", "02-18"]
    # The target of 02-22 would end on 02-28, which is not known; that of 02-21 just fits.
    daily = plan_validation(market, fraction=0.25, rebalance_every=1, horizon=3, execution_lag=1)
    assert daily.decisions[-1] == pd.Timestamp("2000-02-21")


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.61])
@pytest.mark.parametrize(("horizon", "lag"), [(1, 0), (5, 1), (21, 2)])
def test_fits_end_before_the_first_decision_and_every_target_is_known(
    fraction: float, horizon: int, lag: int, small_market: Market
):
    plan = plan_validation(
        small_market, fraction=fraction, rebalance_every=4, horizon=horizon, execution_lag=lag
    )
    rows = small_market.dates.get_indexer(plan.decisions)
    assert small_market.position(plan.fit_end) == rows[0] - 1
    assert rows[-1] + lag + horizon <= len(small_market.dates) - 1 < rows[-1] + 4 + lag + horizon
    assert np.isfinite(small_market.target(horizon, lag)[rows]).all()
    # At least that part of the bars is held back, and less than one bar more.
    assert 0 <= (420 - rows[0]) - fraction * 420 < 1


@pytest.mark.parametrize(("n_bars", "fraction"), [(24, 0.25), (40, 0.999)])
def test_too_little_data_for_a_validation_decision_is_an_error(n_bars: int, fraction: float):
    market = market_from_log_returns(np.zeros((n_bars - 1, 2)))
    with pytest.raises(DataError, match=f"{n_bars} bars before the first out-of-sample day"):
        plan_validation(market, fraction=fraction, rebalance_every=5, horizon=5, execution_lag=1)


def test_a_candidate_is_fitted_up_to_fit_end_and_forecasts_the_validation_dates(known: Market):
    task = tiny_task(known, SpyGRU)
    outcome = evaluate_candidate(task, Proposal(0, 5, {"lookback": 6, "learning_rate": 0.01}))
    [(candidate, training)] = SpyGRU.fitted
    assert training.dates[-1] == task.validation.fit_end < task.validation.decisions[0]
    [(market, dates)] = SpyGRU.asked
    assert market.dates[-1] == known.dates[-1]
    assert list(dates) == list(task.validation.decisions)
    # The trial's own seed and one network, whatever the run uses.
    assert (candidate.seed, candidate.n_seeds, candidate.lookback) == (5, 1, 6)
    assert candidate.learning_rate == 0.01
    assert outcome.parameters == {"lookback": 6, "learning_rate": 0.01}
    mean = candidate.predict(known, dates).mean
    assert outcome.score == validation_score(known, dates, mean, candidate)
    traded = trade(known, choices_at(known, dates, HORIZON), MaximumSharpe(0.5), RULES, mean)
    np.testing.assert_array_equal(outcome.returns, traded.backtest.net)


def test_what_a_candidate_learns_does_not_depend_on_the_validation_part(known: Market):
    task = tiny_task(known, SpyGRU)
    cut = known.position(task.validation.fit_end) + 1
    close = known.close.copy()
    close[cut:] = np.random.default_rng(0).uniform(50, 150, close[cut:].shape)
    other = dataclasses.replace(task, market=dataclasses.replace(known, close=close))
    proposal = Proposal(0, 5, {"lookback": 4, "learning_rate": 0.01})
    scores = [evaluate_candidate(each, proposal).score for each in (task, other)]
    (one, _), (two, _) = SpyGRU.fitted
    for name, array in one.to_bundle().arrays.items():
        np.testing.assert_array_equal(array, two.to_bundle().arrays[name], err_msg=name)
    assert scores[0] != scores[1]


def test_validation_score_by_hand():
    generator = np.random.default_rng(4)
    market = market_from_log_returns(generator.normal(0, 0.01, (90, 2)))
    candidate = GRUForecaster(horizon=2, execution_lag=1)
    rows = [70, 75]
    mean = np.array([[0.01, np.nan], [-0.02, 0.005]])
    r = market.log_returns
    error = nothing = 0.0
    for i, row in enumerate(rows):
        for asset in range(2):
            if np.isnan(mean[i, asset]):
                continue
            # From the close of t + 1 to that of t + 3; 63 bars of trailing volatility.
            target = r[row + 2, asset] + r[row + 3, asset]
            size = np.sqrt(np.mean(r[row - 62 : row + 1, asset] ** 2))
            error += ((mean[i, asset] - target) / size) ** 2
            nothing += (target / size) ** 2
    found = validation_score(market, market.dates[rows], mean, candidate)
    assert found == pytest.approx(error / nothing, rel=1e-9)
    zero = np.zeros((2, 2))
    assert validation_score(market, market.dates[rows], zero, candidate) == pytest.approx(1.0)
    target = market.target(2, 1)[rows]
    assert validation_score(market, market.dates[rows], target, candidate) == 0.0
    with pytest.raises(DataError, match="no asset of the universe can be forecast"):
        validation_score(market, market.dates[rows], mean * np.nan, candidate)


@pytest.fixture(scope="module")
def regime_nas_trial(known: Market) -> tuple[Task, Outcome]:
    search = SEARCH.model_copy(update={"budget": 400, "trials": 1})
    task = tiny_task(known, RegimeNasForecaster, search=search)
    task.arguments["attention_heads"] = 1
    return task, evaluate_candidate(task, Proposal(0, 5, {"lookback": 4, "nodes": 1}))


def test_regime_nas_pays_for_its_cells_from_the_same_budget(
    regime_nas_trial: tuple[Task, Outcome],
):
    _, outcome = regime_nas_trial
    assert set(outcome.parameters) == {"lookback", "blocks"}
    assert {block: len(nodes) for block, nodes in outcome.parameters["blocks"].items()} == {
        "evidence": 1,
        "volatility": 1,
        "trend": 1,
        "range": 1,
    }
    # Half for the cells, the rest for the network, in batches of ten.
    assert 380 < outcome.gradient_samples <= 400
    assert outcome.facts["alpha_steps"] > 0
    assert outcome.facts["epochs"] > 0


def test_the_report_knows_every_number_that_a_search_for_cells_can_leave(known: Market):
    cells = CellSearch(top_k=2, curvature_every=1, curvature_products=1)
    search = SEARCH.model_copy(update={"budget": 2400, "trials": 1, "cell_search": cells})
    task = tiny_task(known, RegimeNasForecaster, search=search)
    facts = evaluate_candidate(task, Proposal(0, 5, {"lookback": 4, "nodes": 1})).facts
    assert {"curvature", "stopped_early", "retrained", "seed_spread", "chosen_rank"} <= set(facts)
    assert set(facts) <= set(CELL_FACTS)


def test_without_trading_a_candidate_is_scored_alike_and_has_no_returns(known: Market):
    proposal = Proposal(0, 5, {"lookback": 4, "learning_rate": 0.01})
    traded, alone = (
        evaluate_candidate(task, proposal)
        for task in (tiny_task(known), tiny_task(known, trading=None))
    )
    assert alone.score == traded.score
    assert alone.returns.shape == validation_dates(tiny_task(known, trading=None)).shape == (0,)
    assert len(traded.returns) == len(validation_dates(tiny_task(known)))


def test_a_candidate_has_every_objective_that_it_can_have(regime_nas_trial: tuple[Task, Outcome]):
    task, outcome = regime_nas_trial
    rebuilt = RegimeNasForecaster(**{**task.arguments, **outcome.parameters, "n_seeds": 1})
    rebuilt.training = dataclasses.replace(PLAN, max_samples=20)
    rebuilt.fit(task.market.until(task.validation.fit_end))
    assert outcome.objectives["parameters"] == rebuilt.fit_report_.parameters
    assert outcome.objectives["latency"] > 0
    assert set(outcome.objectives) == {"parameters", "latency", "lipschitz"}
    gru = evaluate_candidate(tiny_task(task.market), Proposal(0, 5, {"lookback": 4}))
    assert gru.objectives["lipschitz"] is None


def test_a_found_architecture_rebuilds_the_forecaster(regime_nas_trial: tuple[Task, Outcome]):
    task, outcome = regime_nas_trial
    rebuilt = RegimeNasForecaster(**{**task.arguments, **outcome.parameters, "n_seeds": 1})
    rebuilt.training = dataclasses.replace(PLAN, max_samples=20)
    forecast = rebuilt.fit(task.market).predict(task.market, task.market.dates[-1:])
    assert np.isfinite(forecast.mean).all()


@pytest.mark.parametrize("forecaster", [GRUForecaster, RegimeNasForecaster])
def test_a_candidate_keeps_to_one_thread_in_all_that_it_computes(
    known: Market, monkeypatch: pytest.MonkeyPatch, forecaster: type
):
    """Threads that wait for each other on busy cores turn milliseconds into seconds."""
    threads: set[int] = set()
    bound = candidates.certified_bound

    def noted(*arguments: Any, **named: Any) -> Any:
        threads.add(torch.get_num_threads())
        return bound(*arguments, **named)

    monkeypatch.setattr(candidates, "certified_bound", noted)
    hook = register_module_forward_pre_hook(lambda *_: threads.add(torch.get_num_threads()))
    torch.set_num_threads(2)
    try:
        evaluate_candidate(tiny_task(known, forecaster), Proposal(0, 5, {"lookback": 4}))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
        hook.remove()
    assert threads == {1}


def test_the_bar_says_how_fast_how_good_and_how_long():
    before = Progress(finished=2, total=10, best=0.98765, per_minute=None, seconds_left=None)
    assert describe(before) == "best 0.9877 of no change"
    running = dataclasses.replace(before, per_minute=3.04, seconds_left=125.3)
    assert describe(running) == "best 0.9877 of no change, 3.0 trials/min, 02:05 left"
