from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.datasets.membership_file import read_membership

TEXT = "Asset,From,To\nAAA,,\nNA,2015-01-05,2016-01-04\nNA,2017-01-05,\n"


def write(folder: Path, text: str, name: str = "members.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_file_by_hand(tmp_path: Path) -> None:
    found = read_membership(write(tmp_path, TEXT))
    assert found.source == "members.csv"
    table = found.intervals
    assert table["asset"].tolist() == ["AAA", "NA", "NA"]  # a ticker, not a blank
    assert table["place"].tolist() == ["line 2", "line 3", "line 4"]
    assert table["first"].isna().tolist() == [True, False, False]
    assert table["last"].isna().tolist() == [True, False, True]
    assert table["first"].iloc[2] == pd.Timestamp("2017-01-05")


@pytest.mark.parametrize("kind", ["dates", "time stamps", "texts", "blank"])
def test_parquet_says_the_same_as_csv(kind: str, tmp_path: Path) -> None:
    first = [None, dt.date(2015, 1, 5), dt.date(2017, 1, 5)]
    last = [None, dt.date(2016, 1, 4), None] if kind != "blank" else [None] * 3
    assets = ["AAA", "NA", "NA"] if kind != "blank" else ["AAA", "BBB", "CCC"]
    table = pd.DataFrame({"asset": assets, "from": first, "to": last})
    if kind == "time stamps":
        table = table.assign(**{name: pd.to_datetime(table[name]) for name in ("from", "to")})
    if kind == "texts":
        written = {name: table[name].map(lambda day: str(day or "")) for name in ("from", "to")}
        table = table.assign(**written)
    path = tmp_path / "members.parquet"
    table.to_parquet(path, index=False)
    found = read_membership(path).intervals.drop(columns="place")
    if kind == "blank":
        assert found["last"].isna().all()
        return
    of_text = read_membership(write(tmp_path, TEXT)).intervals.drop(columns="place")
    pd.testing.assert_frame_equal(found, of_text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("asset,from\nA,2015-01-01\n", ("columns asset, from", "asset, from, to")),
        ("asset,from,to,why\nA,,,x\n", ("column 'why'", "nothing else")),
        ("asset,from,to\nA,,\n,,\n", ("column 'asset'", "line 3 names no asset")),
        ("asset,from,to\nA,5th of May,\n", ("column 'from'", "5th of May", "line 2")),
        ("asset,from,to\nA,2015-01-01,2015-02-30\n", ("column 'to'", "2015-02-30")),
        ("asset,from,to\nA,2016-01-01,2015-01-01\n", ("asset 'A'", "line 2 begins")),
        ("asset,from,to\n", ("no rows",)),
    ],
)
def test_a_fault_names_the_file_and_the_place(
    text: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        read_membership(write(tmp_path, text))
    for word in ("members.csv", "Remedy", *words):
        assert word in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_other_kinds_of_files_and_none_at_all(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="memberships are read from CSV or Parquet files"):
        read_membership(write(tmp_path, TEXT, "members.txt"))
    with pytest.raises(DataError, match=r"members.csv: the file cannot be opened"):
        read_membership(tmp_path / "members.csv")
