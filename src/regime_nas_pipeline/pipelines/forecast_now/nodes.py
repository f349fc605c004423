"""Nodes of the forecast for the next rebalance."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import code_version
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.datasets.holdings_file import read_holdings
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.raw import RawPrices
from regime_nas_pipeline.pipelines.common import allocator_of, market_of, rules_of
from regime_nas_pipeline.pipelines.ingestion.nodes import validate_prices
from regime_nas_pipeline.pipelines.regime_labelling.nodes import label_regimes
from regime_nas_pipeline.portfolio.allocate import MinimumVariance
from regime_nas_pipeline.portfolio.trades_now import only_cash, plan_trades, value_holdings
from regime_nas_pipeline.walkforward.building import Shared, build_forecaster
from regime_nas_pipeline.walkforward.live import due, forecast_last_bar, targets_now
from regime_nas_pipeline.walkforward.live_checkpoints import (
    Restored,
    refuse_missing_prices,
    restore,
)
from regime_nas_pipeline.walkforward.live_parameters import ForecastNow
from regime_nas_pipeline.walkforward.parameters import (
    Compute,
    ForecasterChoice,
    Portfolio,
    Regimes,
    Training,
    Universe,
    WalkForward,
)

WITHOUT_FORECASTS = ("equal_weight", "mvo_flat")
"""Strategies that are decided on at each rebalance beside those of the forecasters."""


def forecast_latest(
    raw: RawPrices,
    universe: Universe,
    walk_forward: WalkForward,
    portfolio: Portfolio,
    regimes: Regimes,
    training: Training,
    compute: Compute,
    now: ForecastNow,
    **read: Any,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, Universe, dict[str, Any]]:
    """Check that everything fits together, and forecast from the last bar.

    Whatever is refused is refused here, before anything is written.

    Args:
        raw: The newest prices.
        universe: As for the run that trained the models, like the next five.
        walk_forward: Horizon, lag and schedule.
        portfolio: Says whose volatility rescales the covariance.
        regimes: How bars are labelled.
        training: How networks were fitted.
        compute: Seed and device.
        now: Day, age, holdings and strategy.
        **read: For each forecaster ``NAME_checkpoints``, ``NAME_forecaster`` and, where it was
            searched, ``NAME_found``.

    Returns:
        Forecasts; prices, holdings and universe for the nodes that follow; facts.

    Raises:
        ParameterError: ``now`` names an unknown strategy or asset, or contradicts the prices.
        DataError: The data are stale, sealed, incomplete or not those that the models were
            trained on, the models are of other parameters, or the holdings cannot be used.
    """
    names = [key.removesuffix("_checkpoints") for key in read if key.endswith("_checkpoints")]
    _check_strategy(now.strategy, [*names, *WITHOUT_FORECASTS])
    live = _live_universe(raw, universe, now)
    prices, _, _, manifest = validate_prices(raw, live, walk_forward, regimes)
    prices = _without_carried(prices, raw, now.ended)
    market = market_of(prices, live)
    age = _checked_age(market.dates[-1], universe, now)
    restored = _restored(names, read, Shared(walk_forward, training, compute), market)
    oldest = min(fit.train_end for fit in restored.values())
    quoted = _quoted(raw, market.dates, universe.late_closes)
    refuse_missing_prices(market, oldest, quoted=quoted, ended=now.ended)
    holdings = _holdings(now, market)
    labelled = market.with_regimes(label_regimes(prices, live, regimes, compute))
    forecasts = forecast_last_bar(
        labelled,
        restored,
        horizon=walk_forward.horizon,
        volatility_from=portfolio.volatility_from,
    )
    facts = {
        "as_of": now.day().isoformat(),
        "last_bar": manifest["last_date"],
        "age_days": age,
        "past_the_seal": _is_past(market.dates[-1], universe.sealed_from),
        "holdings": None if now.holdings is None else Path(now.holdings).name,
        **_schedule(market, walk_forward, oldest),
        "data": manifest,
        "forecasters": {name: _about(fit, market) for name, fit in restored.items()},
    }
    return forecasts, prices, holdings, live, facts


def _check_strategy(chosen: str | None, known: list[str]) -> None:
    if chosen is not None and chosen not in known:
        raise ParameterError(
            f"forecast_now.strategy: there is no strategy '{chosen}'; there are: "
            f"{', '.join(known)}."
        )


def _live_universe(raw: RawPrices, universe: Universe, now: ForecastNow) -> Universe:
    """The universe up to the wanted day, which lies before its seal or may pass it."""
    day = now.day()
    end = day if universe.end is None else min(day, universe.end)
    seal = universe.sealed_from
    if seal is not None and end >= seal and not now.past_the_seal:
        raise DataError(
            f"bars from {seal} on are sealed (universe.sealed_from), and forecasts as of {day} "
            "would read them",
            source=raw.source,
            remedy="set forecast_now.past_the_seal to true if these bars are to be traded on, or "
            "forecast_now.as_of to a day before the seal.",
        )
    return universe.model_copy(update={"end": end, "sealed_from": None})


def _is_past(last: pd.Timestamp, seal: dt.date | None) -> bool:
    return seal is not None and last.date() >= seal


def _without_carried(prices: pd.DataFrame, raw: RawPrices, ended: list[str]) -> pd.DataFrame:
    """Without closes that were carried past the end of an asset: nobody pays them any more."""
    known = raw.table[raw.table["close"].notna()]
    last = prices["asset"].map(known.groupby("asset")["date"].max())
    carried = prices["asset"].isin(ended) & (prices["date"] > last)
    return prices[~carried].reset_index(drop=True)


def _quoted(raw: RawPrices, dates: pd.DatetimeIndex, late: Collection[str]) -> set[str]:
    """Assets for which the source itself has a close that the last bar shows.

    A bar shows all closes since the one before it; those of assets that close later come a bar
    later.
    """
    before, last, date = dates[-2], dates[-1], raw.table["date"]
    closes_late = raw.table["asset"].isin(list(late))
    shown = (date > before) & (date <= last) & ~closes_late
    shown |= (date >= before) & (date < last) & closes_late
    return set(raw.table.loc[shown & raw.table["close"].notna(), "asset"])


def _checked_age(last: pd.Timestamp, universe: Universe, now: ForecastNow) -> int:
    """Calendar days from the last bar to the wanted day."""
    day: dt.date = now.day()
    age = (day - last.date()).days
    if age > now.max_age:
        cut = universe.end is not None and universe.end < day
        ends = f" (universe.end leaves out all after {universe.end})" if cut else ""
        raise DataError(
            f"the data are stale: the last bar is {age} days older than {day}{ends}, and "
            f"forecast_now.max_age is {now.max_age}",
            source="raw_prices",
            date=last,
            remedy="bring newer prices; or look back with "
            f"--params=forecast_now.as_of={last.date()}; or raise forecast_now.max_age.",
        )
    return age


def _restored(
    names: list[str], read: Mapping[str, Any], shared: Shared, market: Market
) -> dict[str, Restored]:
    found = {}
    for name in names:
        choice = ForecasterChoice.model_validate(read[f"{name}_forecaster"])
        arguments = read.get(f"{name}_found", {"parameters": {}})["parameters"]
        checkpoints: Bundle = read[f"{name}_checkpoints"]
        prototype = build_forecaster(choice, shared, arguments)
        found[name] = restore(name, checkpoints, prototype, market)
    return found


def _holdings(now: ForecastNow, market: Market) -> pd.DataFrame:
    """What is held, made sure that it can be valued."""
    if now.holdings is None:
        return only_cash(now.capital)
    path = Path(now.holdings)
    held = read_holdings(path, market.assets)
    value_holdings(held, _last_closes(market), source=path.name)
    return held


def _last_closes(market: Market) -> pd.Series[float]:
    return pd.Series(market.close[-1], index=list(market.assets), name="close")


def _schedule(
    market: Market, walk_forward: WalkForward, train_end: pd.Timestamp
) -> dict[str, dict[str, Any]]:
    found = due(
        market.dates,
        first_oos=walk_forward.first_oos_stamp,
        rebalance_every=walk_forward.rebalance_every,
        refit_every=walk_forward.refit_every,
        execution_lag=walk_forward.execution_lag,
        train_end=train_end,
    )
    return {
        "rebalance": {
            "due": found.rebalance_in == 0,
            "in_bars": found.rebalance_in,
            "every_bars": walk_forward.rebalance_every,
            "execution_lag": walk_forward.execution_lag,
        },
        "refit": {
            "in_bars": found.refit_in,
            "possible_in_bars": found.refit_possible_in,
            "every_bars": walk_forward.refit_every,
        },
    }


def _about(fit: Restored, market: Market) -> dict[str, Any]:
    return {
        "class": f"{type(fit.forecaster).__module__}.{type(fit.forecaster).__qualname__}",
        "fold": fit.fold,
        "train_end": fit.train_end.isoformat(),
        "bars_since": int((market.dates > fit.train_end).sum()),
        "code_sha256": fit.code,
        "same_code": fit.code == code_version(),
    }


def choose_targets(
    prices: pd.DataFrame,
    forecasts: pd.DataFrame,
    universe: Universe,
    walk_forward: WalkForward,
    portfolio: Portfolio,
) -> pd.DataFrame:
    """Weights of every strategy, by the rules of the evaluation; see :func:`targets_now`."""
    return targets_now(
        market_of(prices, universe),
        forecasts,
        allocator=allocator_of(portfolio),
        minimum_variance=MinimumVariance(portfolio.max_weight, portfolio.solver),
        rules=rules_of(walk_forward, portfolio),
        volatility_from=portfolio.volatility_from,
    )


def list_trades(
    prices: pd.DataFrame,
    targets: pd.DataFrame,
    holdings: pd.DataFrame,
    universe: Universe,
    portfolio: Portfolio,
    now: ForecastNow,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """What the chosen strategy, or each of them, would buy and sell now, and the totals."""
    closes = _last_closes(market_of(prices, universe))
    weights = {
        str(name): table.set_index("asset")["weight"]
        for name, table in targets.groupby("strategy", sort=False)
        if now.strategy in {None, name}
    }
    positions = value_holdings(holdings, closes)
    return plan_trades(weights, positions, closes, cost_bps=portfolio.cost_bps)


def describe(
    facts: dict[str, Any],
    targets: pd.DataFrame,
    totals: dict[str, Any],
    run_facts: dict[str, Any],
) -> dict[str, Any]:
    """The machine-readable part; its keys are public API, see docs/live.md."""
    decided = targets.drop_duplicates("strategy").set_index("strategy")
    strategies = {
        str(name): {
            "fallback": bool(row["fallback"]),
            "reason": str(row["reason"]),
            "n_assets": int(row["n_assets"]),
            "trades": totals.get(str(name)),
        }
        for name, row in decided.iterrows()
    }
    code = {"git_sha": run_facts["git_sha"], "sha256": code_version()}
    return {**facts, "strategies": strategies, "code": code}
