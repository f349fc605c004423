"""The one schema of a price table, attached to the catalog entry of the prices."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series


class PriceTable(pa.DataFrameModel):
    """Validated prices in tidy form: one row for each bar of each asset.

    No other column is allowed and a (date, asset) pair occurs once. An asset has no row before it
    is listed and after its end; between, every date of the market has one.

    Attributes:
        date: Bar date, without a time zone.
        asset: Asset name.
        close: Adjusted close, positive and finite; what returns are made of.
        open: First price of the bar, on the same adjustment; may be blank.
        high: Highest price of the bar; may be blank.
        low: Lowest price of the bar; may be blank.
        volume: Quantity traded, not negative; 0 in a bar that was carried forward.
        member: Whether the asset belongs to the universe at this close; only where a file says
            who did when.
    """

    date: Series[pa.DateTime]
    asset: Series[str] = pa.Field(str_length={"min_value": 1})
    close: Series[float] = pa.Field(gt=0)
    open: Series[float] | None = pa.Field(gt=0, nullable=True)
    high: Series[float] | None = pa.Field(gt=0, nullable=True)
    low: Series[float] | None = pa.Field(gt=0, nullable=True)
    volume: Series[float] | None = pa.Field(ge=0, nullable=True)
    member: Series[bool] | None

    class Config:
        """Pandera's own switches."""

        strict = True
        unique = ("date", "asset")

    @pa.check("^(close|open|high|low|volume)$", regex=True, name="finite")
    def _is_finite(cls, values: pd.Series[float]) -> pd.Series[bool]:  # noqa: N805
        return values.abs() != np.inf
