"""Parameters of a forecast for the next rebalance."""

from __future__ import annotations

import datetime as dt

from pydantic import Field

from regime_nas_pipeline.core.params import Strict


class ForecastNow(Strict):
    """What to forecast from, and what is held.

    Attributes:
        as_of: Last day whose bars are used; None for today (UTC).
        max_age: Calendar days that the last bar may lie before ``as_of``.
        ended: Assets whose prices have ended for good. Any other without a price at the last bar
            stops the run.
        past_the_seal: Whether bars from ``universe.sealed_from`` on may be forecast from.
        strategy: Whose trades are wanted; None for those of every strategy.
        holdings: CSV or Parquet file of what is held; None for ``capital`` in cash.
        capital: Money to invest where no file says what is held.
    """

    as_of: dt.date | None = None
    max_age: int = Field(7, ge=0)
    ended: list[str] = Field(default_factory=list)
    past_the_seal: bool = False
    strategy: str | None = None
    holdings: str | None = None
    capital: float = Field(100000.0, gt=0, allow_inf_nan=False)

    def day(self) -> dt.date:
        """``as_of``, or today in UTC."""
        return self.as_of or dt.datetime.now(dt.UTC).date()
