"""Compare what two runs of a job say of the past."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.audit.cells import differing, shown
from regime_nas_pipeline.audit.job import PRESENCE, Comparison, Difference, Output
from regime_nas_pipeline.audit.rules import Rule, inferred_rule
from regime_nas_pipeline.audit.units import Table, Unit, Whole, emptied, units_of
from regime_nas_pipeline.core.errors import DataError, ParameterError


@dataclass(frozen=True)
class Window:
    """What has to be the same.

    Attributes:
        bars: Bar dates of the original prices.
        row: Row of the audit date in ``bars``.
        shortened: The altered prices end at the audit date.
    """

    bars: pd.DatetimeIndex
    row: int
    shortened: bool = False

    def limit(self, lead: int) -> pd.Timestamp:
        """Last date that is settled at the audit date, for rows with this lead."""
        row = min(self.row + lead, len(self.bars) - 1)
        return pd.Timestamp(self.bars[row]) if row >= 0 else pd.Timestamp.min

    def must_exist(self, needs_after: int) -> pd.Timestamp:
        """Last date whose rows cannot be missing."""
        return self.limit(-needs_after) if self.shortened else pd.Timestamp.max


@dataclass(frozen=True)
class Datasets:
    """All outputs of one run, cut into dated units.

    Attributes:
        nodes: Dataset to its node, in execution order; without the exempt ones.
        units: Dataset to its units.
        rules: Dataset to what its dates mean; None where its partitions say so.
    """

    nodes: dict[str, str]
    units: dict[str, dict[str, Unit]] = field(repr=False)
    rules: dict[str, Rule | None]


def dated_units(
    outputs: Iterable[Output],
    *,
    rules: Mapping[str, Rule],
    exempt: Iterable[str],
    original: Datasets | None = None,
) -> Datasets:
    """Cut all outputs into dated units.

    Args:
        outputs: In execution order.
        rules: Dataset to what its dates mean, where that is not evident.
        exempt: Datasets that are left out.
        original: The run on the original prices, whose inferred rules hold for other runs too.

    Raises:
        ParameterError: A dataset is made twice.
        DataError: A dataset has no dates and is not exempt, or its rule does not fit.
    """
    made = Datasets({}, {}, {})
    left_out, undated = set(exempt), []
    for node, dataset, data in outputs:
        if dataset in made.nodes:
            raise ParameterError(
                f"dataset '{dataset}' is made by '{made.nodes[dataset]}' and by '{node}'."
            )
        if dataset in left_out:
            continue
        known = original is not None and dataset in original.rules
        rule = original.rules[dataset] if original and known else rules.get(dataset)
        rule = rule or inferred_rule(data)
        found = units_of(dataset, data, rule)
        if found is None and not known:
            undated.append(f"'{dataset}' of node '{node}'")
        made.nodes[dataset] = node
        made.units[dataset] = found or {}
        made.rules[dataset] = rule
    if undated:
        raise DataError(
            f"the audit finds no dates in {', '.join(undated)}",
            remedy="give each a rule that says what its dates are, or declare it exempt by name.",
        )
    return made


def compare(
    before: Datasets, after: Datasets, window: Window, *, tolerance: float | None = None
) -> Comparison:
    """Compare everything that is settled at the audit date.

    Args:
        before: Made from the original prices.
        after: Made from the altered prices.
        window: The audit date, and whether the altered prices end there.
        tolerance: Largest difference that does not count, x max(1, |before|); None to compare to
            the bit.
    """
    differences: list[Difference] = []
    compared: dict[str, int] = {}
    for dataset, node in {**before.nodes, **after.nodes}.items():
        left, right = before.units.get(dataset, {}), after.units.get(dataset, {})
        found: list[Difference] = []
        compared[dataset] = 0
        for label in {**left, **right}:
            name = dataset + label if label.startswith("[") else dataset
            place = _Place(node, name, window, tolerance)
            count, changed = place.compare(left.get(label), right.get(label))
            compared[dataset] += count
            found += changed
        differences += sorted(found, key=lambda difference: difference.date)
    return Comparison(tuple(differences), compared)


@dataclass(frozen=True)
class _Place:
    """Where two units stand, and how they are compared."""

    node: str
    dataset: str
    window: Window
    tolerance: float | None

    def compare(self, left: Unit | None, right: Unit | None) -> tuple[int, list[Difference]]:
        """Number of values compared, and what differs."""
        if isinstance(left, Table) and isinstance(right, Table):
            return self._tables(left, right)
        if isinstance(left, Whole) and isinstance(right, Whole):
            return self._wholes(left, right)
        count = 0
        found: list[Difference] = []
        for unit, was, became in ((left, "present", "absent"), (right, "absent", "present")):
            if isinstance(unit, Table):
                none = emptied(unit)
                pair = (unit, none) if unit is left else (none, unit)
                compared, differences = self._tables(*pair)
                count, found = count + compared, found + differences
            elif unit is not None:
                oldest = self.window.must_exist(unit.needs_after if unit is left else 0)
                if unit.date <= min(oldest, self.window.limit(0)):
                    count += 1
                    found.append(self._changed(PRESENCE, None, unit.date, was, became))
        return count, found

    def _wholes(self, left: Whole, right: Whole) -> tuple[int, list[Difference]]:
        date = min(left.date, right.date)
        if date > self.window.limit(0):
            return 0, []
        count = 0
        found: list[Difference] = []
        nothing = np.empty(0, dtype=object)
        for path in {**left.leaves, **right.leaves}:
            before, after = left.leaves.get(path, nothing), right.leaves.get(path, nothing)
            if before.shape != after.shape:
                count += 1
                shapes = (f"shape {before.shape}", f"shape {after.shape}")
                found.append(self._changed(path, None, date, *shapes))
                continue
            wrong = np.argwhere(differing(before, after, self.tolerance))
            count += before.size
            if len(wrong):
                at = tuple(wrong[0])
                values = (before[at], after[at])
                found.append(self._changed(path, None, date, *values, count=len(wrong)))
        return count, found

    def _tables(self, left: Table, right: Table) -> tuple[int, list[Difference]]:
        rule, window = left.rule, self.window
        before, after = (
            table.frame[table.frame.index.get_level_values(0) <= window.limit(rule.lead)]
            for table in (left, right)
        )
        at = after.index.get_indexer(before.index)
        gone = before.index[at < 0]
        gone = gone[gone.get_level_values(0) <= window.must_exist(rule.needs_after)]
        found = self._rows(gone, "present", "absent")
        new_rows = after.index.difference(before.index)
        found += self._rows(new_rows, "absent", "present")
        # That a row is there is compared, too.
        count = int((at >= 0).sum()) + len(gone) + len(new_rows)
        before, after = before[at >= 0], after.iloc[at[at >= 0]]
        dates = before.index.get_level_values(0)
        for column in [*before.columns, *after.columns.difference(before.columns, sort=False)]:
            settled = dates <= window.limit(rule.column_leads.get(column, rule.lead))
            old, new = _values(before, column)[settled], _values(after, column)[settled]
            wrong = np.flatnonzero(differing(old, new, self.tolerance))
            count += len(old)
            if len(wrong):
                rows = before.index[settled]
                # One place for each column: its earliest value that changed.
                first = wrong[np.argmin(rows.get_level_values(0)[wrong])]
                key = rows[first]
                values, asset = (old[first], new[first]), _asset(rows, key)
                found.append(self._changed(column, asset, key[0], *values, count=len(wrong)))
        return count, found

    def _rows(self, rows: pd.Index[Any], was: str, became: str) -> list[Difference]:
        if not len(rows):
            return []
        key = rows[int(np.argmin(rows.get_level_values(0)))]
        asset = _asset(rows, key)
        return [self._changed(PRESENCE, asset, key[0], was, became, count=len(rows))]

    def _changed(
        self,
        column: str,
        asset: str | None,
        date: Any,
        before: Any,
        after: Any,
        *,
        count: int = 1,
    ) -> Difference:
        moment = pd.Timestamp(date)
        place = (self.node, self.dataset, column, asset, moment)
        return Difference(*place, shown(before), shown(after), count)


def _values(frame: pd.DataFrame, column: str) -> np.ndarray:
    """A column's values; blanks where the run has no such column."""
    if column not in frame.columns:
        return np.full(len(frame), np.nan)
    return np.asarray(frame[column].to_numpy())


def _asset(rows: pd.Index[Any], key: tuple[Any, ...]) -> str | None:
    return str(key[rows.names.index("asset")]) if "asset" in rows.names else None
