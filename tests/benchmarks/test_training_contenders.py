"""Contenders of the training benchmark see the same windows, and their forecasts are aligned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from training import Run, candidates, ratios, told
from training_contenders import CONTENDERS, LastWeights, prepare, project_network
from training_neuralforecast import forecasts_of, long_frame
from training_work import SPEC, Setting, Work, lookback_windows

LOOKBACK = SPEC.lookback


def window(work: Work, row: int, asset: int) -> np.ndarray:
    """One window cut by hand: the asset's features and the market's at 60 bars, the last is row."""
    data = work.data
    bars = slice(row - LOOKBACK + 1, row + 1)
    return np.hstack([data.asset[bars, asset].numpy(), data.market[bars].numpy()])


def some(work: Work) -> list[tuple[int, int]]:
    rows = work.split.training[[0, 1, 1000, -1]]
    return [(int(row), asset) for row in rows for asset in (0, 7, work.n_assets - 1)]


def test_nothing_of_the_validation_rows_is_known_in_training(work: Work) -> None:
    last_known = work.split.training[-1] + SPEC.execution_lag + SPEC.horizon
    assert last_known <= work.split.validation[0]


def test_plain_windows_are_those_cut_by_hand(work: Work) -> None:
    windows = lookback_windows(work.channels())
    for row, asset in some(work):
        cut = windows[asset, row - LOOKBACK + 1].numpy()
        np.testing.assert_array_equal(cut, window(work, row, asset))


def test_the_package_hands_its_networks_the_same_windows(work: Work) -> None:
    network = project_network(work, "gru")
    rows = work.split.training[[0, 1000]]
    batch = work.data.batch(rows, need_target=True)
    seen = network.with_market(batch).numpy()
    for place, row in enumerate(rows):
        np.testing.assert_array_equal(seen[place, 5], window(work, int(row), 5))


@pytest.mark.parametrize("late", [0, 1])
def test_the_series_of_neuralforecast_hold_the_same_windows_and_targets(
    work: Work, late: int
) -> None:
    frame = long_frame(work, late).set_index(["unique_id", "ds"])
    features = [name for name in frame if name.startswith("x")]
    for row, asset in some(work):
        bars = frame.loc[asset]
        # It forecasts the next bar of its series: there stands what this bar is to forecast.
        assert bars.loc[row + 1, "y"] == pytest.approx(float(work.data.target[row, asset]))
        seen = bars.loc[row + 1 - LOOKBACK + late : row + late, features].to_numpy()
        np.testing.assert_array_equal(seen, window(work, row, asset))
    assert len(frame) == work.n_assets * (len(work.split.training) + LOOKBACK)


class LastSeen(nn.Module):
    """Forecasts the first channel of the newest bar that it is shown."""

    def __init__(self, stream: str) -> None:
        super().__init__()
        self.stream = stream

    def forward(self, windows: dict[str, Any]) -> torch.Tensor:
        return windows[self.stream][:, -1:, :1]


@pytest.mark.parametrize(("stream", "late"), [("hist_exog", 0), ("futr_exog", 1)])
def test_forecasts_of_neuralforecast_know_the_decision_bar_and_nothing_newer(
    work: Work, stream: str, late: int
) -> None:
    newest = forecasts_of(LastSeen(stream), work, late)
    expected = work.data.asset[work.split.validation][:, :, 0].numpy()
    np.testing.assert_array_equal(newest, expected)


@pytest.mark.parametrize("contender", ["project", "torch"])
@pytest.mark.parametrize("network", ["gru", "transformer"])
@pytest.mark.parametrize("mixed", [False, True])
def test_contenders_spend_the_budget_and_learn(
    work: Work, contender: str, network: Any, mixed: bool
) -> None:
    setting = Setting(contender, network, 40, mixed=mixed)
    prepared = prepare(work, setting, 120, seed=1)
    before = prepared.forecasts()[0]
    assert 120 - 40 < prepared.run() <= 120
    after = prepared.forecasts()[0]
    assert after.shape == (len(work.split.validation), work.n_assets)
    assert not np.array_equal(before, after)
    assert work.error(after) > 0.0


def test_the_shapes_are_about_equal(work: Work) -> None:
    for network in ("gru", "transformer"):
        sizes = [
            prepare(work, Setting(name, network, 40), 40, seed=0).parameters
            for name in ("project", "torch")
        ]
        assert sizes[0] == pytest.approx(sizes[1], rel=0.01)


@pytest.mark.parametrize("contender", ["project", "torch"])
def test_bfloat16_rounds_and_changes_little(work: Work, contender: str) -> None:
    forecasts = []
    for mixed in (False, True):
        prepared = prepare(work, Setting(contender, "gru", 40, mixed=mixed), 120, seed=1)
        prepared.run()
        forecasts.append(prepared.forecasts()[0])
    assert not np.array_equal(*forecasts)
    np.testing.assert_allclose(*forecasts, atol=0.02)


@pytest.mark.parametrize("mixed", [False, True])
def test_neuralforecast_trains_where_it_is_installed(work: Work, mixed: bool) -> None:
    pytest.importorskip("neuralforecast")
    small = Setting("neuralforecast", "gru", 8, alone=True, series=1, mixed=mixed)
    prepared = prepare(work, small, 16, seed=0)
    assert prepared.run() == 16
    assert work.error(prepared.forecasts()[0]) > 0.0


def test_the_weights_after_the_last_step_are_kept_for_every_network() -> None:
    networks, last = [nn.Linear(2, 1), nn.Linear(2, 1)], LastWeights()
    for value in (1.0, 2.0, 3.0):
        for sign, network in zip((1, -1), networks, strict=True):
            nn.init.constant_(network.weight, sign * value)
            last(network)
    for sign, network in zip((1, -1), networks, strict=True):
        nn.init.zeros_(network.weight)  # what training would put back, of an earlier epoch
        last.restore(network)
        assert network.weight.tolist() == [[3.0 * sign, 3.0 * sign]]


def test_seeds_of_a_process_are_networks_of_their_own(work: Work) -> None:
    prepared = prepare(work, Setting("project", "gru", 40, seeds=2), 80, seed=3)
    spent = prepared.run()
    first, second = prepared.forecasts()
    assert 80 < spent <= 160
    assert not np.array_equal(first, second)


def test_the_error_is_the_mean_square_and_refuses_gaps(work: Work) -> None:
    targets = work.data.target[work.split.validation].double().numpy()
    assert work.error(targets + 0.5) == pytest.approx(0.25)
    with pytest.raises(ValueError, match="finite forecasts are needed"):
        work.error(np.full(targets.shape, np.nan))


def test_a_default_comes_first_and_nothing_twice() -> None:
    for contender in CONTENDERS:
        for network in ("gru", "transformer"):
            tried = candidates(contender, network, (160, 512, 1024), 20)
            assert len(set(tried)) == len(tried) > 1
    assert candidates("neuralforecast", "gru", (160,), 20)[0].series is None
    assert candidates("project", "gru", (160,), 20)[0].batch % 20 == 0
    assert {each.seeds for each in candidates("project", "gru", (160,), 20)} >= {1}


def test_ratios_are_taken_round_by_round_between_the_fastest() -> None:
    ours, slow, peer = (
        Setting(n, "gru", b) for n, b in (("project", 1), ("project", 2), ("torch", 1))
    )

    def runs(*rates: float) -> list[Run]:
        return [Run(100, 100 / rate, 50.0, [0.5, 0.7], 3) for rate in rates]

    mixed = {replace(each, mixed=True): runs(6, 6, 6) for each in (ours, peer)}
    found = ratios(
        "gru", {slow: runs(1, 1, 1), ours: runs(20, 30, 80), peer: runs(10, 10, 20), **mixed}
    )
    assert [each["peer"] for each in found] == ["torch", "torch"]
    assert found[0]["median"] == pytest.approx(3.0)
    assert found[1]["group"] == "gru, mixed precision"
    assert found[1]["median"] == pytest.approx(1.0)
    row = told(ours, runs(20, 30, 80))
    assert row["windows_per_second"]["median"] == pytest.approx(30.0)
    assert row["windows_per_processor_second"]["median"] == pytest.approx(2.0)
    assert row["validation_error"]["median"] == pytest.approx(0.6)
