"""A market whose calm and stressed stretches are known, and labels that cheat or do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from regime_nas_pipeline.portfolio.exposure.engine import Terms
from regime_nas_pipeline.portfolio.exposure.results import ExposureResults, decide_all, run_all
from regime_nas_pipeline.portfolio.exposure.rules import (
    BuyAndHold,
    CalmOnly,
    ExposureRule,
    Known,
    Levered,
    VolatilityTarget,
)

RULES = (BuyAndHold(), CalmOnly(), Levered(), VolatilityTarget(target=0.16, cap=1.5))
TERMS = Terms(1, 5.0, cash_rate=0.03, financing_spread=0.01)
N = 900


def index_returns(seed: int = 8) -> pd.Series:
    """Calm and stressed stretches of 60 bars."""
    generator = np.random.default_rng(seed)
    scale = np.where(np.arange(N) // 60 % 3 == 2, 0.02, 0.007)
    moves = generator.normal(0.0004, scale)
    dates = pd.bdate_range("2015-01-01", periods=N, name="date")
    return pd.Series(np.r_[np.nan, moves[1:]], index=dates)


def labels(calm: np.ndarray, dates: pd.DatetimeIndex) -> pd.DataFrame:
    """Certain labels."""
    values = calm.astype(float)
    return pd.DataFrame({"calm": values, "stressed": 1.0 - values}, index=dates)


def peeking_labels(returns: pd.Series) -> pd.DataFrame:
    """Calm is a bar that rose: worth a fortune on the label's own bar and nothing after it."""
    return labels(returns.fillna(0.0).to_numpy() > 0.0, pd.DatetimeIndex(returns.index))


def trailing_labels(returns: pd.Series, burn_in: int = 100) -> pd.DataFrame:
    """Calm is a trailing volatility below 1.2 %, known on the day."""
    spread = returns.rolling(20).std().to_numpy()[burn_in:]
    return labels(spread < 0.012, pd.DatetimeIndex(returns.index[burn_in:]))


def run_rules(
    rules: Sequence[ExposureRule], known: Known, terms: Terms, *, max_exposure: float
) -> ExposureResults:
    """Decide and run every rule on the first bars that all of them can earn."""
    wanted = decide_all(rules, known, max_exposure=max_exposure)
    return run_all(known.returns, wanted, terms)
