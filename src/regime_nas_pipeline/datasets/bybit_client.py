"""One request to Bybit's public market data, and what each kind of failure means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from regime_nas_pipeline.core.errors import RegimeNasError
from regime_nas_pipeline.datasets.bybit_kline import LIMIT, KlinePage, parse_kline
from regime_nas_pipeline.datasets.fetching import Pace, RetryPolicy, TransientError, with_retries
from regime_nas_pipeline.datasets.source_error import PriceSourceError

# https://bybit-exchange.github.io/docs/v5/error: time-out, too many visits, internal error, rate
# limit of the address, rate limit of the system.
_TRANSIENT_CODES = (10000, 10006, 10016, 10018, 10429)
_TRANSIENT_STATUS = (408, 425, 429)
_SYMBOL_CODES = (10001, 10029)


class UnknownSymbolError(RegimeNasError):
    """Bybit does not serve this symbol (any more), in its own words."""


class BybitClient:
    """Asks ``v5/market/kline`` through pybit, without an account.

    pybit's own repetition is switched off: it waits by the local clock, prints, and gives up
    without naming what was asked for.

    Args:
        category: ``spot`` or ``linear``.
        interval: One of :data:`~regime_nas_pipeline.datasets.bybit_kline.INTERVALS`.
        policy: How often and how patiently a failed request is repeated.
        pace: Spaces the requests.
        endpoint: Address to ask instead of Bybit's main one, such as ``https://api.bytick.com``.

    Raises:
        PriceSourceError: pybit is not installed.
    """

    def __init__(
        self,
        *,
        category: str,
        interval: str,
        policy: RetryPolicy,
        pace: Pace,
        endpoint: str | None = None,
    ) -> None:
        try:
            from pybit import exceptions, unified_trading  # noqa: PLC0415 - an optional extra
        except ImportError as error:
            raise PriceSourceError(
                "prices from Bybit need the package pybit, which is not installed",
                remedy='install the extra: pip install "regime_nas_pipeline[bybit]".',
            ) from error
        self._category = category
        self._interval = interval
        self._policy = policy
        self._pace = pace
        self._exceptions = exceptions
        self._session = unified_trading.HTTP(timeout=policy.timeout, max_retries=1)
        self._session.retry_codes = set()
        if endpoint is not None:
            self._session.endpoint = endpoint

    def ask(self, symbol: str, start: int | None, end: int | None) -> KlinePage:
        """Bars that start from ``start`` to ``end``, in milliseconds since 1970, both included.

        Args:
            symbol: Bybit's name, such as ``BTCUSDT``.
            start: None for as early as one answer reaches.
            end: None for the newest bar.

        Raises:
            UnknownSymbolError: Bybit does not serve the symbol.
            PriceSourceError: Nothing came in all attempts, or Bybit refuses for another reason.
        """
        what = f"Bybit {self._category} {symbol}, interval {self._interval}"
        return with_retries(
            lambda: self._once(what, symbol, start, end), what=what, policy=self._policy
        )

    def _once(self, what: str, symbol: str, start: int | None, end: int | None) -> KlinePage:
        self._pace.wait()
        try:
            answer = self._session.get_kline(
                category=self._category,
                symbol=symbol,
                interval=self._interval,
                start=start,
                end=end,
                limit=LIMIT,
            )
        except self._exceptions.InvalidRequestError as error:
            raise _refused(
                what, error.status_code, str(error.message), error.resp_headers
            ) from error
        except self._exceptions.FailedRequestError as error:
            raise _failed(what, error.status_code, error.resp_headers) from error
        except OSError as error:  # base of every error of requests: time-outs, torn connections
            raise TransientError(f"{type(error).__name__} ({error})") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # pybit picks the answer apart without looking.
            raise TransientError(f"the answer is malformed ({type(error).__name__})") from error
        return parse_kline(answer, symbol)


def _refused(
    what: str, code: object, message: str, headers: Mapping[str, str] | None
) -> RegimeNasError:
    """The error for an answer whose retCode is not 0."""
    if code in _TRANSIENT_CODES:
        return TransientError(
            f"retCode {code}: {message or 'no reason given'}",
            retry_after=_until_reset(headers or {}),
        )
    if code in _SYMBOL_CODES and "symbol" in message.lower():
        return UnknownSymbolError(f"retCode {code}: {message}")
    return PriceSourceError(
        f"Bybit refuses the request with retCode {code}: {message or 'no reason given'}",
        source=what,
        remedy="see https://bybit-exchange.github.io/docs/v5/error for what the code means, and "
        "correct the catalog entry.",
    )


def _failed(what: str, status: object, headers: Mapping[str, str] | None) -> RegimeNasError:
    """The error for an answer that is no JSON (pybit calls it 409) or not HTTP 200."""
    if headers is None:
        return TransientError("the answer is not JSON")
    if isinstance(status, int) and (status >= 500 or status in _TRANSIENT_STATUS):
        return TransientError(f"HTTP status {status}", retry_after=_seconds(headers))
    if status == 403:
        return PriceSourceError(
            "Bybit refuses to answer (HTTP status 403): too many requests came from this address, "
            "or it lies in a country that is not served",
            source=what,
            remedy="wait ten minutes and lower requests_per_second, or set endpoint to the "
            "address that serves your country.",
        )
    return PriceSourceError(
        f"the server answers with HTTP status {status}",
        source=what,
        remedy="correct endpoint in the catalog entry.",
    )


def _seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds in the header Retry-After; None without a plain number."""
    text = headers.get("Retry-After", "").strip()
    return float(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _until_reset(headers: Mapping[str, str]) -> float | None:
    """Seconds until the rate limit is reset, by the server's own clock; None if it is not said."""
    try:
        reset = int(headers["X-Bapi-Limit-Reset-Timestamp"])
        if "Timenow" in headers:
            now = float(headers["Timenow"])
        else:
            now = parsedate_to_datetime(headers["Date"]).timestamp() * 1000
        return max(0.0, (reset - now) / 1000)
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
