"""Which dates are bars, and what becomes of prices that are dated between them."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import model_validator

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.params import Strict
from regime_nas_pipeline.market.raw import RawPrices


class Calendar(Strict):
    """Which dates are bars.

    Attributes:
        kind: ``union``: every date on which some asset has a price. ``asset``: those on which one
            asset has. ``exchange``: those of them on which an exchange is open; for daily bars.
            The word ``union`` may stand for the whole block.
        asset: The asset of ``kind: asset``.
        name: The exchange of ``kind: exchange``, by its market identifier code (XNYS).
    """

    kind: Literal["union", "asset", "exchange"] = "union"
    asset: str | None = None
    name: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _word_is_a_kind(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _names_what_it_needs(self) -> Calendar:
        for kind, key, value in (("asset", "asset", self.asset), ("exchange", "name", self.name)):
            if (self.kind == kind) != (value is not None):
                raise ValueError(f"'{key}' belongs to kind: {kind}, and to it alone")
        return self


UNION = Calendar()


@dataclass(frozen=True)
class Folding:
    """What the calendar did to the rows of one asset.

    Attributes:
        moved: Rows that were given the date of a later bar.
        joined: Rows that share their bar with a later row of the same asset.
        before_first: Rows left out because they lie before the first bar of the calendar.
        after_last: Rows left out because no bar that could show them has come yet.
    """

    moved: int
    joined: int
    before_first: int
    after_last: int


@dataclass(frozen=True, eq=False)
class Aligned:
    """Prices on the dates of a calendar.

    Attributes:
        table: Tidy, as in :class:`~regime_nas_pipeline.market.raw.RawPrices`, dated by bars.
        bars: The dates that may have a row.
        accounts: Asset to what was done to its rows.
    """

    table: pd.DataFrame
    bars: pd.DatetimeIndex
    accounts: dict[str, Folding]


def align(
    raw: RawPrices, table: pd.DataFrame, calendar: Calendar, late_closes: Sequence[str] = ()
) -> Aligned:
    """Date every row by the first bar of the calendar at whose close it is known.

    That is the bar of its own date where there is one, else the next. Rows that meet on one bar
    become one: the open of the first, the close of the last, the extremes of high and low and the
    sum of volumes; a field that is blank in one of them is blank. So the move of a weekend falls
    on the next bar. Rows of ``late_closes`` close after the others' bar of the same date and are
    dated by the next bar in any case.

    A bar depends on no row dated after it: cutting the table at t gives exactly the bars up to t.

    Args:
        raw: Where the prices come from, for messages.
        table: Checked rows, in any order.
        calendar: Which dates are bars.
        late_closes: Assets whose bar of a date closes after those of the others.

    Raises:
        ParameterError: The calendar or ``late_closes`` names an asset that is not in the table's
            universe, or the exchange is unknown or its calendar cannot be had.
        DataError: The calendar has no bar among the dates, or an exchange's days are asked of
            bars with times of day.
    """
    bars = _bars(raw, table, calendar)
    _refuse_unknown(table, late_closes)
    dates = pd.DatetimeIndex(table["date"])
    late = table["asset"].isin(late_closes).to_numpy()
    position: np.ndarray = np.where(
        late, bars.searchsorted(dates, side="right"), bars.searchsorted(dates, side="left")
    )
    early = np.asarray(dates < bars[0])
    waiting = ~early & (position == len(bars))
    kept = ~(early | waiting)
    moved = np.zeros(len(table), dtype=bool)
    moved[kept] = bars[position[kept]] != dates[kept]
    joined = _joined(table[kept].assign(bar=position[kept]), bars)
    accounts = {}
    for asset, rows in table.groupby("asset", sort=True).indices.items():
        accounts[str(asset)] = Folding(
            moved=int(moved[rows].sum()),
            joined=int(kept[rows].sum()) - len(np.unique(position[rows][kept[rows]])),
            before_first=int(early[rows].sum()),
            after_last=int(waiting[rows].sum()),
        )
    return Aligned(joined, bars, accounts)


def alignment_report(
    aligned: Aligned, calendar: Calendar, late_closes: Sequence[str]
) -> dict[str, Any]:
    """What the calendar did, ready for JSON: rule, late_closes, and the account of each asset."""
    return {
        "rule": calendar.model_dump(exclude_none=True),
        "late_closes": sorted(late_closes),
        "assets": {asset: asdict(account) for asset, account in aligned.accounts.items()},
    }


def _joined(rows: pd.DataFrame, bars: pd.DatetimeIndex) -> pd.DataFrame:
    """Make one row of all that an asset has on a bar; ``rows`` have the bar's position."""
    columns = [name for name in rows.columns if name != "bar"]
    grouped = rows.sort_values(["asset", "date"]).groupby(["asset", "bar"], sort=True)
    found = {"close": grouped["close"].last(skipna=False)}
    for name, join in (("open", "first"), ("high", "max"), ("low", "min"), ("volume", "sum")):
        if name in columns:
            found[name] = getattr(grouped[name], join)(skipna=False)
    table = pd.DataFrame(found).reset_index()
    return table.assign(date=bars[table["bar"].to_numpy()])[columns]


def _bars(raw: RawPrices, table: pd.DataFrame, calendar: Calendar) -> pd.DatetimeIndex:
    """The dates of the calendar among those of the table, increasing."""
    dates = pd.DatetimeIndex(np.sort(table["date"].unique()))
    if calendar.kind == "union":
        return dates
    if calendar.asset is not None:
        _refuse_unknown(table, [calendar.asset])
        own = table.loc[table["asset"] == calendar.asset, "date"]
        return pd.DatetimeIndex(np.sort(own.to_numpy()))
    timed = dates[dates != dates.normalize()]
    if len(timed):
        raise raw.fault(
            f"universe.calendar lists the days of {calendar.name}, and these bars have times of "
            "day",
            date=timed[0],
            remedy="choose the calendar of an asset: universe.calendar {kind: asset, asset: NAME}.",
        )
    found = dates[dates.isin(_sessions(str(calendar.name), dates[0], dates[-1]))]
    if found.empty:
        raise raw.fault(
            f"no date of the prices is a trading day of {calendar.name}",
            date=dates[0],
            remedy="choose another exchange in universe.calendar, or check the dates.",
        )
    return found


def _sessions(name: str, first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
    """Days on which an exchange was open, both ends included."""
    place = f"universe.calendar: the trading days of '{name}'"
    try:
        library = importlib.import_module("exchange_calendars")
    except ImportError as error:
        raise ParameterError(
            f"{place} need the package exchange_calendars ({error}). Install it with: pip install "
            "'regime_nas_pipeline[calendars]'; or choose the calendar of an asset."
        ) from error
    try:
        with warnings.catch_warnings():
            # The library's own use of pandas; nobody here can mend it.
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            days = library.get_calendar(name, start=first, end=last).sessions
    except (library.errors.CalendarError, ValueError) as error:
        raise ParameterError(f"{place} cannot be had: {error}") from error
    return pd.DatetimeIndex(days)


def _refuse_unknown(table: pd.DataFrame, named: Sequence[str]) -> None:
    known = sorted(table["asset"].unique())
    strange = [name for name in named if name not in known]
    if strange:
        raise ParameterError(
            f"universe.calendar and universe.late_closes name '{strange[0]}', which is no asset of "
            f"the universe with a price; there are: {', '.join(known)}."
        )
