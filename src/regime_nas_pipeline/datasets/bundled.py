"""Real prices that ship inside a dependency, so that a first run needs no file and no network."""

from __future__ import annotations

from typing import Any, NoReturn

import pandas as pd
from kedro.io import AbstractDataset, DatasetError
from skfolio.datasets import load_sp500_dataset, load_sp500_index

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.market.raw import DATE_DTYPE, RawPrices

_SOURCE = "skfolio S&P 500 dataset"


class BundledPricesDataset(AbstractDataset[NoReturn, RawPrices]):
    """20 US large caps and the S&P 500 index, daily, 1990-01-02 to 2022-12-28, from skfolio.

    The stocks were chosen with hindsight (survivorship bias); their closes are adjusted for
    splits and dividends, while the index is a price index without dividends.

    Example catalog entry::

        raw_prices:
          type: regime_nas_pipeline.datasets.bundled.BundledPricesDataset
          benchmark_name: S&P 500

    Args:
        benchmark_name: Name under which the index appears among the assets.
        metadata: Free for plugins such as Kedro-Viz; not read here.

    Raises:
        ParameterError: ``benchmark_name`` is the name of one of the stocks.
    """

    def __init__(
        self, *, benchmark_name: str = "S&P 500", metadata: dict[str, Any] | None = None
    ) -> None:
        self._benchmark_name = benchmark_name
        self.metadata = metadata

    def load(self) -> RawPrices:
        """Load closes of all 21 series."""
        stocks = load_sp500_dataset()
        if self._benchmark_name in stocks.columns:
            raise ParameterError(
                f"benchmark_name '{self._benchmark_name}' is one of the stocks of the {_SOURCE}."
            )
        index = load_sp500_index().iloc[:, 0].rename(self._benchmark_name)
        wide = pd.concat([stocks, index], axis=1).rename_axis(index="date")
        tidy = wide.reset_index().melt("date", var_name="asset", value_name="close").dropna()
        table = tidy.astype({"date": DATE_DTYPE, "asset": "str", "close": float})
        return RawPrices(
            table=table,
            source=_SOURCE,
            places=dict.fromkeys(map(str, wide.columns), _SOURCE),
        )

    def save(self, data: NoReturn) -> NoReturn:
        """Refuse: the data belong to a dependency.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError(f"{type(self).__name__} is read-only: prices are never written back.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"source": _SOURCE, "benchmark_name": self._benchmark_name}
