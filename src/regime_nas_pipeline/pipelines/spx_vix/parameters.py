"""Parameters of the experiment on one index and its volatility index, typed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from regime_nas_pipeline.core.params import Strict
from regime_nas_pipeline.walkforward.exposure_study import NO_LABELS
from regime_nas_pipeline.walkforward.parameters import LabellerChoice

CLASSIFIER = "classifier"
"""Name of the classifier among the sources of labels."""

Share = Annotated[float, Field(gt=0, lt=1)]
Exposure = NonNegativeFloat


class LabellerEntry(LabellerChoice):
    """A labeller, and how many regimes it tells apart.

    Attributes:
        n_regimes: 2 or 3, ``auto`` for the better of both by the labeller's own criterion on the
            burn-in, or None for what the labeller's arguments say.
    """

    n_regimes: Literal["auto", 2, 3] | None = None


class Inspection(Strict):
    """How what the classifier's forecasts hang on is measured, beside its attention.

    Attributes:
        block: Bars in a stretch that is shuffled.
        n_repeats: Shuffles to average over.
    """

    block: PositiveInt
    n_repeats: PositiveInt


class Classifier(Strict):
    """The classifier of regimes, and what it learns.

    Attributes:
        learns: Labeller whose labels it learns, as they were known at the time.
        lead: Bars ahead of which the label is forecast.
        refit_every: Bars from one fit to the next.
        n_seeds: Networks whose probabilities are averaged.
        max_samples: Gradient samples of each network and fit.
        switch_within: A switch of the label within so many bars is forecast, too, for each.
        inspection: How what the forecasts of labels hang on is measured.
    """

    learns: str
    lead: PositiveInt = 1
    refit_every: PositiveInt
    n_seeds: PositiveInt
    max_samples: PositiveInt
    switch_within: tuple[PositiveInt, ...] = ()
    inspection: Inspection


class VolatilityControl(Strict):
    """Volatility targeting, which needs no labels.

    Attributes:
        target: Volatility wanted, a year.
        cap: Largest exposure; where it binds is counted.
        window: Bars of the trailing volatility.
    """

    target: PositiveFloat
    cap: PositiveFloat
    window: int = Field(ge=2)


class ExposureRules(Strict):
    """How labels become exposure, and what that costs.

    Attributes:
        max_exposure: Leverage cap: a rule that wants more is an error.
        calm: Names of regimes that count as calm.
        in_calm: Exposure of the levered strategy in calm regimes.
        otherwise: Its exposure in all others.
        by_regime: Regime to the exposure that the probability-weighted strategy gives it.
        volatility_target: The control.
        financing_spread: Yearly rate above that of cash at which leverage is financed.
    """

    max_exposure: PositiveFloat
    calm: tuple[str, ...] = Field(min_length=1)
    in_calm: Exposure
    otherwise: Exposure
    by_regime: dict[str, Exposure] = Field(min_length=1)
    volatility_target: VolatilityControl
    financing_spread: NonNegativeFloat

    @model_validator(mode="after")
    def _within_the_cap(self) -> ExposureRules:
        asked = {
            "in_calm": self.in_calm,
            "otherwise": self.otherwise,
            **{f"by_regime.{name}": exposure for name, exposure in self.by_regime.items()},
            "volatility_target.cap": self.volatility_target.cap,
        }
        for name, exposure in asked.items():
            if exposure > self.max_exposure:
                raise ValueError(
                    f"{name} is {exposure:g} and max_exposure {self.max_exposure:g}; lower the one "
                    "or raise the other"
                )
        return self


class SpxVix(Strict):
    """The whole experiment.

    Attributes:
        burn_in: Bars before a labeller's first fit.
        refit_every: Bars from one fit of a labeller to the next.
        labellers: Name to labeller.
        classifier: The classifier.
        exposure: The strategies.
        horizon: Bars ahead whose volatility and return the labels are held against.
        level: Of tests and intervals.
        resamples: Of the bootstrap tests.
    """

    burn_in: PositiveInt
    refit_every: PositiveInt
    labellers: dict[str, LabellerEntry] = Field(min_length=1)
    classifier: Classifier
    exposure: ExposureRules
    horizon: PositiveInt
    level: Share
    resamples: int = Field(ge=99)

    @model_validator(mode="after")
    def _names_fit(self) -> SpxVix:
        if self.classifier.learns not in self.labellers:
            raise ValueError(
                f"classifier.learns is '{self.classifier.learns}'; name one of the labellers: "
                f"{', '.join(self.labellers)}"
            )
        taken = {CLASSIFIER, NO_LABELS} & set(self.labellers)
        if taken:
            raise ValueError(f"a labeller cannot be called '{taken.pop()}'; give it another name")
        return self
