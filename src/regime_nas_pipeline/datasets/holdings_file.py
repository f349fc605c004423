"""What the user holds, from a file of the user's own; nothing in it is guessed."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from regime_nas_pipeline.datasets.price_cells import as_text, row_name
from regime_nas_pipeline.datasets.source_error import PriceSourceError
from regime_nas_pipeline.datasets.table_cells import read_table_cells
from regime_nas_pipeline.portfolio.trades_now import CASH

AMOUNTS = ("units", "value")


def read_holdings(path: Path, assets: Sequence[str]) -> pd.DataFrame:
    """Read a CSV or Parquet file with the columns ``asset`` and either ``units`` or ``value``.

    A row ``cash`` holds money, in the currency of the prices, under either column.

    Args:
        path: The file; its suffix says of which kind it is.
        assets: Names that may stand in it beside ``cash``.

    Returns:
        ``asset``, ``units`` and ``value``, one row for each row of the file; the column that the
        file lacks is blank, and cash is a value.

    Raises:
        PriceSourceError: The file cannot be read or is of another kind, a column is missing, too
            many or unknown, or a row has no name, an unknown or a repeated one, or an amount that
            is blank, not a number, infinite or negative.
    """
    cells = read_table_cells(path, "holdings")
    kind = _kind_of_amount(cells, path.name)
    names = as_text(cells["asset"]).str.strip()
    _check_names(names, assets, path.name)
    amounts = _amounts(cells[kind], names, kind, path.name)
    table = pd.DataFrame({"asset": names.astype("str"), "units": np.nan, "value": np.nan})
    table[kind] = amounts
    money = table["asset"] == CASH
    table.loc[money, "value"] = amounts[money]
    table.loc[money, "units"] = np.nan
    return table.reset_index(drop=True)


def _kind_of_amount(cells: pd.DataFrame, source: str) -> str:
    """Which of ``units`` and ``value`` the file has."""
    columns = list(cells.columns)
    given = [name for name in AMOUNTS if name in columns]
    strange = [name for name in columns if name not in ("asset", *AMOUNTS)]
    if "asset" not in columns or len(given) != 1 or strange or len(set(columns)) < len(columns):
        raise PriceSourceError(
            f"the file has the columns {', '.join(columns)}",
            source=source,
            column=strange[0] if strange else None,
            remedy="give it the columns asset and either units or value, and nothing else.",
        )
    return given[0]


def _check_names(names: pd.Series[str], assets: Sequence[str], source: str) -> None:
    first: dict[str, str] = {}
    for row, name in enumerate(names):
        place = row_name(names, row)
        if not name:
            raise PriceSourceError(
                f"{place} names no asset",
                source=source,
                column="asset",
                remedy="name the asset, or remove the row.",
            )
        if name != CASH and name not in assets:
            known = {each.lower(): each for each in (*assets, CASH)}
            near = difflib.get_close_matches(name.lower(), known, n=1)
            hint = f"did you mean '{known[near[0]]}'?" if near else f"known: {', '.join(assets)}."
            raise PriceSourceError(
                f"{place} names an asset that the strategies do not trade",
                source=source,
                column="asset",
                asset=name,
                remedy=f"{hint} Leave out what is not to be traded; money is a row '{CASH}'.",
            )
        if name in first:
            raise PriceSourceError(
                f"{first[name]} and {place} name the same asset",
                source=source,
                column="asset",
                asset=name,
                remedy="add them up in one row.",
            )
        first[name] = place


def _amounts(cells: pd.Series, names: pd.Series[str], column: str, source: str) -> pd.Series[float]:
    text = as_text(cells).str.strip()
    numbers = pd.to_numeric(text, errors="coerce").astype(float)
    faults = (
        (text.str.lower().isin(("", "nan")).to_numpy(), "the cell is blank"),
        (~np.isfinite(numbers.to_numpy()), "'{}' is not a number"),
        (numbers.to_numpy() < 0.0, "{} is negative, and nothing is sold short here"),
    )
    for wrong, words in faults:
        if wrong.any():
            row = int(np.argmax(wrong))
            raise PriceSourceError(
                f"{words.format(text.iloc[row])} ({row_name(text, row)})",
                source=source,
                column=column,
                asset=names.iloc[row],
                remedy="write an amount of 0 or more as 1234.5, without separators or units.",
            )
    return numbers
