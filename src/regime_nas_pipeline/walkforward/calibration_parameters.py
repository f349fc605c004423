"""Parameters of the pipeline that tries what mends calibration, typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, PositiveFloat, field_validator

from regime_nas_pipeline.core.params import Strict

Remedy = Literal["ranking_loss", "spread_scaling", "garch_covariance", "all_three"]
"""What is tried beside the forecasters as they were found."""


@dataclass(frozen=True)
class Parts:
    """Which remedies a variant is made of.

    Attributes:
        ranking: A pairwise ranking loss in training.
        spread: Deviations from the date's mean forecast scaled by a learned factor.
        garch: GARCH volatilities in the covariance and in the intervals around the forecasts.
    """

    ranking: bool = False
    spread: bool = False
    garch: bool = False

    @property
    def training(self) -> str:
        """Name of the fit: variants that differ in ``garch`` alone share their forecasts."""
        return {
            (False, False): "plain",
            (True, False): "ranking",
            (False, True): "spread",
            (True, True): "ranking_spread",
        }[self.ranking, self.spread]


PLAIN = "plain"
"""The forecasters as they were found."""

PARTS: dict[str, Parts] = {
    PLAIN: Parts(),
    "ranking_loss": Parts(ranking=True),
    "spread_scaling": Parts(spread=True),
    "garch_covariance": Parts(garch=True),
    "all_three": Parts(ranking=True, spread=True, garch=True),
}
"""Variant to what it is made of."""


class CalibrationTrial(Strict):
    """What is tried against poor calibration, and how its effect is measured.

    Attributes:
        variants: Which remedies stand beside the plain forecasters.
        seeds: Networks per forecaster, variant and fold, each scored by itself.
        folds: Fits over the out-of-sample dates; neighbouring folds of the walk-forward are
            joined until so many are left, and every decision date is scored. None for all.
        level: Of the intervals over seeds; 1 - level is the size of the tests.
        ranking_weight: Of the pairwise ranking loss, beside a squared error that counts once.
        prior_deviation: How far from 1 the slope that spreads are scaled by is expected
            beforehand, as a standard deviation.
        cap: Largest factor that spreads are scaled by.
    """

    variants: tuple[Remedy, ...] = Field(min_length=1)
    seeds: int = Field(5, ge=2)
    folds: int | None = Field(2, ge=1)
    level: float = Field(0.95, gt=0, lt=1)
    ranking_weight: PositiveFloat = 1.0
    prior_deviation: PositiveFloat = 1.0
    cap: float = Field(5.0, ge=1)

    @field_validator("variants")
    @classmethod
    def _differ(cls, variants: tuple[Remedy, ...]) -> tuple[Remedy, ...]:
        if len(set(variants)) < len(variants):
            raise ValueError("a variant is listed twice")
        return variants
