"""What is left of the results after counting trials: of the searches, and of the strategies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.statistics import finite_or_none
from regime_nas_pipeline.verdict.trials.deflation import deflate_sharpes
from regime_nas_pipeline.verdict.trials.overfitting import backtest_overfitting

IN_SEARCH = "search"
OUT_OF_SAMPLE = "out_of_sample"
RISK_FREE = "risk_free"

MIN_BARS = 30
"""Bars that the correlations of trials can be estimated from at all."""

_DIGITS = 9
_ROUNDING = 1e-12

DEFLATED_COLUMNS = (
    "scope",
    "reference",
    "strategy",
    "sharpe",
    "sharpe_yearly",
    "n",
    "skewness",
    "kurtosis",
    "n_trials",
    "n_effective",
    "trial_variance",
    "maximum_by_clusters",
    "maximum_by_correlation",
    "expected_maximum",
    "expected_maximum_yearly",
    "psr_against_zero",
    "deflated_probability",
    "minimum_track_record",
    "minimum_track_record_years",
    "passes",
)
"""Columns of :func:`deflate_all`: what was counted and subtracted, and ``deflate_sharpes``'s."""


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Everything that was ever evaluated on the out-of-sample bars, this run's strategies included.

    Attributes:
        returns: Date x evaluation, simple returns per bar net of costs.
        leads: The same evaluations in excess of the reference, each of its own run.
        this_run: Those of this run, which no other one can make look luckier.
    """

    returns: pd.DataFrame
    leads: pd.DataFrame
    this_run: Sequence[str]


def deflate_all(
    strategy_returns: pd.DataFrame,
    trial_returns: pd.DataFrame,
    chosen: Mapping[str, str],
    *,
    bars_per_year: int,
    risk_free: float,
    level: float = 0.95,
    reference: str = "equal_weight",
    seed: int = 0,
    evaluated: Evaluated | None = None,
) -> pd.DataFrame:
    """Deflate what each search chose in sample, and every strategy out of sample.

    Args:
        strategy_returns: Date x strategy, out of sample, simple returns per bar net of costs.
        trial_returns: Date x trial on the validation bars, in excess of the reference.
        chosen: Forecaster to the trial that its search chose.
        bars_per_year: Bars in a year.
        risk_free: Simple yearly rate.
        level: Probability that a strategy must reach to pass.
        reference: Strategy that chooses nothing; out of sample its returns are subtracted.
        seed: Of the draws from which correlated maxima are simulated.
        evaluated: Trials of the out-of-sample blocks; None where nothing but these strategies was
            ever evaluated.

    Returns:
        Columns as :func:`~regime_nas_pipeline.verdict.trials.deflation.deflate_sharpes`, after
        scope and reference. Three blocks: scope ``search``, what each search chose against all
        trials; scope ``out_of_sample`` with the reference, every other strategy's lead over it,
        with everything that was evaluated as trials; and the same with the reference
        ``risk_free``, every strategy's returns above that rate. Out of sample the best that luck
        would give is at least that of these strategies alone, and of this run alone. A series that
        never differs from what is subtracted has no row, nor have samples of fewer than 30 bars.

    Raises:
        DataError: A return is blank, or the reference is not among the strategies.
        ParameterError: The level is not between one half and one, or a rate makes no sense.
    """
    if reference not in strategy_returns.columns:
        raise DataError("no such strategy to compare with", column=reference)
    # The reference's own lead is zero throughout and falls out below.
    lead = _without_rounding(strategy_returns.sub(strategy_returns[reference], axis=0))
    picked = trial_returns[list(chosen.values())].set_axis(list(chosen), axis="columns")
    everything = evaluated or Evaluated(strategy_returns, lead, list(map(str, lead.columns)))
    leads, mine = _without_rounding(everything.leads), list(everything.this_run)
    returns = everything.returns
    blocks: list[tuple[str, str, float, list[pd.DataFrame]]] = [
        (IN_SEARCH, reference, 0.0, [picked, trial_returns]),
        (OUT_OF_SAMPLE, reference, 0.0, [lead, leads, leads[mine]]),
        (OUT_OF_SAMPLE, RISK_FREE, risk_free, [strategy_returns, returns, returns[mine]]),
    ]
    tables = []
    for scope, subtracted, rate, series in blocks:
        judged, trials, *of_this_run = map(_moving, series)
        if judged.empty or len(judged) < MIN_BARS:
            continue
        table = deflate_sharpes(
            judged,
            trials,
            bars_per_year=bars_per_year,
            risk_free=rate,
            level=level,
            seed=seed,
            at_least=[judged, *of_this_run] if scope == OUT_OF_SAMPLE else [],
        )
        tables.append(table.assign(scope=scope, reference=subtracted))
    if not tables:
        return pd.DataFrame({name: [] for name in DEFLATED_COLUMNS})
    return pd.concat(tables, ignore_index=True)[list(DEFLATED_COLUMNS)]


def overfitting_by_search(
    trial_returns: pd.DataFrame, forecasters: pd.Series, *, n_blocks: int
) -> dict[str, Any]:
    """Probability of backtest overfitting of all trials together and of each forecaster's.

    Trials with the same returns to the last bit count once: a search that was run again has not
    tried anything new, and would only blur the ranks.

    Args:
        trial_returns: Date x trial on the validation bars, in excess of a reference.
        forecasters: Trial to the forecaster whose search it was.
        n_blocks: Blocks of bars, even.

    Returns:
        JSON-ready: ``n_trials`` (distinct), ``n_copies``, ``n_blocks``, ``probability``,
        ``probability_of_loss``, ``slope``, ``logits`` (one per split, nine digits), and ``reason``
        (why they are null, else empty), all of them for all trials; and under ``forecasters`` the
        same for each forecaster alone.
    """
    whole = _overfitting(trial_returns, n_blocks)
    parts = {
        str(name): _overfitting(trial_returns[list(trials.index)], n_blocks)
        for name, trials in forecasters.groupby(forecasters, sort=False)
    }
    return {**whole, "forecasters": parts}


def overfitting_out_of_sample(leads: pd.DataFrame, *, n_blocks: int) -> dict[str, Any]:
    """Probability of backtest overfitting of whoever picks the best of what was evaluated.

    Args:
        leads: Date x evaluation, in excess of a reference; one that never differs from it counts
            as no trial.
        n_blocks: Blocks of bars, even.

    Returns:
        JSON-ready: ``probability``, ``probability_of_loss``, ``slope``, ``n_blocks`` and
        ``reason``, as :func:`overfitting_by_search` has them.
    """
    found = _overfitting(_moving(_without_rounding(leads)), n_blocks)
    kept = ("probability", "probability_of_loss", "slope", "n_blocks", "reason")
    return {name: found[name] for name in kept}


def _overfitting(trial_returns: pd.DataFrame, n_blocks: int) -> dict[str, Any]:
    distinct = trial_returns.loc[:, ~trial_returns.T.duplicated().to_numpy()]
    facts: dict[str, Any] = {
        "n_trials": distinct.shape[1],
        "n_copies": trial_returns.shape[1] - distinct.shape[1],
        "n_blocks": n_blocks,
    }
    try:
        found = backtest_overfitting(distinct, n_blocks=n_blocks)
    except (DataError, ParameterError) as error:
        # Too few trials or bars: nothing is wrong with the run, there is only nothing to tell.
        blank = dict.fromkeys(("probability", "probability_of_loss", "slope"))
        return {**facts, **blank, "logits": [], "reason": str(error)}
    return {
        **facts,
        "probability": found.probability,
        "probability_of_loss": found.probability_of_loss,
        "slope": finite_or_none(found.slope),
        "logits": np.round(found.logits, _DIGITS).tolist(),
        "reason": "",
    }


def _without_rounding(leads: pd.DataFrame) -> pd.DataFrame:
    """Leads with differences that are nothing but rounding set to zero."""
    return leads.mask(leads.abs() < _ROUNDING, 0.0)


def _moving(returns: pd.DataFrame) -> pd.DataFrame:
    """The series that move: a constant one has no Sharpe ratio."""
    return returns.loc[:, (returns.max() > returns.min()).to_numpy()]
