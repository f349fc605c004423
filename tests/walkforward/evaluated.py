"""Small evaluations as the ledger holds them, without any trading."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.walkforward.evaluation_ledger import evaluation_rows

CLOSES, SETTINGS = "c" * 64, "s" * 64
FACTS = {"env": "base", "run_id": "first", "git_sha": None}


def strategies(
    seed: int, names: tuple[str, ...] = ("gru", "momentum"), n_bars: int = 40
) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    columns = [*names, "equal_weight"]
    values = generator.normal(0.0005, 0.01, (n_bars, len(columns)))
    dates = pd.bdate_range("2015-01-01", periods=n_bars)
    return pd.DataFrame(values, index=dates.rename("date"), columns=columns)


def seeds_of(returns: pd.DataFrame, seed: int, n_seeds: int = 2) -> pd.DataFrame:
    generator = np.random.default_rng(1000 + seed)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "date": returns.index,
                    "forecaster": "gru",
                    "seed": number,
                    "net": returns["gru"] + generator.normal(0.0, 0.001, len(returns)),
                }
            )
            for number in range(1, n_seeds + 1)
        ],
        ignore_index=True,
    )


def rows_of(returns: pd.DataFrame, seeds: pd.DataFrame, **changes: Any) -> pd.DataFrame:
    given: dict[str, Any] = {
        "closes_hash": CLOSES,
        "settings_hash": SETTINGS,
        "cost_bps": 5.0,
        "run_facts": FACTS,
        **changes,
    }
    return evaluation_rows(returns, seeds, **given)
