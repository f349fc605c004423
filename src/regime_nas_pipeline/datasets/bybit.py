"""Crypto prices from Bybit: fetched once, frozen, and read from disk afterwards."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.datasets.bybit_client import BybitClient, UnknownSymbolError
from regime_nas_pipeline.datasets.bybit_kline import (
    EARLIEST,
    INTERVALS,
    History,
    KlinePage,
    fetch_history,
)
from regime_nas_pipeline.datasets.fetching import Pace
from regime_nas_pipeline.datasets.network_prices import NetworkPricesDataset
from regime_nas_pipeline.datasets.snapshot import Fetched, SnapshotStore
from regime_nas_pipeline.datasets.snapshot_refresh import FreezePolicy, FrozenPrices
from regime_nas_pipeline.datasets.source_arguments import one_of, retry_policy, span
from regime_nas_pipeline.market.raw import DATE_DTYPE, make_note

CATEGORIES = ("spot", "linear")
_LAST_MILLISECOND = dt.timedelta(days=1) - dt.timedelta(milliseconds=1)


class BybitPricesDataset(NetworkPricesDataset):
    """Bars of spot pairs or linear contracts from Bybit's public market data; no account needed.

    The first load fetches and freezes; every later one reads the frozen files and needs no
    network. A bar is dated by its start in UTC: the daily bar of a date closes at the end of it.
    Bars that are still open by the server's clock are left out, and noted. Needs the extra
    ``bybit``.

    Example catalog entry::

        raw_prices:
          type: regime_nas_pipeline.datasets.bybit.BybitPricesDataset
          filepath: data/01_raw/snapshots
          symbols: [BTCUSDT, ETHUSDT, SOLUSDT]
          start: 2021-07-05
          end: 2024-12-31

    Args:
        filepath: Folder in which snapshots lie, one folder for each query in it.
        symbols: Bybit's names, such as ``BTCUSDT``; they become the assets.
        category: ``spot``, or ``linear`` for USDT and USDC contracts.
        interval: Minutes (1, 3, 5, 15, 30, 60, 120, 240, 360, 720), D, W or M.
        start: First day on which a bar may start, in UTC; None for all there is.
        end: Last day on which a bar may start, in UTC; None for the newest closed bar.
        missing: ``fail``, or ``drop`` to go on without symbols that Bybit has no bar of.
        refresh: Fetch what is new since the last stored bars, as a new version; once per dataset
            object.
        revised: ``fail``, or ``refetch`` to fetch a symbol's whole history again where a close
            that was fetched twice differs.
        overlap: Stored bars of each symbol that a refresh compares.
        requests_per_second: Pace of the requests; Bybit allows an address 600 in 5 seconds.
        retries: Any of attempts, first_wait, longest_wait, timeout, seed, as in
            :class:`~regime_nas_pipeline.datasets.fetching.RetryPolicy`.
        endpoint: Address to ask instead of Bybit's main one, such as ``https://api.bytick.com``.
        metadata: Free for plugins such as Kedro-Viz; not read here.

    Raises:
        ParameterError: An argument is unknown, out of its range or contradicts another one.
    """

    def __init__(
        self,
        *,
        filepath: str | os.PathLike[str],
        symbols: Sequence[str],
        category: str = "spot",
        interval: str | int = "D",
        start: dt.date | str | None = None,
        end: dt.date | str | None = None,
        missing: str = "fail",
        refresh: bool = False,
        revised: str = "fail",
        overlap: int = 5,
        requests_per_second: float = 10.0,
        retries: Mapping[str, Any] | None = None,
        endpoint: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._assets = _checked_symbols(symbols)
        self._category = one_of("category", category, CATEGORIES)
        self._interval = one_of("interval", str(interval), INTERVALS)
        self._start, self._end = span(start, end)
        self._policy = retry_policy(retries)
        self._pace = Pace(requests_per_second)
        self._endpoint = _address(endpoint)
        self.metadata = metadata
        self._store = SnapshotStore(
            Path(filepath), source="bybit", query=self._query(), libraries=["pybit"]
        )
        self._frozen = FrozenPrices(
            self._store,
            self._fetch,
            policy=FreezePolicy(missing, refresh, revised, overlap),
            name=self._name,
        )

    @property
    def _name(self) -> str:
        return f"Bybit {self._category}, interval {self._interval}"

    def _query(self) -> dict[str, Any]:
        """What decides on the prices that come: the key of the snapshot."""
        return {
            "symbols": list(self._assets),
            "category": self._category,
            "interval": self._interval,
            "start": None if self._start is None else self._start.isoformat(),
            "end": None if self._end is None else self._end.isoformat(),
            "endpoint": self._endpoint,
        }

    def _fetch(self, since: Mapping[str, pd.Timestamp | None]) -> Fetched:
        client = BybitClient(
            category=self._category,
            interval=self._interval,
            policy=self._policy,
            pace=self._pace,
            endpoint=self._endpoint,
        )
        histories: dict[str, History] = {}
        missing: dict[str, str] = {}
        with tqdm(total=len(since), desc=self._name, unit="symbol", miniters=1) as bar:
            for symbol, first in since.items():
                try:
                    histories[symbol] = self._history(client, symbol, first, bar)
                except UnknownSymbolError as error:
                    missing[symbol] = str(error)
                bar.update()
        missing |= {
            symbol: "no closed bar between start and end"
            for symbol, history in histories.items()
            if history.bars.empty
        }
        return Fetched(
            table=_table({name: each for name, each in histories.items() if name not in missing}),
            moment_notes=_open_notes(histories),
            missing=missing,
        )

    def _history(
        self, client: BybitClient, symbol: str, since: pd.Timestamp | None, progress: tqdm[Any]
    ) -> History:
        def ask(low: int | None, high: int | None) -> KlinePage:
            reached = "" if high is None else f" up to {pd.Timestamp(high, unit='ms'):%Y-%m-%d}"
            progress.set_postfix_str(symbol + reached)
            return client.ask(symbol, low, high)

        first = EARLIEST if self._start is None else _milliseconds(pd.Timestamp(self._start))
        if since is not None:
            first = max(first, _milliseconds(since))
        last = None
        if self._end is not None:
            last = _milliseconds(pd.Timestamp(self._end) + _LAST_MILLISECOND)
        return fetch_history(ask, first=first, last=last, interval=self._interval)


def _table(histories: Mapping[str, History]) -> pd.DataFrame:
    empty = pd.DataFrame({"date": np.array([], dtype=DATE_DTYPE), "asset": ""})
    parts = [empty]
    for symbol, history in histories.items():
        part = history.bars.drop(columns="start")
        part.insert(0, "date", history.bars["start"].to_numpy().astype("datetime64[ms]"))
        parts.append(part.assign(asset=symbol))
    table = pd.concat(parts, ignore_index=True)
    return table.astype({"date": DATE_DTYPE, "asset": "str"})


def _open_notes(histories: Mapping[str, History]) -> list[dict[str, Any]]:
    return [
        make_note(
            "open_bar",
            "The bar was still open by the exchange's clock when it was fetched; left out.",
            asset=symbol,
            count=len(history.open_starts),
            first_date=pd.Timestamp(history.open_starts[0], unit="ms"),
        )
        for symbol, history in histories.items()
        if history.open_starts
    ]


def _milliseconds(stamp: pd.Timestamp) -> int:
    return int(stamp.value // 1_000_000)


def _checked_symbols(symbols: Sequence[str]) -> tuple[str, ...]:
    if isinstance(symbols, str) or not symbols:
        raise ParameterError("symbols must be a list of at least one symbol, such as [BTCUSDT].")
    for symbol in symbols:
        if not isinstance(symbol, str) or not re.fullmatch("[A-Z0-9-]+", symbol):
            raise ParameterError(f"symbols: {symbol!r} is not a name like BTCUSDT.")
    repeated = sorted({symbol for symbol in symbols if list(symbols).count(symbol) > 1})
    if repeated:
        raise ParameterError(f"symbols names {', '.join(repeated)} more than once.")
    return tuple(sorted(symbols))


def _address(endpoint: str | None) -> str | None:
    if endpoint is None:
        return None
    if not re.fullmatch(r"https?://[^/\s]+/?", endpoint):
        raise ParameterError(f"endpoint must be like https://api.bytick.com and is '{endpoint}'.")
    return endpoint.rstrip("/")
