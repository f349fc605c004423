from __future__ import annotations

import pytest
from kline_server import DAY, EPOCH, PASSING, candles, serving

from regime_nas_pipeline.datasets.bybit_client import BybitClient, UnknownSymbolError
from regime_nas_pipeline.datasets.fetching import Pace, RetryPolicy
from regime_nas_pipeline.datasets.source_error import PriceSourceError

FAULTS = {
    "code 10006": "retCode 10006: code 10006",
    "code 10016": "retCode 10016: code 10016",
    "code 10000": "retCode 10000: code 10000",
    "code 10018": "retCode 10018: code 10018",
    "status 429": "HTTP status 429",
    "status 500": "HTTP status 500",
    "status 503": "HTTP status 503",
    "half JSON": "the answer is not JSON",
    "torn": "ChunkedEncodingError",
    "hang up": "ConnectionError",
    "slow": "ReadTimeout",
    "list for a body": "the answer is malformed",
    "no result": "the answer has no result",
    "other symbol": "the answer is about 'OTHER' and not 'AAAUSDT'",
}


@pytest.fixture
def server(monkeypatch):
    pytest.importorskip("pybit", reason="the extra bybit is not installed")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as state:
        state.bars["spot", "AAAUSDT"] = candles(20)
        yield state


def client(server, **policy) -> BybitClient:
    return BybitClient(
        category="spot",
        interval="D",
        policy=RetryPolicy(**{"attempts": 3, "first_wait": 0.0, "timeout": 0.2, **policy}),
        pace=Pace(10_000.0),
        endpoint=server.endpoint,
    )


def test_a_page_and_the_servers_time_arrive(server):
    page = client(server).ask("AAAUSDT", EPOCH + DAY, EPOCH + 3 * DAY)
    assert [tuple(row) for row in page.bars.itertuples(index=False)] == candles(20)[1:4]
    assert page.server_time == server.now


def test_a_symbol_that_is_not_served_is_told_apart(server):
    with pytest.raises(UnknownSymbolError, match="retCode 10001: Not supported symbols"):
        client(server).ask("NOSUCH", None, None)
    assert len(server.queries) == 1


def test_every_passing_fault_has_its_message():
    assert set(FAULTS) == set(PASSING)


@pytest.mark.parametrize(("fault", "shown"), FAULTS.items())
def test_a_fault_that_stays_is_named_after_the_last_attempt(server, fault, shown):
    server.faults.extend([fault] * 4)
    with pytest.raises(PriceSourceError) as caught:
        client(server).ask("AAAUSDT", None, None)
    assert str(caught.value).startswith(
        f"Bybit spot AAAUSDT, interval D: nothing came in 3 attempts; the last failed with: {shown}"
    )
    assert "Remedy: check the network connection" in str(caught.value)
    assert list(server.faults) == [fault]


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        ("status 403", "too many requests came from this address.*requests_per_second"),
        ("status 404", "HTTP status 404. Remedy: correct endpoint"),
        ("code 10009", "refuses the request with retCode 10009: code 10009"),
        ("code 10001", "refuses the request with retCode 10001"),
    ],
)
def test_what_does_not_pass_is_not_tried_again(server, fault, shown):
    server.faults.append(fault)
    with pytest.raises(PriceSourceError, match=shown):
        client(server).ask("AAAUSDT", None, None)
    assert len(server.queries) == 1


def test_no_server_at_all_is_a_clear_error(server):
    server.endpoint = "http://127.0.0.1:9"  # nobody listens there
    with pytest.raises(PriceSourceError, match=r"nothing came in 3 attempts.*ConnectionError"):
        client(server).ask("AAAUSDT", None, None)


@pytest.mark.parametrize("headers", [("Timenow",), ("Date",), ("Date", "Timenow"), ()])
@pytest.mark.parametrize("now", [EPOCH, EPOCH + 9000 * DAY])
def test_the_rate_limit_is_waited_for_by_the_servers_clock(server, headers, now):
    # It ends 10 ms from now for the server, whose clock is years away from this machine's.
    server.now, server.time_headers = now, headers
    server.faults.append("code 10006")
    page = client(server, longest_wait=0.5).ask("AAAUSDT", None, None)
    assert page.server_time == now
    assert len(server.queries) == 2


def test_a_rate_limit_longer_than_there_is_patience_for_is_told(server):
    server.reset = str(server.now + 90_000)
    server.faults.append("code 10006")
    with pytest.raises(PriceSourceError, match="the server asks for a wait of 90 s"):
        client(server).ask("AAAUSDT", None, None)


@pytest.mark.parametrize("reset", ["soon", "", "-5", "1e400"])
def test_a_rate_limit_without_a_sensible_end_is_tried_again(server, reset):
    server.reset = reset or " "
    server.faults.append("code 10006")
    assert len(client(server).ask("AAAUSDT", None, None).bars) == 20
