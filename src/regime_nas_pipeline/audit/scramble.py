"""Prices with another future, or with none: what a causal job must not notice in the past."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.membership import MEMBER

_RANGE_FIELDS = ("open", "high", "low")
_KNOWN_COLUMNS = frozenset({"date", "asset", "close", *_RANGE_FIELDS, "volume", MEMBER})
_SCALES = (0.8, 1.25)
_JUMPS = (0.05, 0.2)
# Altered log prices stray at most this far, a factor of about 150, beside the jump.
_LARGEST_MOVE = 5.0


def scramble(prices: pd.DataFrame, after: pd.Timestamp, *, seed: int) -> pd.DataFrame:
    """Alter every row dated after ``after`` and leave the others as they are, to the bit.

    For each asset the bars after ``after`` are put in another order, their log returns are
    multiplied by one factor of random sign, and the first of them jumps. Open, high and low move
    with their bar, mirrored where the sign is turned, so that prices stay positive and a high
    stays above its low. Volumes change places and size. Everybody is a member from then on, so
    that who leaves later, or joins only then, is told otherwise. Dates, assets and blanks stay.

    Args:
        prices: Tidy table: date, asset, close and optional open, high, low, volume, member.
        after: Last date that stays as it is.
        seed: Same seed, same alteration.

    Returns:
        A copy with the same rows in the same order.

    Raises:
        DataError: A column is missing or unknown, no row lies after the date, or a price to be
            altered is not positive.
    """
    _check(prices)
    later = (prices["date"] > after).to_numpy()
    if not later.any():
        raise DataError(
            "there is nothing to scramble after the audit date",
            source="prices",
            date=after,
            remedy="choose an audit date before the last bar.",
        )
    altered = prices.copy()
    columns = [name for name in prices.columns if name not in ("date", "asset")]
    values = {name: prices[name].to_numpy(dtype=float).copy() for name in columns}
    order = np.argsort(prices["date"].to_numpy(), kind="stable")
    assets = prices["asset"].to_numpy()
    for asset in pd.unique(assets):
        rows = order[assets[order] == asset]
        # By name and not by position: an asset's future does not depend on which others there are.
        generator = np.random.default_rng([seed, zlib.crc32(str(asset).encode())])
        _alter_asset(values, rows, later, str(asset), generator)
    if MEMBER in values:
        values[MEMBER][later] = 1.0
    for name in columns:
        # Whole numbers stay whole; the rows up to the date are never rewritten.
        whole = pd.api.types.is_integer_dtype(prices[name].dtype)
        found = np.rint(values[name][later]) if whole else values[name][later]
        altered.loc[later, name] = found.astype(prices[name].to_numpy().dtype)
    return altered


def cut(prices: pd.DataFrame, after: pd.Timestamp) -> pd.DataFrame:
    """The rows up to ``after``, and nothing that came later.

    Args:
        prices: Tidy table with a column ``date``.
        after: Last date that stays.

    Raises:
        DataError: A column is missing or unknown, or no row is left.
    """
    _check(prices)
    known = prices[prices["date"] <= after]
    if known.empty:
        raise DataError(
            "no price is left up to the audit date",
            source="prices",
            date=after,
            remedy="choose an audit date after the first bar.",
        )
    return known.copy()


def _check(prices: pd.DataFrame) -> None:
    for name in ("date", "asset", "close"):
        if name not in prices.columns:
            raise DataError(
                "the audit needs this column",
                source="prices",
                column=name,
                remedy="hand over the tidy price table.",
            )
    unknown = [str(name) for name in prices.columns if name not in _KNOWN_COLUMNS]
    if unknown:
        raise DataError(
            "the audit does not know how to alter this column, so a leak through it would pass",
            source="prices",
            column=unknown[0],
            remedy=f"hand over only: {', '.join(sorted(_KNOWN_COLUMNS))}.",
        )


@dataclass(frozen=True)
class _Change:
    """How one asset's future is altered: order of its bars, factor of returns, first jump."""

    order: np.ndarray
    factor: float
    jump: float


def _alter_asset(
    values: dict[str, np.ndarray],
    rows: np.ndarray,
    later: np.ndarray,
    asset: str,
    generator: np.random.Generator,
) -> None:
    """Write one asset's altered future into ``values``; ``rows`` are its rows in time."""
    _check_positive(values, rows, asset)
    before = values["close"].copy()
    priced = rows[np.isfinite(before[rows])]
    future, past = priced[later[priced]], priced[~later[priced]]
    if len(future):
        anchor = before[past[-1]] if len(past) else before[future[0]]
        moves = np.diff(np.log(before[future]), prepend=np.log(anchor))
        change = _draw(moves, generator)
        path = np.cumsum(change.factor * moves[change.order]) + change.jump
        values["close"][future] = anchor * np.exp(path)
        _move_ranges(values, before, future, change)
    if "volume" in values:
        bars = rows[later[rows]]
        sizes = np.exp(generator.normal(0.0, 0.5, len(bars)))
        values["volume"][bars] = values["volume"][generator.permutation(bars)] * sizes


def _check_positive(values: dict[str, np.ndarray], rows: np.ndarray, asset: str) -> None:
    for name in ("close", *_RANGE_FIELDS):
        if name in values and (values[name][rows] <= 0.0).any():
            raise DataError(
                "a price is not positive, so it has no return to scramble",
                source="prices",
                asset=asset,
                column=name,
                remedy="audit with prices that pass the checks of the price table.",
            )


def _draw(moves: np.ndarray, generator: np.random.Generator) -> _Change:
    """Draw an alteration of these log returns; a long history must not run off to 0 or inf."""
    order = generator.permutation(len(moves))
    strays = float(np.abs(np.cumsum(moves[order])).max())
    scale = float(generator.uniform(*_SCALES))
    if scale * strays > _LARGEST_MOVE:
        scale = _LARGEST_MOVE / strays
    sign, up = generator.choice([-1.0, 1.0], size=2)
    return _Change(order, float(sign * scale), float(up * generator.uniform(*_JUMPS)))


def _move_ranges(
    values: dict[str, np.ndarray], before: np.ndarray, future: np.ndarray, change: _Change
) -> None:
    """Move open, high and low with the bar that they belong to."""
    source = future[change.order]
    close = values["close"][future]
    distances = {
        name: np.log(values[name][source] / before[source])
        for name in _RANGE_FIELDS
        if name in values
    }
    # Where rises become falls, the highest price becomes the lowest one.
    mirror = {"high": "low", "low": "high"} if change.factor < 0.0 else {}
    for name, own in distances.items():
        distance = distances.get(mirror.get(name, name), -own)
        values[name][future] = close * np.exp(change.factor * distance)
