"""Overlays and covariances by regime on the walk-forward market."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from strategy_runs import CAP, RULES, run

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.allocate import MaximumSharpe, MinimumVariance
from regime_nas_pipeline.walkforward.evaluation import StrategyResults
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.regime_uses.base import (
    Base,
    Used,
    rebuild,
    refuse_other_returns,
)
from regime_nas_pipeline.walkforward.regime_uses.trading import (
    choices_by_regime,
    figures_table,
    overlay_all,
    returns_table,
    trade_uses,
    variant_returns,
)

Forecasts = dict[str, pd.DataFrame]


def rebuilt(market: Market, folds: list[Fold], forecasts: Forecasts, source: str | None) -> Base:
    return rebuild(
        market,
        folds,
        forecasts,
        allocator=MaximumSharpe(CAP),
        minimum_variance=MinimumVariance(CAP),
        rules=RULES,
        volatility_from=source,
    )


@pytest.fixture(scope="module")
def base(market: Market, folds: list[Fold], forecasts: Forecasts) -> Base:
    return rebuilt(market, folds, forecasts, None)


@pytest.fixture(scope="module")
def labels(market: Market) -> pd.DataFrame:
    generator = np.random.default_rng(4)
    stressed = generator.random(len(market.dates))
    return pd.DataFrame({"calm": 1 - stressed, "stressed": stressed}, market.dates).iloc[100:]


def test_the_run_is_rebuilt_to_the_bit(
    base: Base, results: StrategyResults, market: Market, folds: list[Fold], forecasts: Forecasts
) -> None:
    refuse_other_returns(base, results.returns, results.gross_returns)
    figures = {name: values["n_fallbacks"] for name, values in results.figures.items()}
    assert {**base.fallbacks, "buy_and_hold": 0} == figures
    scaled = run(market, folds, forecasts, volatility_from="skilled")
    other = rebuilt(market, folds, forecasts, "skilled")
    refuse_other_returns(other, scaled.returns, scaled.gross_returns)
    with pytest.raises(DataError, match="cannot be rebuilt"):
        refuse_other_returns(other, results.returns, results.gross_returns)


def test_the_last_bit_of_one_return_is_enough_to_refuse(
    base: Base, results: StrategyResults
) -> None:
    changed = results.returns.copy()
    changed.iloc[7, 1] = np.nextafter(changed.iloc[7, 1], 1.0)
    with pytest.raises(DataError, match=str(changed.columns[1])) as refused:
        refuse_other_returns(base, changed, results.gross_returns)
    assert changed.index[7].date().isoformat() in str(refused.value)
    fewer = results.returns.drop(columns="buy_and_hold")
    with pytest.raises(DataError, match="and its forecasts are those of"):
        refuse_other_returns(base, fewer, results.gross_returns)
    shorter = results.returns.iloc[:-1]
    with pytest.raises(DataError, match="cannot be rebuilt"):
        refuse_other_returns(base, shorter, results.gross_returns)


def test_an_overlay_of_one_is_the_strategy_and_of_zero_is_cash(base: Base, market: Market) -> None:
    whole = pd.Series(1.0, market.dates)
    made = overlay_all(base, {("mine", "all"): whole, ("mine", "nothing"): 0.0 * whole})
    assert len(made) == 2 * len(base.paths)
    for name, path in base.paths.items():
        held = made[Used("overlay", "mine", "all", name)]
        np.testing.assert_allclose(held.net, path.net, rtol=0, atol=1e-12)
        nothing = made[Used("overlay", "mine", "nothing", name)]
        assert (nothing.net == 0.0).all()  # cash earns nothing in these backtests


def test_an_overlay_pays_for_every_change(base: Base, market: Market) -> None:
    steps = pd.Series(np.where(np.arange(len(market.dates)) % 2, 1.0, 0.5), market.dates)
    made = overlay_all(base, {("mine", "steps"): steps})
    path = made[Used("overlay", "mine", "steps", "buy_and_hold")]
    # Half of the benchmark is bought or sold at every close; it drifts a little in between.
    assert path.rebalances["traded"].iloc[1:].to_numpy() == pytest.approx(0.5, abs=0.02)
    cost = path.rebalances["traded"] * RULES.cost_bps / 1e4
    np.testing.assert_allclose(path.net, (1.0 - cost) * (1.0 + path.gross) - 1.0, rtol=1e-12)


def test_covariances_by_regime_know_nothing_of_later_bars(
    base: Base, market: Market, labels: pd.DataFrame
) -> None:
    def made(
        prices: Market, said: pd.DataFrame
    ) -> tuple[dict[pd.Timestamp, np.ndarray], pd.DataFrame]:
        found, blends = choices_by_regime(
            prices, base.choices, said, horizon=RULES.horizon, prior_bars=60.0
        )
        return {date: choice.covariance for date, choice in found.items()}, blends

    before, blends = made(market, labels)
    cut = list(base.choices)[4]
    row = market.position(cut)
    close, said = market.close.copy(), labels.copy()
    close[row + 1 :] *= 3.0
    said.loc[said.index > cut] = [0.0, 1.0]
    after, other = made(replace(market, close=close), said)
    for date in list(base.choices)[:5]:
        np.testing.assert_array_equal(before[date], after[date])
    pd.testing.assert_frame_equal(blends.iloc[:5], other.iloc[:5])
    assert not np.array_equal(before[list(base.choices)[6]], after[list(base.choices)[6]])


def test_a_covariance_is_that_of_the_bars_said_to_be_like_now(
    base: Base, market: Market, labels: pd.DataFrame
) -> None:
    date = next(iter(base.choices))
    known = market.until(date)
    assets = base.choices[date].assets
    now = labels.loc[date].argmax()
    weights = labels.loc[:date].iloc[:, now].to_numpy()
    returns = known.log_returns[-len(weights) :, assets]
    used = np.isfinite(returns).all(axis=1)
    own = np.cov(returns[used].T, aweights=weights[used], ddof=0) * RULES.horizon
    count = weights[used].sum() ** 2 / (weights[used] ** 2).sum()
    made, blends = choices_by_regime(
        market, base.choices, labels, horizon=RULES.horizon, prior_bars=60.0
    )
    expected = (count * own + 60.0 * base.choices[date].covariance) / (count + 60.0)
    np.testing.assert_allclose(made[date].covariance, expected, rtol=1e-9)
    first = blends.iloc[0]
    assert (first["date"], first["regime"]) == (date, ["calm", "stressed"][now])
    assert first["effective_bars"] == pytest.approx(count)


def test_forecast_volatilities_stay_those_of_the_forecasts(
    market: Market, folds: list[Fold], forecasts: Forecasts, labels: pd.DataFrame
) -> None:
    other = rebuilt(market, folds, forecasts, "skilled")
    made, _ = choices_by_regime(
        market,
        other.choices,
        labels,
        horizon=RULES.horizon,
        prior_bars=60.0,
        volatility=other.volatility,
    )
    date = next(iter(made))
    np.testing.assert_allclose(np.sqrt(np.diag(made[date].covariance)), 0.03, rtol=1e-12)


def test_a_decision_without_a_label_is_refused(
    base: Base, market: Market, labels: pd.DataFrame
) -> None:
    late = labels.iloc[150:]
    with pytest.raises(DataError, match="no regime label on this decision date"):
        choices_by_regime(market, base.choices, late, horizon=5, prior_bars=60.0)


def test_everything_is_traded_named_and_measured(base: Base, labels: pd.DataFrame) -> None:
    exposure = labels["calm"]
    made = trade_uses(base, {"mine": labels}, {("mine", "by_label"): exposure}, prior_bars=60.0)
    readers = {"skilled", "clueless", "hopeless", "mvo_flat"}
    assert {used.strategy for used in made.paths if used.use == "covariance"} == readers
    assert {used.strategy for used in made.paths if used.use == "overlay"} == set(base.paths)
    assert set(made.fallbacks) == {used for used in made.paths if used.use == "covariance"}
    net = returns_table(made).set_index("date").groupby(["use", "labels", "way", "strategy"])["net"]
    for used, path in made.paths.items():
        pd.testing.assert_series_equal(net.get_group(tuple(used)), path.net, check_freq=False)
    figures = figures_table(base, made).set_index(["use", "strategy"])
    assert len(figures) == len(base.paths) + len(made.paths)
    plain = base.paths["equal_weight"]
    years = len(plain.net) / base.market.bars_per_year
    row = figures.loc[("plain", "equal_weight")]
    assert row["traded"] == pytest.approx(plain.rebalances["traded"].iloc[1:].sum() / years)
    assert figures.loc[("overlay", "mvo_flat"), "held"] < 0.8
    assert pd.isna(figures.loc[("overlay", "mvo_flat"), "n_fallbacks"])
    ledger = variant_returns(base, made)
    assert {(whose.strategy, whose.variant) for whose in ledger.net} == {
        (used.strategy, f"{used.use}.mine.by_label") for used in made.paths
    }
    pd.testing.assert_series_equal(ledger.equal_weight, plain.net)


def test_an_unknown_source_of_volatility_is_refused(
    market: Market, folds: list[Fold], forecasts: Forecasts
) -> None:
    with pytest.raises(ParameterError, match="nobody"):
        rebuilt(market, folds, forecasts, "nobody")
