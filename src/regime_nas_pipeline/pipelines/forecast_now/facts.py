"""What is said at the end of a forecast for the next rebalance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def closing_line(facts: Mapping[str, Any]) -> str:
    """What to do now: rebalance or wait; and whether the models are due, or of other code."""
    bars = facts["rebalance"]["in_bars"]
    if bars == 0:
        lag = facts["rebalance"]["execution_lag"]
        when = {0: "at the same close", 1: "at the next close"}.get(lag, f"{lag} closes later")
        line = (
            f"Rebalance due now: decided on the close of {facts['last_bar']}, to be traded {when}."
        )
    else:
        line = f"Next rebalance in {_bars(bars)} after {facts['last_bar']}; nothing is due now."
    refit = facts["refit"]
    if refit["in_bars"] <= 0:
        possible = refit["possible_in_bars"]
        how = "run `kedro run`" if possible == 0 else f"`kedro run` makes them in {_bars(possible)}"
        line += f" Newer models are due: {how}."
    other = [name for name, about in facts["forecasters"].items() if not about["same_code"]]
    if other:
        line += f" Fitted by other code or libraries than those in use: {', '.join(other)}."
    return line


def _bars(number: int) -> str:
    return "1 bar" if number == 1 else f"{number} bars"
