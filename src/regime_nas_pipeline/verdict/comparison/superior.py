"""Which of many strategies beat a benchmark, once it is counted that many were tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.statistics import known_returns
from regime_nas_pipeline.verdict.comparison.dependence import (
    block_length_for,
    checked_block_length,
    is_constant,
    long_run_variance,
)
from regime_nas_pipeline.verdict.comparison.resampled import (
    Resampling,
    confidence_set,
    fixed_distance,
    stepwise,
)

Measure = Literal["mean", "sharpe"]

COLUMNS = (
    "subject",
    "against",
    "measure",
    "difference",
    "beats",
    "in_confidence_set",
    "p_confidence_set",
    "p_spa",
    "p_spa_lower",
    "p_spa_upper",
    "level",
    "block_length",
    "n_resamples",
    "n",
    "note",
)
"""Columns of :func:`superior_strategies`."""


def superior_strategies(
    strategy_returns: pd.DataFrame,
    benchmark: str,
    *,
    measure: Measure = "mean",
    risk_free_per_bar: float = 0.0,
    level: float = 0.05,
    block_length: int | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Superior predictive ability, stepwise multiple testing and the model confidence set.

    All three redraw blocks of the same bars of all strategies together (stationary bootstrap), so
    that what the strategies have in common counts only once, and their answers already
    allow for the number of strategies. The loss is the negative return. Differences are
    divided by their standard errors, as Hansen advises; arch leaves that to its caller.

    Args:
        strategy_returns: Date x strategy, simple returns per bar net of costs, no blanks.
        benchmark: Name of the strategy that the others have to beat.
        measure: "mean" compares mean returns. "sharpe" divides the excess returns of every
            strategy by their standard deviation over the sample and so compares Sharpe ratios per
            bar, with the standard deviations taken as known.
        risk_free_per_bar: Simple risk-free return per bar; it cancels between mean returns.
        level: Family-wise level of the stepwise test; in large samples the confidence set holds
            all of the best strategies with a probability of at least 1 - level.
        block_length: Mean bars per block, at most a tenth of the sample. None takes the longest
            that Politis and White's rule gives for any difference from the benchmark.
        n_resamples: Resamples; no p-value is below 1 / (n_resamples + 1).
        seed: Of the blocks drawn.

    Returns:
        One row per strategy, the benchmark included: subject; against (the benchmark); measure;
        difference from the benchmark per bar; beats (by Romano and Wolf's stepwise test);
        in_confidence_set and p_confidence_set (of Hansen, Lunde and Nason, range statistic);
        p_spa, p_spa_lower and p_spa_upper, the same in every row: Hansen's p-value that no
        strategy at all beats the benchmark, with its two bounds; level; block_length;
        n_resamples; n bars; note. Where something cannot be tested it is blank and the note says
        why.

    Raises:
        ParameterError: The measure, level, block length or number of resamples is not usable.
        DataError: The benchmark is not among the strategies or cannot be measured, a return is
            blank, or there are fewer than 30 bars.

    Source: Hansen, P. R. (2005). A Test for Superior Predictive Ability. Journal of Business and
    Economic Statistics 23(4); Romano, J. P. and Wolf, M. (2005). Stepwise Multiple Testing as
    Formalized Data Snooping. Econometrica 73(4); Hansen, P. R., Lunde, A. and Nason, J. M. (2011).
    The Model Confidence Set. Econometrica 79(2).
    """
    _check(strategy_returns, benchmark, measure, level, n_resamples)
    notes: dict[str, list[str]] = {str(name): [] for name in strategy_returns.columns}
    values = _measured(strategy_returns, measure, risk_free_per_bar, notes)
    if benchmark not in values:
        raise DataError("the benchmark never moves and has no Sharpe ratio", column=benchmark)
    n = len(strategy_returns)
    differences = {
        name: series - values[benchmark] for name, series in values.items() if name != benchmark
    }
    varying = _varying(differences, values, benchmark, notes)
    setting = Resampling(level, _length(block_length, varying, n), n_resamples, seed)
    spa, beats = stepwise(varying, setting, notes)
    confidence = confidence_set(values, setting, notes)
    asked = {"against": benchmark, "measure": measure, "level": level, "n": n}
    drawn = {"block_length": setting.block_length, "n_resamples": n_resamples}
    rows = [
        {"subject": name, **asked, **drawn, **spa, "note": "; ".join(remarks)}
        | _answer(differences.get(name), beats.get(name), confidence.get(name), level)
        for name, remarks in notes.items()
    ]
    return _table(rows)


def _answer(
    difference: np.ndarray | None, beats: bool | None, p: float | None, level: float
) -> dict[str, Any]:
    """What was found about one strategy; ``p`` is that of the confidence set."""
    return {
        "difference": None if difference is None else difference.mean(),
        "beats": beats,
        "in_confidence_set": None if p is None else p > level,
        "p_confidence_set": p,
    }


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The rows under their columns; an answer that is not known is blank."""
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = [name for name in COLUMNS if name.startswith("p_") or name == "difference"]
    answers = dict.fromkeys(("beats", "in_confidence_set"), "boolean")
    return table.astype(dict.fromkeys(numbers, "float64") | answers)


def _length(asked: int | None, varying: Mapping[str, np.ndarray], n: int) -> int:
    if asked is not None:
        return checked_block_length(asked, n)
    return block_length_for(np.column_stack(list(varying.values())), "stationary") if varying else 1


def _check(
    strategy_returns: pd.DataFrame, benchmark: str, measure: str, level: float, n_resamples: int
) -> None:
    if measure not in {"mean", "sharpe"}:
        raise ParameterError(f"measure must be 'mean' or 'sharpe' and is {measure!r}.")
    if not 0.0 < level < 1.0:
        raise ParameterError(f"level must be between 0 and 1 and is {level}.")
    if n_resamples < 1:
        raise ParameterError(f"n_resamples must be at least 1 and is {n_resamples}.")
    if benchmark not in strategy_returns.columns:
        raise DataError("no such strategy to compare with", column=benchmark)


def _measured(
    strategy_returns: pd.DataFrame,
    measure: Measure,
    risk_free_per_bar: float,
    notes: Mapping[str, list[str]],
) -> dict[str, np.ndarray]:
    """What is compared, strategy by strategy, without those that cannot be measured."""
    values = {}
    for name in strategy_returns.columns:
        excess = known_returns(strategy_returns[name]) - risk_free_per_bar
        if measure == "sharpe":
            if is_constant(excess, float(np.abs(excess).max())):
                notes[str(name)].append("never moves, so it has no Sharpe ratio")
                continue
            excess = excess / excess.std(ddof=1)
        values[str(name)] = excess
    return values


def _varying(
    differences: Mapping[str, np.ndarray],
    values: Mapping[str, np.ndarray],
    benchmark: str,
    notes: Mapping[str, list[str]],
) -> dict[str, np.ndarray]:
    """Differences that vary, in standard errors of √T x their mean; the others are noted."""
    varying = {}
    for name, difference in differences.items():
        kind = fixed_distance(values[name], values[benchmark])
        variance = 0.0 if kind else long_run_variance(difference)
        if variance > 0.0:
            varying[name] = difference / np.sqrt(variance)
        else:
            reason = f"{kind} {benchmark}" if kind else "the difference has no variance over time"
            notes[name].append(f"{reason}: not tested against the benchmark")
    return varying
