"""A server on loopback that speaks Bybit's v5/market/kline, with the faults that servers have."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

DAY = 86_400_000
EPOCH = 1_609_459_200_000  # 2021-01-01

PASSING = (
    "code 10006",
    "code 10016",
    "code 10000",
    "code 10018",
    "status 429",
    "status 500",
    "status 503",
    "half JSON",
    "torn",
    "hang up",
    "slow",
    "list for a body",
    "no result",
    "other symbol",
)
"""Faults that another request may not meet."""

Candle = tuple[int, float, float, float, float, float]


def candles(n: int, *, start: int = EPOCH, step: int = DAY, scale: float = 1.0) -> list[Candle]:
    """Bars with closes that are all different; the close of bar i is scale · (100 + i / 7)."""
    made = []
    for i in range(n):
        close = scale * (100.0 + i / 7)
        made.append((start + i * step, close - 0.5, close + 1.0, close - 1.0, close, 10.0 + i))
    return made


class KlineServer:
    """What the server serves and how it misbehaves.

    Attributes:
        bars: (category, symbol) to bars, oldest first.
        now: The server's clock in milliseconds, which need not be this machine's.
        cap: Bars in one answer at most, whatever is asked for.
        faults: Taken one by one, one for each request; ``ok`` answers as it should.
        queries: Every request's query.
        time_headers: Which headers tell its clock.
        reset: The header on the end of a rate limit; None for 10 ms from now.
    """

    def __init__(self) -> None:
        self.bars: dict[tuple[str, str], list[Candle]] = {}
        self.now = EPOCH + 5000 * DAY
        self.cap = 1000
        self.faults: deque[str] = deque()
        self.queries: list[dict[str, str]] = []
        self.time_headers = ("Date", "Timenow")
        self.reset: str | None = None
        self.endpoint = ""

    def answer(self, query: dict[str, str]) -> dict[str, object]:
        rows = self.bars.get((query["category"], query["symbol"]))
        if rows is None:
            return self.body(10001, "Not supported symbols", {})
        low, high = int(query.get("start", 0)), int(query.get("end", 2**60))
        inside = [row for row in rows if low <= row[0] <= high and row[0] <= self.now]
        newest = inside[::-1][: min(int(query.get("limit", 200)), self.cap)]
        listed = [[str(row[0]), *(repr(x) for x in row[1:]), "0"] for row in newest]
        result = {"symbol": query["symbol"], "category": query["category"], "list": listed}
        return self.body(0, "OK", result)

    def body(self, code: int, message: str, result: object) -> dict[str, object]:
        return {
            "retCode": code,
            "retMsg": message,
            "result": result,
            "retExtInfo": {},
            "time": self.now,
        }


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        state = self.server.state
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        state.queries.append(query)
        fault = state.faults.popleft() if state.faults else "ok"
        if address.path != "/v5/market/kline":
            self._send(404, b"not found")
            return
        image = json.dumps(state.answer(query)).encode()
        kind, _, number = fault.partition(" ")
        changed = {
            "empty": json.dumps(state.answer({**query, "end": "0"})).encode(),
            "half JSON": image[: len(image) // 2],
            "other symbol": image.replace(query["symbol"].encode(), b"OTHER"),
            "list for a body": b"[1, 2]",
            "no result": b'{"retCode": 0, "retMsg": "OK"}',
        }
        if kind == "status":
            self._send(int(number), b"busy", {"Retry-After": "0"})
        elif kind == "code":
            reset = {"X-Bapi-Limit-Reset-Timestamp": state.reset or str(state.now + 10)}
            self._send(200, json.dumps(state.body(int(number), fault, {})).encode(), reset)
        elif fault == "hang up":
            self.close_connection = True
        else:
            time.sleep(0.4 if fault == "slow" else 0.0)
            cut = len(image) // 2 if fault == "torn" else None
            self._send(200, changed.get(fault, image), cut=cut)

    def _send(
        self,
        status: int,
        image: bytes,
        headers: dict[str, str] | None = None,
        *,
        cut: int | None = None,
    ) -> None:
        self.send_response_only(status)
        now = self.server.state.now
        told = {"Date": formatdate(now / 1000, usegmt=True), "Timenow": str(now)}
        for name in self.server.state.time_headers:
            self.send_header(name, told[name])
        self.send_header("Content-Length", str(len(image)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(image[:cut])
        if cut is not None:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


class _Server(ThreadingHTTPServer):
    state: KlineServer
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that hung up after its time-out is part of the tests."""


@contextmanager
def serving() -> Iterator[KlineServer]:
    """Run a server on a free port of loopback; its address is ``endpoint``."""
    state = KlineServer()
    server = _Server(("127.0.0.1", 0), _Handler)
    server.state = state
    state.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
