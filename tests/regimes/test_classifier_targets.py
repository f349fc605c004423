from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.regimes.classifier_targets import (
    check_classes,
    class_names,
    outcomes,
    said_regimes,
)


def test_said_is_the_likeliest_and_the_first_of_equals() -> None:
    probabilities = np.array([[0.2, 0.8], [0.5, 0.5], [np.nan, np.nan], [0.9, 0.1]])
    np.testing.assert_array_equal(said_regimes(probabilities), [1, 0, np.nan, 0])


def test_outcomes_by_hand() -> None:
    said = np.array([np.nan, 0, 0, 1, 1, 0, 0, 0], dtype=float)
    blank = np.nan
    np.testing.assert_array_equal(outcomes(said, "label", 0), said)
    np.testing.assert_array_equal(outcomes(said, "label", 1), [0, 0, 1, 1, 0, 0, 0, blank])
    np.testing.assert_array_equal(outcomes(said, "label", 3), [1, 1, 0, 0, 0, blank, blank, blank])
    # The switch back to 0 within two bars of bar 4 counts, as does the one out of it.
    np.testing.assert_array_equal(outcomes(said, "switch", 2), [blank, 1, 1, 1, 1, 0, blank, blank])
    np.testing.assert_array_equal(outcomes(said, "switch", 9), np.full(8, blank))


@given(
    said=st.lists(st.integers(0, 2), min_size=1, max_size=30),
    lead=st.integers(1, 6),
    cut=st.integers(0, 30),
)
def test_an_answer_is_known_as_soon_as_its_bars_are_and_never_changes(
    said: list[int], lead: int, cut: int
) -> None:
    labels = np.array(said, dtype=float)
    known = labels[: max(cut, 1)]
    for target in ("label", "switch"):
        whole, part = outcomes(labels, target, lead), outcomes(known, target, lead)  # type: ignore[arg-type]
        n_known = max(len(known) - lead, 0)
        assert np.isfinite(part[:n_known]).all()
        assert np.isnan(part[n_known:]).all()
        np.testing.assert_array_equal(part[:n_known], whole[:n_known])


def test_a_switch_within_more_bars_is_never_rarer() -> None:
    said = np.random.default_rng(0).integers(0, 2, 400).astype(float)
    near, far = outcomes(said, "switch", 2), outcomes(said, "switch", 4)
    known = np.isfinite(far)
    assert (far[known] >= near[known]).all()


def test_classes_are_the_regimes_or_stay_and_switch() -> None:
    assert class_names("label", ("calm", "middle", "stressed")) == ("calm", "middle", "stressed")
    assert class_names("switch", ("calm", "middle", "stressed")) == ("stay", "switch")


def test_questions_that_cannot_be_asked_are_refused() -> None:
    with pytest.raises(ParameterError, match="lead >= 1"):
        outcomes(np.zeros(3), "switch", 0)
    with pytest.raises(DataError, match="'b' is all that came true in the 4"):
        check_classes(np.ones(4), ("a", "b"), pd.Timestamp("2001-01-01"))
