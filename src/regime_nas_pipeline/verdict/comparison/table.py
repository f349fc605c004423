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
from regime_nas_pipeline.verdict.comparison.ledoit_wolf import N_RESAMPLES, ledoit_wolf
from regime_nas_pipeline.verdict.sharpe import compare_sharpes, pairs_against

JOBSON_KORKIE_MEMMEL = "jobson_korkie_memmel"
LEDOIT_WOLF = "ledoit_wolf"
DIEBOLD_MARIANO = "diebold_mariano"

COLUMNS = (
    "test",
    "subject",
    "against",
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
        subject; against; statistic, positive where the subject did better, blank where nothing can
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
    pairs = compare_sharpes(
        strategy_returns, against, risk_free=risk_free, bars_per_year=bars_per_year
    )
    rows: list[dict[str, object]] = []
    for pair in pairs.to_dict("records"):
        subject, other, z = pair["strategy"], pair["against"], float(pair["z"])
        names = {"subject": subject, "against": other, "n": len(strategy_returns)}
        rows.append(
            {
                "test": JOBSON_KORKIE_MEMMEL,
                **names,
                "statistic": z,
                "p_two_sided": pair["p_value"],
                "p_beats": 1.0 if math.isnan(z) else float(norm.sf(z)),
                "note": SAME_NOTE if math.isnan(z) else "",
            }
        )
        robust = ledoit_wolf(
            strategy_returns[subject],
            strategy_returns[other],
            rate,
            block_length=block_length,
            n_resamples=n_resamples,
            seed=seed,
        )
        rows.append(
            {
                "test": LEDOIT_WOLF,
                **names,
                "statistic": robust.z,
                "p_two_sided": robust.p_two_sided,
                "p_beats": robust.p_beats,
                "block_length": robust.block_length,
                "note": SAME_NOTE if math.isnan(robust.z) else "",
            }
        )
    rows += _forecast_rows(forecasts) if forecasts is not None else []
    return _corrected(rows)


def _forecast_rows(forecasts: ForecastLosses) -> list[dict[str, object]]:
    unknown = [name for name in forecasts.against if name not in forecasts.losses]
    if unknown:
        raise DataError("no such forecaster to compare with", column=unknown[0])
    rows: list[dict[str, object]] = []
    for subject, other in pairs_against(list(forecasts.losses), forecasts.against):
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
    numbers = ["statistic", *(name for name in COLUMNS if name.startswith("p_"))]
    table = table.astype(dict.fromkeys(numbers, "float64"))
    table = table.astype({"block_length": "Int64", "n": "int64"})
    if rows:
        raw = table["p_two_sided"].to_numpy()
        table["p_holm"] = multipletests(raw, method="holm")[1]
        table["p_fdr"] = multipletests(raw, method="fdr_bh")[1]
    return table
