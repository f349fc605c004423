"""One training loop for every network: AdamW, clipping, early stopping on a purged tail."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import nn

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.splits import purged_tail, sample_rows, strided
from regime_nas_pipeline.networks.base import ForecastNetwork
from regime_nas_pipeline.networks.objective import BatchError, Loss, prediction_error
from regime_nas_pipeline.networks.schedules import LearningRate, Schedule
from regime_nas_pipeline.networks.windows import Batch, WindowData

WeightLimit = Callable[[ForecastNetwork], None]
"""Puts a network's weights back into what is allowed, in place."""

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how a network is trained.

    Attributes:
        max_samples: Budget in gradient samples: asset windows with a known target that pass
            through the loss. The same for every network.
        batch_dates: Decision bars in a batch.
        sample_every: Bars between training windows; each epoch starts at another phase.
        validation_fraction: Part of the training bars held back at the end for early stopping.
        embargo: Extra bars between training and validation.
        patience: Epochs without improvement before training stops.
        schedule: How the learning rate moves.
        plateau_patience: Epochs without improvement that the schedule ``plateau`` lets pass; one
            more halves the learning rate.
        gradient_clip: Largest norm of a gradient.
    """

    max_samples: int = 10_000
    batch_dates: int = 8
    sample_every: int = 21
    validation_fraction: float = 0.2
    embargo: int = 0
    patience: int = 3
    schedule: Schedule = "plateau"
    plateau_patience: int = 1
    gradient_clip: float = 1.0


@dataclass(frozen=True)
class Steps:
    """AdamW's learning rate and weight decay (Loshchilov and Hutter 2019)."""

    learning_rate: float = 1e-3
    weight_decay: float = 1e-4


@dataclass(frozen=True)
class Split:
    """Rows of training and validation samples, both increasing."""

    training: np.ndarray
    validation: np.ndarray


@dataclass
class TrainingResult:
    """What a training run did.

    Attributes:
        epochs: Passes over the strided training windows that were made.
        samples: Gradient samples spent.
        best_validation: Lowest validation error; of forecasts, in units of scaled targets squared.
        curve: Per epoch: samples spent so far, training loss, validation error after it and the
            learning rate of its last step.
    """

    epochs: int = 0
    samples: int = 0
    best_validation: float = math.inf
    curve: list[dict[str, float]] = field(default_factory=list)


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


def make_split(data: WindowData, plan: TrainingPlan, *, execution_lag: int, horizon: int) -> Split:
    """Purged training and validation rows of everything in ``data``.

    Raises:
        DataError: The data is too short for both parts.
    """
    rows = sample_rows(
        len(data.usable), history=data.lookback + 1, execution_lag=execution_lag, horizon=horizon
    )
    has_sample = (data.usable & torch.isfinite(data.target)).any(dim=1).cpu().numpy()
    training, validation = purged_tail(
        rows[has_sample[rows]],
        fraction=plan.validation_fraction,
        execution_lag=execution_lag,
        horizon=horizon,
        embargo=plan.embargo,
    )
    return Split(training, strided(validation, plan.sample_every))


def batches(
    rows: np.ndarray, plan: TrainingPlan, epoch: int, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """Shuffled batches of one epoch's strided rows; an odd remainder is spread, not dropped."""
    chosen = strided(rows, plan.sample_every, phase=epoch)
    shuffled = generator.permutation(chosen)
    yield from np.array_split(shuffled, math.ceil(len(shuffled) / plan.batch_dates))


def endless_batches(
    rows: np.ndarray, training: TrainingPlan, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """Batches of one epoch after the other."""
    epoch = 0
    while True:
        yield from batches(rows, training, epoch, generator)
        epoch += 1


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
    data: WindowData,
    split: Split,
    plan: TrainingPlan,
    objective: Loss,
    steps: Steps,
    *,
    seed: int,
    limit: Callable[[Network], None] | None = None,
    error: BatchError = prediction_error,
) -> TrainingResult:
    """Train ``network`` in place and leave it with the weights of its best epoch.

    Call it inside :func:`single_threaded`, so that dropout and initial weights come from the
    same seed. ``seed`` orders the batches; ``limit`` changes the weights after every step, and
    before the first, so that whatever weights are kept obey it; ``error`` is what early stopping
    watches.

    Raises:
        ParameterError: The budget does not pay for one batch.
    """
    if limit is not None:
        limit(network)
    generator = np.random.default_rng(seed)
    trainer = _Trainer(network, data, plan, objective, steps, generator=generator, limit=limit)
    result = TrainingResult()
    best_state = _copy_state(network)
    best_epoch = 0
    while not trainer.exhausted and result.epochs - best_epoch < plan.patience:
        losses = trainer.epoch(split.training, result.epochs)
        if not losses:
            break  # nothing was learned: no epoch to count and no error to measure
        result.epochs += 1
        found = validation_error(network, data, split.validation, plan.batch_dates, error)
        rate = trainer.rate.now
        trainer.rate.after_epoch(found)
        result.curve.append(
            {
                "samples": trainer.samples,
                "train_loss": float(np.mean(losses)),
                "validation_loss": found,
                "learning_rate": rate,
            }
        )
        if found < result.best_validation:
            result.best_validation, best_epoch = found, result.epochs
            best_state = _copy_state(network)
    result.samples = trainer.samples
    network.load_state_dict(best_state)
    network.eval()
    return result


def _copy_state(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


class _Trainer(Generic[Network]):
    """Gradient steps on one network until its budget is spent."""

    def __init__(
        self,
        network: Network,
        data: WindowData,
        plan: TrainingPlan,
        objective: Loss,
        steps: Steps,
        *,
        generator: np.random.Generator,
        limit: Callable[[Network], None] | None,
    ) -> None:
        self.network, self.data, self.plan = network, data, plan
        self.objective, self.generator, self.limit = objective, generator, limit
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=steps.learning_rate, weight_decay=steps.weight_decay
        )
        self.rate = LearningRate(self.optimiser, plan.schedule, plan.plateau_patience)
        self.samples = 0
        self.exhausted = False

    def epoch(self, rows: np.ndarray, number: int) -> list[float]:
        """One pass, or as much of it as the budget pays for; returns the batches' losses."""
        self.network.train()
        losses = []
        for chosen in batches(rows, self.plan, number, self.generator):
            batch = self.data.batch(chosen, need_target=True)
            n = int(batch.mask.sum())
            if self.samples + n > self.plan.max_samples:
                self.exhausted = True
                break
            self.samples += n
            self.rate.before_step(self.samples / self.plan.max_samples)
            losses.append(self.step(batch))
        if not self.samples:
            raise ParameterError(
                f"a budget of {self.plan.max_samples} gradient samples does not pay for one "
                "batch; raise max_samples or lower batch_dates."
            )
        return losses

    def step(self, batch: Batch) -> float:
        """One clipped AdamW step; returns the loss before it."""
        loss = self.objective(self.network(batch), batch) + self.objective.penalty(self.network)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.plan.gradient_clip)
        self.optimiser.step()
        if self.limit is not None:
            self.limit(self.network)
        return float(loss.detach())
