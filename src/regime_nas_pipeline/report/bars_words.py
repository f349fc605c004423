"""Which dates are bars, and what became of the prices between them, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_UNION = "Every date on which some asset has a price is a bar"


def bars_words(quality: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[str]:
    """The calendar, what it folded, and how many bars a year has.

    Args:
        quality: The data-quality report; its ``calendar`` (rule, late_closes, assets) is missing
            where every date is a bar and no asset closes late.
        manifest: The data manifest; read is ``bars_per_year`` (value, rule).

    Returns:
        Nothing about what neither of them states.
    """
    words = []
    if "calendar" in quality:
        words = _calendar_words(quality["calendar"])
    elif "assets" in quality:
        words = [f"{_UNION}, so no price was folded forward onto a later one."]
    year = manifest.get("bars_per_year")
    if isinstance(year, Mapping):
        words.append(f"Yearly figures take a year for {year['value']:,} bars. {year['rule']}")
    return words


def _calendar_words(calendar: Mapping[str, Any]) -> list[str]:
    accounts, late = calendar["assets"], [*calendar["late_closes"]]
    between = {name: account for name, account in accounts.items() if name not in late}
    moved = sum(account["moved"] for account in between.values())
    words = [f"{_rule(calendar['rule'])}. {_folded(moved, between)}"]
    if late:
        words.append(
            f"{_listed(late)} {'closes' if len(late) == 1 else 'close'} after the others' bar of a "
            "date, so each of these prices stands on a bar after its own date."
        )
    early = sum(account["before_first"] for account in accounts.values())
    waiting = sum(account["after_last"] for account in accounts.values())
    if early:
        words.append(f"{_prices(early)} before the first bar {_are(early)} left out.")
    if waiting:
        words.append(
            f"{_prices(waiting)} after the last bar {_are(waiting)} left out until a bar comes "
            "that can show them."
        )
    return words


def _rule(rule: Mapping[str, Any]) -> str:
    if rule["kind"] == "asset":
        return f"The bars are the dates on which {rule['asset']} has a price"
    if rule["kind"] == "exchange":
        return f"The bars are the days on which the exchange {rule['name']} is open"
    return _UNION


def _folded(moved: int, accounts: Mapping[str, Mapping[str, Any]]) -> str:
    if not moved:
        return "No price lay between two of them."
    joined = sum(account["joined"] for account in accounts.values())
    owners = sum(account["moved"] > 0 for account in accounts.values())
    words = (
        f"{_prices(moved)} of {owners:,} {'asset' if owners == 1 else 'assets'} lay between two of "
        "them and were folded forward onto the next"
    )
    return (
        f"{words}; {joined:,} of all prices share their bar with a later one."
        if joined
        else (f"{words}.")
    )


def _prices(number: int) -> str:
    return "1 price" if number == 1 else f"{number:,} prices"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
