"""One training loop for every network: AdamW, clipping, early stopping on a purged tail."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import nn

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.base import ForecastNetwork
from regime_nas_pipeline.networks.objective import BatchError, prediction_error
from regime_nas_pipeline.networks.schedules import LearningRate
from regime_nas_pipeline.networks.training_plan import (
    Rung,
    Split,
    Steps,
    TrainingPlan,
    TrainingResult,
    TrainingTask,
    batches,
    endless_batches,
    make_split,
)
from regime_nas_pipeline.networks.windows import WindowData

__all__ = [
    "Course",
    "Rung",
    "Split",
    "Steps",
    "TrainingPlan",
    "TrainingResult",
    "TrainingTask",
    "WeightLimit",
    "batches",
    "derived_seed",
    "endless_batches",
    "make_split",
    "resolve_device",
    "resolved",
    "single_threaded",
    "train",
    "validation_error",
]

WeightLimit = Callable[[ForecastNetwork], None]
"""Puts a network's weights back into what is allowed, in place."""

Network = TypeVar("Network", bound=nn.Module)


def derived_seed(*parts: int) -> int:
    """A seed that depends on all ``parts`` and on nothing else."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


@contextmanager
def single_threaded(seed: int) -> Iterator[None]:
    """Run torch on one thread from a fixed seed, and put the global state back afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def resolve_device(name: str) -> torch.device:
    """The device of that name; ``auto`` is a GPU when there is one.

    Raises:
        ParameterError: CUDA is asked for and absent, or the name is no device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ParameterError(f"device '{name}' is none of: auto, cpu, cuda, cuda:N.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ParameterError(f"device '{name}' is not there; use 'auto' or 'cpu'.")
    return device


def resolved(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments with ``device: auto`` put as the device that it means on this machine."""
    plain = dict(arguments)
    if "device" in plain:
        plain["device"] = str(resolve_device(plain["device"]))
    return plain


@torch.no_grad()
def validation_error(
    network: nn.Module,
    data: WindowData,
    rows: np.ndarray,
    batch_dates: int,
    error: BatchError = prediction_error,
) -> float:
    """Mean error over ``rows`` (squared by default), the network in evaluation mode."""
    network.eval()
    total, count = 0.0, 0
    for start in range(0, len(rows), batch_dates):
        batch = data.batch(rows[start : start + batch_dates], need_target=True)
        n = int(batch.mask.sum())
        total += float(error(network(batch), batch)) * n
        count += n
    return total / max(count, 1)


def train(
    network: Network,
    task: TrainingTask,
    *,
    seed: int,
    limit: Callable[[Network], None] | None = None,
) -> TrainingResult:
    """Train ``network`` in place and leave it with the weights of its best epoch.

    Call it inside :func:`single_threaded`, so that dropout and initial weights come from the
    same seed. ``seed`` orders the batches; ``limit`` changes the weights after every step, and
    before the first, so that whatever weights are kept obey it.

    Raises:
        ParameterError: The budget does not pay for one batch.
    """
    course = Course(network, task, seed=seed, limit=limit)
    data, objective = task.data, task.objective
    while course.going:
        losses = []
        for rows in course.epoch_rows():
            batch = data.batch(rows, need_target=True)
            if not course.admits(int(batch.mask.sum())):
                break
            with task.plan.products(data.asset.device):
                loss = objective(network(batch), batch) + objective.penalty(network)
            torch.autograd.backward(loss)
            course.step()
            losses.append(float(loss.detach()))
        course.end_epoch(losses)
    return course.finish()


class Course(Generic[Network]):
    """One network's way through its training: budget, steps, learning rate and best epoch.

    Whoever drives it computes the loss and its gradient; see :func:`train`.

    Args:
        network: Trained in place.
        task: On what, towards what, and how.
        seed: Orders the batches.
        limit: Changes the weights after every step and before the first.
    """

    def __init__(
        self,
        network: Network,
        task: TrainingTask,
        *,
        seed: int,
        limit: Callable[[Network], None] | None = None,
    ) -> None:
        self.network, self.task, self.limit = network, task, limit
        plan, steps = task.plan, task.steps
        self.generator = np.random.default_rng(seed)
        self.weights = list(network.parameters())
        self.optimiser = torch.optim.AdamW(
            self.weights,
            lr=steps.learning_rate,
            weight_decay=steps.weight_decay,
            fused=True,
        )
        self.rate = LearningRate(self.optimiser, plan.schedule, plan.plateau_patience)
        self.result = TrainingResult()
        self.ended = False
        self.verdict: dict[str, float] | None = None
        if limit is not None:
            limit(network)
        self.best_state, self.best_epoch = _copy_state(network), 0

    @property
    def going(self) -> bool:
        """Whether there is budget left, and an improvement not too long ago."""
        return not self.ended and self.result.epochs - self.best_epoch < self.task.plan.patience

    def epoch_rows(self) -> Iterator[np.ndarray]:
        """Rows of each batch of the epoch that is due; puts the network into training mode."""
        self.network.train()
        rows = self.task.split.training
        return batches(rows, self.task.plan, self.result.epochs, self.generator)

    def admits(self, n_samples: int) -> bool:
        """Pay for a batch and make ready for its gradient; False where training has ended.

        Raises:
            ParameterError: The budget does not pay for the first batch.
        """
        if self.ended:
            return False
        budget = self.task.plan.max_samples
        if self.result.samples + n_samples > budget:
            if not self.result.samples:
                raise ParameterError(
                    f"a budget of {budget} gradient samples does not pay for one "
                    "batch; raise max_samples or lower batch_dates."
                )
            self.ended = True
            return False
        self.result.samples += n_samples
        self.rate.before_step(self.result.samples / budget)
        self.optimiser.zero_grad(set_to_none=True)
        return True

    def step(self) -> None:
        """One AdamW step along the clipped gradient."""
        nn.utils.clip_grad_norm_(self.weights, self.task.plan.gradient_clip)
        self.optimiser.step()
        if self.limit is not None:
            self.limit(self.network)
        rung = self.task.plan.rung
        if rung is not None and self.verdict is None and self.result.samples >= rung.samples:
            self.judge(rung)

    def judge(self, rung: Rung) -> None:
        """Stop training that is behind at its rung. Training that goes on is changed in nothing."""
        found = self.measure()
        self.network.train()
        # An error that is no number is the worst.
        lowest = min(self.result.best_validation, found if math.isfinite(found) else math.inf)
        self.ended = lowest > rung.worst
        self.verdict = {"rung_error": lowest, "stopped": float(self.ended)}

    def measure(self) -> float:
        """The validation error as it is now."""
        task = self.task
        return validation_error(
            self.network, task.data, task.split.validation, task.plan.batch_dates, task.error
        )

    def end_epoch(self, losses: list[float]) -> None:
        """Measure the validation error after an epoch with these training losses of its batches.

        Without any, nothing was learned: there is no epoch to count and no error to measure.
        """
        if not losses:
            self.ended = True
            return
        result = self.result
        result.epochs += 1
        found = self.measure()
        rate = self.rate.now
        self.rate.after_epoch(found)
        result.curve.append(
            {
                "samples": result.samples,
                "train_loss": float(np.mean(losses)),
                "validation_loss": found,
                "learning_rate": rate,
                **(self.verdict or {}),
            }
        )
        if found < result.best_validation:
            result.best_validation, self.best_epoch = found, result.epochs
            self.best_state = _copy_state(self.network)

    def finish(self) -> TrainingResult:
        """Give the network the weights of its best epoch and say what was done."""
        self.network.load_state_dict(self.best_state)
        self.network.eval()
        return self.result


def _copy_state(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}
