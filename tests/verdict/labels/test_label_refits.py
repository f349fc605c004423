from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from label_paths import path_of, refits_of

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.verdict.labels.refits import COLUMNS, refit_stability

SAID = path_of("0001110001")
"""Switches at bars 3, 6 and 9."""


def test_refits_by_hand() -> None:
    # Bar 0 is the first fit. At 3 the label switched and the fit changed it; at 4 the fit changed
    # it and held the label back; at 6 the label switched by itself.
    table = refits_of((0, False, np.nan), (3, True, 0.5), (4, True, 0.1), (6, False, 0.0), n=10)
    row = refit_stability({"mine": SAID}, {"mine": table}).iloc[0]
    assert tuple(row.index) == COLUMNS
    assert (row["n_refits"], row["n_changed"], row["n_switches_at_refit"]) == (3, 2, 1)
    assert row["n_reordered"] == 0
    assert row["share_of_switches"] == pytest.approx(1 / 3)
    assert row["mean_relabelled"] == pytest.approx(0.2)
    assert row["max_relabelled"] == 0.5
    assert row["worst_refit"] == SAID.dates[3]


def test_refits_outside_of_the_bars_judged_do_not_count() -> None:
    table = refits_of((2, True, 0.9), (4, False, 0.2), (8, True, 0.8), n=10, permutation="1,0")
    row = refit_stability({"mine": SAID.on(SAID.dates[3:7])}, {"mine": table}).iloc[0]
    assert (row["n_refits"], row["n_reordered"], row["max_relabelled"]) == (1, 1, 0.2)


def test_without_refits_or_switches_there_are_blanks() -> None:
    row = refit_stability({"a": path_of("0000")}, {"a": refits_of((0, False, np.nan), n=4)}).iloc[0]
    assert row["n_refits"] == 0
    assert pd.isna(row["share_of_switches"])
    assert pd.isna(row["mean_relabelled"])
    assert pd.isna(row["worst_refit"])
    assert refit_stability({"a": SAID}, {}).empty


def test_tables_that_do_not_belong_are_refused() -> None:
    table = refits_of((3, True, 0.5), n=10)
    with pytest.raises(DataError, match="refits and no labels"):
        refit_stability({"mine": SAID}, {"other": table})
    with pytest.raises(DataError, match=r"share_relabelled.*lacks"):
        refit_stability({"mine": SAID}, {"mine": table.drop(columns="share_relabelled")})
    off = table.assign(date=[pd.Timestamp("2000-01-08")])
    with pytest.raises(DataError, match=r"2000-01-08.*without a label"):
        refit_stability({"mine": SAID}, {"mine": off})
