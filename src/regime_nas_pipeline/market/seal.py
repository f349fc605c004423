"""The last part of the sample under seal: apart from the prices that everything else reads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.prepare import PreparedPrices, prepare_prices, price_sha256
from regime_nas_pipeline.market.raw import RawPrices, make_note


@dataclass(frozen=True, eq=False)
class SealedSample:
    """A sample whose last part is under seal.

    Attributes:
        known: Prices before the seal, with a quality report and a manifest of these alone. Where
            there is a seal, both have an entry ``sealed``.
        sealed: Prices from the seal on, as tidy as ``known.prices``; empty without a seal.
    """

    known: PreparedPrices
    sealed: pd.DataFrame


def prepare_sample(
    raw: RawPrices,
    *,
    sealed_from: dt.date | None,
    end: dt.date | None,
    first_oos: dt.date,
    period: int,
    **settings: Any,
) -> SealedSample:
    """Check and repair all prices, and part them at the seal.

    Prices before the seal are prepared as if the source ended there, so that neither they nor the
    report on them depend on a sealed price. The sealed part is checked for the same faults, lest
    it turn out to be unusable when it is opened, and otherwise only counted and hashed.

    Args:
        raw: What the source delivers.
        sealed_from: First sealed day; None for no seal.
        end: Last date to keep, or None.
        first_oos: First out-of-sample day.
        period: Bars that must lie between ``first_oos`` and the seal: those that one rebalance
            needs in order to be traded and earn its whole period.
        **settings: Everything else that
            :func:`~regime_nas_pipeline.market.prepare.prepare_prices` takes.

    Raises:
        DataError: The prices cannot be used, the seal lies outside of the sample or leaves too
            few out-of-sample bars before it.
        ParameterError: As for ``prepare_prices``.
    """

    def prepared(last: dt.date | None) -> PreparedPrices:
        return prepare_prices(raw, end=last, first_oos=first_oos, **settings)

    whole = prepared(end)
    if sealed_from is None:
        return SealedSample(whole, whole.prices.iloc[:0])
    return _parted(raw, whole, prepared, sealed_from, first_oos, period)


def _parted(
    raw: RawPrices,
    whole: PreparedPrices,
    prepared: Callable[[dt.date | None], PreparedPrices],
    sealed_from: dt.date,
    first_oos: dt.date,
    period: int,
) -> SealedSample:
    boundary = pd.Timestamp(sealed_from)
    _check_place(raw, whole.prices, boundary, first_oos, period)
    known = prepared(sealed_from - dt.timedelta(days=1))
    sealed = whole.prices[whole.prices["date"] >= boundary].reset_index(drop=True)
    dates = pd.DatetimeIndex(sealed["date"])
    counted = {
        "from": date_text(boundary),
        "rows": len(sealed),
        "n_dates": int(dates.nunique()),
        "last_date": date_text(dates.max()),
    }
    note = make_note(
        "sealed",
        "Bars under seal; kept apart for the pipeline open_holdout, and nothing else reads them.",
        count=len(sealed),
        first_date=dates.min(),
    )
    quality = {
        **known.quality,
        "notes": [*known.quality["notes"], note],
        "rows_after_end": whole.quality["rows_after_end"],
        "sealed": counted,
    }
    manifest = {**known.manifest, "sealed": {**counted, "sha256": price_sha256(sealed)}}
    return SealedSample(PreparedPrices(known.prices, quality, manifest), sealed)


def _check_place(
    raw: RawPrices,
    prices: pd.DataFrame,
    boundary: pd.Timestamp,
    first_oos: dt.date,
    period: int,
) -> None:
    """Refuse a seal outside of the sample, or one that leaves nothing to look at before it."""
    dates = pd.DatetimeIndex(prices["date"].unique())
    place = f"universe.sealed_from is {date_text(boundary)}"
    if not dates[0] < boundary <= dates[-1]:
        raise raw.fault(
            f"{place} and the sample reaches from {date_text(dates[0])} to {date_text(dates[-1])}",
            remedy="set universe.sealed_from to a date inside the sample, or to null.",
        )
    n_open = int(((dates >= pd.Timestamp(first_oos)) & (dates < boundary)).sum())
    if n_open < period:
        raise raw.fault(
            f"{place} and {n_open} bars lie between walk_forward.first_oos "
            f"{date_text(pd.Timestamp(first_oos))} and the seal; one rebalance needs {period}",
            remedy="seal later, or set walk_forward.first_oos earlier.",
        )


def refuse_sealed_bars(prices: pd.DataFrame, sealed_from: dt.date | None) -> None:
    """Refuse prices that reach past the seal: they were written before it was set.

    Args:
        prices: Tidy table with a column ``date``.
        sealed_from: First sealed day; None for no seal.

    Raises:
        DataError: There is a row on or after the first sealed day.
    """
    if sealed_from is None or prices.empty:
        return
    boundary, last = pd.Timestamp(sealed_from), prices["date"].max()
    if last >= boundary:
        raise DataError(
            f"there are bars up to {date_text(last)} and those from {date_text(boundary)} on are "
            "sealed (universe.sealed_from)",
            source="prices",
            remedy="run the pipeline ingestion, which keeps the sealed bars apart.",
        )


def join_sealed(
    known: pd.DataFrame,
    sealed: pd.DataFrame,
    *,
    sealed_from: dt.date,
    hashes: Sequence[str],
) -> pd.DataFrame:
    """The whole sample again, after making sure that both parts are those that were sealed.

    Args:
        known: Prices before the seal.
        sealed: Prices from the seal on.
        sealed_from: First sealed day.
        hashes: What :func:`~regime_nas_pipeline.market.prepare.price_sha256` said of both.

    Raises:
        DataError: A part lies on the wrong side of the seal or is not what was hashed.
    """
    remedy = "run the pipeline ingestion with this seal, then everything that depends on prices."
    refuse_sealed_bars(known, sealed_from)
    if sealed.empty or sealed["date"].min() < pd.Timestamp(sealed_from):
        raise DataError(
            f"the dataset does not hold the bars from {sealed_from} on",
            source="sealed_prices",
            remedy=remedy,
        )
    for name, part, wanted in zip(
        ("prices", "sealed_prices"), (known, sealed), hashes, strict=True
    ):
        if price_sha256(part) != wanted:
            raise DataError(
                "the prices are not those that data_manifest describes",
                source=name,
                remedy=remedy,
            )
    joined = pd.concat([known, sealed], ignore_index=True)
    return joined.sort_values(["date", "asset"], ignore_index=True)
