"""A local server in Yahoo's place."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from chart_server import ChartServer, serving
from yahoo_home import NOW

from regime_nas_pipeline.datasets import yahoo
from regime_nas_pipeline.datasets.fetching import with_retries


@pytest.fixture
def yahoo_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChartServer]:
    """A server to which everything goes that is meant for Yahoo; nothing else is let out."""
    pytest.importorskip("yfinance", reason="the extra yahoo is not installed")
    requests = pytest.importorskip("curl_cffi.requests")
    right = requests.Session.request
    with serving(NOW) as home:

        def request(self: Any, method: str, url: str, *args: Any, **options: Any) -> Any:
            parts = urlsplit(url)
            assert parts.hostname is not None
            assert parts.hostname.endswith(".yahoo.com")
            local = url.replace(f"{parts.scheme}://{parts.netloc}", home.address)
            return right(self, method, local, *args, **options)

        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr(requests.Session, "request", request)
        yield home


@pytest.fixture
def yahoo_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited between attempts, without waiting."""
    waited: list[float] = []
    patient = functools.partial(with_retries, sleep=waited.append)
    monkeypatch.setattr(yahoo, "with_retries", patient)
    return waited
