"""Tables of the economics of a result: costs, capacity, sources, exposures and crises."""

from __future__ import annotations

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.names import display_name
from regime_nas_pipeline.report.columns import Column, count, percent
from regime_nas_pipeline.report.tables import Table
from regime_nas_pipeline.report.theme import in_display_order
from regime_nas_pipeline.report.verdict_tables import chosen_table

_MOST_COSTS = 8
_STRATEGY = {"strategy": Column("Strategy", "text")}
_LEAD = {
    "selection": percent("Acting on the forecasts", digits=2, unit="% a year"),
    "fallback": percent("While a fallback was held", digits=2, unit="% a year"),
    "costs": percent("Costs", digits=2, unit="% a year"),
    "difference": percent("All together", digits=2, unit="% a year"),
}


def break_even(found: pd.DataFrame) -> Table:
    """The cost at which each strategy's lead over the reference is gone.

    Args:
        found: strategy, reference, lead_without_costs, break_even_bps, reason.
    """
    (reference,) = found["reference"].unique()
    name = display_name(reference).lower()
    columns = {
        **_STRATEGY,
        "lead_without_costs": Column(f"Lead over {name}", unit="Sharpe without costs"),
        "break_even_bps": Column("Break-even", digits=1, unit="basis points, one way"),
        "reason": Column("Why there is none", "text"),
    }
    reasons = found["reason"].str.replace(reference, name, regex=False)
    return chosen_table("break_even", found.assign(reason=reasons), columns)


def sharpe_at_costs(curve: pd.DataFrame) -> Table:
    """Sharpe ratio of each strategy at some of the costs drawn, first and last included.

    Args:
        curve: Tidy: cost_bps, strategy, sharpe.
    """
    costs = np.sort(curve["cost_bps"].unique())
    places = np.unique(np.linspace(0, len(costs) - 1, min(len(costs), _MOST_COSTS)).round())
    wide = curve.pivot(index="strategy", columns="cost_bps", values="sharpe")
    chosen = wide[costs[places.astype(int)]]
    columns = {f"{cost:g} bp": Column(f"{cost:g}", unit="basis points") for cost in chosen.columns}
    table = chosen.set_axis(list(columns), axis="columns").reset_index()
    return chosen_table("sharpe_at_costs", table, _STRATEGY | columns)


def trading(figures: pd.DataFrame) -> Table:
    """How much each strategy trades, and how much of it in one go.

    Args:
        figures: strategy, traded_per_year, n_trades, largest_trade, largest_asset, largest_date,
            largest_share.
    """
    columns = {
        **_STRATEGY,
        "traded_per_year": Column("Traded", unit="times wealth a year"),
        "n_trades": count("Trades", "single assets"),
        "largest_trade": percent("Largest trade", unit="% of wealth"),
        "largest_asset": Column("Largest trade", "text", unit="asset"),
        "largest_date": Column("Largest trade", "date", unit="first bar earned"),
        "largest_share": percent("Its share", unit="% of all trading"),
    }
    return chosen_table("trading", figures, columns)


def capacity(figures: pd.DataFrame) -> Table:
    """The largest portfolio whose every trade stays within the limit; empty if none is known.

    Args:
        figures: strategy, capacity, binding_asset, date, max_participation, mean_participation,
            share_within, n_unknown, reason.
    """
    columns = {
        **_STRATEGY,
        "capacity": count("Capacity", "currency of the prices"),
        "binding_asset": Column("Limited by", "text", unit="asset"),
        "date": Column("On", "date", unit="first bar earned"),
        "max_participation": percent("Largest trade", digits=2, unit="% of volume"),
        "mean_participation": percent("Mean trade", digits=3, unit="% of volume"),
        "share_within": percent("Within limit", unit="% of trading"),
        "n_unknown": count("Not known", "trades"),
        "reason": Column("Why blank", "text"),
    }
    known = figures if figures["capacity"].notna().any() else figures.iloc[:0]
    return chosen_table("capacity", known, columns)


def attribution(total: pd.DataFrame) -> Table:
    """The parts of each forecaster's lead over the portfolio without forecasts.

    Args:
        total: strategy, selection, fallback, costs, difference, bars, fallback_bars.
    """
    columns = {
        **_STRATEGY,
        **_LEAD,
        "fallback_bars": count("Bars", "with a fallback"),
        "bars": count("Bars", "in all"),
    }
    return chosen_table("attribution", total, columns)


def lead_by_year(by_year: pd.DataFrame) -> Table:
    """One row per year, one column per forecaster.

    Args:
        by_year: strategy, year, difference.
    """
    wide = by_year.pivot(index="year", columns="strategy", values="difference")
    wide = wide[in_display_order(map(str, wide.columns))]
    own = {
        f"lead of {name}": percent(display_name(name), digits=1, unit="% a year")
        for name in wide.columns
    }
    table = wide.set_axis(list(own), axis="columns").reset_index()
    table["year"] = table["year"].astype(str)
    return chosen_table("lead_by_year", table, {"year": Column("Year", "text"), **own})


def lead_by_asset(by_asset: pd.DataFrame) -> Table:
    """The asset whose selection earned most, and the one that earned least, per forecaster.

    Args:
        by_asset: strategy, asset, selection.
    """
    columns = {
        **_STRATEGY,
        "best_asset": Column("Earned most", "text", unit="asset"),
        "best": percent("Earned most", digits=2, unit="% a year"),
        "worst_asset": Column("Earned least", "text", unit="asset"),
        "worst": percent("Earned least", digits=2, unit="% a year"),
    }
    rows = []
    for strategy, own in by_asset.groupby("strategy", sort=False):
        ends = own.sort_values("selection", ascending=False, kind="stable").iloc[[0, -1]]
        names, parts = ends["asset"].tolist(), ends["selection"].tolist()
        rows.append((strategy, names[0], parts[0], names[1], parts[1]))
    return chosen_table("lead_by_asset", pd.DataFrame(rows, columns=list(columns)), columns)


def exposures(by_group: pd.DataFrame) -> Table:
    """Mean weight of every group of assets, one row per strategy.

    Args:
        by_group: strategy, group, mean_weight.
    """
    wide = by_group.pivot(index="strategy", columns="group", values="mean_weight").fillna(0.0)
    wide = wide[list(by_group["group"].unique())]
    own = {f"group: {name}": percent(str(name), unit="% of wealth") for name in wide.columns}
    table = wide.set_axis(list(own), axis="columns").reset_index()
    return chosen_table("exposures", table, _STRATEGY | own)


def regressions(fits: pd.DataFrame) -> Table:
    """Beta and alpha of each strategy on each benchmark.

    Args:
        fits: benchmark, strategy, beta, beta_error, alpha, alpha_error, alpha_t, alpha_p_value,
            r_squared, n, lags, reason.
    """
    columns = {
        # Not "benchmark", which is a key under which a row's strategy may stand.
        "regressed_on": Column("Regressed on", "text"),
        **_STRATEGY,
        "beta": Column("Beta"),
        "beta_error": Column("Beta", digits=3, unit="standard error"),
        "alpha": percent("Alpha", digits=2, unit="% a year"),
        "alpha_error": percent("Alpha", digits=2, unit="standard error"),
        "alpha_p_value": Column("p", "p_value", 3, "of no alpha"),
        "r_squared": percent("R²", unit="%"),
        "lags": count("Lags", "bars"),
        "reason": Column("Why blank", "text"),
    }
    table = fits.rename(columns={"benchmark": "regressed_on"})
    return chosen_table("regressions", table, columns, by="regressed_on")


def crises(periods: pd.DataFrame) -> Table:
    """Total return of every strategy in every crisis; one partly in the sample says so.

    Args:
        periods: kind, period, first, last, complete, strategy, total_return; rows of another
            kind than "crisis" are left out.
    """
    rows = periods[periods["kind"] == "crisis"]
    wide = rows.pivot(index="strategy", columns="period", values="total_return")
    columns = dict(_STRATEGY)
    for crisis in rows.drop_duplicates("period").sort_values("first").to_dict("records"):
        span = f"{crisis['first']:%Y-%m} to {crisis['last']:%Y-%m}"
        unit = f"%, {span}" if crisis["complete"] else f"%, {span}, in part"
        name = str(crisis["period"])
        columns[name] = percent(name[:1].upper() + name[1:], unit=unit)
    return chosen_table("crises", wide.reset_index(), columns)
