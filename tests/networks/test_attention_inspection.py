from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from attention_windows import transformer, windows

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.attention_inspection import inspection
from regime_nas_pipeline.networks.attention_maps import (
    AttentionMaps,
    attention_maps,
    row_entropy,
)
from regime_nas_pipeline.networks.window_importance import (
    WindowImportance,
    squared_error,
    window_importance,
)


def made_up(looks: np.ndarray, needs: np.ndarray) -> tuple[AttentionMaps, WindowImportance]:
    """Maps of one layer and head, and importance, over windows that all are alike but for noise.

    Args:
        looks: Weight of the CLS token on itself and on six bars, oldest first.
        needs: Loss added per stretch of two bars, newest first.
    """
    noise = np.random.default_rng(0).uniform(0.9, 1.1, size=(120, 1))
    cls = np.broadcast_to(looks, (120, 1, 1, 7))
    mean = np.broadcast_to(looks, (1, 1, 7, 7))
    importance = WindowImportance(
        loss=np.ones(120),
        features=np.ones((120, 1)) * noise,
        blocks=needs * noise,
        feature_names=("a",),
        first_lags=(0, 2, 4),
        last_lags=(1, 3, 5),
    )
    return AttentionMaps(mean, cls, row_entropy(cls)), importance


def test_lags_are_counted_back_from_the_decision_bar() -> None:
    looks = np.array([0.1, 0.0, 0.0, 0.1, 0.1, 0.3, 0.4])
    found = inspection(*made_up(looks, np.array([3.0, 2.0, 1.0])), batch_windows=6)
    weights = found.cls.set_index("lag")["weight"]
    assert weights.loc[[-1, 0, 1, 2, 5]].tolist() == pytest.approx([0.1, 0.4, 0.3, 0.1, 0.0])
    assert found.blocks["attention"].tolist() == pytest.approx([0.35, 0.1, 0.0])
    assert found.blocks["importance"].tolist() == pytest.approx([1.5, 1.0, 0.5], rel=0.02)
    assert (found.blocks["low"] > 0).all()
    overall = found.agreement.iloc[0]
    assert (overall["layer"], overall["head"]) == (0, 0)
    assert overall["correlation"] == pytest.approx(1.0)
    assert found.entropy["share"].iloc[0] == pytest.approx(row_entropy(looks) / np.log(7.0))
    assert "Attention is not explanation" in found.caution
    assert "correlate by 1.00 (95% interval 1.00 to 1.00)" in found.caution
    assert "above zero for 3 of them" in found.caution


def test_attention_may_look_where_nothing_matters() -> None:
    looks = np.array([0.1, 0.0, 0.0, 0.1, 0.1, 0.3, 0.4])
    found = inspection(*made_up(looks, np.array([1.0, 2.0, 3.0])), batch_windows=6)
    assert found.agreement["correlation"].tolist() == pytest.approx([-1.0, -1.0])
    same = inspection(*made_up(looks, np.ones(3)), batch_windows=6)
    assert same.agreement["correlation"].isna().all()
    assert "correlate" not in same.caution


def test_few_windows_give_no_intervals() -> None:
    network, batch = transformer(), windows(n=20)
    importance = window_importance(
        network, batch, squared_error, feature_names=("a", "b", "c"), block=3, n_repeats=1
    )
    bars = batch.asset.shape[2]
    found = inspection(attention_maps(network, batch), importance, batch_windows=bars)
    assert found.n_windows == 20
    assert found.n_batches == 3
    for table in (found.cls, found.entropy, found.features, found.blocks, found.agreement):
        assert table["low"].isna().all()
    assert len(found.cls) == 2 * 2 * 7
    assert found.cls.groupby(["layer", "head"])["weight"].sum().tolist() == pytest.approx([1.0] * 4)


def test_maps_and_importance_of_other_windows_do_not_fit() -> None:
    maps, importance = made_up(np.full(7, 1 / 7), np.ones(3))
    short = replace(importance, loss=importance.loss[:5])
    with pytest.raises(ParameterError, match="120 windows and importance over 5"):
        inspection(maps, short, batch_windows=6)
