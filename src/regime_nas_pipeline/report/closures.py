"""The chapter on positions that nobody decided to close."""

from __future__ import annotations

import numpy as np
import pandas as pd

from regime_nas_pipeline.report.columns import Column, percent
from regime_nas_pipeline.report.tables import Table, make_table
from regime_nas_pipeline.report.text import TABLE_CAPTIONS
from regime_nas_pipeline.report.theme import strategy_style

MOST_ROWS = 100

_COLUMNS = {
    "date": Column("Date", "date", unit="first bar without it"),
    "asset": Column("Asset", "text"),
    "reason": Column("Reason", "text"),
    "strategy": Column("Strategy", "text"),
    "weight": percent("Weight", unit="% of wealth"),
    "price": Column("Price", "text", unit="used"),
}
_PRICE_DIGITS = 6


def closures_table(closures: pd.DataFrame) -> Table:
    """One row per closure by date, of the heaviest ones where there are many.

    Args:
        closures: date, strategy, asset, reason, weight (fraction of wealth), price.
    """
    shown = closures.sort_values("weight", ascending=False, kind="stable").head(MOST_ROWS)
    ranks = shown["strategy"].map(lambda name: strategy_style(name).rank)
    ordered = shown.assign(rank=ranks).sort_values(["date", "asset", "rank", "strategy"])
    written = ordered[[*_COLUMNS]].reset_index(drop=True)
    written["price"] = [_price_text(price) for price in written["price"]]
    return make_table("closures", TABLE_CAPTIONS["closures"], written, columns=_COLUMNS)


def closure_words(closures: pd.DataFrame) -> list[str]:
    """How many positions had to end and why, or that none had to.

    Args:
        closures: As for :func:`closures_table`.
    """
    if closures.empty:
        return [
            "No position had to end: every asset that was held had a price and belonged to the "
            "universe for as long as it was held."
        ]
    number, heaviest = len(closures), closures.iloc[int(closures["weight"].argmax())]
    reasons = closures["reason"].value_counts()
    why = ", ".join(f"{count:,} because the {reason}" for reason, count in reasons.items())
    ends = "1 position" if number == 1 else f"{number:,} positions"
    words = [
        f"{ends} had to end: {why}. The heaviest was {heaviest['asset']} with "
        f"{100.0 * heaviest['weight']:.1f} % of the wealth of "
        f"{strategy_style(heaviest['strategy']).label}."
    ]
    if number > MOST_ROWS:
        words.append(
            f"The table shows the {MOST_ROWS} heaviest; the dataset forced_closures holds all."
        )
    return words


def _price_text(price: float) -> str | None:
    """Six digits that count, whatever the size of a price."""
    if not np.isfinite(price):
        return None
    return np.format_float_positional(price, _PRICE_DIGITS, fractional=False, trim="-")
