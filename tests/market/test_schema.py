from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog
from kedro.validation.exceptions import DataValidationError
from pandera.errors import SchemaErrors

from regime_nas_pipeline.market.schema import PriceTable

PRICES = pd.DataFrame(
    {
        "date": pd.to_datetime(["2020-01-01", "2020-01-01", "2020-01-02"]),
        "asset": ["A", "S&P 500", "A"],
        "close": [1.0, 2.0, 1.1],
        "volume": [0.0, np.nan, 10.0],
    }
)


def test_prices_with_and_without_optional_columns_pass():
    ranged = PRICES.assign(open=[1.0, np.nan, 1.0], high=2.0, low=0.5)
    for table in (PRICES, PRICES.drop(columns="volume"), ranged):
        pd.testing.assert_frame_equal(PriceTable.validate(table, lazy=True), table)


@pytest.mark.parametrize(
    "table",
    [
        PRICES.drop(columns="close"),
        PRICES.assign(turnover=1.0),
        PRICES.assign(date=pd.Timestamp("2020-01-01")),
        PRICES.assign(date=PRICES["date"].dt.tz_localize("UTC")),
        PRICES.assign(date=["2020-01-01", "2020-01-01", "2020-01-02"]),
        PRICES.assign(asset=[1, 2, 3]),
        PRICES.assign(asset=["", "B", "C"]),
        PRICES.assign(close=[1.0, 0.0, 1.0]),
        PRICES.assign(close=[1.0, np.nan, 1.0]),
        PRICES.assign(close=[1.0, np.inf, 1.0]),
        PRICES.assign(close=[1, 2, 3]),
        PRICES.assign(high=[1.0, np.inf, 1.0]),
        PRICES.assign(low=[1.0, -1.0, 1.0]),
        PRICES.assign(volume=[1.0, -1.0, 1.0]),
        PRICES.assign(volume=[1.0, np.inf, 1.0]),
    ],
)
def test_anything_else_is_refused(table):
    with pytest.raises(SchemaErrors):
        PriceTable.validate(table, lazy=True)


def test_the_catalog_validates_on_the_way_in_and_out(tmp_path):
    catalog = DataCatalog.from_config(
        {
            "prices": {
                "type": "pandas.ParquetDataset",
                "filepath": (tmp_path / "prices.parquet").as_posix(),
                "validator": {"class": "regime_nas_pipeline.market.schema.PriceTable"},
            }
        }
    )
    catalog.save("prices", PRICES)
    pd.testing.assert_frame_equal(catalog.load("prices"), PRICES)
    with pytest.raises(DataValidationError, match="PriceTable"):
        catalog.save("prices", PRICES.assign(close=-1.0))
