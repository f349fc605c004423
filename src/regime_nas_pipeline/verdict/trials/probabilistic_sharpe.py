"""How sure is a Sharpe ratio, alone and as the best of many trials?

All ratios are per bar. The formulas take returns as serially independent: positive
autocorrelation makes the true uncertainty larger, and the probabilities here too favourable
(Lo, A. W. (2002). The Statistics of Sharpe Ratios. Financial Analysts Journal 58(4)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import kurtosis, norm, skew
from skfolio.measures import expected_max_sharpe_ratio

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.verdict.trials.trial_returns import moving_returns

_ROUNDING = 1e-9


@dataclass(frozen=True)
class SharpeMoments:
    """What the uncertainty of a Sharpe ratio depends on.

    Attributes:
        sharpe: Mean excess return ÷ its standard deviation (ddof 1), per bar.
        skewness: Third standardised moment; 0 for normal returns.
        kurtosis: Fourth standardised moment, not in excess; 3 for normal returns.
        n: Bars.

    Raises:
        ParameterError: A moment is not finite, there are fewer than two bars, or no distribution
            has this skewness and kurtosis (kurtosis < 1 + skewness²).
    """

    sharpe: float
    skewness: float
    kurtosis: float
    n: int

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.sharpe, self.skewness, self.kurtosis))):
            raise ParameterError(f"the moments of a Sharpe ratio must be finite: {self}.")
        if self.n < 2:
            raise ParameterError(f"n must be at least 2 bars and is {self.n}.")
        if self.kurtosis < 1.0 + self.skewness**2 - _ROUNDING:
            raise ParameterError(
                f"kurtosis must be at least 1 + skewness² = {1.0 + self.skewness**2:.6g} and is "
                f"{self.kurtosis:.6g}; it is the fourth standardised moment, 3 for normal returns."
            )

    @property
    def variance(self) -> float:
        """Variance of the estimated ratio x (n - 1): 1 - γ₃ SR + (γ₄ - 1) SR² / 4.

        Raises:
            DataError: It is zero, as can only be for returns of two values.
        """
        value = 1.0 - self.skewness * self.sharpe + 0.25 * (self.kurtosis - 1.0) * self.sharpe**2
        if value < _ROUNDING:
            raise DataError("returns of two values only: the Sharpe ratio's error is not defined")
        return value


@dataclass(frozen=True)
class DeflatedSharpe:
    """A Sharpe ratio beside the one to expect from the best of so many skill-less trials.

    Attributes:
        sharpe: Observed ratio, per bar.
        threshold: Expected maximum of the trials' ratios if none has skill, per bar.
        n_trials: Independent trials.
        trial_variance: Variance of the trials' ratios, per bar.
        skewness: Of the returns.
        kurtosis: Of the returns, 3 for normal ones.
        n: Bars.
        probability: That the true ratio exceeds the threshold: the deflated Sharpe ratio.
    """

    sharpe: float
    threshold: float
    n_trials: int
    trial_variance: float
    skewness: float
    kurtosis: float
    n: int
    probability: float


def sharpe_moments(returns: pd.Series, risk_free_per_bar: float = 0.0) -> SharpeMoments:
    """Sharpe ratio per bar of a return series with skewness, kurtosis and length.

    Args:
        returns: Simple returns per bar, (T,), named after the strategy.
        risk_free_per_bar: Simple risk-free return per bar.

    Raises:
        DataError: A return is blank, there are fewer than three, or they are all the same.
    """
    excess = moving_returns(returns) - risk_free_per_bar
    return SharpeMoments(
        sharpe=float(excess.mean() / excess.std(ddof=1)),
        skewness=float(skew(excess)),
        kurtosis=float(kurtosis(excess, fisher=False)),
        n=len(excess),
    )


def probabilistic_sharpe(moments: SharpeMoments, threshold: float = 0.0) -> float:
    """Probability that the true Sharpe ratio exceeds a threshold.

    Φ((SR - SR*) √(n - 1) / √(1 - γ₃ SR + (γ₄ - 1) SR² / 4)).

    Args:
        moments: Observed ratio, skewness, kurtosis and bars.
        threshold: Ratio to exceed, per bar.

    Source: Bailey, D. H. and López de Prado, M. (2012). The Sharpe Ratio Efficient Frontier.
    Journal of Risk 15(2).
    """
    error = math.sqrt(moments.variance / (moments.n - 1))
    return float(norm.cdf((moments.sharpe - threshold) / error))


def minimum_track_record(
    moments: SharpeMoments, threshold: float = 0.0, *, level: float = 0.95
) -> float:
    """Bars after which the observed ratio would exceed the threshold with the given probability.

    1 + (1 - γ₃ SR + (γ₄ - 1) SR² / 4) (Φ⁻¹(level) / (SR - SR*))².

    Args:
        moments: Observed ratio, skewness and kurtosis; its own length does not matter.
        threshold: Ratio to exceed, per bar.
        level: Probability to reach, above one half and below one.

    Returns:
        Bars, not rounded; infinite where the observed ratio is not above the threshold.

    Raises:
        ParameterError: The level is not between one half and one.

    Source: Bailey, D. H. and López de Prado, M. (2012), as in :func:`probabilistic_sharpe`.
    """
    if not 0.5 < level < 1.0:
        raise ParameterError(f"level must lie between 0.5 and 1 and is {level}.")
    lead = moments.sharpe - threshold
    if lead <= 0.0:
        return math.inf
    return 1.0 + moments.variance * float(norm.ppf(level) / lead) ** 2


def expected_maximum_sharpe(n_trials: int, trial_variance: float) -> float:
    """Expected best Sharpe ratio of independent trials without skill.

    √V ((1 - γ) Φ⁻¹(1 - 1/K) + γ Φ⁻¹(1 - 1/(K e))), γ the Euler-Mascheroni constant: a limit for
    many trials, 8 % too low for two and 0 to 3 % too high from three on.

    Args:
        n_trials: Independent trials K.
        trial_variance: Variance V of their estimated ratios, in the unit that the result has.

    Returns:
        The ratio; 0 for a single trial, among which nothing was chosen.

    Raises:
        ParameterError: There is no trial, or the variance is negative or not finite.

    Source: Bailey, D. H. and López de Prado, M. (2014). The Deflated Sharpe Ratio: Correcting for
    Selection Bias, Backtest Overfitting and Non-Normality. Journal of Portfolio Management 40(5).
    """
    if n_trials < 1:
        raise ParameterError(f"n_trials must be at least 1 and is {n_trials}.")
    if not (math.isfinite(trial_variance) and trial_variance >= 0.0):
        raise ParameterError(
            f"trial_variance must be finite and not negative and is {trial_variance}."
        )
    return float(expected_max_sharpe_ratio(n_trials, float(np.sqrt(trial_variance))))


def deflated_sharpe(
    moments: SharpeMoments, *, n_trials: int, trial_variance: float
) -> DeflatedSharpe:
    """Probability that the best of several trials is better than luck alone would make it.

    Args:
        moments: Observed ratio of the chosen trial, with skewness, kurtosis and bars.
        n_trials: Independent trials among which it was chosen
            (:func:`~regime_nas_pipeline.verdict.trials.effective_trials.effective_trials`).
        trial_variance: Variance of the trials' ratios, per bar.

    Raises:
        ParameterError: There is no trial, or the variance is negative or not finite.

    Source: Bailey, D. H. and López de Prado, M. (2014), as in :func:`expected_maximum_sharpe`.
    """
    threshold = expected_maximum_sharpe(n_trials, trial_variance)
    return DeflatedSharpe(
        sharpe=moments.sharpe,
        threshold=threshold,
        n_trials=n_trials,
        trial_variance=trial_variance,
        skewness=moments.skewness,
        kurtosis=moments.kurtosis,
        n=moments.n,
        probability=probabilistic_sharpe(moments, threshold),
    )
