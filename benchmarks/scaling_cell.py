"""One size of simulated data, from prices to made-up forecasts: what ``scaling.py`` measures on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from allocation import simulated_market

from regime_nas_pipeline.forecasters.base import Forecast
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.pipelines.common import folds_of, market_of
from regime_nas_pipeline.walkforward.deciding import Choices
from regime_nas_pipeline.walkforward.evaluation import decision_dates
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.parameters import Portfolio, Universe, WalkForward

BARS_PER_YEAR = 252
CONF = Path(__file__).parents[1] / "conf" / "base"
INDEX = "INDEX"
FORECASTERS = ("regime_nas", "gru", "transformer", "garch", "momentum")
SEEDS = 3


def base_parameters() -> dict[str, Any]:
    """The default run's parameters, block by block."""
    blocks: dict[str, Any] = {}
    for path in sorted(CONF.glob("parameters*.yml")):
        for name, block in (yaml.safe_load(path.read_text()) or {}).items():
            blocks[name] = {**blocks.get(name, {}), **block}
    return blocks


def simulated_bars(n_assets: int, n_years: int) -> pd.DataFrame:
    """Tidy daily bars of a factor market whose volatility comes and goes, and of its index."""
    rng = np.random.default_rng(1)
    still = simulated_market(n_assets, n_years * BARS_PER_YEAR)
    shape = (len(still.dates), n_assets)
    level = np.zeros(len(still.dates))
    for bar, shock in enumerate(rng.normal(0.0, 0.08, len(level) - 1), start=1):
        level[bar] = 0.98 * level[bar - 1] + shock
    moves = np.nan_to_num(still.log_returns) * np.exp(level)[:, None]
    close = 100.0 * np.exp(np.cumsum(np.column_stack([moves, moves.mean(axis=1)]), axis=0))
    wobble = rng.normal(0.0, 0.005, (shape[0], n_assets + 1))
    opened = close * np.exp(wobble)
    return pd.DataFrame(
        {
            "Date": np.repeat(still.dates.to_numpy(), n_assets + 1),
            "Asset": np.tile([*still.assets, INDEX], shape[0]),
            "Open": opened.ravel(),
            "High": (np.maximum(opened, close) * 1.001).ravel(),
            "Low": (np.minimum(opened, close) * 0.999).ravel(),
            "Close": close.ravel(),
            "Volume": rng.integers(1_000, 1_000_000, close.shape).ravel(),
        }
    )


@dataclass(frozen=True)
class Cell:
    """One size of the data.

    Attributes:
        folder: Where its inputs lie.
        assets: Assets to choose from.
        years: Years of daily bars; the second half is out of sample.
        passes: Passes over the training windows that networks make.
        resamples: Of the bootstraps in the tests.
    """

    folder: Path
    assets: int
    years: int
    passes: float
    resamples: int

    @cached_property
    def blocks(self) -> dict[str, Any]:
        """The default run's parameters, with the simulated index and half of the sample."""
        blocks = base_parameters()
        first = pd.bdate_range("2000-01-03", periods=self.years * BARS_PER_YEAR)
        # Labels need two years and a target before the first decision.
        middle = first[max(len(first) // 2, 600)].date()
        blocks["universe"] |= {"benchmark": INDEX, "start": None}
        blocks["walk_forward"] |= {"first_oos": middle}
        blocks["verdict"] |= {"resamples": self.resamples, "groups": {}}
        return blocks

    def block(self, kind: type[Any], name: str, **changed: Any) -> Any:
        """A block of the parameters in its type, some of its values changed."""
        return kind(**self.blocks[name] | changed)

    @cached_property
    def universe(self) -> Universe:
        """The universe."""
        return self.block(Universe, "universe")

    @cached_property
    def schedule(self) -> WalkForward:
        """Refits and decisions, on an expanding window."""
        return self.block(WalkForward, "walk_forward")

    @cached_property
    def portfolio(self) -> Portfolio:
        """Costs and limits."""
        return self.block(Portfolio, "portfolio")

    @cached_property
    def prices(self) -> pd.DataFrame:
        """The prepared prices."""
        return pd.read_parquet(self.folder / "prices.parquet")

    @cached_property
    def market(self) -> Market:
        """The market, with made-up causal regimes."""
        market = market_of(self.prices, self.universe)
        draws = np.random.default_rng(2).dirichlet(np.ones(3), len(market.dates))
        names = ["trend", "range", "volatile"]
        return market.with_regimes(pd.DataFrame(draws, index=market.dates, columns=names))

    @cached_property
    def folds(self) -> list[Fold]:
        """Folds on an expanding window."""
        return folds_of(self.market, self.schedule)

    @cached_property
    def decisions(self) -> pd.DatetimeIndex:
        """All decision dates."""
        return decision_dates(self.folds)

    @cached_property
    def training(self) -> Market:
        """The training market of the last fold: the longest."""
        return self.market.until(self.folds[-1].train_end)

    @cached_property
    def forecasts(self) -> dict[str, pd.DataFrame]:
        """Made-up forecasts of five forecasters, three of them averages over seeds."""
        rng = np.random.default_rng(3)
        shape = (len(self.decisions), self.assets)
        tables = {}
        for name in FORECASTERS:
            alone = rng.normal(0.008, 0.02, (SEEDS, *shape)) if name in FORECASTERS[:3] else None
            mean = rng.normal(0.008, 0.02, shape) if alone is None else alone.mean(axis=0)
            deviation = rng.uniform(0.05, 0.15, shape)
            spread = None if alone is None else alone.std(axis=0)
            assets = self.market.assets
            tables[name] = Forecast(
                self.decisions, assets, mean, deviation, spread, alone
            ).to_frame()
        return tables

    @cached_property
    def choices(self) -> dict[pd.Timestamp, Choices]:
        """The universe at every decision; its covariance is the identity, where none is timed."""
        assets, unit = np.arange(self.assets), np.eye(self.assets)
        return dict.fromkeys(self.decisions, Choices(assets, unit))
