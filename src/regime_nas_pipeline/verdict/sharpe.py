"""Is the difference between two Sharpe ratios more than chance?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.statistics import annual_sharpe, known_returns, per_bar_rate

_ROUNDING = 1e-12


@dataclass(frozen=True)
class SharpeTest:
    """Test of equal Sharpe ratios of two return series on the same bars.

    Attributes:
        difference: Sharpe ratio of the first minus that of the second, per bar; times
            √bars_per_year it is the yearly difference.
        standard_error: Of the difference; NaN where the series cannot be told apart at all.
        z: Difference ÷ its standard error; NaN where the series cannot be told apart at all.
        p_value: Two-sided; 1 where ``z`` is NaN.
        n: Bars compared.
    """

    difference: float
    standard_error: float
    z: float
    p_value: float
    n: int


def jobson_korkie_memmel(
    a: pd.Series | np.ndarray, b: pd.Series | np.ndarray, risk_free_per_bar: float = 0.0
) -> SharpeTest:
    """Test that two strategies have the same Sharpe ratio.

    With ρ the correlation of the two series, the difference of the ratios has the asymptotic
    variance [2 - 2ρ + (S_a² + S_b² - 2 S_a S_b ρ²)/2] / n. It assumes returns that are
    independent over time and jointly normal; fat tails and volatility clusters can make
    the true p-values larger than these.

    Args:
        a: Simple returns per bar of the first strategy, (T,).
        b: The same of the second, on the same bars, (T,).
        risk_free_per_bar: Simple risk-free return per bar.

    Raises:
        DataError: A return is blank, the series are not on the same bars, or there are fewer
            than three.

    Source: Jobson, J. D. and Korkie, B. (1981). Performance Hypothesis Testing with the Sharpe
    and Treynor Measures. Journal of Finance 36(4); corrected by Memmel, C. (2003). Performance
    Hypothesis Testing with the Sharpe Ratio. Finance Letters 1(1).
    """
    if isinstance(a, pd.Series) and isinstance(b, pd.Series) and not a.index.equals(b.index):
        raise DataError("the two return series are not on the same dates", column=str(b.name))
    first, second = known_returns(a) - risk_free_per_bar, known_returns(b) - risk_free_per_bar
    n = len(first)
    if len(second) != n or n < 3:
        raise DataError(
            "a Sharpe comparison needs two series of one length and at least 3 bars; they have "
            f"{n} and {len(second)}"
        )
    if np.ptp(first) == 0.0 or np.ptp(second) == 0.0:
        return SharpeTest(math.nan, math.nan, math.nan, 1.0, n)
    ratio_a = float(first.mean() / first.std(ddof=1))
    ratio_b = float(second.mean() / second.std(ddof=1))
    correlation = float(np.corrcoef(first, second)[0, 1])
    difference = ratio_a - ratio_b
    if abs(difference) < _ROUNDING and 1.0 - correlation < _ROUNDING:
        return SharpeTest(0.0, math.nan, math.nan, 1.0, n)
    variance = (
        2.0
        - 2.0 * correlation
        + 0.5 * (ratio_a**2 + ratio_b**2 - 2.0 * ratio_a * ratio_b * correlation**2)
    ) / n
    error = math.sqrt(variance)
    z = difference / error
    return SharpeTest(difference, error, z, float(2.0 * norm.sf(abs(z))), n)


def compare_sharpes(
    strategy_returns: pd.DataFrame,
    against: Sequence[str],
    *,
    risk_free: float,
    bars_per_year: int,
) -> pd.DataFrame:
    """Test every strategy against each of the named ones.

    Args:
        strategy_returns: Date x strategy, simple returns per bar, no blanks.
        against: Names of the strategies to compare with.
        risk_free: Simple yearly rate.
        bars_per_year: Bars in a year.

    Returns:
        Tidy table, one row per pair (a pair is tested once, in one direction): strategy, against,
        sharpe, sharpe_against, difference (all yearly), z, p_value, and p_holm, adjusted for all
        rows of the table.

    Raises:
        DataError: A name is not among the strategies, or a return is blank.

    Source: Holm, S. (1979). A simple sequentially rejective multiple test procedure.
    Scandinavian Journal of Statistics 6(2).
    """
    unknown = [name for name in against if name not in strategy_returns.columns]
    if unknown:
        raise DataError("no such strategy to compare with", column=unknown[0])
    rate = per_bar_rate(risk_free, bars_per_year)
    sharpes = {
        str(name): annual_sharpe(
            strategy_returns[name], bars_per_year=bars_per_year, risk_free=risk_free
        )
        for name in strategy_returns.columns
    }
    rows = []
    for first, second in pairs_against(list(sharpes), against):
        test = jobson_korkie_memmel(strategy_returns[first], strategy_returns[second], rate)
        rows.append(
            {
                "strategy": first,
                "against": second,
                "sharpe": sharpes[first],
                "sharpe_against": sharpes[second],
                "difference": test.difference * math.sqrt(bars_per_year),
                "z": test.z,
                "p_value": test.p_value,
            }
        )
    columns = ["strategy", "against", "sharpe", "sharpe_against", "difference", "z", "p_value"]
    table = pd.DataFrame(rows, columns=columns)
    table = table.astype(dict.fromkeys(columns[2:], float))
    table["p_holm"] = (
        multipletests(table["p_value"].to_numpy(), method="holm")[1] if rows else np.array([])
    )
    return table


def pairs_against(strategies: Sequence[str], against: Sequence[str]) -> list[tuple[str, str]]:
    """(strategy, other) for every other in ``against``, each pair once and in one direction."""
    pairs: list[tuple[str, str]] = []
    for other in against:
        for name in strategies:
            if name != other and (other, name) not in pairs and (name, other) not in pairs:
                pairs.append((name, other))
    return pairs
