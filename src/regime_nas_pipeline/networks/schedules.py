"""How the learning rate moves in the course of a training run."""

from __future__ import annotations

import math
from typing import Literal, get_args

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from regime_nas_pipeline.core.errors import ParameterError

Schedule = Literal["plateau", "cosine"]
"""``plateau`` halves the rate where the validation error no longer falls; ``cosine`` lets it rise
at first and fall to zero by the end of the budget, whatever the validation error does."""

WARM_UP = 0.1
"""Share of the budget over which the cosine's rate rises."""


def cosine_factor(spent: float) -> float:
    """Share of the full rate: a straight rise to 1, then half a cosine down to 0.

    Annealing as in Loshchilov and Hutter 2017, SGDR, arXiv 1608.03983, one cycle; with a rise
    before it, since Adam's first steps rest on few gradients.

    Args:
        spent: Share of the budget that is spent once the step is made, in (0, 1].
    """
    if spent < WARM_UP:
        return spent / WARM_UP
    return 0.5 * (1.0 + math.cos(math.pi * (spent - WARM_UP) / (1.0 - WARM_UP)))


class LearningRate:
    """Moves the learning rate of an optimiser.

    Args:
        optimiser: Its rate is the full rate.
        schedule: Which.
        plateau_patience: Epochs without improvement that ``plateau`` lets pass.

    Raises:
        ParameterError: There is no such schedule.
    """

    def __init__(self, optimiser: Optimizer, schedule: Schedule, plateau_patience: int) -> None:
        if schedule not in get_args(Schedule):
            raise ParameterError(
                f"schedule '{schedule}' is none of {', '.join(get_args(Schedule))}."
            )
        self.optimiser = optimiser
        self.full = self.now
        self.plateau = None
        if schedule == "plateau":
            self.plateau = ReduceLROnPlateau(optimiser, factor=0.5, patience=plateau_patience)

    @property
    def now(self) -> float:
        """The rate of the next step."""
        return float(self.optimiser.param_groups[0]["lr"])

    def before_step(self, spent: float) -> None:
        """Set the rate of a step after which this share of the budget will be spent."""
        if self.plateau is None:
            for group in self.optimiser.param_groups:
                group["lr"] = self.full * cosine_factor(spent)

    def after_epoch(self, validation_error: float) -> None:
        """Note an epoch's validation error."""
        if self.plateau is not None:
            self.plateau.step(validation_error)
