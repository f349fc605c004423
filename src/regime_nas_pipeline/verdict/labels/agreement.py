"""How far labellers say the same of the same bars."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score, cohen_kappa_score

from regime_nas_pipeline.verdict.labels.states import RegimePath, by_volatility

COLUMNS = ("labeller", "other", "n_bars", "same", "kappa", "adjusted_rand")
"""Columns of :func:`agreement`."""


def agreement(paths: Mapping[str, RegimePath], returns: np.ndarray) -> pd.DataFrame:
    """Compare every two labellers bar by bar.

    Regimes are matched calmest first
    (:func:`~regime_nas_pipeline.verdict.labels.states.by_volatility`), whatever they are called.

    Args:
        paths: Labeller to its labels, all on the same T bars.
        returns: One-bar log returns of the index on these bars, (T,).

    Returns:
        One row per pair: n_bars; same, the share of bars with the same regime, and kappa, the
        part of the possible agreement beyond chance that is reached (1 all of it, 0 none), both
        blank where the numbers of regimes differ, and kappa also where neither ever changes its
        regime; adjusted_rand, which compares the partitions alone and needs neither names nor
        equal numbers (1 the same, 0 on average for unrelated labels).

    Source: Cohen, J. (1960). A Coefficient of Agreement for Nominal Scales. Educational and
    Psychological Measurement 20(1); Hubert, L. and Arabie, P. (1985). Comparing Partitions.
    Journal of Classification 2(1).
    """
    ranks = {name: np.argsort(by_volatility(path, returns)) for name, path in paths.items()}
    calm_first = {name: ranks[name][path.states] for name, path in paths.items()}
    rows = []
    for labeller, other in combinations(paths, 2):
        own, theirs = calm_first[labeller], calm_first[other]
        comparable = len(paths[labeller].names) == len(paths[other].names)
        # Two labellers that both never move leave no disagreement that chance could explain.
        moves = np.ptp(own) > 0 or np.ptp(theirs) > 0
        rows.append(
            {
                "labeller": labeller,
                "other": other,
                "n_bars": len(own),
                "same": float((own == theirs).mean()) if comparable else np.nan,
                "kappa": float(cohen_kappa_score(own, theirs)) if comparable and moves else np.nan,
                "adjusted_rand": float(adjusted_rand_score(own, theirs)),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))
