from __future__ import annotations

from typing import Any

import pandas as pd

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.report.failures import COLUMNS, fit_failures

ENDS = ["2014-12-31T00:00:00", "2015-07-02T00:00:00", "2015-12-31T00:00:00"]


def checkpoint(*folds: dict[str, Any]) -> Bundle:
    return Bundle({}, {"folds": list(folds), "train_ends": ENDS})


def test_failures_are_counted_by_asset_and_reason() -> None:
    garch = checkpoint(
        {"fit_failures": {"BAC": "not_stationary"}},
        {"fit_failures": {"BAC": "not_stationary", "GE": "too_short"}},
        {"fit_failures": {"BAC": "not_converged"}},
    )
    table = fit_failures({"garch": garch, "gru": checkpoint({}, {}, {})})
    assert table.to_dict("records") == [
        {
            "forecaster": "garch",
            "asset": asset,
            "reason": reason,
            "failed_fits": count,
            "refits": 3,
            "first_refit": pd.Timestamp(first),
            "last_refit": pd.Timestamp(last),
        }
        for asset, reason, count, first, last in (
            ("BAC", "the estimates are not stationary", 2, ENDS[0], ENDS[1]),
            ("GE", "too few returns", 1, ENDS[1], ENDS[1]),
            ("BAC", "the optimiser found no maximum", 1, ENDS[2], ENDS[2]),
        )
    ]


def test_a_reason_of_a_forecaster_of_ones_own_is_kept() -> None:
    own = checkpoint({"fit_failures": {"A": "no data on Mondays"}}, {}, {})
    assert fit_failures({"own": own})["reason"].tolist() == ["no data on Mondays"]


def test_without_failures_there_are_no_rows_but_all_columns() -> None:
    table = fit_failures({"garch": checkpoint(*[{"fit_failures": {}}] * 3)})
    assert table.empty
    assert tuple(table.columns) == COLUMNS
