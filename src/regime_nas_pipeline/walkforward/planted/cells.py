"""One cell of the planted experiment: a forecaster on one simulated market in one input track."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache, code_version, content_hash
from regime_nas_pipeline.core.params import check_arguments, load_class, with_common
from regime_nas_pipeline.forecasters.base import Forecaster, as_plain
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.forecasters.oracle import OracleForecaster
from regime_nas_pipeline.networks.training import derived_seed, resolved
from regime_nas_pipeline.search.ledger import ledger_rows
from regime_nas_pipeline.search.outer import best_trial
from regime_nas_pipeline.verdict.accuracy import forecast_accuracy
from regime_nas_pipeline.walkforward.candidates import Task, build_candidate, validation_dates
from regime_nas_pipeline.walkforward.forecasts import class_content
from regime_nas_pipeline.walkforward.parameters import Compute
from regime_nas_pipeline.walkforward.planted.gates import agreement, detected_gates
from regime_nas_pipeline.walkforward.planted.markets import (
    HORIZON,
    LAG,
    SimulatedMarket,
    simulate,
)
from regime_nas_pipeline.walkforward.planted.parameters import (
    FEATURES,
    ORACLE,
    MarketKind,
    Markets,
    Planted,
    PlantedForecaster,
    Track,
)
from regime_nas_pipeline.walkforward.tuning import plan_validation, search_facts, tune

MEASURES = ("mae", "rmse", "r2", "theil_u", "rank_ic", "spread_ratio")


@dataclass(frozen=True)
class Cell:
    """Which market, inputs and forecaster.

    Attributes:
        market: Kind of market.
        seed: Seed of the market; searches and networks draw from it and the run's seed.
        track: What networks are shown.
        forecaster: Name, or ``oracle``.
    """

    market: MarketKind
    seed: int
    track: Track
    forecaster: str

    def __str__(self) -> str:
        """For progress bars."""
        return f"{self.market} {self.seed}, {self.track}, {self.forecaster}"


def all_cells(planted: Planted) -> list[Cell]:
    """Every cell of the experiment, the planted markets first, and in them the subject."""
    cells = [
        Cell("planted", seed, track, name)
        for name in (*planted.forecasters, ORACLE)
        for seed in planted.markets.seeds
        for track in planted.tracks
    ]
    kinds: tuple[MarketKind, ...] = ("no_regime", "martingale")
    return cells + [
        Cell(kind, seed, track, name)
        for kind in kinds
        for name in planted.controls.forecasters
        for seed in planted.controls.seeds
        for track in planted.controls.tracks
    ]


def shared_arguments(planted: Planted, track: Track, compute: Compute, seed: int) -> dict[str, Any]:
    """Constructor arguments that every forecaster of a cell shares, where it knows them."""
    training = planted.training
    return {
        "horizon": HORIZON,
        "execution_lag": LAG,
        "features": FEATURES[track],
        # R² is measured in returns, so that is what everybody minimises.
        "target_scale": "constant",
        "training": training.plan(),
        "n_seeds": training.n_seeds,
        "sample_every": training.sample_every,
        "validation_fraction": training.validation_fraction,
        "embargo": training.embargo,
        "seed": derived_seed(compute.seed, seed),
        "device": compute.device,
    }


def cell_arguments(
    choice: PlantedForecaster, planted: Planted, track: Track, compute: Compute, seed: int
) -> tuple[type[Forecaster], dict[str, Any]]:
    """Class and constructor arguments of a cell's forecaster before its search.

    Raises:
        ParameterError: An argument is chosen that the experiment sets for everybody.
    """
    cls = load_class(choice.class_path, Forecaster)
    common = shared_arguments(planted, track, compute, seed)
    return cls, with_common(cls, choice.params, common)


def cell_piece(cell: Cell, planted: Planted, compute: Compute, cache: PieceCache) -> Bundle:
    """The outcome of a cell, made or found among the finished pieces; see :func:`run_cell`."""
    key = cell_key(cell, planted, compute)
    return cache.get_or_make(key, lambda: run_cell(cell, planted, compute, cache))


def cell_key(cell: Cell, planted: Planted, compute: Compute) -> str:
    """Hash of everything that a cell depends on: other seeds and forecasters are not part of it."""
    markets = planted.markets.model_dump(mode="json", exclude={"seeds"})
    own: list[Any] = []
    if cell.forecaster != ORACLE:
        choice = planted.forecasters[cell.forecaster]
        cls, arguments = cell_arguments(choice, planted, cell.track, compute, cell.seed)
        own = [
            class_content(cls),
            {name: str(value) for name, value in resolved(arguments).items()},
            choice.model_dump(mode="json"),
            choice.own_search(planted.search).model_dump(mode="json"),
            planted.training.model_dump(mode="json"),
        ]
    # The seed of the searches, which the oracle's piece has no use for.
    return content_hash(code_version(), asdict(cell), markets, compute.seed, own)


def run_cell(cell: Cell, planted: Planted, compute: Compute, cache: PieceCache) -> Bundle:
    """Simulate, search, fit once and forecast.

    Returns:
        Arrays ``mean`` (D, N) and, where there is one, ``weights`` (D, K): the filtered states of
        the oracle, or the gate of a gated network. Facts: the figures of the forecasts,
        ``parameters`` that the search found, ``search`` (how) and ``trials`` (ledger rows).
    """
    simulated = simulate(planted.markets, cell.market, cell.seed)
    if cell.forecaster == ORACLE:
        return oracle_outcome(planted.markets, simulated)
    return forecaster_outcome(cell, simulated, planted, compute, cache)


def oracle_outcome(markets: Markets, simulated: SimulatedMarket) -> Bundle:
    """The best possible forecast of a planted market, and the states that it filtered."""
    oracle = OracleForecaster(
        horizon=HORIZON,
        execution_lag=LAG,
        phi=markets.phi,
        stay=markets.stay,
        volatility=markets.volatility,
        volatile_ratio=markets.volatile_ratio,
    ).fit(simulated.known)
    forecast = oracle.predict(simulated.market, simulated.decisions)
    weights = oracle.filtered_states(simulated.market.log_returns)[simulated.rows]
    return _bundle(oracle, forecast.mean, simulated, weights)


def forecaster_outcome(
    cell: Cell,
    simulated: SimulatedMarket,
    planted: Planted,
    compute: Compute,
    cache: PieceCache,
) -> Bundle:
    """Search on the first bars, fit the best candidate on them, forecast all others."""
    choice = planted.forecasters[cell.forecaster]
    cls, arguments = cell_arguments(choice, planted, cell.track, compute, cell.seed)
    found: dict[str, Any] = {}
    facts: dict[str, Any] = {}
    if issubclass(cls, NeuralForecaster):
        found, facts = _searched(cell, cls, arguments, simulated, planted, cache)
        fitted = build_candidate(cls, arguments, found)
    else:
        fitted = cls(**check_arguments(cls, arguments))
    fitted.fit(simulated.known)
    forecast = fitted.predict(simulated.market, simulated.decisions)
    weights = None
    if isinstance(fitted, NeuralForecaster):
        weights = detected_gates(fitted, simulated.market, simulated.decisions)
    outcome = _bundle(fitted, forecast.mean, simulated, weights)
    return Bundle(outcome.arrays, {**outcome.facts, "parameters": found, **facts})


def _searched(
    cell: Cell,
    cls: type[NeuralForecaster],
    arguments: dict[str, Any],
    simulated: SimulatedMarket,
    planted: Planted,
    cache: PieceCache,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the search found, and how, with every trial."""
    choice = planted.forecasters[cell.forecaster]
    search = choice.own_search(planted.search)
    known = simulated.known
    task = Task(
        forecaster=cls,
        arguments=arguments,
        market=known,
        validation=plan_validation(
            known,
            fraction=search.validation_fraction,
            rebalance_every=1,
            horizon=HORIZON,
            execution_lag=LAG,
        ),
        search=search,
        trading=None,
    )
    trials, search_id = tune(task, choice.space, seed=arguments["seed"], cache=cache, n_jobs=1)
    rows = ledger_rows(
        trials,
        search_id=search_id,
        forecaster=cell.forecaster,
        strategy=search.strategy,
        dates=validation_dates(task),
    )
    facts = {
        "search": search_facts(trials, search_id, task),
        "trials": rows.to_dict("records"),
    }
    return best_trial(trials).outcome.parameters, facts


def _bundle(
    fitted: Forecaster, mean: np.ndarray, simulated: SimulatedMarket, weights: np.ndarray | None
) -> Bundle:
    report = fitted.fit_report_
    facts = {
        "figures": {
            **accuracy(mean, simulated.target),
            "epochs": report.epochs,
            "gradient_samples": report.gradient_samples,
            "seconds": report.seconds,
            "parameters": report.parameters,
        }
    }
    arrays = {"mean": mean}
    if weights is not None:
        arrays["weights"] = weights
        if simulated.states is not None:
            states = simulated.states[simulated.rows]
            in_order = isinstance(fitted, OracleForecaster)
            facts["figures"]["agreement"] = agreement(weights, states, in_order=in_order)
            facts["figures"]["commonest_state"] = float(np.bincount(states).max() / len(states))
    return Bundle(arrays, as_plain(facts))


def accuracy(mean: np.ndarray, target: np.ndarray) -> dict[str, float | None]:
    """The usual figures; R² is against zero, which is the mean of every simulated return."""
    figures = forecast_accuracy(mean, target, np.zeros(mean.shape[1]))
    return {name: figures[name] for name in MEASURES}
