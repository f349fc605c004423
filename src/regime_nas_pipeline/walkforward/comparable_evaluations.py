"""The evaluations of the ledger that can be held against each other, each series once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.verdict.trials.counted import Evaluated
from regime_nas_pipeline.walkforward.evaluation_ledger import (
    EVALUATION_TYPES,
    evaluation_id,
    series_of,
)

SOURCE = "evaluations"
OTHER_PRICES = "on other prices"
OTHER_DATES = "on other dates"
REASONS = (OTHER_PRICES, OTHER_DATES)
"""Why evaluations of the ledger are left out, in the order in which it is asked."""

_DIGITS = 12
"""Digits after the point beyond which a return is rounding."""

_Key = tuple[str, int | None]


@dataclass(frozen=True, eq=False)
class ComparableEvaluations:
    """Everything that was ever evaluated on these prices and dates.

    Attributes:
        trials: Distinct series, this run's strategies first, then its seeds, then earlier runs';
            under the names of their evaluations.
        counts: JSON-ready: ``n_in_ledger``, ``n_trials_counted`` (distinct series), of which
            ``n_strategies`` and ``n_seeds`` are this run's and ``n_earlier`` of earlier runs
            alone; ``n_copies`` (with the returns of another one) and ``left_out``, reason to
            number. Those counted, copies and those left out add up to the ledger.
    """

    trials: Evaluated
    counts: dict[str, Any]


def comparable_evaluations(
    ledger: pd.DataFrame,
    strategy_returns: pd.DataFrame,
    seed_returns: pd.DataFrame,
    *,
    closes_hash: str,
) -> ComparableEvaluations:
    """Every strategy and seed of this and of earlier runs on the same out-of-sample bars.

    Costs, rules, forecasters and code may differ: whatever was tried on these bars has looked at
    them. A lead is taken over the equal weight of the run that evaluated the series, which paid
    the same costs.

    Args:
        ledger: Rows as :func:`~.evaluation_ledger.evaluation_rows` makes them, of all runs.
        strategy_returns: Date x strategy, this run's.
        seed_returns: Tidy: date, forecaster, seed, net; this run's.
        closes_hash: Of this run's prices, see :func:`~.evaluation_ledger.hash_of_evaluated_closes`.

    Raises:
        DataError: The ledger is not one of evaluations, a row was altered, a row's reference is
            missing, or this run's returns are not in it.
    """
    table = _checked(ledger)
    dates = [date.isoformat() for date in strategy_returns.index]
    why = pd.Series("", index=table.index)
    why[[list(entry) != dates for entry in table["dates"]]] = OTHER_DATES
    why[table["closes_hash"] != closes_hash] = OTHER_PRICES
    rows = table[why == ""]
    own = _own_rows(rows, series_of(strategy_returns, seed_returns))
    earlier = [name for name in rows.index if name not in set(own.values())]
    rows = rows.loc[[*own.values(), *earlier]]
    values = _matrix(rows["returns"], len(dates))
    _, first = np.unique(_rounded(values), axis=0, return_index=True)
    kept = np.sort(first)
    counted = rows.index[kept]
    references = _matrix(_references(table, rows.iloc[kept]), len(dates))

    def named(matrix: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(matrix.T, index=strategy_returns.index, columns=list(counted))

    strategies = {name for (_, seed), name in own.items() if seed is None}
    seeds = {name for (_, seed), name in own.items() if seed is not None} - strategies
    counts = {
        "n_in_ledger": len(table),
        "n_trials_counted": len(counted),
        "n_strategies": int(counted.isin(list(strategies)).sum()),
        "n_seeds": int(counted.isin(list(seeds)).sum()),
        "n_earlier": int(counted.isin(earlier).sum()),
        "n_copies": len(rows) - len(counted),
        "left_out": {reason: int((why == reason).sum()) for reason in REASONS},
    }
    leads = values[kept] - references
    mine = [name for name in counted if name in strategies | seeds]
    return ComparableEvaluations(Evaluated(named(values[kept]), named(leads), mine), counts)


def _checked(ledger: pd.DataFrame) -> pd.DataFrame:
    """The ledger by ``evaluation_id``, after checking that no row was altered."""
    missing = {*EVALUATION_TYPES, "dates", "returns"} - set(ledger.columns)
    if missing:
        raise DataError(
            f"the ledger of evaluations has no column '{min(missing)}'",
            source=SOURCE,
            remedy="bring back its folder as it was written: it is only ever added to.",
        )
    table = ledger.drop_duplicates("evaluation_id")
    hashed = ("strategy", "seed", "closes_hash", "settings_hash", "dates", "returns")
    for name, strategy, seed, closes, settings, dates, returns in zip(
        table["evaluation_id"], *(table[column] for column in hashed), strict=True
    ):
        found = evaluation_id(
            strategy, _number(seed), closes, settings, list(dates), np.asarray(returns, float)
        )
        if found != name:
            raise DataError(
                f"evaluation {name} is not what was written under its name",
                source=SOURCE,
                column=str(strategy),
                remedy="bring back the ledger's folder as it was written: it is only added to.",
            )
    return table.set_index("evaluation_id")


def _own_rows(rows: pd.DataFrame, series: dict[_Key, np.ndarray]) -> dict[_Key, str]:
    """This run's strategies and seeds, each with the evaluation that holds its returns."""
    known = {
        (strategy, _number(seed), _bytes(returns)): name
        for name, strategy, seed, returns in zip(
            rows.index, rows["strategy"], rows["seed"], rows["returns"], strict=True
        )
    }
    found = {}
    for (strategy, seed), values in series.items():
        key = (strategy, seed, _bytes(values))
        if key not in known:
            whose = strategy if seed is None else f"{strategy}, seed {seed},"
            raise DataError(
                f"the returns of {whose} are not in the ledger of evaluations on these prices",
                source=SOURCE,
                remedy="run the pipeline walk_forward_evaluation again.",
            )
        found[strategy, seed] = known[key]
    return found


def _references(table: pd.DataFrame, rows: pd.DataFrame) -> list[np.ndarray]:
    """Returns of the equal weight that each row's own run held."""
    missing = rows.index[~rows["reference_id"].isin(table.index)]
    if len(missing):
        raise DataError(
            f"the ledger lacks the equal weight that belongs to evaluation {missing[0]}",
            source=SOURCE,
            remedy="bring back the ledger's folder as it was written: it is only added to.",
        )
    return list(table["returns"].loc[rows["reference_id"]])


def _number(seed: Any) -> int | None:
    return None if pd.isna(seed) else int(seed)


def _matrix(series: Iterable[np.ndarray], n_bars: int) -> np.ndarray:
    return np.array([np.asarray(each, dtype=float) for each in series]).reshape(-1, n_bars)


def _rounded(values: np.ndarray) -> np.ndarray:
    # Adding zero turns -0.0 into 0.0, whose bytes differ.
    rounded: np.ndarray = np.round(np.asarray(values, dtype=float), _DIGITS) + 0.0
    return rounded


def _bytes(values: np.ndarray) -> bytes:
    return _rounded(values).tobytes()
