"""A comparison of a few tiny evaluations on three assets."""

from __future__ import annotations

from typing import Any

from regime_nas_pipeline.walkforward.comparison_parameters import SearchComparison
from regime_nas_pipeline.walkforward.parameters import Compute

REGIME_NAS = "regime_nas_pipeline.forecasters.regime_nas.RegimeNasForecaster"
GRU = "regime_nas_pipeline.forecasters.gru.GRUForecaster"
COMPUTE = Compute(seed=5, n_jobs=1, device="cpu")


def options(*values: Any) -> dict[str, Any]:
    return {"kind": "options", "options": list(values)}


CELLS = {
    "evidence.1.input": options("absolute", "lag_product"),
    "volatility.1.input": options("linear", "squared"),
    "trend.1.input": options("linear", "lag_product"),
    "range.1.input": options("none", "linear"),
}
SETTINGS: dict[str, Any] = {
    "market": {
        "n_assets": 3,
        "n_bars": 300,
        "fit_bars": 220,
        "phi": 0.45,
        "stay": 0.98,
        "volatility": 0.01,
        "volatile_ratio": 2.5,
        "seeds": [1, 2],
    },
    "training": {
        "n_seeds": 1,
        "max_samples": 100,
        "batch_dates": 8,
        "sample_every": 1,
        "validation_fraction": 0.2,
        "patience": 50,
        "plateau_patience": 3,
        "gradient_clip": 1.0,
    },
    "shortcuts": {
        "forecaster": {"class": REGIME_NAS, "params": {"width": 4, "lookback": 5}},
        "space": CELLS,
        "candidates": 4,
        "seeds": 2,
        "budget": 100,
        "proxies": {"fewer_epochs": {"data": 1.0, "budget": 0.5}},
        "weight_sharing": 2,
        "draws": 20,
    },
    "contest": {
        "beds": ["planted"],
        "families": {
            "gru": {
                "forecaster": {"class": GRU, "params": {}},
                "space": {"width": options(4, 8), "lookback": options(3, 5)},
            }
        },
        "contenders": {
            "evolutionary": {"family": "gru", "strategy": "evolutionary"},
            "random": {"family": "gru", "strategy": "random"},
        },
        "seeds": 2,
        "trials": 2,
        "budget": 200,
        "fit_budget": 100,
        "cell_search": {"path": "single", "selection": "subnetwork"},
    },
    "regret": {
        "forecaster": {"class": GRU, "params": {}},
        "space": {"width": options(4, 8), "lookback": options(3, 5)},
        "landscapes": 2,
        "seeds": 2,
        "budget": 100,
        "replays": {"evolutionary": 3, "bayesian": 1},
        "fraction": 0.75,
        "start_up": 1,
    },
}


def tiny_settings(**parts: dict[str, Any]) -> SearchComparison:
    """``SETTINGS`` with some values of some parts changed."""
    changed = {name: {**SETTINGS[name], **values} for name, values in parts.items()}
    return SearchComparison.model_validate({**SETTINGS, **changed})
