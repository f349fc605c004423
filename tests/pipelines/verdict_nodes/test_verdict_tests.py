"""Nodes that test strategies, count trials and put the answers together."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from verdict_datasets import recorded_of

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.pipelines.verdict.nodes import compare_all, count_trials
from regime_nas_pipeline.verdict.sharpe import compare_sharpes
from regime_nas_pipeline.verdict.trials.counted import IN_SEARCH, OUT_OF_SAMPLE

STRATEGIES = ["regime_nas", "gru", "momentum", "equal_weight", "mvo_flat", "buy_and_hold"]


def test_every_strategy_is_tested_against_every_reference(compared, traded) -> None:
    tests = compared[0]
    sharpe = tests[tests["test"] == "jobson_korkie_memmel"]
    assert set(sharpe["against"]) == {"equal_weight", "momentum", "mvo_flat", "buy_and_hold"}
    # Six strategies: five pairs with the first reference, one fewer with each of the next.
    assert len(sharpe) == 5 + 4 + 3 + 2
    expected = compare_sharpes(
        traded["strategy_returns"],
        ["equal_weight", "momentum", "mvo_flat", "buy_and_hold"],
        risk_free=0.01,
        bars_per_year=252,
    )
    assert sharpe["statistic"].tolist() == expected["z"].tolist()
    assert (tests["test"] == "ledoit_wolf").sum() == len(sharpe)


def test_forecasters_are_tested_against_no_change_and_momentum(compared) -> None:
    rows = compared[0][compared[0]["test"] == "diebold_mariano"]
    pairs = set(zip(rows["subject"], rows["against"], strict=True))
    assert pairs == {
        ("regime_nas", "no_change"),
        ("gru", "no_change"),
        ("momentum", "no_change"),
        ("regime_nas", "momentum"),
        ("gru", "momentum"),
    }
    skilled = rows[rows["subject"] == "regime_nas"]
    assert (skilled["statistic"] > 0.0).all()


def test_all_strategies_at_once_by_both_measures(compared) -> None:
    table = compared[1]
    assert table["measure"].unique().tolist() == ["mean", "sharpe"]
    assert table["subject"].tolist() == STRATEGIES * 2
    assert set(table["against"]) == {"equal_weight"}
    assert set(table["n_resamples"]) == {99}


def test_words_are_about_regime_nas_and_its_sharpe_ratio(compared) -> None:
    words = compared[2]
    assert all(isinstance(sentence, str) for sentence in words)
    assert sum("RegimeNAS" in sentence and "buy and hold" in sentence for sentence in words) == 1
    assert any("by Sharpe ratio" in sentence for sentence in words)


def test_a_sample_too_short_to_test_says_so_and_stops_nothing(asked) -> None:
    short = asked["strategy_returns"].iloc[:20]
    tests, superior, words = compare_all(**{**asked, "strategy_returns": short})
    assert tests.empty
    assert superior.empty
    assert "20 bars are too few" in words[0]


def test_too_few_forecasts_leave_the_tests_of_sharpe_ratios(asked, forecasts) -> None:
    dates = forecasts["gru"]["date"].unique()[:2]
    few = {name: table[table["date"].isin(dates)] for name, table in forecasts.items()}
    tests, _, words = compare_all(**{**asked, **few})
    assert set(tests["test"]) == {"jobson_korkie_memmel", "ledoit_wolf"}
    assert words[-1].startswith("The accuracy of forecasts is not tested")


def test_what_a_search_chose_is_judged_in_excess_of_equal_weight(counted, searches) -> None:
    deflated, overfitting = counted
    own = deflated[deflated["scope"] == IN_SEARCH].set_index("strategy")
    assert own.index.tolist() == ["regime_nas", "gru"]
    assert (own["n_trials"] == 8).all()
    assert overfitting["n_effective"] == own["n_effective"].iloc[0]
    ledger, _ = searches
    # Its returns alone follow the market; in excess of equal weight little is left to follow.
    returns = np.array(ledger["validation_returns"].tolist())
    alone = returns[0].mean() / returns[0].std(ddof=1)
    assert own.loc["regime_nas", "sharpe"] != pytest.approx(alone, rel=0.05)
    assert own.loc["regime_nas", "n"] == returns.shape[1]


def test_out_of_sample_the_strategies_are_counted_as_trials(counted, traded) -> None:
    deflated, _ = counted
    outside = deflated[deflated["scope"] == OUT_OF_SAMPLE]
    lead = outside[outside["reference"] == "equal_weight"]
    assert lead["strategy"].tolist() == [name for name in STRATEGIES if name != "equal_weight"]
    # Five leads, and two of single seeds.
    assert (lead["n_trials"] == 7).all()
    assert (lead["n"] == len(traded["strategy_returns"])).all()


def test_overfitting_is_told_of_all_trials_and_of_each_search(counted) -> None:
    _, overfitting = counted
    assert overfitting["n_trials"] == overfitting["n_trials_counted"] == 8
    assert overfitting["n_this_run"] == 8
    assert len(overfitting["logits"]) == 6
    parts = overfitting["forecasters"]
    assert {name: part["n_trials"] for name, part in parts.items()} == {"regime_nas": 4, "gru": 4}
    json.dumps(overfitting, allow_nan=False)


def test_earlier_trials_on_these_prices_are_counted_and_others_named(counting, searches) -> None:
    ledger, _ = searches
    earlier = ledger.assign(
        search_id="e" * 64,
        trial_id="earlier-" + ledger["trial_id"],
        validation_returns=[list(np.array(row)[::-1]) for row in ledger["validation_returns"]],
    )
    elsewhere = earlier.assign(trial_id="other-" + ledger["trial_id"], closes_hash="0" * 64)
    everything = pd.concat([ledger, earlier, elsewhere], ignore_index=True)
    deflated, overfitting = count_trials(**{**counting, "search_trials": everything})
    assert overfitting["n_in_ledger"] == 24
    assert overfitting["n_trials_counted"] == 16
    assert overfitting["n_this_run"] == 8
    assert overfitting["left_out"]["on other prices"] == 8
    assert (deflated.loc[deflated["scope"] == IN_SEARCH, "n_trials"] == 16).all()


def test_a_search_on_other_prices_is_refused(counting) -> None:
    altered = counting["prices"].copy()
    altered.loc[altered.index[40], "close"] *= 1.001
    with pytest.raises(DataError, match=r"on other prices.*nas_search"):
        count_trials(**{**counting, "prices": altered})


def test_prices_after_the_first_out_of_sample_day_do_not_touch_what_was_searched(
    counting, counted, settings, forecasts, small_market
) -> None:
    prices = counting["prices"].copy()
    prices.loc[prices["date"] >= small_market.dates[240], "close"] *= 1.3
    recorded = recorded_of(prices, counting["strategy_returns"], settings, forecasts)
    deflated, _ = count_trials(**{**counting, **recorded, "prices": prices})
    rows = deflated["scope"] == IN_SEARCH
    pd.testing.assert_frame_equal(deflated[rows], counted[0][rows], check_exact=True)


def test_the_verdict_holds_every_strategy(verdict, costs) -> None:
    break_even = costs["break_even_costs"]
    json.dumps(verdict, allow_nan=False)
    assert list(verdict["strategies"]) == STRATEGIES
    assert verdict["n_trials"] == 8
    own = verdict["strategies"]["regime_nas"]
    assert set(own["against"]) == {
        "equal_weight",
        "momentum",
        "mvo_flat",
        "buy_and_hold",
        "no_change",
    }
    assert own["deflated_probability"] <= own["psr_against_reference"]
    assert 0.0 < own["smallest_edge"] < own["smallest_edge_holm"]
    assert verdict["strategies"]["equal_weight"]["smallest_edge"] is None
    assert verdict["strategies"]["mvo_flat"]["deflated_probability_in_search"] is None
    stated = break_even.set_index("strategy").loc["regime_nas", "break_even_bps"]
    assert own["break_even_bps"] == (None if np.isnan(stated) else stated)
