from __future__ import annotations

import calendar
import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kline_server import DAY, EPOCH, KlineServer, candles

from regime_nas_pipeline.datasets.bybit_kline import (
    INTERVALS,
    LIMIT,
    bar_ends,
    fetch_history,
    parse_kline,
)
from regime_nas_pipeline.datasets.fetching import TransientError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)
cells = st.sampled_from(
    [
        "1609459200000",
        "1.5",
        "1e3",
        "",
        "nan",
        "inf",
        "-1",
        "1_0",
        "1e999",
        " 1",
        "٣",
        "0x1",
        None,
        7,
    ]
)
answers = st.fixed_dictionaries(
    {
        "time": st.sampled_from([EPOCH, 0, -1, 10**30, "1", None, True]) | json_values,
        "result": st.fixed_dictionaries(
            {"list": st.lists(st.lists(cells, max_size=8) | json_values, max_size=3)},
            optional={"symbol": st.sampled_from(["A", "B", None])},
        )
        | json_values,
    }
)


@settings(max_examples=300, deadline=None)
@given(answers | json_values)
def test_any_answer_is_read_or_refused_in_the_projects_own_words(answer):
    try:
        page = parse_kline(answer, "A")
    except TransientError:
        return
    assert np.isfinite(page.bars.to_numpy(dtype=float)).all()
    assert (page.bars["start"] > 0).all()
    assert page.bars["start"].is_monotonic_increasing
    assert len(page.bars) == len(answer["result"]["list"])


rows = st.lists(
    st.tuples(st.integers(1, 2**42), *[st.floats(0, allow_infinity=False)] * 5), max_size=6
)


@settings(max_examples=60, deadline=None)
@given(rows)
def test_numbers_are_read_to_the_bit(rows):
    listed = [[str(row[0]), *map(repr, row[1:]), "0"] for row in rows]
    page = parse_kline({"time": EPOCH, "result": {"symbol": "A", "list": listed}}, "A")
    expected = sorted(rows, key=lambda row: row[0])
    assert list(page.bars.columns) == ["start", "open", "high", "low", "close", "volume"]
    assert [tuple(row) for row in page.bars.itertuples(index=False)] == expected


@pytest.mark.parametrize("interval", INTERVALS)
def test_a_bar_ends_where_the_next_begins(interval):
    now = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)  # a Monday, and the first of a month
    starts = []
    for _ in range(30):
        starts.append(int(now.timestamp() * 1000))
        if interval == "M":
            now += dt.timedelta(days=calendar.monthrange(now.year, now.month)[1])
        elif interval in "DW":
            now += dt.timedelta(days=7 if interval == "W" else 1)
        else:
            now += dt.timedelta(minutes=int(interval))
    np.testing.assert_array_equal(bar_ends(np.array(starts[:-1]), interval), starts[1:])


def served(server, symbol="A"):
    def ask(low, high):
        query = {"category": "spot", "symbol": symbol, "interval": "D", "limit": str(LIMIT)}
        query |= {} if low is None else {"start": str(low)}
        query |= {} if high is None else {"end": str(high)}
        server.queries.append(query)
        return parse_kline(server.answer(query), symbol)

    return ask


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(0, 3200),
    holes=st.lists(st.tuples(st.integers(0, 3200), st.integers(1, 1500)), max_size=2),
    cap=st.sampled_from([1000, 999, 200]),
    first=st.integers(-500, 3300),
    last=st.none() | st.integers(-10, 3300),
    now=st.integers(0, 3300),
)
def test_every_closed_bar_of_the_range_arrives_once(n, holes, cap, first, last, now):
    server = KlineServer()
    server.cap, server.now = cap, EPOCH + now * DAY + DAY // 2
    everything = [
        bar
        for i, bar in enumerate(candles(n))
        if not any(start <= i < start + length for start, length in holes)
    ]
    server.bars["spot", "A"] = everything
    low, high = EPOCH + first * DAY, None if last is None else EPOCH + last * DAY
    found = fetch_history(served(server), first=low, last=high, interval="D")
    wanted = [bar for bar in everything if low <= bar[0] and (high is None or bar[0] <= high)]
    closed = [bar for bar in wanted if bar[0] + DAY <= server.now]
    assert [tuple(row) for row in found.bars.itertuples(index=False)] == closed
    assert found.open_starts == [b[0] for b in wanted if b[0] <= server.now < b[0] + DAY]
    assert len(server.queries) < 2 * 3 * (4 + 3800 * DAY / (min(cap, 1000) * DAY))


def test_a_long_history_costs_little_more_than_its_pages():
    server = KlineServer()
    server.bars["spot", "A"] = candles(2500)
    server.now = EPOCH + 2500 * DAY
    found = fetch_history(served(server), first=EPOCH - 1000 * DAY, last=None, interval="D")
    assert len(found.bars) == 2500
    # Three pages, an empty window believed the second time, and the years before it, likewise.
    assert len(server.queries) == 3 + 2 + 2
    windows = [q for q in server.queries if "start" in q]
    assert all(int(q["end"]) - int(q["start"]) < LIMIT * DAY for q in windows)


def test_repeats_over_borders_of_pages_are_removed():
    bars = candles(30)

    def careless(low, high):
        """Answers with five bars around what was asked for."""
        inside = [b for b in bars if (high is None or b[0] <= high + 2 * DAY)][-5:]
        listed = [[str(b[0]), *map(repr, b[1:]), "0"] for b in inside[::-1]]
        return parse_kline({"time": EPOCH + 900 * DAY, "result": {"list": listed}}, "A")

    found = fetch_history(careless, first=EPOCH, last=None, interval="D")
    assert [tuple(row) for row in found.bars.itertuples(index=False)] == bars
