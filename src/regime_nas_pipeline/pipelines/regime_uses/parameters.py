"""Parameters of the uses of regime labels, typed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from regime_nas_pipeline.core.params import Strict
from regime_nas_pipeline.pipelines.spx_vix.parameters import LabellerEntry, VolatilityControl
from regime_nas_pipeline.verdict.regime_uses import CONTROLS

Held = Annotated[float, Field(ge=0, le=1)]


class Overlay(Strict):
    """How much of a strategy is held in which regime.

    Attributes:
        calm: Names of regimes that count as calm, in whichever labels they occur.
        in_calm: Share held in calm regimes; the rest is cash.
        otherwise: Share held in all others.
        volatility_target: The control without labels; its cap is at most 1.
    """

    calm: tuple[str, ...] = Field(min_length=1)
    in_calm: Held
    otherwise: Held
    volatility_target: VolatilityControl

    @model_validator(mode="after")
    def _without_leverage(self) -> Overlay:
        if self.volatility_target.cap > 1.0:
            raise ValueError(
                f"volatility_target.cap is {self.volatility_target.cap:g}, and an overlay holds at "
                "most 1"
            )
        if self.in_calm == self.otherwise:
            raise ValueError("in_calm and otherwise are the same, so that labels decide nothing")
        return self


class RegimeCovariances(Strict):
    """The covariance of the regime at a decision.

    Attributes:
        prior_bars: Bars that the covariance of all bars is worth beside those of the regime.
    """

    prior_bars: PositiveFloat


class Supervision(Strict):
    """The found network trained on labels.

    Attributes:
        label_weight: Weight of the labels in the loss.
        seeds: Networks per labeller and fit, each scored by itself.
        folds: Fits over the out-of-sample dates; neighbouring folds of the walk-forward are
            joined until so many are left. None for all.
    """

    label_weight: PositiveFloat
    seeds: int = Field(ge=2)
    folds: PositiveInt | None


class RegimeUses(Strict):
    """What regime labels are used for, and whose.

    Attributes:
        burn_in: Bars before a labeller's first fit.
        refit_every: Bars from one fit of a labeller to the next.
        labellers: Name to labeller. The first one's labels are shuffled for the control.
        overlay: Labels decide how much of a strategy is held.
        covariance: Labels decide which bars a covariance is made of.
        supervision: Labels teach the detector of RegimeNAS.
        level: Of the intervals; tests are at 1 - level, after Holm's correction over all uses.
        resamples: Of the bootstrap tests.
    """

    burn_in: PositiveInt
    refit_every: PositiveInt
    labellers: dict[str, LabellerEntry] = Field(min_length=1)
    overlay: Overlay
    covariance: RegimeCovariances
    supervision: Supervision
    level: float = Field(gt=0, lt=1)
    resamples: int = Field(ge=99)

    @field_validator("labellers")
    @classmethod
    def _not_a_control(cls, labellers: dict[str, LabellerEntry]) -> dict[str, LabellerEntry]:
        for name in CONTROLS:
            if name in labellers:
                raise ValueError(f"a labeller cannot be called '{name}', which is a control")
        return labellers
