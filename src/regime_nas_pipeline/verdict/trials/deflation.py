"""The chosen strategies' Sharpe ratios after counting every trial."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from regime_nas_pipeline.core.statistics import per_bar_rate
from regime_nas_pipeline.verdict.trials.correlated_maximum import correlated_maximum_sharpe
from regime_nas_pipeline.verdict.trials.effective_trials import EffectiveTrials, effective_trials
from regime_nas_pipeline.verdict.trials.probabilistic_sharpe import (
    expected_maximum_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_moments,
)
from regime_nas_pipeline.verdict.trials.trial_returns import returns_matrix


def deflate_sharpes(
    strategy_returns: pd.DataFrame,
    trial_returns: pd.DataFrame,
    *,
    bars_per_year: int,
    risk_free: float = 0.0,
    level: float = 0.95,
    seed: int = 0,
    at_least: Sequence[pd.DataFrame] = (),
) -> pd.DataFrame:
    """Set each chosen strategy against the best that its search would have found by luck.

    The best is reckoned in two ways and the higher one counts: from the number of clusters and the
    variance of their ratios, as the deflated Sharpe ratio has it, and from the correlations of all
    trials. The former alone lets luck pass where trials are alike without falling into groups.

    Both answer for a choice made on the bars of ``trial_returns``. Trials of similar long-only
    portfolios differ little beside what the market earned; to ask whether the choice among them
    was luck, hand over all returns in excess of a common reference.

    More trials never make luck look smaller here: where further trials are so alike that the
    variance of the ratios falls, the best to be expected of the parts ``at_least`` still counts.

    Args:
        strategy_returns: Date x strategy, simple returns per bar of what was chosen.
        trial_returns: Date x trial, simple returns per bar of everything that was tried,
            the chosen ones included; the dates may differ from the strategies'.
        bars_per_year: Bars in a year, the same for both tables.
        risk_free: Simple yearly rate; 0 for portfolios that need no capital.
        level: Probability that a strategy must reach to pass.
        seed: Of the draws from which the correlated maximum is simulated.
        at_least: Parts of the trials, each date x trial, whose expected best is not undercut.

    Returns:
        One row per strategy: strategy, sharpe (per bar), sharpe_yearly, n (bars), skewness,
        kurtosis (3 for normal returns), n_trials, n_effective (clusters of trials),
        trial_variance (of the clusters' ratios per bar), maximum_by_clusters and
        maximum_by_correlation (expected best ratios without skill, per bar), expected_maximum
        (the higher of the two, and of those of ``at_least``), expected_maximum_yearly,
        psr_against_zero (probability of a true ratio above zero, trials not counted),
        deflated_probability (above the expected maximum), minimum_track_record (bars until the
        latter reaches the level, infinite where the ratio is not above the expected maximum),
        minimum_track_record_years, and passes (deflated_probability >= level).

    Raises:
        DataError: There are no strategies or no trials, two have the same name, or a series is
            blank somewhere, shorter than three bars or constant; the message names it.
        ParameterError: The level is not between one half and one, or a rate makes no sense.

    Source: Bailey, D. H. and López de Prado, M. (2014). The Deflated Sharpe Ratio: Correcting for
    Selection Bias, Backtest Overfitting and Non-Normality. Journal of Portfolio Management 40(5).
    """
    returns_matrix(strategy_returns, kind="strategy")
    rate = per_bar_rate(risk_free, bars_per_year)
    yearly = math.sqrt(bars_per_year)
    trials, by_clusters, by_correlation = _expected_best(trial_returns, rate, seed)
    threshold = max(by_clusters, by_correlation)
    for part in at_least:
        _, *of_part = _expected_best(part, rate, seed)
        threshold = max(threshold, *of_part)
    rows = []
    for name in strategy_returns.columns:
        moments = sharpe_moments(strategy_returns[name], rate)
        probability = probabilistic_sharpe(moments, threshold)
        bars = minimum_track_record(moments, threshold, level=level)
        rows.append(
            {
                "strategy": name,
                "sharpe": moments.sharpe,
                "sharpe_yearly": moments.sharpe * yearly,
                "n": moments.n,
                "skewness": moments.skewness,
                "kurtosis": moments.kurtosis,
                "n_trials": trials.n_trials,
                "n_effective": trials.n_effective,
                "trial_variance": trials.variance,
                "maximum_by_clusters": by_clusters,
                "maximum_by_correlation": by_correlation,
                "expected_maximum": threshold,
                "expected_maximum_yearly": threshold * yearly,
                "psr_against_zero": probabilistic_sharpe(moments),
                "deflated_probability": probability,
                "minimum_track_record": bars,
                "minimum_track_record_years": bars / bars_per_year,
                "passes": probability >= level,
            }
        )
    return pd.DataFrame(rows)


def _expected_best(
    trial_returns: pd.DataFrame, rate: float, seed: int
) -> tuple[EffectiveTrials, float, float]:
    """The trials in groups, and their expected best ratio by groups and by correlations."""
    trials = effective_trials(trial_returns, risk_free_per_bar=rate)
    by_clusters = expected_maximum_sharpe(trials.n_effective, trials.variance)
    return trials, by_clusters, correlated_maximum_sharpe(trial_returns, seed=seed)
