"""What prices from Yahoo, taken together, do not tell by themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from regime_nas_pipeline.datasets.yahoo_bars import History, is_intraday
from regime_nas_pipeline.market.raw import make_note


def caveats(
    histories: Mapping[str, History], interval: str, *, adjusted: bool
) -> list[dict[str, Any]]:
    """Notes on what has to be known to use these prices.

    Args:
        histories: Ticker to what Yahoo answered.
        interval: Length of the bars.
        adjusted: Whether adjusted prices were asked for.

    Returns:
        Notes of the kinds ``several_time_zones`` (the bars of one date end at different hours),
        ``several_currencies`` and ``dividends_not_adjusted``.
    """
    notes = []
    zones = _grouped(lambda history: history.zone, histories)
    if len(zones) > 1 and not is_intraday(interval):
        notes.append(
            make_note(
                "several_time_zones",
                "Bars of one date end at different hours, so that some are known before others: "
                f"{_listed(zones)}.",
                count=len(zones),
            )
        )
    currencies = _grouped(lambda history: str(history.currency), histories)
    if len(currencies) > 1:
        notes.append(
            make_note(
                "several_currencies",
                "Returns are each in the currency of the quote, without exchange rates: "
                f"{_listed(currencies)}.",
                count=len(currencies),
            )
        )
    if adjusted and is_intraday(interval):
        notes.append(
            make_note(
                "dividends_not_adjusted",
                "Yahoo adjusts bars shorter than a day for splits, never for dividends.",
            )
        )
    return notes


def _grouped(
    key: Callable[[History], str], histories: Mapping[str, History]
) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for ticker, history in histories.items():
        groups.setdefault(key(history), []).append(ticker)
    return dict(sorted(groups.items()))


def _listed(groups: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{name} ({', '.join(tickers)})" for name, tickers in groups.items())
