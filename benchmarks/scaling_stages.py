"""What ``scaling.py`` times: every stage of a walk forward, on its own, on a simulated market.

A stage is a function of a :class:`Cell` that gets its inputs ready and returns the work itself.
Inputs are read from files that :func:`write_inputs` left in the cell's folder, so that each stage
can be measured in a process of its own.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import torch
from scaling_cell import BARS_PER_YEAR, FORECASTERS, Cell, simulated_bars

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.datasets.parquet_prices import ParquetPricesDataset
from regime_nas_pipeline.forecasters.base import Forecaster
from regime_nas_pipeline.forecasters.garch import GarchForecaster
from regime_nas_pipeline.forecasters.gru import GRUForecaster
from regime_nas_pipeline.forecasters.inputs import InputSpec, training_windows
from regime_nas_pipeline.forecasters.momentum import MomentumForecaster
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster
from regime_nas_pipeline.forecasters.transformer import TransformerForecaster
from regime_nas_pipeline.market.features import make_features
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.schema import PriceTable
from regime_nas_pipeline.networks.operations import BLOCK_OPERATIONS
from regime_nas_pipeline.networks.regime_net import BLOCKS, describe_blocks
from regime_nas_pipeline.networks.training import TrainingPlan
from regime_nas_pipeline.pipelines.common import folds_of, market_of, rules_of
from regime_nas_pipeline.pipelines.ingestion.nodes import validate_prices
from regime_nas_pipeline.pipelines.regime_labelling.nodes import label_and_record
from regime_nas_pipeline.pipelines.verdict.economics import explain_returns, reckon_costs
from regime_nas_pipeline.pipelines.verdict.nodes import compare_all
from regime_nas_pipeline.pipelines.walk_forward_evaluation.nodes import (
    measure_forecasts,
    record_closures,
)
from regime_nas_pipeline.portfolio.allocate import EqualWeight, MaximumSharpe
from regime_nas_pipeline.regimes.kmeans import KMeansLabeller
from regime_nas_pipeline.walkforward import evaluation
from regime_nas_pipeline.walkforward.deciding import choices_at, decide
from regime_nas_pipeline.walkforward.fold_fits import pasts
from regime_nas_pipeline.walkforward.forecasts import walk_forward
from regime_nas_pipeline.walkforward.parameters import (
    Compute,
    Regimes,
    WalkForward,
)
from regime_nas_pipeline.walkforward.trading import trade
from regime_nas_pipeline.walkforward.verdict_parameters import Verdict

Work = Callable[[], Any]
CPU = torch.device("cpu")

REFITS = 10
"""Fits of a schedule that has as many on any number of years."""

for late in ("arch.univariate", "empyrical"):  # imported at their first call, which is no cost here
    importlib.import_module(late)


def write_inputs(cell: Cell) -> None:
    """Simulate prices, prepare them, and leave both in the cell's folder."""
    simulated_bars(cell.assets, cell.years).to_parquet(cell.folder / "raw.parquet", index=False)
    prices, *_ = ingest(cell)()
    prices.to_parquet(cell.folder / "prices.parquet", index=False)


def read(cell: Cell) -> Work:
    """A tidy Parquet file as raw prices."""
    return ParquetPricesDataset(filepath=str(cell.folder / "raw.parquet")).load


def ingest(cell: Cell) -> Work:
    """Checks, repairs, data-quality report and manifest."""
    raw, regimes = read(cell)(), cell.block(Regimes, "regimes")
    return lambda: validate_prices(raw, cell.universe, cell.schedule, regimes)


def check_schema(cell: Cell) -> Work:
    """What the catalog does whenever prices are stored or loaded."""
    return lambda table=cell.prices: PriceTable.validate(table)


def make_market(cell: Cell) -> Work:
    """The tidy table as aligned arrays, which nearly every node does."""
    return lambda table=cell.prices: market_of(table, cell.universe)


def features(cell: Cell) -> Work:
    """Features of every bar."""
    return lambda market=cell.market: make_features(market, (1, 5, 21))


def one_label_fit(cell: Cell) -> Work:
    """One fit of the labeller on all bars, and their labels."""
    market = cell.market
    return lambda: KMeansLabeller().fit(market).predict_online(market, market.dates)


def all_labels(refits: int | None = None) -> Callable[[Cell], Work]:
    """The labels of every bar, refitted on all bars so far: so often, or every 126 bars."""

    def stage(cell: Cell) -> Work:
        table, regimes, compute = cell.prices, cell.block(Regimes, "regimes"), Compute(seed=0)
        if refits is not None:
            every = (len(cell.market.dates) - regimes.burn_in) // refits
            regimes = cell.block(Regimes, "regimes", refit_every=every)
        return lambda: label_and_record(table, cell.universe, regimes, compute)

    return stage


def windows(cell: Cell) -> Work:
    """The scaled windows that networks learn from."""
    spec = InputSpec(lookback=63, timeframes=(1, 5, 21), horizon=21, execution_lag=1)
    return lambda market=cell.training: training_windows(market, spec, CPU)


def small_network(name: str, samples: int) -> Forecaster:
    """A network of width 16 that is trained on so many windows, without early stopping."""
    plan = TrainingPlan(max_samples=samples, batch_dates=4, patience=1_000_000)
    shared: dict[str, Any] = {"training": plan, "n_seeds": 1, "device": "cpu", "width": 16}
    if name == "gru":
        return GRUForecaster(**shared, layers=1)
    if name == "transformer":
        return TransformerForecaster(**shared, layers=1, attention_heads=2)
    own = {(block, 1, "input"): BLOCK_OPERATIONS[block][-1] for block in BLOCKS}
    cells = describe_blocks(own, n_nodes=1)
    return RegimeNasForecaster(**shared, blocks=cells, attention_heads=2)


def fit(name: str) -> Callable[[Cell], Work]:
    """One fit on the longest training window."""

    def stage(cell: Cell) -> Work:
        market = cell.training
        samples = cell.passes * cell.assets * len(market.dates) / TrainingPlan().sample_every
        plain: dict[str, Callable[[], Forecaster]] = {
            "garch": GarchForecaster,
            "momentum": MomentumForecaster,
        }
        model = plain[name]() if name in plain else small_network(name, int(samples))
        return lambda: model.fit(market)

    return stage


def predict(name: str) -> Callable[[Cell], Work]:
    """Forecasts of one model at every rebalance, each from the market up to its date."""

    def stage(cell: Cell) -> Work:
        market = cell.market
        plain: dict[str, Callable[[], Forecaster]] = {
            "garch": GarchForecaster,
            "momentum": MomentumForecaster,
        }
        # What plain models sum up when they are fitted, they need not read again: fitted for each
        # fold, as in a walk. How long ago a network was trained costs its forecasts nothing.
        if name in plain:
            fitted = [plain[name]().fit(_recent(market, fold.train_end)) for fold in cell.folds]
        else:
            network = small_network(name, 4 * cell.assets)
            last = network.fit(_recent(market, cell.training.dates[-1]))
            fitted = [last] * len(cell.folds)

        def work() -> None:
            for fold, model in zip(cell.folds, fitted, strict=True):
                for past in pasts(
                    market, fold.decisions, model.prediction_bars(), model.prediction_start()
                ):
                    model.predict(past.listed(), past.dates[-1:])

        return work

    return stage


def _recent(market: Market, end: pd.Timestamp) -> Market:
    """The last 500 bars up to a date: enough to fit something."""
    stop = market.position(end) + 1
    return market.slice(max(0, stop - 500), stop)


def walk(window: str, refits: int | None = None) -> Callable[[Cell], Work]:
    """A whole walk forward of momentum, refitted so often, or every 126 bars."""

    def stage(cell: Cell) -> Work:
        changed: dict[str, Any] = {"window": window}
        if window == "rolling":
            changed |= {"window_bars": 2 * BARS_PER_YEAR}
        if refits is not None:
            first = cell.market.dates.searchsorted(pd.Timestamp(cell.schedule.first_oos))
            changed |= {"refit_every": (len(cell.market.dates) - int(first)) // refits}
        market = cell.market
        folds = folds_of(market, cell.block(WalkForward, "walk_forward", **changed))
        return lambda: walk_forward(MomentumForecaster(), market, folds, cache=PieceCache(None))

    return stage


def covariance(cell: Cell) -> Work:
    """The covariance of every decision."""
    return lambda market=cell.market: choices_at(market, cell.decisions, 21)


def quadratic_program(cell: Cell) -> Work:
    """The highest Sharpe ratio at every decision, for one strategy."""
    market, rules = cell.market, rules_of(cell.schedule, cell.portfolio)
    choices = choices_at(market, cell.decisions, rules.horizon)
    table = cell.forecasts["momentum"]
    mean = evaluation.forecast_arrays(table, market, cell.decisions, ["mean"])["mean"]
    return lambda: decide(market, choices, MaximumSharpe(), rules, mean)


def backtest(cell: Cell) -> Work:
    """One strategy that holds every asset, traded over all bars."""
    market, rules = cell.market, rules_of(cell.schedule, cell.portfolio)
    return lambda choices=cell.choices: trade(market, choices, EqualWeight(), rules)


def traded(cell: Cell) -> evaluation.StrategyResults:
    """Eight strategies, seven of which hold every asset; nothing is solved."""
    rules = rules_of(cell.schedule, cell.portfolio)
    # Covariances and what is solved with them are stages of their own.
    with mock.patch.object(evaluation, "choices_at", return_value=cell.choices):
        return evaluation.run_strategies(
            cell.market,
            cell.folds,
            cell.forecasts,
            allocator=EqualWeight(),
            minimum_variance=EqualWeight(),
            rules=rules,
        )


def strategies(cell: Cell) -> Work:
    """Backtests, figures and tables of weights and contributions, without solving anything."""
    assert cell.choices
    assert cell.forecasts
    return lambda: traded(cell)


def accuracy(cell: Cell) -> Work:
    """Accuracy and calibration of five forecasters."""
    table, made = cell.prices, cell.forecasts
    return lambda: measure_forecasts(table, cell.universe, cell.schedule, **made)


def economics(cell: Cell) -> Work:
    """Costs, capacity, exposures, attribution and forced closures."""
    found, table = traded(cell), cell.prices
    shared: dict[str, Any] = {
        "prices": table,
        "weights": found.weights,
        "decisions": found.decisions,
        "gross_returns": found.gross_returns,
        "universe": cell.universe,
        "portfolio": cell.portfolio,
        "verdict": cell.block(Verdict, "verdict"),
    }

    def work() -> None:
        reckon_costs(**shared)
        earned = {"contributions": found.contributions, "strategy_returns": found.returns}
        explain_returns(**shared, **earned)
        record_closures(table, found.weights, found.decisions, found.returns, cell.universe)

    return work


def tests(cell: Cell) -> Work:
    """The pairwise tests of returns and forecasts, and those among all strategies."""
    rng = np.random.default_rng(4)
    first = cell.market.position(cell.decisions[0]) + 2
    names = [*FORECASTERS, *evaluation.REFERENCES]
    earned = rng.normal(3e-4, 0.01, (len(cell.market.dates) - first, len(names)))
    returns = pd.DataFrame(earned, index=cell.market.dates[first:], columns=names)
    verdict, table = cell.block(Verdict, "verdict"), cell.prices
    shared = (cell.universe, cell.schedule, cell.portfolio, Compute(seed=0), verdict)
    return lambda made=cell.forecasts: compare_all(table, returns, *shared, **made)


STAGES: dict[str, Callable[[Cell], Work]] = {
    "read": read,
    "ingest": ingest,
    "schema": check_schema,
    "market": make_market,
    "features": features,
    "labels, one fit": one_label_fit,
    f"labels, {REFITS} refits": all_labels(REFITS),
    "labels, all refits": all_labels(),
    "windows": windows,
    **{f"fit {n}": fit(n) for n in ("momentum", "garch", "gru", "transformer")},
    "fit regime_nas": fit("regime_nas"),
    **{f"predict {n}": predict(n) for n in ("momentum", "garch", "gru", "transformer")},
    "predict regime_nas": predict("regime_nas"),
    "walk, rolling": walk("rolling"),
    f"walk, {REFITS} refits": walk("expanding", REFITS),
    "walk, expanding": walk("expanding"),
    "covariance": covariance,
    "quadratic program": quadratic_program,
    "backtest": backtest,
    "strategies": strategies,
    "accuracy": accuracy,
    "economics": economics,
    "tests": tests,
}
"""Name to stage, in the order of a run."""
