"""The trials of the ledger that can be held against each other, with their returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError

NO_RETURNS = "without portfolio returns"
UNKNOWN_PRICES = "on prices that were not recorded"
OTHER_PRICES = "on other prices"
OTHER_DATES = "on other validation dates"
AS_REFERENCE = "that earned what equal weight did"
REASONS = (NO_RETURNS, UNKNOWN_PRICES, OTHER_PRICES, OTHER_DATES, AS_REFERENCE)
"""Why trials of the ledger are left out, in the order in which it is asked."""

_ROUNDING = 1e-12
"""Difference from the reference in a bar's return that is rounding."""


@dataclass(frozen=True, eq=False)
class ComparableTrials:
    """Trials on the same prices and dates.

    Attributes:
        returns: Date x trial_id, net simple returns per bar in excess of the reference.
        forecasters: trial_id to the forecaster whose search it was.
        chosen: Forecaster to the trial_id that its search chose in this run, where it has
            returns of its own.
        n_this_run: Trials of this run's searches among them.
        left_out: Reason to number of the ledger's trials that are not among them.
    """

    returns: pd.DataFrame
    forecasters: pd.Series
    chosen: dict[str, str]
    n_this_run: int
    left_out: dict[str, int]


def comparable_trials(
    ledger: pd.DataFrame,
    found: Mapping[str, Mapping[str, Any]],
    *,
    closes_hash: str,
    reference: pd.Series,
) -> ComparableTrials:
    """Every trial of this and of earlier runs that tried its luck on the same data.

    Trials of long-only portfolios have the market in common; in excess of a reference that chooses
    nothing, what is left is what their choices earned. Evaluations by a cheaper proxy count: they
    too have looked at the validation bars.

    Args:
        ledger: Every trial of every run. A ledger from before ``closes_hash`` has none.
        found: Forecaster to what its search of this run found, with ``search`` (search_id,
            best_trial).
        closes_hash: Of the closes before the first out-of-sample day
            (:func:`~regime_nas_pipeline.search.ledger.hash_of_closes`).
        reference: Net returns of the reference on the validation dates, (T,).

    Raises:
        DataError: A search of this run is not in the ledger, saw other prices or was scored on
            other dates: what was found belongs to another run.
    """
    table = ledger if "closes_hash" in ledger else ledger.assign(closes_hash="")
    table = table.drop_duplicates("trial_id").set_index("trial_id")
    searches = {name: entry["search"] for name, entry in found.items()}
    dates = [date.isoformat() for date in reference.index]
    own = table["search_id"].isin([search["search_id"] for search in searches.values()])
    recorded = table["closes_hash"].fillna("")
    same_dates = table["validation_dates"].map(lambda entry: list(entry) == dates)
    why = pd.Series("", index=table.index)
    why[~same_dates] = OTHER_DATES
    why[recorded != closes_hash] = OTHER_PRICES
    # An own search from before prices were recorded: what it found says that it was here.
    why[own & same_dates & (recorded == "")] = ""
    why[~own & (recorded == "")] = UNKNOWN_PRICES
    why[table["validation_returns"].map(len) == 0] = NO_RETURNS
    _refuse_foreign(searches, table, why)
    excess = _excess(table[why == ""], reference)
    still = excess.columns[(excess == 0.0).all()]
    why[still] = AS_REFERENCE
    returns = excess.drop(columns=still)
    chosen = {
        name: f"{search['search_id'][:16]}-{search['best_trial']:04d}"
        for name, search in searches.items()
    }
    return ComparableTrials(
        returns=returns,
        forecasters=table.loc[returns.columns, "forecaster"],
        chosen={name: trial for name, trial in chosen.items() if trial in returns.columns},
        n_this_run=int(own[returns.columns].sum()),
        left_out={reason: int((why == reason).sum()) for reason in REASONS},
    )


def _excess(table: pd.DataFrame, reference: pd.Series) -> pd.DataFrame:
    if table.empty:
        return pd.DataFrame(index=reference.index)
    values = np.column_stack([np.asarray(row, dtype=float) for row in table["validation_returns"]])
    excess = values - reference.to_numpy(dtype=float)[:, None]
    excess[np.abs(excess) < _ROUNDING] = 0.0
    return pd.DataFrame(excess, index=reference.index, columns=table.index)


def _refuse_foreign(
    searches: Mapping[str, Mapping[str, Any]], table: pd.DataFrame, why: pd.Series
) -> None:
    for name, search in searches.items():
        rows = why[table["search_id"] == search["search_id"]]
        wrong = [reason for reason in rows.unique() if reason]
        if rows.empty or wrong:
            problem = f"its trials are {wrong[0]}" if wrong else "the ledger holds none of it"
            raise DataError(
                f"the search of {name} does not belong to these prices and parameters: {problem}",
                source="search_trials",
                remedy="run the pipeline nas_search again.",
            )
