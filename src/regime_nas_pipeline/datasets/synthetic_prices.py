"""Simulated prices as a source: a run whose truth is known, at any size, from a seed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.raw import DATE_DTYPE, RawPrices
from regime_nas_pipeline.market.synthetic import (
    no_regime_market,
    random_walk_market,
    regime_switching_market,
)


def _regime_switching(**arguments: Any) -> Market:
    return regime_switching_market(**arguments)[0]


_MODELS: dict[str, tuple[Callable[..., Any], Callable[..., Market]]] = {
    "regime_switching": (regime_switching_market, _regime_switching),
    "no_regime": (no_regime_market, no_regime_market),
    "random_walk": (random_walk_market, random_walk_market),
}


class SyntheticPricesDataset(AbstractDataset[NoReturn, RawPrices]):
    """Closes of a simulated market, the same at every load.

    The markets are those of :mod:`regime_nas_pipeline.market.synthetic`.

    Bars are business days from 2000-01-03 on; the assets are ``A00``, ``A01``, … and the benchmark
    holds them all in equal weights. Prices start at 100.

    Example catalog entry::

        raw_prices:
          type: regime_nas_pipeline.datasets.synthetic_prices.SyntheticPricesDataset
          model: regime_switching
          n_assets: 8
          n_bars: 2500
          seed: 7

    Args:
        seed: Seed of everything that is drawn.
        model: ``regime_switching`` (three hidden states), ``no_regime`` (one constant
            autocorrelation) or ``random_walk``.
        n_assets: Number of assets besides the benchmark, at least 1.
        n_bars: Number of bars, at least 2.
        stay: Probability that the state stays at the next bar (``regime_switching``).
        phi: Strength of the autocorrelation (``regime_switching``, ``no_regime``).
        volatility: Standard deviation of a one-bar shock, in decimals.
        volatile_ratio: Volatility of the third state over that of the others
            (``regime_switching``).
        drift: Mean of one-bar log returns (``random_walk``).
        benchmark_name: Name of the benchmark among the assets.
        metadata: Free for plugins such as Kedro-Viz; not read here.

    Raises:
        ParameterError: There is no such model, it has no such parameter, or a size is too small;
            on loading: a parameter is out of its range.
    """

    def __init__(
        self,
        *,
        seed: int,
        model: str = "regime_switching",
        n_assets: int = 5,
        n_bars: int = 1000,
        stay: float | None = None,
        phi: float | None = None,
        volatility: float | None = None,
        volatile_ratio: float | None = None,
        drift: float | None = None,
        benchmark_name: str = "benchmark",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        if model not in _MODELS:
            raise ParameterError(f"there is no model '{model}'; there are: {', '.join(_MODELS)}.")
        signature, self._simulate = _MODELS[model]
        given = {
            "stay": stay,
            "phi": phi,
            "volatility": volatility,
            "volatile_ratio": volatile_ratio,
            "drift": drift,
        }
        self._chosen = {name: value for name, value in given.items() if value is not None}
        unknown = sorted(set(self._chosen) - set(inspect.signature(signature).parameters))
        if unknown:
            raise ParameterError(f"the model '{model}' has no parameter {', '.join(unknown)}.")
        if n_assets < 1 or n_bars < 2:
            raise ParameterError(
                f"n_assets must be at least 1 and n_bars at least 2; got {n_assets} and {n_bars}."
            )
        self._model = model
        self._sizes = {"n_assets": n_assets, "n_bars": n_bars, "seed": seed}
        self._benchmark_name = benchmark_name
        self.metadata = metadata

    def load(self) -> RawPrices:
        """Simulate the market and hand over its closes."""
        market = self._simulate(**self._sizes, **self._chosen)
        if self._benchmark_name in market.assets:
            raise ParameterError(f"benchmark_name '{self._benchmark_name}' is one of the assets.")
        names = [*market.assets, self._benchmark_name]
        closes = np.column_stack([market.close, market.benchmark])
        wide = pd.DataFrame(closes, index=market.dates, columns=names)
        tidy = wide.rename_axis(index="date").reset_index().melt("date", var_name="asset")
        table = tidy.rename(columns={"value": "close"})
        source = f"simulated {self._model} market, seed {self._sizes['seed']}"
        return RawPrices(
            table=table.astype({"date": DATE_DTYPE, "asset": "str", "close": float}),
            source=source,
            places=dict.fromkeys(names, source),
        )

    def save(self, data: NoReturn) -> NoReturn:
        """Refuse: the prices follow from the seed.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError(f"{type(self).__name__} is read-only: prices are never written back.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"model": self._model, **self._sizes, **self._chosen}
