"""Forecasters with and without what mends calibration, walked forward on the same seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.clustered import overlap_lags
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.parallel import parallel_map
from regime_nas_pipeline.forecasters.base import Forecaster, as_plain
from regime_nas_pipeline.forecasters.calibrated import CalibratedForecaster
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.allocate import EqualWeight
from regime_nas_pipeline.walkforward.building import Shared, build_forecaster
from regime_nas_pipeline.walkforward.calibration_parameters import PARTS, PLAIN, CalibrationTrial
from regime_nas_pipeline.walkforward.calibration_scores import Judged, score_remedy
from regime_nas_pipeline.walkforward.candidates import Trading
from regime_nas_pipeline.walkforward.deciding import Choices, choices_at
from regime_nas_pipeline.walkforward.evaluation import (
    decision_dates,
    forecast_arrays,
    training_figures,
)
from regime_nas_pipeline.walkforward.evaluation_ledger import VariantReturns, Whose
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.forecasts import WalkForwardForecasts, walk_forward
from regime_nas_pipeline.walkforward.parameters import ForecasterChoice
from regime_nas_pipeline.walkforward.seeded_walks import Run, walk_seeds
from regime_nas_pipeline.walkforward.trading import trade

RESULTS = ("forecaster", "variant", "seed", "metric", "value")
"""Columns of the results."""

FACTORS = (
    "forecaster",
    "fit",
    "seed",
    "fold",
    "factor",
    "slope",
    "slope_error",
    "weight",
    "bound",
    "n_dates",
)
"""Columns of the factors that were learned."""


def trained_ways(
    name: str,
    choice: ForecasterChoice,
    shared: Shared,
    found: dict[str, Any],
    trial: CalibrationTrial,
) -> dict[str, Forecaster]:
    """The forecasters that the variants of one forecaster need, by the name of their fit.

    Args:
        name: Of the forecaster, for error messages.
        choice: Its class and arguments.
        shared: What every forecaster of the run shares.
        found: What its search found.
        trial: Which variants are tried, and their settings.

    Raises:
        ParameterError: It is no network, or was trained with that ranking loss all along.
    """
    plain = build_forecaster(choice, shared, found)
    if not isinstance(plain, NeuralForecaster):
        raise ParameterError(
            f"calibration compares networks; {name}.forecaster.class is '{choice.class_path}'."
        )
    if plain.objective.ranking_weight == trial.ranking_weight:
        raise ParameterError(
            f"calibration.ranking_weight is {trial.ranking_weight:g} and {name} is trained with "
            "that weight already; choose another one, or take ranking_weight out of its objective."
        )
    objective = replace(plain.objective, ranking_weight=trial.ranking_weight)
    ranked = clone(plain).set_params(objective=objective)
    made: dict[str, Forecaster] = {
        "plain": plain,
        "ranking": ranked,
        "spread": _calibrated(plain, choice, shared, trial),
        "ranking_spread": _calibrated(ranked, choice, shared, trial),
    }
    needed = {PARTS[variant].training for variant in (PLAIN, *trial.variants)}
    return {fit: forecaster for fit, forecaster in made.items() if fit in needed}


def _calibrated(
    inner: NeuralForecaster, choice: ForecasterChoice, shared: Shared, trial: CalibrationTrial
) -> CalibratedForecaster:
    common = shared.arguments()
    own = {
        key: as_plain(asdict(value) if key == "objective" else value)
        for key, value in inner.get_params(deep=False).items()
        if key not in common
    }
    return CalibratedForecaster(
        forecaster=choice.class_path,
        params=own,
        prior_deviation=trial.prior_deviation,
        cap=trial.cap,
        **common,
    )


@dataclass(frozen=True)
class Scene:
    """Where all variants are walked and scored.

    Attributes:
        market: Prices to the end of the sample, with regimes where a forecaster needs them.
        folds: Who is trained when.
        trading: How forecasts are traded for the Sharpe ratio.
        rebalance_every: Bars from one decision to the next.
        cache: Where finished folds are kept.
        n_jobs: Processes.
    """

    market: Market
    folds: list[Fold]
    trading: Trading
    rebalance_every: int
    cache: PieceCache
    n_jobs: int = 1


def run_remedies(
    fits: Mapping[str, Mapping[str, Forecaster]],
    garch: Forecaster,
    scene: Scene,
    trial: CalibrationTrial,
    *,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame, VariantReturns]:
    """Walk every fit of every forecaster forward on every seed, and score every variant.

    Args:
        fits: Forecaster to its fits by name; see :func:`trained_ways`.
        garch: Whose volatilities are used where a variant asks for GARCH.
        scene: Where.
        trial: Which variants, on how many seeds.
        seed: What the seeds are derived from.

    Returns:
        Results (:data:`RESULTS`), learned factors (:data:`FACTORS`), and the returns that the
        Sharpe ratios are made of.

    Raises:
        ParameterError: ``garch`` makes no volatility forecasts.
    """
    prototypes = {
        _key(name, fit): forecaster for name, own in fits.items() for fit, forecaster in own.items()
    }
    walks = walk_seeds(
        prototypes,
        scene.market,
        scene.folds,
        n_seeds=trial.seeds,
        seed=seed,
        cache=scene.cache,
        n_jobs=scene.n_jobs,
        name="calibration",
    )
    dates = decision_dates(scene.folds)
    volatility = None
    if any(PARTS[variant].garch for variant in trial.variants):
        volatility = garch_volatility(garch, scene, dates)
    named = [
        (name, variant, number)
        for name in fits
        for variant in (PLAIN, *trial.variants)
        for number in range(trial.seeds)
    ]
    walked = [walks[Run(_key(n, PARTS[v].training), number)] for n, v, number in named]
    choices = choices_at(scene.market, dates, scene.trading.rules.horizon)
    tasks = _scoring_tasks([v for _, v, _ in named], walked, volatility, scene, choices)
    scored = parallel_map(
        score_remedy,
        tasks,
        n_jobs=scene.n_jobs,
        description="calibration: trade and score",
        unit="walk",
    )
    rows = [
        (name, variant, number, metric, value)
        for (name, variant, number), walk, (found, _) in zip(named, walked, scored, strict=True)
        for metric, value in {**found, **training_figures(walk.log)}.items()
    ]
    results = pd.DataFrame(rows, columns=list(RESULTS)).astype({"value": float})
    returns = VariantReturns(
        {
            Whose(name, number + 1, variant): net
            for (name, variant, number), (_, net) in zip(named, scored, strict=True)
        },
        trade(scene.market, choices, EqualWeight(), scene.trading.rules).backtest.net,
    )
    return results, learned_factors(walks), returns


def _key(name: str, fit: str) -> str:
    return f"{name}/{fit}"


def garch_volatility(garch: Forecaster, scene: Scene, dates: pd.DatetimeIndex) -> np.ndarray:
    """GARCH's volatility forecasts over the same folds, (D, N).

    Raises:
        ParameterError: It makes none.
    """
    walk = walk_forward(
        garch,
        scene.market,
        scene.folds,
        cache=scene.cache,
        n_jobs=scene.n_jobs,
        name="calibration, volatilities",
    )
    volatility = forecast_arrays(walk.forecasts, scene.market, dates)["volatility"]
    if not np.isfinite(volatility).any():
        raise ParameterError(
            "calibration: the forecaster of the block 'garch' makes no volatility forecasts; "
            "choose one that does, or leave out garch_covariance and all_three."
        )
    return volatility


def _scoring_tasks(
    variants: list[str],
    walked: list[WalkForwardForecasts],
    volatility: np.ndarray | None,
    scene: Scene,
    choices: dict[pd.Timestamp, Choices],
) -> list[tuple[Any, ...]]:
    rules, market, dates = scene.trading.rules, scene.market, pd.DatetimeIndex(list(choices))
    target = market.target(rules.horizon, rules.execution_lag)[market.dates.get_indexer(dates)]
    rescaled = None if volatility is None else choices_at(market, dates, rules.horizon, volatility)
    plain = replace(market, regimes=None, regime_names=(), fields={})
    lags = overlap_lags(rules.horizon, scene.rebalance_every)
    tasks = []
    for variant, walk in zip(variants, walked, strict=True):
        made = forecast_arrays(walk.forecasts, market, dates)
        if PARTS[variant].garch and volatility is not None:
            judged, universe = Judged(made["mean"], volatility, target), rescaled
        else:
            judged, universe = Judged(made["mean"], made["volatility"], target), choices
        tasks.append((plain, judged, universe, scene.trading, lags))
    return tasks


def learned_factors(walks: Mapping[Run, WalkForwardForecasts]) -> pd.DataFrame:
    """The factor of every fold of every calibrated walk, one row each (:data:`FACTORS`)."""
    rows = []
    for run, walk in walks.items():
        name, _, fit = run.name.partition("/")
        for entry, facts in zip(walk.log, walk.checkpoints.facts["folds"], strict=True):
            if "spread" in facts:
                who = {"forecaster": name, "fit": fit, "seed": run.seed, "fold": entry["fold"]}
                rows.append({**who, **facts["spread"]})
    kinds = {"factor": float, "slope": float, "slope_error": float, "weight": float}
    return pd.DataFrame(rows, columns=list(FACTORS)).astype(kinds)
