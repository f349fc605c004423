from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from tuning_tasks import HORIZON, LAG, SEARCH, SPACE, SpyGRU, tiny_task

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.search.outer import Proposal, best_trial
from regime_nas_pipeline.walkforward.candidates import Task, evaluate_candidate
from regime_nas_pipeline.walkforward.parameters import Search
from regime_nas_pipeline.walkforward.proxy import evaluate_by_proxy, proxy_task, to_confirm
from regime_nas_pipeline.walkforward.search_parameters import Efficiency, Proxy, Surrogate
from regime_nas_pipeline.walkforward.tuning import tune

PROXY = Proxy(data=0.5, budget=0.3, confirm=2)


def task_with(market: Market, proxy: Proxy | None = PROXY, **changes: Any) -> Task:
    search = Search(
        **{
            **SEARCH.model_dump(),
            "efficiency": Efficiency(proxy=proxy),
            **changes,
        }
    )
    return tiny_task(market, SpyGRU, search=search, trading=None)


@pytest.fixture(autouse=True)
def fresh_spy() -> None:
    SpyGRU.fitted.clear()


def test_only_the_newest_part_is_trained_on_with_part_of_the_samples(small_market: Market) -> None:
    task = task_with(small_market)
    proposal = Proposal(0, 3, {"lookback": 6, "learning_rate": 0.01})
    evaluate_by_proxy(task, proposal, PROXY)
    [(forecaster, market)] = SpyGRU.fitted
    whole = small_market.until(task.validation.fit_end)
    n = len(whole.dates)
    assert market.dates.equals(whole.dates[n - n // 2 :])
    np.testing.assert_array_equal(market.close, whole.close[n - n // 2 :])
    assert forecaster.training.max_samples == int(0.3 * (task.search.budget // task.search.trials))
    assert forecaster.fit_report_.gradient_samples <= forecaster.training.max_samples


def test_what_is_smaller_elsewhere_is_equal_here(small_market: Market) -> None:
    """All of the data, the samples and the window: the score of a full evaluation."""
    task = task_with(small_market)
    proposal = Proposal(0, 3, {"lookback": 6, "learning_rate": 0.01})
    found = evaluate_by_proxy(task, proposal, Proxy(data=1.0, budget=1.0, lookback=6))
    full = evaluate_candidate(task, proposal)
    assert found.score == full.score
    assert found.facts == {**full.facts, "proxy": True}


def test_fewer_features_and_a_shorter_window(small_market: Market) -> None:
    task = task_with(small_market)
    proposal = Proposal(0, 3, {"lookback": 6, "learning_rate": 0.01})
    found = evaluate_by_proxy(task, proposal, Proxy(timeframes=(1,), lookback=4))
    [(forecaster, _)] = SpyGRU.fitted
    assert (forecaster.lookback, forecaster.timeframes) == (4, (1,))
    assert found.parameters == {"lookback": 6, "learning_rate": 0.01}
    assert task.arguments["timeframes"] == (1, 5)
    SpyGRU.fitted.clear()
    evaluate_by_proxy(task, proposal, Proxy(lookback=50))
    assert SpyGRU.fitted[0][0].lookback == 6


def test_the_lookback_that_is_not_searched_is_shortened_too(small_market: Market) -> None:
    task = task_with(small_market)
    task.arguments["lookback"] = 9
    found = evaluate_by_proxy(task, Proposal(0, 3, {"learning_rate": 0.01}), Proxy(lookback=4))
    assert SpyGRU.fitted[0][0].lookback == 4
    assert found.parameters == {"learning_rate": 0.01}
    assert task.arguments["lookback"] == 9


def test_validation_decisions_stay(small_market: Market) -> None:
    task = task_with(small_market)
    smaller = proxy_task(task, PROXY)
    assert smaller.validation is task.validation
    assert smaller.market.dates[-1] == task.market.dates[-1]
    rows = [each.market.dates.get_indexer(task.validation.decisions) for each in (task, smaller)]
    targets = [
        each.market.target(HORIZON, LAG)[row]
        for each, row in zip((task, smaller), rows, strict=True)
    ]
    np.testing.assert_array_equal(*targets)


def test_the_best_by_proxy_are_evaluated_in_full_within_the_budget(
    small_market: Market, tmp_path: Path
) -> None:
    task = task_with(small_market)
    cache = PieceCache(str(tmp_path))
    trials, _ = tune(task, SPACE, seed=2, cache=cache, n_jobs=1)
    n = task.search.trials
    proxies, full = trials[:n], trials[n:]
    assert [trial.proposal.number for trial in trials] == list(range(n + 2))
    assert all(trial.outcome.facts.get("proxy") for trial in proxies)
    assert not any(trial.outcome.facts.get("proxy") for trial in full)
    order = sorted(proxies, key=lambda trial: trial.outcome.score)
    assert [t.proposal.choices for t in full] == [t.proposal.choices for t in order[:2]]
    for trial in full:
        assert trial.outcome.score == evaluate_candidate(task, trial.proposal).score
    assert sum(trial.outcome.gradient_samples for trial in trials) <= task.search.budget
    assert best_trial(trials) in full
    # Asked again, nothing is trained.
    SpyGRU.fitted.clear()
    again, _ = tune(task, SPACE, seed=2, cache=cache, n_jobs=1)
    assert not SpyGRU.fitted
    assert [t.outcome.score for t in again] == [t.outcome.score for t in trials]


def test_a_candidate_is_confirmed_once(small_market: Market) -> None:
    task = task_with(small_market, proxy=None, strategy="differentiable", trials=2, budget=320)
    trials, _ = tune(task, SPACE, seed=2, cache=PieceCache(None), n_jobs=1)
    assert trials[0].proposal.choices == trials[1].proposal.choices
    [confirmed] = to_confirm(trials, PROXY)
    assert confirmed.seed == best_trial(trials).proposal.seed


def test_a_proxy_without_effect_is_refused(small_market: Market) -> None:
    task = task_with(small_market, Proxy(timeframes=(1,)))
    task.arguments["features"] = "returns"
    with pytest.raises(ParameterError, match=r"timeframes has no effect on SpyGRU"):
        tune(task, SPACE, seed=0, cache=PieceCache(None), n_jobs=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"efficiency": {"proxy": {"budget": 0.7, "confirm": 2}}}, "cost more than 5 full ones"),
        ({"efficiency": {"proxy": {"budget": 0.1, "confirm": 6}}}, "confirm is 6"),
        ({"strategy": "bayesian", "efficiency": {"surrogate": {}}}, "does not go with strategy"),
        ({"efficiency": {"proxy": {"share": 0.1}}}, "share"),
    ],
)
def test_settings_that_do_not_fit(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Search(**{**SEARCH.model_dump(), **changes})


def test_nothing_is_switched_on_by_itself() -> None:
    assert SEARCH.efficiency == Efficiency(proxy=None, surrogate=None)
    assert SEARCH.outer().surrogate is None
    sifted = SEARCH.model_copy(update={"efficiency": Efficiency(surrogate=Surrogate(pool=3))})
    assert sifted.outer().surrogate is not None
