"""Short searches for cells, and the ways in which they can be made, for the tests of the search."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from search_samples import N_ASSETS, TRAINING, split_of

from regime_nas_pipeline.networks.base import NetworkOutput
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.operations import BLOCK_OPERATIONS
from regime_nas_pipeline.networks.regime_net import RegimeNet
from regime_nas_pipeline.networks.training import Steps, TrainingPlan, single_threaded
from regime_nas_pipeline.networks.windows import Batch, WindowData
from regime_nas_pipeline.search.cell_plan import CellSearchPlan, CellSearchResult
from regime_nas_pipeline.search.differentiable import search_cells

PLAN = CellSearchPlan(
    max_samples=600, alpha_learning_rate=0.1, final_temperature=0.2, selection="magnitude"
)
LARGEST_BATCH = TRAINING.batch_dates * N_ASSETS


def search(
    network: RegimeNet,
    data: WindowData,
    plan: CellSearchPlan = PLAN,
    *,
    training: TrainingPlan = TRAINING,
    objective: Objective = Objective(),  # noqa: B008 - frozen
    learning_rate: float = 1e-2,
    seed: int = 0,
) -> CellSearchResult:
    with single_threaded(seed):
        return search_cells(
            network,
            data,
            split_of(data),
            plan,
            training,
            objective=objective,
            steps=Steps(learning_rate),
            seed=seed,
        )


@dataclass(frozen=True)
class CountingObjective(Objective):
    """Counts the windows that pass through the loss while gradients are kept."""

    seen: list[int] = field(default_factory=list)

    def __call__(self, output: NetworkOutput, batch: Batch) -> torch.Tensor:
        assert torch.is_grad_enabled()
        self.seen.append(int(batch.mask.sum()))
        return super().__call__(output, batch)


def operation_of(result: CellSearchResult, block: str) -> str:
    """The operation on a block's first edge."""
    name: str = result.blocks[block][0]["edges"][0]["operation"]
    return name


WAYS: dict[str, dict[str, Any]] = {
    "magnitude": {},
    "perturbation": {"selection": "perturbation", "selection_share": 0.5},
    "single path": {"path": "single", "selection": "subnetwork"},
    "top three": {"top_k": 3, "retrain_share": 0.4},
}

FEW = {
    "evidence": ("none", "identity", "squared"),
    "volatility": ("none", "identity", "mean_deviation", "squared"),
    "trend": ("none", "identity", "running_sum", "lag_product"),
    "range": ("none", "identity", "mean_deviation"),
}


def use_few_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Supernets that are fast enough to be trained until they have learned something."""
    for block, names in FEW.items():
        monkeypatch.setitem(BLOCK_OPERATIONS, block, names)
