"""A result set of the size and shape of a real run: all fixtures here, by their subject."""

from forecast_fixtures import (
    bins,
    forecasts,
    found,
    front,
    search,
    seed_spreads,
    spreads,
    trials,
)
from page_fixtures import all_figures, closures, limits, manifest, quality, report_parts
from trading_fixtures import dates, regimes, strategy_returns, summary, tables, weights
from verdict_fixtures import attribution, comparisons, counted, economics, verdict

__all__ = [
    "all_figures",
    "attribution",
    "bins",
    "closures",
    "comparisons",
    "counted",
    "dates",
    "economics",
    "forecasts",
    "found",
    "front",
    "limits",
    "manifest",
    "quality",
    "regimes",
    "report_parts",
    "search",
    "seed_spreads",
    "spreads",
    "strategy_returns",
    "summary",
    "tables",
    "trials",
    "verdict",
    "weights",
]
