"""Simulated panels as tidy prices: martingales for placebos, and with a planted edge for power."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regime_nas_pipeline.audit.edges import BURN_IN, Edge
from regime_nas_pipeline.audit.shocks import Shocks
from regime_nas_pipeline.core.errors import ParameterError

NO_EDGE = "none"
"""Kind of edge of a martingale panel."""

_FIRST_CLOSE = 100.0


@dataclass(frozen=True, eq=False)
class Panel:
    """One simulated market, drawn when it is asked for.

    What is drawn depends on the seed, the number and the length alone, not on the other panels;
    panels that differ only in their edge share their moves. The seed is meant to be fixed before
    anything is looked at.

    Attributes:
        number: Number of the panel, from 0.
        seed: Seed of the set that it belongs to.
        dates: Bar dates, increasing.
        shocks: Where its moves come from.
        edge: What is planted; None for a martingale.
        benchmark: Name of one more asset, the portfolio of all others in equal weights at every
            bar (a martingale where they are); None for none.
    """

    number: int
    seed: int
    dates: pd.DatetimeIndex
    shocks: Shocks
    edge: Edge | None = None
    benchmark: str | None = None

    def __post_init__(self) -> None:
        """Check what can be checked before anything is drawn."""
        if min(self.number, self.seed) < 0:
            raise ParameterError(
                f"number and seed must not be negative and are {self.number} and {self.seed}."
            )
        increasing = self.dates.is_monotonic_increasing and self.dates.is_unique
        if len(self.dates) < 2 or not increasing:
            raise ParameterError("a panel needs at least two dates, in increasing order.")
        if self.edge is not None and not self.shocks.symmetric:
            raise ParameterError("an edge is planted into moves of random sign only.")
        if self.benchmark in self.shocks.assets:
            raise ParameterError(
                f"the benchmark '{self.benchmark}' is already among the panel's assets."
            )

    def __str__(self) -> str:
        """For errors and progress bars."""
        planted = "" if self.edge is None else f"{self.edge.name} {self.edge_size:g}, "
        return f"panel {self.number} of seed {self.seed} ({planted}{len(self.dates)} bars)"

    @property
    def edge_name(self) -> str:
        """Kind of edge."""
        return NO_EDGE if self.edge is None else self.edge.name

    @property
    def edge_size(self) -> float:
        """Size of the edge; 0 for a martingale."""
        return 0.0 if self.edge is None else self.edge.size

    def prices(self) -> pd.DataFrame:
        """Tidy prices (date, asset, close), sorted by date and asset; the first close is 100."""
        growth = self.shocks.log_growth(self._moves())
        close = _FIRST_CLOSE * np.exp(np.vstack([np.zeros(growth.shape[1]), growth.cumsum(axis=0)]))
        wide = pd.DataFrame(close, index=self.dates, columns=list(self.shocks.assets))
        if self.benchmark is not None:
            average = np.r_[0.0, np.log(np.exp(growth).mean(axis=1)).cumsum()]
            wide[self.benchmark] = _FIRST_CLOSE * np.exp(average)
        dated = wide.rename_axis(index="date").reset_index()
        tidy = dated.melt("date", var_name="asset", value_name="close")
        return tidy.sort_values(["date", "asset"], ignore_index=True)

    def _moves(self) -> np.ndarray:
        """Moves into every bar but the first, (T - 1, N)."""
        generator = np.random.default_rng([self.seed, self.number, 0])
        moves = self.shocks.draw(BURN_IN + len(self.dates) - 1, generator)
        if self.edge is not None:
            # A stream of its own: with or without an edge, the same moves are drawn.
            own = np.random.default_rng([self.seed, self.number, 1])
            moves = self.edge.plant(moves, self.shocks.scale, own)
        return moves[BURN_IN:]


def make_panels(
    shocks: Shocks,
    *,
    dates: pd.DatetimeIndex,
    n_panels: int,
    seed: int,
    edges: Sequence[Edge | None] = (None,),
    benchmark: str | None = None,
) -> list[Panel]:
    """Panels 0 to ``n_panels`` - 1 of a seed, for each edge.

    Args:
        shocks: Where moves come from.
        dates: Bar dates of every panel.
        n_panels: Panels per edge. More of them later leave the first ones as they are.
        seed: Seed of the set.
        edges: What is planted; None for martingales, which is all there is by default.
        benchmark: See :class:`Panel`.

    Raises:
        ParameterError: There is no panel, or a panel's parameters contradict each other.
    """
    if n_panels < 1 or not edges:
        raise ParameterError(f"there must be at least one panel and edge; n_panels: {n_panels}.")
    return [
        Panel(number, seed, dates, shocks, edge, benchmark)
        for edge in edges
        for number in range(n_panels)
    ]
