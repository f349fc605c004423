"""The ledger of evaluations: what every strategy and every seed ever earned out of sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.cache import content_hash
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.search.ledger import hash_of_closes
from regime_nas_pipeline.walkforward.folds import Fold

REFERENCE = "equal_weight"
"""Strategy that chooses nothing, whose returns stand beside those of its run."""

EVALUATION_TYPES = {
    "evaluation_id": "string",
    "reference_id": "string",
    "strategy": "string",
    "seed": "Int64",
    "closes_hash": "string",
    "settings_hash": "string",
    "cost_bps": "float64",
    "first": "string",
    "last": "string",
    "env": "string",
    "run_id": "string",
    "git_sha": "string",
}
"""Plain columns; beside them ``dates`` and ``returns`` hold lists.

``seed`` is blank for a strategy and the number of the seed, from 1, for what one seed of an
averaged network earned alone. The last three say which run evaluated it first.
"""


def hash_of_evaluated_closes(market: Market, folds: list[Fold]) -> str:
    """Hash of dates, assets and closes from the first decision on.

    Two evaluations with the same hash could have earned the same returns on the same days, however
    much history their forecasters had learned from.

    Args:
        market: Prices to the end of the sample.
        folds: Their first decision is where the evaluation begins.
    """
    return hash_of_closes(market.slice(market.position(folds[0].decisions[0]), len(market.dates)))


def evaluation_rows(
    strategy_returns: pd.DataFrame,
    seed_returns: pd.DataFrame,
    *,
    closes_hash: str,
    settings_hash: str,
    cost_bps: float,
    run_facts: Mapping[str, Any],
) -> pd.DataFrame:
    """One evaluation as ledger rows: a row per strategy, then one per seed.

    ``evaluation_id`` is a hash of whose returns they are, on which closes, by which settings, and
    of dates and returns: what was evaluated in the same way with the same result has the same one
    in every run, and whatever differs another. ``reference_id`` is that of the run's own equal
    weight, so that a lead over it can be taken whatever the costs of the run.

    Args:
        strategy_returns: Date x strategy, simple returns per bar net of costs.
        seed_returns: Tidy: date, forecaster, seed, net; on the same dates.
        closes_hash: See :func:`hash_of_evaluated_closes`.
        settings_hash: Of the parameters that decide how it was traded.
        cost_bps: One-way cost.
        run_facts: ``env``, ``run_id`` and ``git_sha`` of the run, as far as they are known.

    Returns:
        Columns as :data:`EVALUATION_TYPES`, and ``dates`` and ``returns``.

    Raises:
        DataError: The reference is not among the strategies, or seeds have other dates.
    """
    if REFERENCE not in strategy_returns:
        raise DataError(
            f"there is no strategy '{REFERENCE}' that others could be held against",
            source="strategy_returns",
        )
    dates = [date.isoformat() for date in strategy_returns.index]
    series = series_of(strategy_returns, seed_returns)
    ids = {
        (name, seed): evaluation_id(name, seed, closes_hash, settings_hash, dates, values)
        for (name, seed), values in series.items()
    }
    rows = [
        {
            "evaluation_id": ids[name, seed],
            "reference_id": ids[REFERENCE, None],
            "strategy": name,
            "seed": seed,
            "closes_hash": closes_hash,
            "settings_hash": settings_hash,
            "cost_bps": cost_bps,
            "first": dates[0],
            "last": dates[-1],
            **{key: run_facts.get(key) for key in ("env", "run_id", "git_sha")},
            "dates": dates,
            "returns": values.tolist(),
        }
        for (name, seed), values in series.items()
    ]
    return pd.DataFrame(rows).astype(EVALUATION_TYPES)


def series_of(
    strategy_returns: pd.DataFrame, seed_returns: pd.DataFrame
) -> dict[tuple[str, int | None], np.ndarray]:
    """Returns of every strategy (its name and None) and seed (forecaster and number), each (T,).

    Raises:
        DataError: A seed has other dates than the strategies.
    """
    found: dict[tuple[str, int | None], np.ndarray] = {
        (str(name), None): values.to_numpy(dtype=float) for name, values in strategy_returns.items()
    }
    for _, table in seed_returns.groupby(["forecaster", "seed"], sort=False):
        name, seed = (table[column].iloc[0] for column in ("forecaster", "seed"))
        if list(table["date"]) != list(strategy_returns.index):
            raise DataError(
                f"seed {seed} was not traded on the dates of the strategies",
                source="seed_returns",
                column=str(name),
                remedy="run the pipeline walk_forward_evaluation again.",
            )
        found[str(name), int(seed)] = table["net"].to_numpy(dtype=float)
    return found


def evaluation_id(
    strategy: str,
    seed: int | None,
    closes_hash: str,
    settings_hash: str,
    dates: list[str],
    returns: np.ndarray,
) -> str:
    """What names an evaluation for good: a hash of everything in it that says what was tried."""
    identity = [strategy, seed, closes_hash, settings_hash, dates]
    return content_hash(identity, np.asarray(returns, dtype=float))[:32]
