from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from comparison_settings import COMPUTE, tiny_settings

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.search.outer import OuterSettings, Proposal, trial_seed
from regime_nas_pipeline.search.regret import Candidate, regret_curves
from regime_nas_pipeline.walkforward.candidates import evaluate_candidate
from regime_nas_pipeline.walkforward.comparison_beds import (
    planted_bed,
    single_evaluation,
    task_on,
)
from regime_nas_pipeline.walkforward.comparison_regret import (
    random_curve,
    regret_claim,
    regret_table,
    replay,
    score_landscapes,
)

NO_CACHE = PieceCache(None)


def landscape(seed: int) -> dict[Candidate, float]:
    generator = np.random.default_rng(seed)
    return {each: float(generator.random()) for each in itertools.product((4, 8), (3, 5))}


def test_landscapes_hold_mean_scores_of_every_candidate() -> None:
    settings = tiny_settings(regret={"landscapes": 2, "seeds": 2})
    tables = score_landscapes(settings, COMPUTE, NO_CACHE)
    assert [set(table) for table in tables] == [set(landscape(0))] * 2
    bed = planted_bed(settings, 1, COMPUTE)
    task = task_on(bed, settings.regret, single_evaluation(settings, 100))
    scores = [
        evaluate_candidate(
            task, Proposal(0, trial_seed(COMPUTE.seed, number), {"width": 8, "lookback": 3})
        ).score
        for number in range(2)
    ]
    assert tables[1][8, 3] == np.mean(scores)
    assert tables[0][8, 3] != tables[1][8, 3]


def test_curves_are_means_over_replays() -> None:
    settings = tiny_settings().regret
    tables = [landscape(0), landscape(1)]
    curves = replay(tables, settings, COMPUTE, NO_CACHE)
    assert set(curves["strategy"]) == {"evolutionary", "bayesian", "random"}
    outer = OuterSettings("random", trials=1, start_up=1, exploration=0.1, batch=2)
    own = curves[(curves["landscape"] == 1) & (curves["strategy"] == "evolutionary")]
    assert own["evaluations"].tolist() == [1, 2, 3]
    seeds = [trial_seed(COMPUTE.seed, number) for number in range(3)]
    for n, found in enumerate(own["regret"], start=1):
        replayed = regret_curves(
            settings.space, tables[1], "evolutionary", outer, seeds=seeds, fraction=n / 4
        )
        assert found == pytest.approx(replayed[:, -1].mean())


def test_replays_that_are_kept_are_the_same(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings, cache = tiny_settings().regret, PieceCache(str(tmp_path_factory.mktemp("replays")))
    first = replay([landscape(2)], settings, COMPUTE, cache)
    pd.testing.assert_frame_equal(replay([landscape(2)], settings, COMPUTE, cache), first)
    other = replay([landscape(3)], settings, COMPUTE, cache)
    assert not other["regret"].equals(first["regret"])


def test_the_control_is_the_mean_over_every_order() -> None:
    table = landscape(4)
    best = min(table.values())
    orders = np.array(list(itertools.permutations(table.values())))
    expected = np.minimum.accumulate(orders, axis=1).mean(axis=0) - best
    np.testing.assert_allclose(random_curve(table, 1.0), expected, atol=1e-5)
    assert len(random_curve(table, 0.75)) == 3


def test_the_claim_by_hand() -> None:
    curves = pd.DataFrame(
        [
            (0, "bayesian", 1, 0.9),
            (0, "bayesian", 2, 0.2),
            (0, "random", 1, 0.8),
            (0, "random", 2, 0.4),
            (1, "bayesian", 1, 0.3),
            (1, "bayesian", 2, 0.3),
            (1, "random", 1, 0.5),
            (1, "random", 2, 0.4),
            (2, "bayesian", 1, 0.0),
            (2, "bayesian", 2, 0.0),
            (2, "random", 1, 0.0),
            (2, "random", 2, 0.0),
        ],
        columns=["landscape", "strategy", "evaluations", "regret"],
    )
    table = regret_table(curves)
    assert (table["evaluations"] == 2).all()
    own = table[table["strategy"] == "bayesian"]["ratio"].tolist()
    assert own[:2] == pytest.approx([0.5, 0.75])
    assert np.isnan(own[2])
    assert regret_claim(table) == {
        "bayesian": {"halved": 1, "landscapes": 3, "median_ratio": pytest.approx(0.625)}
    }
