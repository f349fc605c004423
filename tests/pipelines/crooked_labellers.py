"""A user's labeller that breaks the contract."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.regimes.base import Labeller


class HalfCertain(Labeller):
    """It gives every regime a probability of a quarter."""

    @property
    def regime_names(self) -> tuple[str, ...]:
        return ("calm", "stressed")

    def fit(self, market: Market) -> Self:
        return self

    def predict_online(self, market: Market, dates: pd.DatetimeIndex) -> pd.DataFrame:
        return pd.DataFrame(np.full((len(dates), 2), 0.25), dates, list(self.regime_names))
