"""All pairwise tests in one table, with corrections for reading many of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.statistics import per_bar_rate
from regime_nas_pipeline.verdict.comparison.diebold_mariano import diebold_mariano
from regime_nas_pipeline.verdict.comparison.ledoit_wolf import (
    N_RESAMPLES,
    RobustSharpeTest,
    ledoit_wolf,
)
from regime_nas_pipeline.verdict.sharpe import SharpeTest, jobson_korkie_memmel, pairs_against

JOBSON_KORKIE_MEMMEL = "jobson_korkie_memmel"
LEDOIT_WOLF = "ledoit_wolf"
DIEBOLD_MARIANO = "diebold_mariano"

COLUMNS = (
    "test",
    "subject",
    "against",
    "difference",
    "standard_error",
    "statistic",
    "p_two_sided",
    "p_beats",
    "p_holm",
    "p_fdr",
    "block_length",
    "n",
    "note",
)
"""Columns of :func:`comparison_table`."""

SAME_NOTE = "one of the two never moves, or they cannot be told apart: nothing to test"


@dataclass(frozen=True)
class ForecastLosses:
    """Losses of forecasters on the same dates and assets.

    Attributes:
        losses: Forecaster to its losses, dates x assets, such as squared errors; blank where
            unknown.
        against: Forecasters to compare the others with.
        horizon: Bars of the return that is forecast.
        every: Bars from one forecast to the next.
    """

    losses: Mapping[str, pd.DataFrame]
    against: Sequence[str]
    horizon: int
    every: int


def comparison_table(
    strategy_returns: pd.DataFrame,
    against: Sequence[str],
    *,
    risk_free: float,
    bars_per_year: int,
    forecasts: ForecastLosses | None = None,
    block_length: int | None = None,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Test every strategy against each reference, and every forecaster against each of its own.

    Args:
        strategy_returns: Date x strategy, simple returns per bar net of costs, no blanks.
        against: Names of the strategies to compare with.
        risk_free: Simple yearly rate.
        bars_per_year: Bars in a year.
        forecasts: Losses of forecasts to compare too.
        block_length: Bars per block of the Ledoit-Wolf bootstrap; None chooses one per pair.
        n_resamples: Resamples of that bootstrap.
        seed: Of its blocks; every pair sees the same ones.

    Returns:
        Tidy table, one row per test and pair (a pair is tested in one direction): test
        ("jobson_korkie_memmel" and "ledoit_wolf" on Sharpe ratios, "diebold_mariano" on losses);
        subject; against; difference, positive where the subject did better, and its
        standard_error, both in yearly Sharpe ratios or, of losses, per date; statistic, their
        ratio, positive where the subject did better, blank where nothing can
        be tested; p_two_sided, of no difference; p_beats, small where the subject did better;
        p_holm, the two-sided p-values after Holm's correction over all rows, so that any row may
        be picked out; p_fdr, after Benjamini and Hochberg's, which limits the share of wrong ones
        among the rows called different; block_length (blank where no blocks were drawn); n bars or
        dates; note.

    Raises:
        DataError: A reference is unknown, a return is blank, or there are too few bars or dates.

    Source: Holm, S. (1979). A Simple Sequentially Rejective Multiple Test Procedure. Scandinavian
    Journal of Statistics 6(2); Benjamini, Y. and Hochberg, Y. (1995). Controlling the False
    Discovery Rate. Journal of the Royal Statistical Society B 57(1).
    """
    rate = per_bar_rate(risk_free, bars_per_year)
    names = list(map(str, strategy_returns.columns))
    rows: list[dict[str, object]] = []
    for subject, other in _known_pairs(names, against, "strategy"):
        pair = strategy_returns[subject], strategy_returns[other]
        robust = ledoit_wolf(
            *pair, rate, block_length=block_length, n_resamples=n_resamples, seed=seed
        )
        both = (jobson_korkie_memmel(*pair, rate), robust)
        rows += [
            {"subject": subject, "against": other, **_sharpe_row(test, bars_per_year)}
            for test in both
        ]
    rows += _forecast_rows(forecasts) if forecasts is not None else []
    return _corrected(rows)


def _known_pairs(names: Sequence[str], against: Sequence[str], what: str) -> list[tuple[str, str]]:
    unknown = [name for name in against if name not in names]
    if unknown:
        raise DataError(f"no such {what} to compare with", column=unknown[0])
    return pairs_against(names, against)


def _sharpe_row(test: SharpeTest | RobustSharpeTest, bars_per_year: int) -> dict[str, object]:
    """A test's figures by the names of the columns, per year where the test has them per bar."""
    yearly = math.sqrt(bars_per_year)
    row: dict[str, object] = {
        "difference": test.difference * yearly,
        "standard_error": test.standard_error * yearly,
        "statistic": test.z,
        "n": test.n,
        "note": SAME_NOTE if math.isnan(test.z) else "",
    }
    if isinstance(test, RobustSharpeTest):
        return row | {
            "test": LEDOIT_WOLF,
            "p_two_sided": test.p_two_sided,
            "p_beats": test.p_beats,
            "block_length": test.block_length,
        }
    p_beats = 1.0 if math.isnan(test.z) else float(norm.sf(test.z))
    return row | {"test": JOBSON_KORKIE_MEMMEL, "p_two_sided": test.p_value, "p_beats": p_beats}


def _forecast_rows(forecasts: ForecastLosses) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for subject, other in _known_pairs(list(forecasts.losses), forecasts.against, "forecaster"):
        test = diebold_mariano(
            forecasts.losses[subject],
            forecasts.losses[other],
            horizon=forecasts.horizon,
            every=forecasts.every,
        )
        rows.append(
            {
                "test": DIEBOLD_MARIANO,
                "subject": subject,
                "against": other,
                "difference": test.difference,
                "standard_error": test.standard_error,
                "statistic": test.statistic,
                "p_two_sided": test.p_two_sided,
                "p_beats": test.p_beats,
                "n": test.n,
                "note": test.note,
            }
        )
    return rows


def _corrected(rows: list[dict[str, object]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    measures = ("difference", "standard_error", "statistic")
    numbers = [*measures, *(name for name in COLUMNS if name.startswith("p_"))]
    table = table.astype(dict.fromkeys(numbers, "float64"))
    table = table.astype({"block_length": "Int64", "n": "int64"})
    if rows:
        raw = table["p_two_sided"].to_numpy()
        table["p_holm"] = multipletests(raw, method="holm")[1]
        table["p_fdr"] = multipletests(raw, method="fdr_bh")[1]
    return table
