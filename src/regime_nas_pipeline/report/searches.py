"""What the searches of a run tried, spent and found, and what earlier runs had tried already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from regime_nas_pipeline.core.errors import DataError


def trials_of_run(ledger: pd.DataFrame, found: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows of the ledger that belong to the searches which found ``found``."""
    return ledger[ledger["search_id"].isin([entry["search"]["search_id"] for entry in found])]


def search_summary(
    ledger: pd.DataFrame, found: Sequence[Mapping[str, Any]], *, budget: int
) -> dict[str, Any]:
    """Describe the searches of a run, JSON-ready.

    Args:
        ledger: Every trial of every run: search_id, forecaster.
        found: What each search of this run found, with ``search`` (search_id, strategy, trials,
            best_trial, score, gradient_samples, last_date_seen, facts).
        budget: Gradient samples that each search may spend.

    Returns:
        ``trials`` (of this run), ``trials_in_ledger`` (of all runs), ``forecasters`` (name to
        search_strategy, trials, trials_in_ledger, best_trial, best_score, budget, budget_spent,
        last_date_seen) and ``cells``: the facts of those searches that looked for cells.

    Raises:
        DataError: A search has no trial in the ledger.
    """
    forecasters, cells = {}, {}
    for entry in found:
        search = entry["search"]
        owners = ledger.loc[ledger["search_id"] == search["search_id"], "forecaster"]
        if owners.empty:
            raise DataError(
                f"the ledger holds no trial of search {search['search_id'][:16]}",
                source="search_trials",
                remedy="run the pipeline nas_search again.",
            )
        name = str(owners.iloc[0])
        forecasters[name] = {
            "search_strategy": search["strategy"],
            "trials": search["trials"],
            "trials_in_ledger": int((ledger["forecaster"] == name).sum()),
            "best_trial": search["best_trial"],
            "best_score": search["score"],
            "budget": budget,
            "budget_spent": search["gradient_samples"],
            "last_date_seen": search["last_date_seen"],
        }
        if "blocks" in entry["parameters"]:
            cells[name] = search["facts"]
    return {
        "trials": len(trials_of_run(ledger, found)),
        "trials_in_ledger": len(ledger),
        "forecasters": forecasters,
        "cells": cells,
    }
