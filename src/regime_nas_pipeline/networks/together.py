"""Networks of one shape trained in one computation, each on batches of its own.

A small network's step is mostly the calling of operations, and a GPU waits for it most of the
time. Side by side, the networks of several seeds share the calls: ``torch.vmap`` runs the loss
over their stacked weights, and each network's gradient arrives in its own weights.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.base import ForecastNetwork
from regime_nas_pipeline.networks.fast_gru import side_by_side
from regime_nas_pipeline.networks.objective import Loss
from regime_nas_pipeline.networks.training import (
    Course,
    TrainingPlan,
    TrainingResult,
    TrainingTask,
    derived_seed,
    single_threaded,
    train,
)
from regime_nas_pipeline.networks.windows import Batch, WindowData

Network = TypeVar("Network", bound=nn.Module)

_NO_RULE = ".*batching rule for aten::_scaled_dot_product_flash_attention_for_cpu.*"


def joins(networks: Sequence[nn.Module], plan: TrainingPlan, data: WindowData) -> bool:
    """Whether these networks are to be trained side by side, on the device that ``data`` is on.

    Raises:
        ParameterError: ``plan`` says ``always`` and they cannot be.
    """
    if plan.together == "never" or len(networks) < 2:
        return False
    possible = can_join(networks)
    if plan.together == "always":
        if not possible:
            raise ParameterError(
                f"{type(networks[0]).__name__}s of this kind cannot be trained side by side: they "
                "have an LSTM or a memory of their own; set training.together to auto or never."
            )
        return True
    if not possible or data.asset.device.type != "cpu":
        return possible
    windows = plan.batch_dates * data.usable.shape[1]
    return all(isinstance(each, ForecastNetwork) and windows < each.busy_from for each in networks)


def train_each(
    networks: Sequence[Network],
    task: TrainingTask,
    *,
    seeds: Sequence[int],
    limit: Callable[[Network], None] | None = None,
) -> list[TrainingResult]:
    """Train the networks of several seeds: side by side where that is quicker, else in turn.

    Raises:
        ParameterError: The budget does not pay for one batch, or the plan says ``always`` and
            they cannot be trained side by side.
    """
    if joins(networks, task.plan, task.data):
        with single_threaded(derived_seed(*seeds)):
            return train_together(networks, task, seeds=seeds, limit=limit)
    results = []
    for network, seed in zip(networks, seeds, strict=True):
        with single_threaded(derived_seed(seed)):
            results.append(train(network, task, seed=seed, limit=limit))
    return results


def start_warm(networks: Sequence[nn.Module], states: Sequence[dict[str, Tensor]]) -> int:
    """Give networks the weights to start from; how many got them: all, or none.

    None where there are no such weights, or where they are of other shapes: a joint network may
    see other assets by now.
    """
    for network, state in zip(networks, states, strict=False):
        shapes = {name: value.shape for name, value in network.state_dict().items()}
        if shapes != {name: value.shape for name, value in state.items()}:
            return 0
    for network, state in zip(networks, states, strict=False):
        network.load_state_dict(state)
    return min(len(states), len(networks))


def can_join(networks: Sequence[nn.Module]) -> bool:
    """Whether :func:`joint_losses` serves these networks, and serves them well.

    They must have the same weights and buffers; none may keep a memory that its forward pass
    writes to; and torch's LSTM, one fused kernel for one network, would fall apart.
    """
    shapes = [
        {name: value.shape for name, value in network.state_dict().items()} for network in networks
    ]
    return all(
        isinstance(network, ForecastNetwork)
        and not network.keeps_memory
        and type(network) is type(networks[0])
        and shape == shapes[0]
        and not any(isinstance(part, nn.LSTM) for part in network.modules())
        for network, shape in zip(networks, shapes, strict=True)
    )


def train_together(
    networks: Sequence[Network],
    task: TrainingTask,
    *,
    seeds: Sequence[int],
    limit: Callable[[Network], None] | None = None,
) -> list[TrainingResult]:
    """Train networks of one shape side by side, each as :func:`train` would train it.

    Every network has its own batches, budget, optimiser, learning rate and early stopping; one
    that has stopped leaves the others. What they share is the computation of losses and
    gradients (:func:`~.together.joint_losses`), so that without dropout a network ends up as it
    would alone, up to rounding; with dropout it sees other draws of the same kind.

    Raises:
        ParameterError: The budget does not pay for one batch.
    """
    courses = [
        Course(network, task, seed=seed, limit=limit)
        for network, seed in zip(networks, seeds, strict=True)
    ]
    data, going = task.data, courses
    while going:
        losses: list[list[float]] = [[] for _ in going]
        open_courses = list(range(len(going)))
        for rows in zip(*(course.epoch_rows() for course in going), strict=True):
            known = [data.known_samples(rows[each]) for each in open_courses]
            open_courses = [
                each
                for each, n_samples in zip(open_courses, known, strict=True)
                if going[each].admits(n_samples)
            ]
            if not open_courses:
                break
            chosen = [going[each] for each in open_courses]
            batch = data.batch(
                np.concatenate([rows[each] for each in open_courses]), need_target=True
            )
            with task.plan.products(data.asset.device):
                found = joint_losses([each.network for each in chosen], task.objective, batch)
            torch.autograd.backward(found.sum())
            for each, loss in zip(open_courses, found.detach().tolist(), strict=True):
                going[each].step()
                losses[each].append(loss)
        for course, of_course in zip(going, losses, strict=True):
            course.end_epoch(of_course)
        going = [course for course in going if course.going]
    return [course.finish() for course in courses]


def joint_losses(networks: Sequence[nn.Module], objective: Loss, batch: Batch) -> Tensor:
    """Training loss of every network on its own part of a batch, (S,), with its penalty.

    Each depends on its own network's weights alone, so that the gradient of their sum is every
    network's own. Dropout is drawn for each anew.

    Args:
        networks: S networks for which :func:`can_join` holds, all in training mode.
        objective: What training minimises.
        batch: S times as many decision bars as a network sees, one's after the other's.
    """
    wrapped = [_Penalised(network, objective) for network in networks]
    weights = {
        name: torch.stack([dict(each.named_parameters())[name] for each in wrapped])
        for name, _ in wrapped[0].named_parameters()
    }
    buffers = dict(wrapped[0].named_buffers())
    names = [each.name for each in fields(Batch) if getattr(batch, each.name) is not None]
    parts = [torch.stack(getattr(batch, name).chunk(len(networks))) for name in names]

    def loss(own: dict[str, Tensor], *values: Tensor) -> Tensor:
        given: dict[str, Any] = dict(zip(names, values, strict=True))
        result: Tensor = functional_call(wrapped[0], (own, buffers), (Batch(**given),))
        return result

    with warnings.catch_warnings(), side_by_side():
        # One call of a fused kernel per network is quicker than the rule that it falls back from.
        warnings.filterwarnings("ignore", message=_NO_RULE)
        losses: Tensor = torch.vmap(loss, randomness="different")(weights, *parts)
    return losses


class _Penalised(nn.Module):
    """A network's loss with its penalty, both of the weights that are given for the call."""

    def __init__(self, network: nn.Module, objective: Loss) -> None:
        super().__init__()
        self.network = network
        self.objective = objective

    def forward(self, batch: Batch) -> Tensor:
        loss = self.objective(self.network(batch), batch)
        return loss + self.objective.penalty(self.network)
