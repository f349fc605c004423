"""Numbers as price files hold them, without guessing."""

from __future__ import annotations

import pandas as pd

from regime_nas_pipeline.datasets.price_cells import as_text, row_name
from regime_nas_pipeline.datasets.source_error import PriceSourceError

_BLANK = {"", "na", "n/a", "#n/a", "nan", "null", "none"}
_NUMBER = r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|(?i:inf|infinity))"


def parse_numbers(
    cells: pd.Series,
    dates: pd.Series[pd.Timestamp],
    *,
    source: str,
    column: str,
    asset: str | pd.Series[str],
) -> pd.Series[float]:
    """Convert cells to the nearest float64; blanks to NaN.

    Args:
        cells: Text or numbers, indexed by their place in the file.
        dates: The date of each cell, for messages.
        source: File name, for messages.
        column: Column name, for messages.
        asset: The asset, or the asset of each cell, for messages.

    Raises:
        PriceSourceError: A cell is neither a number nor blank.
    """
    if pd.api.types.is_integer_dtype(cells.dtype) or cells.dtype == "float64":
        return cells.astype("float64")
    text = as_text(cells)
    stripped = text.str.strip()
    blank = stripped.str.lower().isin(_BLANK)
    wrong = (~blank & ~stripped.str.fullmatch(_NUMBER)).to_numpy(dtype=bool)
    if wrong.any():
        row = int(wrong.argmax())
        raise PriceSourceError(
            f"'{text.iloc[row]}' is not a number ({row_name(text, row)})",
            source=source,
            column=column,
            asset=asset if isinstance(asset, str) else asset.iloc[row],
            date=dates.iloc[row],
            remedy="write numbers as 1234.5, without separators or units, or leave the cell blank.",
        )
    # Python's own conversion, because it rounds to the nearest double.
    numbers = stripped.where(~blank, "nan").to_numpy(dtype=object).astype(float)
    return pd.Series(numbers, index=text.index)
