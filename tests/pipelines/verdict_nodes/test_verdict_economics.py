"""Nodes that say what the result is worth and where it comes from."""

from __future__ import annotations

import numpy as np
import pytest
from verdict_datasets import costs_of, sources_of


def test_the_curve_passes_through_the_run_at_its_own_cost(costs, traded) -> None:
    curve = costs["cost_curve"]
    assert sorted(curve["cost_bps"].unique()) == [0.0, 5.0, 7.0, 50.0]
    here = curve[curve["cost_bps"] == 7.0].set_index("strategy")["sharpe"]
    for name, figures in traded["figures"].items():
        assert here[name] == pytest.approx(figures["sharpe"], rel=1e-9), name


def test_every_other_strategy_has_a_break_even_or_a_reason(costs, traded) -> None:
    table = costs["break_even_costs"]
    assert set(table["strategy"]) == set(traded["strategy_returns"]) - {"equal_weight"}
    assert (table["break_even_bps"].isna() == (table["reason"] != "")).all()


def test_turnover_of_the_evaluation_is_what_is_traded(costs, traded) -> None:
    decisions = traded["decisions"]
    turnover = decisions[decisions["strategy"] == "gru"]["turnover"].sum()
    figures = costs["trading_figures"].set_index("strategy")
    years = len(traded["strategy_returns"]) / 252
    assert figures.loc["gru", "traded_per_year"] == pytest.approx(2 * turnover / years, rel=1e-9)


def test_without_volume_there_is_a_reason_in_place_of_a_capacity(costs) -> None:
    assert costs["participation"]["capacity"].isna().all()
    assert (costs["participation"]["reason"] != "").all()
    assert costs["participation_by_asset"]["max_participation"].isna().all()


@pytest.mark.parametrize("volume_in", ["units", "currency"])
def test_volume_is_counted_as_the_parameters_say(prices, settings, traded, volume_in) -> None:
    asked = settings.verdict.capacity.model_copy(update={"volume_in": volume_in})
    verdict = settings.verdict.model_copy(update={"capacity": asked})
    volume = 1e8 / prices["close"] if volume_in == "units" else 1e8
    table = costs_of(prices.assign(volume=volume), settings, traded, verdict=verdict)
    first = table["participation"].set_index("strategy").loc["buy_and_hold"]
    # All of a million at once in an asset of which a hundred millions change hands every bar.
    assert first["max_participation"] == pytest.approx(0.01, rel=1e-9)
    assert first["capacity"] == pytest.approx(1e7, rel=1e-9)
    assert first["binding_asset"] == "benchmark"


def test_parts_of_the_lead_add_up_to_the_difference_of_mean_returns(sources, traded) -> None:
    total = sources["attribution"].set_index("strategy")
    assert total.index.tolist() == ["regime_nas", "gru", "momentum"]
    returns = traded["strategy_returns"]
    for name, row in total.iterrows():
        lead = (returns[name] - returns["mvo_flat"]).mean() * 252
        assert row["selection"] + row["fallback"] + row["costs"] == pytest.approx(lead, abs=1e-12)
    by_asset = sources["attribution_by_asset"].groupby("strategy")["selection"].sum()
    np.testing.assert_allclose(by_asset[total.index], total["selection"], atol=1e-12)
    years = sources["attribution_by_year"][sources["attribution_by_year"]["strategy"] == "gru"]
    assert years["bars"].sum() == total.loc["gru", "bars"]


def test_groups_are_those_of_the_parameters(sources) -> None:
    groups = sources["group_exposures"]
    assert set(groups["group"]) == {"north", "south", "index", "other"}
    held = groups[groups["strategy"] == "equal_weight"].set_index("group")["n_assets"]
    assert held.to_dict() == {"north": 2, "south": 1, "other": 2}
    assert set(groups.loc[groups["strategy"] == "buy_and_hold", "group"]) == {"index"}


def test_regressions_on_both_benchmarks(sources, traded) -> None:
    table = sources["benchmark_regressions"]
    assert table["benchmark"].unique().tolist() == ["buy_and_hold", "equal_weight"]
    rate = 1.01 ** (1 / 252) - 1
    excess = traded["strategy_returns"] - rate
    slope, intercept = np.polyfit(excess["equal_weight"], excess["gru"], 1)
    row = table[(table["benchmark"] == "equal_weight") & (table["strategy"] == "gru")].iloc[0]
    assert row["beta"] == pytest.approx(slope, rel=1e-9)
    assert row["alpha"] == pytest.approx(intercept * 252, rel=1e-9)


def test_only_crises_that_the_sample_touches_are_told(sources, traded) -> None:
    # 2000-12 to 2001-08 lies inside the bust of 2000 to 2002.
    crises = sources["crises"]
    assert crises["period"].unique().tolist() == ["dot-com bust"]
    assert not crises["complete"].any()
    whole = (1.0 + traded["strategy_returns"]["gru"]).prod() - 1.0
    row = crises[crises["strategy"] == "gru"].iloc[0]
    assert row["total_return"] == pytest.approx(whole, rel=1e-12)


def test_regressions_of_a_short_sample_are_left_out(prices, settings, traded) -> None:
    last = traded["strategy_returns"].index[19]
    short = {
        "strategy_returns": traded["strategy_returns"].loc[:last],
        "gross_returns": traded["gross_returns"].loc[:last],
        "weights": traded["weights"][traded["weights"]["date"] <= last],
    }
    found = sources_of(prices, settings, traded, **short)
    assert found["benchmark_regressions"].empty
    assert (found["attribution"]["bars"] == 20).all()
