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
    LATER_COLUMNS,
    WHOLE_RUN,
    Whose,
    evaluation_id,
    series_of,
)

SOURCE = "evaluations"
THIS_RUN = "this_run"
OTHER_PRICES = "on other prices"
FEWER_DATES = "on fewer of the dates"
OTHER_DATES = "on other dates"
REASONS = (OTHER_PRICES, FEWER_DATES, OTHER_DATES)
"""Why evaluations of the ledger are left out: on the same dates but other closes, on a part of
the dates, or on dates of which some are none of this run's."""

_DIGITS = 12
"""Digits after the point beyond which a return is rounding."""


@dataclass(frozen=True, eq=False)
class ComparableEvaluations:
    """Everything that was ever evaluated on these prices and dates.

    Attributes:
        trials: Distinct series, this run's strategies first, then its seeds, then those of other
            whole runs and of experiments; under the names of their evaluations.
        counts: JSON-ready: ``n_in_ledger``, ``n_trials_counted`` (distinct series), of which
            ``n_strategies`` and ``n_seeds`` are this run's and ``n_earlier`` of earlier runs
            alone; ``n_copies`` (with the returns of another one) and ``left_out``, reason to
            number. Those counted, copies and those left out add up to the ledger. ``origins`` has
            the same four numbers of this run (:data:`THIS_RUN`) and of each pipeline's other runs.
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
    """Every strategy, seed and variant of this and of earlier runs on the same out-of-sample bars.

    Costs, rules, forecasters and code may differ: whatever was tried on these bars has looked at
    them. A lead is taken over the equal weight of the run that evaluated the series, which paid
    the same costs. Trials are correlated and ranked bar by bar, so that a series on fewer of the
    dates cannot be one of them; it is counted and left out.

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
    why = _why_left_out(table, dates, closes_hash)
    rows = table[why == ""]
    own = _own_rows(rows, series_of(strategy_returns, seed_returns))
    origins = table["origin"].where(~table.index.isin(list(own.values())), THIS_RUN)
    earlier = [name for name in _whole_runs_first(origins[rows.index]) if origins[name] != THIS_RUN]
    rows = rows.loc[[*own.values(), *earlier]]
    values = _matrix(rows["returns"], len(dates))
    _, first = np.unique(_rounded(values), axis=0, return_index=True)
    kept = np.sort(first)
    counted = rows.index[kept]
    references = _matrix(_references(table, rows.iloc[kept]), len(dates))

    def named(matrix: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(matrix.T, index=strategy_returns.index, columns=list(counted))

    strategies = {name for whose, name in own.items() if whose.seed is None}
    seeds = {name for whose, name in own.items() if whose.seed is not None} - strategies
    counts = {
        **_counts(why, counted),
        "n_strategies": int(counted.isin(list(strategies)).sum()),
        "n_seeds": int(counted.isin(list(seeds)).sum()),
        "n_earlier": int(counted.isin(earlier).sum()),
        "origins": {
            name: _counts(why[origins == name], counted)
            for name in dict.fromkeys(origins[_whole_runs_first(origins)])
        },
    }
    leads = values[kept] - references
    mine = [name for name in counted if name in strategies | seeds]
    return ComparableEvaluations(Evaluated(named(values[kept]), named(leads), mine), counts)


def _why_left_out(table: pd.DataFrame, dates: list[str], closes_hash: str) -> pd.Series:
    """The reason for each row, empty where it can be compared."""
    own = set(dates)

    def reason(theirs: list[str], closes: str) -> str:
        if theirs == dates:
            return "" if closes == closes_hash else OTHER_PRICES
        return FEWER_DATES if own.issuperset(theirs) else OTHER_DATES

    pairs = zip(table["dates"], table["closes_hash"], strict=True)
    return pd.Series([reason(list(theirs), closes) for theirs, closes in pairs], index=table.index)


def _whole_runs_first(origins: pd.Series) -> pd.Index:
    """Rows by where they come from: a series that a whole run traded, too, counts as its own."""
    ranks = {THIS_RUN: "", WHOLE_RUN: " "}
    return origins.map(lambda name: ranks.get(name, name)).sort_values(kind="stable").index


def _counts(why: pd.Series, counted: pd.Index) -> dict[str, Any]:
    """What became of these rows of the ledger: counted, a copy, or left out."""
    left_out = {reason: int((why == reason).sum()) for reason in REASONS}
    n_counted = int(why.index.isin(counted).sum())
    return {
        "n_in_ledger": len(why),
        "n_trials_counted": n_counted,
        "n_copies": len(why) - n_counted - sum(left_out.values()),
        "left_out": left_out,
    }


def _checked(ledger: pd.DataFrame) -> pd.DataFrame:
    """The ledger by ``evaluation_id``, after checking that no row was altered."""
    missing = {*EVALUATION_TYPES, "dates", "returns"} - {*ledger.columns, *LATER_COLUMNS}
    if missing:
        raise DataError(
            f"the ledger of evaluations has no column '{min(missing)}'",
            source=SOURCE,
            remedy="bring back its folder as it was written: it is only ever added to.",
        )
    table = ledger.drop_duplicates("evaluation_id")
    for column in LATER_COLUMNS:
        if column not in table:
            table[column] = pd.Series(pd.NA, index=table.index, dtype="string")
    table["origin"] = table["origin"].fillna(WHOLE_RUN)
    hashed = ("closes_hash", "settings_hash", "dates", "returns")
    for name, whose, closes, settings, dates, returns in zip(
        table["evaluation_id"], _whose(table), *(table[column] for column in hashed), strict=True
    ):
        found = evaluation_id(whose, closes, settings, list(dates), np.asarray(returns, float))
        if found != name:
            raise DataError(
                f"evaluation {name} is not what was written under its name",
                source=SOURCE,
                column=whose.strategy,
                remedy="bring back the ledger's folder as it was written: it is only added to.",
            )
    return table.set_index("evaluation_id")


def _own_rows(rows: pd.DataFrame, series: dict[Whose, np.ndarray]) -> dict[Whose, str]:
    """This run's strategies and seeds, each with the evaluation that holds its returns."""
    known = {
        (whose, _bytes(returns)): name
        for name, whose, returns in zip(rows.index, _whose(rows), rows["returns"], strict=True)
    }
    found = {}
    for whose, values in series.items():
        if (whose, _bytes(values)) not in known:
            seed = "" if whose.seed is None else f", seed {whose.seed},"
            raise DataError(
                f"the returns of {whose.strategy}{seed} are not in the ledger of evaluations on "
                "these prices",
                source=SOURCE,
                remedy="run the pipeline walk_forward_evaluation again.",
            )
        found[whose] = known[whose, _bytes(values)]
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


def _whose(table: pd.DataFrame) -> list[Whose]:
    return [
        Whose(
            str(strategy),
            None if pd.isna(seed) else int(seed),
            None if pd.isna(variant) else str(variant),
        )
        for strategy, seed, variant in zip(
            table["strategy"], table["seed"], table["variant"], strict=True
        )
    ]


def _matrix(series: Iterable[np.ndarray], n_bars: int) -> np.ndarray:
    return np.array([np.asarray(each, dtype=float) for each in series]).reshape(-1, n_bars)


def _rounded(values: np.ndarray) -> np.ndarray:
    # Adding zero turns -0.0 into 0.0, whose bytes differ.
    rounded: np.ndarray = np.round(np.asarray(values, dtype=float), _DIGITS) + 0.0
    return rounded


def _bytes(values: np.ndarray) -> bytes:
    return _rounded(values).tobytes()
