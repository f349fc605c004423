from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_verdict_tables import texts

from regime_nas_pipeline.report import economics_tables as make

MINUS = "\u2212"


def number(text: str) -> float:
    return float(text.replace(MINUS, "-").replace(",", ""))


def test_break_even_names_the_reference_for_people(economics: dict[str, Any]) -> None:
    table = make.break_even(economics["break_even_costs"])
    written = texts(table).set_index("Strategy ()")
    assert table.columns[1].label == "Lead over equal weight"
    assert written.loc["GRU", "Why there is none ()"] == (
        "it does not lead equal weight even without costs"
    )
    found = economics["break_even_costs"].set_index("strategy")["break_even_bps"]
    assert number(written.loc["GARCH", "Break-even (basis points, one way)"]) == pytest.approx(
        found["garch"], abs=0.05
    )


@pytest.mark.parametrize("n_costs", [1, 5, 8, 51])
def test_costs_shown_are_few_and_hold_the_first_and_the_last(n_costs: int) -> None:
    costs = np.linspace(0.0, 100.0, n_costs) if n_costs > 1 else np.array([5.0])
    curve = pd.DataFrame({"cost_bps": costs, "strategy": "gru", "sharpe": 1.0 - costs / 100.0})
    written = texts(make.sharpe_at_costs(curve)).iloc[0]
    shown = [number(head.split(" ")[0]) for head in written.index[1:]]
    assert len(shown) == min(n_costs, 8)
    assert [shown[0], shown[-1]] == pytest.approx([costs[0], costs[-1]])
    for cost, sharpe in zip(shown, written.iloc[1:], strict=True):
        assert number(sharpe) == pytest.approx(1.0 - cost / 100.0, abs=0.006)


def test_trading_and_capacity(economics: dict[str, Any]) -> None:
    trading = texts(make.trading(economics["trading_figures"])).iloc[0]
    assert trading["Strategy ()"] == "RegimeNAS"
    assert trading["Trades (single assets)"] == "1,920"
    assert trading["Largest trade (% of wealth)"] == "2.5"
    capacity = texts(make.capacity(economics["participation"])).iloc[0]
    assert capacity["Capacity (currency of the prices)"] == "76,000,000"
    assert capacity["Largest trade (% of volume)"] == "1.32"
    assert "Why blank ()" not in capacity


def test_capacity_without_volume_has_no_row(economics: dict[str, Any]) -> None:
    blank = economics["participation"].assign(capacity=np.nan, reason="no volume")
    assert make.capacity(blank).rows == ()
    mixed = economics["participation"].copy()
    mixed.loc[0, ["capacity", "reason"]] = [np.nan, "not known"]
    assert texts(make.capacity(mixed))["Why blank ()"].iloc[0] == "not known"


def test_parts_of_a_lead_add_up_as_written(attribution: dict[str, pd.DataFrame]) -> None:
    for row in texts(make.attribution(attribution["attribution"])).to_dict("records"):
        parts = ("Acting on the forecasts", "While a fallback was held", "Costs")
        total = sum(number(row[f"{part} (% a year)"]) for part in parts)
        assert number(row["All together (% a year)"]) == pytest.approx(total, abs=0.0201)


def test_one_row_per_year_and_one_column_per_forecaster(
    attribution: dict[str, pd.DataFrame],
) -> None:
    by_year = attribution["attribution_by_year"]
    written = texts(make.lead_by_year(by_year)).set_index("Year ()")
    assert written.index.tolist() == [str(year) for year in range(2015, 2023)]
    found = by_year.set_index(["strategy", "year"])["difference"]
    assert number(written.loc["2019", "GARCH (% a year)"]) == pytest.approx(
        100 * found["garch", 2019], abs=0.051
    )


def test_best_and_worst_asset(attribution: dict[str, pd.DataFrame]) -> None:
    by_asset = attribution["attribution_by_asset"].sample(frac=1.0, random_state=5)
    written = texts(make.lead_by_asset(by_asset)).set_index("Strategy ()")
    own = by_asset[by_asset["strategy"] == "gru"].set_index("asset")["selection"]
    assert written.loc["GRU", "Earned most (asset)"] == own.idxmax()
    assert written.loc["GRU", "Earned least (asset)"] == own.idxmin()
    assert number(written.loc["GRU", "Earned least (% a year)"]) == pytest.approx(
        100 * own.min(), abs=0.0051
    )


def test_weights_of_all_groups_sum_to_one(economics: dict[str, Any]) -> None:
    written = texts(make.exposures(economics["group_exposures"])).set_index("Strategy ()")
    assert set(written) == {
        f"{group} (% of wealth)" for group in ("Industry & energy", "Health", "other")
    }
    assert written.map(number).sum(axis=1).tolist() == pytest.approx([100.0] * 7)


def test_a_group_that_a_strategy_never_held_weighs_nothing() -> None:
    table = pd.DataFrame(
        {"strategy": ["gru", "momentum"], "group": ["a", "strategy"], "mean_weight": [1.0, 0.7]}
    )
    written = texts(make.exposures(table)).set_index("Strategy ()")
    assert written.loc["GRU"].tolist() == ["100.0", "0.0"]
    assert written.loc["Momentum"].tolist() == ["0.0", "70.0"]


def test_regressions_are_grouped_by_benchmark(economics: dict[str, Any]) -> None:
    table = make.regressions(economics["benchmark_regressions"])
    groups = [row.cells[0].text for row in table.rows if row.starts_group]
    assert groups == ["Buy and hold", "Equal weight"]
    # The strategy regressed owns the row, and not the benchmark.
    assert [row.cells[1].text for row in table.rows if row.leading] == ["RegimeNAS"] * 2
    assert [row.cells[1].text for row in table.rows[:3]] == ["RegimeNAS", "GRU", "Transformer"]


def test_crises_in_order_of_time_with_those_partly_seen_marked(economics: dict[str, Any]) -> None:
    periods = economics["crises"]
    table = make.crises(periods.sample(frac=1.0, random_state=3))
    assert [column.label for column in table.columns[1:]] == [
        "China and oil",
        "Fourth quarter of 2018",
        "Covid-19",
        "Inflation of 2022",
    ]
    assert [column.unit.endswith("in part") for column in table.columns[1:]] == [
        *[False] * 3,
        True,
    ]
    assert table.columns[3].unit == "%, 2020-02 to 2020-03"
    covid = periods[(periods["period"] == "Covid-19") & (periods["strategy"] == "gru")]
    (gru,) = [row for row in table.rows if row.cells[0].text == "GRU"]
    assert number(gru.cells[3].text) == pytest.approx(
        100 * covid["total_return"].iloc[0], abs=0.051
    )


def test_a_sample_without_a_crisis_has_no_row(economics: dict[str, Any]) -> None:
    years = economics["crises"][economics["crises"]["kind"] == "year"]
    assert make.crises(years).rows == ()
