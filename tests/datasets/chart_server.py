"""A server on loopback that speaks the protocol of Yahoo's chart service, faults included."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

CHART = "/v8/finance/chart/"


@dataclass
class Listing:
    """A ticker: what it was traded at on which days, in the money of those days.

    ``days`` are traded closes; a split of 2.0 doubles the shares from that day on; a dividend is
    paid per share of the day before, so that its buyer on that day does not get it.
    """

    days: dict[dt.date, float]
    splits: dict[dt.date, float] = field(default_factory=dict)
    dividends: dict[dt.date, float] = field(default_factory=dict)
    blanks: set[dt.date] = field(default_factory=set)
    zero_opens: set[dt.date] = field(default_factory=set)
    zone: str = "America/New_York"
    opens: dt.time = dt.time(9, 30)
    closes: dt.time = dt.time(16)
    currency: str = "USD"

    def session(self, day: dt.date) -> tuple[int, int]:
        zone = ZoneInfo(self.zone)
        return tuple(
            int(dt.datetime.combine(day, hour, zone).timestamp())
            for hour in (self.opens, self.closes)
        )

    def closes_by_day(self) -> dict[dt.date, float]:
        """Closes as Yahoo gives them: in shares of today."""
        result, factor = {}, 1.0
        for day in sorted(self.days, reverse=True):
            result[day] = self.days[day] / factor
            factor *= self.splits.get(day, 1.0)
        return result

    def adjusted_by_day(self) -> dict[dt.date, float]:
        """Adjusted closes as Yahoo describes them: backwards, by 1 - dividend / last close."""
        result, factor, paid = {}, 1.0, 0.0
        for day in sorted(self.days, reverse=True):
            factor *= 1.0 - paid / self.days[day]
            result[day] = self.closes_by_day()[day] * factor
            paid = self.dividends.get(day, 0.0)
        return result


@dataclass
class Reply:
    """What comes instead of the right answer."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    delay: float = 0.0


Fault = Reply | Callable[[bytes], Reply]


def chart_error(code: str, description: str, status: int = 404) -> Reply:
    error = {"code": code, "description": description}
    return Reply(status, json.dumps({"chart": {"result": None, "error": error}}).encode())


class ChartServer(ThreadingHTTPServer):
    """Serves ``listings``; the next requests for prices meet the ``faults``, one each."""

    daemon_threads = True

    def __init__(self, now: dt.datetime) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.now = now
        self.listings: dict[str, Listing] = {}
        self.faults: list[Fault] = []
        self.zone_faults: list[Fault] = []
        self.requests: list[tuple[str, dict[str, str]]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def asked(self) -> list[str]:
        """Tickers in the order in which prices (not time zones) were asked for."""
        return [ticker for ticker, query in self.requests if "period1" in query]


@contextmanager
def serving(now: dt.datetime) -> Iterator[ChartServer]:
    with ChartServer(now) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body go out at once
    wbufsize = -1
    server: ChartServer

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(self.server.now, usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if not parts.path.startswith(CHART):
            crumb = Reply(200 if parts.path == "/v1/test/getcrumb" else 404, b"crumb")
            return self._send(crumb)
        ticker = unquote(parts.path[len(CHART) :])
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.server.requests.append((ticker, query))
        faults = self.server.faults if "period1" in query else self.server.zone_faults
        right = _answer(self.server, ticker, query)
        if not faults:
            return self._send(right)
        fault = faults.pop(0)
        return self._send(fault if isinstance(fault, Reply) else fault(right.body))

    def _send(self, reply: Reply) -> None:
        time.sleep(reply.delay)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body[: len(reply.body) - reply.cut])
        self.close_connection = reply.cut > 0


def _answer(server: ChartServer, ticker: str, query: dict[str, str]) -> Reply:
    listing = server.listings.get(ticker)
    if listing is None:
        return chart_error("Not Found", "No data found, symbol may be delisted")
    result = {"meta": _meta(listing, ticker, server.now), "indicators": {"quote": [{}]}}
    if "period1" in query:
        low, high = int(query["period1"]), int(query["period2"])
        until = min(high, int(server.now.timestamp()) + 1)
        if query["interval"] == "1d":
            _add_days(result, listing, low, until)
        else:
            _add_hours(result, listing, low, until, query["interval"])
    return Reply(body=json.dumps({"chart": {"result": [result], "error": None}}).encode())


def _meta(listing: Listing, ticker: str, now: dt.datetime) -> dict[str, Any]:
    today = now.astimezone(ZoneInfo(listing.zone)).date()
    start, end = listing.session(today)
    periods = {}
    for name in ("pre", "regular", "post"):
        periods[name] = {"timezone": "X", "start": start, "end": end, "gmtoffset": 0}
    return {
        "currency": listing.currency,
        "symbol": ticker,
        "instrumentType": "EQUITY",
        "exchangeTimezoneName": listing.zone,
        "priceHint": 2,
        "gmtoffset": 0,
        "currentTradingPeriod": periods,
        "validRanges": ["1d", "5d", "max"],
        "tradingPeriods": [
            [{"timezone": "X", "gmtoffset": 0, "start": first, "end": last}]
            for first, last in map(listing.session, sorted(listing.days))
        ],
    }


def _add_days(result: dict[str, Any], listing: Listing, low: int, until: int) -> None:
    closes, adjusted = listing.closes_by_day(), listing.adjusted_by_day()
    days = [day for day in sorted(closes) if low <= listing.session(day)[0] < until]
    if not days:
        return
    result["timestamp"] = [listing.session(day)[0] for day in days]
    result["indicators"] = {
        "quote": [_quote([None if day in listing.blanks else closes[day] for day in days])],
        "adjclose": [
            {"adjclose": [None if day in listing.blanks else adjusted[day] for day in days]}
        ],
    }
    for row, day in enumerate(days):
        if day in listing.zero_opens:
            result["indicators"]["quote"][0]["open"][row] = 0
    stamps = {day: listing.session(day)[0] for day in days}
    result["events"] = {
        "dividends": {
            str(stamps[day]): {"amount": paid, "date": stamps[day]}
            for day, paid in listing.dividends.items()
            if day in stamps
        },
        "splits": {
            str(stamps[day]): {"date": stamps[day], "numerator": ratio, "denominator": 1}
            for day, ratio in listing.splits.items()
            if day in stamps
        },
    }


def _add_hours(
    result: dict[str, Any], listing: Listing, low: int, until: int, interval: str
) -> None:
    """Bars within the sessions, without an adjusted close; each a little above the last."""
    step = {"1h": 3600, "15m": 900}[interval]
    bars = []
    for day, close in listing.closes_by_day().items():
        first, last = listing.session(day)
        bars += [(at, close + (at - first) / 36000) for at in range(first, last, step)]
    bars = sorted((at, close) for at, close in bars if low <= at < until)
    if not bars:
        return
    result["timestamp"] = [at for at, _ in bars]
    result["indicators"] = {"quote": [_quote([close for _, close in bars])]}


def _quote(closes: Sequence[float | None]) -> dict[str, list[float | None]]:
    scales = {"open": 0.99, "high": 1.02, "low": 0.98, "close": 1.0}
    quote: dict[str, list[float | None]] = {
        name: [None if close is None else close * scale for close in closes]
        for name, scale in scales.items()
    }
    return {**quote, "volume": [None if close is None else 1000 for close in closes]}
