"""Names for people: how a strategy is called wherever somebody reads about it."""

from __future__ import annotations

_DISPLAY_NAMES = {
    "regime_nas": "RegimeNAS",
    "gru": "GRU",
    "transformer": "Transformer",
    "garch": "GARCH",
    "momentum": "Momentum",
    "equal_weight": "Equal weight",
    "mvo_flat": "Minimum variance",
    "buy_and_hold": "Buy and hold",
    "no_change": "No-change forecast",
}


def display_name(name: str) -> str:
    """The name of a strategy for people; one that is not known is only freed of underscores."""
    return _DISPLAY_NAMES.get(name, name.replace("_", " "))
