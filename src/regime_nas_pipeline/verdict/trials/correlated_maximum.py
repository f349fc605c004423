"""The best Sharpe ratio to expect from trials without skill that move as these did."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from regime_nas_pipeline.verdict.trials.trial_returns import (
    correlations,
    originals,
    returns_matrix,
)

_DRAWS = 4096


def correlated_maximum_sharpe(trial_returns: pd.DataFrame, *, seed: int = 0) -> float:
    """Expected best Sharpe ratio of trials without skill, with the correlations of these.

    Without skill the estimated ratios are, over many bars, jointly normal with mean zero and
    covariance ρ/(T - 1), whatever the skewness and kurtosis of the returns. The mean of their
    maximum is simulated from 4,096 draws and their mirror images (standard error below 1 % of one
    ratio's own). No trials have to be counted: copies change nothing, and trials that are alike
    without falling into groups, for which any number of clusters misstates the choice among
    them, are taken as they are.

    Args:
        trial_returns: Date x trial, simple returns per bar on common dates, no blanks.
        seed: Of the draws.

    Returns:
        The ratio per bar; 0 where all trials are copies of one.

    Raises:
        DataError: There are no trials, two have the same name, or a series is blank somewhere,
            shorter than three bars or constant; the message names the trial.

    Source: the null distribution of White, H. (2000). A Reality Check for Data Snooping.
    Econometrica 68(5), for Sharpe ratios of serially independent returns (Lo, A. W. (2002). The
    Statistics of Sharpe Ratios. Financial Analysts Journal 58(4)).
    """
    returns = returns_matrix(trial_returns)
    # Draws belong to trials by what they returned, not by the columns in which they happen to
    # stand; where copies up to scale stand is the same.
    returns = returns[:, np.lexsort((returns / returns.std(axis=0))[::-1])]
    correlation = correlations(returns)
    distinct = np.unique(originals(correlation))
    if len(distinct) == 1:
        return 0.0
    values, vectors = np.linalg.eigh(correlation[np.ix_(distinct, distinct)])
    factor = vectors * np.sqrt(np.maximum(values, 0.0))
    draws = np.random.default_rng(seed).standard_normal((_DRAWS, len(distinct))) @ factor.T
    mean_of_best = 0.5 * float((draws.max(axis=1) - draws.min(axis=1)).mean())
    return mean_of_best / math.sqrt(len(returns) - 1)
