"""Columns and facts that the report knows by name: their headings, units and decimals."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """How one column is written.

    Attributes:
        label: Heading.
        kind: percent (decimals times 100), number, integer, year (without separators), p_value,
            date or text.
        digits: Decimals.
        unit: Shown under the heading.
        better: 1 where larger is better, -1 where smaller is, 0 where neither.
    """

    label: str
    kind: str = "number"
    digits: int = 2
    unit: str = ""
    better: int = 0

    @property
    def numeric(self) -> bool:
        """Whether the column is right-aligned."""
        return self.kind not in {"text", "date"}


def percent(label: str, better: int = 0, digits: int = 1, unit: str = "%") -> Column:
    """A column of decimals that are written as percentages."""
    return Column(label, "percent", digits, unit, better)


def count(label: str, unit: str = "") -> Column:
    """A column of whole numbers."""
    return Column(label, "integer", 0, unit)


_PERFORMANCE = {
    "cagr": percent("Growth", 1, unit="% a year"),
    "volatility": percent("Volatility", -1, unit="% a year"),
    "sharpe": Column("Sharpe", better=1, unit="annualised"),
    "sharpe_cagr": Column("Sharpe", better=1, unit="(CAGR \u2212 rf) ÷ vol"),
    "sortino": Column("Sortino", better=1, unit="annualised"),
    "max_drawdown": percent("Max. drawdown", 1),
    "calmar": Column("Calmar", better=1, unit="ratio"),
    "turnover": percent("Turnover", -1, unit="% per rebalance"),
    "cost_drag": percent("Cost", -1, 2, "% a year"),
    "n_fallbacks": count("Fallbacks", "rebalances"),
    "total_return": percent("Total return"),
    "mean_return": percent("Mean return", digits=2),
    "share": percent("Share of bars"),
    "mean_weight": percent("Mean weight"),
    "contribution": percent("Added", unit="% of return, summed"),
    "return_share": percent("Share of the return", unit="% of all assets'"),
    "n_bars": count("Bars"),
    "bars": count("Bars"),
}
_TESTS = {
    "sharpe_against": Column("The other's Sharpe", unit="annualised"),
    "difference": Column("Difference", unit="a year"),
    "z": Column("z", unit="statistic"),
    "p_value": Column("p", "p_value", 3, "raw"),
    "p_holm": Column("p", "p_value", 3, "Holm"),
}
_FORECASTS = {
    "mae": percent("MAE", -1, 2, "% log return"),
    "rmse": percent("RMSE", -1, 2, "% log return"),
    "r2": percent("R² vs mean", 1, 2, "%"),
    "r2_zero": percent("R² vs zero", 1, 2, "%"),
    "theil_u": Column("Theil's U", digits=3, unit="1 = no change", better=-1),
    "rank_ic": Column("Rank IC", digits=3, unit="-1 to 1", better=1),
    "spread_ratio": Column("Spread", unit="forecast ÷ outcome"),
    "n": count("Forecasts", "date x asset"),
    "n_rank_dates": count("Dates ranked"),
    "n_unforecast": count("Not forecast", "date x asset"),
    "epochs": Column("Epochs", digits=1, unit="mean of all fits"),
    "gradient_samples": count("Gradient samples", "all refits and seeds"),
    "seconds": Column("Time", digits=1, unit="s, all refits"),
    "parameters": count("Parameters", "largest fit"),
    "failed_fits": count("Failed fits"),
    "refits": count("Refits"),
    "first_refit": Column("First", "date", unit="training until"),
    "last_refit": Column("Last", "date", unit="training until"),
}
_SEARCH = {
    "search_strategy": Column("Proposals", "text"),
    "trials": count("Trials", "in this run"),
    "trials_in_ledger": count("Trials", "in the ledger"),
    "best_trial": count("Best", "trial"),
    "best_score": Column("Best score", digits=4, unit="error ÷ no change", better=-1),
    "budget": count("Budget", "gradient samples"),
    "budget_spent": count("Spent", "gradient samples"),
    "last_date_seen": Column("Data", "date", unit="until"),
}
_TRADE_OFFS = {
    "number": count("Trial", "number"),
    "error": Column("Error", digits=4, unit="÷ no change", better=-1),
    "network_parameters": count("Parameters", "one network"),
    "latency": Column("Latency", digits=2, unit="ms a date", better=-1),
    "lipschitz": Column("Lipschitz constant", digits=1, unit="certified", better=-1),
    "on_front": Column("On the front", "text"),
}
_DATA = {
    "rows": count("Rows"),
    "first": Column("First", "date"),
    "last": Column("Last", "date"),
    "filled_gaps": count("Filled gaps"),
    "filled_gaps: count": count("Filled gaps"),
    "filled_gaps: longest": count("Longest gap", "bars"),
    "filled_gaps: bars": count("Filled bars"),
    "filled_gaps: bars_after_last_close": count("Filled after last close", "bars"),
    "stale_runs: count": count("Stale runs"),
    "stale_runs: longest": count("Longest stale run", "bars"),
    "stale_runs: first_date": Column("First stale run", "date"),
    "jumps: count": count("Jumps"),
    "jumps: dates": Column("Dates of jumps", "text"),
    "zero_volume_bars": count("Bars without volume"),
    "close_outside_range: count": count("Closes outside high and low"),
    "close_outside_range: first_date": Column("First such close", "date"),
}
COLUMNS: dict[str, Column] = {
    **_PERFORMANCE,
    **_TESTS,
    **_FORECASTS,
    **_SEARCH,
    **_TRADE_OFFS,
    **_DATA,
    "year": Column("Year", "year", 0),
}

ALIASES = {
    "p": "p_value",
    "p_raw": "p_value",
    "raw_p": "p_value",
    "p_value_holm": "p_holm",
    "holm_p": "p_holm",
    "p_adjusted": "p_holm",
}

FACT_NAMES = {
    "env": "Environment",
    "git_sha": "Git commit",
    "data_sha256": "SHA-256 of the prices",
    "started": "Started (UTC)",
    "n_dates": "Dates",
    "first_date": "First date",
    "last_date": "Last date",
    "first": "First date",
    "last": "Last date",
    "zero_volume_bars": "Bars without volume",
    "close_outside_range": "Closes outside high and low",
    "lookback": "Lookback (bars)",
    "width": "Width (units)",
    "timeframes": "Timeframes (bars)",
    "objective: volatility_weight": "Weight of volatility matching in the loss",
    "objective: ranking_weight": "Weight of the order of the assets in the loss",
    "objective: smoothness_weight": "Weight of smooth regimes in the loss",
    "objective: label_weight": "Weight of the labelled regimes in the loss",
    "objective: lipschitz_weight": "Weight of spectral norms in the loss",
    "objective: l1_weight": "Weight of absolute weights in the loss",
    "objective: l2_weight": "Weight of squared weights in the loss",
}
