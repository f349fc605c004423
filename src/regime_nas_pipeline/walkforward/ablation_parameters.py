"""Parameters of the ablations and of the Lipschitz curve, typed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, field_validator

from regime_nas_pipeline.core.params import Strict

Variant = Literal[
    "without_volatility",
    "without_trend",
    "without_range",
    "uniform_gate",
    "shuffled_gate",
    "single_timeframe",
    "no_uncertainty",
    "no_market_penalties",
    "no_label_supervision",
    "no_lipschitz",
    "lipschitz_limit",
    "no_bayesian_search",
    "no_gradient_search",
]
"""What can be left out of, or put into, the network that was found."""

SEARCHED_AGAIN = ("no_bayesian_search", "no_gradient_search")
"""Variants that need a search of their own, at the budget of the one that they replace."""


class LipschitzCurve(Strict):
    """Error against the limit on the certified Lipschitz constant.

    Attributes:
        limits: Limits, above 0; training without a limit always stands beside them.
        seeds: Networks trained under each limit, in each fold.
        windows: Training windows at which the steepest reaction is looked for.
        climb: Gradient steps from each of them.
    """

    limits: tuple[PositiveFloat, ...] = Field(min_length=1)
    seeds: int = Field(3, ge=1)
    windows: int = Field(8, ge=1)
    climb: int = Field(20, ge=0)

    @field_validator("limits")
    @classmethod
    def _increase(cls, limits: tuple[float, ...]) -> tuple[float, ...]:
        if list(limits) != sorted(set(limits)):
            raise ValueError(f"limits must increase; got {list(limits)}")
        return limits


class Ablation(Strict):
    """What is left out of the network that was found, and how the loss is measured.

    Attributes:
        variants: Which variants stand beside the full network.
        seeds: Networks per variant and fold, each scored by itself.
        folds: Fits over the out-of-sample dates; neighbouring folds of the walk-forward are
            joined until so many are left, and every decision date is scored. None for all.
        lipschitz_limit: Limit of the variant of that name.
        level: Of the intervals over seeds; 1 - level is the size of the tests.
        curve: The Lipschitz curve.
    """

    variants: tuple[Variant, ...] = Field(min_length=1)
    seeds: int = Field(5, ge=2)
    folds: int | None = Field(2, ge=1)
    lipschitz_limit: PositiveFloat = 1.0
    level: float = Field(0.95, gt=0, lt=1)
    curve: LipschitzCurve

    @field_validator("variants")
    @classmethod
    def _differ(cls, variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
        if len(set(variants)) < len(variants):
            raise ValueError("a variant is listed twice")
        return variants
