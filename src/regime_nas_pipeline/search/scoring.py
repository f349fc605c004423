"""Validation passes of a supernet, and a count of the windows that they looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from regime_nas_pipeline.core.splits import strided
from regime_nas_pipeline.networks.regime_net import RegimeNet
from regime_nas_pipeline.networks.training import validation_error
from regime_nas_pipeline.networks.windows import WindowData
from regime_nas_pipeline.search.perturbation import removal_errors
from regime_nas_pipeline.search.subnetworks import (
    count_windows,
    errors_of_variants,
    score_subnetworks,
)
from regime_nas_pipeline.search.supernet import Architecture, MixedOperation


class Scorer:
    """Scores states of one supernet on validation rows.

    No gradient is taken, so none of it counts as gradient samples; how often the search looked at
    the validation windows is counted all the same.

    Args:
        supernet: What is scored.
        data: Windows.
        rows: Validation rows, increasing.
        batch_dates: Rows at a time where all are scored.
        selection_dates: At most so many rows, evenly spread, where many states are compared.

    Attributes:
        windows: Asset windows looked at so far, repeats included.
    """

    def __init__(
        self,
        supernet: RegimeNet,
        data: WindowData,
        rows: np.ndarray,
        *,
        batch_dates: int,
        selection_dates: int,
    ) -> None:
        self.supernet, self.data = supernet, data
        self.rows, self.batch_dates = rows, batch_dates
        self.few = spread(rows, selection_dates)
        self.windows = 0

    def error(self) -> float:
        """Validation error of the supernet as it is, on all rows."""
        self.windows += count_windows(self.data, self.rows)
        return validation_error(self.supernet, self.data, self.rows, self.batch_dates)

    def states(self, states: Sequence[Callable[[], None]]) -> np.ndarray:
        """Validation error in each state that one of the callables brings about, on few rows."""
        self.windows += len(states) * count_windows(self.data, self.few)
        return errors_of_variants(self.supernet, self.data, self.few, len(self.few), states)

    def subnetworks(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Validation error of each architecture as a sub-network, on few rows."""
        self.windows += len(architectures) * count_windows(self.data, self.few)
        return score_subnetworks(self.supernet, architectures, self.data, self.few, len(self.few))

    def without_each(self, edge: MixedOperation) -> np.ndarray:
        """Validation error without each operation of an edge, on few rows."""
        errors, passes = removal_errors(self.supernet, edge, self.data, self.few, len(self.few))
        self.windows += passes * count_windows(self.data, self.few)
        return errors


def spread(rows: np.ndarray, n: int) -> np.ndarray:
    """At most ``n`` of the rows, evenly spread, the last one among them."""
    return strided(rows, -(-len(rows) // n))
