"""Variants of the network that was found: one part left out at a time."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.parallel import parallel_map
from regime_nas_pipeline.forecasters.inputs import training_windows
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.lipschitz.certify import certified_bound
from regime_nas_pipeline.networks.regime_net import RegimeNet
from regime_nas_pipeline.networks.training import resolve_device
from regime_nas_pipeline.portfolio.allocate import EqualWeight
from regime_nas_pipeline.portfolio.metrics import performance
from regime_nas_pipeline.verdict.accuracy import forecast_accuracy
from regime_nas_pipeline.walkforward.ablation_parameters import SEARCHED_AGAIN
from regime_nas_pipeline.walkforward.candidates import Trading
from regime_nas_pipeline.walkforward.deciding import Choices, choices_at
from regime_nas_pipeline.walkforward.evaluation import (
    decision_dates,
    forecast_arrays,
    training_figures,
)
from regime_nas_pipeline.walkforward.evaluation_ledger import VariantReturns, Whose
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.seeded_walks import walk_seeds
from regime_nas_pipeline.walkforward.trading import trade

STRATEGY = "regime_nas"
"""Strategy whose network the variants change."""

FULL = "full"
"""The network as it was found."""

LABELS = {
    FULL: "Full network",
    "without_volatility": "Without the volatility block",
    "without_trend": "Without the trend block",
    "without_range": "Without the range block",
    "uniform_gate": "Uniform gate",
    "shuffled_gate": "Gate of another window",
    "single_timeframe": "One timeframe (1 bar)",
    "no_uncertainty": "No uncertainty in the gate",
    "no_market_penalties": "No market penalties",
    "no_label_supervision": "No label supervision",
    "no_lipschitz": "No Lipschitz constraint",
    "lipschitz_limit": "Lipschitz limit",
    "no_bayesian_search": "No Bayesian search",
    "no_gradient_search": "No gradient search of cells",
}
"""Variant to its name in words."""

SCORES = ("theil_u", "r2_zero", "rank_ic", "mae")
"""Accuracy that is kept of every walk; the Sharpe ratio stands beside it."""


@dataclass(frozen=True)
class Variants:
    """What is compared.

    Attributes:
        forecasters: Variant to forecaster, the full network first.
        same: Variants that are the full network under another name; they are not trained.
        left_out: Variants that cannot be trained, and why.
    """

    forecasters: dict[str, RegimeNasForecaster]
    same: tuple[str, ...]
    left_out: dict[str, str]


def make_variants(
    full: RegimeNasForecaster,
    names: Sequence[str],
    *,
    limit: float,
    searched: Mapping[str, RegimeNasForecaster],
    without_bound: Sequence[str] = (),
) -> Variants:
    """The full network's forecaster with one part changed at a time.

    Args:
        full: Forecaster with the architecture that was found.
        names: Variants, see ``ablation_parameters.Variant``.
        limit: Of the variant ``lipschitz_limit``.
        searched: Forecasters of the variants that were searched again.
        without_bound: Parts of the network for which no Lipschitz constant is known.

    Raises:
        ParameterError: There is no architecture, or a variant needs a search that was not made.
    """
    if full.blocks is None:
        raise ParameterError("ablation needs an architecture; run the nas_search pipeline first.")
    forecasters, same, left_out = {FULL: full}, [], {}
    for name in names:
        if name == "lipschitz_limit" and full.lipschitz_limit is not None:
            left_out[name] = f"the full network has a limit already, {full.lipschitz_limit:g}"
        elif name == "lipschitz_limit" and without_bound:
            left_out[name] = f"these parts have no bound: {'; '.join(without_bound)}"
        elif name in SEARCHED_AGAIN:
            if name not in searched:
                raise ParameterError(f"ablation: the search of '{name}' has not been made.")
            forecasters[name] = searched[name]
        else:
            changed = _changes(full, name, limit)
            if all(getattr(full, key) == value for key, value in changed.items()):
                same.append(name)
            else:
                forecasters[name] = clone(full).set_params(**changed)
    return Variants(forecasters, tuple(same), left_out)


def _changes(full: RegimeNasForecaster, name: str, limit: float) -> dict[str, Any]:
    """Arguments in which a variant differs from the full network."""
    objective = full.objective
    table: dict[str, Callable[[], dict[str, Any]]] = {
        "without_volatility": lambda: {"blocks": emptied(full.blocks or {}, "volatility")},
        "without_trend": lambda: {"blocks": emptied(full.blocks or {}, "trend")},
        "without_range": lambda: {"blocks": emptied(full.blocks or {}, "range")},
        "uniform_gate": lambda: {"gate": "uniform"},
        "shuffled_gate": lambda: {"gate": "shuffled"},
        "single_timeframe": lambda: {"timeframes": (1,)},
        "no_uncertainty": lambda: {"uncertainty": False},
        "no_market_penalties": lambda: {
            "objective": replace(objective, volatility_weight=0.0, smoothness_weight=0.0)
        },
        "no_label_supervision": lambda: {"objective": replace(objective, label_weight=0.0)},
        "no_lipschitz": lambda: {
            "lipschitz_limit": None,
            "objective": replace(objective, lipschitz_weight=0.0),
        },
        "lipschitz_limit": lambda: {"lipschitz_limit": limit},
    }
    if name not in table:
        raise ParameterError(f"ablation: there is no variant '{name}'.")
    return table[name]()


def emptied(blocks: Mapping[str, Any], block: str) -> dict[str, Any]:
    """The same cells with no operation on any edge of one block: its output is zero."""
    cells = copy.deepcopy(dict(blocks))
    for node in cells[block]:
        for edge in node["edges"]:
            edge["operation"] = "none"
    return cells


def parts_without_bound(forecaster: RegimeNasForecaster, training: Market) -> tuple[str, ...]:
    """Parts of the network for which no Lipschitz constant is known, by name.

    Args:
        forecaster: With an architecture; it stays unfitted.
        training: Market of the first fit; only sizes are read.
    """
    windows = training_windows(training, forecaster.input_spec(), resolve_device(forecaster.device))
    network = forecaster.build_network(windows.sizes)
    assert isinstance(network, RegimeNet)  # noqa: S101 - tells the type checker
    certificate = certified_bound(
        network, lookback=forecaster.lookback, n_assets=windows.sizes["n_assets"]
    )
    if math.isfinite(certificate.total):
        return ()
    return certificate.unbounded or ("the network as a whole",)


def run_variants(
    variants: Mapping[str, RegimeNasForecaster],
    market: Market,
    folds: list[Fold],
    trading: Trading,
    *,
    n_seeds: int,
    seed: int,
    cache: PieceCache,
    n_jobs: int = 1,
    name: str = "ablation",
) -> tuple[pd.DataFrame, VariantReturns]:
    """Walk every variant forward on every seed and score each walk by itself.

    Args:
        variants: Variant to forecaster.
        market: Prices to the end of the sample, with regimes where a variant needs them.
        folds: Who is trained when.
        trading: How forecasts are traded for the Sharpe ratio.
        n_seeds: Networks of each variant, in each fold.
        seed: What the seeds are derived from.
        cache: Where finished folds are kept.
        n_jobs: Processes.
        name: What the progress bars say.

    Returns:
        Tidy: variant, seed, metric, value (blank where undefined). Metrics are
        :data:`SCORES`, ``sharpe`` (yearly, net of costs), ``epochs``, ``gradient_samples``,
        ``seconds`` and ``parameters``. And the returns that the Sharpe ratios are made of.
    """
    walks = walk_seeds(
        variants,
        market,
        folds,
        n_seeds=n_seeds,
        seed=seed,
        cache=cache,
        n_jobs=n_jobs,
        name=name,
    )
    dates = decision_dates(folds)
    choices = choices_at(market, dates, trading.rules.horizon)
    target = market.target(trading.rules.horizon, trading.rules.execution_lag)
    known = target[market.dates.get_indexer(dates)]
    plain = replace(market, regimes=None, regime_names=(), fields={})
    tasks = [
        (plain, forecast_arrays(walk.forecasts, market, dates)["mean"], known, choices, trading)
        for walk in walks.values()
    ]
    scored = parallel_map(
        score_walk, tasks, n_jobs=n_jobs, description=f"{name}: trade and score", unit="walk"
    )
    rows = [
        {"variant": run.name, "seed": run.seed, "metric": metric, "value": value}
        for (run, walk), (found, _) in zip(walks.items(), scored, strict=True)
        for metric, value in {**found, **training_figures(walk.log)}.items()
    ]
    returns = VariantReturns(
        {
            Whose(STRATEGY, run.seed + 1, run.name): net
            for run, (_, net) in zip(walks, scored, strict=True)
        },
        trade(plain, choices, EqualWeight(), trading.rules).backtest.net,
    )
    return pd.DataFrame(rows).astype({"value": float}), returns


def score_walk(
    market: Market,
    mean: np.ndarray,
    target: np.ndarray,
    choices: Mapping[pd.Timestamp, Choices],
    trading: Trading,
) -> tuple[dict[str, float | int | None], pd.Series]:
    """Measures of one walk's forecasts (D, N), with the Sharpe ratio of trading them.

    Returns:
        :data:`SCORES` and ``sharpe``; and the net returns that were traded.
    """
    accuracy = forecast_accuracy(mean, target, np.zeros(target.shape))
    net = trade(market, choices, trading.allocator, trading.rules, mean).backtest.net
    figures = performance(
        net, bars_per_year=market.bars_per_year, risk_free=trading.rules.risk_free
    )
    return {**{name: accuracy[name] for name in SCORES}, "sharpe": figures["sharpe"]}, net
