from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from search_samples import N_ASSETS, TRAINING, noise, small_supernet

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.operations import BLOCK_OPERATIONS
from regime_nas_pipeline.networks.regime_net import BLOCKS, RegimeNet, operation_edges
from regime_nas_pipeline.networks.training import (
    Split,
    Steps,
    TrainingPlan,
    make_split,
    single_threaded,
    validation_error,
)
from regime_nas_pipeline.networks.windows import WindowData
from regime_nas_pipeline.search import differentiable
from regime_nas_pipeline.search.differentiable import (
    CellSearchPlan,
    CellSearchResult,
    search_cells,
)
from regime_nas_pipeline.search.supernet import (
    alpha_parameters,
    mixed_edges,
    set_temperature,
    weight_parameters,
)

PLAN = CellSearchPlan(max_samples=600, alpha_learning_rate=0.1)
LARGEST_BATCH = TRAINING.batch_dates * N_ASSETS


def split_of(data: WindowData) -> Split:
    return make_split(data, replace(TRAINING, sample_every=1), execution_lag=0, horizon=1)


def search(
    network: RegimeNet,
    data: WindowData,
    plan: CellSearchPlan = PLAN,
    *,
    training: TrainingPlan = TRAINING,
    seed: int = 0,
) -> CellSearchResult:
    with single_threaded(seed):
        return search_cells(
            network,
            data,
            split_of(data),
            plan,
            training,
            objective=Objective(),
            steps=Steps(learning_rate=1e-2),
            seed=seed,
        )


def test_the_found_cells_can_be_built() -> None:
    result = search(small_supernet(), noise())
    assert operation_edges(result.blocks, 8, 2)[0] == 2
    assert set(result.facts) == {
        "alpha_steps",
        "entropy",
        "mixture_error",
        "discrete_error",
        "skip_share",
    }
    assert 0.0 <= result.facts["entropy"] <= 1.0


@pytest.mark.parametrize("budget", [2 * LARGEST_BATCH, 100, 333, 600])
def test_the_budget_is_never_exceeded(budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    spent: list[int] = []
    original = differentiable._Search.step

    def counts(self, rows, optimiser):
        spent.append(int(self.data.batch(rows, need_target=True).mask.sum()))
        original(self, rows, optimiser)

    monkeypatch.setattr(differentiable._Search, "step", counts)
    result = search(small_supernet(), noise(), replace(PLAN, max_samples=budget))
    assert result.samples == sum(spent)
    assert budget - LARGEST_BATCH < result.samples <= budget


@pytest.mark.parametrize("budget", [1, LARGEST_BATCH, 2 * LARGEST_BATCH - 7])
def test_a_budget_without_an_architecture_step_is_an_error(budget: int) -> None:
    with pytest.raises(ParameterError, match=f"budget of {budget} gradient samples"):
        search(small_supernet(), noise(), replace(PLAN, max_samples=budget))


def test_the_same_seed_finds_the_same_cells() -> None:
    one, other = small_supernet(), small_supernet()
    first, again = search(one, noise()), search(other, noise())
    assert first == again
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
    assert search(small_supernet(), noise(), seed=1).facts != first.facts


def test_steps_go_by_turns_after_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of step moves its own parameters, on its own part of the data."""
    data = noise()
    split = split_of(data)
    kinds: list[str] = []
    temperatures: list[float] = []
    spent_before: list[int] = []
    original = differentiable._Search.step

    def watches(self, rows, optimiser):
        spent_before.append(self.samples)
        alphas = [p.detach().clone() for p in alpha_parameters(self.supernet)]
        weights = [p.detach().clone() for p in weight_parameters(self.supernet)]
        original(self, rows, optimiser)
        moved = [
            any(not torch.equal(a, b) for a, b in zip(before, now, strict=True))
            for before, now in [
                (alphas, alpha_parameters(self.supernet)),
                (weights, weight_parameters(self.supernet)),
            ]
        ]
        assert sum(moved) == 1
        kinds.append("alpha" if moved[0] else "weight")
        assert np.isin(rows, split.validation if moved[0] else split.training).all()
        temperatures.append(next(mixed_edges(self.supernet))[1].temperature)

    monkeypatch.setattr(differentiable._Search, "step", watches)
    plan = replace(PLAN, max_samples=800, warm_up=0.5, alpha_every=2, final_temperature=0.2)
    result = search(small_supernet(), data, plan)
    first = kinds.index("alpha")
    assert result.facts["alpha_steps"] == kinds.count("alpha")
    assert spent_before[first - 1] < 400 <= spent_before[first]
    assert kinds[first : first + 7] == ["alpha", "weight", "weight"] * 2 + ["alpha"]
    # It falls from 1 by equal factors for equal parts of the budget, towards 0.2.
    assert temperatures[0] == 1.0
    assert (np.diff(temperatures) < 0).all()
    assert 0.2 <= temperatures[-1] < 0.2 ** ((800 - 2 * LARGEST_BATCH) / 800) + 1e-9


def test_errors_are_those_of_the_mixture_and_of_its_heaviest_operations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network, data = small_supernet(), noise()
    seen: list[float] = []

    def keeps(network, data, rows, size):
        # The weights of the first edge, with the error that they gave.
        seen.append(float(next(mixed_edges(network))[1].weights().max().detach()))
        return validation_error(network, data, rows, size)

    monkeypatch.setattr(differentiable, "validation_error", keeps)
    result = search(network, data)
    assert seen[0] < 1.0
    assert seen[1] == 1.0
    for (block, node, source), edge in mixed_edges(network):
        names = {e["from"]: e["operation"] for e in result.blocks[block][node - 1]["edges"]}
        assert edge.weights().max() == 1.0
        assert edge.names[int(edge.alpha.argmax())] == names[source]
    rows = split_of(data).validation[::-1][:: TRAINING.sample_every][::-1]
    with single_threaded(0):
        expected = validation_error(network, data, rows, TRAINING.batch_dates)
    assert result.facts["discrete_error"] == pytest.approx(expected, rel=1e-9)
    assert result.facts["mixture_error"] != result.facts["discrete_error"]


def test_skip_share_counts_edges_that_do_nothing() -> None:
    network = small_supernet()
    wanted = ["none", "identity", "linear"]
    with torch.no_grad():
        for number, (_, edge) in enumerate(mixed_edges(network)):
            edge.alpha[edge.names.index(wanted[number % 3])] = 100.0
    result = search(network, noise())
    assert result.facts["skip_share"] == pytest.approx(2 / 3)


def test_few_rows_do_not_break_the_search() -> None:
    # Fewer rows than bars between windows: every epoch is one row.
    training = replace(TRAINING, sample_every=21)
    plan = replace(PLAN, max_samples=150)
    assert search(small_supernet(), noise(n_bars=40), plan, training=training).samples > 0


def planted(operation: str) -> WindowData:
    """A target that one operation makes of the first feature at the last bar, and noise."""
    data = noise(n_bars=800, seed=3)
    x = data.asset[..., 0]
    if operation == "squared":
        signal = x**2
    else:
        products = torch.zeros_like(x)
        products[1:] = x[1:] * x[:-1]
        signal = sum(products.roll(back, dims=0) for back in range(5))  # type: ignore[assignment]
    signal = (signal - signal.mean()) / signal.std()
    assert data.target is not None
    return replace(data, target=0.95 * signal + 0.3 * data.target)


@pytest.mark.parametrize(
    ("operation", "block"), [("squared", "volatility"), ("lag_product", "trend")]
)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_weights_move_to_the_one_operation_that_helps(
    operation: str, block: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {
        "volatility": ("none", "identity", "mean_deviation", "squared"),
        "trend": ("none", "identity", "running_sum", "lag_product"),
        "range": ("none", "identity", "mean_deviation"),
    }
    for name in BLOCKS:
        monkeypatch.setitem(BLOCK_OPERATIONS, name, few[name])
    network = small_supernet(seed, nodes=1, head="linear")
    set_temperature(network, 1.0)
    result = search(network, planted(operation), replace(PLAN, max_samples=4000), seed=seed)
    assert result.blocks[block][0]["edges"][0]["operation"] == operation
