"""Tables of the report: column names with units, numbers as text, and one style per strategy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.dates import date_text, date_texts
from regime_nas_pipeline.report.columns import ALIASES, COLUMNS, FACT_NAMES, Column
from regime_nas_pipeline.report.theme import (
    StrategyStyle,
    in_display_order,
    is_known,
    strategy_style,
)

BLANK = "\u2013"
_MINUS = "\u2212"
_STRATEGY_COLUMNS = ("strategy", "forecaster", "versus", "against", "benchmark", "reference")


@dataclass(frozen=True)
class Cell:
    """Text of one cell.

    Attributes:
        text: What is written.
        best: The best of its column.
        colour: Colour of the strategy that the cell names.
        rows: Rows that the cell covers; 0 where a cell above covers this one.
    """

    text: str
    best: bool = False
    colour: str | None = None
    rows: int = 1


@dataclass(frozen=True)
class Row:
    """Cells, and whether the row is about RegimeNAS, or about a reference portfolio."""

    cells: tuple[Cell, ...]
    leading: bool = False
    reference: bool = False
    starts_group: bool = False


@dataclass(frozen=True)
class Table:
    """A table ready for the page."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def make_table(
    name: str,
    caption: str,
    frame: pd.DataFrame,
    *,
    mark_best: bool = False,
    columns: Mapping[str, Column] | None = None,
    styles: Mapping[str, StrategyStyle] | None = None,
    grouped: bool = False,
) -> Table:
    """Turn a frame into text, column by column.

    Args:
        name: Key of the table.
        caption: Its heading.
        frame: One row per line. A named index becomes the first column. Columns that this module
            knows get their unit; any other is named and formatted by its content.
        mark_best: Mark the best value of each column that has a better side.
        columns: How to write columns that have another meaning in this table, or a name of
            their own.
        styles: Name to style, of forecasters that are none of the report's strategies.
        grouped: Write equal values of the first column once. Where strategies stand in another
            column, this is done in any case.
    """
    flat = frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()
    own, special = columns or {}, styles or {}
    written = [
        own.get(str(label)) or _column(str(label), flat.iloc[:, place])
        for place, label in enumerate(flat.columns)
    ]
    texts = [
        [_cell(value, column, special) for value in _written_alike(flat.iloc[:, place])]
        for place, column in enumerate(written)
    ]
    if mark_best:
        texts = [
            _with_best(cells, flat.iloc[:, place], column)
            for place, (cells, column) in enumerate(zip(texts, written, strict=True))
        ]
    keys = [str(label) for label in flat.columns]
    rows = [
        _row(keys, flat.iloc[line].tolist(), tuple(cells[line] for cells in texts), special)
        for line in range(len(flat))
    ]
    return Table(name, caption, tuple(written), _grouped(rows, keys, grouped))


def measures_table(name: str, caption: str, measures: Mapping[str, Mapping[str, Any]]) -> Table:
    """One row per strategy in the report's order, best values marked."""
    names = in_display_order(measures)
    frame = pd.DataFrame([{"strategy": each, **measures[each]} for each in names])
    return make_table(name, caption, frame, mark_best=True)


def facts_table(name: str, caption: str, facts: Mapping[str, Any], *, what: str = "Fact") -> Table:
    """Two columns, fact and value; nested facts are named by their path."""
    rows = tuple(
        Row((Cell(FACT_NAMES.get(key) or heading(key)), Cell(value_text(value))))
        for key, value in flatten(facts)
    )
    return Table(name, caption, (Column(what, "text"), Column("Value", "text")), rows)


def flatten(facts: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Nested mappings as (path, value) pairs, in order."""
    for key, value in facts.items():
        path = f"{prefix}: {key}" if prefix else str(key)
        if isinstance(value, Mapping):
            yield from flatten(value, path)
        else:
            yield path, value


def heading(key: str) -> str:
    """A key in words, with a capital."""
    words = key.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def value_text(value: Any) -> str:
    """Any value as text: integers grouped, floats to four digits, lists with commas."""
    if isinstance(value, list | tuple):
        return ", ".join(map(value_text, value)) or BLANK
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return BLANK
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, pd.Timestamp):
        return date_text(value)
    return _scalar_text(value)


def _scalar_text(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:,.4g}"
    if isinstance(value, int | np.integer) and abs(int(value)) >= 1_000:
        return f"{int(value):,}"
    return str(value)


def _column(label: str, values: pd.Series) -> Column:
    known = COLUMNS.get(ALIASES.get(label, label))
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if known is not None:
        blank = bool(values.isna().all())
        return known if numeric or blank or not known.numeric else replace(known, kind="text")
    if is_known(label):
        return Column(strategy_style(label).label, "number" if numeric else "text")
    if pd.api.types.is_datetime64_any_dtype(values):
        return Column(heading(label), "date")
    if pd.api.types.is_integer_dtype(values):
        return Column(heading(label), "integer", 0)
    if numeric:
        return Column(heading(label), "number", _digits_for(values))
    return Column(heading(label), "text")


def _written_alike(values: pd.Series) -> pd.Series:
    """Dates of one column as text, with a time of day in all of them or in none."""
    if not pd.api.types.is_datetime64_any_dtype(values):
        return values
    known = values.dropna()
    return pd.Series(date_texts(known), known.index, object).reindex(values.index)


def _digits_for(values: pd.Series) -> int:
    """Decimals that show three digits of a typical value."""
    sizes = values.abs().replace([0, np.inf], np.nan).dropna()
    if sizes.empty:
        return 2
    return int(np.clip(2 - math.floor(math.log10(float(sizes.median()))), 0, 6))


def _cell(value: Any, column: Column, styles: Mapping[str, StrategyStyle]) -> Cell:
    if column.kind in {"text", "date"}:
        missing = pd.api.types.is_scalar(value) and pd.isna(value)
        return Cell(_name_or_text(None if missing else value, styles))
    if pd.isna(value):
        return Cell(BLANK)
    return Cell(_number_text(float(value), column))


def _name_or_text(value: Any, styles: Mapping[str, StrategyStyle]) -> str:
    if isinstance(value, str) and value in styles:
        return styles[value].label
    if isinstance(value, str) and is_known(value):
        return strategy_style(value).label
    return value_text(value)


def _number_text(value: float, column: Column) -> str:
    if not math.isfinite(value):
        return "∞" if value > 0 else "-∞" if value < 0 else BLANK
    if column.kind == "year":
        return f"{value:.0f}"
    if column.kind == "p_value":
        return "<0.001" if value < 0.001 else f"{value:.3f}"
    scaled = value * 100.0 if column.kind == "percent" else value
    text = f"{scaled:,.{column.digits}f}"
    return text.replace("-", _MINUS) if float(text.replace(",", "")) != 0 else text.lstrip("-")


def _with_best(cells: list[Cell], values: pd.Series, column: Column) -> list[Cell]:
    finite = pd.to_numeric(values, errors="coerce") if column.better else pd.Series(dtype=float)
    finite = finite.where(np.isfinite(finite))
    if column.better == 0 or finite.count() < 2:
        return cells
    best = finite.max() if column.better > 0 else finite.min()
    return [
        replace(cell, best=bool(value == best)) for cell, value in zip(cells, finite, strict=True)
    ]


def _row(
    keys: list[str],
    values: list[Any],
    cells: tuple[Cell, ...],
    styles: Mapping[str, StrategyStyle],
) -> Row:
    place = next((at for at, key in enumerate(keys) if key in _STRATEGY_COLUMNS), None)
    if place is None:
        return Row(cells)
    name = str(values[place])
    style = styles.get(name) or strategy_style(name)
    owner = replace(cells[place], colour=style.colour)
    marked = (*cells[:place], owner, *cells[place + 1 :])
    return Row(marked, name == "regime_nas", style.reference)


def _grouped(rows: list[Row], keys: list[str], wanted: bool) -> tuple[Row, ...]:
    """Write equal values of a first column once."""
    of_strategies = bool(set(keys[1:]) & set(_STRATEGY_COLUMNS))
    if not (wanted or of_strategies) or not keys or keys[0] in _STRATEGY_COLUMNS:
        return tuple(rows)
    grouped: list[Row] = []
    for _, members in groupby(rows, key=lambda row: row.cells[0].text):
        group = list(members)
        for place, row in enumerate(group):
            first = replace(row.cells[0], rows=0 if place else len(group))
            cells = (first, *row.cells[1:])
            grouped.append(replace(row, cells=cells, starts_group=place == 0))
    return tuple(grouped)
