from __future__ import annotations

import datetime as dt

import pytest

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.datasets.fetching import RetryPolicy
from regime_nas_pipeline.datasets.source_arguments import day, one_of, retry_policy, span


def test_days_come_from_yaml_and_from_text():
    assert day("start", None) is None
    assert day("start", dt.date(2024, 2, 29)) == dt.date(2024, 2, 29)
    assert day("start", "2024-02-29") == dt.date(2024, 2, 29)


@pytest.mark.parametrize("value", ["2023-02-29", "29.02.2024", "", dt.datetime(2024, 1, 1, 12)])
def test_what_is_no_day_is_refused_by_name(value):
    with pytest.raises(ParameterError, match="end must be a day like 2021-07-05"):
        day("end", value)


def test_a_span_runs_forwards():
    assert span("2024-01-01", "2024-01-01") == (dt.date(2024, 1, 1), dt.date(2024, 1, 1))
    assert span(None, "2024-01-01") == (None, dt.date(2024, 1, 1))
    with pytest.raises(ParameterError, match="start 2024-01-02 lies after end 2024-01-01"):
        span("2024-01-02", "2024-01-01")


def test_choices_and_retries_are_checked():
    assert one_of("interval", "1d", ("1h", "1d")) == "1d"
    with pytest.raises(ParameterError, match="interval must be one of 1h, 1d and is '2d'"):
        one_of("interval", "2d", ("1h", "1d"))
    assert retry_policy(None) == RetryPolicy()
    assert retry_policy({"attempts": 2}).attempts == 2
    with pytest.raises(ParameterError, match=r"retries: .*patience"):
        retry_policy({"patience": 3})
    with pytest.raises(ParameterError, match="attempts must be at least 1"):
        retry_policy({"attempts": 0})
