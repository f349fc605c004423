"""Asking Yahoo's chart service through yfinance, with faults that pass told from those that last.

Needs the extra ``yahoo``; everything else about Yahoo prices works without it.
"""

from __future__ import annotations

import datetime as dt
import json
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

import pandas as pd
import yfinance
from curl_cffi.requests import Session
from curl_cffi.requests.exceptions import RequestException
from yfinance.data import YfData
from yfinance.exceptions import YFRateLimitError, YFTickerMissingError

from regime_nas_pipeline.datasets.fetching import Pace, TransientError
from regime_nas_pipeline.datasets.source_error import PriceSourceError
from regime_nas_pipeline.datasets.yahoo_bars import SOURCE, History, NoBarsError

_CHART_PATH = "/v8/finance/chart/"

# yfinance keeps time zones and cookies (pickled) in the user's cache folder unless told otherwise.
# Nothing is to be read from or left there; the folder goes when the process ends.
_CACHE = tempfile.TemporaryDirectory(prefix="regime_nas_yfinance_")
yfinance.set_tz_cache_location(_CACHE.name)


class ChartSession(Session[Any]):
    """yfinance's kind of session, which raises where yfinance would swallow or guess.

    yfinance takes every answer without prices for a ticker that is "possibly delisted", a broken
    server included, and keeps such answers in a cache. Here an answer of the chart service is
    looked at before yfinance sees it. Other addresses (cookies, crumbs) are left alone.

    Args:
        pace: Spaces the requests to the chart service.
        timeout: Seconds after which a request is given up, whatever yfinance asks for.
    """

    def __init__(self, *, pace: Pace, timeout: float) -> None:
        super().__init__(impersonate="chrome")
        self._pace = pace
        self._timeout = timeout
        self._refused = False
        self.answered_at: pd.Timestamp | None = None

    def request(self, method: Any, url: str, *args: Any, **options: Any) -> Any:
        """Send one request.

        Raises:
            TransientError: No answer, a busy server or an answer that is torn.
            NoBarsError: Yahoo does not know the ticker, or has no bars of it.
            PriceSourceError: Yahoo refuses the request for good.
        """
        options["timeout"] = self._timeout
        if _CHART_PATH not in url:
            return super().request(method, url, *args, **options)
        self._pace.wait()
        try:
            response = super().request(method, url, *args, **options)
        except RequestException as error:
            raise TransientError(f"no answer ({error})") from error
        self.answered_at = _date(response.headers.get("Date"))
        if response.status_code in (401, 403) and not self._refused:
            # yfinance answers the first refusal with another cookie and asks again.
            self._refused = True
            return response
        self._refused = False
        _look_at(response)
        return response


def _look_at(response: Any) -> None:
    """Raise what is wrong with an answer of the chart service."""
    status = response.status_code
    if status in (401, 403, 429) or status >= 500:
        asked = str(response.headers.get("Retry-After", ""))
        wait = float(asked) if asked.isdecimal() else None
        raise TransientError(f"HTTP {status} {response.reason}".strip(), retry_after=wait)
    try:
        chart = json.loads(response.content)["chart"]
        error, result = chart["error"], chart["result"]
        said = error and f"{error['code']}: {error['description']}"
    except (ValueError, LookupError, TypeError) as fault:
        raise TransientError(f"HTTP {status} with an answer that is torn or no chart") from fault
    if said and error["code"] in ("Not Found", "Bad Request"):
        raise NoBarsError(said)
    if said or status >= 400:
        raise PriceSourceError(
            f"Yahoo refuses the request ({said or f'HTTP {status}'})",
            source=SOURCE,
            remedy="correct interval, start and end in the catalog entry.",
        )
    if not result:
        raise TransientError("an answer without a result")


def _date(header: str | None) -> pd.Timestamp | None:
    """The server's clock; None where it does not tell."""
    try:
        return pd.Timestamp(parsedate_to_datetime(header or "")).tz_convert("UTC")
    except (TypeError, ValueError):
        return None


@contextmanager
def chart_session(*, pace: Pace, timeout: float) -> Iterator[ChartSession]:
    """A session that yfinance uses meanwhile; its own settings are as before afterwards."""
    debug = yfinance.config.debug
    hidden = debug.hide_exceptions
    with ChartSession(pace=pace, timeout=timeout) as session:
        debug.hide_exceptions = False
        try:
            yield session
        finally:
            debug.hide_exceptions = hidden
            # yfinance is one for the process and holds on to the last session that it was given.
            YfData(session=Session(impersonate="chrome"))


def ask(
    session: ChartSession,
    ticker: str,
    *,
    interval: str,
    start: dt.date,
    end: dt.date | None,
    adjusted: bool,
) -> History:
    """Ask once for the bars of one ticker.

    Args:
        session: From :func:`chart_session`.
        ticker: Yahoo's name of it.
        interval: One of Yahoo's.
        start: First day of the exchange, or the first moment, with a time zone.
        end: Last day of the exchange, all of it; None for now.
        adjusted: Prices adjusted for dividends too, and not for splits alone.

    Raises:
        TransientError: Another try may help.
        NoBarsError: Yahoo does not know the ticker, or has no bars of it in that time.
        PriceSourceError: Yahoo refuses the request for good.
    """
    # yfinance keeps answers about the past in memory: an answer that it could not read would come
    # back at every attempt, and a refresh would not see what Yahoo has changed since.
    YfData.cache_get.cache_clear()
    try:
        asset = yfinance.Ticker(ticker, session=session)
        with warnings.catch_warnings():
            # About yfinance's own use of pandas; it asks for them to be shown.
            warnings.simplefilter("ignore", DeprecationWarning)
            frame = asset.history(
                interval=interval,
                start=start,
                end=None if end is None else end + dt.timedelta(days=1),
                auto_adjust=adjusted,
                actions=False,
            )
        meta = asset.history_metadata
        session_end = meta.get("currentTradingPeriod", {}).get("regular", {}).get("end")
        currency = meta.get("currency")
    except (TransientError, NoBarsError, PriceSourceError):
        raise
    except YFRateLimitError as error:
        raise TransientError(str(error)) from error
    except YFTickerMissingError as error:
        raise NoBarsError(error.rationale) from error
    except Exception as error:
        # An answer in a form that yfinance does not expect ends in any error there is.
        raise TransientError(f"yfinance cannot read the answer ({error!r})") from error
    if frame.empty:
        raise NoBarsError("no bar in this time")
    return History(
        frame=frame,
        now=session.answered_at or pd.Timestamp.now("UTC"),
        session_end=session_end if isinstance(session_end, pd.Timestamp) else None,
        currency=currency,
    )
