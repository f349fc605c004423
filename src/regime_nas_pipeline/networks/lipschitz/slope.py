"""Slopes of maps between windows of bars: over the whole window, and of its last bar."""

from __future__ import annotations

import math
from dataclasses import dataclass


def times(a: float, b: float) -> float:
    """Product of two slopes; what does not react at all stays so behind an unbounded layer."""
    return 0.0 if a == 0.0 or b == 0.0 else a * b


@dataclass(frozen=True)
class Slope:
    """Upper bounds on the spectral norm of a map's Jacobian, for a map from window to window.

    Attributes:
        window: Of all bars of the output with respect to all bars of the input.
        last: Of the last bar of the output with respect to all bars of the input.
        local: Whether the output of a bar depends on the input at that bar alone. ``last`` is
            then also the slope from the input's last bar.
    """

    window: float
    last: float
    local: bool = False

    @classmethod
    def of_bar(cls, slope: float) -> Slope:
        """A map applied to every bar on its own: block diagonal, so one slope says it all."""
        return cls(slope, slope, local=True)

    def after(self, inner: Slope) -> Slope:
        """Slope of this map applied to the result of ``inner`` (chain rule)."""
        source = inner.last if self.local else inner.window
        return Slope(
            times(self.window, inner.window),
            times(self.last, source),
            local=self.local and inner.local,
        )

    def __add__(self, other: Slope) -> Slope:
        return Slope(
            self.window + other.window, self.last + other.last, local=self.local and other.local
        )

    def scaled(self, factor: float) -> Slope:
        """Slope of ``factor`` times the map."""
        size = abs(factor)
        return Slope(times(size, self.window), times(size, self.last), local=self.local)


UNBOUNDED = Slope(math.inf, math.inf)
"""Of a map whose Jacobian has no bound."""
