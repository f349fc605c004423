"""Seconds of the allocators' solvers, beside others', and of the covariances that they are given.

Run from the repository: ``python benchmarks/allocation.py``. The moments are those of the 96
decisions of the default run (20 bundled stocks, expectations by momentum) and of a simulated factor
market. Solvers and peers (quadprog, SciPy's SLSQP, a parametrised problem of CVXPY) take turns on
every problem, and so do covariances updated and recomputed, so that a busy machine slows all of
them. Whole decisions (moments of all bars so far, then weights) stand beside a plain loop of
skfolio. Prints JSON: median and 5th to 95th percentile of processor time, ratios to the peers, and
how far weights lie apart. Options: ``--assets`` (of the simulated market), ``--problems`` (on it),
``--decisions`` (covariances on it), ``--rebalances`` (of the bundled stocks).
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any, get_args

import numpy as np
import pandas as pd
from allocation_peers import make_peers, skfolio_decision
from skfolio.datasets import load_sp500_dataset, load_sp500_index

from regime_nas_pipeline.forecasters.momentum import MomentumForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.allocate import simple_expected_return
from regime_nas_pipeline.portfolio.covariance import horizon_covariance
from regime_nas_pipeline.portfolio.expanding_covariance import ExpandingCovariance
from regime_nas_pipeline.portfolio.solvers import SolverName, optimal_weights
from regime_nas_pipeline.walkforward.folds import make_folds

HORIZON, CAP = 21, 0.2
RISK_FREE = 1.01 ** (HORIZON / 252) - 1.0
Moments = list[tuple[np.ndarray, np.ndarray]]


def bundled_market() -> Market:
    """The default run's 20 stocks from 2000 on."""
    prices = load_sp500_dataset().loc["2000":]
    return Market(
        dates=pd.DatetimeIndex(prices.index),
        assets=tuple(prices.columns),
        close=prices.to_numpy(),
        benchmark=load_sp500_index().reindex(prices.index).iloc[:, 0].to_numpy(),
        min_history=252,
    )


def simulated_market(n_assets: int, n_bars: int = 5785) -> Market:
    """As long as the bundled one: five common factors and noise of its own in every asset."""
    rng = np.random.default_rng(0)
    factors = rng.normal(0.0, 0.006, (n_bars, 5)) @ rng.normal(size=(5, n_assets))
    steps = 3e-4 + factors + rng.normal(0.0, 0.015, (n_bars, n_assets))
    return Market(
        dates=pd.bdate_range("2000-01-03", periods=n_bars),
        assets=tuple(f"A{number:04d}" for number in range(n_assets)),
        close=np.exp(np.cumsum(steps, axis=0)),
        benchmark=np.ones(n_bars),
        min_history=252,
    )


def decisions_of(market: Market) -> pd.DatetimeIndex:
    """Decision dates as in the default run."""
    folds = make_folds(
        market,
        first_oos=pd.Timestamp("2015-01-01"),
        refit_every=126,
        rebalance_every=HORIZON,
        execution_lag=1,
        window=None,
    )
    return pd.DatetimeIndex([date for fold in folds for date in fold.decisions])


def spread(seconds: list[float]) -> dict[str, float]:
    """Median and percentiles in milliseconds."""
    low, middle, high = np.percentile(seconds, [5, 50, 95]) * 1e3
    return {"median_ms": round(middle, 4), "p5_ms": round(low, 4), "p95_ms": round(high, 4)}


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds, and what came of them."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def compare_solvers(moments: Moments) -> dict[str, Any]:
    """Time of every solver for either objective, and distance of their weights."""
    n_assets = len(moments[0][1])
    peers, missing = make_peers(n_assets, CAP)
    found: dict[str, Any] = {"problems": len(moments), "assets": n_assets, "missing": missing}
    own = {name: partial(optimal_weights, name) for name in get_args(SolverName)}
    for objective in ("maximum_sharpe", "minimum_variance"):
        seconds, apart = defaultdict(list), defaultdict(list)
        for excess, sigma in moments:
            gain = excess if objective == "maximum_sharpe" else None
            weights = {}
            for solver, solve in {**own, **peers}.items():
                taken, weights[solver] = timed(partial(solve, gain, sigma, CAP))
                seconds[solver].append(taken)
            for solver in weights.keys() - {"daqp"}:
                apart[f"daqp_{solver}"].append(np.abs(weights["daqp"] - weights[solver]).max())
            if gain is not None:
                ratios = [weights[n] @ gain / np.sqrt(weights[n] @ sigma @ weights[n]) for n in own]
                apart["sharpe_ratio"].append(np.ptp(ratios))
        found[objective] = {
            "seconds": {name: spread(values) for name, values in seconds.items()},
            "times_daqp": times(seconds, "daqp"),
            "largest_distance": {name: float(max(apart[name])) for name in sorted(apart)},
        }
    return found


def times(seconds: dict[str, list[float]], own: str) -> dict[str, dict[str, float]]:
    """How many times as long each of the others takes, problem by problem."""
    found = {}
    for name in seconds.keys() - {own}:
        ratio = np.array(seconds[name]) / np.array(seconds[own])
        low, middle, high = np.percentile(ratio, [5, 50, 95])
        found[name] = {"median": float(middle), "p5": float(low), "p95": float(high)}
    return dict(sorted(found.items()))


def compare_decisions(market: Market, dates: pd.DatetimeIndex) -> dict[str, Any]:
    """Moments of all bars so far and weights at every date, beside a plain loop of skfolio."""
    columns = np.arange(len(market.assets))
    expanding = ExpandingCovariance(market.log_returns, market.assets)
    rate = RISK_FREE / HORIZON

    def own(rows: int) -> np.ndarray:
        mean = market.log_returns[1:rows].mean(axis=0) - rate
        return optimal_weights("daqp", mean, expanding.until(rows, columns, 1), CAP)

    skfolio_decision(market.log_returns[1:100], CAP, rate)  # its imports are not measured
    seconds, apart = defaultdict(list), 0.0
    for date in dates:
        rows = market.position(date) + 1
        taken, ours = timed(partial(own, rows))
        seconds["project"].append(taken)
        taken, theirs = timed(partial(skfolio_decision, market.log_returns[1:rows], CAP, rate))
        seconds["skfolio_loop"].append(taken)
        apart = max(apart, float(np.abs(ours - theirs).max()))
    return {
        "assets": len(columns),
        "decisions": len(dates),
        "seconds": {name: spread(values) for name, values in seconds.items()},
        "times_project": times(seconds, "project"),
        "largest_distance": apart,
    }


def compare_covariances(market: Market, dates: pd.DatetimeIndex) -> dict[str, Any]:
    """Covariances at some dates in a row, updated and recomputed from all bars."""
    columns = np.arange(len(market.assets))
    expanding = ExpandingCovariance(market.log_returns, market.assets)
    seconds, apart = defaultdict(list), 0.0
    for date in dates:
        rows = market.position(date) + 1
        known = market.log_returns[1:rows]
        taken, new = timed(lambda r=rows: expanding.until(r, columns, HORIZON))
        seconds["updated"].append(taken)
        taken, old = timed(lambda k=known: horizon_covariance(k, HORIZON))
        seconds["recomputed"].append(taken)
        apart = max(apart, float(np.abs(new - old).max() / np.abs(old).max()))
    return {
        "assets": len(columns),
        "decisions": len(dates),
        **{name: spread(values) for name, values in seconds.items()},
        "total_ms": {name: round(sum(values) * 1e3, 1) for name, values in seconds.items()},
        "largest_relative_distance": apart,
    }


def default_moments(market: Market, dates: pd.DatetimeIndex) -> Moments:
    """Expected excess return and covariance at decisions of the default run."""
    momentum = MomentumForecaster(horizon=HORIZON).fit(market.until(dates[0]))
    means = momentum.predict(market, dates).mean
    expanding = ExpandingCovariance(market.log_returns, market.assets)
    columns = np.arange(len(market.assets))
    moments = []
    for date, mean in zip(dates, means, strict=True):
        sigma = expanding.until(market.position(date) + 1, columns, HORIZON)
        moments.append((simple_expected_return(mean, sigma) - RISK_FREE, sigma))
    return moments


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=500)
    parser.add_argument("--problems", type=int, default=8)
    parser.add_argument("--decisions", type=int, default=24)
    parser.add_argument("--rebalances", type=int, default=96)
    chosen = parser.parse_args()
    small, large = bundled_market(), simulated_market(chosen.assets)
    dates = decisions_of(small)[: chosen.rebalances]
    moments = default_moments(small, dates)
    # A first problem each, so that imports are not measured.
    compare_solvers(moments[:1])
    sigma = horizon_covariance(large.log_returns[1:], HORIZON)
    rng = np.random.default_rng(1)
    wide = [(rng.normal(0.005, 0.02, chosen.assets), sigma) for _ in range(chosen.problems)]
    later = large.dates[3760::HORIZON][: chosen.decisions]
    result = {
        "solvers": [compare_solvers(moments), compare_solvers(wide)],
        "decisions": compare_decisions(small, dates),
        "covariances": [compare_covariances(small, dates), compare_covariances(large, later)],
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
