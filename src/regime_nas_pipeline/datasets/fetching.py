"""Asking a server politely: paced, again with back-off where it failed, and not for ever."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from regime_nas_pipeline.core.errors import ParameterError, RegimeNasError
from regime_nas_pipeline.datasets.source_error import PriceSourceError

Answer = TypeVar("Answer")


class TransientError(RegimeNasError):
    """A request failed in a way that may pass: a time-out, a busy server, a torn answer.

    Args:
        message: What happened.
        retry_after: Seconds for which the server asks to be left alone; None where it did not.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how patiently a request is repeated.

    Attributes:
        attempts: Requests at most, the first included.
        first_wait: Longest wait after the first failure, in seconds; it doubles with each one.
        longest_wait: Bound on every wait, in seconds. A server that asks for more is not waited
            for.
        timeout: Seconds after which a source gives up one request.
        seed: Seed of the random waits; None draws afresh. Waits never touch what is fetched.

    Raises:
        ParameterError: A number is out of its range.
    """

    attempts: int = 5
    first_wait: float = 1.0
    longest_wait: float = 60.0
    timeout: float = 20.0
    seed: int | None = None

    def __post_init__(self) -> None:
        """Refuse what could wait for ever or never ask."""
        if self.attempts < 1:
            raise ParameterError(f"attempts must be at least 1 and is {self.attempts}.")
        for name in ("first_wait", "longest_wait"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ParameterError(f"{name} must be a number of seconds and is {value}.")
        if not (math.isfinite(self.timeout) and self.timeout > 0):
            raise ParameterError(f"timeout must be above 0 seconds and is {self.timeout}.")


def with_retries(
    call: Callable[[], Answer],
    *,
    what: str,
    policy: RetryPolicy,
    sleep: Callable[[float], object] = time.sleep,
) -> Answer:
    """Call until it succeeds, with exponential back-off and full jitter.

    After failure n the wait is uniform between 0 and ``first_wait`` · 2ⁿ⁻¹, at most
    ``longest_wait`` (M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015),
    and never shorter than the server asks for.

    Args:
        call: The request. It raises :class:`TransientError` where another try may help; every
            other error is passed on at once.
        what: What is asked for, for the message ("Bybit spot BTCUSDT, D").
        policy: How often, how patiently.
        sleep: Waits so many seconds; for tests.

    Returns:
        What ``call`` returns.

    Raises:
        PriceSourceError: The last attempt failed too, or the server asks for a longer wait than
            the policy has patience for.
    """
    random = np.random.default_rng(policy.seed)
    attempt = 0
    while True:
        attempt += 1
        try:
            return call()
        except TransientError as error:
            asked = error.retry_after or 0.0
            if attempt >= policy.attempts or asked > policy.longest_wait:
                raise _gave_up(what, attempt, asked, error) from error
            longest = min(policy.longest_wait, policy.first_wait * 2.0 ** min(attempt - 1, 60))
            sleep(max(asked, float(random.uniform(0.0, longest))))


def _gave_up(what: str, attempts: int, asked: float, cause: TransientError) -> PriceSourceError:
    tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    waits = f" (the server asks for a wait of {asked:.0f} s)" if asked else ""
    last = str(cause).removesuffix(".")
    return PriceSourceError(
        f"nothing came in {tries}; the last failed with: {last}{waits}",
        source=what,
        remedy="check the network connection and try again later.",
    )


@dataclass
class Pace:
    """Spaces requests evenly, so that a rate limit is not run into in the first place.

    Args:
        per_second: Requests per second at most.
        clock: Seconds of a clock that never goes back; for tests.
        sleep: Waits so many seconds; for tests.

    Raises:
        ParameterError: ``per_second`` is not above 0.
    """

    per_second: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    _next: float = field(default=-math.inf, init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse a pace at which nothing would ever be asked."""
        if not (math.isfinite(self.per_second) and self.per_second > 0):
            raise ParameterError(f"requests per second must be above 0: {self.per_second}.")

    def wait(self) -> None:
        """Return when the next request may be sent."""
        now = self.clock()
        if now < self._next:
            self.sleep(self._next - now)
            now = self._next
        self._next = now + 1.0 / self.per_second
