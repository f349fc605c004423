"""Halving of trained candidates: who is judged where, and what it saves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from tuning_tasks import NO_CACHE, SEARCH, SPACE, tiny_task

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.forecasters.gru import GRUForecaster
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.search.front import front_table
from regime_nas_pipeline.search.ledger import ledger_rows
from regime_nas_pipeline.search.outer import Proposal, best_trial
from regime_nas_pipeline.walkforward.candidates import (
    Task,
    bundled_outcome,
    evaluate_candidate,
    outcome_bundle,
    validation_dates,
)
from regime_nas_pipeline.walkforward.parameters import Search
from regime_nas_pipeline.walkforward.search_parameters import Efficiency, Halving
from regime_nas_pipeline.walkforward.tuning import search_facts, tune

CHOICES = {"lookback": 4, "learning_rate": 0.01}


def halved(market: Market, forecaster: type = GRUForecaster, **changes: Any) -> Task:
    """A share of 1,200 samples, in epochs of 140 and batches of 10: the rung lies at 240."""
    given = {"budget": 5 * 1200, "efficiency": Efficiency(halving=Halving(rung=0.2)), **changes}
    task = tiny_task(market, forecaster, search=SEARCH.model_copy(update=given), trading=None)
    task.arguments["n_seeds"] = 1
    return task


def test_who_goes_on_is_changed_in_nothing_and_who_is_behind_stops(known: Market) -> None:
    plain = evaluate_candidate(halved(known, efficiency=Efficiency()), Proposal(0, 5, CHOICES))
    first = evaluate_candidate(halved(known), Proposal(0, 5, CHOICES))
    error = first.facts["rung_error"]
    assert (first.score, first.gradient_samples) == (plain.score, plain.gradient_samples)
    assert first.facts == {**plain.facts, "rung_error": error}
    # As good as what is asked for is good enough.
    level = evaluate_candidate(halved(known), Proposal(0, 5, CHOICES, cut_off=error))
    assert (level.score, level.facts) == (first.score, first.facts)
    behind = evaluate_candidate(
        halved(known), Proposal(0, 5, CHOICES, cut_off=np.nextafter(error, 0.0))
    )
    spent = behind.gradient_samples
    assert spent == 240 < plain.gradient_samples
    assert behind.facts == {
        "epochs": 2.0,
        "rung_error": error,
        "stopped_at": spent,
        "unspent": 1200 - spent,
    }
    # It is where a training of that length would have ended.
    short = halved(known, budget=5 * spent, efficiency=Efficiency())
    assert evaluate_candidate(short, Proposal(0, 5, CHOICES)).score == behind.score


def test_the_error_at_the_rung_is_that_of_early_stopping(known: Market) -> None:
    task = halved(known)
    found = evaluate_candidate(task, Proposal(0, 5, CHOICES))
    fitted = GRUForecaster(**{**task.arguments, **CHOICES, "seed": 5})
    fitted.training = replace(fitted.training, max_samples=240)
    fitted.fit(known.until(task.validation.fit_end))
    [curve] = fitted.fit_report_.curves
    assert len(curve) == 2
    assert found.facts["rung_error"] == min(epoch["validation_loss"] for epoch in curve)


def test_cells_are_paid_for_before_anybody_is_judged(known: Market) -> None:
    task = halved(known, RegimeNasForecaster, budget=4800, trials=2)
    task.arguments["attention_heads"] = 1
    choices = {"lookback": 4, "nodes": 1}
    first = evaluate_candidate(task, Proposal(0, 5, choices))
    assert first.facts["rung_error"] > 0
    stopped = evaluate_candidate(task, Proposal(0, 5, choices, cut_off=0.0))
    # Half of 2,400 for the cells, then at least a fifth of the other half.
    assert 1200 + 240 - 20 < stopped.gradient_samples <= 1200 + 240 + 20
    assert first.gradient_samples > 2400 - 20
    assert stopped.facts["stopped_at"] == stopped.gradient_samples
    assert stopped.parameters == first.parameters


def test_a_search_counts_and_keeps_whom_it_has_stopped(known: Market, tmp_path: Path) -> None:
    task = halved(known)
    trials, search_id = tune(task, SPACE, seed=3, cache=PieceCache(str(tmp_path)), n_jobs=1)
    stopped = [trial for trial in trials if "stopped_at" in trial.outcome.facts]
    assert 0 < len(stopped) < len(trials) == 5
    assert best_trial(trials) not in stopped
    facts = search_facts(trials, search_id, task)
    assert facts["stopped"] == len(stopped)
    whole = sum(1200 if t in stopped else t.outcome.gradient_samples for t in trials)
    assert facts["unspent"] == whole - facts["gradient_samples"]
    rows = ledger_rows(
        trials,
        search_id=search_id,
        forecaster="gru",
        strategy="random",
        dates=validation_dates(task),
    )
    assert len(rows) == 5
    told = [json.loads(row) for row in rows["facts"]]
    assert [each.get("stopped_at") for each in told] == [
        t.outcome.facts.get("stopped_at") for t in trials
    ]
    assert len(front_table(rows)) == 5 - len(stopped)
    again, _ = tune(task, SPACE, seed=3, cache=NO_CACHE, n_jobs=1)
    assert [t.proposal for t in again] == [t.proposal for t in trials]
    assert [t.outcome.score for t in again] == [t.outcome.score for t in trials]


def test_an_outcome_is_kept_whole(known: Market) -> None:
    outcome = evaluate_candidate(halved(known), Proposal(0, 5, CHOICES, cut_off=0.0))
    found = bundled_outcome(outcome_bundle(outcome))
    assert replace(found, returns=None) == replace(outcome, returns=None)
    np.testing.assert_array_equal(found.returns, outcome.returns)


@pytest.mark.parametrize(
    ("halving", "message"),
    [({"rung": 1.0}, "rung"), ({"eta": 1}, "eta"), ({"share": 0.1}, "share")],
)
def test_settings_that_cannot_be(halving: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Search(**{**SEARCH.model_dump(), "efficiency": {"halving": halving}})


def test_a_proxy_and_halving_do_not_go_together() -> None:
    both = {"halving": {}, "proxy": {"budget": 0.1, "confirm": 1}}
    with pytest.raises(ValidationError, match="two ways of training most candidates less"):
        Search(**{**SEARCH.model_dump(), "efficiency": both})
