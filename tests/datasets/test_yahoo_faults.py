"""Faults on the way to Yahoo: recovered from, or one clear error."""

from __future__ import annotations

import datetime as dt
import sys

import pandas as pd
import pytest
from chart_server import Listing, Reply, chart_error
from yahoo_home import DAYS, closes, kinds, listed, listing, source

from regime_nas_pipeline.datasets.source_error import PriceSourceError

TORN = Reply(body=b'{"chart":{"result":[{"meta":{"curr')
RECOVERED = {
    "rate limit": [Reply(429, b"Too Many Requests", {"Retry-After": "7"}), Reply(429)],
    "server errors": [Reply(500, b"<html>"), Reply(502), Reply(503, b'{"finance":{}}')],
    "torn JSON": [TORN, TORN],
    "page instead of JSON": [Reply(body=b"<html>Will be right back</html>")],
    "connection cut": [lambda right: Reply(body=right, cut=200)],
    "JSON of another form": [Reply(body=b'{"chart":[]}'), Reply(body=b"7"), Reply(body=b"null")],
    "no result": [Reply(body=b'{"chart":{"result":[],"error":null}}')],
    "bars without dates": [lambda right: Reply(body=right.replace(b'"timestamp"', b'"time"'))],
    "cookie refused": [Reply(401, b'{"finance":{"error":{"code":"Unauthorized"}}}')] * 3,
    "time-out": [Reply(delay=1.0)],
}


@pytest.mark.parametrize("name", RECOVERED)
def test_the_same_prices_arrive_after_a_fault_that_passes(
    name, yahoo_server, yahoo_waits, tmp_path
):
    (ticker,) = listed(yahoo_server, listing(2.0, dividends={DAYS[5]: 2.0}))
    adjusted = yahoo_server.listings[ticker].adjusted_by_day()
    yahoo_server.faults = list(RECOVERED[name])
    dataset = source(tmp_path, [ticker], retries={"timeout": 0.5})
    found = closes(dataset, ticker)
    assert yahoo_server.faults == []
    assert found.to_dict() == {pd.Timestamp(day): adjusted[day] for day in DAYS[:-1]}
    assert kinds(dataset) == []
    assert yahoo_waits
    if name == "rate limit":
        assert yahoo_waits[0] >= 7.0


@pytest.mark.parametrize("fault", [Reply(500), TORN, Reply(429)])
def test_a_fault_while_yfinance_looks_up_the_time_zone_passes_too(
    fault, yahoo_server, yahoo_waits, tmp_path
):
    (ticker,) = listed(yahoo_server, listing())
    yahoo_server.zone_faults = [fault, fault]
    assert len(closes(source(tmp_path, [ticker]), ticker)) == len(DAYS) - 1
    assert len(yahoo_waits) == 2


@pytest.mark.parametrize(
    ("fault", "attempts", "shown"),
    [
        (Reply(503, b"busy"), 3, "in 3 attempts; the last failed with: HTTP 503"),
        (Reply(429, b"", {"Retry-After": "3600"}), 1, "asks for a wait of 3600 s"),
        (TORN, 3, "torn or no chart"),
        (Reply(403), 3, "HTTP 403"),
        (chart_error("Unprocessable Entity", "too far back", 422), 1, "too far back"),
        (Reply(404, b"<html>"), 3, "HTTP 404 with an answer that is torn"),
    ],
)
def test_a_fault_that_stays_is_one_clear_error_and_nothing_is_stored(
    fault, attempts, shown, yahoo_server, yahoo_waits, tmp_path
):
    (ticker,) = listed(yahoo_server, listing())
    yahoo_server.faults = [fault] * 10
    with pytest.raises(PriceSourceError) as caught:
        source(tmp_path, [ticker], retries={"attempts": 3}).load()
    assert shown in str(caught.value)
    assert str(caught.value).startswith("Yahoo Finance")
    assert "Remedy: " in str(caught.value)
    assert len(yahoo_waits) == attempts - 1
    assert not list(tmp_path.rglob("*.parquet"))
    # What failed is not remembered, by this project or by yfinance.
    yahoo_server.faults = []
    assert len(closes(source(tmp_path, [ticker]), ticker)) == len(DAYS) - 1


def test_an_unknown_ticker_is_named_or_left_out(yahoo_server, yahoo_waits, tmp_path):
    (known,) = listed(yahoo_server, listing())
    late = Listing({dt.date(2025, 1, 2): 10.0})
    (unborn,) = listed(yahoo_server, late)
    gone = "GONE.L"
    with pytest.raises(PriceSourceError) as caught:
        source(tmp_path, [known, gone]).load()
    assert "the source has no bar of GONE.L" in str(caught.value)
    assert "No data found, symbol may be delisted" in str(caught.value)
    assert "missing: drop" in str(caught.value)
    dropped = source(tmp_path, [known, gone, unborn], missing="drop")
    assert dropped.load().assets == (known,)
    assert kinds(dropped) == [("not_in_source", "GONE.L", None), ("not_in_source", unborn, None)]
    with pytest.raises(PriceSourceError, match=r"no bar of GONE\.L"):
        source(tmp_path, [gone], missing="drop").load()
    # Whether a ticker exists is no passing matter.
    assert yahoo_waits == []


def test_without_yfinance_stored_prices_are_read_and_new_ones_are_a_clear_error(
    yahoo_server, tmp_path, monkeypatch
):
    (ticker,) = listed(yahoo_server, listing())
    expected = source(tmp_path, [ticker]).load().table
    monkeypatch.delitem(sys.modules, "regime_nas_pipeline.datasets.yahoo_chart")
    monkeypatch.delattr("regime_nas_pipeline.datasets.yahoo_chart")
    monkeypatch.setitem(sys.modules, "yfinance", None)
    pd.testing.assert_frame_equal(source(tmp_path, [ticker]).load().table, expected)
    with pytest.raises(PriceSourceError, match=r"regime_nas_pipeline\[yahoo\]"):
        source(tmp_path / "other", [ticker]).load()
