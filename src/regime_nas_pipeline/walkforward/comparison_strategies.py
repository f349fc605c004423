"""Search strategies at equal budget: what they find, by validation and out of sample."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache, content_hash
from regime_nas_pipeline.core.parallel import parallel_map
from regime_nas_pipeline.forecasters.oracle import OracleForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.search.ledger import LEDGER_COLUMNS, ledger_rows
from regime_nas_pipeline.search.outer import best_trial, trial_seed
from regime_nas_pipeline.walkforward.building import Shared
from regime_nas_pipeline.walkforward.candidates import validation_dates
from regime_nas_pipeline.walkforward.comparison_beds import (
    Bed,
    fitted_r2,
    planted_bed,
    prices_bed,
    task_on,
)
from regime_nas_pipeline.walkforward.comparison_parameters import SearchComparison
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.forecasts import market_content
from regime_nas_pipeline.walkforward.parameters import Compute
from regime_nas_pipeline.walkforward.tuning import task_hash, tune

_COLUMNS = {
    "bed": "string",
    "seed": "int64",
    "strategy": "string",
    "score": "float64",
    "r2": "float64",
    "r2_oracle": "float64",
    "gradient_samples": "int64",
    "seconds": "float64",
}
_SERIES = ("validation_dates", "validation_returns")


def contest_beds(
    market: Market, folds: Sequence[Fold], settings: SearchComparison, shared: Shared
) -> list[Bed]:
    """Every bed of the contest, one for each seed."""
    beds = []
    for name in settings.contest.beds:
        for number in range(settings.contest.seeds):
            if name == "planted":
                beds.append(planted_bed(settings, number, shared.compute))
            else:
                fraction = settings.validation_fraction
                beds.append(
                    prices_bed(market, folds, shared, number=number, validation_fraction=fraction)
                )
    return beds


def run_contest(
    beds: Sequence[Bed], settings: SearchComparison, compute: Compute, cache: PieceCache
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Search with every contender on every bed, and judge what each finds.

    Args:
        beds: See :func:`contest_beds`.
        settings: Contenders, budget and spaces.
        compute: Seed and processes.
        cache: Where finished searches are kept, and trials of unfinished ones.

    Returns:
        One row per bed, seed and contender (``bed``, ``seed``, ``strategy``, ``score``, ``r2``,
        ``r2_oracle``, ``gradient_samples``, ``seconds``), and the ledger rows of all trials.
    """
    names = list(settings.contest.contenders)
    found = parallel_map(
        search_once,
        [(bed, name, settings, compute, cache) for bed in beds for name in names],
        n_jobs=compute.n_jobs,
        description="strategies",
        unit="search",
    )
    best = {(bed.name, bed.number): oracle_r2(bed, settings) for bed in beds}
    rows = [
        {**facts["row"], "r2_oracle": best[facts["row"]["bed"], facts["row"]["seed"]]}
        for facts in found
    ]
    trials = [row for facts in found for row in facts["trials"]]
    # In one order of columns, whether a search was made now or kept.
    table = pd.DataFrame(rows)[list(_COLUMNS)].astype(_COLUMNS)
    ledger = pd.DataFrame(trials)[[*LEDGER_COLUMNS, *_SERIES]].astype(LEDGER_COLUMNS)
    return table, ledger


def search_once(
    bed: Bed, name: str, settings: SearchComparison, compute: Compute, cache: PieceCache
) -> dict[str, Any]:
    """One search, its best candidate fitted and judged; kept when finished.

    Returns:
        ``row`` of the comparison and ``trials``, ledger rows as JSON values.
    """
    contest = settings.contest
    contender = contest.contenders[name]
    family = contest.families[contender.family]
    search = contest.search(contender, settings.validation_fraction)
    task = task_on(bed, family, search)
    seed = trial_seed(compute.seed, bed.number)

    def make() -> Bundle:
        started = time.perf_counter()
        trials, search_id = tune(task, family.space, seed=seed, cache=cache, n_jobs=1)
        best = best_trial(trials)
        row = {
            "bed": bed.name,
            "seed": bed.number,
            "strategy": name,
            "score": best.outcome.score,
            "r2": fitted_r2(bed, task, best.outcome.parameters, contest, seed),
            "gradient_samples": sum(trial.outcome.gradient_samples for trial in trials),
            "seconds": time.perf_counter() - started,
        }
        rows = ledger_rows(
            trials,
            search_id=search_id,
            forecaster=f"{bed.name}.{contender.family}",
            strategy=name,
            dates=validation_dates(task),
        )
        return Bundle({}, {"row": row, "trials": rows.to_dict(orient="records")})

    key = content_hash(
        "contest",
        task_hash(task),
        name,
        {key: each.model_dump(mode="json") for key, each in family.space.items()},
        contest.fit_budget,
        bed.name,
        bed.number,
        [date.isoformat() for date in bed.decisions],
        *market_content(bed.market),
    )
    return cache.get_or_make(key, make).facts


def oracle_r2(bed: Bed, settings: SearchComparison) -> float | None:
    """Out-of-sample R² of the best possible forecast; None where nobody knows it."""
    if bed.name != "planted":
        return None
    market = settings.market
    oracle = OracleForecaster(
        horizon=bed.arguments["horizon"],
        execution_lag=bed.arguments["execution_lag"],
        phi=market.phi,
        stay=market.stay,
        volatility=market.volatility,
        volatile_ratio=market.volatile_ratio,
    ).fit(bed.known)
    return bed.r2(oracle.predict(bed.market, bed.decisions).mean)


def contest_summary(table: pd.DataFrame) -> pd.DataFrame:
    """One line per bed and strategy: medians over seeds, ranges, and how often it came first.

    Args:
        table: Of :func:`run_contest`.

    Returns:
        ``bed``, ``strategy``, ``score`` and ``r2`` (medians), ``r2_low`` and ``r2_high`` (range
        over seeds), ``r2_margin`` (median of the paired differences to ``random``, where there
        is one), ``wins`` (seeds with the highest R²), ``seeds``, ``gradient_samples`` and
        ``seconds`` (means); the highest median R² of each bed first.
    """
    rows = []
    for (bed, strategy), own in table.groupby(["bed", "strategy"], sort=False):
        others = table[table["bed"] == bed]
        wide = others.pivot_table(index="seed", columns="strategy", values="r2", dropna=False)
        margin = np.nan
        if "random" in wide:
            margin = float((wide[strategy] - wide["random"]).median())
        rows.append(
            {
                "bed": bed,
                "strategy": strategy,
                "score": own["score"].median(),
                "r2": own["r2"].median(),
                "r2_low": own["r2"].min(),
                "r2_high": own["r2"].max(),
                "r2_margin": margin,
                "wins": int((wide[strategy] >= wide.max(axis=1)).sum()),
                "seeds": len(own),
                "gradient_samples": int(own["gradient_samples"].mean()),
                "seconds": own["seconds"].mean(),
            }
        )
    return pd.DataFrame(rows).sort_values(
        ["bed", "r2"], ascending=[True, False], kind="stable", ignore_index=True
    )


def contest_leaders(summary: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Who came first on each bed, as JSON values.

    Args:
        summary: Of :func:`contest_summary`.

    Returns:
        Bed to ``first``, its median ``r2``, ``wins``, ``seeds`` and ``random_r2``, the median of
        ``random`` or None where it did not take part.
    """
    said = {}
    for bed, own in summary.groupby("bed", sort=False):
        first = own.iloc[0]
        random = own.loc[own["strategy"] == "random", "r2"].tolist()
        said[str(bed)] = {
            "first": str(first["strategy"]),
            "r2": float(first["r2"]),
            "random_r2": float(random[0]) if random else None,
            "wins": int(first["wins"]),
            "seeds": int(first["seeds"]),
        }
    return said
