from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.params import Strict
from regime_nas_pipeline.forecasters.garch import GarchForecaster
from regime_nas_pipeline.forecasters.gru import GRUForecaster
from regime_nas_pipeline.forecasters.momentum import MomentumForecaster
from regime_nas_pipeline.networks.training import TrainingPlan
from regime_nas_pipeline.search.space import Interval, Options
from regime_nas_pipeline.walkforward.building import Shared, build_forecaster, forecaster_arguments
from regime_nas_pipeline.walkforward.parameters import (
    AllocatorChoice,
    Compute,
    Evaluation,
    ForecasterChoice,
    LabellerChoice,
    Portfolio,
    Regimes,
    Search,
    SearchSpace,
    Training,
    Universe,
    WalkForward,
)
from regime_nas_pipeline.walkforward.tuning import NOT_SEARCHED

GRU = "regime_nas_pipeline.forecasters.gru.GRUForecaster"
MOMENTUM = "regime_nas_pipeline.forecasters.momentum.MomentumForecaster"
GARCH = "regime_nas_pipeline.forecasters.garch.GarchForecaster"
SHARPE = "regime_nas_pipeline.portfolio.allocate.MaximumSharpe"
KMEANS = "regime_nas_pipeline.regimes.kmeans.KMeansLabeller"

BLOCKS: dict[type[Strict], dict[str, Any]] = {
    Compute: {"seed": 1},
    Universe: {"benchmark": "SPX", "min_history": 252, "bars_per_year": 252},
    WalkForward: {
        "first_oos": "2015-01-01",
        "horizon": 21,
        "execution_lag": 2,
        "refit_every": 126,
        "rebalance_every": 21,
    },
    Training: {
        "n_seeds": 2,
        "max_samples": 500,
        "batch_dates": 4,
        "sample_every": 7,
        "validation_fraction": 0.3,
        "embargo": 1,
        "patience": 5,
        "plateau_patience": 2,
        "gradient_clip": 0.5,
    },
    Regimes: {
        "labeller": {"class": KMEANS, "params": {}},
        "burn_in": 252,
        "refit_every": 63,
    },
    Search: {
        "budget": 1000,
        "trials": 4,
        "cell_search": {"budget_share": 0.4},
    },
    Portfolio: {
        "allocator": {"class": SHARPE, "params": {}},
        "max_weight": 0.2,
        "cost_bps": 5.0,
        "risk_free": 0.01,
    },
    Evaluation: {
        "sub_periods": [{"name": "crash", "first": "2020-02-01", "last": "2020-04-30"}],
        "limits": ["Survivors only."],
    },
}
SHARED = Shared(
    walk_forward=WalkForward(**BLOCKS[WalkForward]),
    training=Training(**BLOCKS[Training]),
    compute=Compute(seed=99, device="cpu"),
)


def _forecaster(path: str, **params: Any) -> ForecasterChoice:
    return ForecasterChoice(**{"class": path, "params": params})


@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_reads_its_values_and_refuses_an_unknown_key(block: type[Strict]):
    read = block(**BLOCKS[block])
    assert set(BLOCKS[block]) <= set(type(read).model_fields)
    with pytest.raises(ValidationError, match=r"misspelt\n.*Extra inputs are not permitted"):
        block(**BLOCKS[block], misspelt=1)


@pytest.mark.parametrize(
    ("block", "place"),
    [
        (Search, ("cell_search",)),
        (Portfolio, ("allocator",)),
        (Regimes, ("labeller",)),
        (Evaluation, ("sub_periods", 0)),
    ],
)
def test_unknown_keys_are_refused_below_the_first_level_too(
    block: type[Strict], place: tuple[str | int, ...]
):
    values = BLOCKS[block]
    inner = values[place[0]] if len(place) == 1 else values[place[0]][place[1]]
    spoilt = {**inner, "misspelt": 1}
    changed = {**values, place[0]: spoilt if len(place) == 1 else [spoilt]}
    where = r"\.".join(map(str, place))
    with pytest.raises(ValidationError, match=rf"{where}\.misspelt\n.*Extra inputs"):
        block(**changed)


@pytest.mark.parametrize(
    ("block", "change"),
    [
        (Compute, {"n_jobs": 0}),
        (Compute, {"n_jobs": -2}),
        (Compute, {"seed": -1}),
        (Universe, {"min_history": 0}),
        (Universe, {"max_gap": -1}),
        (Universe, {"bars_per_year": 0}),
        (WalkForward, {"horizon": 0}),
        (WalkForward, {"execution_lag": -1}),
        (WalkForward, {"refit_every": 0}),
        (WalkForward, {"rebalance_every": 0}),
        (WalkForward, {"first_oos": "soon"}),
        (WalkForward, {"window": "sliding"}),
        (Training, {"n_seeds": 0}),
        (Training, {"validation_fraction": 1.0}),
        (Training, {"gradient_clip": 0.0}),
        (Regimes, {"burn_in": 0}),
        (Search, {"strategy": "grid"}),
        (Search, {"validation_fraction": 0.0}),
        (Search, {"exploration": 1.1}),
        (Search, {"cell_search": {"budget_share": 1.0}}),
        (Search, {"trials": 0}),
        (Portfolio, {"max_weight": 0.0}),
        (Portfolio, {"max_weight": 1.1}),
        (Portfolio, {"cost_bps": -1.0}),
        (Portfolio, {"risk_free": -1.0}),
        (
            Evaluation,
            {"sub_periods": [{"name": "x", "first": "2020-02-01", "last": "2020-01-31"}]},
        ),
    ],
)
def test_values_out_of_range_are_refused(block: type[Strict], change: dict[str, Any]):
    with pytest.raises(ValidationError, match=next(iter(change))):
        block(**{**BLOCKS[block], **change})


@pytest.mark.parametrize("n_jobs", [-1, 1, 8])
def test_every_core_or_a_number_of_processes(n_jobs: int):
    assert Compute(seed=0, n_jobs=n_jobs).n_jobs == n_jobs


def test_a_rolling_window_and_its_bars_belong_together():
    values = BLOCKS[WalkForward]
    assert WalkForward(**values, window="rolling", window_bars=500).window_bars == 500
    assert WalkForward(**values, window="expanding").window_bars is None
    for wrong in ({"window": "rolling"}, {"window": "expanding", "window_bars": 500}):
        with pytest.raises(ValidationError, match="window_bars belongs to window: rolling"):
            WalkForward(**values, **wrong)


def test_dates_are_dates():
    walk_forward = WalkForward(**BLOCKS[WalkForward])
    assert walk_forward.first_oos == dt.date(2015, 1, 1)
    assert walk_forward.first_oos_stamp == pd.Timestamp("2015-01-01")
    [period] = Evaluation(**BLOCKS[Evaluation]).sub_periods
    assert (period.first, period.last) == (dt.date(2020, 2, 1), dt.date(2020, 4, 30))


@pytest.mark.parametrize(
    ("choice", "path", "complaint"),
    [
        (ForecasterChoice, "os.path.join", "module 'os.path' is not allowed"),
        (ForecasterChoice, GRU + "s", "has no 'GRUForecasters'. It has: GRUForecaster"),
        (ForecasterChoice, "regime_nas_pipeline.forecasters.grus.GRU", "no module named"),
        (ForecasterChoice, SHARPE, "is not a Forecaster"),
        (AllocatorChoice, GRU, "is not a Allocator|is not an Allocator"),
        (LabellerChoice, GRU, "is not a Labeller"),
    ],
)
def test_a_wrong_class_path_is_an_error(choice: Any, path: str, complaint: str):
    with pytest.raises(ParameterError, match=complaint):
        choice(**{"class": path})


@pytest.mark.parametrize(
    ("choice", "path", "params", "complaint"),
    [
        (ForecasterChoice, GRU, {"hidden": 3}, "GRUForecaster has no parameter 'hidden'"),
        (ForecasterChoice, GRU, {"width": "wide"}, "GRUForecaster.width: Input should be"),
        (ForecasterChoice, GRU, {"mode": "both"}, "GRUForecaster.mode"),
        (AllocatorChoice, SHARPE, {"cap": 0.2}, "MaximumSharpe has no parameter 'cap'"),
        (LabellerChoice, KMEANS, {"clusters": 3}, "KMeansLabeller has no parameter 'clusters'"),
    ],
)
def test_a_wrong_argument_is_an_error_before_anything_runs(
    choice: Any, path: str, params: dict[str, Any], complaint: str
):
    with pytest.raises(ParameterError, match=complaint):
        choice(**{"class": path, "params": params})


def test_a_search_space_is_read_by_kind_and_refuses_what_it_does_not_know():
    space = SearchSpace.model_validate(
        {
            "width": {"kind": "options", "options": [8, 16]},
            "learning_rate": {"kind": "interval", "low": 1e-4, "high": 1e-2, "log": True},
        }
    ).root
    assert space == {
        "width": Options(options=(8, 16)),
        "learning_rate": Interval(low=1e-4, high=1e-2, log=True),
    }
    for wrong in ({"kind": "grid"}, {"kind": "options", "options": [1], "log": True}):
        with pytest.raises(ValidationError):
            SearchSpace.model_validate({"width": wrong})


def test_the_outer_search_gets_its_settings():
    outer = Search(**BLOCKS[Search], batch=3, start_up=2, exploration=0.2).outer()
    assert (outer.trials, outer.batch, outer.start_up) == (4, 3, 2)
    assert (outer.strategy, outer.exploration) == ("bayesian", 0.2)


def test_the_training_block_is_the_plan_of_every_network():
    assert Training(**BLOCKS[Training]).plan() == TrainingPlan(
        max_samples=500,
        batch_dates=4,
        sample_every=7,
        validation_fraction=0.3,
        embargo=1,
        patience=5,
        plateau_patience=2,
        gradient_clip=0.5,
    )


def test_the_cosine_has_no_plateau_to_wait_for():
    block = {**BLOCKS[Training], "schedule": "cosine"}
    with pytest.raises(ValidationError, match="plateau_patience belongs to schedule: plateau"):
        Training(**block)
    del block["plateau_patience"]
    assert Training(**block).plan().schedule == "cosine"
    with pytest.raises(ValidationError, match="plateau_patience belongs to schedule: plateau"):
        Training(**{**block, "schedule": "plateau"})


def test_arguments_are_what_is_chosen_and_what_the_run_shares():
    arguments = forecaster_arguments(_forecaster(GRU, width=5, lookback=30), SHARED)
    assert arguments == {
        "width": 5,
        "lookback": 30,
        "horizon": 21,
        "execution_lag": 2,
        "training": SHARED.training.plan(),
        "n_seeds": 2,
        "seed": 99,
        "device": "cpu",
    }


def test_a_search_can_look_for_nothing_that_the_run_shares():
    # Weights of the objective are searched by their own names, not as a whole.
    assert set(SHARED.arguments()) | {"objective"} == NOT_SEARCHED


@pytest.mark.parametrize("name", ["horizon", "execution_lag", "seed", "device", "n_seeds"])
def test_what_the_run_shares_cannot_be_set_for_one_forecaster(name: str):
    value = "cpu" if name == "device" else 1
    with pytest.raises(ParameterError, match=f"{name} is set once for the whole run"):
        forecaster_arguments(_forecaster(GRU, **{name: value}), SHARED)


def test_what_a_search_found_takes_precedence_over_what_is_chosen():
    choice = _forecaster(GRU, width=5, lookback=30)
    found = {"width": 7, "learning_rate": 0.01, "timeframes": [1, 5]}
    built = build_forecaster(choice, SHARED, found)
    assert isinstance(built, GRUForecaster)
    assert (built.width, built.lookback, built.learning_rate) == (7, 30, 0.01)
    assert built.timeframes == (1, 5)
    assert (built.horizon, built.execution_lag, built.seed) == (21, 2, 99)
    assert (built.n_seeds, built.device, built.training) == (2, "cpu", SHARED.training.plan())
    assert build_forecaster(choice, SHARED).width == 5


def test_a_forecaster_without_a_seed_is_built_without_one():
    momentum = build_forecaster(_forecaster(MOMENTUM, lookback=10), SHARED)
    assert isinstance(momentum, MomentumForecaster)
    assert momentum.get_params() == {
        "horizon": 21,
        "execution_lag": 2,
        "lookback": 10,
        "slope": 1.0,
    }
    garch = build_forecaster(_forecaster(GARCH), SHARED)
    assert isinstance(garch, GarchForecaster)
    assert (garch.horizon, garch.execution_lag) == (21, 2)


def test_a_found_argument_that_does_not_exist_is_an_error():
    with pytest.raises(ParameterError, match="MomentumForecaster has no parameter 'width'"):
        build_forecaster(_forecaster(MOMENTUM), SHARED, {"width": 3})
