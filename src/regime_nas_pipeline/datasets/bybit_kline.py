"""What Bybit's v5/market/kline answers, and how a long history is put together from pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regime_nas_pipeline.datasets.fetching import TransientError

LIMIT = 1000
"""Bars that one answer holds at most."""

INTERVALS = ("1", "3", "5", "15", "30", "60", "120", "240", "360", "720", "D", "W", "M")
"""Lengths of a bar that Bybit knows: minutes, day, week (from Monday), month; all in UTC."""

EARLIEST = 1_514_764_800_000
"""2018-01-01 in milliseconds since 1970, before the exchange's first bar."""

_DAY = 86_400_000
_FIELDS = ("open", "high", "low", "close", "volume")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_LATEST = 2**43  # in the year 2248


@dataclass(frozen=True, eq=False)
class KlinePage:
    """One answer.

    Attributes:
        bars: ``start`` (milliseconds since 1970, int64), open, high, low, close, volume (coins
            on spot, contracts on linear; float64); oldest first.
        server_time: The server's clock when it answered, in milliseconds since 1970.
    """

    bars: pd.DataFrame
    server_time: int


@dataclass(frozen=True, eq=False)
class History:
    """The bars of one symbol.

    Attributes:
        bars: Closed bars as in :class:`KlinePage`, without identical repeats.
        open_starts: Starts of bars that were still open at the server's time, left out.
    """

    bars: pd.DataFrame
    open_starts: list[int]


Ask = Callable[["int | None", "int | None"], KlinePage]
"""Asks for the bars that start from .. to, both included, newest :data:`LIMIT` of them."""


def parse_kline(answer: object, symbol: str) -> KlinePage:
    """Read one answer of v5/market/kline; strict, since a torn answer can be asked for again.

    Args:
        answer: Decoded JSON.
        symbol: What was asked for.

    Raises:
        TransientError: It is not what the protocol promises.
    """
    if not isinstance(answer, dict) or not isinstance(answer.get("result"), dict):
        raise TransientError("the answer has no result")
    server_time, result = answer.get("time"), answer["result"]
    if isinstance(server_time, bool) or not isinstance(server_time, int):
        raise TransientError("the answer does not tell the server's time")
    if not 0 < server_time < _LATEST:
        raise TransientError(f"the answer tells {server_time} as the server's time")
    if result.get("symbol", symbol) != symbol:
        raise TransientError(f"the answer is about {result['symbol']!r} and not {symbol!r}")
    rows = result.get("list")
    if not isinstance(rows, list):
        raise TransientError("the answer has no list of bars")
    bars = _frame([_parse_row(row) for row in rows])
    return KlinePage(bars.sort_values("start", kind="stable", ignore_index=True), server_time)


def _frame(rows: list[tuple[int, list[float]]]) -> pd.DataFrame:
    values = np.array([each for _, each in rows], dtype=np.float64).reshape(-1, len(_FIELDS))
    bars = pd.DataFrame(values, columns=list(_FIELDS))
    bars.insert(0, "start", np.array([start for start, _ in rows], dtype=np.int64))
    return bars


def _parse_row(row: object) -> tuple[int, list[float]]:
    """Start and values of ``[start, open, high, low, close, volume, turnover]``, all text."""
    if not isinstance(row, list) or len(row) < 1 + len(_FIELDS):
        raise TransientError(f"the answer has a bar that is incomplete: {str(row)[:80]}")
    cells = row[: 1 + len(_FIELDS)]
    if not all(isinstance(cell, str) and _NUMBER.fullmatch(cell) for cell in cells):
        raise TransientError(f"the answer has a bar that is not made of numbers: {str(row)[:80]}")
    start, values = float(cells[0]), [float(cell) for cell in cells[1:]]
    if not (0 < start < _LATEST and start.is_integer()) or not np.isfinite(values).all():
        raise TransientError(f"the answer has a bar that is out of range: {str(row)[:80]}")
    return int(start), values


def bar_ends(starts: np.ndarray, interval: str) -> np.ndarray:
    """When bars end, in milliseconds since 1970: the first moment that is not in them.

    Args:
        starts: int64, milliseconds since 1970.
        interval: One of :data:`INTERVALS`.
    """
    if interval == "M":
        months = starts.astype("datetime64[ms]").astype("datetime64[M]") + 1
        ends: np.ndarray = months.astype("datetime64[ms]").astype(np.int64)
        return ends
    return starts + _shortest(interval)


def _shortest(interval: str) -> int:
    """Length of the shortest bar of an interval, in milliseconds."""
    days = {"D": 1, "W": 7, "M": 28}
    return days[interval] * _DAY if interval in days else int(interval) * 60_000


def fetch_history(ask: Ask, *, first: int, last: int | None, interval: str) -> History:
    """Page backwards through a history and put its closed bars together.

    No window is longer than what one answer can hold, so nothing depends on which end of a longer
    range a server would cut off. An empty answer is believed the second time. Behind an empty
    window the whole rest is asked for at once, so that the years before a listing cost four
    requests and a gap inside a history ends nothing.

    Args:
        ask: One request.
        first: Earliest start that is wanted, in milliseconds since 1970.
        last: Latest start that is wanted; None for the newest there is.
        interval: One of :data:`INTERVALS`.
    """
    pages: list[KlinePage] = []
    high = last
    span = (LIMIT - 1) * _shortest(interval)
    while high is None or high >= first:
        low = first if high is None else max(first, high - span)
        page = _ask_twice(ask, None if high is None else low, high)
        inside = page.bars["start"].between(low, _LATEST if high is None else high)
        if inside.any():
            pages.append(KlinePage(page.bars[inside], page.server_time))
            high = int(page.bars["start"][inside].iloc[0]) - 1
        elif high is None or low <= first or _ask_twice(ask, first, low - 1).bars.empty:
            break
        else:
            high = low - 1
    return _joined(pages, interval)


def _ask_twice(ask: Ask, low: int | None, high: int | None) -> KlinePage:
    page = ask(low, high)
    return ask(low, high) if page.bars.empty else page


def _joined(pages: list[KlinePage], interval: str) -> History:
    """Leave out what was open when its page was answered, and repeats over borders of pages."""
    closed = [_frame([])]
    still_open: set[int] = set()
    for page in pages:
        ended = bar_ends(page.bars["start"].to_numpy(), interval) <= page.server_time
        closed.append(page.bars[ended])
        still_open |= {int(start) for start in page.bars["start"][~ended]}
    bars = pd.concat(closed, ignore_index=True).drop_duplicates()
    return History(bars.sort_values("start", ignore_index=True), sorted(still_open))
