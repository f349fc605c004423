"""Cut a dataset into dated units: tables whose rows have dates, and things dated as a whole."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.audit.cells import leaves
from regime_nas_pipeline.audit.rules import AsOf, Pieces, Records, Rows, Rule, inferred_rule
from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.errors import DataError

KEY_COLUMNS = ("asset", "strategy", "forecaster")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, eq=False)
class Table:
    """Rows with dates.

    Attributes:
        frame: Values, indexed by date, keys and the number among rows that are alike in these.
        rule: What the dates mean.
    """

    frame: pd.DataFrame
    rule: Rows


@dataclass(frozen=True, eq=False)
class Whole:
    """Something dated as a whole.

    Attributes:
        date: Last bar that it may depend on.
        needs_after: Bars that must follow before it exists.
        leaves: Everything in it, dotted path to array.
    """

    date: pd.Timestamp
    needs_after: int
    leaves: dict[str, np.ndarray]


Unit = Table | Whole


def units_of(name: str, data: Any, rule: Rule | None) -> dict[str, Unit] | None:
    """Cut a dataset into units that can be found again in another run.

    A mapping without a date of its own is taken as partitions: each by its own dates or, where
    it has none, by its name if that is an ISO date.

    Args:
        name: Of the dataset, for messages.
        data: Table, JSON, bundle, or a mapping to any of these.
        rule: What its dates mean; None to infer it.

    Returns:
        Label to unit; None where there is no date.

    Raises:
        DataError: The rule does not fit the data, or a date cannot be read.
    """
    rule = rule or inferred_rule(data)
    if isinstance(rule, AsOf):
        return {"": Whole(rule.date, 0, leaves(data, ignore=rule.ignore))}
    if isinstance(rule, Records):
        return _records(name, data, rule)
    if isinstance(rule, Rows) and isinstance(data, pd.DataFrame | pd.Series):
        return {"": _table(name, data, rule)}
    if isinstance(rule, Pieces) and isinstance(data, Bundle):
        return _pieces(name, data, rule)
    if rule is not None and not isinstance(data, Mapping):
        raise _misfit(name, data, rule)
    return _partitions(name, data, rule) if isinstance(data, Mapping) else None


def _misfit(name: str, data: Any, rule: Rule) -> DataError:
    return DataError(
        f"the audit's rule {type(rule).__name__} does not fit a {type(data).__name__}",
        source=name,
        remedy="use Rows for tables, Records for JSON, Pieces for bundles of folds, AsOf for "
        "anything that is known at one date.",
    )


def _partitions(name: str, data: Mapping[Any, Any], rule: Rule | None) -> dict[str, Unit] | None:
    found: dict[str, Unit] = {}
    for key, part in data.items():
        units = units_of(f"{name}[{key}]", part, rule)
        if units is None:
            date = _key_date(key)
            if date is None:
                return None
            units = {"": Whole(date, 0, leaves(part, ignore=frozenset()))}
        found |= {f"[{key}]{label}": unit for label, unit in units.items()}
    return found or None


def _key_date(key: Any) -> pd.Timestamp | None:
    if isinstance(key, dt.date):  # a Timestamp is one, too
        return pd.Timestamp(key)
    if isinstance(key, str) and _ISO_DATE.match(key):
        try:
            return pd.Timestamp(key)
        except ValueError:
            return None
    return None


def _table(name: str, data: pd.DataFrame | pd.Series, rule: Rows) -> Table:
    frame = (
        data.to_frame("value" if data.name is None else data.name)
        if isinstance(data, pd.Series)
        else data
    )
    if isinstance(frame.index, pd.DatetimeIndex) and rule.date not in frame.columns:
        frame = frame.rename_axis(index=rule.date)
    plain = frame.index.nlevels == 1 and frame.index.name is None
    frame = frame.reset_index(drop=plain)
    frame.columns = pd.Index([str(column) for column in frame.columns])
    keys = rule.keys if rule.keys is not None else [k for k in KEY_COLUMNS if k in frame.columns]
    for column in (rule.date, *keys, *rule.column_leads):
        if column not in frame.columns:
            raise DataError(
                f"the audit's rule names a column that is not there: {list(frame.columns)}",
                source=name,
                column=column,
                remedy="correct the rule of this dataset.",
            )
    places = pd.DataFrame({rule.date: _dates(name, frame[rule.date], rule.date)})
    for key in keys:
        places[key] = frame[key].astype(str)
    places["number"] = places.groupby([rule.date, *keys], sort=False).cumcount()
    drop = {rule.date, *keys, *rule.ignore}
    values = frame[[column for column in frame.columns if column not in drop]]
    return Table(values.set_axis(pd.MultiIndex.from_frame(places), axis=0), rule)


def _dates(name: str, values: Any, column: str) -> pd.Series[Any]:
    """The dates of a column, without a time zone and none of them blank."""
    series: pd.Series[Any] = pd.Series(values)
    # A number would be read as nanoseconds since 1970.
    numeric = pd.api.types.is_numeric_dtype(series.dtype) and len(series) > 0
    dates: pd.Series[Any] | None = None
    if not numeric:
        with contextlib.suppress(ValueError, TypeError):
            dates = pd.to_datetime(series, format="ISO8601")
    naive = dates is not None and pd.api.types.is_datetime64_dtype(dates.dtype)
    if dates is None or not naive or dates.isna().any():
        raise DataError(
            "not every entry is a date without a time zone",
            source=name,
            column=column,
            remedy="name the column that holds the dates in the audit's rule.",
        )
    return dates.reset_index(drop=True).astype("datetime64[us]")


def _record(name: str, data: Any, facts: Mapping[str, Any], rule: Records) -> Whole:
    entry: Any = facts
    for step in rule.date.split("."):
        entry = entry.get(step) if isinstance(entry, Mapping) else None
    date = _dates(name, [entry], rule.date)[0]
    return Whole(date, rule.needs_after, leaves(data, ignore=rule.ignore))


def _records(name: str, data: Any, rule: Records) -> dict[str, Unit]:
    facts = data.facts if isinstance(data, Bundle) else data
    if isinstance(facts, Mapping):
        return {"": _record(name, data, facts, rule)}
    if not isinstance(data, Sequence) or isinstance(data, str | bytes):
        raise _misfit(name, data, rule)
    found: dict[str, Unit] = {}
    for record in data:
        unit = _record(name, record, record, rule)
        alike = sum(label.startswith(f"{unit.date} ") for label in found)
        found[f"{unit.date} {alike}"] = unit
    return found


def _pieces(name: str, bundle: Bundle, rule: Pieces) -> dict[str, Unit]:
    dates = _dates(name, bundle.facts.get(rule.dates, [None]), rule.dates)
    split = {fact: bundle.facts.get(fact) for fact in rule.facts}
    for fact, entries in split.items():
        if not isinstance(entries, list) or len(entries) != len(dates):
            raise DataError(
                f"the fact '{fact}' has no entry for each of {len(dates)} pieces",
                source=name,
                remedy="correct the facts named in the audit's rule of this dataset.",
            )
    found: dict[str, Unit] = {}
    claimed: set[str] = set()
    for number, date in enumerate(dates):
        start = rule.prefix.format(number) + "/"
        arrays = {k: v for k, v in bundle.arrays.items() if k.startswith(start)}
        claimed |= set(arrays)
        content = {rule.dates: date, **arrays, **{k: v[number] for k, v in split.items() if v}}
        found[start] = Whole(date, rule.needs_after, leaves(content, ignore=rule.ignore))
    rest = {k: v for k, v in bundle.arrays.items() if k not in claimed} | {
        k: v for k, v in bundle.facts.items() if k not in (rule.dates, *rule.facts)
    }
    if rest and len(dates):
        common = leaves(rest, ignore=rule.ignore)
        found["common"] = Whole(dates.min(), rule.needs_after, common)
    return found


def emptied(unit: Table) -> Table:
    """The same table without rows."""
    return replace(unit, frame=unit.frame.iloc[:0])
