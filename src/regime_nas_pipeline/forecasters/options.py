"""From the flat choices of a search space to constructor arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from regime_nas_pipeline.core.errors import ParameterError


def arguments_of(choices: Mapping[str, Any], weights: frozenset[str]) -> dict[str, Any]:
    """Constructor arguments, as JSON values.

    Args:
        choices: A value for every dimension.
        weights: Names among them that are weights of the loss; they become ``objective``.

    Raises:
        ParameterError: Timeframes are not written as ``"1-5-21"``.
    """
    chosen = {name: choices[name] for name in sorted(weights & set(choices))}
    found = {name: value for name, value in choices.items() if name not in chosen}
    if "timeframes" in found:
        found["timeframes"] = timeframes_of_option(found["timeframes"])
    return {**found, "objective": chosen} if chosen else found


def timeframes_of_option(option: Any) -> list[int]:
    """Several timeframes in one option: ``"1-5-21"`` to [1, 5, 21], in bars.

    Raises:
        ParameterError: The option is written otherwise.
    """
    parts = str(option).split("-")
    if not all(part.isascii() and part.isdecimal() and int(part) for part in parts):
        raise ParameterError(
            f"timeframes: option {option!r} is not bars with hyphens between them, as in '1-5-21'."
        )
    return [int(part) for part in parts]


def option_of_timeframes(timeframes: Sequence[int]) -> str:
    """The inverse: (1, 5, 21) to ``"1-5-21"``."""
    return "-".join(map(str, timeframes))
