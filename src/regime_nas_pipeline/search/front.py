"""Which trials of a search no other one beats on every objective at once."""

from __future__ import annotations

import json

import pandas as pd

from regime_nas_pipeline.search.pareto import pareto_front
from regime_nas_pipeline.search.trials import OBJECTIVES, is_full


def front_table(trials: pd.DataFrame) -> pd.DataFrame:
    """The objectives of every fully evaluated trial, and whether it is on the Pareto front.

    Trials that were scored by a cheaper proxy or stopped are left out: their errors cannot be
    compared.

    Args:
        trials: Ledger rows of one search, see ``search.ledger.ledger_rows``.

    Returns:
        One row per trial in the order of ``trials``: ``trial_id``, ``number``, ``error``
        (validation error over that of no change), ``parameters`` (weights), ``latency``
        (milliseconds a date), ``lipschitz`` (certified constant), each blank where a candidate
        could not give it; ``on_front``: no other trial is at least as good on all four and better
        on one, a blank counting as infinite; ``choices`` (JSON).
    """
    full = trials[[is_full(json.loads(facts)) for facts in trials["facts"]]]
    measured = [json.loads(objectives) for objectives in full["objectives"]]
    table = full[["trial_id", "number"]].reset_index(drop=True)
    for name in OBJECTIVES:
        table[name] = pd.array([row.get(name) for row in measured], dtype="Float64").to_numpy(
            dtype=float, na_value=float("nan")
        )
    table["on_front"] = pareto_front(table[list(OBJECTIVES)].to_numpy()) if len(table) else False
    table["choices"] = full["choices"].to_numpy()
    return table
