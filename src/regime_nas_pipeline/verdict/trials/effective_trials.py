"""How many of a search's trials were really different?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.spatial.distance import squareform
from sklearn import config_context
from sklearn.metrics import silhouette_samples

from regime_nas_pipeline.verdict.trials.trial_returns import (
    correlations,
    originals,
    returns_matrix,
)

STRUCTURE = 0.25
"""Mean silhouette below which a cluster is no structure at all.

Source: Kaufman, L. and Rousseeuw, P. J. (1990). Finding Groups in Data. Wiley.
"""

_SMALLEST_SPREAD = 1e-10


@dataclass(frozen=True, eq=False)
class EffectiveTrials:
    """Trials grouped into those that did much the same.

    Attributes:
        n_trials: Trials handed over, copies included.
        n_effective: Clusters: at least 1 and never more than there are trials.
        clusters: Trial to number of its cluster, counted from 0 in the order of the trials.
        cluster_sharpes: Cluster to Sharpe ratio per bar of its portfolio, in which each distinct
            member weighs as the inverse of its variance.
        variance: Variance of these ratios (ddof 1); 0 where there is one cluster, whose expected
            maximum needs none.
    """

    n_trials: int
    n_effective: int
    clusters: pd.Series
    cluster_sharpes: pd.Series
    variance: float


def effective_trials(
    trial_returns: pd.DataFrame, *, risk_free_per_bar: float = 0.0
) -> EffectiveTrials:
    """Count the independent trials of a search by clustering their return series.

    Series that are the same up to scale count once. The others are linked by average distance
    √((1 - ρ)/2). Of the cuts of this tree with at least one cluster whose mean silhouette shows
    structure, the one with the highest mean ÷ standard deviation of all silhouettes is taken; its
    clusters with structure are looked into again, and the rest together as one group. A silhouette
    compares at least two clusters and so can say neither "one" nor "all separate": a group in which
    it finds no structure counts as M² / ΣΣ max(ρ, 0)², which is 1 if all move together and M if
    none do, less what the chance correlations of so many bars add to the sum. Nothing is drawn at
    random.

    What trials have in common counts as likeness: long-only portfolios of the same assets nearly
    all move with the market. Hand over returns in excess of a common reference where the question
    is whether a choice among such trials was luck.

    Args:
        trial_returns: Date x trial, simple returns per bar on common dates, no blanks.
        risk_free_per_bar: Simple risk-free return per bar, for the Sharpe ratios.

    Raises:
        DataError: There are no trials, two have the same name, or a series is blank somewhere,
            shorter than three bars or constant; the message names the trial.

    Source: López de Prado, M. and Lewis, M. J. (2019). Detection of false investment strategies
    using unsupervised learning methods. Quantitative Finance 19(9); for groups without structure
    Bretherton, C. S. et al. (1999). The effective number of spatial degrees of freedom of a
    time-varying field. Journal of Climate 12(7).
    """
    returns = returns_matrix(trial_returns)
    correlation = correlations(returns)
    original = originals(correlation)
    distinct = np.unique(original)
    label_of = np.zeros(returns.shape[1], dtype=int)
    groups = _split(correlation, distinct, len(returns))
    for label, members in enumerate(sorted(groups, key=lambda group: int(group.min()))):
        label_of[members] = label
    sharpes = [
        _portfolio_sharpe(returns[:, distinct[label_of[distinct] == label]] - risk_free_per_bar)
        for label in range(len(groups))
    ]
    return EffectiveTrials(
        n_trials=returns.shape[1],
        n_effective=len(groups),
        clusters=pd.Series(label_of[original], index=trial_returns.columns, name="cluster"),
        cluster_sharpes=pd.Series(sharpes, name="sharpe").rename_axis("cluster"),
        variance=float(np.var(sharpes, ddof=1)) if len(groups) > 1 else 0.0,
    )


def _split(correlation: np.ndarray, members: np.ndarray, n_bars: int) -> list[np.ndarray]:
    """Clusters of the members, each an array of positions in the correlation matrix."""
    if len(members) == 1:
        return [members]
    own = correlation[np.ix_(members, members)]
    distance = np.sqrt(0.5 * (1.0 - own))
    tree = linkage(squareform(distance, checks=False), method="average")
    found = _structured_clusters(tree, distance) if len(members) > 2 else []
    if found:
        rest = ~np.any(found, axis=0)
        parts = [*found, rest] if rest.any() else found
        return [group for part in parts for group in _split(correlation, members[part], n_bars)]
    labels = cut_tree(tree, n_clusters=[_participation(own, n_bars)])[:, 0]
    return [members[labels == label] for label in range(labels.max() + 1)]


def _structured_clusters(tree: np.ndarray, distance: np.ndarray) -> list[np.ndarray]:
    """Masks of the clusters with structure in the best cut that has any; empty if none has."""
    cuts = cut_tree(tree, n_clusters=np.arange(2, len(distance)))
    highest, found = -np.inf, []
    with config_context(assume_finite=True, skip_parameter_validation=True):
        for labels in cuts.T:
            silhouettes = silhouette_samples(distance, labels, metric="precomputed")
            means = np.bincount(labels, weights=silhouettes) / np.bincount(labels)
            # Clusters that are equally good to the last bit would divide by zero.
            quality = silhouettes.mean() / max(float(silhouettes.std()), _SMALLEST_SPREAD)
            if quality > highest and means.max() >= STRUCTURE:
                highest = quality
                found = [labels == label for label in np.flatnonzero(means >= STRUCTURE)]
    return found


def _participation(correlation: np.ndarray, n_bars: int) -> int:
    """M² ÷ sum of squared positive correlations: 1 if all are 1, M if none is positive."""
    m = len(correlation)
    squares = float((np.maximum(correlation, 0.0) ** 2).sum()) - m
    # Unrelated series have squared correlations of 1/(T - 1) on average; half are positive.
    by_chance = 0.5 * m * (m - 1) / (n_bars - 1)
    return max(1, round(m**2 / (m + max(0.0, squares - by_chance))))


def _portfolio_sharpe(excess: np.ndarray) -> float:
    weights = 1.0 / excess.var(axis=0, ddof=1)
    portfolio = excess @ (weights / weights.sum())
    return float(portfolio.mean() / portfolio.std(ddof=1))
