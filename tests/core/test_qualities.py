from __future__ import annotations

import numpy as np
import pytest

from regime_nas_pipeline.core.qualities import QUALITIES, Quality


@pytest.mark.parametrize(
    ("quality", "order"),
    [
        (Quality("larger", side=1), [3.0, 2.0, -1.0]),
        (Quality("smaller", side=-1), [-1.0, 2.0, 3.0]),
        (Quality("near one", ideal=1.0), [0.9, 1.2, 0.5, 3.0]),
    ],
)
def test_badness_orders_values_from_best_to_worst(quality: Quality, order: list[float]) -> None:
    badness = quality.badness(np.array(order))
    assert (np.diff(badness) > 0).all()
    assert quality.judged


def test_coverage_is_right_where_it_is_what_was_claimed() -> None:
    for level in (50, 80, 95):
        assert QUALITIES[f"coverage_{level}"].ideal == level / 100
    assert not QUALITIES["spread_ratio"].judged
