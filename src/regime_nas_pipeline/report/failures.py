"""Which fits failed, so that the fallback of a forecaster does not pass for its model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from regime_nas_pipeline.core.bundle import Bundle

COLUMNS = ("forecaster", "asset", "reason", "failed_fits", "refits", "first_refit", "last_refit")

_REASONS = {
    "too_short": "too few returns",
    "not_converged": "the optimiser found no maximum",
    "not_stationary": "the estimates are not stationary",
    "implausible_mean": "the long-run mean is implausible",
}


def fit_failures(checkpoints: Mapping[str, Bundle]) -> pd.DataFrame:
    """Count failed fits by forecaster, asset and reason.

    Args:
        checkpoints: Forecaster to its fitted state of every fold: ``folds`` holds the facts of
            each, ``train_ends`` the last training bars. A forecaster that fits asset by asset
            keeps ``fit_failures``, asset to reason, among the facts of a fold.

    Returns:
        One row per forecaster, asset and reason: failed_fits, refits (of that forecaster),
        first_refit and last_refit (last training bars of the first and last failed fit).
    """
    failures = [
        {"forecaster": name, "asset": asset, "reason": _REASONS.get(reason, reason), "end": end}
        for name, bundle in checkpoints.items()
        for facts, end in zip(bundle.facts["folds"], bundle.facts["train_ends"], strict=True)
        for asset, reason in _failures(facts)
    ]
    found = pd.DataFrame(failures, columns=["forecaster", "asset", "reason", "end"])
    found["end"] = pd.to_datetime(found["end"])
    table = (
        found.groupby(["forecaster", "asset", "reason"], sort=False)["end"]
        .agg(failed_fits="size", first_refit="min", last_refit="max")
        .reset_index()
    )
    refits = {name: len(bundle.facts["folds"]) for name, bundle in checkpoints.items()}
    table["refits"] = table["forecaster"].map(refits).astype("int64")
    return table[list(COLUMNS)]


def _failures(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    return sorted(facts.get("fit_failures", {}).items())
