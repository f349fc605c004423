from __future__ import annotations

import sys

import pandas as pd
import pytest
from kedro.io import DataCatalog, DatasetError
from kline_server import DAY, EPOCH, PASSING, candles, serving

from regime_nas_pipeline.datasets.bybit import BybitPricesDataset
from regime_nas_pipeline.datasets.source_error import PriceSourceError
from regime_nas_pipeline.market.raw import RawPrices

QUICK = {"attempts": 3, "first_wait": 0.0, "timeout": 0.2}


@pytest.fixture
def server(monkeypatch):
    pytest.importorskip("pybit", reason="the extra bybit is not installed")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as state:
        state.bars = {
            ("spot", "AAAUSDT"): candles(1300),
            ("spot", "BBBUSDT"): candles(40, scale=2.0),
            ("linear", "AAAUSDT"): candles(20, scale=3.0),
        }
        state.now = EPOCH + 1300 * DAY
        yield state


def dataset(server, folder, **options) -> BybitPricesDataset:
    return BybitPricesDataset(
        **{
            "filepath": folder,
            "symbols": ["BBBUSDT", "AAAUSDT"],
            "requests_per_second": 10_000.0,
            "retries": QUICK,
            "endpoint": server.endpoint,
            **options,
        }
    )


def expected(**bars) -> pd.DataFrame:
    rows = [
        (pd.Timestamp(row[0], unit="ms"), symbol, *row[1:])
        for symbol, listed in bars.items()
        for row in listed
    ]
    columns = ["date", "asset", "open", "high", "low", "close", "volume"]
    return pd.DataFrame(rows, columns=columns).astype({"date": "datetime64[us]", "asset": "str"})


def assert_same(raw, table) -> None:
    pd.testing.assert_frame_equal(
        raw.table.sort_values(["asset", "date"], ignore_index=True)[table.columns],
        table,
        check_exact=True,
    )


def test_everything_arrives_is_frozen_and_then_needs_no_network(server, tmp_path, capsys):
    everything = expected(AAAUSDT=candles(1300), BBBUSDT=candles(40, scale=2.0))
    raw = dataset(server, tmp_path).load()
    assert_same(raw, everything)
    assert raw.assets == ("AAAUSDT", "BBBUSDT")
    assert raw.source.startswith("Bybit spot, interval D (bybit-")
    assert "Bybit spot, interval D: 100%" in capsys.readouterr().err
    n_queries = len(server.queries)
    server.bars.clear()
    again = dataset(server, tmp_path)
    assert again.exists()
    assert_same(again.load(), everything)
    assert again.load().notes == raw.notes
    assert len(server.queries) == n_queries


def test_days_interval_and_category_reach_the_server(server, tmp_path):
    raw = dataset(
        server,
        tmp_path,
        symbols=["AAAUSDT"],
        category="linear",
        start="2021-01-03",
        end="2021-01-05",
    ).load()
    assert_same(raw, expected(AAAUSDT=candles(20, scale=3.0)[2:5]))
    query = server.queries[0]
    assert {name: query[name] for name in ("category", "symbol", "interval", "limit")} == {
        "category": "linear",
        "symbol": "AAAUSDT",
        "interval": "D",
        "limit": "1000",
    }
    assert int(query["start"]) == EPOCH + 2 * DAY
    assert int(query["end"]) == EPOCH + 5 * DAY - 1


def test_intraday_bars_keep_their_time(server, tmp_path):
    hourly = candles(30, step=DAY // 24)
    server.bars["spot", "AAAUSDT"] = hourly
    raw = dataset(server, tmp_path, symbols=["AAAUSDT"], interval=60).load()
    assert_same(raw, expected(AAAUSDT=hourly))
    assert raw.table["date"].max() == pd.Timestamp("2021-01-02 05:00")


@pytest.mark.parametrize("fault", [*PASSING, "empty"])
def test_a_fault_that_passes_changes_nothing(server, tmp_path, fault):
    server.bars["spot", "AAAUSDT"] = candles(2300)
    server.now = EPOCH + 2300 * DAY
    # An empty answer is believed the second time: two in a row would be no fault.
    second = [fault, "ok"] if fault == "empty" else [fault, fault, "ok"]
    server.faults.extend([fault, "ok", *second, fault])
    raw = dataset(server, tmp_path, symbols=["AAAUSDT"], start="2021-01-01").load()
    assert_same(raw, expected(AAAUSDT=candles(2300)))
    assert not server.faults


def test_a_fault_that_stays_is_an_error_and_nothing_is_stored(server, tmp_path):
    server.faults.extend(["ok", "ok", *["status 500"] * 3])
    source = dataset(server, tmp_path, start="2021-01-01")
    with pytest.raises(
        PriceSourceError, match=r"^Bybit spot BBBUSDT, interval D: nothing came in 3"
    ):
        source.load()
    assert not source.exists()
    assert_same(source.load(), expected(AAAUSDT=candles(1300), BBBUSDT=candles(40, scale=2.0)))


def test_a_bar_is_open_or_closed_by_the_servers_clock(server, tmp_path):
    server.now = EPOCH + 10 * DAY + 3_600_000
    raw = dataset(server, tmp_path).load()
    assert_same(raw, expected(AAAUSDT=candles(10), BBBUSDT=candles(10, scale=2.0)))
    notes = [note for note in raw.notes if note["kind"] == "open_bar"]
    assert [(n["asset"], n["count"], n["first_date"]) for n in notes] == [
        ("AAAUSDT", 1, "2021-01-11"),
        ("BBBUSDT", 1, "2021-01-11"),
    ]


def test_a_refresh_appends_the_bar_that_has_closed_since(server, tmp_path):
    server.now = EPOCH + 10 * DAY + 3_600_000
    dataset(server, tmp_path).load()
    server.now += 2 * DAY
    n_queries = len(server.queries)
    raw = dataset(server, tmp_path, refresh=True, overlap=3).load()
    assert_same(raw, expected(AAAUSDT=candles(12), BBBUSDT=candles(12, scale=2.0)))
    notes = [note["first_date"] for note in raw.notes if note["kind"] == "open_bar"]
    assert notes == ["2021-01-13", "2021-01-13"]
    assert len(server.queries) - n_queries == 2


def revise(server) -> None:
    bars = server.bars["spot", "BBBUSDT"]
    start, *prices, close, volume = bars[38]
    bars[38] = (start, *prices, close * 1.5, volume)


def test_revised_history_is_an_error_that_shows_both_values(server, tmp_path):
    old = dataset(server, tmp_path).load()
    revise(server)
    with pytest.raises(PriceSourceError) as caught:
        dataset(server, tmp_path, refresh=True).load()
    assert "asset 'BBBUSDT', date 2021-02-08: the source has revised its history" in str(
        caught.value
    )
    close = 2.0 * (100 + 38 / 7)
    assert f"is {close!r} and now is {close * 1.5!r} (1 of the bars" in str(caught.value)
    assert_same(dataset(server, tmp_path).load(), old.table)


def test_revised_history_can_be_fetched_again_and_is_reported(server, tmp_path):
    dataset(server, tmp_path).load()
    revise(server)
    raw = dataset(server, tmp_path, refresh=True, revised="refetch").load()
    assert_same(raw, expected(AAAUSDT=candles(1300), BBBUSDT=server.bars["spot", "BBBUSDT"]))
    note = next(note for note in raw.notes if note["kind"] == "revised_history")
    assert (note["asset"], note["count"], note["first_date"]) == ("BBBUSDT", 1, "2021-02-08")
    assert "the largest by 0.5 (relative)" in note["detail"]
    assert len(list(tmp_path.glob("*/*.parquet"))) == 2


def test_unknown_and_empty_symbols_are_named(server, tmp_path):
    server.bars["spot", "OLDUSDT"] = []
    symbols = ["AAAUSDT", "OLDUSDT", "NOSUCH"]
    with pytest.raises(PriceSourceError) as caught:
        dataset(server, tmp_path, symbols=symbols).load()
    assert (
        "the source has no bar of NOSUCH, OLDUSDT (NOSUCH: retCode 10001: Not supported symbols; "
        "OLDUSDT: no closed bar between start and end)" in str(caught.value)
    )
    raw = dataset(server, tmp_path, symbols=symbols, missing="drop").load()
    assert_same(raw, expected(AAAUSDT=candles(1300)))
    assert [n["asset"] for n in raw.notes if n["kind"] == "not_in_source"] == ["NOSUCH", "OLDUSDT"]
    with pytest.raises(PriceSourceError, match="no bar of NOSUCH, OLDUSDT"):
        dataset(server, tmp_path / "b", symbols=symbols[1:], missing="drop").load()


def test_two_different_bars_for_one_time_are_refused(server, tmp_path):
    start, *rest = server.bars["spot", "BBBUSDT"][7]
    server.bars["spot", "BBBUSDT"].insert(7, (start, *(value + 1 for value in rest)))
    with pytest.raises(PriceSourceError, match=r"asset 'BBBUSDT', date 2021-01-08: .*more than"):
        dataset(server, tmp_path).load()


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"symbols": []}, "symbols must be a list"),
        ({"symbols": "BTCUSDT"}, "symbols must be a list"),
        ({"symbols": ["btc/usdt"]}, "'btc/usdt' is not a name like BTCUSDT"),
        ({"symbols": ["A", "B", "A"]}, "symbols names A more than once"),
        ({"category": "option"}, "category must be one of spot, linear and is 'option'"),
        ({"interval": "1h"}, "interval must be one of 1, 3, .*, M and is '1h'"),
        ({"start": "yesterday"}, "start must be a day like 2021-07-05 and is 'yesterday'"),
        ({"start": "2022-01-02", "end": "2022-01-01"}, "start 2022-01-02 lies after end"),
        ({"missing": "skip"}, "missing must be fail or drop"),
        ({"requests_per_second": 0}, "per second must be above 0"),
        ({"retries": {"tries": 3}}, "retries: .*'tries'"),
        ({"endpoint": "localhost"}, "endpoint must be like https://api.bytick.com"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(tmp_path, options, shown):
    with pytest.raises(DatasetError, match=shown):
        DataCatalog.from_config(
            {
                "raw_prices": {
                    "type": "regime_nas_pipeline.datasets.bybit.BybitPricesDataset",
                    "filepath": tmp_path.as_posix(),
                    "symbols": ["BTCUSDT"],
                    **options,
                }
            }
        )["raw_prices"]


def test_without_the_extra_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pybit", None)
    with pytest.raises(PriceSourceError, match=r"pip install \"regime_nas_pipeline\[bybit\]\""):
        BybitPricesDataset(filepath=tmp_path, symbols=["BTCUSDT"]).load()


def test_it_is_read_only(tmp_path):
    source = BybitPricesDataset(filepath=tmp_path, symbols=["BTCUSDT"])
    assert not source.exists()
    with pytest.raises(DatasetError, match="BybitPricesDataset is read-only"):
        source.save(RawPrices(expected(BTCUSDT=candles(2)), source="elsewhere"))
