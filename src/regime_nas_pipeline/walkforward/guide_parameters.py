"""Parameters of the attention guide: one asset, several forecasters of its next bar."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from regime_nas_pipeline.core.params import Strict
from regime_nas_pipeline.forecasters.base import Forecaster
from regime_nas_pipeline.portfolio.exposure.rules import BUY_AND_HOLD
from regime_nas_pipeline.walkforward.building import Shared, build_forecaster
from regime_nas_pipeline.walkforward.parameters import (
    Compute,
    ForecasterChoice,
    Training,
    WalkForward,
)

Level = Annotated[float, Field(gt=0.5, lt=1)]

THRESHOLDS = tuple(round(0.0001 * step, 4) for step in range(-10, 31))
"""From -0.1 % to 0.3 % in steps of a hundredth of a per cent."""


class AttentionGuide(Strict):
    """The walk, the strategy, and what is read from the Transformer.

    Attributes:
        forecasters: Name to forecaster; each is fitted to the next bar.
        training: Budget and schedule of its networks. A batch of one asset has as many windows as
            dates, and the next bar's return needs more of them than that of a month.
        first_training_bars: Bars before the first decision.
        refit_every: Bars of a fold.
        threshold: Forecast above which the asset is held.
        thresholds: Others that the strategy is run with, increasing.
        inspected: Name of the Transformer whose attention is read; None to read none.
        block: Bars in a stretch that is shuffled.
        n_repeats: Shuffles to average over.
        level: Coverage of the intervals.
    """

    forecasters: dict[str, ForecasterChoice] = Field(min_length=1)
    training: Training
    first_training_bars: PositiveInt = 1008
    refit_every: PositiveInt = 126
    threshold: NonNegativeFloat = 0.001
    thresholds: tuple[float, ...] = Field(THRESHOLDS, min_length=2)
    inspected: str | None = "transformer"
    block: PositiveInt = 5
    n_repeats: PositiveInt = 3
    level: Level = 0.95

    @model_validator(mode="after")
    def _names_fit(self) -> AttentionGuide:
        if self.inspected is not None and self.inspected not in self.forecasters:
            raise ValueError(
                f"inspected is '{self.inspected}'; forecasters are {', '.join(self.forecasters)}"
            )
        if BUY_AND_HOLD in self.forecasters:
            raise ValueError(f"a forecaster cannot be called '{BUY_AND_HOLD}'")
        if list(self.thresholds) != sorted(set(self.thresholds)):
            raise ValueError("thresholds must increase without repeats")
        return self

    def build(self, walk_forward: WalkForward, compute: Compute) -> dict[str, Forecaster]:
        """The forecasters, unfitted, of the return of one bar.

        Raises:
            ParameterError: An argument does not fit its class.
        """
        one_bar = walk_forward.model_copy(update={"horizon": 1})
        shared = Shared(one_bar, self.training, compute)
        return {name: build_forecaster(choice, shared) for name, choice in self.forecasters.items()}
