"""What a training run is told and tells: budget, schedule, rows, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch

from regime_nas_pipeline.core.splits import purged_tail, sample_rows, strided
from regime_nas_pipeline.networks.objective import BatchError, Loss, prediction_error
from regime_nas_pipeline.networks.schedules import Schedule
from regime_nas_pipeline.networks.windows import WindowData

Together = Literal["auto", "always", "never"]
Precision = Literal["float32", "mixed"]


@dataclass(frozen=True)
class Rung:
    """A point in a training run at which it is judged.

    Attributes:
        samples: Gradient samples that were spent by then, at least.
        worst: Training stops if the validation error, there or after any epoch before it, was
            never at or below this.
    """

    samples: int
    worst: float = math.inf


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
        rung: Where training stops if it is behind; None for nowhere.
        together: Whether the networks of a forecaster's seeds are trained side by side, in one
            computation: where that is quicker, always, or never.
        rate_batch_dates: Batch that learning rates are meant for, in decision bars; see
            :meth:`rate`. None for rates as they are.
        precision: ``float32``, or ``mixed``: matrices are multiplied in bfloat16 in training, which
            is quicker on processors that have instructions for it. Forecasts are float32.
        warm_start: Whether a walk forward starts each fold's networks from those of the fold
            before, which have seen nothing later.
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
    rung: Rung | None = None
    together: Together = "auto"
    rate_batch_dates: int | None = None
    precision: Precision = "float32"
    warm_start: bool = False

    def products(self, device: torch.device) -> torch.autocast:
        """A context in which losses are computed in this precision."""
        mixed = self.precision == "mixed"
        return torch.autocast(device.type, dtype=torch.bfloat16, enabled=mixed)

    def rate(self, learning_rate: float) -> float:
        """The learning rate for this plan's batches.

        It grows with the square root of the batch: Adam divides the gradient by its size, whose
        noise falls that much (Malladi et al. 2022, arXiv 2205.10287).
        """
        if self.rate_batch_dates is None:
            return learning_rate
        return learning_rate * math.sqrt(self.batch_dates / self.rate_batch_dates)


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


@dataclass(frozen=True, eq=False)
class TrainingTask:
    """What networks are trained on, towards what, and how; they differ by their seeds alone.

    Attributes:
        data: Windows of training and validation.
        split: Which rows are which.
        plan: Budget and schedule.
        objective: What training minimises.
        steps: The optimiser's settings.
        error: What early stopping watches.
    """

    data: WindowData
    split: Split
    plan: TrainingPlan
    objective: Loss
    steps: Steps
    error: BatchError = prediction_error


@dataclass
class TrainingResult:
    """What a training run did.

    Attributes:
        epochs: Passes over the strided training windows that were made.
        samples: Gradient samples spent.
        best_validation: Lowest validation error; of forecasts, in units of scaled targets squared.
        curve: Per epoch: samples spent so far, training loss, validation error after it and the
            learning rate of its last step. From the epoch of the plan's rung on also
            ``rung_error``, the lowest validation error by then, and ``stopped``: 1 if training
            stopped there, else 0.
    """

    epochs: int = 0
    samples: int = 0
    best_validation: float = math.inf
    curve: list[dict[str, float]] = field(default_factory=list)


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
