"""The smallest true advantage of a strategy that a sample of this length would have found."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import pandas as pd
from scipy.stats import norm

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.verdict.comparison.words import SHARPE_TESTS
from regime_nas_pipeline.verdict.withdrawal import without_pairwise

POWER = 0.8
"""Probability with which an advantage has to be found to count as one that the sample can show."""

COLUMNS = (
    "subject",
    "against",
    "test",
    "difference",
    "standard_error",
    "smallest_edge",
    "smallest_edge_holm",
    "tracking_error",
    "smallest_return",
    "years",
    "n_tests",
    "power",
)
"""Columns of :func:`detectable_differences`."""


def smallest_difference(standard_error: float, *, level: float, power: float = POWER) -> float:
    """The true difference that a one-sided test at ``level`` finds with probability ``power``.

    The estimate is taken to be normal around the truth. The test then finds a difference where
    the estimate is above z(1 - level) standard errors, and (z(1 - level) + z(power)) standard
    errors is the truth for which that happens with the power.

    Args:
        standard_error: Of the difference, in any unit; NaN where it is not known.
        level: One-sided.
        power: Probability of finding it.

    Returns:
        The difference in the same unit; NaN where the standard error is.

    Raises:
        ParameterError: The level is not between 0 and the power, the power is not below 1, or the
            standard error is negative.

    Source: Bloom, H. S. (1995). Minimum Detectable Effects: A Simple Way to Report the Statistical
    Power of Experimental Designs. Evaluation Review 19(5).
    """
    if not 0.0 < level < power < 1.0:
        raise ParameterError(
            "the smallest difference needs 0 < level < power < 1; they are "
            f"{level:g} and {power:g}."
        )
    if standard_error < 0.0:
        raise ParameterError(f"a standard error must not be negative and is {standard_error}.")
    return float((norm.isf(level) + norm.ppf(power)) * standard_error)


def detectable_differences(
    comparison_tests: pd.DataFrame,
    strategy_returns: pd.DataFrame,
    *,
    bars_per_year: int,
    level: float,
    power: float = POWER,
    withdrawn: Collection[str] = (),
) -> pd.DataFrame:
    """The smallest advantage that the tests of Sharpe ratios find, pair by pair.

    A difference counts as found where both tests find it, so the larger of their standard errors
    decides. After Holm's correction the smallest of all p-values, which are two-sided, has to be
    below level / n_tests, and the level on one side is half of that.

    The tests' errors are those of the Sharpe ratios that were seen; they hardly depend on them.
    ``smallest_return`` is the same question asked of the mean difference in return, at the
    tracking error seen and with returns that are independent over time: the information ratio
    that ``years`` can tell from zero, times the tracking error.

    Args:
        comparison_tests: Rows of
            :func:`~regime_nas_pipeline.verdict.comparison.table.comparison_table`.
        strategy_returns: Date x strategy, simple returns per bar: those that were compared.
        bars_per_year: Bars in a year.
        level: Of a test, one-sided.
        power: Probability of finding an advantage of that size.
        withdrawn: Tests that may not be used; Holm's correction counts their rows all the same.

    Returns:
        One row per pair: subject; against; test, whose standard error is the larger one;
        difference (subject minus against) and standard_error, in yearly Sharpe ratios;
        smallest_edge and smallest_edge_holm, in the same unit, for a pair that is looked at alone
        and after Holm's correction; tracking_error (yearly standard deviation of the difference in
        return) and smallest_return (a year), decimals; years of returns; n_tests corrected for;
        power. What cannot be tested is blank.

    Raises:
        DataError: There are no returns of a strategy that was compared.
        ParameterError: The level or the power does not fit, see :func:`smallest_difference`.

    Source: the information ratio over time as in Grinold, R. C. and Kahn, R. N. (2000). Active
    Portfolio Management, 2nd edition, chapter 12. McGraw-Hill.
    """
    years = len(strategy_returns) / bars_per_year
    used = without_pairwise(comparison_tests, withdrawn)
    pairs = used[used["test"].isin(SHARPE_TESTS)].groupby(["subject", "against"], sort=False)
    rows: list[dict[str, Any]] = []
    for (subject, against), tests in pairs:
        missing = [name for name in (subject, against) if name not in strategy_returns]
        if missing:
            raise DataError("there are no returns of this strategy", column=str(missing[0]))
        gap = strategy_returns[subject] - strategy_returns[against]
        rows.append(
            {
                "subject": subject,
                "against": against,
                **_of_sharpe(tests, level, power, len(comparison_tests)),
                **_of_return(float(gap.std()) * math.sqrt(bars_per_year), years, level, power),
                "years": years,
                "n_tests": len(comparison_tests),
                "power": power,
            }
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = [name for name in COLUMNS if name not in {"subject", "against", "test", "n_tests"}]
    return table.astype({**dict.fromkeys(numbers, "float64"), "n_tests": "int64"})


def _of_sharpe(tests: pd.DataFrame, level: float, power: float, n_tests: int) -> dict[str, Any]:
    known = tests[tests["standard_error"].notna()]
    if known.empty:
        return {}
    widest = known.iloc[int(known["standard_error"].to_numpy().argmax())]
    error = float(widest["standard_error"])
    return {
        "test": widest["test"],
        "difference": widest["difference"],
        "standard_error": error,
        "smallest_edge": smallest_difference(error, level=level, power=power),
        "smallest_edge_holm": smallest_difference(error, level=level / (2 * n_tests), power=power),
    }


def _of_return(tracking_error: float, years: float, level: float, power: float) -> dict[str, float]:
    if tracking_error == 0.0:
        return {}
    of_mean = tracking_error / math.sqrt(years)
    return {
        "tracking_error": tracking_error,
        "smallest_return": smallest_difference(of_mean, level=level, power=power),
    }
