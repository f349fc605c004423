"""Features in units of their spread in training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.regimes.base import Labeller, only_one_regime
from regime_nas_pipeline.regimes.features import ROUNDING


@dataclass(frozen=True, eq=False)
class Scaling:
    """Mean and standard deviation of every feature in training, each (D,)."""

    mean: np.ndarray
    scale: np.ndarray

    def apply(self, rows: np.ndarray) -> np.ndarray:
        """Rows of features, (T, D), in units of the training spread."""
        scaled: np.ndarray = (rows - self.mean) / self.scale
        return scaled


def scale_training(
    labeller: Labeller, market: Market, rows: np.ndarray, n_regimes: int
) -> tuple[Scaling, np.ndarray]:
    """Standardise the training rows, (T, D), and refuse those that cannot hold K regimes.

    Args:
        labeller: Named in the message.
        market: The training market.
        rows: Features without blanks.
        n_regimes: K.

    Raises:
        DataError: There are not more distinct rows than regimes.
    """
    if not len(rows):
        raise _indistinct(labeller, market, 0, n_regimes)
    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    # A feature that never changes has no unit in which it could tell regimes apart.
    scale = np.where(spread > ROUNDING * np.abs(mean), spread, 1.0)
    scaled = (rows - mean) / scale
    distinct = len(np.unique(np.round(scaled / ROUNDING), axis=0))
    if distinct <= n_regimes:
        raise _indistinct(labeller, market, distinct, n_regimes)
    return Scaling(mean, scale), scaled


def _indistinct(labeller: Labeller, market: Market, distinct: int, n_regimes: int) -> Exception:
    return only_one_regime(
        labeller,
        market,
        f"{distinct} distinct feature rows cannot be split into {n_regimes} regimes",
    )
