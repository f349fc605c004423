"""Real prices that ship inside a dependency, so that a first run needs no file and no network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.market.raw import DATE_DTYPE, TABLE_COLUMNS, RawPrices, make_note

VIX = "VIX"
"""Name of the volatility index among the assets of ``sp500_vix``."""


@dataclass(frozen=True, eq=False)
class _Bundle:
    """Tidy prices by asset, before the benchmark has its name (it is None here)."""

    parts: dict[str | None, pd.DataFrame]
    notes: list[dict[str, Any]] = field(default_factory=list)


def _sp500_stocks() -> _Bundle:
    from skfolio.datasets import load_sp500_dataset  # noqa: PLC0415 - brings cvxpy

    return _Bundle({**_closes(load_sp500_dataset()), None: _index()})


def _factor_etfs() -> _Bundle:
    from skfolio.datasets import load_factors_dataset  # noqa: PLC0415 - brings cvxpy

    funds = load_factors_dataset()
    return _Bundle({**_closes(funds), None: _index().loc[funds.index[0] : funds.index[-1]]})


def _sp500_vix() -> _Bundle:
    from arch.data import sp500, vix  # noqa: PLC0415 - brings Matplotlib

    index = sp500.load().rename(columns=str.lower)[["close", "open", "high", "low", "volume"]]
    volatility = vix.load()["vix"].dropna().rename("close").to_frame()
    # The index ends two days earlier, and a bar without a benchmark could not be evaluated.
    later = volatility.index[volatility.index > index.index[-1]]
    note = make_note(
        "after_the_benchmark",
        "Closes after the last one of the S&P 500 were left out.",
        asset=VIX,
        count=len(later),
        first_date=later[0],
    )
    return _Bundle({VIX: volatility.drop(later), None: index}, [note])


def _closes(wide: pd.DataFrame) -> dict[str | None, pd.DataFrame]:
    return {str(name): wide[name].dropna().rename("close").to_frame() for name in wide.columns}


def _index() -> pd.DataFrame:
    from skfolio.datasets import load_sp500_index  # noqa: PLC0415 - brings cvxpy

    index: pd.DataFrame = load_sp500_index().set_axis(["close"], axis="columns")
    return index


_BUNDLES: dict[str, tuple[str, Callable[[], _Bundle]]] = {
    "sp500_stocks": ("skfolio S&P 500 dataset", _sp500_stocks),
    "factor_etfs": ("skfolio factor ETF dataset", _factor_etfs),
    "sp500_vix": ("arch S&P 500 and VIX datasets", _sp500_vix),
}


class BundledPricesDataset(AbstractDataset[NoReturn, RawPrices]):
    """Daily prices from the files that ship with skfolio and arch; never from a network.

    ``sp500_stocks``
        20 US large caps and the S&P 500 index, 1990-01-02 to 2022-12-28, from skfolio. The
        stocks were chosen with hindsight (survivorship bias); their closes are adjusted for
        splits and dividends, while the index is a price index without dividends.
    ``factor_etfs``
        The US factor funds MTUM, QUAL, SIZE, USMV and VLUE, adjusted in the same way, and the
        same index, 2014-01-02 to 2022-12-28, from skfolio.
    ``sp500_vix``
        The S&P 500 with open, high, low and volume, 1999-01-04 to 2018-12-31, and from
        2014-01-03 on the closes of the VIX, from arch. Neither can be held as it is; they
        describe one market, and with ``universe.benchmark_tradable`` there are two assets.

    Example catalog entry::

        raw_prices:
          type: regime_nas_pipeline.datasets.bundled.BundledPricesDataset
          name: factor_etfs
          benchmark_name: S&P 500

    Args:
        name: Which of them.
        benchmark_name: Name under which the index appears among the assets.
        metadata: Free for plugins such as Kedro-Viz; not read here.

    Raises:
        ParameterError: There is no such ``name``, or, on loading, ``benchmark_name`` is the name
            of another asset.
    """

    def __init__(
        self,
        *,
        name: str = "sp500_stocks",
        benchmark_name: str = "S&P 500",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        if name not in _BUNDLES:
            raise ParameterError(
                f"there are no bundled prices '{name}'; there are: {', '.join(_BUNDLES)}."
            )
        self._name = name
        self._source, self._read = _BUNDLES[name]
        self._benchmark_name = benchmark_name
        self.metadata = metadata

    def load(self) -> RawPrices:
        """Load all series of the chosen bundle."""
        bundle = self._read()
        if self._benchmark_name in bundle.parts:
            kind = "stocks" if self._name == "sp500_stocks" else "assets"
            raise ParameterError(
                f"benchmark_name '{self._benchmark_name}' is one of the {kind} of the "
                f"{self._source}."
            )
        named = {name or self._benchmark_name: part for name, part in bundle.parts.items()}
        table = pd.concat(
            [
                part.rename_axis("date").reset_index().assign(asset=name)
                for name, part in named.items()
            ],
            ignore_index=True,
        )
        values = [column for column in TABLE_COLUMNS if column in table.columns]
        types = {**dict.fromkeys(values, "float64"), "date": DATE_DTYPE, "asset": "str"}
        return RawPrices(
            table=table[values].astype(types),
            source=self._source,
            places=dict.fromkeys(named, self._source),
            notes=bundle.notes,
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
        return {"source": self._source, "benchmark_name": self._benchmark_name}
