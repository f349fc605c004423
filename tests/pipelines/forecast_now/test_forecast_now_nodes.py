"""What is made for the next rebalance, and what is refused."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from now_pipelines import (
    BARS,
    LAST,
    changed,
    forecasting,
    given,
    other_rows,
    raw_prices,
    run,
    training,
)

from regime_nas_pipeline.core.errors import DataError, ParameterError, RegimeNasError
from regime_nas_pipeline.market.prepare import price_sha256
from regime_nas_pipeline.pipelines.forecast_now.facts import closing_line

STRATEGIES = ["regime_nas", "momentum", "equal_weight", "mvo_flat"]


@pytest.fixture(scope="module")
def trained() -> dict[str, Any]:
    """What a run on the bars up to the 240th read and left: fits before 150, 170, 190, 210, 230."""
    read = given()
    end = changed(read, "universe", end=BARS[239].date())
    return read | run(training(), read | end)


@pytest.fixture(scope="module")
def made(trained: dict[str, Any]) -> dict[str, Any]:
    return run(forecasting(), trained)


def test_the_newest_bar_is_forecast_with_the_newest_models(
    trained: dict[str, Any], made: dict[str, Any]
) -> None:
    forecasts = made["latest_forecasts"]
    assert set(forecasts["date"]) == {LAST}
    assert trained["prices"]["date"].max() == BARS[239]
    facts = made["forecast_now"]
    for name in ("regime_nas", "momentum"):
        about = facts["forecasters"][name]
        assert about["train_end"] == BARS[229].isoformat()
        assert (about["fold"], about["bars_since"], about["same_code"]) == (4, 30, True)
    assert facts["data"]["sha256"] == price_sha256(made["now_prices"])
    assert (facts["last_bar"], facts["age_days"]) == (LAST.date().isoformat(), 0)
    assert facts["code"]["git_sha"] == "abc"
    json.dumps(facts, allow_nan=False)


def test_the_schedule_is_counted_from_the_first_out_of_sample_bar(made: dict[str, Any]) -> None:
    # Bar 259 is 109 bars after the first decision; the next decisions are at 110, a fit at 100.
    facts = made["forecast_now"]
    assert (facts["rebalance"]["due"], facts["rebalance"]["in_bars"]) == (False, 1)
    assert (facts["refit"]["in_bars"], facts["refit"]["possible_in_bars"]) == (-9, 0)
    line = closing_line(facts)
    assert line.startswith(f"Next rebalance in 1 bar after {LAST:%Y-%m-%d}")
    assert line.endswith("Newer models are due: run `kedro run`.")


@pytest.mark.parametrize(
    ("rebalance", "refit", "lag", "words"),
    [
        (0, 4, 1, "Rebalance due now: decided on the close of D, to be traded at the next close."),
        (0, 4, 0, "Rebalance due now: decided on the close of D, to be traded at the same close."),
        (0, 4, 3, "Rebalance due now: decided on the close of D, to be traded 3 closes later."),
        (7, 4, 1, "Next rebalance in 7 bars after D; nothing is due now."),
        (0, 0, 1, "at the next close. Newer models are due: `kedro run` makes them in 2 bars."),
    ],
)
def test_the_closing_line(rebalance: int, refit: int, lag: int, words: str) -> None:
    facts = {
        "last_bar": "D",
        "rebalance": {"in_bars": rebalance, "execution_lag": lag},
        "refit": {"in_bars": refit, "possible_in_bars": refit + 2},
        "forecasters": {"gru": {"same_code": True}, "garch": {"same_code": True}},
    }
    assert closing_line(facts).endswith(words)
    other = facts | {"forecasters": {"gru": {"same_code": True}, "garch": {"same_code": False}}}
    assert closing_line(other).endswith(
        "Fitted by other code or libraries than those in use: garch."
    )


def test_no_price_after_the_day_matters(trained: dict[str, Any]) -> None:
    day = BARS[251]
    raw = raw_prices()
    later = raw.table["date"] > day
    as_of = changed(trained, "forecast_now", as_of=day.date())
    assert later.any()
    one = run(forecasting(), trained | as_of)
    for factor in (1.7, None):
        other = run(forecasting(), trained | as_of | {"raw_prices": other_rows(raw, later, factor)})
        for name in ("latest_forecasts", "target_weights", "trades"):
            pd.testing.assert_frame_equal(one[name], other[name], check_exact=True)
        assert one["forecast_now"] == other["forecast_now"]


def test_every_strategy_is_traded_from_cash_where_nothing_is_held(made: dict[str, Any]) -> None:
    targets, trades = made["target_weights"], made["trades"]
    assert targets["strategy"].drop_duplicates().tolist() == STRATEGIES
    np.testing.assert_allclose(targets.groupby("strategy")["weight"].sum(), 1.0, atol=1e-12)
    assert trades["strategy"].drop_duplicates().tolist() == STRATEGIES
    assert (trades["current_weight"] == 0).all()
    np.testing.assert_allclose(trades.groupby("strategy")["value"].sum(), 100000.0)
    for name in STRATEGIES:
        assert made["forecast_now"]["strategies"][name]["trades"]["expected_cost"] == pytest.approx(
            50.0
        )


def test_what_is_held_is_traded_to_one_strategy(trained: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("asset,units\nBBB,10\ncash,1000\n")
    now = changed(trained, "forecast_now", holdings=str(path), strategy="equal_weight")
    made = run(forecasting(), trained | now)
    table = raw_prices().table
    close = table[table["date"] == LAST].set_index("asset")["close"]
    wealth = 1000 + 10 * close["BBB"]
    trades = made["trades"].set_index("asset")
    assert set(trades["strategy"]) == {"equal_weight"}
    np.testing.assert_allclose(trades["target_weight"], 0.25)
    assert trades.loc["BBB", "units"] == pytest.approx(0.25 * wealth / close["BBB"] - 10)
    assert trades.loc["AAA", "units"] == pytest.approx(0.25 * wealth / close["AAA"])
    facts = made["forecast_now"]
    assert facts["holdings"] == "mine.csv"
    assert facts["strategies"]["equal_weight"]["trades"]["wealth"] == pytest.approx(wealth)
    assert facts["strategies"]["momentum"]["trades"] is None


def test_a_fallback_is_on_record(trained: dict[str, Any]) -> None:
    made = run(forecasting(), trained | changed(trained, "portfolio", risk_free=9.0))
    targets = made["target_weights"].set_index("strategy")
    assert targets.loc["momentum", "fallback"].all()
    assert made["forecast_now"]["strategies"]["momentum"]["fallback"]
    assert "risk-free" in made["forecast_now"]["strategies"]["momentum"]["reason"]
    assert not made["forecast_now"]["strategies"]["mvo_flat"]["fallback"]


def refused(trained: dict[str, Any], changes: dict[str, Any]) -> RegimeNasError:
    with pytest.raises((DataError, ParameterError)) as caught:
        run(forecasting().only_nodes("forecast_now.forecast"), trained | changes)
    return caught.value


def test_stale_data_are_refused_with_what_to_do(trained: dict[str, Any]) -> None:
    day = (LAST + pd.Timedelta(days=8)).date()
    message = str(refused(trained, changed(trained, "forecast_now", as_of=day)))
    assert f"date {LAST:%Y-%m-%d}" in message
    assert f"8 days older than {day}" in message
    assert f"--params=forecast_now.as_of={LAST:%Y-%m-%d}" in message
    assert "forecast_now.max_age" in message
    run(forecasting(), trained | changed(trained, "forecast_now", as_of=day, max_age=8))


def test_without_a_day_the_data_are_as_old_as_today_says(trained: dict[str, Any]) -> None:
    message = str(refused(trained, changed(trained, "forecast_now", as_of=None)))
    days = (dt.datetime.now(dt.UTC).date() - LAST.date()).days
    assert f"{days} days older" in message or f"{days - 1} days older" in message


def test_an_end_of_the_sample_that_makes_data_stale_is_named(trained: dict[str, Any]) -> None:
    message = str(refused(trained, changed(trained, "universe", end=BARS[245].date())))
    assert f"universe.end leaves out all after {BARS[245]:%Y-%m-%d}" in message


def test_other_data_are_refused(trained: dict[str, Any]) -> None:
    raw = raw_prices()
    old = (raw.table["asset"] == "CCC") & (raw.table["date"] == BARS[7])
    revised = {"raw_prices": other_rows(raw, old, 1.000001)}
    assert "asset 'CCC': the closes up to" in str(refused(trained, revised))
    gone = {"raw_prices": other_rows(raw, raw.table["asset"] == "CCC", None)}
    assert "asset 'CCC': the models were trained with 1 assets that the data lack" in str(
        refused(trained, gone)
    )
    last = (raw.table["asset"] == "CCC") & (raw.table["date"] == LAST)
    missing = {"raw_prices": other_rows(raw, last, None)}
    assert f"asset 'CCC', date {LAST:%Y-%m-%d}: the asset has no price at the last bar" in str(
        refused(trained, missing)
    )
    ended = changed(trained, "forecast_now", ended=["CCC"])
    made = run(forecasting(), trained | missing | ended)
    forecasts = made["latest_forecasts"].set_index("asset")
    assert not forecasts.loc["CCC", "tradable"].any()
    weights = made["target_weights"].set_index("asset")
    assert (weights.loc["CCC", "weight"] == 0).all()


def test_other_parameters_are_refused(trained: dict[str, Any]) -> None:
    longer = changed(trained, "walk_forward", horizon=7)
    assert "horizon was 5 and is 7" in str(refused(trained, longer))
    found = {"architecture": {"parameters": {"lookback": 30}}}
    message = str(refused(trained, found))
    assert message.startswith("regime_nas.checkpoints: ")
    assert "lookback was 25 and is 30" in message


def test_the_seal_is_not_passed_unless_told(trained: dict[str, Any]) -> None:
    sealed = changed(trained, "universe", sealed_from=BARS[250].date())
    message = str(refused(trained, sealed))
    assert f"bars from {BARS[250]:%Y-%m-%d} on are sealed" in message
    assert "forecast_now.past_the_seal" in message
    before = changed(trained, "forecast_now", as_of=BARS[249].date())
    facts = run(forecasting(), trained | sealed | before)["forecast_now"]
    assert (facts["last_bar"], facts["past_the_seal"]) == (f"{BARS[249]:%Y-%m-%d}", False)
    told = changed(trained, "forecast_now", past_the_seal=True)
    facts = run(forecasting(), trained | sealed | told)["forecast_now"]
    assert (facts["last_bar"], facts["past_the_seal"]) == (f"{LAST:%Y-%m-%d}", True)


def test_holdings_and_strategies_are_checked_before_anything_is_forecast(
    trained: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("asset,units\nBBB,10\nIND,1\n")
    message = str(refused(trained, changed(trained, "forecast_now", holdings=str(path))))
    for word in ("mine.csv", "'IND'", "line 3"):
        assert word in message
    message = str(refused(trained, changed(trained, "forecast_now", strategy="gru")))
    assert "no strategy 'gru'; there are: regime_nas, momentum, equal_weight, mvo_flat" in message
