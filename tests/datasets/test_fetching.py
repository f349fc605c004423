from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.datasets.fetching import Pace, RetryPolicy, TransientError, with_retries
from regime_nas_pipeline.datasets.source_error import PriceSourceError


class Flaky:
    """Fails as told, then answers 42."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return 42


@settings(max_examples=30, deadline=None)
@given(
    failures=st.integers(0, 12),
    first=st.floats(0.0, 10.0),
    longest=st.floats(0.0, 20.0),
    seed=st.integers(0, 9),
)
def test_waits_double_at_most_and_stay_below_the_longest(failures, first, longest, seed):
    policy = RetryPolicy(attempts=13, first_wait=first, longest_wait=longest, seed=seed)
    call, waits = Flaky(*(TransientError("busy") for _ in range(failures))), []
    assert with_retries(call, what="it", policy=policy, sleep=waits.append) == 42
    assert (call.calls, len(waits)) == (failures + 1, failures)
    bound = first
    for wait in waits:
        assert 0.0 <= wait <= min(bound, longest)
        bound *= 2


def test_the_seed_decides_on_the_waits():
    def waits(seed):
        seen = []
        call = Flaky(*(TransientError("busy") for _ in range(4)))
        with_retries(call, what="it", policy=RetryPolicy(seed=seed), sleep=seen.append)
        return seen

    assert waits(1) == waits(1) != waits(2)
    assert len(set(waits(1))) == 4


def test_the_server_is_left_alone_for_as_long_as_it_asks():
    waits = []
    policy = RetryPolicy(first_wait=0.0)
    call = Flaky(TransientError("busy", retry_after=7.5), TransientError("busy"))
    assert with_retries(call, what="it", policy=policy, sleep=waits.append) == 42
    assert waits == [7.5, 0.0]


def test_a_longer_wait_than_there_is_patience_for_ends_it():
    waits, call = [], Flaky(TransientError("come back tomorrow", retry_after=86400.0))
    with pytest.raises(PriceSourceError) as caught:
        with_retries(call, what="Yahoo SPY", policy=RetryPolicy(), sleep=waits.append)
    assert str(caught.value) == (
        "Yahoo SPY: nothing came in 1 attempt; the last failed with: come back tomorrow (the "
        "server asks for a wait of 86400 s). Remedy: check the network connection and try again "
        "later."
    )
    assert (waits, call.calls) == ([], 1)


def test_after_the_last_attempt_the_last_cause_is_named():
    waits, call = [], Flaky(*(TransientError(f"fault {i}.") for i in range(9)))
    with pytest.raises(PriceSourceError, match=r"^it: nothing came in 3 attempts.*with: fault 2\."):
        with_retries(call, what="it", policy=RetryPolicy(attempts=3), sleep=waits.append)
    assert (call.calls, len(waits)) == (3, 2)


def test_what_will_not_pass_is_not_tried_again():
    call = Flaky(PriceSourceError("no such symbol"))
    with pytest.raises(PriceSourceError, match="no such symbol"):
        with_retries(call, what="it", policy=RetryPolicy(), sleep=pytest.fail)
    assert call.calls == 1


def test_requests_are_spaced_evenly_and_idle_time_is_not_saved_up():
    now, sent = [0.0], []

    def sleep(seconds):
        now[0] += seconds

    pace = Pace(4.0, clock=lambda: now[0], sleep=sleep)
    for pause in (0.0, 0.0, 0.1, 10.0, 0.0):
        now[0] += pause
        pace.wait()
        sent.append(now[0])
    assert sent == pytest.approx([0.0, 0.25, 0.5, 10.5, 10.75])


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"attempts": 0}, "attempts must be at least 1"),
        ({"first_wait": -1.0}, "first_wait must be"),
        ({"longest_wait": math.inf}, "longest_wait must be"),
        ({"timeout": 0.0}, "timeout must be above 0"),
    ],
)
def test_a_policy_that_cannot_work_is_refused(options, shown):
    with pytest.raises(ParameterError, match=shown):
        RetryPolicy(**options)


@pytest.mark.parametrize("per_second", [0.0, -1.0, math.nan, math.inf])
def test_a_pace_at_which_nothing_is_asked_is_refused(per_second):
    with pytest.raises(ParameterError, match="per second"):
        Pace(per_second)
