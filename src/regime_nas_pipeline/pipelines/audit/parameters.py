"""Parameters of the audit, typed: which dates, and what the dates of each dataset mean."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BeforeValidator, Field

from regime_nas_pipeline.audit.rules import AsOf, Pieces, Records, Rows, Rule
from regime_nas_pipeline.core.params import Strict

SEARCH_END = "search_end"
_TERMS = re.compile(r"[+-]?(?:\d+|lag|horizon)(?:[+-](?:\d+|lag|horizon))*")
_TERM = re.compile(r"([+-]?)(\d+|lag|horizon)")


@dataclass(frozen=True)
class Clock:
    """What rules are written in.

    Attributes:
        lag: Bars between decision and trade.
        horizon: Bars of the return that is forecast.
        search_end: Last bar before the first decision: all that a search may see.
    """

    lag: int
    horizon: int
    search_end: pd.Timestamp

    def bars(self, written: str) -> int:
        """The number of bars that a sum such as ``lag+1`` means."""
        values = {"lag": self.lag, "horizon": self.horizon}
        return sum(
            (-1 if sign == "-" else 1) * (values[term] if term in values else int(term))
            for sign, term in _TERM.findall(written)
        )


def _as_sum(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("must be a number of bars, or a sum of numbers, lag and horizon")
    written = str(value).replace(" ", "")
    if not _TERMS.fullmatch(written):
        raise ValueError("must be a number of bars, or a sum of numbers, lag and horizon")
    return written


Bars = Annotated[str, BeforeValidator(_as_sum)]
"""A number of bars: whole, or a sum such as ``-lag-horizon``. Nothing else is understood."""


def _as_audit_date(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"must be a date, a share of the decisions or {SEARCH_END}")
    if isinstance(value, int | float):
        if not 0.0 < value < 1.0:
            raise ValueError("a share of the decisions must lie between 0 and 1")
        return float(value)
    if value == SEARCH_END:
        return value
    try:
        stamp = pd.Timestamp(value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"must be a date, a share of the decisions or {SEARCH_END}") from error
    if pd.isna(stamp) or stamp.tzinfo is not None:
        raise ValueError("must be a date without a time zone")
    return stamp.to_pydatetime()


AuditDate = Annotated[dt.datetime | float | str, BeforeValidator(_as_audit_date)]
"""A bar, a share of the decisions (0.5 is the one in the middle), or ``search_end``."""


class RowsChoice(Strict):
    """See :class:`~regime_nas_pipeline.audit.rules.Rows`."""

    kind: Literal["rows"]
    date: str = "date"
    lead: Bars = "0"
    column_leads: dict[str, Bars] = Field(default_factory=dict)
    needs_after: Bars = "0"
    keys: list[str] | None = None
    ignore: list[str] = Field(default_factory=list)

    def rule(self, clock: Clock) -> Rule:
        """The rule with numbers of bars."""
        return Rows(
            date=self.date,
            lead=clock.bars(self.lead),
            column_leads={name: clock.bars(lead) for name, lead in self.column_leads.items()},
            needs_after=clock.bars(self.needs_after),
            keys=None if self.keys is None else tuple(self.keys),
            ignore=frozenset(self.ignore),
        )


class RecordsChoice(Strict):
    """See :class:`~regime_nas_pipeline.audit.rules.Records`."""

    kind: Literal["records"]
    date: str = "date"
    needs_after: Bars = "0"
    ignore: list[str] = Field(default_factory=list)

    def rule(self, clock: Clock) -> Rule:
        """The rule with numbers of bars."""
        return Records(self.date, clock.bars(self.needs_after), frozenset(self.ignore))


class PiecesChoice(Strict):
    """See :class:`~regime_nas_pipeline.audit.rules.Pieces`."""

    kind: Literal["pieces"]
    dates: str = "train_ends"
    prefix: str = "fold{:02d}"
    facts: list[str] = Field(default_factory=lambda: ["folds"])
    needs_after: Bars = "0"
    ignore: list[str] = Field(default_factory=list)

    def rule(self, clock: Clock) -> Rule:
        """The rule with numbers of bars."""
        return Pieces(
            dates=self.dates,
            prefix=self.prefix,
            facts=tuple(self.facts),
            needs_after=clock.bars(self.needs_after),
            ignore=frozenset(self.ignore),
        )


class AsOfChoice(Strict):
    """See :class:`~regime_nas_pipeline.audit.rules.AsOf`; the date may be ``search_end``."""

    kind: Literal["as_of"]
    date: Literal["search_end"] | dt.date
    ignore: list[str] = Field(default_factory=list)

    def rule(self, clock: Clock) -> Rule:
        """The rule with its date."""
        known = clock.search_end if self.date == SEARCH_END else pd.Timestamp(self.date)
        return AsOf(known, frozenset(self.ignore))


RuleChoice = Annotated[
    RowsChoice | RecordsChoice | PiecesChoice | AsOfChoice, Field(discriminator="kind")
]

Reason = Annotated[str, Field(min_length=1)]


class Audit(Strict):
    """What is altered when, and what must then be the same.

    Attributes:
        dates: Audit dates: prices up to each are left as they are.
        tolerance: Largest difference on cut prices that does not count, x max(1, |value|).
        leave_out: Registered pipelines whose nodes are not audited.
        rules: Dataset, or a pattern with ``*``, to what its dates mean; null to infer it.
        exempt: Dataset, or a pattern with ``*``, to the reason why it is not compared; null to
            compare it after all.
    """

    dates: list[AuditDate] = Field(min_length=1)
    tolerance: float = Field(1e-6, ge=0)
    leave_out: list[str] = Field(default_factory=list)
    rules: dict[str, RuleChoice | None] = Field(default_factory=dict)
    exempt: dict[str, Reason | None] = Field(default_factory=dict)
