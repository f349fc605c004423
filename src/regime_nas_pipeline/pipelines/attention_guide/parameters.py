"""Parameters of the attention guide as an experiment of its own, typed."""

from __future__ import annotations

import datetime as dt

from pydantic import Field

from regime_nas_pipeline.walkforward.guide_parameters import AttentionGuide
from regime_nas_pipeline.walkforward.parameters import Universe


class GuideExperiment(AttentionGuide):
    """The guide, which prices it is run on, and how often its tests resample.

    Attributes:
        start: First date of its prices; None for that of the universe. The guide reads no
            observed series, so it may begin before they do.
        resamples: Of the bootstrap tests against buy and hold.
    """

    start: dt.date | None = None
    resamples: int = Field(999, ge=99)

    def universe(self, universe: Universe) -> Universe:
        """The one asset alone, from its first date on."""
        start = universe.start if self.start is None else self.start
        return universe.model_copy(update={"start": start, "observed": []})
