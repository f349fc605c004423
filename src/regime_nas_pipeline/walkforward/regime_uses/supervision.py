"""Labels that supervise RegimeNAS's detector: the found network trained on those of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.base import clone

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.names import display_name
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.verdict.regime_uses import NO_LABELS, SHUFFLED
from regime_nas_pipeline.walkforward.ablation import STRATEGY, run_variants
from regime_nas_pipeline.walkforward.candidates import Trading
from regime_nas_pipeline.walkforward.evaluation_ledger import VariantReturns, Whose
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.regime_uses.base import SUPERVISION, Used

IN_THE_LOSS = "in_the_loss"
"""The way in which labels supervise: a term of the loss."""

BLOCKS_CALM_FIRST = ("trend", "range", "volatile")
"""Regimes of the detector's blocks in the order in which labels are laid over them."""

SHUFFLE_BARS = 63
"""Mean length of the pieces of the past that shuffled labels are made of, and how many bars they
are late at least."""


def block_shares(names: tuple[str, ...]) -> np.ndarray:
    """Which share of each label teaches which block, (K, 3), rows summing to 1.

    Labels with the names of the blocks teach the block of their name. All others go by position,
    calmest first: the last, most stressed one teaches the volatility block and no other does. Of
    those before it the first half teaches the trend block and the rest the range block; a single
    one teaches both, half each, which asks the detector for stress against calm alone.

    Args:
        names: Regimes in the labeller's order, calmest first.

    Raises:
        ParameterError: There are fewer than two.
    """
    if set(names) == set(BLOCKS_CALM_FIRST):
        return np.array([[name == block for block in BLOCKS_CALM_FIRST] for name in names], float)
    if len(names) < 2:
        raise ParameterError(
            f"labels that supervise need at least two regimes; there is {', '.join(names)}."
        )
    shares = np.zeros((len(names), len(BLOCKS_CALM_FIRST)))
    shares[-1, -1] = 1.0
    calmer = np.arange(len(names) - 1)
    if len(calmer) == 1:
        shares[0, :2] = 0.5
    else:
        for block, places in enumerate(np.array_split(calmer, 2)):
            shares[places, block] = 1.0
    return shares


def as_blocks(labels: pd.DataFrame) -> pd.DataFrame:
    """Labels of any regimes as labels of the detector's blocks, date x block; rows sum to 1."""
    shares = block_shares(tuple(map(str, labels.columns)))
    return pd.DataFrame(
        labels.to_numpy(dtype=float) @ shares, index=labels.index, columns=list(BLOCKS_CALM_FIRST)
    )


def shuffled(labels: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """The control: labels as frequent and as persistent, at bars that are not theirs.

    Pieces of the past, begun at random and followed for :data:`SHUFFLE_BARS` on average, are laid
    one after another, each at least so many bars late; the first bars are blank. A row is a
    function of labels up to its date, so that nothing later gets into the past.

    Args:
        labels: Date x regime.
        seed: Of where pieces begin and end.

    Source: the resampling is that of Politis, D. N. and Romano, J. P. (1994). The Stationary
    Bootstrap. Journal of the American Statistical Association 89(428), out of the past alone.
    """
    generator = np.random.default_rng(seed)
    rows = np.full(len(labels), -1)
    for bar in range(SHUFFLE_BARS, len(labels)):
        begins = generator.random() < 1.0 / SHUFFLE_BARS or bar == SHUFFLE_BARS
        rows[bar] = generator.integers(bar - SHUFFLE_BARS + 1) if begins else rows[bar - 1] + 1
    moved = labels.to_numpy(dtype=float)[rows]
    moved[rows < 0] = np.nan
    return pd.DataFrame(moved, index=labels.index, columns=labels.columns)


def supervised_by(full: RegimeNasForecaster, weight: float) -> RegimeNasForecaster:
    """The found network's forecaster with this weight of the labels in its loss.

    Raises:
        ParameterError: Its gate is uniform, so that there is no detector to supervise.
    """
    if full.gate == "uniform":
        raise ParameterError(
            "regime_uses trains the regime detector on labels, and regime_nas has gate 'uniform', "
            "which does without one. Choose the gate 'learned'."
        )
    objective = replace(full.objective, label_weight=weight)
    copy: RegimeNasForecaster = clone(full).set_params(objective=objective)
    return copy


def run_supervision(
    full: RegimeNasForecaster,
    market: Market,
    labels: Mapping[str, pd.DataFrame],
    folds: list[Fold],
    trading: Trading,
    *,
    label_weight: float,
    n_seeds: int,
    seed: int,
    cache: PieceCache,
    n_jobs: int = 1,
) -> tuple[pd.DataFrame, VariantReturns]:
    """Train the found network without labels, on each labeller's, and on shuffled ones.

    Shuffled are the labels of the first labeller.

    Args:
        full: Forecaster with the architecture that was found.
        market: Prices to the end of the sample.
        labels: Labeller to date x regime, as known on the day, calmest regime first.
        folds: Who is trained when.
        trading: How forecasts are traded for the Sharpe ratio.
        label_weight: Weight of the labels in the loss, above 0.
        n_seeds: Networks of each variant, in each fold; the n-th has the same seed in all.
        seed: What the seeds are derived from.
        cache: Where finished folds are kept.
        n_jobs: Processes.

    Returns:
        Tidy: variant, seed, metric, value, as :func:`~.ablation.run_variants` makes it; variants
        are ``none``, the labellers and ``shuffled``. And what was earned.

    Raises:
        ParameterError: There is no detector, or a labeller has one regime.
    """
    mapped = {name: as_blocks(table) for name, table in labels.items()}
    mapped[SHUFFLED] = shuffled(next(iter(mapped.values())), seed=seed)
    runs = {NO_LABELS: (supervised_by(full, 0.0), replace(market, regimes=None, regime_names=()))}
    for name, table in mapped.items():
        runs[name] = (supervised_by(full, label_weight), market.with_regimes(table))
    results, net = [], {}
    for name, (forecaster, labelled) in runs.items():
        found, earned = run_variants(
            {name: forecaster},
            labelled,
            folds,
            trading,
            n_seeds=n_seeds,
            seed=seed,
            cache=cache,
            n_jobs=n_jobs,
            name=f"regime uses, supervised by {display_name(name)}",
        )
        results.append(found)
        for whose, series in earned.net.items():
            variant = Used(SUPERVISION, name, IN_THE_LOSS, STRATEGY).variant
            net[Whose(whose.strategy, whose.seed, variant)] = series
    return pd.concat(results, ignore_index=True), VariantReturns(net, earned.equal_weight)
