"""All that can be said of labels without trading on them, in one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.statistics import finite_or_none
from regime_nas_pipeline.verdict.labels.agreement import agreement
from regime_nas_pipeline.verdict.labels.delay import delay_summary, switch_delays
from regime_nas_pipeline.verdict.labels.outcomes import next_outcomes
from regime_nas_pipeline.verdict.labels.persistence import regime_persistence, switching
from regime_nas_pipeline.verdict.labels.refits import refit_stability
from regime_nas_pipeline.verdict.labels.separation import outcome_by_regime, outcome_contrasts
from regime_nas_pipeline.verdict.labels.states import (
    RegimePath,
    by_volatility,
    common_dates,
    most_likely,
)
from regime_nas_pipeline.verdict.labels.words import quality_words


@dataclass(frozen=True, eq=False)
class LabelQuality:
    """What was found about the labels of several labellers on the same bars.

    Attributes:
        tables: ``regime_persistence``, ``switching``, ``agreement``, ``switch_delays``,
            ``delay_summary``, ``refit_stability``, ``outcome_by_regime``, ``outcome_contrasts``:
            tidy tables, see the functions of these names.
        facts: The same without the single switches, and the sample, JSON-ready; null is what is
            not known.
        sentences: What it means, in plain words, in reading order.
    """

    tables: dict[str, pd.DataFrame]
    facts: dict[str, Any]
    sentences: list[str]


def label_quality(
    online: Mapping[str, pd.DataFrame],
    hindsight: Mapping[str, pd.DataFrame],
    refits: Mapping[str, pd.DataFrame],
    index_return: pd.Series,
    *,
    bars_per_year: int,
    horizon: int = 21,
    lasting: int = 21,
    level: float = 0.05,
) -> LabelQuality:
    """Judge labels said on the day: how steady, how late, how alike, and what they separate.

    All labellers are judged on the bars on which all of them speak. Only the labels ``online``
    are held against later returns, and only against those of later bars.

    Args:
        online: Labeller to date x regime name, probabilities known at the close of the date.
        hindsight: Labeller to the same with hindsight, on these dates at least; of any of them.
        refits: Labeller to its table of refits, see
            :func:`~regime_nas_pipeline.verdict.labels.refits.refit_stability`; of any of them.
        index_return: One-bar log returns of the index by date, without blanks from the first bar
            that all labellers label.
        bars_per_year: Bars in a year.
        horizon: Bars ahead whose volatility and return are compared between regimes.
        lasting: Bars that a regime must last in hindsight to count among the lasting ones, whose
            switches are looked at beside all switches.
        level: Of intervals and tests.

    Raises:
        DataError: There are no labels or no bars that all label; a bar between two labelled ones
            has no label, or no return of the index; tables do not belong together.
        ParameterError: ``bars_per_year``, ``horizon``, ``lasting`` or ``level`` is out of range.
    """
    every = {name: most_likely(labels, name) for name, labels in online.items()}
    dates = common_dates(every)
    paths = {name: path.on(dates) for name, path in every.items()}
    late = {name: _late(name, labels, dates) for name, labels in hindsight.items()}
    moves = _moves(index_return, dates)
    outcomes = next_outcomes(index_return, dates, horizon=horizon, bars_per_year=bars_per_year)
    lengths = sorted({1, lasting})
    tables = {
        "switching": switching(paths, bars_per_year),
        "regime_persistence": regime_persistence(paths),
        "agreement": agreement(paths, moves),
        "switch_delays": pd.concat(
            [switch_delays(paths, late, min_spell=least) for least in lengths], ignore_index=True
        ),
        "delay_summary": pd.concat(
            [
                delay_summary(paths, late, bars_per_year=bars_per_year, min_spell=least)
                for least in lengths
            ],
            ignore_index=True,
        ),
        "refit_stability": refit_stability(paths, refits),
        "outcome_by_regime": outcome_by_regime(paths, outcomes, horizon=horizon, level=level),
        "outcome_contrasts": outcome_contrasts(paths, outcomes, horizon=horizon, level=level),
    }
    sample = {
        "first": date_text(dates[0], dates),
        "last": date_text(dates[-1], dates),
        "n_bars": len(dates),
        "years": len(dates) / bars_per_year,
        "horizon": horizon,
        "lasting": lasting,
        "level": level,
        "calm_first": {
            name: [path.names[state] for state in by_volatility(path, moves)]
            for name, path in paths.items()
        },
    }
    facts = {"sample": sample} | {
        name: _records(table, dates) for name, table in tables.items() if name != "switch_delays"
    }
    return LabelQuality(tables, facts, quality_words(tables, sample))


def _late(name: str, labels: pd.DataFrame, dates: pd.DatetimeIndex) -> RegimePath:
    path = most_likely(labels, f"{name} with hindsight")
    missing = dates.difference(path.dates)
    if len(missing):
        raise DataError(
            "there is no label with hindsight on a bar that is judged",
            source=name,
            date=missing[0],
            remedy="let predict_hindsight label every bar that is labelled online.",
        )
    return path.on(dates)


def _moves(index_return: pd.Series, dates: pd.DatetimeIndex) -> np.ndarray:
    """Returns of the index on the labelled bars, after checking that neither has holes."""
    index = pd.DatetimeIndex(index_return.index)
    if not (index.is_monotonic_increasing and index.is_unique):
        raise DataError("the dates of the index return must increase", source="index_return")
    inside = index_return[(index >= dates[0]) & (index <= dates[-1])]
    holes = pd.DatetimeIndex(inside.index).symmetric_difference(dates)
    if len(holes):
        raise DataError(
            "a bar has a label and no return of the index, or a return and no label",
            date=holes[0],
            remedy="hand over labels without holes and the index return of the same market.",
        )
    blank = index_return[index >= dates[0]].isna()
    if blank.any():
        raise DataError("the return of the index is blank", date=pd.Timestamp(str(blank.idxmax())))
    return inside.to_numpy(dtype=float)


def _records(table: pd.DataFrame, bars: pd.DatetimeIndex) -> list[dict[str, Any]]:
    return [
        {str(name): _plain(value, bars) for name, value in row.items()}
        for row in table.to_dict(orient="records")
    ]


def _plain(value: Any, bars: pd.DatetimeIndex) -> Any:
    if value is pd.NaT:
        return None
    if isinstance(value, pd.Timestamp):
        return date_text(value, bars)
    return finite_or_none(value) if isinstance(value, float) else value
