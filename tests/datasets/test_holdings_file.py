from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.datasets.holdings_file import read_holdings
from regime_nas_pipeline.datasets.source_error import PriceSourceError

ASSETS = ("AAA", "BBB", "CCC")


def csv(folder: Path, text: str, name: str = "mine.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_units_and_cash(tmp_path: Path) -> None:
    table = read_holdings(csv(tmp_path, "Asset, Units\nBBB,2.5\ncash,100\n"), ASSETS)
    assert table["asset"].tolist() == ["BBB", "cash"]
    np.testing.assert_array_equal(table["units"], [2.5, np.nan])
    np.testing.assert_array_equal(table["value"], [np.nan, 100.0])


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    pd.DataFrame({"asset": ["AAA", "cash"], "value": [12.5, 3.0]}).to_parquet(path, index=False)
    written = read_holdings(csv(tmp_path, "asset,value\nAAA,12.5\ncash,3\n"), ASSETS)
    pd.testing.assert_frame_equal(read_holdings(path, ASSETS), written)
    assert written["units"].isna().all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("asset,units\nAAA,1\nZZZ,2\n", ("asset 'ZZZ'", "line 3", "known: AAA, BBB, CCC")),
        ("asset,units\nAAA,1\naaa,2\n", ("asset 'aaa'", "line 3", "did you mean 'AAA'")),
        ("asset,units\nAAA,1\nCash,2\n", ("asset 'Cash'", "did you mean 'cash'")),
        ("asset,units\nAAA,1\nBBB,\n", ("column 'units'", "asset 'BBB'", "blank (line 3)")),
        ("asset,units\nAAA,1\nBBB,-2\n", ("asset 'BBB'", "-2 is negative", "line 3")),
        ("asset,units\nAAA,1\n,2\n", ("column 'asset'", "line 3 names no asset")),
        ("asset,units\nAAA,1\nBBB,2\nAAA,3\n", ("asset 'AAA'", "line 2 and line 4")),
        ('asset,units\nAAA,"1,000"\n', ("asset 'AAA'", "'1,000' is not a number", "line 2")),
        ("asset,value\nAAA,inf\n", ("asset 'AAA'", "'inf' is not a number")),
        ("asset,units,value\nAAA,1,2\n", ("columns asset, units, value", "either")),
        ("asset,price\nAAA,1\n", ("column 'price'", "either units or value")),
        ("name,units\nAAA,1\n", ("columns name, units",)),
        ("asset,units\n", ("no rows",)),
    ],
)
def test_a_fault_names_file_row_and_asset(
    text: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(PriceSourceError) as caught:
        read_holdings(csv(tmp_path, text), ASSETS)
    for word in ("mine.csv", *words):
        assert word in str(caught.value)


def test_a_parquet_row_is_named_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    pd.DataFrame({"asset": ["AAA", "BBB"], "units": [1.0, np.nan]}).to_parquet(path, index=False)
    with pytest.raises(PriceSourceError, match=r"mine\.parquet, .*'BBB': .*blank \(row 2\)"):
        read_holdings(path, ASSETS)


def test_a_file_of_another_kind_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PriceSourceError, match=r"mine\.xlsx: .*CSV or Parquet"):
        read_holdings(csv(tmp_path, "", "mine.xlsx"), ASSETS)
    with pytest.raises(PriceSourceError, match=r"none\.csv: the file cannot be opened"):
        read_holdings(tmp_path / "none.csv", ASSETS)
