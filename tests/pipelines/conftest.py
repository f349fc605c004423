"""Prices and finished runs that several tests look at."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from project_runs import Case, stock_case
from skfolio.datasets import load_sp500_dataset, load_sp500_index

ASSETS = ["AAPL", "GE", "JPM", "KO", "RRC", "XOM"]


@pytest.fixture(scope="session")
def bundled_prices() -> pd.DataFrame:
    """Six stocks and the index, 2012-2016, date x asset; RRC listed late and JPM ending early."""
    prices = load_sp500_dataset()[ASSETS].join(load_sp500_index()["SP500"].rename("S&P 500"))
    prices = prices.loc["2012":"2016"].copy()
    prices.loc[: prices.index[300], "RRC"] = np.nan
    prices.loc[prices.index[-120] :, "JPM"] = np.nan
    return prices


@pytest.fixture(scope="session")
def finished(bundled_prices: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A finished run of everything on those prices."""
    case = stock_case(tmp_path_factory.mktemp("finished"), bundled_prices)
    case.run()
    return case
