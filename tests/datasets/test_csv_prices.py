from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError
from price_files import DAYS, asset_text, ingest, wide_text, without, write_folder, write_wide

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.datasets.csv_prices import CsvPricesDataset
from regime_nas_pipeline.market.prepare import prepare_prices
from regime_nas_pipeline.market.schema import PriceTable

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("REGIME_NAS_SHARED_DATA", ROOT.parent / "shared" / "data"))
needs_shared_data = pytest.mark.skipif(not SHARED.is_dir(), reason="no shared market data here")


def reversed_rows(text: str) -> str:
    header, *rows = text.splitlines()
    return "\n".join([header, *reversed(rows)]) + "\n"


def test_a_folder_and_a_wide_file_give_the_same_closes(tmp_path):
    wide = ingest(write_wide(tmp_path, wide_text()))
    folder = ingest(
        write_folder(
            tmp_path,
            **{
                name: "Date,Close\n"
                + "\n".join(f"{day},{start + row}" for row, day in enumerate(DAYS))
                for name, start in {"A": 10, "B": 20, "M": 30}.items()
            },
        )
    )
    pd.testing.assert_frame_equal(wide.prices, folder.prices)
    assert wide.manifest["sha256"] == folder.manifest["sha256"]
    assert (wide.manifest["source"], folder.manifest["source"]) == ("wide.csv", "bars")


def test_newest_first_gives_the_same_prices_and_is_noted_once(tmp_path):
    oldest = ingest(write_wide(tmp_path, wide_text()))
    newest = ingest(write_wide(tmp_path, reversed_rows(wide_text())))
    assert newest.manifest["sha256"] == oldest.manifest["sha256"]
    assert [note["kind"] for note in newest.quality["notes"]] == ["newest_first"]


def test_a_short_gap_is_carried_forward_and_counted(tmp_path):
    folder = write_folder(tmp_path, B=without(asset_text(2.0), "2020-01-05", "2020-01-06"))
    prepared = ingest(folder)
    rows = prepared.prices.set_index(["asset", "date"]).loc["B"]
    for day in ("2020-01-05", "2020-01-06"):
        assert rows.loc[day].to_dict() == {
            "close": 26,
            "open": 26,
            "high": 26,
            "low": 26,
            "volume": 0,
        }
    assert prepared.quality["assets"]["B"]["filled_gaps"] == {
        "count": 1,
        "longest": 2,
        "bars": 2,
        "bars_after_last_close": 0,
    }
    PriceTable.validate(prepared.prices)


def test_prefixed_file_names_and_other_columns(tmp_path):
    for name in ("A", "B", "M", "Tether"):
        text = "SNo,Name,Date,Close\n" + "\n".join(
            f"{row},{name},{day} 23:59:59,{10 + row}" for row, day in enumerate(DAYS)
        )
        (tmp_path / f"coin_{name}.csv").write_text(text)
    (tmp_path / ".hidden.csv").write_text("not prices")
    (tmp_path / "README.md").write_text("not prices")
    prepared = ingest(tmp_path, asset_pattern="coin_(?P<asset>.+)", exclude=["Tether"])
    assert prepared.manifest["assets"] == ["A", "B", "M"]
    assert prepared.manifest["first_date"] == "2020-01-01"
    notes = {note["kind"]: note for note in prepared.quality["notes"]}
    assert notes["excluded"]["asset"] == "Tether"
    assert "Name, SNo" in notes["columns_ignored"]["detail"]
    assert len(prepared.quality["notes"]) == 2


def test_intraday_bars_keep_their_time_and_say_so(tmp_path):
    hours = [f"{day} {hour}:00" for day in DAYS for hour in ("08", "16")]
    text = "Date,A,B,M\n" + "\n".join(f"{hour},{row + 1},2,3" for row, hour in enumerate(hours))
    prepared = ingest(write_wide(tmp_path, text))
    assert prepared.manifest["n_dates"] == 40
    assert prepared.manifest["last_date"] == "2020-01-20 16:00:00"
    assert [note["kind"] for note in prepared.quality["notes"]] == ["intraday"]


def test_a_file_of_one_asset_is_too_few(tmp_path):
    path = tmp_path / "A.csv"
    path.write_text(asset_text())
    with pytest.raises(DataError, match="fewer than two assets"):
        ingest(path, benchmark="A")


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"exclude": ["A", "Z"]}, "exclude names 'Z'"),
        ({"exclude": ["A", "B", "M"]}, "no asset is left"),
        ({"asset_pattern": "coin_(?P<asset>.+)"}, "A.csv: the file name does not match"),
        ({"asset_pattern": "(?P<asset>)."}, "A.csv: the file name does not match"),
        ({"asset_pattern": "(?P<asset>)?.|(?P<other>M)"}, "does not match"),
    ],
)
def test_options_that_do_not_fit_a_folder(tmp_path, options, shown):
    with pytest.raises(DataError) as caught:
        ingest(write_folder(tmp_path), **options)
    assert shown in str(caught.value)
    assert "Remedy: " in str(caught.value)


def test_an_unknown_exclude_lists_what_there_is(tmp_path):
    with pytest.raises(DataError, match="choose among: A, B, M"):
        ingest(write_wide(tmp_path, wide_text()), exclude=["C"])


def test_an_excluded_column_of_a_wide_file_is_not_read(tmp_path):
    header, *rows = wide_text().splitlines()
    text = "\n".join([f"{header},Broken", *(f"{row},oops" for row in rows)])
    prepared = ingest(write_wide(tmp_path, text), exclude=["Broken"])
    assert prepared.manifest["assets"] == ["A", "B", "M"]


def test_two_files_for_one_asset_are_refused(tmp_path):
    folder = write_folder(tmp_path, A1=asset_text())
    with pytest.raises(DataError, match=r"files 'A.csv' and 'A1.csv' are of the same asset"):
        ingest(folder, asset_pattern=r"(?P<asset>[A-Z])\d?")


def test_a_pattern_for_file_names_means_nothing_for_a_wide_file(tmp_path):
    with pytest.raises(DataError, match="asset_pattern has no meaning"):
        ingest(write_wide(tmp_path, wide_text()), asset_pattern="(?P<asset>.+)")


@pytest.mark.parametrize("pattern", ["coin_(.+)", "coin_(?P<asset>"])
def test_a_wrong_pattern_is_found_when_the_catalog_is_read(pattern):
    with pytest.raises(DatasetError, match="asset_pattern"):
        CsvPricesDataset.from_config(
            "raw_prices",
            {
                "type": "regime_nas_pipeline.datasets.csv_prices.CsvPricesDataset",
                "filepath": "nowhere",
                "asset_pattern": pattern,
            },
        )


def test_a_missing_path_and_an_empty_folder_say_what_to_do(tmp_path):
    missing = CsvPricesDataset(filepath=str(tmp_path / "nowhere.csv"))
    assert not missing.exists()
    with pytest.raises(DataError, match=r"no file or folder .*nowhere\.csv.* Remedy: correct"):
        missing.load()
    empty = CsvPricesDataset(filepath=str(tmp_path))
    assert empty.exists()
    with pytest.raises(DataError, match=r"no CSV file in the folder .* Remedy: put"):
        empty.load()


def test_it_is_read_only(tmp_path):
    dataset = CsvPricesDataset(filepath=str(write_wide(tmp_path, wide_text())))
    with pytest.raises(DatasetError, match="CsvPricesDataset is read-only"):
        dataset.save(dataset.load())


def test_an_ambiguous_date_is_settled_in_the_catalog_entry(tmp_path):
    text = "Date,A,B,M\n01/02/2020,1,2,3\n02/02/2020,1,2,3\n"
    path = write_wide(tmp_path, text)
    with pytest.raises(DataError, match=r"wide\.csv, column 'Date', date 01/02/2020: .*ambiguous"):
        CsvPricesDataset(filepath=str(path)).load()
    raw = CsvPricesDataset(filepath=str(path), date_format="%d/%m/%Y").load()
    assert raw.table["date"].max() == pd.Timestamp("2020-02-02")


@needs_shared_data
def test_the_etf_panel_is_read_as_published():
    path = SHARED / "etf_daily" / "adj_close.csv"
    raw = CsvPricesDataset(filepath=str(path)).load()
    wide = raw.table.pivot(index="date", columns="asset", values="close")
    reference = pd.read_csv(path, index_col="Date", parse_dates=True)
    assert wide.shape == (3775, 24)
    np.testing.assert_array_equal(
        wide[reference.columns].to_numpy(), reference.to_numpy(dtype=float)
    )
    assert raw.table.loc[raw.table["asset"] == "HYG", "date"].min() == pd.Timestamp("2007-04-11")


@needs_shared_data
def test_the_coin_folder_is_read_as_published():
    raw = CsvPricesDataset(
        filepath=str(SHARED / "crypto_daily"),
        asset_pattern="coin_(?P<asset>.+)",
        exclude=["Tether", "USDCoin", "WrappedBitcoin"],
    ).load()
    prepared = prepare_prices(
        raw,
        assets=None,
        benchmark="Bitcoin",
        start=None,
        end=None,
        max_gap=5,
        first_oos=dt.date(2018, 1, 1),
        needed_bars=365,
    )
    assert len(raw.assets) == 20
    totals = prepared.quality["totals"]
    assert (totals["rows"], totals["filled_gaps"], totals["filled_bars"]) == (29134, 1, 1)
    assert prepared.quality["assets"]["Monero"]["filled_gaps"]["bars"] == 1
    assert prepared.manifest["first_date"] == "2013-04-29"
    assert prepared.manifest["last_date"] == "2020-12-31"
    PriceTable.validate(prepared.prices)
