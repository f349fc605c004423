"""Forecasters as the parameters ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from regime_nas_pipeline.core.params import check_arguments, load_class, with_common
from regime_nas_pipeline.forecasters.base import Forecaster
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.walkforward.parameters import (
    Compute,
    ForecasterChoice,
    Training,
    WalkForward,
)


@dataclass(frozen=True)
class Shared:
    """What every forecaster of a run shares, where its constructor knows it."""

    walk_forward: WalkForward
    training: Training
    compute: Compute

    def arguments(self) -> dict[str, Any]:
        """Constructor arguments by name."""
        return {
            "horizon": self.walk_forward.horizon,
            "execution_lag": self.walk_forward.execution_lag,
            "training": self.training.plan(),
            "n_seeds": self.training.n_seeds,
            "seed": self.compute.seed,
            "device": self.compute.device,
        }


def forecaster_arguments(choice: ForecasterChoice, shared: Shared) -> dict[str, Any]:
    """Constructor arguments: what is chosen, and what the run shares."""
    cls = load_class(choice.class_path, Forecaster)
    return with_common(cls, choice.params, shared.arguments())


def build_forecaster(
    choice: ForecasterChoice, shared: Shared, found: dict[str, Any] | None = None
) -> Forecaster:
    """The chosen forecaster.

    Args:
        choice: Class path and arguments.
        shared: What every forecaster of the run shares.
        found: What a search found; it takes precedence over what is chosen.
    """
    cls = load_class(choice.class_path, Forecaster)
    arguments = with_found(forecaster_arguments(choice, shared), found or {})
    forecaster: Forecaster = cls(**check_arguments(cls, arguments))
    return forecaster


def with_found(arguments: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments with what a search found in their place.

    A search may find some weights of the objective; the others stay as they were chosen.
    """
    merged = {**arguments, **found}
    if "objective" in arguments and "objective" in found:
        chosen = arguments["objective"]
        plain = asdict(chosen) if isinstance(chosen, Objective) else chosen
        merged["objective"] = {**plain, **found["objective"]}
    return merged
