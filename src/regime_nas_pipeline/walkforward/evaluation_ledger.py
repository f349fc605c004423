"""The ledger of evaluations: whatever was ever traded out of sample, and what it earned there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.cache import content_hash
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.search.ledger import hash_of_closes
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.parameters import Portfolio, Universe, WalkForward

REFERENCE = "equal_weight"
"""Strategy that chooses nothing, whose returns stand beside those of its run."""

WHOLE_RUN = "walk_forward_evaluation"
"""Pipeline that evaluates the strategies of a run; a row that names no origin comes from it."""

EVALUATION_TYPES = {
    "evaluation_id": "string",
    "reference_id": "string",
    "strategy": "string",
    "variant": "string",
    "seed": "Int64",
    "closes_hash": "string",
    "settings_hash": "string",
    "cost_bps": "float64",
    "first": "string",
    "last": "string",
    "origin": "string",
    "env": "string",
    "run_id": "string",
    "git_sha": "string",
}
"""Plain columns; beside them ``dates`` and ``returns`` hold lists.

``variant`` is what an experiment changed in the forecaster, blank where nothing was. ``seed`` is
blank for a strategy and the number of the seed, from 1, for what one seed of a network earned
alone. The last four say which pipeline, in which run, evaluated it first.
"""

LATER_COLUMNS = ("variant", "origin")
"""Columns that rows of the first ledgers lack: no experiment wrote to those."""


class Whose(NamedTuple):
    """Whose returns a row of the ledger holds; as :data:`EVALUATION_TYPES`, None for blank."""

    strategy: str
    seed: int | None = None
    variant: str | None = None


@dataclass(frozen=True, eq=False)
class VariantReturns:
    """What the variants of an experiment earned out of sample.

    Attributes:
        net: Whose they are to simple returns per bar net of costs, by date.
        equal_weight: Those of the portfolio that chooses nothing, by the same rules.
    """

    net: Mapping[Whose, pd.Series]
    equal_weight: pd.Series


def hash_of_evaluated_closes(market: Market, folds: list[Fold]) -> str:
    """Hash of dates, assets and closes from the first decision on.

    Two evaluations with the same hash could have earned the same returns on the same days, however
    much history their forecasters had learned from.

    Args:
        market: Prices to the end of the sample.
        folds: Their first decision is where the evaluation begins.
    """
    return hash_of_closes(market.slice(market.position(folds[0].decisions[0]), len(market.dates)))


def hash_of_settings(
    universe: Universe, walk_forward: WalkForward, portfolio: Portfolio, seed: int
) -> str:
    """Hash of the parameters that decide what is traded when, by which rules, from which seed."""
    blocks = (universe, walk_forward, portfolio)
    return content_hash(*(block.model_dump(mode="json") for block in blocks), seed)


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
    return _rows(
        series_of(strategy_returns, seed_returns),
        strategy_returns.index,
        origin=WHOLE_RUN,
        closes_hash=closes_hash,
        settings_hash=settings_hash,
        cost_bps=cost_bps,
        run_facts=run_facts,
    )


def variant_rows(
    returns: VariantReturns,
    *,
    origin: str,
    closes_hash: str,
    settings_hash: str,
    cost_bps: float,
    run_facts: Mapping[str, Any],
) -> pd.DataFrame:
    """An experiment's variants as ledger rows: equal weight, then a row per variant and seed.

    Variants trade the bars that strategies of a whole run trade, so that each of them is one more
    look at these bars. Their equal weight is that of a whole run with the same settings, and has
    its name.

    Args:
        returns: What they earned.
        origin: Pipeline of the experiment.
        closes_hash: As for :func:`evaluation_rows`, like the next three.
        settings_hash: Of the parameters that decide how it was traded.
        cost_bps: One-way cost.
        run_facts: ``env``, ``run_id`` and ``git_sha`` of the run.

    Returns:
        Columns as :data:`EVALUATION_TYPES`, and ``dates`` and ``returns``.

    Raises:
        DataError: A variant was not traded on the dates of equal weight.
    """
    dates = returns.equal_weight.index
    for whose, net in returns.net.items():
        if not net.index.equals(dates):
            raise DataError(
                f"variant '{whose.variant}' of {whose.strategy} was not traded on the dates of "
                f"'{REFERENCE}'",
                source=origin,
                remedy=f"run the pipeline {origin} again.",
            )
    return _rows(
        {
            Whose(REFERENCE): returns.equal_weight.to_numpy(dtype=float),
            **{whose: net.to_numpy(dtype=float) for whose, net in returns.net.items()},
        },
        dates,
        origin=origin,
        closes_hash=closes_hash,
        settings_hash=settings_hash,
        cost_bps=cost_bps,
        run_facts=run_facts,
    )


def _rows(
    series: Mapping[Whose, np.ndarray],
    dates: pd.Index,
    *,
    origin: str,
    closes_hash: str,
    settings_hash: str,
    cost_bps: float,
    run_facts: Mapping[str, Any],
) -> pd.DataFrame:
    stamps = [date.isoformat() for date in dates]
    ids = {
        whose: evaluation_id(whose, closes_hash, settings_hash, stamps, values)
        for whose, values in series.items()
    }
    rows = [
        {
            "evaluation_id": ids[whose],
            "reference_id": ids[Whose(REFERENCE)],
            "strategy": whose.strategy,
            "variant": whose.variant,
            "seed": whose.seed,
            "closes_hash": closes_hash,
            "settings_hash": settings_hash,
            "cost_bps": cost_bps,
            "first": stamps[0],
            "last": stamps[-1],
            "origin": origin,
            **{key: run_facts.get(key) for key in ("env", "run_id", "git_sha")},
            "dates": stamps,
            "returns": values.tolist(),
        }
        for whose, values in series.items()
    ]
    return pd.DataFrame(rows).astype(EVALUATION_TYPES)


def series_of(
    strategy_returns: pd.DataFrame, seed_returns: pd.DataFrame
) -> dict[Whose, np.ndarray]:
    """Returns of every strategy and of every seed, each (T,).

    Raises:
        DataError: A seed has other dates than the strategies.
    """
    found = {
        Whose(str(name)): values.to_numpy(dtype=float) for name, values in strategy_returns.items()
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
        found[Whose(str(name), int(seed))] = table["net"].to_numpy(dtype=float)
    return found


def evaluation_id(
    whose: Whose, closes_hash: str, settings_hash: str, dates: list[str], returns: np.ndarray
) -> str:
    """What names an evaluation for good: a hash of everything in it that says what was tried."""
    # A variant stands last and only where there is one: rows from before variants keep their names.
    identity = [whose.strategy, whose.seed, closes_hash, settings_hash, dates]
    if whose.variant is not None:
        identity.append(whose.variant)
    return content_hash(identity, np.asarray(returns, dtype=float))[:32]
