"""Prices of any ticker from Yahoo Finance: fetched once, frozen, and read from disk afterwards."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
from tqdm import tqdm

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.datasets.fetching import Pace, with_retries
from regime_nas_pipeline.datasets.network_prices import NetworkPricesDataset
from regime_nas_pipeline.datasets.snapshot import Fetched, SnapshotStore
from regime_nas_pipeline.datasets.snapshot_refresh import FreezePolicy, FrozenPrices
from regime_nas_pipeline.datasets.source_arguments import one_of, retry_policy, span
from regime_nas_pipeline.datasets.source_error import PriceSourceError
from regime_nas_pipeline.datasets.yahoo_bars import (
    LONGEST_DAYS,
    SOURCE,
    History,
    NoBarsError,
    is_intraday,
    request_interval,
    to_bars,
)
from regime_nas_pipeline.datasets.yahoo_caveats import caveats
from regime_nas_pipeline.market.raw import DATE_DTYPE, TABLE_COLUMNS

_FIRST_DAY = dt.date(1927, 1, 1)
"""Before Yahoo's longest history, which is that of the S&P 500."""

_TOLERANCE = 1e-6
"""Yahoo's prices have single precision: what is equal may differ in the seventh digit."""

_ISIN = "[A-Z]{2}[A-Z0-9]{9}[0-9]"


class YahooPricesDataset(NetworkPricesDataset):
    """Open, high, low, close and volume of any tickers from Yahoo Finance, through yfinance.

    The first load fetches and freezes; every later one reads the frozen files and needs neither
    network nor yfinance. Yahoo answers one ticker per request; they are asked one after the
    other, so that nothing depends on the timing. A bar is dated by its start: days, weeks (by
    their Monday) and months by the calendar of the exchange, shorter ones in UTC. Bars that are
    not over when Yahoo answers are left out, and noted. Needs the extra ``yahoo``.

    Adjusted closes change all the way back with every dividend. So a refresh finds a revision
    after each, and ``revised: refetch`` is what adjusted prices want.

    Example catalog entry::

        raw_prices:
          type: regime_nas_pipeline.datasets.yahoo.YahooPricesDataset
          filepath: data/01_raw/snapshots
          tickers: [SPY, QQQ, TLT, GLD]
          start: 2005-01-03
          end: 2024-12-31

    Args:
        filepath: Folder in which snapshots lie, one folder for each query in it.
        tickers: Yahoo's names, such as ``SPY``, ``^GSPC`` or ``BTC-USD``; they become the assets.
        start: First day, by the calendar of the exchange; None for all that Yahoo serves.
        end: Last day (all of it); None for the newest bar that is over.
        interval: 1d, 1wk or 1mo; or 1m (last 7 days), 2m, 5m, 15m, 30m, 90m (last 59 days), 1h
            (last 729 days), further back than which Yahoo does not serve them.
        adjusted: Prices adjusted for dividends and splits; False: for splits alone. Bars shorter
            than a day are never adjusted for dividends.
        missing: ``fail``, or ``drop`` to go on without tickers that Yahoo has no bar of.
        refresh: Fetch what is new since the last stored bars, as a new version; once per dataset
            object.
        revised: ``fail``, or ``refetch`` to fetch a ticker's whole history again where a close
            that was fetched twice differs.
        overlap: Stored bars of each ticker that a refresh compares.
        requests_per_second: Pace of the requests; each ticker takes two.
        retries: Any of attempts, first_wait, longest_wait, timeout, seed, as in
            :class:`~regime_nas_pipeline.datasets.fetching.RetryPolicy`.
        metadata: Free for plugins such as Kedro-Viz; not read here.

    Raises:
        ParameterError: An argument is unknown, out of its range or contradicts another one.
    """

    def __init__(
        self,
        *,
        filepath: str | os.PathLike[str],
        tickers: Sequence[str],
        start: dt.date | str | None = None,
        end: dt.date | str | None = None,
        interval: str = "1d",
        adjusted: bool = True,
        missing: str = "fail",
        refresh: bool = False,
        revised: str = "fail",
        overlap: int = 5,
        requests_per_second: float = 2.0,
        retries: Mapping[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._assets = _checked_tickers(tickers)
        self._start, self._end = span(start, end)
        self._interval = one_of("interval", interval, tuple(LONGEST_DAYS))
        self._adjusted = adjusted
        self._policy = retry_policy(retries)
        self._pace = Pace(requests_per_second)
        self.metadata = metadata
        self._store = SnapshotStore(
            Path(filepath), source="yahoo", query=self._query(), libraries=["yfinance"]
        )
        cause = "dividend or split" if adjusted else "split"
        self._frozen = FrozenPrices(
            self._store,
            self._fetch,
            policy=FreezePolicy(missing, refresh, revised, overlap, _TOLERANCE),
            name=self._name,
            hint=f"Yahoo rescales all earlier prices with every {cause}, and fetching all of them "
            "again is then right.",
        )

    @property
    def _name(self) -> str:
        return f"{SOURCE}, interval {self._interval}"

    def _query(self) -> dict[str, Any]:
        """What decides on the prices that come: the key of the snapshot."""
        return {
            "tickers": list(self._assets),
            "interval": self._interval,
            "adjusted": self._adjusted,
            "start": None if self._start is None else self._start.isoformat(),
            "end": None if self._end is None else self._end.isoformat(),
        }

    def _fetch(self, since: Mapping[str, pd.Timestamp | None]) -> Fetched:
        chart = _chart_service()
        histories: dict[str, History] = {}
        missing: dict[str, str] = {}
        with (
            chart.chart_session(pace=self._pace, timeout=self._policy.timeout) as session,
            tqdm(total=len(since), desc=self._name, unit="ticker", miniters=1) as bar,
        ):
            for ticker, first in since.items():
                bar.set_postfix_str(ticker)
                try:
                    histories[ticker] = self._history(chart, session, ticker, first)
                except NoBarsError as error:
                    missing[ticker] = str(error)
                bar.update()
        parts, notes, open_notes = [_NOTHING], [], []
        for ticker, history in histories.items():
            bars = to_bars(
                history,
                ticker,
                self._interval,
                start=self._first_kept(since[ticker]),
                end=self._end,
            )
            parts.append(bars.table)
            notes += bars.notes
            open_notes += bars.open_notes
            if bars.table.empty:
                missing[ticker] = "no whole bar between start and end"
        return Fetched(
            table=pd.concat(parts, ignore_index=True).astype({"asset": "str"}),
            notes=notes,
            moment_notes=[
                *open_notes,
                *caveats(histories, self._interval, adjusted=self._adjusted),
            ],
            missing=missing,
        )

    def _history(
        self, chart: ModuleType, session: Any, ticker: str, since: pd.Timestamp | None
    ) -> History:
        history: History = with_retries(
            lambda: chart.ask(
                session,
                ticker,
                interval=request_interval(self._interval),
                start=self._first_asked(ticker, since),
                end=self._end,
                adjusted=self._adjusted,
            ),
            what=f"{self._name}, {ticker}",
            policy=self._policy,
        )
        return history

    def _first_kept(self, since: pd.Timestamp | None) -> pd.Timestamp | None:
        if since is not None or self._start is None or is_intraday(self._interval):
            return since
        return pd.Timestamp(self._start)

    def _first_asked(self, ticker: str, since: pd.Timestamp | None) -> dt.date:
        """The day of the exchange with which a request starts.

        Raises:
            PriceSourceError: Yahoo does not serve the interval that far back.
        """
        days = LONGEST_DAYS[self._interval]
        asked = self._start if since is None else since.date()
        if days is None:
            return asked or _FIRST_DAY
        earliest = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=days)
        if asked is not None and asked < earliest:
            raise PriceSourceError(
                f"Yahoo serves this interval for the last {days} days only, and {asked} lies "
                "before them",
                source=self._name,
                asset=ticker,
                remedy=f"start on {earliest} or later in a new catalog entry, choose a longer "
                "interval, or set refresh: false to go on with what is stored.",
            )
        if since is not None:
            # Of a moment in UTC it may still be the day before at the exchange.
            return max(earliest, since.date() - dt.timedelta(days=1))
        return asked or earliest


_NOTHING = pd.DataFrame({name: pd.Series(dtype=float) for name in TABLE_COLUMNS}).astype(
    {"date": DATE_DTYPE, "asset": "str"}
)


def _chart_service() -> ModuleType:
    """The part that needs yfinance, imported only where something is fetched."""
    try:
        from regime_nas_pipeline.datasets import yahoo_chart  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise PriceSourceError(
            f"prices have to be fetched and yfinance cannot be imported ({error})",
            source=SOURCE,
            remedy="install it with: pip install 'regime_nas_pipeline[yahoo]'",
        ) from error
    return yahoo_chart


def _checked_tickers(tickers: Sequence[str]) -> tuple[str, ...]:
    if isinstance(tickers, str) or not tickers:
        raise ParameterError("tickers must be a list of at least one ticker, such as [SPY].")
    for ticker in tickers:
        if not isinstance(ticker, str) or not re.fullmatch(r"[A-Za-z0-9.^=&$_-]+", ticker):
            raise ParameterError(
                f"tickers: {ticker!r} is not a name like SPY, ^GSPC or BTC-USD. YAML reads some "
                "words (ON, NO, TRUE) as truth values: write them in quotes."
            )
        if re.fullmatch(_ISIN, ticker):
            raise ParameterError(f"tickers: {ticker} is an ISIN; write Yahoo's ticker instead.")
    # Yahoo's tickers have no small letters, and yfinance asks for them in capitals.
    capitals = [ticker.upper() for ticker in tickers]
    repeated = sorted({name for name in capitals if capitals.count(name) > 1})
    if repeated:
        raise ParameterError(f"tickers names {', '.join(repeated)} more than once.")
    return tuple(sorted(capitals))
