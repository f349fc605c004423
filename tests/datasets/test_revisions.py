from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.datasets.revisions import find_revision


def history(closes: dict[int, float]) -> pd.DataFrame:
    days = [pd.Timestamp("2020-01-01") + pd.Timedelta(days=day) for day in closes]
    table = pd.DataFrame({"date": days, "close": list(closes.values())})
    return table.astype({"date": "datetime64[us]", "close": float})


closes = st.dictionaries(st.integers(0, 30), st.floats(0.5, 1e6), max_size=12)


@settings(max_examples=60, deadline=None)
@given(stored=closes.filter(len), changed=closes, new=closes)
def test_it_finds_what_a_bar_by_bar_comparison_finds(stored, changed, new):
    # Some bars as they were, some changed, some that came; the rest are gone.
    fetched = {**{day: value for day, value in stored.items() if day % 3}, **changed, **new}
    differing = {}
    for day in sorted({*stored, *fetched}):
        old, now = stored.get(day), fetched.get(day)
        if min(stored) <= day <= max(stored) and (
            old is None or now is None or abs(now - old) > 1e-8 * old
        ):
            differing[day] = (old, now)
    found = find_revision(history(stored), history(fetched))
    if not differing:
        assert found is None
        return
    first = min(differing)
    assert found is not None
    assert (found.count, found.old, found.new) == (len(differing), *differing[first])
    assert found.first_date == pd.Timestamp("2020-01-01") + pd.Timedelta(days=first)
    changes = [abs(now / old - 1) for old, now in differing.values() if None not in (old, now)]
    if changes:
        assert found.largest == pytest.approx(max(changes), rel=1e-6)
    else:
        assert found.largest is None


def test_rounding_is_no_revision():
    stored = {0: 100.0, 1: 0.3}
    assert find_revision(history(stored), history({0: 100.0000005, 1: 0.1 + 0.2})) is None
    assert find_revision(history(stored), history({0: 100.000002, 1: 0.3})).count == 1


def test_a_source_may_be_less_exact():
    stored, now = history({0: 100.0}), history({0: 100.00005})
    assert find_revision(stored, now) is not None
    assert find_revision(stored, now, tolerance=1e-6) is None


def test_nothing_in_place_of_history_is_a_revision():
    found = find_revision(history({0: 1.0, 1: 2.0}), history({}))
    assert (found.count, found.old, found.new, found.largest) == (2, 1.0, None, None)


def test_blank_closes_that_stay_blank_are_no_revision():
    stored = history({0: 1.0, 1: np.nan, 2: 2.0})
    assert find_revision(stored, stored) is None
    assert find_revision(stored, history({0: 1.0, 1: 1.5, 2: 2.0})).new == 1.5
