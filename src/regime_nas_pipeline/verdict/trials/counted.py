"""What is left of the results after counting trials: of the searches, and of the strategies."""

from __future__ import annotations

from collections.abc import Mapping
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

    Returns:
        Columns as :func:`~regime_nas_pipeline.verdict.trials.deflation.deflate_sharpes`, after
        scope and reference. Three blocks: scope ``search``, what each search chose against all
        trials; scope ``out_of_sample`` with the reference, every other strategy's lead over it,
        with the strategies as trials; and the same with the reference ``risk_free``, every
        strategy's returns above that rate. A series that never differs from what is subtracted has
        no row, nor have samples of fewer than 30 bars.

    Raises:
        DataError: A return is blank, or the reference is not among the strategies.
        ParameterError: The level is not between one half and one, or a rate makes no sense.
    """
    if reference not in strategy_returns.columns:
        raise DataError("no such strategy to compare with", column=reference)
    others = strategy_returns.drop(columns=reference)
    lead = others.sub(strategy_returns[reference], axis=0)
    lead = lead.mask(lead.abs() < _ROUNDING, 0.0)
    picked = trial_returns[list(chosen.values())].set_axis(list(chosen), axis="columns")
    blocks = (
        (IN_SEARCH, reference, picked, trial_returns, 0.0),
        (OUT_OF_SAMPLE, reference, lead, lead, 0.0),
        (OUT_OF_SAMPLE, RISK_FREE, strategy_returns, strategy_returns, risk_free),
    )
    tables = []
    for scope, subtracted, own, trials, rate in blocks:
        judged = _moving(own)
        if judged.empty or len(judged) < MIN_BARS:
            continue
        table = deflate_sharpes(
            judged,
            _moving(trials),
            bars_per_year=bars_per_year,
            risk_free=rate,
            level=level,
            seed=seed,
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


def _moving(returns: pd.DataFrame) -> pd.DataFrame:
    """The series that move: a constant one has no Sharpe ratio."""
    return returns.loc[:, (returns.max() > returns.min()).to_numpy()]
