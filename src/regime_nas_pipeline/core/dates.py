"""Bar dates as text, for people and for JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_DAY, _SECOND = "%Y-%m-%d", "%Y-%m-%d %H:%M:%S"


def date_text(date: Any, bars: Iterable[Any] | None = None) -> str:
    """Write a bar date: the day, and the time of day where a bar may lie at another than midnight.

    Args:
        date: Whatever pandas takes for a time stamp.
        bars: The bars that it is one of; all of them are written alike. None: it stands alone.
    """
    import pandas as pd  # noqa: PLC0415 - read for every command

    stamp = pd.Timestamp(date)
    return stamp.strftime(_form([stamp] if bars is None else bars))


def date_texts(dates: Iterable[Any]) -> list[str]:
    """Write the bar dates of one table or axis alike: days where all of them are midnights.

    Args:
        dates: Whatever pandas takes for time stamps.
    """
    import pandas as pd  # noqa: PLC0415 - read for every command

    stamps = pd.DatetimeIndex(list(dates))
    return stamps.strftime(_form(stamps)).tolist()


def _form(bars: Iterable[Any]) -> str:
    import pandas as pd  # noqa: PLC0415 - read for every command

    stamps = pd.DatetimeIndex(bars if isinstance(bars, pd.Index | pd.Series) else list(bars))
    known = stamps[stamps.notna()]
    return _DAY if bool((known == known.normalize()).all()) else _SECOND
