"""When a labeller is fitted, and on what: a label leaks through its parameters, too."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.base import clone

from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.regimes.base import Labeller, matching_order
from regime_nas_pipeline.regimes.criterion import choose_n_regimes, with_n_regimes


def refit_dates(
    market: Market, *, burn_in: int, refit_every: int, freeze_after: dt.date | None = None
) -> pd.DatetimeIndex:
    """Dates at whose close a labeller is fitted on everything known by then.

    Args:
        market: Gives the bars.
        burn_in: Bars before the first fit; it happens at the close of the last of them.
        refit_every: Bars from one fit to the next.
        freeze_after: Last date at which a fit may happen; None for no such date.

    Returns:
        The dates, increasing; never empty.

    Raises:
        ParameterError: ``burn_in`` or ``refit_every`` is not positive, or the freeze date lies
            before the end of the burn-in.
        DataError: The burn-in is longer than the data.
    """
    if burn_in < 1 or refit_every < 1:
        raise ParameterError(
            f"burn_in and refit_every must be at least 1 bar; got {burn_in} and {refit_every}."
        )
    if burn_in > len(market.dates):
        raise DataError(
            f"the burn-in of the regime labels takes {burn_in} bars and there are "
            f"{len(market.dates)}",
            source="prices",
            date=market.dates[-1] if len(market.dates) else None,
            remedy="start the data earlier or shorten the burn-in.",
        )
    dates = market.dates[burn_in - 1 :: refit_every]
    if freeze_after is None:
        return dates
    # The whole freeze day counts as before the freeze, whatever the hour of its bars.
    kept = dates[dates < pd.Timestamp(freeze_after).normalize() + pd.Timedelta(days=1)]
    if not len(kept):
        raise ParameterError(
            f"freeze_after is {freeze_after}, before the burn-in ends on "
            f"{date_text(dates[0], market.dates)}: the labeller would never be fitted. Move it "
            "later or shorten the burn-in."
        )
    return kept


@dataclass(frozen=True, eq=False)
class LabelWalk:
    """Online labels and the fits that they come from.

    Attributes:
        labels: Date x regime name, probabilities that sum to 1, without gaps.
        refits: One row per fit: ``date``; ``first_bar``, the row of the market that it labels
            first; ``n_regimes``; ``permutation``, the columns as the fit named them, in the order
            in which they are used, such as ``0,1`` where matching moved nothing;
            ``switched_by_refit``, whether the label of the date differs between the fit before
            and this one; ``share_relabelled``, share of all bars labelled so far for which this
            fit would give another label than was given, blank at the first fit; and one column
            per regime and parameter of the signature, such as ``calm.volatility``.
        labellers: The fitted labellers, one per row of ``refits``, their columns in place.
        criteria: Criterion of each candidate where the number of regimes was chosen, else empty.
    """

    labels: pd.DataFrame
    refits: pd.DataFrame
    labellers: list[Labeller]
    criteria: dict[int, float]


@dataclass(frozen=True, eq=False)
class _Leg:
    """One fit, what it has seen, and the rows of the market that it labels."""

    known: Market
    fitted: Labeller
    permutation: tuple[int, ...]
    start: int
    labels: pd.DataFrame


def _legs(market: Market, labeller: Labeller, fits: pd.DatetimeIndex) -> Iterator[_Leg]:
    """Fit at each date, put the columns in place, and label up to the next fit."""
    _ = market.market_return  # computed once, and handed to every slice
    starts = [market.position(date) for date in fits]
    ends = [*starts[1:], len(market.dates)]
    before: Labeller | None = None
    for start, end in zip(starts, ends, strict=True):
        known = market.until(market.dates[start])
        fitted = clone(labeller).fit(known)
        order = tuple(range(len(labeller.regime_names)))
        if before is not None and not labeller.named_by_rule:
            order = matching_order(before, fitted)
            fitted = fitted.reordered(order)
        labelled = market.until(market.dates[end - 1])
        labels = fitted.predict_online(labelled, market.dates[start:end])
        _check_labels(labels, market.dates[start:end], labeller)
        before = fitted
        yield _Leg(known, fitted, order, start, labels)


def label_online(
    market: Market,
    labeller: Labeller,
    *,
    burn_in: int,
    refit_every: int,
    freeze_after: dt.date | None = None,
) -> pd.DataFrame:
    """Label every bar from the end of the burn-in on, each with what was known at its close.

    The labels of a bar come from a labeller that was fitted at the last of the
    :func:`refit_dates` up to this bar, on the market up to that date. Unless a rule alone names
    its columns, they are matched with those of the fit before
    (:func:`~regime_nas_pipeline.regimes.identity.match_regimes`).

    Args:
        market: Prices.
        labeller: Prototype; it is cloned for each fit and stays unfitted.
        burn_in: Bars before the first fit, whose last bar is the first one labelled.
        refit_every: Bars from one fit to the next.
        freeze_after: Last date at which a fit may happen; None for no such date.

    Returns:
        Date x regime name, probabilities that sum to 1, without gaps.

    Raises:
        ParameterError: See :func:`refit_dates`.
        DataError: The burn-in is longer than the data, or the labeller left a bar without label.
    """
    fits = refit_dates(market, burn_in=burn_in, refit_every=refit_every, freeze_after=freeze_after)
    pieces = [leg.labels for leg in _legs(market, labeller, fits)]
    return pd.concat(pieces).rename_axis(index="date")


def label_walk(
    market: Market,
    labeller: Labeller,
    *,
    burn_in: int,
    refit_every: int,
    freeze_after: dt.date | None = None,
    n_regimes: int | Literal["auto"] | None = None,
) -> LabelWalk:
    """Label as :func:`label_online` does, and record what every refit did to the labels.

    Args:
        market: Prices.
        labeller: Prototype; it is cloned for each fit and stays unfitted.
        burn_in: Bars before the first fit, whose last bar is the first one labelled.
        refit_every: Bars from one fit to the next.
        freeze_after: Last date at which a fit may happen; None for no such date.
        n_regimes: Number of regimes; None for the labeller's own; ``auto`` for the better of two
            and three by the labeller's criterion on the burn-in, decided there once for all fits
            (:func:`~regime_nas_pipeline.regimes.criterion.choose_n_regimes`).

    Raises:
        ParameterError: See :func:`refit_dates`; or the number of regimes cannot be set or chosen.
        DataError: As :func:`label_online`.
    """
    fits = refit_dates(market, burn_in=burn_in, refit_every=refit_every, freeze_after=freeze_after)
    criteria: dict[int, float] = {}
    if n_regimes == "auto":
        choice = choose_n_regimes(labeller, market.until(fits[0]))
        n_regimes, criteria = choice.n_regimes, choice.criteria
    if n_regimes is not None:
        labeller = with_n_regimes(labeller, n_regimes)
    pieces: list[pd.DataFrame] = []
    labellers: list[Labeller] = []
    rows = []
    for date, leg in zip(fits, _legs(market, labeller, fits), strict=True):
        rows.append({"date": date} | _refit_facts(leg, labellers, pieces))
        labellers.append(leg.fitted)
        pieces.append(leg.labels)
    labels = pd.concat(pieces).rename_axis(index="date")
    return LabelWalk(labels, pd.DataFrame(rows), labellers, criteria)


def _refit_facts(
    leg: _Leg, labellers: Sequence[Labeller], pieces: Sequence[pd.DataFrame]
) -> dict[str, Any]:
    """A row of the refits, without its date, from the fits before and the labels they gave."""
    fitted, dates = leg.fitted, leg.known.dates
    switched, share = False, float("nan")
    if labellers:
        older = labellers[-1].predict_online(leg.known, dates[-1:]).to_numpy().argmax()
        switched = bool(older != leg.labels.iloc[0].to_numpy().argmax())
        said = np.concatenate([piece.to_numpy().argmax(axis=1) for piece in pieces])
        past = dates[-1 - len(said) : -1]
        now = fitted.predict_online(leg.known, past).to_numpy().argmax(axis=1)
        share = float(np.mean(now != said))
    parameters = {
        f"{regime}.{parameter}": float(value)
        for regime, values in zip(fitted.regime_names, fitted.signature(), strict=True)
        for parameter, value in zip(fitted.signature_names, values, strict=True)
    }
    return {
        "first_bar": leg.start,
        "n_regimes": len(fitted.regime_names),
        "permutation": ",".join(map(str, leg.permutation)),
        "switched_by_refit": switched,
        "share_relabelled": share,
        **parameters,
    }


def _check_labels(labels: pd.DataFrame, dates: pd.DatetimeIndex, labeller: Labeller) -> None:
    """Refuse labels that break the contract; a labeller of the user's own may."""
    name = type(labeller).__name__
    missing = dates.difference(pd.DatetimeIndex(labels.index))
    if len(missing):
        raise DataError(
            f"{name} gives no regime although the burn-in is over ({len(missing)} bars)",
            date=missing[0],
            remedy="lengthen the burn-in, or look for bars without any asset in the universe.",
        )
    if tuple(labels.columns) != labeller.regime_names:
        raise DataError(
            f"{name} gives the columns {list(labels.columns)} and declares "
            f"{list(labeller.regime_names)} as its regime_names",
            remedy="let predict_online return one column per name, in their order.",
        )
    sums = labels.to_numpy(dtype=float).sum(axis=1)
    wrong = ~(np.abs(sums - 1.0) < 1e-6) | (labels.to_numpy(dtype=float) < 0).any(axis=1)
    if wrong.any():
        raise DataError(
            f"{name} gives regime probabilities that are negative or do not sum to 1",
            date=pd.Timestamp(labels.index[int(np.argmax(wrong))]),
            remedy="return probabilities from predict_online.",
        )
