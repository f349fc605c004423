from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.datasets.row_order import check_order, check_order_by_asset
from regime_nas_pipeline.datasets.source_error import PriceSourceError


def days(*numbers: int) -> pd.Series:
    return pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(np.array(numbers), unit="D"))


def outcome(dates: pd.Series, assets: pd.Series | None) -> object:
    """What is said about each asset, asked one by one or all at once."""
    try:
        if assets is not None:
            return check_order_by_asset(dates, assets, "p.csv", "Date").tolist()
        return check_order(dates, "p.csv", "Date", "A")
    except PriceSourceError as error:
        return error.problem


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 9)), min_size=1, max_size=12))
def test_all_assets_at_once_is_each_asset_by_itself(rows):
    assets = pd.Series([asset for asset, _ in rows], dtype="str")
    dates = days(*(day for _, day in rows))
    alone = {name: outcome(dates[assets == name], None) for name in assets.unique()}
    faults = [each for each in alone.values() if isinstance(each, str)]
    together = outcome(dates, assets)
    assert together == (faults[0] if faults else [alone[asset] for asset in assets])


def test_assets_may_be_mixed_in_any_way():
    assets = pd.Series(["A", "B", "A", "B"], dtype="str")
    assert check_order_by_asset(days(0, 5, 1, 4), assets, "p.csv", "Date").tolist() == [
        False,
        True,
        False,
        True,
    ]


def test_the_asset_of_a_fault_is_named():
    assets = pd.Series(["A", "A", "B", "B"], dtype="str")
    with pytest.raises(PriceSourceError, match=r"asset 'B', date 2020-01-02: .*again in line 3"):
        check_order_by_asset(days(0, 1, 1, 1), assets, "p.csv", "Date")
