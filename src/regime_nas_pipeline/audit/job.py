"""What a job is, and what comparing two of its runs can find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

PRESENCE = "(present)"
"""What a difference names for a column where a whole row or dataset is there in one run only."""


class Output(NamedTuple):
    """One dataset that a job made: the node that made it, its name, its content."""

    node: str
    dataset: str
    data: Any


JobOutputs = Sequence[Output]
"""All outputs of a job, in the order in which they were made."""

Job = Callable[[pd.DataFrame], JobOutputs]
"""Runs everything on a tidy price table."""

Plain = str | float | int | bool | None


@dataclass(frozen=True)
class Difference:
    """The earliest value of one column that changed though its date is not after the audit date.

    Attributes:
        node: Node that made the dataset.
        dataset: Name of the dataset, with the partition in brackets.
        column: Column, or dotted path in JSON or a bundle; ``PRESENCE`` for a row that came or
            went.
        asset: Asset of the row, where it has one.
        date: Date of the row, or of the thing as a whole.
        before: Value on the original prices.
        after: Value on the altered prices.
        count: Values of this column that changed.
    """

    node: str
    dataset: str
    column: str
    asset: str | None
    date: pd.Timestamp
    before: Plain
    after: Plain
    count: int = 1


@dataclass(frozen=True)
class Comparison:
    """What came of comparing two runs.

    Attributes:
        differences: First in execution order first; within a dataset the earliest date first.
        compared: Dataset to the number of values compared, 0 where none is dated early enough.
    """

    differences: tuple[Difference, ...]
    compared: dict[str, int]
