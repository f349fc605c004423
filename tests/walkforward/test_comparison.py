from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from comparison_settings import CELLS, COMPUTE, tiny_settings
from scipy.stats import kendalltau

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster
from regime_nas_pipeline.search.outer import Proposal, trial_seed
from regime_nas_pipeline.search.space import Options, Space, space_size
from regime_nas_pipeline.walkforward import comparison_beds, subnetwork_scores
from regime_nas_pipeline.walkforward.candidates import evaluate_candidate
from regime_nas_pipeline.walkforward.comparison import (
    Measured,
    drawn_candidates,
    measure_shortcuts,
    shortcut_scores,
    shortcut_table,
)
from regime_nas_pipeline.walkforward.comparison_beds import (
    planted_bed,
    single_evaluation,
    task_on,
)

SPACE: Space = {"a": Options(options=(1, 2, 3)), "b": Options(options=("x", "y"))}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> PieceCache:
    return PieceCache(str(tmp_path_factory.mktemp("pieces")))


@pytest.fixture(scope="module")
def measured(kept: PieceCache) -> tuple[list[Measured], list[Measured]]:
    settings = tiny_settings()
    return measure_shortcuts(planted_bed(settings, 0, COMPUTE), settings, COMPUTE, kept)


def test_candidates_are_drawn_without_replacement() -> None:
    drawn = drawn_candidates(SPACE, int(space_size(SPACE)), seed=3)
    assert len({tuple(each.items()) for each in drawn}) == 6
    assert drawn_candidates(SPACE, 3, seed=3) == drawn[:3]
    assert drawn_candidates(SPACE, 6, seed=4) != drawn


def test_full_scores_are_those_of_the_search(
    measured: tuple[list[Measured], list[Measured]],
) -> None:
    settings = tiny_settings()
    bed = planted_bed(settings, 0, COMPUTE)
    task = task_on(bed, settings.shortcuts, single_evaluation(settings, 100))
    choices = drawn_candidates(settings.shortcuts.space, 4, COMPUTE.seed)
    full, _ = measured
    for number in range(2):
        seed = trial_seed(COMPUTE.seed, number)
        alone = evaluate_candidate(task, Proposal(0, seed, choices[2]))
        assert full[number].scores[2] == alone.score


def test_every_shortcut_scores_every_candidate(
    measured: tuple[list[Measured], list[Measured]],
) -> None:
    full, others = measured
    assert [each.name for each in others] == ["fewer_epochs", "weight_sharing", "surrogate"]
    epochs, sharing, surrogate = others
    assert all(np.isfinite(each.scores).all() and len(each.scores) == 4 for each in others)
    assert epochs.gradient_samples <= 0.5 * 4 * 100
    assert 0 < sharing.gradient_samples <= 200
    assert surrogate.gradient_samples == full[0].gradient_samples // 2
    assert sorted(surrogate.groups.tolist()) == [0, 0, 1, 1]  # type: ignore[union-attr]


def test_what_is_kept_is_not_worked_out_again(
    measured: tuple[list[Measured], list[Measured]],
    kept: PieceCache,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("evaluated again")

    monkeypatch.setattr(comparison_beds, "evaluate_candidate", refuse)
    monkeypatch.setattr(comparison_beds, "evaluate_by_proxy", refuse)
    monkeypatch.setattr(subnetwork_scores, "_train_and_score", refuse)
    settings = tiny_settings()
    again = measure_shortcuts(planted_bed(settings, 0, COMPUTE), settings, COMPUTE, kept)
    for part, part_again in zip(measured, again, strict=True):
        for one, other in zip(part, part_again, strict=True):
            np.testing.assert_array_equal(one.scores, other.scores)


def test_shared_weights_tell_operations_apart(kept: PieceCache) -> None:
    settings = tiny_settings()
    bed = planted_bed(settings, 0, COMPUTE)
    task = task_on(bed, settings.shortcuts, single_evaluation(settings, 100))
    one = {name: dimension["options"][0] for name, dimension in CELLS.items()}
    other = {**one, "trend.1.input": "lag_product"}
    score = subnetwork_scores.subnetwork_scores
    first = score(task, "t", [one, other, one], 200, 3, PieceCache(None))["scores"]
    again = score(task, "t", [other, one], 200, 3, PieceCache(None))["scores"]
    assert first[0] == first[2] != first[1]
    assert first[:2] == pytest.approx(again[::-1])


def test_candidates_without_whole_cells_are_refused() -> None:
    with pytest.raises(ParameterError, match="every edge of cells"):
        subnetwork_scores.architecture_of({"trend.1.input": "linear"})
    settings = tiny_settings()
    bed = planted_bed(settings, 0, COMPUTE)
    task = task_on(bed, settings.regret, single_evaluation(settings, 100))
    assert not issubclass(task.forecaster, RegimeNasForecaster)
    with pytest.raises(ParameterError, match="GRUForecaster has none"):
        subnetwork_scores.subnetwork_scores(task, "t", [], 200, 3, PieceCache(None))


def by_hand() -> tuple[list[Measured], list[Measured]]:
    full = [
        Measured("full", np.array([0.1, 0.2, 0.3, 0.4]), 400, 8.0),
        Measured("full", np.array([0.2, 0.1, 0.3, 0.4]), 400, 12.0),
    ]
    half = np.array([1, 0, 0, 1])
    return full, [
        Measured("cheap", np.array([4.0, 3.0, 2.0, 1.0]), 100, 1.0),
        Measured("surrogate", np.array([0.0, 5.0, 6.0, 1.0]), 200, 5.0, half),
    ]


def test_the_table_by_hand() -> None:
    table = shortcut_table(*by_hand(), draws=20, seed=0).set_index("shortcut")
    full, cheap, surrogate = (table.loc[name] for name in ("full", "cheap", "surrogate"))
    one_swap = kendalltau([1, 2, 3, 4], [2, 1, 3, 4]).statistic
    assert full["kendall"] == pytest.approx(one_swap)
    assert (full["samples_saved"], full["seconds_saved"]) == (0.0, 0.0)
    # Each full evaluation picks what the other one ranks second.
    assert full["regret"] == pytest.approx(0.1)
    assert cheap["kendall"] == pytest.approx(-(1.0 + one_swap) / 2.0)
    assert (cheap["samples_saved"], cheap["seconds_saved"]) == (0.75, 0.9)
    assert cheap["regret"] == pytest.approx(0.4 - 0.15)
    assert surrogate["kendall"] == pytest.approx(1.0)
    assert (surrogate["samples_saved"], surrogate["regret"]) == (0.5, 0.0)


def test_scores_are_listed_beside_the_mean_full_score() -> None:
    listed = shortcut_scores(*by_hand())
    assert list(listed.columns) == ["shortcut", "candidate", "score", "full_score"]
    cheap = listed[listed["shortcut"] == "cheap"]
    pd.testing.assert_series_equal(
        cheap["full_score"], pd.Series([0.15, 0.15, 0.3, 0.4]), check_names=False
    )
    assert cheap["score"].tolist() == [4.0, 3.0, 2.0, 1.0]


def test_a_piece_is_kept_per_evaluation(
    measured: tuple[list[Measured], list[Measured]], kept: PieceCache
) -> None:
    assert kept.directory is not None
    # 2 full and 1 shortcut evaluation of 4 candidates, and one supernet.
    assert len(list(Path(kept.directory).rglob("*.safetensors"))) == 13
