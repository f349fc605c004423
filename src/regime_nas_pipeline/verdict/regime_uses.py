"""Does any use of regime labels help by more than chance? All differences in one family."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.parallel import parallel_map
from regime_nas_pipeline.core.statistics import annual_sharpe, per_bar_rate
from regime_nas_pipeline.verdict.ablation import (
    BETTER,
    NONE,
    UNKNOWN,
    WORSE,
    compare_variants,
)
from regime_nas_pipeline.verdict.comparison.ledoit_wolf import ledoit_wolf

NO_LABELS, SHUFFLED = "none", "shuffled"
"""In place of a labeller: no labels at all, and labels at bars that are not theirs."""

CONTROLS = (NO_LABELS, SHUFFLED)

PAIRED, ROBUST = "paired_t", "ledoit_wolf"
"""Tests over seeds of a network, and over bars of a strategy."""

COLUMNS = (
    "use",
    "labels",
    "way",
    "strategy",
    "test",
    "plain",
    "changed",
    "difference",
    "low",
    "high",
    "p_value",
    "p_holm",
    "n",
    "effect",
)
"""Columns of :func:`compare_uses`."""

_KEYS = ["use", "labels", "way", "strategy"]


def compare_uses(
    returns: pd.DataFrame,
    plain: pd.DataFrame,
    supervised: pd.DataFrame,
    *,
    supervision: tuple[str, str, str],
    risk_free: float,
    bars_per_year: int,
    level: float,
    n_resamples: int,
    seed: int,
    n_jobs: int = 1,
) -> pd.DataFrame:
    """Yearly Sharpe ratio of every use of labels minus that of the same strategy without it.

    What was traded on the same forecasts is tested bar by bar (Ledoit and Wolf 2008), with the
    normal interval of the same robust standard error. What was trained again is tested over
    seeds, pair by pair (Student). Holm's correction is over all rows.

    Args:
        returns: Tidy: use, labels, way, strategy, date, net.
        plain: Date x strategy, net returns of the strategies as they were.
        supervised: Tidy: variant, seed, metric, value; :data:`NO_LABELS` among the variants.
        supervision: Use, way and strategy that the variants are listed under.
        risk_free: Simple yearly rate.
        bars_per_year: Bars in a year.
        level: Of the intervals; 1 - level is the size of the tests.
        n_resamples: Of the bootstrap.
        seed: Of its blocks; every pair sees the same ones.
        n_jobs: Processes.

    Returns:
        One row per use, :data:`COLUMNS`: the yearly Sharpe ratios ``plain`` and ``changed`` (over
        seeds their means) and ``difference``; ``n`` bars or seeds; ``effect`` is ``better``,
        ``worse``, ``none`` or, where nothing can be tested, ``unknown``.

    Raises:
        DataError: There is no plain strategy of that name, or dates differ.
        ParameterError: So few resamples that no difference whatever could be found.

    Source: Ledoit, O. and Wolf, M. (2008). Robust Performance Hypothesis Testing with the Sharpe
    Ratio. Journal of Empirical Finance 15(5); Holm, S. (1979). A simple sequentially rejective
    multiple test procedure. Scandinavian Journal of Statistics 6(2).
    """
    groups = [(key, rows) for key, rows in returns.groupby(_KEYS, sort=False)]
    trained = _trained_rows(supervised, supervision, level)
    refuse_too_few_resamples(len(groups) + len(trained), n_resamples, level)
    how = _Robust(risk_free, bars_per_year, level, n_resamples, seed)
    tasks = []
    for key, rows in groups:
        strategy = str(key[-1])
        if strategy not in plain:
            raise DataError("there is no such strategy in the run", column=strategy)
        own = pd.Series(rows["net"].to_numpy(), index=pd.DatetimeIndex(rows["date"]))
        tasks.append((own, plain[strategy], how))
    tested = parallel_map(
        _robust, tasks, n_jobs=n_jobs, description="regime uses: test", unit="test"
    )
    traded = [
        {**dict(zip(_KEYS, key, strict=True)), "test": ROBUST, **found}
        for (key, _), found in zip(groups, tested, strict=True)
    ]
    return _with_holm(pd.DataFrame([*traded, *trained], columns=list(COLUMNS)), level)


def refuse_too_few_resamples(n_tests: int, n_resamples: int, level: float) -> None:
    """Refuse a bootstrap whose smallest p-value is no finding after Holm's correction.

    Raises:
        ParameterError: Says how many resamples are needed.
    """
    size = 1.0 - level
    if n_tests / (n_resamples + 1.0) >= size:
        raise ParameterError(
            f"regime_uses.resamples is {n_resamples}: no p-value is below 1/{n_resamples + 1}, "
            f"which Holm's correction for {n_tests} tests lifts above {size:.2g}, so that nothing "
            f"could be found. Set at least {math.ceil(n_tests / size)}."
        )


@dataclass(frozen=True)
class _Robust:
    """How two return series are tested."""

    risk_free: float
    bars_per_year: int
    level: float
    n_resamples: int
    seed: int


def _robust(own: pd.Series, plain: pd.Series, how: _Robust) -> dict[str, float]:
    plain = plain.set_axis(pd.DatetimeIndex(plain.index))
    rate = per_bar_rate(how.risk_free, how.bars_per_year)
    test = ledoit_wolf(own, plain, rate, n_resamples=how.n_resamples, seed=how.seed)
    yearly = math.sqrt(how.bars_per_year)
    half = float(norm.ppf(0.5 + how.level / 2.0)) * test.standard_error * yearly
    ratios = [
        annual_sharpe(each, bars_per_year=how.bars_per_year, risk_free=how.risk_free)
        for each in (plain, own)
    ]
    before, after = (math.nan if ratio is None else ratio for ratio in ratios)
    difference = after - before
    return {
        "plain": before,
        "changed": after,
        "difference": difference,
        "low": difference - half,
        "high": difference + half,
        "p_value": math.nan if math.isnan(difference) else test.p_two_sided,
        "n": test.n,
    }


def _trained_rows(
    supervised: pd.DataFrame, supervision: tuple[str, str, str], level: float
) -> list[dict[str, Any]]:
    use, way, strategy = supervision
    rows = compare_variants(
        supervised[supervised["metric"] == "sharpe"], reference=NO_LABELS, level=level
    )
    kept = rows.rename(
        columns={"variant": "labels", "full": "plain", "mean": "changed", "n_seeds": "n"}
    ).assign(use=use, way=way, strategy=strategy, test=PAIRED)
    found: list[dict[str, Any]] = [
        {str(key): value for key, value in row.items() if key in COLUMNS}
        for row in kept.to_dict("records")
    ]
    return found


def _with_holm(table: pd.DataFrame, level: float) -> pd.DataFrame:
    known = table["p_value"].notna()
    table["p_holm"] = np.nan
    if known.any():
        raw = table.loc[known, "p_value"].to_numpy(float)
        table.loc[known, "p_holm"] = multipletests(raw, method="holm")[1]
    sure = known & (table["p_holm"] < 1.0 - level)
    table["effect"] = np.where(known, NONE, UNKNOWN)
    table.loc[sure & (table["difference"] > 0.0), "effect"] = BETTER
    table.loc[sure & (table["difference"] < 0.0), "effect"] = WORSE
    return table


def compare_supervision(results: pd.DataFrame, *, level: float) -> pd.DataFrame:
    """Every measure of the networks trained again, against no labels and against shuffled ones.

    Args:
        results: Tidy: variant, seed, metric, value.
        level: Of the intervals; 1 - level is the size of the tests.

    Returns:
        ``against`` and the columns of
        :func:`~regime_nas_pipeline.verdict.ablation.compare_variants`; Holm's correction is over
        the variants of a measure, separately against each.

    Raises:
        DataError: One of the two is not among the variants.
    """
    plain = compare_variants(results, reference=NO_LABELS, level=level)
    labelled = results[results["variant"] != NO_LABELS]
    control = compare_variants(labelled, reference=SHUFFLED, level=level)
    tables = [plain.assign(against=NO_LABELS), control.assign(against=SHUFFLED)]
    return pd.concat(tables, ignore_index=True)


def summarise_uses(comparison: pd.DataFrame) -> pd.DataFrame:
    """Differences over strategies, one row per use, labels and way.

    Args:
        comparison: What :func:`compare_uses` returns.

    Returns:
        use, labels, way, n, mean, lowest, highest, least_p (Holm's smallest), better and worse.
    """
    grouped = comparison.groupby(_KEYS[:3], sort=False)
    return grouped.agg(
        n=("difference", "size"),
        mean=("difference", "mean"),
        lowest=("difference", "min"),
        highest=("difference", "max"),
        least_p=("p_holm", "min"),
        better=("effect", lambda effects: int((effects == BETTER).sum())),
        worse=("effect", lambda effects: int((effects == WORSE).sum())),
    ).reset_index()


def closing_line(table: Mapping[str, Any]) -> str:
    """What was found, in the sentences of the headline."""
    return str(table["headline"])
