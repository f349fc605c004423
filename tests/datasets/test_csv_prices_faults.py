"""Every fault that a price file can have gives one error that says where it is."""

from __future__ import annotations

import pytest
from price_files import DAYS, asset_text, ingest, wide_text, without, write_folder, write_wide

from regime_nas_pipeline.core.errors import DataError

BAD_WIDE = {
    "zero price": (wide_text(d05="10,0,30"), ["column 'B'", "asset 'B'", "2020-01-05", "positive"]),
    "negative": (wide_text(d05="10,-2.5,30"), ["column 'B'", "asset 'B'", "2020-01-05", "-2.5"]),
    "infinite": (wide_text(d05="inf,2,30"), ["column 'A'", "asset 'A'", "2020-01-05", "infinite"]),
    "text": (wide_text(d05="10,oops,30"), ["column 'B'", "asset 'B'", "2020-01-05", "'oops'"]),
    "decimal comma": (wide_text(d05='10,"2,5",30'), ["asset 'B'", "2020-01-05", "'2,5'"]),
    "bad date": (wide_text().replace("2020-01-05", "someday"), ["'Date'", "someday", "line 6"]),
    "no such day": (wide_text().replace("2020-01-05", "2020-02-30"), ["'Date'", "2020-02-30"]),
    "blank date": (wide_text().replace("2020-01-05", ""), ["'Date'", "blank", "line 6"]),
    "date twice": (
        wide_text().replace("2020-01-06", "2020-01-05"),
        ["'Date'", "2020-01-05", "more than once", "line 7"],
    ),
    "back and forth": (
        wide_text().replace("2020-01-06", "2019-01-06"),
        ["'Date'", "2019-01-06", "back and forth"],
    ),
    "long gap": (
        wide_text(d05="10,,30", d06="10,,30", d07="10,,30"),
        ["column 'B'", "asset 'B'", "2020-01-05", "3 bars in a row", "max_gap = 2"],
    ),
    "no price at all": (
        wide_text(**{f"d{day[-2:]}": "1,,3" for day in DAYS}),
        ["column 'B'", "asset 'B'", "no price at all"],
    ),
    "nothing at all": (
        wide_text(**{f"d{day[-2:]}": ",," for day in DAYS}),
        ["there are no prices"],
    ),
    "no date column": (wide_text().replace("Date", "Day"), ["column 'Date'", "Day, A, B, M"]),
    "ragged row": (wide_text(d05="10,2"), ["line 6", "2020-01-05", "3 cells"]),
    "empty": ("", ["empty"]),
    "header only": ("Date,A,B,M\n", ["no rows"]),
    "one asset and benchmark": (
        "\n".join(
            line.rsplit(",", 2)[0] + "," + line.rsplit(",", 1)[1]
            for line in wide_text().splitlines()
        ),
        ["fewer than two assets", "A"],
    ),
    "too short": (without(wide_text(), *DAYS[:10]), ["4 bars before first_oos", "5 are needed"]),
    "too old": (
        without(wide_text(), *DAYS[14:]),
        ["2020-01-14", "no out-of-sample day left", "first_oos is 2020-01-15"],
    ),
}


@pytest.mark.parametrize("case", BAD_WIDE)
def test_a_bad_wide_file_gives_one_error_with_its_place(tmp_path, case):
    text, shown = BAD_WIDE[case]
    with pytest.raises(DataError) as caught:
        ingest(write_wide(tmp_path, text))
    message = str(caught.value)
    assert message.startswith("wide.csv")
    assert str(tmp_path) not in message
    assert [part for part in [*shown, "Remedy: "] if part not in message] == []


BAD_ASSET = {
    "blank close": (asset_text(d05="9,12,8,,10"), ["'Close'", "2020-01-05", "blank"]),
    "zero open": (asset_text(d05="0,12,8,10,10"), ["'Open'", "2020-01-05", "positive"]),
    "infinite low": (asset_text(d05="9,12,inf,10,10"), ["'Low'", "2020-01-05", "infinite"]),
    "negative volume": (asset_text(d05="9,12,8,10,-1"), ["'Volume'", "2020-01-05", "negative"]),
    "text volume": (asset_text(d05="9,12,8,10,1k"), ["'Volume'", "2020-01-05", "'1k'"]),
    "high below low": (asset_text(d05="9,8,12,10,10"), ["'High'", "2020-01-05", "below the low"]),
    "date twice": (
        asset_text().replace("2020-01-06", "2020-01-05"),
        ["'Date'", "2020-01-05", "more than once"],
    ),
    "long gap": (
        without(asset_text(), *DAYS[4:8]),
        ["'Close'", "2020-01-05", "4 bars in a row", "max_gap = 2"],
    ),
    "no close": (asset_text().replace("Close", "Last"), ["'Close'", "no column 'Close'"]),
    "no date": (asset_text().replace("Date", "When"), ["'Date'", "no column 'Date'"]),
    "empty": ("", ["empty"]),
    "header only": ("Date,Close\n", ["no rows"]),
}


@pytest.mark.parametrize("case", BAD_ASSET)
def test_a_bad_file_in_a_folder_gives_one_error_with_its_place(tmp_path, case):
    text, shown = BAD_ASSET[case]
    with pytest.raises(DataError) as caught:
        ingest(write_folder(tmp_path, B=text))
    message = str(caught.value)
    assert message.startswith("B.csv")
    assert [part for part in [*shown, "Remedy: "] if part not in message] == []
