"""What the attention guide published, and whether chance alone gives so wide a range."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import studentized_range


@dataclass(frozen=True)
class PublishedFold:
    """One row of the guide's table of folds; its Transformer on SPY, long or flat.

    Attributes:
        train_end: Last bar of the training window.
        test_end: Last bar of the fold.
        sharpe: (Yearly return - 2 %) ÷ yearly volatility.
        annual_return: In decimals.
        max_drawdown: Negative, in decimals.
        trades: Buys and sales.
    """

    train_end: str
    test_end: str
    sharpe: float
    annual_return: float
    max_drawdown: float
    trades: int


PUBLISHED = "published"
"""Name of the published Transformer among the models of a table of ranges."""

PUBLISHED_FOLDS = (
    PublishedFold("2019-02-01", "2020-02-03", 1.20, 0.139, -0.061, 8),
    PublishedFold("2020-02-03", "2021-02-02", 1.77, 0.324, -0.094, 5),
    PublishedFold("2021-02-02", "2022-02-01", -1.63, -0.117, -0.113, 12),
    PublishedFold("2022-02-01", "2023-02-02", 1.01, 0.221, -0.122, 5),
    PublishedFold("2023-02-02", "2024-02-05", 0.73, 0.090, -0.092, 7),
)
"""Source: A Practical Guide to Attention Mechanisms in Quantitative Trading, an article."""

PUBLISHED_FOLD_BARS = 252
"""Bars from one published training end to the next: a year, though the code says six months."""

PUBLISHED_TRADED_BARS = 252 - 60 - 1
"""Bars of a published fold that are traded: its code makes the first window out of the fold."""

PUBLISHED_SHARPES = {
    "transformer": 1.02,
    "random_forest": 0.61,
    "gradient_boosting": -0.99,
    "ridge": -1.42,
}
"""Sharpe ratios of the guide's one split of its sample, at a threshold of 0.1 %."""

CORRECTIONS = (
    "The published walk stops training early by the error on the very fold that it then trades, "
    "so its folds are not out of sample. Here a purged tail of the training window does that.",
    "The published code fits anew every six months, and its table steps by a year; of each fold "
    "it trades what is left after the first window of 60 bars. Here every bar is traded.",
    "The published folds are traded above a threshold of zero, the comparison of models above "
    "0.1 %. Here all models face the same threshold in the same folds.",
    "The published inputs are standardised price levels, which leave the range of the training "
    "window. Here open, high, low and close are log distances from the close before.",
    "The published Sharpe ratio is yearly growth less 2 % over volatility. Here it is the mean "
    "return above cash over its standard deviation.",
)
"""What is done otherwise than in the article, and why."""


def chance_range(n_folds: int, fold_bars: float, bars_per_year: int) -> float:
    """Mean range of the folds' yearly Sharpe ratios if all folds had the same true one.

    The ratio of a fold of n independent returns has a standard error of about
    √(bars_per_year / n), whatever a small true ratio is; the mean range of k normal numbers is
    the integral of 1 - P(range <= q).

    Args:
        n_folds: k, at least 2.
        fold_bars: n.
        bars_per_year: Bars in a year.

    Source: Lo, A. W. (2002). The Statistics of Sharpe Ratios. Financial Analysts Journal 58(4).
    """
    grid = np.linspace(0.0, 12.0, 241)
    tail = studentized_range.sf(grid, n_folds, np.inf)
    return float(np.trapezoid(tail, grid)) * math.sqrt(bars_per_year / fold_bars)


def chance_of_range(width: float, n_folds: int, fold_bars: float, bars_per_year: int) -> float:
    """Probability of a range at least so wide if all folds had the same true ratio."""
    error = math.sqrt(bars_per_year / fold_bars)
    return float(studentized_range.sf(width / error, n_folds, np.inf))


def range_row(
    model: str, sharpes: np.ndarray, fold_bars: float, bars_per_year: int
) -> dict[str, object]:
    """Range of the folds' ratios beside what chance gives; blank for fewer than two folds.

    Args:
        model: Name.
        sharpes: Yearly ratio of every fold of that length, without blanks.
        fold_bars: Bars of a fold.
        bars_per_year: Bars in a year.
    """
    n = len(sharpes)
    row: dict[str, object] = {"model": model, "n_folds": n, "fold_bars": fold_bars}
    if n < 2:
        blank = ("lowest", "highest", "mean", "median", "range", "chance_range", "p_value")
        return row | dict.fromkeys(blank, math.nan)
    width = float(np.ptp(sharpes))
    return row | {
        "lowest": float(sharpes.min()),
        "highest": float(sharpes.max()),
        "mean": float(sharpes.mean()),
        "median": float(np.median(sharpes)),
        "range": width,
        "chance_range": chance_range(n, fold_bars, bars_per_year),
        "p_value": chance_of_range(width, n, fold_bars, bars_per_year),
    }


def published_range() -> dict[str, object]:
    """The published folds as a row of the same table."""
    sharpes = np.array([fold.sharpe for fold in PUBLISHED_FOLDS])
    return range_row(PUBLISHED, sharpes, PUBLISHED_TRADED_BARS, 252)


def published_table() -> pd.DataFrame:
    """The published folds, one row each, with the names of the fields as columns."""
    return pd.DataFrame([vars(fold) for fold in PUBLISHED_FOLDS])
