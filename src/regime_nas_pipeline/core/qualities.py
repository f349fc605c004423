"""Measures of calibration: what each is called, and which value of it is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Quality:
    """What a measure is called, and when it is better.

    Attributes:
        label: Name for people.
        side: 1 where larger is better, -1 where smaller is, 0 otherwise.
        ideal: The value that is best; None where there is none.
    """

    label: str
    side: int = 0
    ideal: float | None = None

    @property
    def judged(self) -> bool:
        """Whether any value of it is better than another."""
        return self.side != 0 or self.ideal is not None

    def badness(self, values: np.ndarray) -> np.ndarray:
        """How bad values are: their distance from the ideal, or the value on its bad side."""
        return -self.side * values if self.ideal is None else np.abs(values - self.ideal)


QUALITIES = {
    "cross_slope": Quality("Slope across assets", ideal=1.0),
    "slope": Quality("Slope over all forecasts", ideal=1.0),
    "spread_ratio": Quality("Spread ratio"),
    "rank_ic": Quality("Rank IC", side=1),
    "theil_u": Quality("Theil's U", side=-1),
    "coverage_50": Quality("Coverage of 50 % intervals", ideal=0.5),
    "coverage_80": Quality("Coverage of 80 % intervals", ideal=0.8),
    "coverage_95": Quality("Coverage of 95 % intervals", ideal=0.95),
    "sharpe": Quality("Sharpe ratio net of costs", side=1),
}
"""Measures of the remedies. A spread ratio alone is neither good nor bad: that of calibrated
forecasts is the correlation between forecast and outcome."""
