"""Does the best trial of one part of the sample stay good in the other?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import linregress

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.verdict.trials.trial_returns import returns_matrix

MAX_BLOCKS = 18
"""Most blocks: 48,620 splits; two more would quadruple them and say no more."""


@dataclass(frozen=True, eq=False)
class BacktestOverfitting:
    """What became of the in-sample best trial over all symmetric splits of the sample.

    Attributes:
        n_trials: Trials compared.
        n_blocks: Blocks of bars.
        probability: Of backtest overfitting: share of splits in which the in-sample best is at or
            below the median out of sample (logit <= 0).
        logits: ln(ω / (1 - ω)) per split, (C,), ω = out-of-sample rank of the in-sample best
            ÷ (trials + 1), rank 1 the worst, ties at their mean rank.
        chosen: Name of the in-sample best per split, (C,).
        in_sample: Its Sharpe ratio in sample, per bar, (C,).
        out_of_sample: Its Sharpe ratio out of sample, per bar, (C,).
        slope: Of the regression of ``out_of_sample`` on ``in_sample``; NaN where the latter do not
            differ. What one half has earned the other has not, so that it is negative for any
            single trial and says more beside that of other searches than alone.
        probability_of_loss: Share of splits in which the in-sample best has a negative ratio out
            of sample.
    """

    n_trials: int
    n_blocks: int
    probability: float
    logits: np.ndarray
    chosen: np.ndarray
    in_sample: np.ndarray
    out_of_sample: np.ndarray
    slope: float
    probability_of_loss: float


def backtest_overfitting(
    trial_returns: pd.DataFrame, *, n_blocks: int = 16, risk_free_per_bar: float = 0.0
) -> BacktestOverfitting:
    """Probability of backtest overfitting by combinatorially symmetric cross-validation.

    The bars are cut into blocks, in order; every half of the blocks serves once as the sample in
    which the trial with the highest Sharpe ratio is chosen, with the other half to judge it. Where
    bars do not divide evenly, the first blocks have one more. Trials without skill give about one
    half; with an odd number of trials a little more, since the median itself counts as failure.

    Args:
        trial_returns: Date x trial, simple returns per bar on common dates, no blanks.
        n_blocks: Blocks S, even; C(S, S/2) splits.
        risk_free_per_bar: Simple risk-free return per bar.

    Raises:
        ParameterError: The number of blocks is odd, below 2, above 18, or leaves fewer than two
            bars to a block.
        DataError: There are fewer than two trials, two have the same name, or a series is blank
            somewhere or constant over one half of the blocks; the message names the trial.

    Source: Bailey, D. H., Borwein, J. M., López de Prado, M. and Zhu, Q. J. (2017). The
    probability of backtest overfitting. Journal of Computational Finance 20(4).
    """
    if n_blocks % 2 or not 2 <= n_blocks <= MAX_BLOCKS:
        raise ParameterError(
            f"n_blocks must be an even number from 2 to {MAX_BLOCKS} and is {n_blocks}."
        )
    returns = returns_matrix(trial_returns)
    n_bars, n_trials = returns.shape
    if n_trials < 2:
        raise DataError("one trial is no choice: at least 2 are needed to tell overfitting")
    if n_bars < 2 * n_blocks:
        raise ParameterError(
            f"n_blocks is {n_blocks}, which leaves fewer than 2 of the {n_bars} bars to a block; "
            f"use at most {2 * (n_bars // 4)}."
        )
    sharpe = _sharpes_of_halves(trial_returns, returns, n_blocks, risk_free_per_bar)
    # The i-th half in lexicographic order is the complement of the i-th from the end.
    other = sharpe[::-1]
    rows = np.arange(len(sharpe))
    best = sharpe.argmax(axis=1)
    in_sample, out_of_sample = sharpe[rows, best], other[rows, best]
    below = (other < out_of_sample[:, None]).sum(axis=1)
    equal = (other == out_of_sample[:, None]).sum(axis=1)
    # Mean rank of a tie, kept in integers so that the median gives a logit of exactly zero.
    twice_rank = 2 * below + equal + 1
    logits = np.log(twice_rank / (2 * (n_trials + 1) - twice_rank))
    moves = np.ptp(in_sample) > 0.0
    return BacktestOverfitting(
        n_trials=n_trials,
        n_blocks=n_blocks,
        probability=float((logits <= 0.0).mean()),
        logits=logits,
        chosen=trial_returns.columns.to_numpy()[best],
        in_sample=in_sample,
        out_of_sample=out_of_sample,
        slope=float(linregress(in_sample, out_of_sample).slope) if moves else math.nan,
        probability_of_loss=float((out_of_sample < 0.0).mean()),
    )


def _sharpes_of_halves(
    table: pd.DataFrame, returns: np.ndarray, n_blocks: int, risk_free_per_bar: float
) -> np.ndarray:
    """Sharpe ratio per bar of every trial in every half of the blocks, splits x trials."""
    blocks = np.array_split(returns, n_blocks)
    _refuse_constant_halves(table, blocks)
    # Deviations in units of each trial's own keep the differences of sums accurate.
    centre, scale = returns.mean(axis=0), returns.std(axis=0)
    deviations = [(block - centre) / scale for block in blocks]
    sums = np.stack([block.sum(axis=0) for block in deviations])
    squares = np.stack([(block**2).sum(axis=0) for block in deviations])
    lengths = np.array([len(block) for block in blocks], dtype=float)
    halves = np.array(list(combinations(range(n_blocks), n_blocks // 2)))
    member = np.zeros((len(halves), n_blocks))
    np.put_along_axis(member, halves, 1.0, axis=1)
    n = (member @ lengths)[:, None]
    mean = member @ sums / n
    variance = (member @ squares - n * mean**2) / (n - 1.0)
    ratio: np.ndarray = (mean + (centre - risk_free_per_bar) / scale) / np.sqrt(variance)
    return ratio


def _refuse_constant_halves(table: pd.DataFrame, blocks: list[np.ndarray]) -> None:
    flat = np.stack([np.ptp(block, axis=0) == 0.0 for block in blocks])
    for column in np.flatnonzero(flat.sum(axis=0) >= len(blocks) // 2):
        levels = [block[0, column] for block, still in zip(blocks, flat[:, column], strict=True)]
        still = pd.Series(levels)[flat[:, column]]
        if still.value_counts().iloc[0] >= len(blocks) // 2:
            raise DataError(
                f"every return is {still.mode().iloc[0]} in half of the {len(blocks)} blocks, so "
                "there is no Sharpe ratio to rank",
                column=str(table.columns[int(column)]),
                remedy="use fewer blocks, or leave the trial out.",
            )
