"""What training does to weights beside following the error: penalties, and a limit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from network_samples import MARKET_TIMEFRAMES, N_FEATURES, random_windows, with_signal

from regime_nas_pipeline.networks.base import ForecastNetwork, NetworkOutput
from regime_nas_pipeline.networks.gru import GRUNetwork
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.training import (
    Split,
    Steps,
    TrainingPlan,
    TrainingResult,
    TrainingTask,
    WeightLimit,
    batches,
    make_split,
    single_threaded,
    train,
    validation_error,
)
from regime_nas_pipeline.networks.windows import Batch, WindowData

PLAN = TrainingPlan(max_samples=600, batch_dates=4, sample_every=5, patience=3)


@pytest.fixture(scope="module")
def data() -> WindowData:
    windows = random_windows()
    return with_signal(windows, windows.asset[..., 0], noise=0.6)


@pytest.fixture(scope="module")
def split(data: WindowData) -> Split:
    return make_split(data, PLAN, execution_lag=0, horizon=1)


def make_network() -> GRUNetwork:
    return GRUNetwork(
        n_assets=3,
        n_asset_features=N_FEATURES,
        n_market_features=len(MARKET_TIMEFRAMES),
        joint=False,
        width=8,
        layers=1,
        dropout=0.0,
    )


def run(
    data: WindowData,
    split: Split,
    *,
    plan: TrainingPlan = PLAN,
    objective: Objective = Objective(),  # noqa: B008 - frozen
    limit: WeightLimit | None = None,
) -> tuple[GRUNetwork, TrainingResult]:
    with single_threaded(0):
        network = make_network()
        steps = Steps(learning_rate=0.02, weight_decay=0.0)
        task = TrainingTask(data, split, plan, objective, steps)
        result = train(network, task, seed=0, limit=limit)
    return network, result


def size(network: GRUNetwork) -> float:
    return sum(float((p.detach() ** 2).sum()) for p in network.parameters())


PENALTIES = [
    Objective(lipschitz_weight=0.3),
    Objective(l1_weight=0.02),
    Objective(l2_weight=0.05),
]


@pytest.mark.parametrize("objective", PENALTIES)
def test_the_penalty_is_part_of_the_loss(
    data: WindowData, split: Split, objective: Objective
) -> None:
    """The loss of the first batch, before any step, is that of the batch plus the penalty."""
    first = next(batches(split.training, PLAN, 0, np.random.default_rng(0)))
    batch = data.batch(first, need_target=True)
    plan = replace(PLAN, max_samples=int(batch.mask.sum()))
    _, result = run(data, split, plan=plan, objective=objective)
    with single_threaded(0):
        untrained = make_network()
    with torch.no_grad():
        penalty = objective.penalty(untrained).item()
        expected = objective(untrained(batch), batch).item() + penalty
    assert penalty > 0.1
    assert result.samples == plan.max_samples
    assert result.curve[0]["train_loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("objective", PENALTIES)
def test_a_penalty_keeps_weights_small(
    data: WindowData, split: Split, objective: Objective
) -> None:
    plain, _ = run(data, split)
    penalised, _ = run(data, split, objective=objective)
    assert size(penalised) < 0.8 * size(plain)


def test_validation_is_without_penalties(data: WindowData, split: Split) -> None:
    network, result = run(data, split, objective=Objective(l2_weight=0.05))
    found = validation_error(network, data, split.validation, PLAN.batch_dates)
    assert result.best_validation == pytest.approx(found)


@dataclass(frozen=True)
class NotingObjective(Objective):
    """Writes down when a loss is computed."""

    events: list[str] = field(default_factory=list)

    def __call__(self, output: NetworkOutput, batch: Batch) -> torch.Tensor:
        self.events.append("loss")
        return super().__call__(output, batch)


def test_the_limit_acts_before_the_first_step_and_after_each(
    data: WindowData, split: Split
) -> None:
    objective = NotingObjective()

    def limit(network: ForecastNetwork) -> None:
        objective.events.append("limit")

    _, result = run(data, split, objective=objective, limit=limit)
    n_steps = objective.events.count("loss")
    assert n_steps > 10
    assert objective.events == ["limit", *["loss", "limit"] * n_steps]
    assert result.samples > 0


def within(network: ForecastNetwork) -> None:
    """A limit: no weight beyond a tenth."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.clamp_(-0.1, 0.1)


def largest(network: ForecastNetwork) -> float:
    return max(float(p.detach().abs().max()) for p in network.parameters())


def test_the_weights_that_are_kept_obey_the_limit(data: WindowData, split: Split) -> None:
    free, _ = run(data, split)
    limited, result = run(data, split, limit=within)
    assert largest(free) > 0.2
    assert 0.09 < largest(limited) <= 0.1 + 1e-7
    assert result.epochs > 1


def test_weights_that_never_got_better_obey_it_too(
    data: WindowData, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no epoch helps, the first weights are left: hence the limit before the first step."""
    monkeypatch.setattr(
        "regime_nas_pipeline.networks.training.validation_error", lambda *_: float("nan")
    )
    limited, _ = run(data, split, limit=within)
    assert largest(limited) <= 0.1 + 1e-7


def test_the_same_limit_gives_the_same_bits(data: WindowData, split: Split) -> None:
    (one, first), (two, second) = (run(data, split, limit=within) for _ in range(2))
    assert first == second
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)
