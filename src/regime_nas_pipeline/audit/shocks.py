"""Where the moves of a simulated panel come from: here, a real market's bars in another order.

A *move* m is a one-bar log return before it is made fair. Where moves are symmetric (m and -m
equally likely, whatever came before), the simple return R = tanh(m) has mean zero given all that
came before, and |R| < 1: the price is a martingale and stays positive. For moves of ordinary size
tanh(m) is m to the third decimal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.verdict.comparison.dependence import block_length_for

Signs = Literal["random", "kept"]

MIN_SOURCE_BARS = 250
"""Returns that a source of moves must have."""


class Shocks(ABC):
    """Draws the moves of a panel.

    Attributes:
        assets: Names of the N assets.
        symmetric: Whether a move and its negative are equally likely given all earlier ones.
    """

    assets: tuple[str, ...]
    symmetric: bool

    @property
    @abstractmethod
    def scale(self) -> np.ndarray:
        """Root mean square of each asset's move, (N,)."""

    @abstractmethod
    def draw(self, n_bars: int, generator: np.random.Generator) -> np.ndarray:
        """Moves of ``n_bars`` bars, (n_bars, N)."""

    def log_growth(self, moves: np.ndarray) -> np.ndarray:
        """log(1 + R) of the fair simple return R that each move becomes, same shape.

        Symmetric moves become R = tanh(m). Others are fair already: R = exp(m) - 1.
        """
        if not self.symmetric:
            return moves
        # log(1 + tanh m) without the cancellation at large negative m, where tanh rounds to -1.
        growth: np.ndarray = moves + np.log(2.0) - np.logaddexp(moves, -moves)
        return growth


@dataclass(frozen=True, eq=False)
class BootstrapShocks(Shocks):
    """Redraws the bars of a real market, each with all its assets, in blocks.

    Blocks of geometric length start at random bars and go round the end of the sample. A bar's
    returns stay together, so that assets stay correlated, and neighbouring bars stay neighbours
    within a block, so that turbulent spells last. With ``signs`` "random" each bar is also turned
    round as a whole with probability one half. That is what makes the panel a martingale: within
    a block, redrawn returns still follow each other as the real ones did, and a piece of market
    that was drawn twice could be recognised. Turning keeps sizes and correlations but not
    skewness. With "kept" nothing is turned: skewness stays, and with blocks of one bar the panel
    is a martingale too, without turbulent spells. With longer blocks and "kept" it is not, but
    its drift is still exactly zero over the draw of a bar.

    Attributes:
        assets: Names of the N assets.
        moves: log(1 + r) - log(1 + mean of r) of the source's simple returns r, (T, N): their
            simple returns average exactly zero for each asset.
        block_length: Mean bars per block, at least 1.
        signs: Whether bars are turned round at random.

    Source: Politis, D. N. and Romano, J. P. (1994). The Stationary Bootstrap. Journal of the
    American Statistical Association 89(428); for the signs: Liu, R. Y. (1988). Bootstrap
    Procedures under some Non-I.I.D. Models. Annals of Statistics 16(4).
    """

    assets: tuple[str, ...]
    moves: np.ndarray
    block_length: float
    signs: Signs = "random"

    # A class attribute elsewhere; here it depends on an argument.
    @property
    def symmetric(self) -> bool:  # type: ignore[override]
        """Whether signs are random."""
        return self.signs == "random"

    @property
    def scale(self) -> np.ndarray:
        """Root mean square of each asset's move in the source, (N,)."""
        size: np.ndarray = np.sqrt((self.moves**2).mean(axis=0))
        return size

    def draw(self, n_bars: int, generator: np.random.Generator) -> np.ndarray:
        """Rows of the source in a new order, (n_bars, N), turned round where signs are random."""
        rows = stationary_rows(len(self.moves), n_bars, self.block_length, generator)
        drawn = self.moves[rows]
        if self.symmetric:
            drawn = drawn * generator.choice([-1.0, 1.0], size=(n_bars, 1))
        return np.asarray(drawn)


def stationary_rows(
    n_source: int, n_rows: int, block_length: float, generator: np.random.Generator
) -> np.ndarray:
    """Row numbers of one stationary bootstrap sample of any length, (n_rows,).

    Every row of the source is equally likely at every place (arch draws only samples as long as
    their source).
    """
    starts = generator.integers(n_source, size=n_rows)
    fresh = generator.random(n_rows) < 1.0 / block_length
    fresh[0] = True
    opening = np.flatnonzero(fresh)[np.cumsum(fresh) - 1]
    rows: np.ndarray = (starts[opening] + np.arange(n_rows) - opening) % n_source
    return rows


def bootstrap_shocks(
    prices: pd.DataFrame,
    *,
    assets: Sequence[str] | None = None,
    block_length: int | None = None,
    signs: Signs = "random",
) -> BootstrapShocks:
    """Moves to redraw, from the prices of an environment.

    Args:
        prices: Tidy table: date, asset, close. Only bars on which every asset is priced count.
        assets: Assets to take; None for all. Leave out a benchmark that nobody may hold.
        block_length: Mean bars per block; None chooses it for the absolute moves, averaged over
            assets, since their dependence is what blocks are for.
        signs: See :class:`BootstrapShocks`.

    Raises:
        DataError: An asset is unknown, never moves or has gaps, or fewer than 250 returns are
            common to all assets.
        ParameterError: The block length is not positive or ``signs`` is neither of the two.
    """
    if signs not in ("random", "kept"):
        raise ParameterError(f"signs must be 'random' or 'kept' and is '{signs}'.")
    if block_length is not None and block_length < 1:
        raise ParameterError(f"block_length must be at least 1 and is {block_length}.")
    names, returns = common_returns(prices, assets)
    moves = np.log1p(returns) - np.log1p(returns.mean(axis=0))
    if block_length is None:
        sizes = np.abs(moves / moves.std(axis=0)).mean(axis=1)
        block_length = block_length_for(sizes, "stationary")
    return BootstrapShocks(names, moves, float(block_length), signs)


def common_returns(
    prices: pd.DataFrame, assets: Sequence[str] | None
) -> tuple[tuple[str, ...], np.ndarray]:
    """Simple one-bar returns on the bars that all assets share, (T, N), and the N names.

    Raises:
        DataError: An asset is unknown, never moves or has gaps, or there are too few such bars.
    """
    close = prices.pivot(index="date", columns="asset", values="close").sort_index()
    names = tuple(map(str, close.columns if assets is None else assets))
    for name in names:
        if name not in close.columns:
            raise DataError("there are no prices of this asset", source="prices", asset=name)
    close = close[list(names)]
    priced = close.notna().to_numpy()
    starts = priced.argmax(axis=0)
    stops = len(priced) - priced[::-1].argmax(axis=0)
    last, first = names[int(starts.argmax())], names[int(stops.argmin())]
    shared = close.iloc[starts.max() : stops.min()]
    if len(shared) <= MIN_SOURCE_BARS:
        raise DataError(
            f"only {len(shared)} bars are common to all {len(names)} assets and more than "
            f"{MIN_SOURCE_BARS} are needed; {last} starts last and {first} "
            "ends first",
            source="prices",
            remedy="choose assets with longer histories.",
        )
    for name in names:
        if shared[name].isna().any():
            raise DataError("there is a gap in these prices", source="prices", asset=name)
        if (shared[name] == shared[name].iloc[0]).all():
            raise DataError("this price never moves", source="prices", asset=name)
    values = shared.to_numpy(dtype=float)
    return names, values[1:] / values[:-1] - 1.0
