"""From what a source delivers to the price table that everything else reads."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.market.calendars import UNION, Calendar, align, alignment_report
from regime_nas_pipeline.market.membership import MEMBER, Membership
from regime_nas_pipeline.market.observed import join_observed
from regime_nas_pipeline.market.quality import CarryForward, carry_forward, check_prices
from regime_nas_pipeline.market.quality_report import quality_report
from regime_nas_pipeline.market.raw import (
    DATE_DTYPE,
    TABLE_COLUMNS,
    RawPrices,
    make_note,
)

_NUMBER = {1: "one asset", 2: "two assets"}
_NOTHING_FILLED = CarryForward(gaps=0, longest=0, bars=0, after_last=0)


@dataclass(frozen=True, eq=False)
class PreparedPrices:
    """Prices that are safe to use, and what was found on the way.

    Attributes:
        prices: Tidy table that satisfies :class:`~regime_nas_pipeline.market.schema.PriceTable`,
            sorted by date and asset.
        quality: Data-quality report, JSON-ready; see
            :func:`~regime_nas_pipeline.market.quality_report.quality_report`. Adds
            ``rows_before_start`` and ``rows_after_end``, the rows left out on purpose; where
            there is one, ``calendar`` and ``membership`` with what they did to each asset.
        manifest: What the run stands on, JSON-ready: source, assets, benchmark, columns, rows,
            n_dates, first_date, last_date, sha256; and ``membership``, where there is one.
    """

    prices: pd.DataFrame
    quality: dict[str, Any]
    manifest: dict[str, Any]


def prepare_prices(
    raw: RawPrices,
    *,
    assets: Sequence[str] | None,
    benchmark: str,
    start: dt.date | None,
    end: dt.date | None,
    max_gap: int,
    first_oos: dt.date,
    needed_bars: int,
    benchmark_tradable: bool = False,
    calendar: Calendar = UNION,
    late_closes: Sequence[str] = (),
    membership: Membership | None = None,
    observed: Sequence[str] = (),
    least_assets: int = 2,
) -> PreparedPrices:
    """Choose, check and repair prices; whatever makes them unusable is raised here.

    A row dated t depends on nothing after t: cutting the source at t gives exactly the rows up to
    t. ``end`` acts like such a cut. Checks and the report cover the whole history up to ``end``
    of the chosen assets, ``start`` is applied last.

    Args:
        raw: What the source delivers.
        assets: Assets to keep; None for all. The benchmark is kept in any case.
        benchmark: Asset that buy-and-hold holds.
        start: First date to keep, or None.
        end: Last date to keep (all of that day), or None.
        max_gap: Longest run of missing bars that may be filled with the last close.
        first_oos: First out-of-sample day.
        needed_bars: Bars needed before ``first_oos``, for the longest lookback and a target.
        benchmark_tradable: Whether the benchmark counts as one of the two assets that an
            allocation needs at least.
        calendar: Which dates are bars; prices between them fold forward.
        late_closes: Assets whose bar of a date closes after those of the others: the next bar
            shows it.
        membership: Who belongs to the universe when; None: all, always.
        observed: Series of the source that are seen and never held; their blanks stay.
        least_assets: Assets to choose between that there must be.

    Raises:
        ParameterError: ``assets`` names one twice, ``start`` lies after ``end``, or the calendar
            cannot be had or names an unknown asset.
        DataError: The prices cannot be used; the message says where and what to do.
    """
    if start is not None and end is not None and start > end:
        raise ParameterError(f"start {start} lies after end {end}.")
    universe = _choose_universe(raw, assets, benchmark, observed)
    chosen = raw.table[raw.table["asset"].isin(universe)]
    known = _up_to(raw, chosen, end)
    later = set(chosen["asset"]) - set(known["asset"])
    check_prices(raw, known, [asset for asset in universe if asset not in later])
    plain = calendar == UNION and not late_closes
    aligned = None if plain else align(raw, known, calendar, late_closes)
    table = known if aligned is None else aligned.table
    filled, accounts = carry_forward(raw, table[~table["asset"].isin(observed)], max_gap)
    notes: list[dict[str, Any]] = []
    if observed:
        filled, notes = join_observed(raw, filled, table, observed)
    first = filled["date"].min() if start is None else pd.Timestamp(start)
    prices = _canonical(filled[filled["date"] >= first])
    _check_sample(raw, filled, prices, first_oos, needed_bars)
    absent = sorted(set(universe) - set(prices["asset"]))
    held = prices[~prices["asset"].isin(observed)]
    least = least_assets
    _check_universe(raw, held, benchmark, benchmark_tradable, pd.Timestamp(first_oos), least)
    # An asset whose every price waits for a bar that has not come has nothing to fill.
    accounts = dict.fromkeys(known["asset"].unique(), _NOTHING_FILLED) | accounts
    notes += [_absence_note(raw, name) for name in absent]
    quality = quality_report(raw, known, accounts, notes)
    quality["rows_before_start"] = int((known["date"] < first).sum())
    quality["rows_after_end"] = len(chosen) - len(known)
    if aligned is not None:
        quality["calendar"] = alignment_report(aligned, calendar, late_closes)
    if membership is not None:
        unheld = {*observed, *(() if benchmark_tradable else (benchmark,))}
        tradable = [name for name in universe if name not in unheld]
        membership.refuse_strangers(raw.assets, tradable)
        prices[MEMBER] = membership.mask(prices)
        quality["membership"] = membership.report(prices)
    manifest = _manifest(raw, prices, benchmark)
    if membership is not None:
        manifest["membership"] = membership.facts()
    return PreparedPrices(prices, quality, manifest)


def price_sha256(prices: pd.DataFrame) -> str:
    """Hash a price table: the same data give the same hash in any order of rows and columns.

    Hashed are the names of the columns, the number of rows, dates as little-endian int64
    microseconds, asset names as length-prefixed UTF-8, and values as little-endian float64.

    Args:
        prices: Tidy table: date, asset, close and optional open, high, low, volume, member.

    Returns:
        64 hexadecimal digits.
    """
    table = prices.sort_values(["date", "asset"], ignore_index=True)
    columns = [name for name in (*TABLE_COLUMNS, MEMBER) if name in table.columns]
    digest = hashlib.sha256(f"{','.join(columns)};{len(table)};".encode())
    stamps = table["date"].to_numpy().astype(DATE_DTYPE).astype("<i8")
    digest.update(stamps.tobytes())
    for asset in table["asset"]:
        name = asset.encode()
        digest.update(len(name).to_bytes(4, "little") + name)
    for column in columns[2:]:
        values = table[column].to_numpy(dtype="<f8") + 0.0  # one zero, not two
        digest.update(np.where(np.isnan(values), np.nan, values).astype("<f8").tobytes())
    return digest.hexdigest()


def _choose_universe(
    raw: RawPrices, assets: Sequence[str] | None, benchmark: str, observed: Sequence[str]
) -> tuple[str, ...]:
    """Return the chosen assets, the benchmark and what is observed, sorted."""
    known = raw.assets
    remedy = f"choose among: {', '.join(known) or 'nothing, the source is empty'}."
    if benchmark not in known:
        raise raw.fault(f"the benchmark '{benchmark}' is not in the source", remedy=remedy)
    unknown = sorted({*(assets or ()), *observed} - set(known))
    if unknown:
        raise raw.fault(f"the source has no asset {', '.join(map(repr, unknown))}", remedy=remedy)
    if assets is None:
        return known
    repeated = sorted({name for name in assets if list(assets).count(name) > 1})
    if repeated:
        raise ParameterError(f"assets names {', '.join(repeated)} more than once.")
    return tuple(sorted({*assets, *observed, benchmark}))


def _up_to(raw: RawPrices, table: pd.DataFrame, end: dt.date | None) -> pd.DataFrame:
    """Keep the rows up to the end of the day ``end``."""
    if end is None or table.empty:
        return table
    known = table[table["date"] < pd.Timestamp(end).normalize() + pd.Timedelta(days=1)]
    if known.empty:
        first = table["date"].min()
        raise raw.fault(
            f"end {end} lies before the first date {date_text(first)}",
            date=first,
            remedy="move end later, or leave it blank.",
        )
    return known


def _canonical(table: pd.DataFrame) -> pd.DataFrame:
    """Order the columns and fix the types."""
    columns = [name for name in TABLE_COLUMNS if name in table.columns]
    return table[columns].astype({"date": DATE_DTYPE, "asset": "str"}).reset_index(drop=True)


def _check_sample(
    raw: RawPrices,
    filled: pd.DataFrame,
    prices: pd.DataFrame,
    first_oos: dt.date,
    needed_bars: int,
) -> None:
    """Check that bars are left on both sides of ``first_oos``."""
    boundary = pd.Timestamp(first_oos)
    dates = pd.DatetimeIndex(prices["date"].unique())
    last = filled["date"].max()
    if prices.empty:
        raise raw.fault(
            f"no day left: start lies after the last date {date_text(last)}",
            date=last,
            remedy="move start earlier, or bring newer prices.",
        )
    if not (dates >= boundary).any():
        raise raw.fault(
            f"no out-of-sample day left: the last date is {date_text(last)} and first_oos is "
            f"{date_text(boundary)}",
            date=last,
            remedy="move first_oos earlier, or end later, or bring newer prices.",
        )
    before = int((dates < boundary).sum())
    if before < needed_bars:
        raise raw.fault(
            f"{before} bars before first_oos {date_text(boundary)}, and {needed_bars} are needed",
            date=dates[0],
            remedy="move start earlier or first_oos later, or shorten the lookback.",
        )


def _check_universe(
    raw: RawPrices,
    prices: pd.DataFrame,
    benchmark: str,
    benchmark_tradable: bool,
    first_oos: pd.Timestamp,
    least_assets: int,
) -> None:
    """Check that there is something to choose between and something to compare with."""
    priced = set(prices["asset"])
    tradable = sorted(priced if benchmark_tradable else priced - {benchmark})
    if len(tradable) < least_assets:
        raise raw.fault(
            f"fewer than {_NUMBER.get(least_assets, f'{least_assets} assets')} to choose between "
            f"({', '.join(tradable) or 'none'}; the benchmark is '{benchmark}')",
            remedy="choose more assets, or bring a source with more.",
        )
    evaluated = prices[prices["date"] >= first_oos]
    dates = pd.DatetimeIndex(evaluated["date"].unique())
    held = pd.DatetimeIndex(evaluated.loc[evaluated["asset"] == benchmark, "date"])
    blank = dates.difference(held)
    if len(blank):
        raise raw.fault(
            f"the benchmark has no price on {len(blank)} of {len(dates)} out-of-sample bars",
            asset=benchmark,
            date=blank[0],
            remedy="choose another benchmark, or move first_oos or end to where it has prices.",
        )


def _absence_note(raw: RawPrices, asset: str) -> dict[str, Any]:
    return make_note(
        "no_bar_in_sample",
        "The asset has prices, but none between start and end; left out.",
        asset=asset,
        file=raw.places.get(asset),
    )


def _manifest(raw: RawPrices, prices: pd.DataFrame, benchmark: str) -> dict[str, Any]:
    return {
        "source": raw.source,
        "assets": sorted(prices["asset"].unique()),
        "benchmark": benchmark,
        "columns": list(prices.columns),
        "rows": len(prices),
        "n_dates": int(prices["date"].nunique()),
        "first_date": date_text(prices["date"].iloc[0], prices["date"]),
        "last_date": date_text(prices["date"].iloc[-1], prices["date"]),
        "sha256": price_sha256(prices),
    }
