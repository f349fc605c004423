"""A tiny search task, and a forecaster that keeps what it is handed."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import pandas as pd

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.forecasters.base import Forecast
from regime_nas_pipeline.forecasters.gru import GRUForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.training import TrainingPlan
from regime_nas_pipeline.portfolio.allocate import MaximumSharpe
from regime_nas_pipeline.search.space import Interval, Options, Space
from regime_nas_pipeline.walkforward.candidates import Task, Trading
from regime_nas_pipeline.walkforward.deciding import TradingRules
from regime_nas_pipeline.walkforward.parameters import CellSearch, Search
from regime_nas_pipeline.walkforward.tuning import plan_validation

NO_CACHE = PieceCache(None)
HORIZON, LAG = 5, 1
RULES = TradingRules(horizon=HORIZON, execution_lag=LAG, cost_bps=5.0, risk_free=0.01)
SPACE: Space = {
    "lookback": Options(options=(4, 6)),
    "learning_rate": Interval(low=1e-3, high=3e-2, log=True),
}
SEARCH = Search(
    strategy="random",
    budget=5 * 160,
    trials=5,
    start_up=2,
    exploration=0.0,
    batch=2,
    validation_fraction=0.25,
    cell_search=CellSearch(),
)
BAYESIAN = SEARCH.model_copy(update={"strategy": "bayesian", "start_up": 3})
PLAN = TrainingPlan(max_samples=10**9, batch_dates=2, sample_every=5, patience=50)


class SpyGRU(GRUForecaster):
    """Keeps what it is handed."""

    fitted: ClassVar[list[tuple[GRUForecaster, Market]]] = []
    asked: ClassVar[list[tuple[Market, pd.DatetimeIndex]]] = []

    def fit(self, market: Market) -> Self:
        SpyGRU.fitted.append((self, market))
        return super().fit(market)

    def predict(self, market: Market, dates: pd.DatetimeIndex) -> Forecast:
        SpyGRU.asked.append((market, dates))
        return super().predict(market, dates)


def tiny_task(market: Market, forecaster: type = GRUForecaster, **changes: Any) -> Task:
    arguments = {
        "horizon": HORIZON,
        "execution_lag": LAG,
        "timeframes": (1, 5),
        "width": 4,
        "training": PLAN,
        "n_seeds": 3,
        "seed": 77,
        "device": "cpu",
    }
    given: dict[str, Any] = {
        "forecaster": forecaster,
        "arguments": arguments,
        "market": market,
        "validation": plan_validation(
            market, fraction=0.25, rebalance_every=21, horizon=HORIZON, execution_lag=LAG
        ),
        "search": SEARCH,
        "trading": Trading(MaximumSharpe(0.5), RULES),
        **changes,
    }
    return Task(**given)
