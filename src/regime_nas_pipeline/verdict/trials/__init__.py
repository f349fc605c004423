"""What a search's number of trials leaves of its best result.

Whoever tries enough strategies finds a good one by luck. The functions here count the trials that
were really different, say how good the best of so many skill-less ones would look, and measure how
often the best of one part of the sample disappoints in the other.
"""

from regime_nas_pipeline.verdict.trials.correlated_maximum import correlated_maximum_sharpe
from regime_nas_pipeline.verdict.trials.deflation import deflate_sharpes
from regime_nas_pipeline.verdict.trials.effective_trials import (
    EffectiveTrials,
    effective_trials,
)
from regime_nas_pipeline.verdict.trials.overfitting import (
    BacktestOverfitting,
    backtest_overfitting,
)
from regime_nas_pipeline.verdict.trials.probabilistic_sharpe import (
    DeflatedSharpe,
    SharpeMoments,
    deflated_sharpe,
    expected_maximum_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_moments,
)

__all__ = [
    "BacktestOverfitting",
    "DeflatedSharpe",
    "EffectiveTrials",
    "SharpeMoments",
    "backtest_overfitting",
    "correlated_maximum_sharpe",
    "deflate_sharpes",
    "deflated_sharpe",
    "effective_trials",
    "expected_maximum_sharpe",
    "minimum_track_record",
    "probabilistic_sharpe",
    "sharpe_moments",
]
