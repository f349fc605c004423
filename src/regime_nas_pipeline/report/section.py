"""What a chapter of a report page is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """One chapter of the report.

    Attributes:
        key: Anchor in the page.
        title: Heading.
        explanation: How to read it, in plain English.
        tables: Names of the tables shown, in order; a missing one is named as missing.
        figures: Names of the figures shown, in order.
        optional: Names among those above that a run may lack without a word.
        figures_first: Figures stand above the tables.
        compares: Strategies are compared here, so the limits of the data are repeated.
        hidden_if_empty: Without any table, figure or sentence the chapter is left out.
    """

    key: str
    title: str
    explanation: str
    tables: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    figures_first: bool = False
    compares: bool = False
    hidden_if_empty: bool = False
