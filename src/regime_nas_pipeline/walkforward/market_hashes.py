"""Hashes of what a market holds: of all of it up to a bar, and of each asset's closes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from regime_nas_pipeline.core.cache import content_hash
from regime_nas_pipeline.market.market import Market


def hashes_up_to(market: Market, stops: Sequence[int]) -> list[str]:
    """Hash of everything that a forecaster can read in the first so many bars, for each number.

    Every bar is read once, however many numbers there are: an expanding walk over T bars would
    otherwise hash some T squared of them.

    Args:
        market: Prices; bars after the last of ``stops`` are not read.
        stops: Numbers of bars, each at most that of the market.

    Returns:
        One hash for each of ``stops``, in their order. It depends on no bar after them.
    """
    none_before = np.zeros(len(market.assets), dtype=np.int64)
    facts = content_hash(
        list(market.assets),
        [market.bars_per_year, market.min_history],
        [market.benchmark_name, list(market.regime_names)],
        none_before if market.closes_before is None else market.closes_before,
    )
    arrays = _by_bar(market)
    kinds = {name: [values.dtype.str, *values.shape[1:]] for name, values in arrays.items()}
    digests = {name: hashlib.sha256() for name in arrays}
    found: dict[int, str] = {}
    first = 0
    for stop in sorted(set(stops)):
        for name, values in arrays.items():
            digests[name].update(np.ascontiguousarray(values[first:stop]).tobytes())
        known = {name: digest.hexdigest() for name, digest in digests.items()}
        found[stop], first = content_hash(facts, kinds, stop, known), stop
    return [found[stop] for stop in stops]


def _by_bar(market: Market) -> dict[str, np.ndarray]:
    """Every array with a row for each bar, by a name that no other one has."""
    arrays = {
        "dates": market.dates.to_numpy().astype("datetime64[ns]").astype("int64"),
        "close": market.close,
        "benchmark": market.benchmark,
        "regimes": market.regimes,
        "members": market.members,
        **{f"field {name}": values for name, values in market.fields.items()},
        **{f"observed {name}": values for name, values in market.observed.items()},
    }
    return {name: values for name, values in arrays.items() if values is not None}


def closes_identity(market: Market) -> dict[str, dict[str, str]]:
    """Which closes a market holds: what a fit on it stands on, told by one hash per asset.

    Each covers the dates and closes of the bars on which that asset has a price, so that neither
    other assets nor bars without it change it. Assets without any have none.

    Returns:
        ``assets`` and ``benchmark``: name to the first 16 hexadecimal digits of a sha256.
    """
    return closes_identities(market, [len(market.dates)])[0]


def closes_identities(market: Market, stops: Sequence[int]) -> list[dict[str, dict[str, str]]]:
    """:func:`closes_identity` of the first so many bars, for each number of ``stops``."""
    stamps = market.dates.to_numpy().astype("datetime64[ns]").astype("int64")

    def of(close: np.ndarray) -> list[str]:
        known, bars = np.isfinite(close), np.column_stack([stamps, close.view(np.int64)])
        digest, found, first = hashlib.sha256(), {}, 0
        for stop in sorted(set(stops)):
            digest.update(bars[first:stop][known[first:stop]].tobytes())
            found[stop], first = digest.hexdigest()[:16], stop
        return [found[stop] for stop in stops]

    assets: list[dict[str, str]] = [{} for _ in stops]
    for column, name in enumerate(market.assets):
        # Columns of a table by rows lie far apart; they are gathered once for all hashes.
        close = np.ascontiguousarray(market.close[:, column], dtype=np.float64)
        before = 0 if market.closes_before is None else int(market.closes_before[column])
        first = _first_close(close)
        for stop, found, hashed in zip(stops, assets, of(close), strict=True):
            if stop > first or before:
                found[name] = hashed
    benchmarks = of(np.ascontiguousarray(market.benchmark, dtype=np.float64))
    return [
        {"assets": found, "benchmark": {market.benchmark_name: hashed}}
        for found, hashed in zip(assets, benchmarks, strict=True)
    ]


def _first_close(close: np.ndarray) -> int:
    """Row of the first close; the number of rows where there is none."""
    rows = np.flatnonzero(np.isfinite(close))
    return int(rows[0]) if len(rows) else len(close)
