from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tuning_tasks import (
    BAYESIAN,
    HORIZON,
    LAG,
    NO_CACHE,
    PLAN,
    RULES,
    SEARCH,
    SPACE,
    SpyGRU,
    tiny_task,
)

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.forecasters.gru import GRUForecaster
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.allocate import EqualWeight, MaximumSharpe
from regime_nas_pipeline.search.outer import Outcome, Proposal, Trial
from regime_nas_pipeline.search.space import Options, Space
from regime_nas_pipeline.walkforward import tuning
from regime_nas_pipeline.walkforward.candidates import (
    Task,
    Trading,
    evaluate_candidate,
    validation_dates,
)
from regime_nas_pipeline.walkforward.deciding import choices_at
from regime_nas_pipeline.walkforward.folds import make_folds
from regime_nas_pipeline.walkforward.trading import trade
from regime_nas_pipeline.walkforward.tuning import tune

pytestmark = pytest.mark.usefixtures("nothing_handed_yet")


def _tune(task: Task, cache: PieceCache = NO_CACHE, n_jobs: int = 1) -> list[Trial]:
    return tune(task, SPACE, seed=3, cache=cache, n_jobs=n_jobs)[0]


@pytest.fixture(scope="module")
def bayesian_trials(known: Market) -> list[Trial]:
    """One process, no cache."""
    return _tune(tiny_task(known, search=BAYESIAN))


def _repeatable(outcome: Outcome) -> Outcome:
    """An outcome without what is compared apart, and without what a clock measured."""
    objectives = {key: value for key, value in outcome.objectives.items() if key != "latency"}
    return dataclasses.replace(outcome, returns=None, objectives=objectives)


def _assert_same(one: list[Trial], other: list[Trial]) -> None:
    assert [trial.proposal for trial in one] == [trial.proposal for trial in other]
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.outcome.returns, b.outcome.returns)
        assert _repeatable(a.outcome) == _repeatable(b.outcome)


def test_a_search_sees_nothing_from_the_first_out_of_sample_day_on(
    labelled_market: Market, known: Market
):
    oos = labelled_market.dates[340]
    folds = make_folds(
        labelled_market, first_oos=oos, refit_every=30, rebalance_every=10, execution_lag=LAG
    )
    # The market that a search is handed: up to the first fold's train_end.
    np.testing.assert_array_equal(labelled_market.until(folds[0].train_end).close, known.close)
    assert known.dates[-1] < oos
    close = labelled_market.close.copy()
    close[340:] = np.random.default_rng(0).uniform(50, 150, close[340:].shape)
    other = dataclasses.replace(labelled_market, close=close).until(folds[0].train_end)
    _assert_same(_tune(tiny_task(known)), _tune(tiny_task(other)))


def test_no_trial_spends_more_than_its_share_of_the_budget(known: Market):
    trials = _tune(tiny_task(known, SpyGRU))
    share = SEARCH.budget // SEARCH.trials
    assert [trial.proposal.number for trial in trials] == list(range(SEARCH.trials))
    for trial, (candidate, _) in zip(trials, SpyGRU.fitted, strict=True):
        assert candidate.training == dataclasses.replace(PLAN, max_samples=share)
        # Whole batches of two dates x five assets: nothing of a share of 160 is left over
        # unless training stops early, which the long patience rules out.
        assert share - 10 < trial.outcome.gradient_samples <= share


def test_a_budget_that_does_not_pay_for_one_batch_is_an_error(known: Market):
    poor = SEARCH.model_copy(update={"budget": 5 * 9})
    with pytest.raises(ParameterError, match="leaves 9 for training the candidate, which takes"):
        _tune(tiny_task(known, search=poor))


def test_all_trials_have_returns_on_the_same_dates(known: Market):
    task = tiny_task(known)
    trials = _tune(task)
    dates = validation_dates(task)
    first = known.position(task.validation.decisions[0])
    assert list(dates) == list(known.dates[first + LAG + 1 :])
    for trial in trials:
        assert trial.outcome.returns.shape == (len(dates),)
        assert np.isfinite(trial.outcome.returns).all()
    # Equal weights do not depend on the candidate: the dates of its returns are these ones.
    choices = choices_at(known, task.validation.decisions, HORIZON)
    plain = trade(known, choices, EqualWeight(), RULES).backtest.net
    pd.testing.assert_index_equal(plain.index, dates)
    equal = _tune(dataclasses.replace(task, trading=Trading(EqualWeight(), RULES)))
    for trial in equal:
        np.testing.assert_array_equal(trial.outcome.returns, plain)


def test_two_processes_and_a_warm_cache_give_the_bits_of_one_process(
    known: Market,
    bayesian_trials: list[Trial],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    task, cache = tiny_task(known, search=BAYESIAN), PieceCache(tmp_path.as_posix())
    _assert_same(bayesian_trials, _tune(task, cache, n_jobs=2))

    def refuse(task: Task, proposal: Proposal) -> Outcome:
        raise AssertionError(f"trial {proposal.number} is evaluated again")

    monkeypatch.setattr(tuning, "evaluate_candidate", refuse)
    _assert_same(bayesian_trials, _tune(task, cache))
    with pytest.raises(AssertionError, match="trial 0 is evaluated again"):
        _tune(task)


def test_a_killed_search_goes_on_where_it_stopped(
    known: Market,
    bayesian_trials: list[Trial],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    task, cache = tiny_task(known, search=BAYESIAN), PieceCache(tmp_path.as_posix())
    evaluated: list[int] = []

    def die_at_the_fourth(task: Task, proposal: Proposal) -> Outcome:
        if len(evaluated) == 3:
            raise KeyboardInterrupt
        return evaluate(task, proposal)

    def evaluate(task: Task, proposal: Proposal) -> Outcome:
        evaluated.append(proposal.number)
        return evaluate_candidate(task, proposal)

    monkeypatch.setattr(tuning, "evaluate_candidate", die_at_the_fourth)
    # Amid the second batch of two: its first trial is finished, its second one is not.
    with pytest.raises(KeyboardInterrupt):
        _tune(task, cache)
    assert evaluated == [0, 1, 2]
    monkeypatch.setattr(tuning, "evaluate_candidate", evaluate)
    resumed = _tune(task, cache)
    assert evaluated == [0, 1, 2, 3, 4]
    _assert_same(bayesian_trials, resumed)


def test_a_journal_that_is_damaged_or_of_another_search_is_named(
    known: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    outcome = Outcome(1.0, {}, 1, np.zeros(3), objectives={"parameters": 1.0})
    monkeypatch.setattr(tuning, "evaluate_candidate", lambda task, proposal: outcome)
    task, cache = tiny_task(known), PieceCache(tmp_path.as_posix())
    _tune(task, cache)
    _, name = tune(task, {"lookback": Options(options=(4, 7))}, seed=3, cache=cache, n_jobs=1)
    other = tmp_path / "searches" / f"{name}.log"
    [mine] = set(other.parent.glob("*.log")) - {other}
    own = mine.read_bytes()
    mine.write_bytes(other.read_bytes())
    with pytest.raises(ParameterError, match=f"{mine.name} holds another search: dimension"):
        _tune(task, cache)
    lines = own.splitlines(keepends=True)
    mine.write_bytes(b"".join([*lines[:2], b"{\n", *lines[2:]]))
    with pytest.raises(DataError, match=f"line 3 of {len(lines) + 1} is damaged") as caught:
        _tune(task, cache)
    assert mine.name in str(caught.value)


def test_a_search_is_known_by_everything_that_it_depends_on(
    known: Market, monkeypatch: pytest.MonkeyPatch
):
    outcome = Outcome(1.0, {}, 1, np.zeros(3))
    monkeypatch.setattr(tuning, "evaluate_candidate", lambda task, proposal: outcome)
    task = tiny_task(known)

    def search_id(task: Task, space: Space = SPACE, seed: int = 3, n_jobs: int = 1) -> str:
        return tune(task, space, seed=seed, cache=NO_CACHE, n_jobs=n_jobs)[1]

    base = search_id(task)
    assert search_id(tiny_task(known)) == base
    others = {
        "seed": search_id(task, seed=4),
        "space": search_id(task, {"lookback": Options(options=(4, 7))}),
        "market": search_id(tiny_task(known.until(known.dates[330]))),
        "class": search_id(tiny_task(known, SpyGRU)),
        "arguments": search_id(tiny_task(known, arguments={**task.arguments, "width": 5})),
        "allocator": search_id(tiny_task(known, trading=Trading(MaximumSharpe(0.6), RULES))),
        "rules": search_id(
            tiny_task(
                known,
                trading=Trading(MaximumSharpe(0.5), dataclasses.replace(RULES, cost_bps=6.0)),
            )
        ),
        "trading": search_id(tiny_task(known, trading=None)),
        "search": search_id(tiny_task(known, search=SEARCH.model_copy(update={"batch": 3}))),
    }
    assert len({base, *others.values()}) == 1 + len(others)


@pytest.mark.parametrize(
    ("forecaster", "name"),
    [
        (GRUForecaster, "hidden_units"),
        (GRUForecaster, "nodes"),
        (RegimeNasForecaster, "blocks"),
        (RegimeNasForecaster, "layers"),
        # What a run shares would make scores incomparable or the budget larger.
        (GRUForecaster, "horizon"),
        (GRUForecaster, "execution_lag"),
        (GRUForecaster, "n_seeds"),
        (GRUForecaster, "seed"),
        (GRUForecaster, "training"),
        (GRUForecaster, "device"),
        # Weights of the objective are dimensions by their own names, where they have an effect.
        (GRUForecaster, "objective"),
        (GRUForecaster, "label_weight"),
    ],
)
def test_a_dimension_that_cannot_be_searched_is_an_error(
    forecaster: type, name: str, known: Market
):
    with pytest.raises(ParameterError, match=f"is called '{name}'; there are: .*lookback"):
        tune(
            tiny_task(known, forecaster),
            {"lookback": Options(options=(4,)), name: Options(options=(1,))},
            seed=0,
            cache=NO_CACHE,
            n_jobs=1,
        )
