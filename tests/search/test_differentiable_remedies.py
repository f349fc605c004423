from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from cell_searches import PLAN, CountingObjective, operation_of, search, use_few_operations
from search_samples import N_ASSETS, TRAINING, noise, planted, small_supernet, split_of

from regime_nas_pipeline.core.splits import strided
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.regime_net import RegimeNet
from regime_nas_pipeline.networks.training import Steps, single_threaded
from regime_nas_pipeline.search import differentiable
from regime_nas_pipeline.search.cell_plan import CellSearchPlan
from regime_nas_pipeline.search.scoring import spread
from regime_nas_pipeline.search.supernet import (
    MixedOperation,
    alpha_parameters,
    mixed_edges,
    set_temperature,
)


@pytest.fixture
def few_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    use_few_operations(monkeypatch)


@pytest.mark.usefixtures("few_operations")
@pytest.mark.parametrize(("heavy", "seed"), [("identity", 1), ("none", 0)])
def test_perturbation_finds_what_magnitude_overlooks(heavy: str, seed: int) -> None:
    """Weights that favour an operation without work do not make it useful."""

    def favoured() -> RegimeNet:
        network = small_supernet(seed, nodes=1, head="linear", gate="uniform")
        with torch.no_grad():
            for _, edge in mixed_edges(network):
                edge.alpha[edge.names.index(heavy)] += 0.7
        return network

    plan = replace(PLAN, max_samples=5000, alpha_learning_rate=1e-6, final_temperature=1.0)
    data, rate = planted("squared"), 3e-2
    by_magnitude = search(favoured(), data, plan, learning_rate=rate, seed=seed)
    plan = replace(plan, selection="perturbation")
    by_removal = search(favoured(), data, plan, learning_rate=rate, seed=seed)
    assert operation_of(by_removal, "volatility") == "squared"
    if heavy == "identity":
        assert operation_of(by_magnitude, "volatility") == "identity"
        assert by_removal.facts["discrete_error"] < 0.5 * by_magnitude.facts["discrete_error"]
    assert by_magnitude.facts["none_share"] == 0.0


@pytest.mark.usefixtures("few_operations")
@pytest.mark.parametrize(
    ("operation", "block"), [("squared", "volatility"), ("lag_product", "trend")]
)
def test_perturbation_agrees_where_the_weights_are_right(operation: str, block: str) -> None:
    plan = replace(PLAN, max_samples=5000, final_temperature=1.0, selection="perturbation")
    network = small_supernet(nodes=1, head="linear", gate="uniform")
    result = search(network, planted(operation), plan, learning_rate=3e-2)
    assert operation_of(result, block) == operation
    assert result.facts["discrete_error"] < 0.9


@pytest.mark.usefixtures("few_operations")
@pytest.mark.parametrize("seed", [0, 1])
def test_a_single_path_supernet_finds_the_operation_that_helps(seed: int) -> None:
    plan = CellSearchPlan(max_samples=5000, path="single", selection="subnetwork")
    network = small_supernet(seed, nodes=1, head="linear", gate="uniform")
    result = search(network, planted("squared"), plan, learning_rate=3e-2, seed=seed)
    assert operation_of(result, "volatility") == "squared"
    assert result.facts["alpha_steps"] == 0
    assert result.facts["entropy"] == pytest.approx(1.0, abs=1e-3)


def test_a_single_path_step_moves_the_operations_of_its_path_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paths: list[dict[str, str]] = []
    original = differentiable._Search.step

    def watches(self, rows, optimiser):
        edges = dict(mixed_edges(self.supernet))
        before = {
            (key, name): [p.detach().clone() for p in edge.operations[k].parameters()]
            for key, edge in edges.items()
            for k, name in enumerate(edge.names)
        }
        original(self, rows, optimiser)
        for (key, name), values in before.items():
            edge = edges[key]
            now = list(edge.operations[edge.names.index(name)].parameters())
            moved = any(not torch.equal(a, b) for a, b in zip(values, now, strict=True))
            assert not moved or edge.names[edge.only] == name
        paths.append({key: edge.names[edge.only] for key, edge in edges.items()})

    monkeypatch.setattr(differentiable._Search, "step", watches)
    plan = CellSearchPlan(max_samples=240, path="single", selection="subnetwork")
    search(small_supernet(nodes=1), noise(), plan)
    assert len(paths) == 10
    assert len({tuple(path.values()) for path in paths}) == 10


def test_schedules_fall_to_nothing_before_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[float, float]] = []
    original = differentiable._Search.step

    def watches(self, rows, optimiser):
        edge = next(mixed_edges(self.supernet))[1]
        seen.append((edge.skip_dropout, edge.auxiliary_skip))
        original(self, rows, optimiser)

    monkeypatch.setattr(differentiable._Search, "step", watches)
    plan = replace(
        PLAN, selection="perturbation", skip_dropout=0.4, auxiliary_skip=1.0, selection_share=0.3
    )
    search(small_supernet(nodes=1), noise(), plan)
    dropout, auxiliary = np.array(seen).T
    assert (dropout[0], auxiliary[0]) == (0.4, 1.0)
    np.testing.assert_allclose(dropout, 0.4 * auxiliary)
    fine_tuning = auxiliary == 0.0
    assert 0.2 < fine_tuning.mean() < 0.4
    assert not fine_tuning[: -fine_tuning.sum()].any()
    assert (np.diff(auxiliary[~fine_tuning]) < 0).all()


def learned_weight_of_identity(**settings: float) -> float:
    """Where one edge of identity and none goes when its output should be its input.

    With an auxiliary skip a and the weight w of the identity the error is (w + a - 1)², lowest at
    w = 1 - a. With dropout p it is (w - 1)² + w² p / (1 - p) on average, lowest at w = 1 - p.
    """
    edge = MixedOperation(("trend", 1, "input"), ("none", "identity"), 4, 1)
    for name, value in settings.items():
        setattr(edge, name, value)
    with torch.no_grad():
        edge.alpha.zero_()
    optimiser = torch.optim.Adam(edge.parameters(), lr=0.02)
    generator = torch.Generator().manual_seed(0)
    weights = []
    for _ in range(300):
        x = torch.randn(8, 3, 6, 4, generator=generator)
        optimiser.zero_grad()
        error = ((edge(x, torch.ones(8, 3, dtype=torch.bool)) - x) ** 2).mean()
        torch.autograd.backward(error)
        optimiser.step()
        weights.append(edge.weights()[1].item())
    return float(np.mean(weights[-50:]))


def test_safeguards_keep_the_weight_of_identities_down() -> None:
    """What the extra skip carries, the identity of the mixture need not."""
    with single_threaded(0):
        assert learned_weight_of_identity() > 0.9
        assert learned_weight_of_identity(auxiliary_skip=1.0) < 0.1
        assert learned_weight_of_identity(auxiliary_skip=0.7) == pytest.approx(0.3, abs=0.03)
        assert learned_weight_of_identity(skip_dropout=0.6) == pytest.approx(0.4, abs=0.05)


def test_an_entropy_penalty_decides_the_mixtures() -> None:
    plan = replace(PLAN, final_temperature=1.0)
    free = search(small_supernet(nodes=1), noise(), plan).facts["entropy"]
    penalised = search(small_supernet(nodes=1), noise(), replace(plan, entropy_weight=3.0))
    assert penalised.facts["entropy"] < free - 0.05


def test_a_jump_of_the_curvature_ends_the_search_and_goes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = iter([1.0, 1.0, 1.0, 1.2, 1.2, 1.2, 2.0, 9.0])
    kept: list[list[torch.Tensor]] = []

    def curvature(self, alphas):
        kept.append([alpha.detach().clone() for alpha in alphas])
        return next(values)

    monkeypatch.setattr(differentiable._Search, "curvature", curvature)
    chosen: list[list[torch.Tensor]] = []
    heaviest = differentiable.heaviest_operations

    def reads(network):
        chosen.append([alpha.detach().clone() for alpha in alpha_parameters(network)])
        return heaviest(network)

    monkeypatch.setattr(differentiable, "heaviest_operations", reads)
    plan = replace(PLAN, max_samples=3000, curvature_every=2, curvature_window=2)
    result = search(small_supernet(nodes=1), noise(), plan)
    # Averages of two: 1, 1, 1.1, 1.2, 1.2, 1.6, and 1.6 is the first that is 4/3 of 1.2.
    assert len(kept) == 7
    assert result.facts["stopped_early"] == 1.0
    assert result.facts["curvature"] == 2.0
    assert result.samples < 1500
    for alpha, before in zip(chosen[0], kept[4], strict=True):
        assert torch.equal(alpha, before)


def test_candidates_are_distinct_and_ranked_after_the_chosen_one() -> None:
    data = noise()
    plan = replace(PLAN, top_k=4, selection="perturbation", selection_dates=10**6)
    network = small_supernet(nodes=1)
    result = search(network, data, plan)
    assert result.candidates[0].blocks == result.blocks
    assert len({str(cells.blocks) for cells in result.candidates}) == 4
    errors = [cells.error for cells in result.candidates[1:]]
    assert errors == sorted(errors)
    # All dates are compared here, so that the score is the error of the network that is left.
    assert result.candidates[0].error == pytest.approx(result.facts["discrete_error"], rel=1e-5)


def test_curvature_is_paid_for_and_changes_nothing_while_it_is_steady() -> None:
    objective = CountingObjective()
    plan = replace(PLAN, max_samples=900, curvature_every=3, curvature_ratio=1e9)
    network = small_supernet(nodes=1)
    result = search(network, noise(), plan, objective=objective)
    measured = int(result.facts["curvature_measurements"])
    assert measured == result.facts["alpha_steps"] // 3 > 1
    # The loss sees the measured windows once; each of eight products goes backward once more.
    dates = len(spread(strided(split_of(noise()).validation, TRAINING.sample_every), 8))
    extra = result.samples - sum(objective.seen)
    assert extra == measured * 8 * dates * N_ASSETS
    assert result.samples <= 900
    assert result.facts["stopped_early"] == 0.0
    assert result.facts["curvature"] > 0.0


def test_the_temperature_alone_is_no_curvature() -> None:
    """Per unit of the softmax' argument: colder weights of colder alphas are the same weights."""
    search_of = small_supernet(nodes=1)
    data = noise()
    runner = differentiable._Search(
        search_of,
        data,
        split_of(data),
        replace(PLAN, curvature_products=20),
        TRAINING,
        objective=Objective(),
        steps=Steps(),
        seed=0,
    )
    alphas = alpha_parameters(search_of)
    with torch.no_grad():
        for alpha in alphas:
            alpha.copy_(torch.linspace(-1, 1, len(alpha)))
    warm = runner.curvature(alphas)
    with torch.no_grad():
        for alpha in alphas:
            alpha.mul_(0.25)
    set_temperature(search_of, 0.25)
    assert runner.curvature(alphas) == pytest.approx(warm, rel=1e-3)
