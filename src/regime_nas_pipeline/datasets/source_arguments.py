"""Arguments that every network source takes, checked before anything is asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.datasets.fetching import RetryPolicy


def one_of(name: str, value: str, known: Sequence[str]) -> str:
    """``value``, where it is among ``known``.

    Raises:
        ParameterError: It is not; the message names what is known.
    """
    if value not in known:
        raise ParameterError(f"{name} must be one of {', '.join(known)} and is '{value}'.")
    return value


def day(name: str, value: dt.date | str | None) -> dt.date | None:
    """A date without a time of day, from YAML or from text.

    Raises:
        ParameterError: ``value`` is something else.
    """
    if value is None or (isinstance(value, dt.date) and not isinstance(value, dt.datetime)):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError as error:
        raise ParameterError(f"{name} must be a day like 2021-07-05 and is '{value}'.") from error


def span(
    start: dt.date | str | None, end: dt.date | str | None
) -> tuple[dt.date | None, dt.date | None]:
    """First and last day of what is asked for.

    Raises:
        ParameterError: One of them is no day, or the first lies after the last.
    """
    first, last = day("start", start), day("end", end)
    if first is not None and last is not None and first > last:
        raise ParameterError(f"start {first} lies after end {last}.")
    return first, last


def retry_policy(retries: Mapping[str, Any] | None) -> RetryPolicy:
    """The policy that a catalog entry describes; None for the default.

    Raises:
        ParameterError: There is no such setting, or it is out of its range.
    """
    try:
        return RetryPolicy(**(retries or {}))
    except TypeError as error:
        raise ParameterError(f"retries: {error}.") from error
