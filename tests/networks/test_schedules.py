from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.schedules import WARM_UP, LearningRate, cosine_factor


def optimiser(rate: float = 0.08) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)


@pytest.mark.parametrize(
    ("spent", "factor"),
    [
        (0.0, 0.0),
        (0.025, 0.25),
        (0.1, 1.0),
        (0.1 + 0.9 / 3, 0.75),  # a third of the way down: (1 + cos 60°) / 2
        (0.55, 0.5),
        (0.1 + 0.9 * 2 / 3, 0.25),
        (1.0, 0.0),
    ],
)
def test_the_cosine_by_hand(spent: float, factor: float) -> None:
    assert cosine_factor(spent) == pytest.approx(factor, abs=1e-12)


def test_after_the_rise_it_is_torchs_own_annealing() -> None:
    steps = optimiser(1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(steps, T_max=90)
    for step in range(91):
        assert cosine_factor(WARM_UP + (1 - WARM_UP) * step / 90) == pytest.approx(
            steps.param_groups[0]["lr"], abs=1e-9
        )
        steps.step()
        theirs.step()


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_rate_rises_and_then_falls(one: float, other: float) -> None:
    earlier, later = sorted((one, other))
    before, after = cosine_factor(earlier), cosine_factor(later)
    assert 0.0 <= before <= 1.0
    if later < WARM_UP:
        assert before <= after
    if earlier >= WARM_UP:
        assert before >= after


def test_the_cosine_moves_with_the_budget_and_not_with_errors() -> None:
    steps = optimiser()
    rate = LearningRate(steps, "cosine", plateau_patience=0)
    seen = []
    for spent in (0.05, 0.1, 0.55, 1.0):
        rate.before_step(spent)
        rate.after_epoch(math.inf)
        seen.append(rate.now)
    assert seen == pytest.approx([0.04, 0.08, 0.04, 0.0])


def test_the_plateau_moves_with_errors_and_not_with_the_budget() -> None:
    rate = LearningRate(optimiser(), "plateau", plateau_patience=1)
    seen = []
    for error in (5.0, 6.0, 6.0, 4.0, 6.0, 6.0):
        rate.before_step(0.01)
        rate.after_epoch(error)
        seen.append(rate.now)
    assert seen == pytest.approx([0.08, 0.08, 0.04, 0.04, 0.04, 0.02])


def test_an_unknown_schedule_is_an_error() -> None:
    with pytest.raises(ParameterError, match="schedule 'step' is none of plateau, cosine"):
        LearningRate(optimiser(), "step", plateau_patience=1)  # type: ignore[arg-type]
