from __future__ import annotations

import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.raw import RawPrices, make_note

TABLE = pd.DataFrame(
    {"date": pd.to_datetime(["2020-01-01"]), "asset": ["A"], "close": [1.0], "volume": [2.0]}
)


@pytest.mark.parametrize(
    ("table", "shown"),
    [
        (TABLE.drop(columns="close"), "column 'close'"),
        (TABLE.assign(turnover=1.0), "column 'turnover'"),
        (TABLE.assign(date=TABLE["date"].dt.tz_localize("UTC")), "column 'date': dates must be"),
        (TABLE.assign(date="2020-01-01"), "column 'date': dates must be"),
        (TABLE.assign(close=["1.0"]), "column 'close': values must be float64"),
        (TABLE.assign(volume=2), "column 'volume': values must be float64 and are int64"),
    ],
)
def test_a_source_that_breaks_the_contract_is_told_so(table, shown):
    with pytest.raises(DataError) as caught:
        RawPrices(table=table, source="my source")
    assert str(caught.value).startswith("my source, ")
    assert shown in str(caught.value)
    assert "Remedy: " in str(caught.value)


def test_assets_without_a_row_are_known_by_their_place():
    raw = RawPrices(table=TABLE, source="wide.csv", places={"B": "wide.csv"})
    assert raw.assets == ("A", "B")


def test_a_fault_speaks_of_the_file_and_its_column():
    raw = RawPrices(
        table=TABLE, source="folder", places={"A": "A.csv"}, columns={"A": {"close": "Adj Close"}}
    )
    stamp = pd.Timestamp("2020-01-01")
    assert str(raw.fault("it is odd", asset="A", date=stamp, remedy="mend it.")) == (
        "A.csv, column 'Adj Close', asset 'A', date 2020-01-01: it is odd. Remedy: mend it."
    )
    assert str(raw.fault("it is odd", asset="C", column="low", remedy="mend it.")).startswith(
        "folder, column 'low', asset 'C': it is odd."
    )
    assert str(raw.fault("it is odd", remedy="mend it.")) == "folder: it is odd. Remedy: mend it."


def test_a_note_holds_what_is_known_and_its_date_as_text():
    assert make_note("odd", "It is.", first_date=pd.Timestamp("2020-01-01")) == {
        "kind": "odd",
        "asset": None,
        "file": None,
        "count": None,
        "first_date": "2020-01-01",
        "detail": "It is.",
    }
