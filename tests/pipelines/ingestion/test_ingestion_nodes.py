"""From raw prices of several calendars and bar sizes to trades, through the nodes themselves."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.forecasters.garch import GarchForecaster
from regime_nas_pipeline.forecasters.momentum import MomentumForecaster
from regime_nas_pipeline.market.features import make_features, warm_up
from regime_nas_pipeline.market.raw import RawPrices
from regime_nas_pipeline.pipelines.common import folds_of, market_of
from regime_nas_pipeline.pipelines.ingestion.nodes import validate_prices
from regime_nas_pipeline.pipelines.walk_forward_evaluation.nodes import (
    compare_strategies,
    record_closures,
    trade_strategies,
)
from regime_nas_pipeline.walkforward.forecasts import market_content, walk_all
from regime_nas_pipeline.walkforward.parameters import (
    Evaluation,
    Portfolio,
    Regimes,
    Universe,
    WalkForward,
)

KMEANS = "regime_nas_pipeline.regimes.kmeans.KMeansLabeller"
REGIMES = Regimes(labeller={"class": KMEANS}, burn_in=100, refit_every=200)
PORTFOLIO = Portfolio(
    allocator={"class": "regime_nas_pipeline.portfolio.allocate.MaximumSharpe"},
    max_weight=0.2,
    cost_bps=5.0,
    risk_free=0.01,
)


def walking(first_oos: str, rebalance_every: int, refit_every: int) -> WalkForward:
    return WalkForward(
        first_oos=first_oos,
        horizon=5,
        execution_lag=1,
        refit_every=refit_every,
        rebalance_every=rebalance_every,
    )


def raw_of(dates: dict[str, pd.DatetimeIndex], volatility: float = 0.005) -> RawPrices:
    generator = np.random.default_rng(8)
    parts = []
    for asset, own in dates.items():
        close = 100 * np.exp(np.cumsum(generator.normal(0, volatility, len(own))))
        parts.append(pd.DataFrame({"date": own, "asset": asset, "close": close, "volume": 1.0}))
    return RawPrices(pd.concat(parts, ignore_index=True), "source", dict.fromkeys(dates, "file"))


def new_york_hours(days: pd.DatetimeIndex, half_day: str) -> pd.DatetimeIndex:
    """Bars that start at 9:30, 10:30, ... 15:30 in New York, as they are called in UTC."""
    stamps = [
        day + pd.Timedelta(hours=hour, minutes=30)
        for day in days
        for hour in range(9, 12 if day == pd.Timestamp(half_day) else 16)
    ]
    local = pd.DatetimeIndex(stamps).tz_localize("America/New_York")
    return local.tz_convert("UTC").tz_localize(None)


def walked(raw: RawPrices, universe: Universe, walk: WalkForward) -> dict[str, Any]:
    """Everything from ingestion to the trades of momentum, GARCH and equal weight."""
    prices, _, quality, manifest = validate_prices(raw, universe, walk, REGIMES)
    market = market_of(prices, universe)
    folds = folds_of(market, walk)
    forecasters = {"momentum": MomentumForecaster(5, 1), "garch": GarchForecaster(5, 1)}
    made = walk_all(forecasters, market, folds, cache=PieceCache(None))
    forecasts = {name: each.forecasts for name, each in made.items()}
    weights, returns, _, figures, decisions, _ = trade_strategies(
        prices, universe, walk, PORTFOLIO, **forecasts
    )
    return {
        "prices": prices,
        "quality": quality,
        "manifest": manifest,
        "market": market,
        "folds": folds,
        "weights": weights,
        "returns": returns,
        "figures": figures,
        "decisions": decisions,
    }


def check_walk(found: dict[str, Any], bars_per_year: int) -> None:
    """What holds for two assets whatever the bars are."""
    year = found["manifest"]["bars_per_year"]
    assert year["value"] == found["market"].bars_per_year == bars_per_year
    assert year["rule"].startswith("Counted on the bars from ")
    features = make_features(found["market"], (1, 5, 21))
    finite = np.isfinite(features.asset).all(axis=(1, 2))
    first = warm_up((1, 5, 21))
    assert not finite[: first - 1].any()
    assert finite[first + 5 :].all()
    for name in ("momentum", "garch", "equal_weight"):
        own = found["weights"][found["weights"]["strategy"] == name]
        bought = own[own["rebalanced"]]
        # The cap of 0.2 gives way to 1/2, where two assets have to take everything.
        np.testing.assert_allclose(bought["weight"], 0.5, atol=1e-6)
        net = found["returns"][name]
        wanted = net.std(ddof=1) * np.sqrt(bars_per_year)
        assert found["figures"][name]["volatility"] == pytest.approx(wanted)


def test_two_coins_by_the_hour_around_the_clock_with_gaps() -> None:
    hours = pd.date_range("2021-01-01", "2021-03-20 12:00", freq="h")
    holes = hours[(hours.hour != 3) | (hours.day % 5 != 0)]  # an hour is missing every fifth day
    raw = raw_of({"BTC": hours, "ETH": holes})
    universe = Universe(
        benchmark="BTC", benchmark_tradable=True, min_history=100, bars_per_year="auto", max_gap=2
    )
    found = walked(raw, universe, walking("2021-03-10", 24, 120))
    check_walk(found, 8760)
    assert found["quality"]["assets"]["ETH"]["filled_gaps"]["bars"] == len(hours) - len(holes)
    assert [note["kind"] for note in found["quality"]["notes"]] == []
    assert found["folds"][0].decisions[0] == pd.Timestamp("2021-03-10 00:00")
    assert found["folds"][0].train_end == pd.Timestamp("2021-03-09 23:00")
    assert found["folds"][1].decisions[0] == pd.Timestamp("2021-03-15 00:00")


def test_hours_of_an_exchange_with_a_half_day_and_a_change_of_clocks() -> None:
    days = pd.bdate_range("2019-11-01", "2020-04-03").drop(
        pd.DatetimeIndex(["2019-11-28", "2019-12-25", "2020-01-01", "2020-01-20", "2020-02-17"])
    )
    hours = new_york_hours(days, "2019-11-29")
    raw = raw_of({"AAA": hours, "BBB": hours, "SPX": hours})
    universe = Universe(
        benchmark="SPX", min_history=100, bars_per_year="auto", end=dt.date(2020, 4, 2)
    )
    found = walked(raw, universe, walking("2020-03-02", 35, 70))
    check_walk(found, 7 * 252)
    dates = found["market"].dates
    assert (dates.normalize() == pd.Timestamp("2019-11-29")).sum() == 3
    # Clocks changed on Sunday, 8 March: sessions open an hour earlier in UTC, with as many bars.
    for day, hour in (("2020-03-06", 14), ("2020-03-09", 13)):
        own = dates[dates.normalize() == pd.Timestamp(day)]
        assert (own[0].hour, len(own)) == (hour, 7)
    assert found["folds"][0].decisions[0] == pd.Timestamp("2020-03-02 14:30")
    assert found["folds"][0].train_end == pd.Timestamp("2020-02-28 20:30")
    assert dates[-1] == pd.Timestamp("2020-04-02 19:30")
    # The move of a night is one bar's return, as any other.
    close = found["prices"].pivot(index="date", columns="asset", values="close")["AAA"]
    night = np.log(
        close[pd.Timestamp("2020-03-09 13:30")] / close[pd.Timestamp("2020-03-06 20:30")]
    )
    row = dates.get_loc(pd.Timestamp("2020-03-09 13:30"))
    assert found["market"].log_returns[row, 0] == pytest.approx(night)
    periods = Evaluation(
        sub_periods=[{"name": "March", "first": "2020-03-02", "last": "2020-03-31"}]
    )
    regimes = pd.DataFrame({"calm": 1.0}, index=dates)
    _, parts, _ = compare_strategies(
        found["prices"], found["returns"], regimes, universe, PORTFOLIO, periods
    )
    in_march = found["returns"].index.normalize() <= pd.Timestamp("2020-03-31")
    assert set(parts["bars"]) == {int(in_march.sum())}  # the whole of the last day


def test_a_stated_number_that_does_not_fit_is_noted() -> None:
    hours = pd.date_range("2021-01-01", "2021-03-20", freq="h")
    raw = raw_of({"BTC": hours, "ETH": hours})
    universe = Universe(
        benchmark="BTC", benchmark_tradable=True, min_history=100, bars_per_year=365
    )
    _, _, quality, manifest = validate_prices(raw, universe, walking("2021-03-10", 24, 48), REGIMES)
    (note,) = quality["notes"]
    assert note["kind"] == "bars_per_year"
    assert "8766.0 bars a year and yearly figures are scaled by 365" in note["detail"]
    assert manifest["bars_per_year"]["rule"] == "Stated in universe.bars_per_year."


WEEKDAYS = pd.bdate_range("2019-01-01", "2020-03-31")
EVERY_DAY = pd.date_range("2019-01-01", "2020-03-31")


def test_a_seven_day_coin_on_the_calendar_of_a_fund() -> None:
    raw = raw_of({"BTC": EVERY_DAY, "QQQ": WEEKDAYS, "SPY": WEEKDAYS})
    walk = walking("2020-01-02", 21, 63)
    fields = {"benchmark": "SPY", "benchmark_tradable": True, "min_history": 100, "max_gap": 3}
    on_spy = Universe(**fields, bars_per_year="auto", calendar={"kind": "asset", "asset": "SPY"})
    union = Universe(**fields, bars_per_year="auto")
    late = on_spy.model_copy(update={"late_closes": ["BTC"]})
    made = {}
    for name, universe in (("asset", on_spy), ("union", union), ("late", late)):
        made[name] = validate_prices(raw, universe, walk, REGIMES)
        assert market_of(made[name][0], universe).bars_per_year == (365 if name == "union" else 252)
    closes = {
        name: found[0].pivot(index="date", columns="asset", values="close")
        for name, found in made.items()
    }
    btc = raw.table[raw.table["asset"] == "BTC"].set_index("date")["close"]
    pd.testing.assert_series_equal(
        closes["asset"]["BTC"], btc.loc[WEEKDAYS], check_names=False, check_freq=False
    )
    before = btc.shift(1).loc[WEEKDAYS[1:]]  # Sunday's close on Monday
    pd.testing.assert_series_equal(
        closes["late"]["BTC"].dropna(), before, check_names=False, check_freq=False
    )
    assert len(closes["union"]) == len(EVERY_DAY)
    account = made["asset"][2]["calendar"]["assets"]["BTC"]
    assert account["joined"] == len(EVERY_DAY) - len(WEEKDAYS)
    assert "calendar" not in made["union"][2]


MEMBERS = """asset,from,to
A,,
B,2019-01-01,2020-01-31
C,2020-02-12,
D,,2019-06-30
D,2020-01-01,
"""


@pytest.fixture(scope="module")
def members_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("members") / "members.csv"
    path.write_text(MEMBERS)
    return path


def test_equal_weight_holds_members_alone_and_sells_who_leaves(members_file: Path) -> None:
    # D has its last price on 20 February and is carried on for three bars.
    ended = WEEKDAYS[pd.Timestamp("2020-02-20") >= WEEKDAYS]
    raw = raw_of({"A": WEEKDAYS, "B": WEEKDAYS, "C": WEEKDAYS, "D": ended, "SPX": WEEKDAYS})
    universe = Universe(
        benchmark="SPX", min_history=50, bars_per_year=252, max_gap=3, membership=str(members_file)
    )
    walk = walking("2019-12-20", 10, 60)
    prices, _, quality, manifest = validate_prices(raw, universe, walk, REGIMES)
    assert manifest["membership"]["file"] == "members.csv"
    assert str(members_file.parent) not in str([quality, manifest])
    weights, returns, _, _, decisions, _ = trade_strategies(prices, universe, walk, PORTFOLIO)
    own = weights[(weights["strategy"] == "equal_weight") & weights["rebalanced"]]
    rows = decisions[decisions["strategy"] == "equal_weight"].set_index("first_earned")["date"]
    for date, bought in own.groupby("date"):
        day = rows.loc[date]
        wanted = {"A"}
        wanted |= {"B"} if day <= pd.Timestamp("2020-01-31") else set()
        wanted |= {"C"} if day >= pd.Timestamp("2020-02-12") else set()
        gone = WEEKDAYS[WEEKDAYS.get_loc(pd.Timestamp("2020-02-20")) + 3]
        wanted |= {"D"} if pd.Timestamp("2020-01-01") <= day <= gone else set()
        assert set(bought["asset"]) == wanted
        np.testing.assert_allclose(bought["weight"], 1 / len(wanted))
    closures = record_closures(prices, weights, decisions, returns, universe)
    mine = closures[closures["strategy"] == "equal_weight"].set_index("asset")
    assert mine["reason"].to_dict() == {"B": "membership ended", "D": "price ended"}
    sold = rows[rows > pd.Timestamp("2020-01-31")].index[0]
    assert mine.loc["B", "date"] == sold
    last_held = weights[(weights["strategy"] == "equal_weight") & (weights["asset"] == "B")]
    assert last_held["date"].max() < sold
    assert mine.loc["D", "date"] == WEEKDAYS[WEEKDAYS.get_loc(pd.Timestamp("2020-02-20")) + 4]


def test_forecasters_learn_from_members_and_forecast_members(members_file: Path) -> None:
    raw = raw_of(dict.fromkeys(("A", "B", "C", "D", "SPX"), WEEKDAYS))
    universe = Universe(
        benchmark="SPX", min_history=50, bars_per_year=252, membership=str(members_file)
    )
    walk = walking("2019-12-20", 10, 60)
    prices = validate_prices(raw, universe, walk, REGIMES)[0]
    market = market_of(prices, universe)
    known = market.until(pd.Timestamp("2019-12-31"))
    fitted = MomentumForecaster(5, 1).fit(known)
    target = known.target(5, 1)
    seasoned = np.arange(len(known.dates)) >= 49
    samples = [target[seasoned, 0], target[seasoned, 1]]
    samples.append(target[seasoned & (known.dates <= pd.Timestamp("2019-06-30")), 3])
    wanted = np.concatenate(samples)
    assert fitted.mean_ == pytest.approx(wanted[np.isfinite(wanted)].mean())
    dates = pd.DatetimeIndex(["2020-01-31", "2020-02-03", "2020-02-12"])
    mean = fitted.predict(market, dates).mean
    assert np.isfinite(mean).tolist() == [
        [True, True, False, True],
        [True, False, False, True],
        [True, False, True, True],
    ]
    everybody = market_of(prices.drop(columns="member"), universe)
    assert len(market_content(market)) == len(market_content(everybody)) + 2  # another cache key


def test_a_membership_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    raw = raw_of(dict.fromkeys(("A", "B", "SPX"), WEEKDAYS))
    universe = Universe(
        benchmark="SPX", min_history=50, bars_per_year=252, membership=str(tmp_path / "none.csv")
    )
    with pytest.raises(DataError, match=r"^none.csv: the file cannot be opened"):
        validate_prices(raw, universe, walking("2019-12-20", 10, 60), REGIMES)
