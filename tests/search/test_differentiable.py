from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from cell_searches import (
    LARGEST_BATCH,
    PLAN,
    WAYS,
    CountingObjective,
    operation_of,
    search,
    use_few_operations,
)
from search_samples import TRAINING, noise, planted, small_supernet, split_of

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.regime_net import operation_edges
from regime_nas_pipeline.networks.training import single_threaded, validation_error
from regime_nas_pipeline.search import differentiable
from regime_nas_pipeline.search.scoring import Scorer
from regime_nas_pipeline.search.supernet import (
    alpha_parameters,
    mixed_edges,
    set_temperature,
    weight_parameters,
)


def test_the_found_cells_can_be_built() -> None:
    result = search(small_supernet(), noise(), replace(PLAN, max_samples=200))
    assert operation_edges(result.blocks, 8, 2)[0] == 2
    assert set(result.facts) == {
        "alpha_steps",
        "entropy",
        "mixture_error",
        "discrete_error",
        "discretisation_gap",
        "skip_share",
        "none_share",
        "validation_windows",
    }
    assert 0.0 <= result.facts["entropy"] <= 1.0
    assert result.candidates == ()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("budget", [120, 433])
def test_the_budget_is_never_exceeded(budget: int, way: str) -> None:
    objective = CountingObjective()
    plan = replace(PLAN, max_samples=budget, **WAYS[way])
    result = search(small_supernet(nodes=1), noise(), plan, objective=objective)
    assert result.samples == sum(objective.seen)
    assert plan.supernet_samples - 2 * LARGEST_BATCH < result.samples <= plan.supernet_samples
    assert plan.supernet_samples == (budget if plan.top_k == 1 else int(0.6 * budget))


@pytest.mark.parametrize("budget", [1, LARGEST_BATCH, 2 * LARGEST_BATCH - 7])
def test_a_budget_without_an_architecture_step_is_an_error(budget: int) -> None:
    with pytest.raises(ParameterError, match=f"budget of {budget} gradient samples"):
        search(small_supernet(), noise(), replace(PLAN, max_samples=budget))


def test_the_same_seed_finds_the_same_cells() -> None:
    one, other = small_supernet(nodes=1), small_supernet(nodes=1)
    first, again = search(one, noise()), search(other, noise())
    assert first == again
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
    assert search(small_supernet(nodes=1), noise(), seed=1).facts != first.facts


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
    result = search(small_supernet(nodes=1), data, plan)
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
    network, data = small_supernet(nodes=1), noise()
    seen: list[float] = []

    original = Scorer.error

    def keeps(scorer):
        # The weights of the first edge, with the error that they gave.
        seen.append(float(next(mixed_edges(scorer.supernet))[1].weights().max().detach()))
        return original(scorer)

    monkeypatch.setattr(Scorer, "error", keeps)
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
    gap = result.facts["discrete_error"] - result.facts["mixture_error"]
    assert result.facts["discretisation_gap"] == pytest.approx(gap, abs=1e-12)
    assert gap != 0.0


def test_shares_count_edges_that_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["none", "identity", "linear", "gru"]
    monkeypatch.setattr(
        differentiable,
        "heaviest_operations",
        lambda network: {
            key: wanted[number % 4] for number, (key, _) in enumerate(mixed_edges(network))
        },
    )
    network = small_supernet(nodes=1)
    assert len(list(mixed_edges(network))) == 4
    facts = search(network, noise()).facts
    assert facts["skip_share"] == pytest.approx(2 / 4)
    assert facts["none_share"] == pytest.approx(1 / 4)


def test_few_rows_do_not_break_the_search() -> None:
    # Fewer rows than bars between windows: every epoch is one row.
    training = replace(TRAINING, sample_every=21)
    plan = replace(PLAN, max_samples=150)
    assert search(small_supernet(nodes=1), noise(n_bars=40), plan, training=training).samples > 0


@pytest.fixture
def few_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    use_few_operations(monkeypatch)


PLANTED = [("squared", "volatility"), ("lag_product", "trend")]


@pytest.mark.usefixtures("few_operations")
@pytest.mark.parametrize(("operation", "block"), PLANTED)
def test_the_weights_move_to_the_one_operation_that_helps(operation: str, block: str) -> None:
    # Without a learned gate, which could shut a block before its edges have learned anything.
    network = small_supernet(nodes=1, head="linear", gate="uniform")
    set_temperature(network, 1.0)
    result = search(network, planted(operation), replace(PLAN, max_samples=4000))
    assert operation_of(result, block) == operation


@pytest.mark.parametrize("way", WAYS)
def test_every_way_is_repeatable(way: str) -> None:
    plan = replace(PLAN, max_samples=200, skip_dropout=0.3, **WAYS[way])
    first, again = (search(small_supernet(nodes=1), noise(), plan) for _ in range(2))
    assert first == again


def test_penalties_shrink_weights_and_do_not_see_architecture_weights() -> None:
    """Fine-tuning goes on when fixed edges have weights of minus infinity."""

    def size(objective: Objective) -> float:
        network = small_supernet(nodes=1)
        plan = replace(PLAN, max_samples=300, **WAYS["perturbation"])
        search(network, noise(), plan, objective=objective)
        return sum(float((p.detach() ** 2).sum()) for p in weight_parameters(network))

    assert size(Objective(l2_weight=1.0)) < 0.95 * size(Objective())
