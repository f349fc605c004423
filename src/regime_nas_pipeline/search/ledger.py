"""The trial ledger: every candidate that was ever evaluated, with its validation returns."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.cache import content_hash
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.search.trials import Trial

LEDGER_COLUMNS = {
    "trial_id": "string",
    "search_id": "string",
    "closes_hash": "string",
    "forecaster": "string",
    "strategy": "string",
    "number": "int64",
    "seed": "int64",
    "score": "float64",
    "objectives": "string",
    "budget_spent": "int64",
    "choices": "string",
    "parameters": "string",
    "facts": "string",
}
"""Plain columns; beside them ``validation_dates`` and ``validation_returns`` hold lists.

``objectives``, ``choices``, ``parameters`` and ``facts`` are JSON. ``objectives`` holds ``error``
(the score) and whatever else the evaluation measured, null where a candidate could not give it: a
new objective is a new key, not a new column.
"""


def ledger_rows(
    trials: Sequence[Trial],
    *,
    search_id: str,
    forecaster: str,
    strategy: str,
    dates: pd.DatetimeIndex,
    closes_hash: str = "",
) -> pd.DataFrame:
    """The trials of one search as ledger rows.

    Args:
        trials: Evaluated candidates.
        search_id: Hash of what the search depends on: data, parameters, code and seed.
        forecaster: Whose search it was.
        strategy: How candidates were proposed.
        dates: Dates of the validation returns, the same for every trial.
        closes_hash: Of the closes that the search saw (:func:`hash_of_closes`); empty where its
            trials are not to be counted beside those of other searches.

    Returns:
        One row a trial. ``trial_id`` names it for good: the same candidate of the same search
        has the same one in every run.
    """
    rows = [
        {
            "trial_id": f"{search_id[:16]}-{trial.proposal.number:04d}",
            "search_id": search_id,
            "closes_hash": closes_hash,
            "forecaster": forecaster,
            "strategy": strategy,
            "number": trial.proposal.number,
            "seed": trial.proposal.seed,
            "score": trial.outcome.score,
            "objectives": json.dumps(_objectives(trial), sort_keys=True),
            "budget_spent": trial.outcome.gradient_samples,
            "choices": json.dumps(trial.proposal.choices, sort_keys=True),
            "parameters": json.dumps(trial.outcome.parameters, sort_keys=True),
            "facts": json.dumps(trial.outcome.facts, sort_keys=True),
            "validation_dates": [date.isoformat() for date in dates],
            "validation_returns": trial.outcome.returns.tolist(),
        }
        for trial in trials
    ]
    return pd.DataFrame(rows).astype(LEDGER_COLUMNS)


def hash_of_closes(market: Market) -> str:
    """Hash of dates, assets, closes and members: which returns a trial could have earned.

    Two searches with the same hash tried their luck on the same data, whatever else differs. An
    asset without any close yet could not be held and is no part of it.
    """
    dates = market.dates.to_numpy().astype("datetime64[ns]").astype("int64")
    listed = np.isfinite(market.close).any(axis=0)
    names = [name for name, known in zip(market.assets, listed, strict=True) if known]
    members = [] if market.members is None else [market.members[:, listed]]
    return content_hash(names, dates, market.close[:, listed], *members)


def _objectives(trial: Trial) -> dict[str, float | None]:
    """Every objective; None, which JSON knows, for what is not finite, which it does not."""
    found = {**trial.outcome.objectives, "error": trial.outcome.score}
    return {
        name: None if value is None or not math.isfinite(value) else value
        for name, value in found.items()
    }
