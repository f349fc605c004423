"""What training options cost and change: seeds side by side, warm starts, larger batches.

Run from the repository: ``python benchmarks/training_options.py``. A GRU and a Transformer, as an
earlier search had found them, are walked forward over the bundled stocks as in the default run.
Prints for each option seconds, the mean of the folds' validation errors (no change is about 1) and
the out-of-sample R² of the average and of each seed, and all of it as JSON.
Options: ``--jobs``, ``--networks`` (gru, transformer).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from allocation import bundled_market

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.forecasters.base import seed_columns
from regime_nas_pipeline.forecasters.gru import GRUForecaster
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.forecasters.transformer import TransformerForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.training import TrainingPlan
from regime_nas_pipeline.walkforward.folds import make_folds
from regime_nas_pipeline.walkforward.forecasts import walk_forward

PLAN = TrainingPlan(max_samples=10_000, batch_dates=4, sample_every=21)
HALF = replace(PLAN, max_samples=5_000)
GRU: dict[str, Any] = {
    "width": 16,
    "layers": 1,
    "lookback": 42,
    "timeframes": (1, 5, 21),
    "dropout": 0.1,
    "learning_rate": 0.0025,
    "weight_decay": 1e-5,
}
TRANSFORMER: dict[str, Any] = {
    "width": 32,
    "layers": 1,
    "attention_heads": 4,
    "lookback": 42,
    "timeframes": (1, 21),
    "dropout": 0.2,
    "learning_rate": 0.01,
    "weight_decay": 0.008,
}
OPTIONS = {
    "as it is": PLAN,
    "seeds in turn": replace(PLAN, together="never"),
    "seeds side by side": replace(PLAN, together="always"),
    "mixed precision": replace(PLAN, precision="mixed"),
    "half the budget": HALF,
    "warm start": replace(PLAN, warm_start=True),
    "warm start, half the budget": replace(HALF, warm_start=True),
    "batches of 16": replace(PLAN, batch_dates=16),
    "batches of 16, rate by the root": replace(PLAN, batch_dates=16, rate_batch_dates=4),
    "batches of 32, rate by the root": replace(PLAN, batch_dates=32, rate_batch_dates=4),
}


def r_squared(table: pd.DataFrame, market: Market, column: str) -> float:
    """Out-of-sample R² against the mean target."""
    target = pd.DataFrame(market.target(21, 1), index=market.dates, columns=market.assets)
    wide = table.pivot(index="date", columns="asset", values=column)
    known = target.loc[wide.index, wide.columns]
    errors = (wide - known).to_numpy()
    spread = known.to_numpy() - np.nanmean(known.to_numpy())
    return float(1.0 - np.nansum(errors**2) / np.nansum(spread**2))


def walked(forecaster: NeuralForecaster, market: Market, n_jobs: int) -> dict[str, Any]:
    """Seconds, validation error and R² of a walk forward."""
    folds = make_folds(
        market,
        first_oos=pd.Timestamp("2015-01-01"),
        refit_every=126,
        rebalance_every=21,
        execution_lag=1,
        window=None,
    )
    started = time.perf_counter()
    found = walk_forward(forecaster, market, folds, cache=PieceCache(None), n_jobs=n_jobs)
    seconds = time.perf_counter() - started
    best = [
        min(epoch["validation_loss"] for epoch in curve)
        for entry in found.log
        for curve in entry["curves"]
    ]
    return {
        "seconds": round(seconds, 1),
        "validation": round(float(np.mean(best)), 4),
        "r2": round(r_squared(found.forecasts, market, "mean"), 4),
        "r2_of_seeds": [
            round(r_squared(found.forecasts, market, name), 4)
            for name in seed_columns(found.forecasts)
        ],
    }


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    known = ["gru", "transformer"]
    parser.add_argument("--networks", nargs="+", choices=known, default=known)
    options = parser.parse_args()
    market = bundled_market()
    rows = []
    kinds = (("GRU", GRUForecaster, GRU), ("Transformer", TransformerForecaster, TRANSFORMER))
    for name, cls, arguments in kinds:
        if name.lower() not in options.networks:
            continue
        walked(cls(training=HALF, device="cpu", **arguments), market, options.jobs)  # warm up
        for option, plan in OPTIONS.items():
            forecaster = cls(training=plan, n_seeds=3, seed=20240501, device="cpu", **arguments)
            row = {
                "network": name,
                "option": option,
                **walked(forecaster, market, options.jobs),
            }
            rows.append(row)
            print(
                f"{name:<12} {option:<32} {row['seconds']:6.1f} s  validation "
                f"{row['validation']:.4f}  R² {row['r2']:+.4f}  seeds {row['r2_of_seeds']}",
                flush=True,
            )
    print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main()
