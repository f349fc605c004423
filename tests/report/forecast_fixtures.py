"""What the forecasters and the searches of a run of real size did, from a fixed generator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from trading_fixtures import FORECASTERS, NETWORKS


@pytest.fixture(scope="session")
def forecasts() -> dict[str, dict[str, Any]]:
    def measures(theil_u: float, r2: float, rank_ic: float, spread: float, **cost: Any) -> Any:
        accuracy = {"mae": 0.0561 * theil_u, "rmse": 0.0764 * theil_u, "r2": r2}
        return {
            **accuracy,
            "theil_u": theil_u,
            "rank_ic": rank_ic,
            "spread_ratio": spread,
            "epochs": None,
            "seconds": None,
            "parameters": None,
            **cost,
        }

    return {
        "regime_nas": measures(
            0.9978, 0.0021, 0.021, 0.11, epochs=14.2, seconds=88, parameters=11842
        ),
        "gru": measures(1.0042, -0.0107, 0.013, 0.15, epochs=11.0, seconds=61, parameters=9217),
        "transformer": measures(
            1.0094, -0.0211, -0.008, 0.19, epochs=9.3, seconds=147, parameters=21505
        ),
        "garch": measures(0.9991, -0.0004, 0.004, 0.03, seconds=19.4, parameters=120),
        "momentum": measures(1.0310, -0.0652, 0.017, 0.42, seconds=0.1, parameters=0),
    }


@pytest.fixture(scope="session")
def spreads(dates: pd.DatetimeIndex) -> pd.DataFrame:
    generator = np.random.default_rng(17)
    rebalances = dates[::21]
    realised = 0.055 * np.exp(0.35 * generator.standard_normal(len(rebalances)))
    level = dict(zip(FORECASTERS, (0.006, 0.008, 0.011, 0.002, 0.024), strict=True))
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "date": rebalances,
                    "forecaster": name,
                    "predicted_spread": level[name]
                    * np.exp(0.3 * generator.standard_normal(len(rebalances))),
                    "realised_spread": realised,
                }
            )
            for name in FORECASTERS
        ],
        ignore_index=True,
    )


@pytest.fixture(scope="session")
def bins() -> pd.DataFrame:
    generator = np.random.default_rng(19)
    rows = []
    for name, width in zip(FORECASTERS, (0.012, 0.014, 0.018, 0.005, 0.03), strict=True):
        for place, predicted in enumerate(np.linspace(-width, width, 10)):
            realised = 0.009 + 0.2 * predicted + 0.003 * generator.standard_normal()
            rows.append((name, place, predicted, realised, 192))
    return pd.DataFrame(rows, columns=["forecaster", "bin", "predicted", "realised", "count"])


@pytest.fixture(scope="session")
def seed_spreads(dates: pd.DatetimeIndex) -> pd.DataFrame:
    generator = np.random.default_rng(23)
    rebalances = dates[::21]
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "date": rebalances,
                    "forecaster": name,
                    "seed_spread": 0.004 * np.exp(0.3 * generator.standard_normal(len(rebalances))),
                }
            )
            for name in NETWORKS
        ],
        ignore_index=True,
    )


@pytest.fixture(scope="session")
def found() -> dict[str, Any]:
    def block(*operations: str) -> list[dict[str, Any]]:
        chosen = iter(operations)
        return [
            {
                "node": node,
                "edges": [
                    {"from": source, "operation": next(chosen)}
                    for source in ("input", *map(str, range(1, node)))
                ],
            }
            for node in (1, 2, 3)
        ]

    return {
        "blocks": {
            "evidence": block(
                "absolute", "squared", "none", "lag_product", "convolution", "identity"
            ),
            "volatility": block(
                "squared", "none", "volatility_scaling", "gru", "identity", "linear"
            ),
            "trend": block(
                "average_difference", "lag_product", "running_sum", "none", "convolution", "gru"
            ),
            "range": block(
                "z_score", "mean_deviation", "cross_sectional_mean", "linear", "none",
                "self_attention",
            ),
        },
        "head": "gru",
        "width": 16,
        "lookback": 63,
        "timeframes": [1, 5, 21],
        "attention_heads": 2,
        "dropout": 0.13,
        "learning_rate": 0.00187,
        "weight_decay": 1.2e-5,
        "objective": {"smoothness_weight": 0.01, "label_weight": 0.1},
    }  # fmt: skip


@pytest.fixture(scope="session")
def trials() -> pd.DataFrame:
    generator = np.random.default_rng(29)
    rows = []
    for name in NETWORKS:
        for trial in range(20):
            failed = name == "transformer" and trial in {4, 11}
            score = 1.002 + 0.02 * generator.exponential() * 0.93**trial
            state = "FAIL" if failed else "COMPLETE"
            strategy = "random" if trial < 6 else "bayesian"
            rows.append((name, trial, np.nan if failed else score, 5000, state, strategy))
    columns = ["forecaster", "trial", "score", "budget_spent", "state", "strategy"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture(scope="session")
def front() -> pd.DataFrame:
    """Twenty trials: the smaller, the worse; every other one has no certified constant."""
    generator = np.random.default_rng(37)
    size = np.sort(generator.integers(2_000, 30_000, 20))
    error = 1.02 - 0.04 * np.linspace(0, 1, 20) + 0.004 * generator.standard_normal(20)
    bound = 40.0 * np.exp(generator.standard_normal(20))
    bound[::2] = np.nan
    lowest = np.minimum.accumulate(error)
    return pd.DataFrame(
        {
            "trial_id": [f"abc-{number:04d}" for number in range(20)],
            "number": range(20),
            "error": error,
            "parameters": size.astype(float),
            "latency": 0.4 + size / 20_000,
            "lipschitz": bound,
            "on_front": error <= lowest,
            "choices": [f'{{"head": "gru", "width": {w}}}' for w in size % 7],
        }
    )


@pytest.fixture(scope="session")
def search() -> dict[str, Any]:
    """What the three searches of a run found and spent, with an earlier run in the ledger."""
    return {
        "trials": 60,
        "trials_in_ledger": 141,
        "forecasters": {
            name: {
                "search_strategy": "bayesian",
                "trials": 20,
                "trials_in_ledger": 47,
                "best_trial": 11,
                "best_score": score,
                "budget": 100_000,
                "budget_spent": 99_400,
                "last_date_seen": "2014-12-31",
            }
            for name, score in zip(NETWORKS, (0.98712, 1.00213, 0.9991), strict=True)
        },
        "cells": {
            "regime_nas": {
                "alpha_steps": 25,
                "entropy": 0.676,
                "mixture_error": 1.0419,
                "discrete_error": 1.0416,
                "discretisation_gap": -0.0003,
                "skip_share": 0.1111,
                "epochs": 3.0,
                "parameters": 19445,
            }
        },
    }
