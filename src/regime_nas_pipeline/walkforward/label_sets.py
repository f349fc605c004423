"""Labels of several labellers in one tidy table, and what a whole set of labellers says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from tqdm import tqdm

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.regimes.base import Labeller
from regime_nas_pipeline.regimes.schedule import label_walk

COLUMNS = ("labeller", "date", "regime", "probability")


@dataclass(frozen=True)
class LabellerPlan:
    """A labeller of a set.

    Attributes:
        labeller: Prototype; it stays unfitted.
        n_regimes: As in :func:`~regime_nas_pipeline.regimes.schedule.label_walk`.
    """

    labeller: Labeller
    n_regimes: int | Literal["auto"] | None = None


@dataclass(frozen=True, eq=False)
class LabelSet:
    """What a set of labellers said, tidy.

    Attributes:
        online: Labeller, date, regime, probability, as known at the close of the date.
        hindsight: The same of models fitted on the whole market; nothing that trades may read it.
        refits: One row per labeller, fit, regime and parameter of its signature: labeller, date,
            first_bar, n_regimes, permutation, switched_by_refit, share_relabelled, and regime,
            parameter, value (blank for a labeller without a signature).
        facts: Labeller to its class, its regimes, and the criterion of each number of regimes
            where the number was chosen.
    """

    online: pd.DataFrame
    hindsight: pd.DataFrame
    refits: pd.DataFrame
    facts: dict[str, Any]


def stacked(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Labeller to date x regime, as one tidy table of :data:`COLUMNS`."""
    parts = []
    for name, table in tables.items():
        flat = table.rename_axis(index="date").reset_index()
        tidy = flat.melt("date", var_name="regime", value_name="probability")
        parts.append(tidy.assign(labeller=name))
    if not parts:
        raise DataError("there are no labels", remedy="name at least one labeller.")
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]


def unstacked(tidy: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Labeller to date x regime, from :func:`stacked`; regimes keep their order."""
    tables = {}
    for name, rows in tidy.groupby("labeller", sort=False):
        wide = rows.pivot(index="date", columns="regime", values="probability")
        order = list(pd.unique(rows["regime"]))
        tables[str(name)] = wide[order].rename_axis(columns=None)
    return tables


def refit_tables(refits: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Labeller to one row per fit, from ``LabelSet.refits``."""
    facts = ["date", "first_bar", "n_regimes", "permutation", "switched_by_refit"]
    facts.append("share_relabelled")
    return {
        str(name): rows.drop_duplicates("date")[facts].reset_index(drop=True)
        for name, rows in refits.groupby("labeller", sort=False)
    }


def walk_labellers(
    market: Market,
    plans: Mapping[str, LabellerPlan],
    *,
    burn_in: int,
    refit_every: int,
    freeze_after: dt.date | None = None,
) -> LabelSet:
    """Let every labeller label online, and look back with hindsight.

    Args:
        market: Prices.
        plans: Name to labeller.
        burn_in: Bars before the first fit of each.
        refit_every: Bars from one fit to the next.
        freeze_after: Last date at which a fit may happen; None for no such date.

    Raises:
        ParameterError: See :func:`~regime_nas_pipeline.regimes.schedule.label_walk`.
        DataError: Likewise.
    """
    online, hindsight, refits, facts = {}, {}, [], {}
    with tqdm(plans.items(), desc="labellers", unit="labeller") as bar:
        for name, plan in bar:
            bar.set_postfix_str(name)
            walk = label_walk(
                market,
                plan.labeller,
                burn_in=burn_in,
                refit_every=refit_every,
                freeze_after=freeze_after,
                n_regimes=plan.n_regimes,
            )
            online[name] = walk.labels
            hindsight[name] = walk.labellers[-1].predict_hindsight(market)
            refits.append(_tidy_refits(name, walk.refits))
            facts[name] = {
                "class": f"{type(plan.labeller).__module__}.{type(plan.labeller).__qualname__}",
                "regimes": list(map(str, walk.labels.columns)),
                "criteria": {str(count): value for count, value in walk.criteria.items()},
            }
    return LabelSet(
        stacked(online), stacked(hindsight), pd.concat(refits, ignore_index=True), facts
    )


def _tidy_refits(name: str, refits: pd.DataFrame) -> pd.DataFrame:
    """Signature columns such as ``calm.volatility`` as rows."""
    signature = [str(column) for column in refits.columns if "." in str(column)]
    facts = refits.drop(columns=signature).assign(labeller=name)
    if not signature:
        return facts.assign(regime=None, parameter=None, value=float("nan"))
    tidy = refits[["date", *signature]].melt("date", var_name="key", value_name="value")
    parts = tidy["key"].str.split(".", n=1, expand=True)
    named = tidy.drop(columns="key").assign(regime=parts[0], parameter=parts[1])
    return facts.merge(named, on="date", validate="one_to_many")
