"""What forecasts hang on of all returns so far, so that they need not be gone through again."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

EWMA_DECAY = 0.94
"""Weight of a squared return beside that of the next one (RiskMetrics, 1996)."""


class Past(NamedTuple):
    """An asset's returns up to some bar: all but the latest summed up, and the latest.

    So the forecast after the latest return is gone through like those after later ones.

    Attributes:
        n_summed: How many are summed up.
        total: Their sum.
        squares: Sum of their squares, each weighted by 0.94 to the power of its age in returns.
        last: The last of them; blank before the first.
        variance: Of the shock after it by the asset's parameters; blank where it has none.
        latest: The return that follows; blank where there is no return at all.
    """

    n_summed: int
    total: float
    squares: float
    last: float
    variance: float
    latest: float

    def continued(self, returns: np.ndarray) -> np.ndarray:
        """The latest return, if there is one, and those after it."""
        known = [] if math.isnan(self.latest) else [self.latest]
        together: np.ndarray = np.concatenate([known, returns])
        return together


NOTHING = Past(0, 0.0, 0.0, math.nan, math.nan, math.nan)
"""Before the first return."""


def running_totals(returns: np.ndarray, past: Past) -> np.ndarray:
    """Sum of all returns up to each of these, (n,), with the bits of one sum from the first on."""
    totals: np.ndarray = np.cumsum(np.concatenate([[past.total], returns]))[1:]
    return totals


def running_squares(returns: np.ndarray, past: Past) -> np.ndarray:
    """Weighted sum of squares up to each of these returns, (n,), as in :class:`Past`."""
    sums, _ = lfilter([1.0], [1.0, -EWMA_DECAY], returns**2, zi=[EWMA_DECAY * past.squares])
    squares: np.ndarray = sums
    return squares
