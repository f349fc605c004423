"""The inner search: architecture weights by gradient, then one operation per edge.

First-order DARTS (arXiv 1806.09055) on data ordered in time: network weights learn on the first
part of the training window, architecture weights on its purged last part. The temperature of
the mixtures falls during the search and the loss before and after discretising is logged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.splits import strided
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.regime_net import RegimeNet, describe_blocks
from regime_nas_pipeline.networks.training import (
    Split,
    Steps,
    TrainingPlan,
    batches,
    validation_error,
)
from regime_nas_pipeline.networks.windows import Batch, WindowData
from regime_nas_pipeline.search.supernet import (
    alpha_parameters,
    chosen_operations,
    mean_entropy,
    mixed_edges,
    set_temperature,
    weight_parameters,
)


@dataclass(frozen=True)
class CellSearchPlan:
    """How architecture weights are learned.

    Attributes:
        max_samples: Budget in gradient samples, weight steps and architecture steps together.
        alpha_learning_rate: Adam's, for the architecture weights.
        alpha_every: Weight steps between two architecture steps.
        warm_up: Part of the budget before the first architecture step.
        final_temperature: Softmax temperature at the end; it starts at 1 and falls geometrically.
    """

    max_samples: int
    alpha_learning_rate: float = 0.05
    alpha_every: int = 1
    warm_up: float = 0.2
    final_temperature: float = 0.2


@dataclass(frozen=True)
class CellSearchResult:
    """The cells that were found.

    Attributes:
        blocks: Readable architecture, see ``regime_net.describe_blocks``.
        samples: Gradient samples spent.
        facts: Entropy of the mixtures, validation error of the mixture and of the discretised
            supernet, share of edges without connection or with identity.
    """

    blocks: dict[str, Any]
    samples: int
    facts: dict[str, float]


def search_cells(
    supernet: RegimeNet,
    data: WindowData,
    split: Split,
    plan: CellSearchPlan,
    training: TrainingPlan,
    *,
    objective: Objective,
    steps: Steps,
    seed: int,
) -> CellSearchResult:
    """Learn architecture weights and read off one operation per edge.

    Call it inside ``networks.training.single_threaded``.

    Args:
        supernet: Untrained; it is trained in place.
        data: Windows of the search's training market.
        split: Rows for network weights (training) and architecture weights (validation).
        plan: Budget and schedule of the architecture weights.
        training: Batch size, stride and gradient clip.
        objective: Loss of the weight steps and architecture steps.
        steps: AdamW's rates for the network weights.
        seed: Orders the batches.

    Raises:
        ParameterError: The budget does not pay for one architecture step.
    """
    search = _Search(supernet, data, plan, training, objective, steps)
    alpha_batches = _endless(split.validation, training, np.random.default_rng([seed, 1]))
    weight_batches = _endless(split.training, training, np.random.default_rng([seed, 0]))
    step = 0
    while search.affordable():
        search.step(next(weight_batches), search.weights)
        step += 1
        warm = search.samples >= plan.warm_up * plan.max_samples
        if warm and step % plan.alpha_every == 0 and search.affordable():
            search.step(next(alpha_batches), search.alphas)
            search.alpha_steps += 1
    if not search.alpha_steps:
        raise ParameterError(
            f"a budget of {plan.max_samples} gradient samples does not pay for one architecture "
            "step; raise search.budget or lower search.trials or batch_dates."
        )
    return _discretise(search, data, strided(split.validation, training.sample_every))


class _Search:
    """A supernet with one optimiser for its weights and one for its architecture."""

    def __init__(
        self,
        supernet: RegimeNet,
        data: WindowData,
        plan: CellSearchPlan,
        training: TrainingPlan,
        objective: Objective,
        steps: Steps,
    ) -> None:
        self.supernet, self.data, self.plan = supernet, data, plan
        self.training, self.objective = training, objective
        self.weights = torch.optim.AdamW(
            weight_parameters(supernet), lr=steps.learning_rate, weight_decay=steps.weight_decay
        )
        self.alphas = torch.optim.Adam(
            alpha_parameters(supernet), lr=plan.alpha_learning_rate, betas=(0.5, 0.999)
        )
        self.samples = 0
        self.largest_batch = training.batch_dates * data.usable.shape[1]
        self.alpha_steps = 0

    def affordable(self) -> bool:
        """Whether the budget pays for another full batch."""
        return self.samples + self.largest_batch <= self.plan.max_samples

    def step(self, rows: np.ndarray, optimiser: torch.optim.Optimizer) -> None:
        """One gradient step of either optimiser; both kinds count against the budget."""
        batch: Batch = self.data.batch(rows, need_target=True)
        done = min(1.0, self.samples / self.plan.max_samples)
        set_temperature(self.supernet, self.plan.final_temperature**done)
        self.supernet.train()
        loss = self.objective(self.supernet(batch), batch)
        self.weights.zero_grad(set_to_none=True)
        self.alphas.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(
            [p for group in optimiser.param_groups for p in group["params"]],
            self.training.gradient_clip,
        )
        optimiser.step()
        self.samples += int(batch.mask.sum())


def _endless(
    rows: np.ndarray, training: TrainingPlan, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    epoch = 0
    while True:
        yield from batches(rows, training, epoch, generator)
        epoch += 1


def _discretise(search: _Search, data: WindowData, rows: np.ndarray) -> CellSearchResult:
    supernet, size = search.supernet, search.training.batch_dates
    entropy = mean_entropy(supernet)
    mixture_error = validation_error(supernet, data, rows, size)
    operations = chosen_operations(supernet)
    with torch.no_grad():
        for _, edge in mixed_edges(supernet):
            heaviest = int(edge.alpha.argmax())
            edge.alpha.fill_(-torch.inf)
            edge.alpha[heaviest] = 0.0
    discrete_error = validation_error(supernet, data, rows, size)
    skips = [name in {"none", "identity"} for name in operations.values()]
    n_nodes = max(node for _, node, _ in operations)
    return CellSearchResult(
        blocks=describe_blocks(operations, n_nodes),
        samples=search.samples,
        facts={
            "alpha_steps": search.alpha_steps,
            "entropy": entropy,
            "mixture_error": mixture_error,
            "discrete_error": discrete_error,
            "skip_share": float(np.mean(skips)),
        },
    )
