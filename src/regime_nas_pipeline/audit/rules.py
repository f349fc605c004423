"""What a dataset's dates mean: which part of it must be known at an audit date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.errors import ParameterError

DATE = "date"
TRAIN_END = "train_end"
TRAIN_ENDS = "train_ends"


def _check_needs(needs_after: int) -> None:
    if needs_after < 0:
        raise ParameterError(f"needs_after must not be negative and is {needs_after}.")


@dataclass(frozen=True)
class Rows:
    """A table whose rows are dated one by one.

    Attributes:
        date: Column, or level of the index, that holds the date.
        lead: Bars by which a row's date lies after the last bar that it may depend on. 0 for what
            is known at the close of its date; 1 for weights indexed by the bar that they earn.
        column_leads: Columns that are known earlier or later than the row, to their own lead; -1
            for what is only known at the close of the bar after. Not above ``lead``.
        needs_after: Bars that must follow a row's date before the row is written, such as the
            bars in which a decision is traded. Where the data ends sooner, the row may be missing.
        keys: Columns that tell apart rows of one date; those of ``asset``, ``strategy`` and
            ``forecaster`` that there are, by default. Rows alike in all of them keep their order.
        ignore: Columns that do not depend on prices, such as the seconds that something took.

    Raises:
        ParameterError: A column's lead is above the row's, or ``needs_after`` is negative.
    """

    date: str = DATE
    lead: int = 0
    column_leads: Mapping[str, int] = field(default_factory=dict)
    needs_after: int = 0
    keys: tuple[str, ...] | None = None
    ignore: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse leads that would leave values without a row to stand in."""
        _check_needs(self.needs_after)
        above = [name for name, lead in self.column_leads.items() if lead > self.lead]
        if above:
            raise ParameterError(
                f"column '{above[0]}' has the lead {self.column_leads[above[0]]}, above the rows' "
                f"lead {self.lead}; raise lead and give the other columns their own."
            )


@dataclass(frozen=True)
class Records:
    """JSON: one dictionary, or a list of them, each dated as a whole by one of its entries.

    Attributes:
        date: Dotted path to the date ("search.last_date_seen").
        needs_after: As in :class:`Rows`.
        ignore: Keys, at any depth, that do not depend on prices.

    Raises:
        ParameterError: ``needs_after`` is negative.
    """

    date: str = DATE
    needs_after: int = 0
    ignore: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse a negative number of bars."""
        _check_needs(self.needs_after)


@dataclass(frozen=True)
class Pieces:
    """A bundle of numbered pieces, each dated as a whole, such as the fits of all folds.

    What belongs to no piece is compared together with the earliest one.

    Attributes:
        dates: Fact that lists the date of every piece.
        prefix: Where a piece's arrays are, with the number as format field.
        facts: Facts that are lists with one entry for each piece.
        needs_after: As in :class:`Rows`.
        ignore: Arrays and keys of facts, at any depth, that do not depend on prices.

    Raises:
        ParameterError: ``needs_after`` is negative.
    """

    dates: str = TRAIN_ENDS
    prefix: str = "fold{:02d}"
    facts: tuple[str, ...] = ("folds",)
    needs_after: int = 0
    ignore: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse a negative number of bars."""
        _check_needs(self.needs_after)


@dataclass(frozen=True)
class AsOf:
    """A dataset without dates of its own, all of it known at one date, such as a search's result.

    Attributes:
        date: Last bar that it may depend on.
        ignore: Columns and keys, at any depth, that do not depend on prices.
    """

    date: pd.Timestamp
    ignore: frozenset[str] = frozenset()


Rule = Rows | Records | Pieces | AsOf

EARNED = Rows(lead=1)
"""Weights indexed by the bar that they earn: those of the bar after the audit date are settled."""


def inferred_rule(data: Any) -> Rule | None:
    """The rule that a dataset's own dates suggest; None for one without a date.

    A table with a column or index ``date``, or with dates for an index; JSON with an entry
    ``date`` or ``train_end``; a bundle with a fact ``train_ends``, ``train_end`` or ``date``.
    """
    if isinstance(data, pd.DataFrame | pd.Series):
        return _table_rule(data)
    if isinstance(data, Bundle):
        if TRAIN_ENDS in data.facts:
            return Pieces(facts=("folds",) if "folds" in data.facts else ())
        return _record_rule([data.facts])
    if isinstance(data, Mapping):
        return _record_rule([data])
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _record_rule(data)
    return None


def _table_rule(data: pd.DataFrame | pd.Series) -> Rule | None:
    named = isinstance(data, pd.DataFrame) and DATE in data.columns
    if named or DATE in data.index.names:
        return Rows()
    if isinstance(data.index, pd.DatetimeIndex):
        return Rows(date=str(data.index.name)) if data.index.name is not None else Rows()
    return None


def _record_rule(records: Sequence[Any]) -> Rule | None:
    for key in (DATE, TRAIN_END):
        if records and all(isinstance(entry, Mapping) and key in entry for entry in records):
            return Records(date=key)
    return None
