from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.search.cell_plan import ScoredCells
from regime_nas_pipeline.search.retrain import RetrainResult, retrain, skip_share


def cells(number: int, operation: str = "linear") -> dict[str, Any]:
    edges = [{"from": "input", "operation": operation}]
    return {"trend": [{"node": 1, "edges": edges}], "number": [{"node": number, "edges": edges}]}


def run(
    supernet: list[float], retrained: list[list[float]], max_samples: int = 10_000
) -> tuple[RetrainResult, list[tuple[int, int, int]]]:
    """Retrain architectures whose errors are given: one row each, one column per seed."""
    asked: list[tuple[int, int, int]] = []

    def train_from_scratch(blocks: dict[str, Any], seed: int, samples: int) -> tuple[float, int]:
        number = blocks["number"][0]["node"]
        asked.append((number, seed, samples))
        return retrained[number][seed], samples - 1

    candidates = [ScoredCells(cells(number), error) for number, error in enumerate(supernet)]
    seeds = range(len(retrained[0]))
    return retrain(candidates, train_from_scratch, seeds=seeds, max_samples=max_samples), asked


def test_every_candidate_is_trained_on_every_seed_within_the_budget() -> None:
    result, asked = run([1.0, 2.0, 3.0], [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], max_samples=1001)
    assert asked == [(n, seed, 166) for n in range(3) for seed in range(2)]
    assert result.samples == 6 * 165
    assert [each.errors for each in result.cells] == [(1.0, 2.0), (3.0, 4.0), (5.0, 6.0)]


def test_a_network_that_overspends_is_an_error() -> None:
    with pytest.raises(ParameterError, match="spent 11 gradient samples of 10"):
        retrain([ScoredCells(cells(0), 1.0)], lambda *_: (1.0, 11), seeds=[0], max_samples=10)


@pytest.mark.parametrize(("candidates", "seeds"), [([], [0]), ([ScoredCells({}, 1.0)], [])])
def test_nothing_to_retrain_is_an_error(candidates: list[ScoredCells], seeds: list[int]) -> None:
    with pytest.raises(ParameterError, match="at least one"):
        retrain(candidates, lambda *_: (1.0, 1), seeds=seeds, max_samples=10)


@pytest.mark.parametrize(
    ("retrained", "tau"),
    # Of six pairs: none, one and all in the other order.
    [([1.0, 2.0, 3.0, 4.0], 1.0), ([2.0, 1.0, 3.0, 4.0], 4 / 6), ([4.0, 3.0, 2.0, 1.0], -1.0)],
)
def test_kendalls_tau_on_known_ranks(retrained: list[float], tau: float) -> None:
    result, _ = run([1.0, 2.0, 3.0, 4.0], [[error] for error in retrained])
    assert result.kendall_tau == pytest.approx(tau)
    assert result.facts()["kendall_tau"] == pytest.approx(tau)


def test_kendalls_tau_ranks_means_over_seeds() -> None:
    generator = np.random.default_rng(0)
    supernet, retrained = generator.random(8), generator.random((8, 3))
    result, _ = run(supernet.tolist(), retrained.tolist())
    expected = kendalltau(supernet, retrained.mean(axis=1)).statistic
    assert result.kendall_tau == pytest.approx(expected)


def test_without_a_ranking_there_is_no_tau() -> None:
    assert run([1.0], [[1.0, 2.0]])[0].kendall_tau is None
    constant, _ = run([1.0, 1.0], [[1.0], [2.0]])
    assert constant.kendall_tau is None
    assert "kendall_tau" not in constant.facts()


def test_figures_by_hand() -> None:
    result, _ = run([0.5, 0.6, 0.7], [[2.0, 4.0], [1.0, 1.0], [5.0, 7.0]])
    facts = result.facts()
    assert result.best.blocks == cells(1)
    assert facts["retrained"] == 3
    assert facts["retrained_error"] == 1.0
    assert facts["chosen_rank"] == 2
    # Deviations over two seeds: |difference| / sqrt(2).
    assert facts["seed_spread"] == pytest.approx(4 / 3 / 2**0.5)
    assert facts["candidate_spread"] == pytest.approx(np.std([3.0, 1.0, 6.0], ddof=1))
    assert facts["skip_share"] == 0.0
    assert run([1.0], [[3.0]])[0].facts()["seed_spread"] == 0.0


def test_skips_are_edges_cut_off_or_passed_on() -> None:
    edges = [{"from": "input", "operation": name} for name in ("none", "identity", "gru", "linear")]
    assert skip_share({"a": [{"node": 1, "edges": edges}]}) == 0.5
