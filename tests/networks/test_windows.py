from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.networks.windows import WindowData, complete_windows


@pytest.fixture
def data() -> WindowData:
    """Seven bars, two assets, one feature that is ten times the bar plus the asset."""
    bars = torch.arange(7.0)
    usable = torch.zeros(7, 2, dtype=torch.bool)
    usable[3:, 0] = True
    usable[5:, 1] = True
    target = torch.stack([bars, bars + 0.5], dim=1)
    target[6] = torch.nan
    return WindowData(
        asset=(10 * bars[:, None] + torch.tensor([0.0, 1.0]))[..., None],
        market=-bars[:, None],
        usable=usable,
        target=target,
        lookback=3,
        regimes=torch.stack([bars, -bars], dim=1),
    )


def test_a_window_ends_at_its_row(data: WindowData) -> None:
    batch = data.batch(np.array([5, 3]), need_target=True)
    assert batch.asset.shape == (2, 2, 3, 1)
    assert batch.asset[0, 0, :, 0].tolist() == [30.0, 40.0, 50.0]
    assert batch.asset[1, 1, :, 0].tolist() == [11.0, 21.0, 31.0]
    assert batch.market[..., 0].tolist() == [[-2.0, -3.0, -4.0, -5.0], [0.0, -1.0, -2.0, -3.0]]
    assert batch.mask.tolist() == [[True, True], [True, False]]
    assert batch.target.tolist() == [[5.0, 5.5], [3.0, 0.0]]
    assert batch.regimes is not None
    assert batch.regimes.tolist() == [[5.0, -5.0], [3.0, -3.0]]


def test_an_unknown_target_masks_only_where_it_is_needed(data: WindowData) -> None:
    last = np.array([6])
    assert data.batch(last, need_target=True).mask.tolist() == [[False, False]]
    forecast = data.batch(last, need_target=False)
    assert forecast.mask.tolist() == [[True, True]]
    training = data.batch(last, need_target=True)
    assert torch.isfinite(training.target).all()


def test_weights_of_errors_travel_with_their_assets(data: WindowData) -> None:
    weighted = replace(data, weight=torch.arange(14.0).reshape(7, 2))
    batch = weighted.batch(np.array([5, 3]), need_target=True)
    assert batch.weight is not None
    assert batch.weight.tolist() == [[10.0, 11.0], [6.0, 7.0]]
    second = weighted.select(np.array([False, True])).batch(np.array([5]), need_target=True)
    assert second.weight is not None
    assert second.weight.tolist() == [[11.0]]
    assert data.batch(np.array([5]), need_target=True).weight is None
    assert data.select(np.array([1])).weight is None


def test_without_labels_there_are_none(data: WindowData) -> None:
    assert replace(data, regimes=None).batch(np.array([4]), need_target=False).regimes is None


@settings(max_examples=60, deadline=None)
@given(n_bars=st.integers(0, 25), lookback=st.integers(1, 12), seed=st.integers(0, 999))
def test_complete_windows_equal_a_plain_loop(n_bars: int, lookback: int, seed: int) -> None:
    finite = np.random.default_rng(seed).random((n_bars, 3)) < 0.85
    expected = [
        [
            row + 1 >= lookback and finite[row + 1 - lookback : row + 1, asset].all()
            for asset in range(3)
        ]
        for row in range(n_bars)
    ]
    found = complete_windows(finite, lookback)
    np.testing.assert_array_equal(found, np.array(expected, dtype=bool).reshape(n_bars, 3))
