"""Processor time and forecasts of GARCH fits, beside a plain loop over ``arch``.

Run from the repository: ``python benchmarks/garch.py``. The series are those of the default run:
the 20 stocks that ship with skfolio from 2000 on, at 16 expanding refits, one every 126 bars from
2015. All fit every series in turn, so that a busy machine slows all of them, and scaled alike:

- ``project``: :func:`~regime_nas_pipeline.forecasters.garch_model.fit_garch`;
- ``arch``: the same model as arch fits it by default;
- ``arch_tight``: with ``ftol`` 1e-12 instead of 1e-6, which tells whose difference one is;
- ``statsforecast``: its GARCH(1,1), where it is installed. A smaller model (normal shocks, no
  autoregression), so its time is all that is compared.

Prints JSON: processor time per fit (median, 5th and 95th percentile) and in all, ratios to
``project``, largest differences of the 21-bar target's mean and volatility at all rebalances (every
21 bars up to the next refit), and in how many fits the log-likelihood is lower or higher than
arch's by more than 1e-8 of it. Then, of short simulated series, where the likelihood has several
maxima, in how many either finds a higher one than the other by more than 1e-4. Options:
``--stocks`` and ``--refits`` (fewer of either), ``--short`` (how many short series).
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from arch import arch_model
from arch.univariate.base import ARCHModelResult
from skfolio.datasets import load_sp500_dataset

from regime_nas_pipeline.forecasters.garch_model import (
    GarchParameters,
    aggregate_forecast,
    fit_garch,
    next_variance,
)
from regime_nas_pipeline.market.synthetic import garch_t_returns

HORIZON, EXECUTION_LAG, REBALANCE_EVERY, REFIT_EVERY = 21, 1, 21, 126
REFITS = 16
TIGHT = {"ftol": 1e-12, "maxiter": 1000}
SAME, OTHER_MAXIMUM = 1e-8, 1e-4


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds, and what came of them."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def spread(seconds: list[float]) -> dict[str, float]:
    """Median and percentiles in milliseconds, and the sum in seconds."""
    low, middle, high = np.percentile(seconds, [5, 50, 95]) * 1e3
    return {
        "median_ms": round(middle, 2),
        "p5_ms": round(low, 2),
        "p95_ms": round(high, 2),
        "total_s": round(sum(seconds), 3),
    }


def fit_arch(scaled: np.ndarray, options: dict[str, Any] | None) -> ARCHModelResult:
    """One fit as in a plain loop."""
    model = arch_model(scaled, mean="AR", lags=1, vol="GARCH", p=1, q=1, dist="t", rescale=False)
    return model.fit(disp="off", show_warning=False, options=options)


def parameters_of(result: ARCHModelResult, returns: np.ndarray) -> GarchParameters:
    """Estimates of arch in the returns' own unit."""
    scale = returns.std()
    constant, phi, omega, alpha, beta, nu = (float(value) for value in result.params)
    shocks = returns[1:] - constant * scale - phi * returns[:-1]
    start = float((shocks**2).mean())
    return GarchParameters(constant * scale, phi, omega * scale**2, alpha, beta, nu, start)


def log_likelihood(parameters: GarchParameters, returns: np.ndarray) -> float:
    """As arch computes it, of the scaled returns: the same ruler for all."""
    scale = returns.std()
    constant, phi, omega, alpha, beta, nu, _ = parameters
    model = arch_model(returns / scale, mean="AR", lags=1, vol="GARCH", dist="t", rescale=False)
    vector = [constant / scale, phi, omega / scale**2, alpha, beta, nu]
    return float(model.fix(vector).loglikelihood)


def forecasts(
    parameters: GarchParameters, returns: np.ndarray, last: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and volatility of the target after the returns in positions ``last``."""
    mean, variance = aggregate_forecast(
        returns[last],
        next_variance(returns, parameters)[last],
        parameters,
        horizon=HORIZON,
        execution_lag=EXECUTION_LAG,
    )
    return mean, np.sqrt(variance)


def peers() -> dict[str, Callable[[np.ndarray], Any]]:
    """Name to what fits one series of returns."""
    found: dict[str, Callable[[np.ndarray], Any]] = {
        "project": fit_garch,
        "arch": lambda returns: fit_arch(returns / returns.std(), None),
        "arch_tight": lambda returns: fit_arch(returns / returns.std(), dict(TIGHT)),
    }
    try:
        from statsforecast.models import GARCH  # noqa: PLC0415 - an optional peer
    except ImportError:
        return found
    found["statsforecast"] = lambda returns: GARCH(1, 1).fit(returns / returns.std())
    return found


def compare(n_stocks: int, n_refits: int) -> dict[str, Any]:
    """Fit every series by everybody in turn."""
    prices = load_sp500_dataset().loc["2000":]
    returns = np.diff(np.log(prices.to_numpy()), axis=0)
    first = int(prices.index.searchsorted(pd.Timestamp("2015-01-01"))) - 1
    fitters = peers()
    for fit in fitters.values():  # Imports and compilation are not a fit's.
        fit(returns[:500, 0])
    seconds: dict[str, list[float]] = defaultdict(list)
    apart: dict[str, list[float]] = defaultdict(list)
    counts: Counter[str] = Counter(lower_likelihood_than_arch=0, higher_likelihood_than_arch=0)
    for refit in range(n_refits):
        end = first + REFIT_EVERY * refit
        last = np.arange(end - 1, min(end - 1 + REFIT_EVERY, len(returns)), REBALANCE_EVERY)
        for stock in range(n_stocks):
            known, series = returns[:end, stock], returns[:, stock]
            made = {}
            for name, fit in fitters.items():
                taken, made[name] = timed(lambda f=fit, k=known: f(k))
                seconds[name].append(taken)
            counts["fallbacks"] += made["project"].fell_back
            if not isinstance(made["project"].outcome, GarchParameters):
                counts["failures"] += 1
                continue
            own = forecasts(made["project"].outcome, series, last)
            for name in ("arch", "arch_tight"):
                other = forecasts(parameters_of(made[name], known), series, last)
                for what, mine, theirs in zip(("mean", "volatility"), own, other, strict=True):
                    apart[f"{what}_{name}"].append(float(np.abs(mine - theirs).max()))
            gain = log_likelihood(made["project"].outcome, known) - made["arch"].loglikelihood
            apart["log_likelihood_gain"].append(gain)
            counts["lower_likelihood_than_arch"] += gain < -SAME * abs(made["arch"].loglikelihood)
            counts["higher_likelihood_than_arch"] += gain > SAME * abs(made["arch"].loglikelihood)
    own_total = sum(seconds["project"])
    return {
        "fits": len(seconds["project"]),
        "processor_time_per_fit": {name: spread(values) for name, values in seconds.items()},
        "ratio_of_totals": {
            name: round(sum(values) / own_total, 2) for name, values in seconds.items()
        },
        "largest_difference": {
            name: max(values) for name, values in apart.items() if name != "log_likelihood_gain"
        },
        "log_likelihood_gain": {
            "least": min(apart["log_likelihood_gain"]),
            "largest": max(apart["log_likelihood_gain"]),
        },
        **counts,
    }


def compare_short(n_series: int) -> dict[str, Any]:
    """Which of two fits has the higher likelihood on 250 to 600 simulated returns."""
    seconds: dict[str, list[float]] = defaultdict(list)
    counts: Counter[str] = Counter(project_higher=0, arch_higher=0, failures=0, fallbacks=0)
    for number in range(n_series):
        alpha, beta = ((0.03, 0.93), (0.08, 0.9))[number % 2]
        returns = garch_t_returns(
            n_bars=(250, 400, 600)[number % 3],
            constant=5e-4,
            phi=0.05,
            omega=2e-6,
            alpha=alpha,
            beta=beta,
            nu=7.0,
            seed=20_000 + number,
        )
        own_time, own = timed(lambda r=returns: fit_garch(r))
        arch_time, theirs = timed(lambda r=returns: fit_arch(r / r.std(), None))
        seconds["project"].append(own_time)
        seconds["arch"].append(arch_time)
        counts["fallbacks"] += own.fell_back
        if not isinstance(own.outcome, GarchParameters):
            counts["failures"] += 1
            continue
        gain = log_likelihood(own.outcome, returns) - theirs.loglikelihood
        counts["project_higher"] += gain > OTHER_MAXIMUM
        counts["arch_higher"] += gain < -OTHER_MAXIMUM
    times = {name: spread(values) for name, values in seconds.items()}
    return {"series": n_series, "processor_time_per_fit": times, **counts}


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stocks", type=int, default=20)
    parser.add_argument("--refits", type=int, default=REFITS)
    parser.add_argument("--short", type=int, default=250)
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="arch")
    found = compare(options.stocks, options.refits)
    print(json.dumps({**found, "short_series": compare_short(options.short)}, indent=2))


if __name__ == "__main__":
    main()
