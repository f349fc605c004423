from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr

from regime_nas_pipeline.walkforward.comparison_ranks import agreement, regret_of_pick


def noisy(seed: int, n: int = 20, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.standard_normal(n)
    return truth, truth + noise * generator.standard_normal(n)


def test_one_pair_has_scipys_correlations() -> None:
    first, second = noisy(0)
    found = agreement([(first, second)], draws=50, seed=1)
    assert found.kendall == pytest.approx(kendalltau(first, second).statistic)
    assert found.spearman == pytest.approx(spearmanr(first, second).statistic)
    assert found.kendall_low is not None
    assert found.kendall_high is not None
    assert found.kendall_low < found.kendall < found.kendall_high


def test_a_draw_has_the_correlations_of_its_candidates() -> None:
    """With ties, drawn candidates repeated: the draws are rebuilt and given to scipy."""
    generator = np.random.default_rng(5)
    first, second = generator.integers(0, 5, (2, 12)).astype(float)
    found = agreement([(first, second)], draws=200, seed=9)
    counts = np.random.default_rng(9).multinomial(12, np.full(12, 1.0 / 12), size=200)
    rows = [np.repeat(np.arange(12), count) for count in counts]
    kendall = [kendalltau(first[row], second[row]).statistic for row in rows]
    spearman = [spearmanr(first[row], second[row]).statistic for row in rows]
    assert [found.kendall_low, found.kendall_high] == pytest.approx(
        np.quantile(kendall, [0.025, 0.975])
    )
    assert [found.spearman_low, found.spearman_high] == pytest.approx(
        np.quantile(spearman, [0.025, 0.975])
    )


def test_several_pairs_are_averaged() -> None:
    first, second, third = np.arange(6.0), np.arange(6.0), np.arange(6.0)[::-1]
    found = agreement([(first, second), (first, third)], draws=5, seed=1)
    assert found.kendall == pytest.approx(0.0)


def test_the_interval_covers_the_correlation_of_all_candidates() -> None:
    """Kendall's τ of two standard normals of correlation ρ is 2/π·asin(ρ)."""
    truth = 2.0 / np.pi * np.arcsin(1.0 / np.sqrt(2.0))
    inside = 0
    for seed in range(60):
        found = agreement([noisy(seed, n=25)], draws=120, seed=0)
        assert found.kendall_low is not None
        assert found.kendall_high is not None
        inside += found.kendall_low <= truth <= found.kendall_high
    assert inside >= 50


def test_only_candidates_of_one_group_are_compared() -> None:
    """Two models that rank perfectly and whose levels differ."""
    truth = np.arange(8.0)
    groups = np.array([0, 1] * 4)
    predicted = truth - 100.0 * groups
    assert agreement([(predicted, truth)], draws=5, seed=0).kendall != pytest.approx(1.0)
    within = agreement([(predicted, truth)], groups=groups, draws=5, seed=0)
    assert within.kendall == pytest.approx(1.0)
    assert regret_of_pick(predicted, truth, groups) == 0.0


def test_failed_candidates_are_worst_together() -> None:
    failed = np.array([0.1, np.inf, 0.3, np.nan])
    as_numbers = np.array([0.1, 9.0, 0.3, 9.0])
    truth = np.array([1.0, 4.0, 2.0, 3.0])
    found = agreement([(failed, truth)], draws=1, seed=0)
    assert found.kendall == pytest.approx(kendalltau(as_numbers, truth).statistic)


def test_a_constant_score_ranks_nothing() -> None:
    found = agreement([(np.zeros(5), np.arange(5.0))], draws=5, seed=0)
    assert found.kendall is None
    assert found.kendall_low is None
    mixed = agreement(
        [(np.zeros(5), np.arange(5.0)), (np.arange(5.0), np.arange(5.0))], draws=5, seed=0
    )
    assert mixed.kendall == pytest.approx(0.5)


def test_equal_seeds_give_equal_intervals() -> None:
    pair = noisy(3)
    assert agreement([pair], draws=30, seed=2) == agreement([pair], draws=30, seed=2)
    assert agreement([pair], draws=30, seed=2) != agreement([pair], draws=30, seed=3)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=9), st.randoms(use_true_random=False))
def test_regret_is_never_negative_and_none_for_the_truth(
    scores: list[float], random: object
) -> None:
    truth = np.array(scores)
    shuffled = truth.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert regret_of_pick(truth, truth) == 0.0
    assert 0.0 <= regret_of_pick(shuffled, truth) <= truth.max() - truth.min()


def test_regret_by_hand() -> None:
    assert regret_of_pick(np.array([3.0, 1.0, 2.0]), np.array([0.5, 0.9, 0.6])) == pytest.approx(
        0.4
    )
