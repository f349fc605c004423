from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from comparison_settings import COMPUTE, tiny_settings

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.search.ledger import LEDGER_COLUMNS
from regime_nas_pipeline.walkforward import comparison_strategies
from regime_nas_pipeline.walkforward.building import Shared
from regime_nas_pipeline.walkforward.comparison_beds import Bed, planted_bed, task_on
from regime_nas_pipeline.walkforward.comparison_strategies import (
    contest_beds,
    contest_leaders,
    contest_summary,
    oracle_r2,
    run_contest,
)
from regime_nas_pipeline.walkforward.folds import make_folds
from regime_nas_pipeline.walkforward.parameters import Training, WalkForward


def planted_beds() -> list[Bed]:
    settings = tiny_settings()
    return [planted_bed(settings, number, COMPUTE) for number in range(2)]


def test_every_contender_searches_every_bed_and_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, cache = tiny_settings(), PieceCache(str(tmp_path))
    table, trials = run_contest(planted_beds(), settings, COMPUTE, cache)
    assert list(zip(table["seed"], table["strategy"], strict=True)) == [
        (0, "evolutionary"),
        (0, "random"),
        (1, "evolutionary"),
        (1, "random"),
    ]
    assert table[["score", "r2", "r2_oracle"]].notna().all(axis=None)
    assert (table["gradient_samples"] <= settings.contest.budget).all()
    assert (table["r2_oracle"] > table["r2"]).all()
    assert set(LEDGER_COLUMNS) < set(trials.columns)
    assert len(trials) == 4 * settings.contest.trials
    assert trials["trial_id"].is_unique
    best = trials.groupby(["search_id"], sort=False)["score"].min()
    assert best.tolist() == pytest.approx(table["score"].tolist())

    def refuse(*_: object) -> None:
        raise AssertionError("searched again")

    monkeypatch.setattr(comparison_strategies, "tune", refuse)
    again, _ = run_contest(planted_beds(), settings, COMPUTE, cache)
    pd.testing.assert_frame_equal(again, table)


def test_searches_see_nothing_that_they_are_judged_on() -> None:
    for bed in planted_beds():
        assert bed.known.dates[-1] == bed.decisions[0]
        assert bed.validation.decisions[-1] < bed.decisions[0]
        # The target of the first decision is the first return that was not known.
        assert len(bed.decisions) == 300 - 220
    assert planted_beds()[0].market.close[5, 0] != planted_beds()[1].market.close[5, 0]


def test_r2_of_a_perfect_forecast_is_one_and_of_none_zero() -> None:
    bed = planted_beds()[0]
    rows = bed.market.dates.get_indexer(bed.decisions)
    following = bed.market.log_returns[rows + 1]
    assert bed.r2(following) == pytest.approx(1.0)
    assert bed.r2(np.zeros_like(following)) == pytest.approx(0.0)


def test_a_contender_may_not_change_what_all_share() -> None:
    settings = tiny_settings()
    family = settings.contest.families["gru"]
    changed = family.model_copy(
        update={"forecaster": family.forecaster.model_copy(update={"params": {"horizon": 5}})}
    )
    search = settings.contest.search(settings.contest.contenders["random"], 0.25)
    with pytest.raises(ParameterError, match="horizon is set once"):
        task_on(planted_beds()[0], changed, search)


def test_the_runs_own_prices_are_judged_at_every_later_decision(small_market: Market) -> None:
    walk_forward = WalkForward(
        first_oos=small_market.dates[300].date(),
        horizon=5,
        execution_lag=1,
        refit_every=40,
        rebalance_every=10,
    )
    settings = tiny_settings(contest={"beds": ["prices", "planted"], "seeds": 2})
    folds = make_folds(
        small_market,
        first_oos=walk_forward.first_oos_stamp,
        refit_every=40,
        rebalance_every=10,
        execution_lag=1,
    )
    training = Training(**settings.training.model_dump())
    shared = Shared(walk_forward, training, COMPUTE)
    beds = contest_beds(small_market, folds, settings, shared)
    assert [(bed.name, bed.number) for bed in beds] == [
        ("prices", 0),
        ("prices", 1),
        ("planted", 0),
        ("planted", 1),
    ]
    prices = beds[0]
    assert prices.known.dates[-1] == small_market.dates[299]
    assert prices.decisions.equals(small_market.dates[300:418:10])
    assert (prices.arguments["horizon"], prices.arguments["n_seeds"]) == (5, 1)
    assert oracle_r2(prices, settings) is None


def contest() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "bed": ["planted"] * 6,
            "seed": [0, 1, 2] * 2,
            "strategy": ["evolutionary"] * 3 + ["random"] * 3,
            "score": [0.9, 0.8, 0.7, 0.95, 0.85, 0.65],
            "r2": [0.01, 0.03, 0.02, 0.00, 0.05, 0.01],
            "r2_oracle": 0.1,
            "gradient_samples": [100, 110, 120, 90, 90, 90],
            "seconds": [1.0, 2.0, 3.0, 1.0, 1.0, 1.0],
        }
    )


def test_the_summary_by_hand() -> None:
    summary = contest_summary(contest())
    first, second = summary.to_dict(orient="records")
    assert (first["strategy"], second["strategy"]) == ("evolutionary", "random")
    assert (first["score"], first["r2"]) == (0.8, 0.02)
    assert (first["r2_low"], first["r2_high"]) == (0.01, 0.03)
    assert first["r2_margin"] == pytest.approx(0.01)
    assert (first["wins"], second["wins"], first["seeds"]) == (2, 1, 3)
    assert second["r2_margin"] == 0.0
    assert contest_leaders(summary) == {
        "planted": {
            "first": "evolutionary",
            "r2": 0.02,
            "random_r2": 0.01,
            "wins": 2,
            "seeds": 3,
        }
    }


def test_without_a_control_there_is_no_margin() -> None:
    table = contest()
    summary = contest_summary(table[table["strategy"] != "random"])
    assert summary["r2_margin"].isna().all()
    assert contest_leaders(summary)["planted"]["random_r2"] is None
