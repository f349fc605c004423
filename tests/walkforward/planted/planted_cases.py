"""A tiny planted experiment: settings, and pieces as finished cells leave them."""

from __future__ import annotations

from typing import Any

import numpy as np

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.walkforward.parameters import Compute
from regime_nas_pipeline.walkforward.planted.cells import Cell, accuracy, all_cells
from regime_nas_pipeline.walkforward.planted.markets import simulate
from regime_nas_pipeline.walkforward.planted.parameters import Planted

ONE = Compute(n_jobs=1, seed=5, device="cpu")
FORECASTERS = "regime_nas_pipeline.forecasters"


def options(*values: Any) -> dict[str, Any]:
    return {"kind": "options", "options": list(values)}


CELLS_SPACE = {"width": options(4), "nodes": options(1), "lookback": options(5, 6)}
MLP_SPACE = {"width": options(4, 6), "lookback": options(2)}
SETTINGS: dict[str, Any] = {
    "markets": {
        "n_assets": 3,
        "n_bars": 300,
        "fit_bars": 220,
        "phi": 0.45,
        "stay": 0.97,
        "volatility": 0.01,
        "volatile_ratio": 2.5,
        "seeds": [3, 4],
    },
    "tracks": ["engineered", "raw"],
    "forecasters": {
        "regime_nas": {
            "class": f"{FORECASTERS}.regime_nas.RegimeNasForecaster",
            "params": {"attention_heads": 2, "timeframes": [1, 5]},
            "space": CELLS_SPACE,
            "cell_method": "random",
        },
        "mlp": {"class": f"{FORECASTERS}.mlp.MLPForecaster", "space": MLP_SPACE},
        "linear": {
            "class": f"{FORECASTERS}.linear.LinearForecaster",
            "params": {"lookback": 3},
        },
    },
    "controls": {"seeds": [7], "tracks": ["raw"], "forecasters": ["mlp", "linear"]},
    "training": {
        "n_seeds": 2,
        "max_samples": 150,
        "batch_dates": 16,
        "sample_every": 1,
        "validation_fraction": 0.2,
        "patience": 5,
        "plateau_patience": 1,
        "gradient_clip": 1.0,
    },
    "search": {"budget": 300, "trials": 2, "start_up": 2, "batch": 1},
}


def settings(**changes: Any) -> dict[str, Any]:
    """The settings with some blocks' entries replaced, ``markets={"seeds": [1]}`` for instance."""
    merged = dict(SETTINGS)
    for name, change in changes.items():
        both = isinstance(change, dict) and isinstance(merged.get(name), dict)
        merged[name] = {**merged[name], **change} if both else change
    return merged


def planted_case(**changes: Any) -> Planted:
    return Planted.model_validate(settings(**changes))


def pieces_of(planted: Planted, shares: dict[str, float]) -> dict[Cell, Bundle]:
    """Pieces of forecasters that expect a known share of every target: R² is 1 - (1 - share)²."""
    pieces = {}
    for cell in all_cells(planted):
        simulated = simulate(planted.markets, cell.market, cell.seed)
        mean = shares[cell.forecaster] * simulated.target
        figures: dict[str, Any] = {
            **accuracy(mean, simulated.target),
            "epochs": 2.0,
            "gradient_samples": 100 + cell.seed,
            "seconds": 1.0,
            "parameters": 9,
        }
        arrays = {"mean": mean}
        facts: dict[str, Any] = {"figures": figures}
        if cell.forecaster in {"oracle", "regime_nas"}:
            weights = np.full((len(mean), 3), 0.25)
            weights[:, 2] = 0.5
            arrays["weights"] = weights
            figures |= {"agreement": 0.5, "commonest_state": 0.4}
        if cell.forecaster in {"mlp", "regime_nas"}:
            facts |= searched_facts(cell)
        pieces[cell] = Bundle(arrays, facts)
    return pieces


def searched_facts(cell: Cell) -> dict[str, Any]:
    search_id = f"{cell.market}-{cell.seed}-{cell.track}-{cell.forecaster}"
    row = {
        "trial_id": f"{search_id}-0000",
        "search_id": search_id,
        "forecaster": cell.forecaster,
        "strategy": "random",
        "number": 0,
        "seed": 1,
        "score": 0.9,
        "objectives": "{}",
        "budget_spent": 50,
        "choices": "{}",
        "parameters": "{}",
        "facts": '{"epochs": 1}',
        "validation_dates": [],
        "validation_returns": [],
        "closes_hash": "",
    }
    search = {"search_id": search_id, "score": 0.9, "gradient_samples": 50}
    return {"parameters": {"width": 4}, "search": search, "trials": [row]}
