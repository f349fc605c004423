"""Every forecaster of the attention guide in every fold, and how far apart folds lie by chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.statistics import known_returns
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.exposure.engine import Terms
from regime_nas_pipeline.portfolio.exposure.results import (
    ExposureResults,
    excess_returns,
)
from regime_nas_pipeline.portfolio.exposure.rules import BUY_AND_HOLD
from regime_nas_pipeline.portfolio.metrics import performance
from regime_nas_pipeline.verdict.accuracy import forecast_accuracy
from regime_nas_pipeline.verdict.trials.probabilistic_sharpe import sharpe_moments
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.guide_published import published_range, range_row
from regime_nas_pipeline.walkforward.guide_strategy import n_trades

_STILL = 1e-14


def fold_table(
    market: Market,
    folds: Sequence[Fold],
    means: Mapping[str, pd.Series],
    results: ExposureResults,
    terms: Terms,
    *,
    level: float,
) -> pd.DataFrame:
    """Every forecaster in every fold.

    Args:
        market: One asset.
        folds: Who was trained when.
        means: Forecaster to forecasts by decision date.
        results: What they earned, buy and hold among them.
        terms: What they earned it under.
        level: Coverage of the intervals of Sharpe ratios.

    Returns:
        One row per model and fold, buy and hold included: model, fold, train_start, train_end,
        first_bar and last_bar (earned), n (bars); r2_zero and hit_rate of the forecasts, blank
        for buy and hold; up_share, the share of bars that rose; sharpe_gross and sharpe_net
        above cash, a year, with low and high around the net one (blank where nothing was held);
        total_return and max_drawdown, net; trades (buys and sales) and exposure
        (share of the bars held).
    """
    target = market.target(1, terms.execution_lag)[:, 0]
    rows = []
    for name, path in results.paths.items():
        for fold in folds:
            bars = path.bars[path.bars["decided_on"].isin(fold.decisions)]
            realised = target[market.dates.get_indexer(fold.decisions)]
            said = means[name].reindex(fold.decisions).to_numpy() if name in means else None
            rows.append(
                {
                    "model": name,
                    "fold": fold.number,
                    "train_start": fold.train_start,
                    "train_end": fold.train_end,
                    "first_bar": bars.index[0],
                    "last_bar": bars.index[-1],
                    "n": len(bars),
                    **_skill(said, realised),
                    "up_share": float((realised > 0.0).mean()),
                    **_earned(bars, terms, level),
                }
            )
    return pd.DataFrame(rows)


def _skill(said: np.ndarray | None, realised: np.ndarray) -> dict[str, float]:
    if said is None:
        return {"r2_zero": math.nan, "hit_rate": math.nan}
    nothing = np.zeros((len(said), 1))
    r2 = forecast_accuracy(said[:, None], realised[:, None], nothing)["r2_zero"]
    sides = (said != 0.0) & (realised != 0.0)
    hits = np.sign(said[sides]) == np.sign(realised[sides])
    return {
        "r2_zero": math.nan if r2 is None else float(r2),
        "hit_rate": float(hits.mean()) if hits.size else math.nan,
    }


def _earned(bars: pd.DataFrame, terms: Terms, level: float) -> dict[str, float]:
    excess = excess_returns(bars[["gross", "net"]], terms.cash_rate, terms.bars_per_year)
    if not bars["exposure"].any():
        # The sale of what the fold before held is no strategy of this one.
        excess = 0.0 * excess
    net = sharpe_interval(excess["net"], terms.bars_per_year, level)
    figures = performance(bars["net"], bars_per_year=terms.bars_per_year, risk_free=0.0)
    fall = figures["max_drawdown"]
    return {
        "sharpe_gross": sharpe_interval(excess["gross"], terms.bars_per_year, level)[0],
        "sharpe_net": net[0],
        "low": net[1],
        "high": net[2],
        "total_return": float(np.prod(1.0 + bars["net"].to_numpy()) - 1.0),
        "max_drawdown": math.nan if fall is None else fall,
        "trades": n_trades(bars),
        "exposure": float(bars["exposure"].mean()),
    }


def sharpe_interval(
    excess: pd.Series, bars_per_year: int, level: float
) -> tuple[float, float, float]:
    """Yearly Sharpe ratio of excess returns and its interval; blank where nothing moves.

    The error is that of independent returns with the skewness and fat tails that were seen:
    √((1 - γ₃ SR + (γ₄ - 1) SR² / 4) / (n - 1)) per bar.

    Args:
        excess: Simple returns above cash per bar, (T,).
        bars_per_year: Bars in a year.
        level: Coverage.

    Source: Mertens, E. (2002). Comments on Variance of the IID Estimator in Lo (2002).
    """
    values = known_returns(excess)
    if len(values) < 3 or np.ptp(values) <= _STILL:
        return math.nan, math.nan, math.nan
    moments = sharpe_moments(excess)
    year = math.sqrt(bars_per_year)
    try:
        error = math.sqrt(moments.variance / (moments.n - 1))
    except DataError:  # returns of two values have no error
        return moments.sharpe * year, math.nan, math.nan
    half = float(norm.ppf(0.5 + level / 2.0)) * error
    return moments.sharpe * year, (moments.sharpe - half) * year, (moments.sharpe + half) * year


def skill_table(folds: pd.DataFrame) -> pd.DataFrame:
    """How good the forecasts of every model were, over all folds.

    Args:
        folds: As :func:`fold_table` returns them.

    Returns:
        One row per model but buy and hold: model, n_folds, n_better (folds in which the forecasts
        were better than expecting no change), median_r2_zero, hit_rate and up_share (shares of
        all bars with a right sign, and of those that rose).
    """
    rows = [
        {
            "model": str(name),
            "n_folds": len(own),
            "n_better": int((own["r2_zero"] > 0.0).sum()),
            "median_r2_zero": float(own["r2_zero"].median()),
            "hit_rate": _share(own, "hit_rate"),
            "up_share": _share(own, "up_share"),
        }
        for name, own in folds[folds["model"] != BUY_AND_HOLD].groupby("model", sort=False)
    ]
    return pd.DataFrame(rows)


def _share(folds: pd.DataFrame, column: str) -> float:
    known = folds.dropna(subset=[column])
    return float(np.average(known[column], weights=known["n"])) if len(known) else math.nan


def effect_table(tests: pd.DataFrame, level: float) -> pd.DataFrame:
    """Whether each model can be told from buy and hold by every test of Sharpe ratios.

    Args:
        tests: As :func:`~.exposures.exposure_tests` returns them.
        level: Below it a p-value after Holm's correction counts.

    Returns:
        One row per model: model, difference (of yearly Sharpe ratios), p_holm (the largest; blank
        where a test could not be made) and effect: better, worse or open.
    """
    rows = []
    for name, own in tests.groupby("subject", sort=False):
        difference = float(own["difference"].iloc[0])
        largest = float(own["p_holm"].max(skipna=False))
        effect = "better" if difference > 0.0 else "worse"
        told = effect if largest < level else "open"
        rows.append(
            {"model": str(name), "difference": difference, "p_holm": largest, "effect": told}
        )
    return pd.DataFrame(rows, columns=["model", "difference", "p_holm", "effect"])


def range_table(folds: pd.DataFrame, bars_per_year: int) -> pd.DataFrame:
    """How far apart the folds' net Sharpe ratios lie, and how far chance alone puts them.

    Folds that are shorter than the first, as the last may be, and folds in which nothing was
    held are left out.

    Args:
        folds: As :func:`fold_table` returns them.
        bars_per_year: Bars in a year.

    Returns:
        One row per model, and one for what was published: model, n_folds, fold_bars, lowest,
        highest, mean, median, range, chance_range (mean range if all folds had the same true
        ratio) and p_value (of a range at least so wide then).
    """
    whole = folds[folds["n"] == folds["n"].max()]
    rows = []
    for name, own in whole.groupby("model", sort=False):
        sharpes = own["sharpe_net"].dropna().to_numpy()
        rows.append(range_row(str(name), sharpes, float(own["n"].iloc[0]), bars_per_year))
    return pd.DataFrame([*rows, published_range()])
