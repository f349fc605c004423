"""Fitted forecasters of an earlier run, restored where everything that they rest on is the same."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.forecasters.base import Forecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.walkforward.forecasts import plain_parameters
from regime_nas_pipeline.walkforward.market_hashes import closes_identity

_NO_MATTER = frozenset({"device"})
"""Arguments that change no forecast on purpose."""

_SHOWN = 3
"""Differences or assets that a message names before it counts the rest."""

_AGAIN = "run `kedro run`, so that the models are trained on what there is now"


@dataclass(frozen=True)
class Restored:
    """A fitted forecaster from a checkpoint.

    Attributes:
        forecaster: Ready to predict.
        fold: Number of the fold that it was fitted for.
        train_end: Last bar that it was fitted on.
        code: Hash of the code and libraries that fitted it.
    """

    forecaster: Forecaster
    fold: int
    train_end: pd.Timestamp
    code: str


def restore(name: str, checkpoints: Bundle, prototype: Forecaster, market: Market) -> Restored:
    """The newest fit that came before the last bar of ``market``.

    Args:
        name: Of the forecaster, for messages.
        checkpoints: Fitted state of every fold, see
            :class:`~regime_nas_pipeline.walkforward.forecasts.WalkForwardForecasts`.
        prototype: Made from the present parameters.
        market: Prices up to the bar that is forecast from.

    Raises:
        DataError: The checkpoints are of another forecaster, do not say what they were trained
            on, all came later, or were trained with other assets or on other closes.
    """
    source = f"{name}.checkpoints"
    _refuse_other_forecaster(source, checkpoints.facts, prototype)
    folds = checkpoints.facts["folds"]
    if any("closes" not in facts for facts in folds):
        raise DataError(
            "the checkpoints do not say on which closes they were trained: they were written by "
            "an earlier version",
            source=source,
            remedy=f"{_AGAIN}.",
        )
    ends = [pd.Timestamp(end) for end in checkpoints.facts["train_ends"]]
    last = market.dates[-1]
    earlier = [number for number, end in enumerate(ends) if end < last]
    if not earlier:
        raise DataError(
            f"every model was trained on bars up to {date_text(ends[0])} or later, which were not "
            "known yet",
            source=source,
            date=last,
            remedy="set forecast_now.as_of to a later day.",
        )
    fold = earlier[-1]
    _refuse_other_closes(source, folds[fold]["closes"], market.until(ends[fold]))
    state = Bundle(checkpoints.prefixed(f"fold{fold:02d}"), folds[fold])
    fitted = clone(prototype).from_bundle(state)
    return Restored(fitted, fold, ends[fold], str(checkpoints.facts["code"]))


def refuse_missing_prices(
    market: Market, since: pd.Timestamp, *, quoted: Collection[str], ended: Sequence[str]
) -> None:
    """Refuse a last bar without a price of an asset that had one when models were trained.

    Args:
        market: Prices up to the bar that is forecast from.
        since: Last bar that models were trained on.
        quoted: Assets for which the source itself has a close at the last bar; that of another
            one may have been carried forward.
        ended: Assets that are known to have no price any more.

    Raises:
        ParameterError: ``ended`` names an unknown asset, or one that has a price.
        DataError: A price is missing.
    """
    for name in ended:
        if name not in market.assets:
            near = difflib.get_close_matches(name, market.assets, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(market.assets)}."
            raise ParameterError(f"forecast_now.ended: there is no asset '{name}'; {hint}")
        if name in quoted:
            raise ParameterError(
                f"forecast_now.ended: '{name}' has a price at the last bar. Take it from the list."
            )
    recent = np.isfinite(market.close[market.dates >= since]).any(axis=0)
    for name, priced in zip(market.assets, recent, strict=True):
        if priced and name not in quoted and name not in ended:
            raise DataError(
                "the asset has no price at the last bar, and had one when the models were trained",
                source="prices",
                asset=name,
                date=market.dates[-1],
                remedy="bring its price, set forecast_now.as_of to a day on which all assets have "
                "one, or name it in forecast_now.ended where it is no longer traded.",
            )


def _refuse_other_forecaster(source: str, facts: Mapping[str, Any], asked: Forecaster) -> None:
    name = f"{type(asked).__module__}.{type(asked).__qualname__}"
    differences = _differences({"class": facts["class"]}, {"class": name})
    if not differences:
        differences = _differences(facts["parameters"], plain_parameters(asked))
    if differences:
        raise DataError(
            f"the models were trained with other parameters: {_shortened(differences, '; ')}",
            source=source,
            remedy=f"{_AGAIN}, or set the parameters as they were.",
        )


def _differences(kept: Mapping[str, Any], asked: Mapping[str, Any], place: str = "") -> list[str]:
    found = []
    for key in {**kept, **asked}:
        before, now = kept.get(key), asked.get(key)
        if key in _NO_MATTER:
            continue
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            found += _differences(before, now, f"{place}{key}.")
        elif before != now:
            found.append(f"{place}{key} was {json.dumps(before)} and is {json.dumps(now)}")
    return found


def _refuse_other_closes(source: str, kept: Mapping[str, Any], known: Market) -> None:
    now = closes_identity(known)
    missing = sorted(set(kept["assets"]) - set(now["assets"]))
    if missing:
        raise DataError(
            f"the models were trained with {len(missing)} assets that the data lack: "
            f"{_shortened(missing)}",
            source=source,
            asset=missing[0],
            remedy=f"bring their prices, or {_AGAIN}.",
        )
    new = sorted(set(now["assets"]) - set(kept["assets"]))
    if new:
        raise DataError(
            f"the models were trained without {len(new)} assets of the data: {_shortened(new)}",
            source=source,
            asset=new[0],
            remedy=f"leave them out by universe.assets, or {_AGAIN}.",
        )
    if set(kept["benchmark"]) != set(now["benchmark"]):
        raise DataError(
            f"the benchmark was '{next(iter(kept['benchmark']))}' when the models were trained and "
            f"is '{known.benchmark_name}'",
            source=source,
            remedy=f"set universe.benchmark as it was, or {_AGAIN}.",
        )
    before = {**kept["benchmark"], **kept["assets"]}
    after = {**now["benchmark"], **now["assets"]}
    revised = sorted(name for name in before if before[name] != after[name])
    if revised:
        raise DataError(
            f"the closes up to {date_text(known.dates[-1])}, the last bar of training, are not "
            f"those that the models were trained on, for {len(revised)} of {len(before)} series: "
            f"{_shortened(revised)}",
            source=source,
            asset=revised[0],
            remedy=f"{_AGAIN} (a vendor's adjustment for a dividend or split revises all earlier "
            "closes), or bring the prices of that run.",
        )


def _shortened(parts: Sequence[str], separator: str = ", ") -> str:
    more = len(parts) - _SHOWN
    rest = [f"and {more} more"] if more > 0 else []
    return separator.join([*parts[:_SHOWN], *rest])
