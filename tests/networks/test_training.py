from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from network_samples import MARKET_TIMEFRAMES, N_FEATURES, random_windows, with_signal

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.networks import training
from regime_nas_pipeline.networks.gru import GRUNetwork
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.schedules import cosine_factor
from regime_nas_pipeline.networks.training import (
    Split,
    Steps,
    TrainingPlan,
    TrainingResult,
    TrainingTask,
    batches,
    make_split,
    resolve_device,
    resolved,
    single_threaded,
    train,
    validation_error,
)
from regime_nas_pipeline.networks.windows import WindowData

PLAN = TrainingPlan(max_samples=1000, batch_dates=4, sample_every=5, patience=3)


@pytest.fixture(scope="module")
def data() -> WindowData:
    """200 bars of three assets whose target is the last bar's first feature and noise."""
    windows = random_windows()
    return with_signal(windows, windows.asset[..., 0], noise=0.6)


@pytest.fixture(scope="module")
def split(data: WindowData) -> Split:
    return make_split(data, PLAN, execution_lag=0, horizon=1)


def make_network(dropout: float = 0.1) -> GRUNetwork:
    return GRUNetwork(
        n_assets=3,
        n_asset_features=N_FEATURES,
        n_market_features=len(MARKET_TIMEFRAMES),
        joint=False,
        width=8,
        layers=1,
        dropout=dropout,
    )


def run(
    data: WindowData, split: Split, plan: TrainingPlan, *, seed: int = 0, rate: float = 1e-2
) -> tuple[GRUNetwork, TrainingResult]:
    with single_threaded(seed):
        network = make_network()
        task = TrainingTask(data, split, plan, Objective(), Steps(learning_rate=rate))
        return network, train(network, task, seed=seed)


def state(network: GRUNetwork) -> list[np.ndarray]:
    return [value.detach().numpy().copy() for value in network.state_dict().values()]


def test_split_by_hand() -> None:
    windows = random_windows(n_bars=40, lookback=6)
    target = torch.zeros(40, 3)
    target[-6:] = torch.nan
    windows.usable[10, :] = False
    plan = replace(PLAN, validation_fraction=0.25, embargo=2)
    found = make_split(replace(windows, target=target), plan, execution_lag=1, horizon=5)
    # Rows 6 to 33 less row 10; the last quarter of these 27, rounded up, starts at row 27. A
    # training row's target ends six bars later, and two more bars are kept clear.
    assert found.training.tolist() == [6, 7, 8, 9, *range(11, 20)]
    assert found.validation.tolist() == [28, 33]


def test_data_without_room_for_both_parts_is_an_error(data: WindowData) -> None:
    with pytest.raises(DataError, match="purged validation tail"):
        make_split(data, PLAN, execution_lag=0, horizon=180)


def test_the_phases_of_the_epochs_cover_every_row_once() -> None:
    rows = np.arange(100, 152)
    seen = np.concatenate(
        [
            np.concatenate(list(batches(rows, PLAN, epoch, np.random.default_rng(epoch))))
            for epoch in range(PLAN.sample_every)
        ]
    )
    assert sorted(seen) == rows.tolist()


@pytest.mark.parametrize("n_rows", [1, 3, 11, 20, 21, 84])
@pytest.mark.parametrize("epoch", [0, 4, 30])
def test_batches_are_full_or_nearly_so(n_rows: int, epoch: int) -> None:
    found = list(batches(np.arange(n_rows), PLAN, epoch, np.random.default_rng(0)))
    sizes = [len(batch) for batch in found]
    assert min(sizes) >= 1
    assert max(sizes) <= PLAN.batch_dates
    assert max(sizes) - min(sizes) <= 1


def test_batches_are_shuffled_by_the_generator_alone() -> None:
    def order(seed: int) -> list[int]:
        found = batches(np.arange(200), PLAN, 0, np.random.default_rng(seed))
        return np.concatenate(list(found)).tolist()

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert order(1) != sorted(order(1))


def test_validation_error_is_the_mean_over_assets_that_are_there(data: WindowData) -> None:
    with single_threaded(0):
        network = make_network(dropout=0.5)
    usable = data.usable.clone()
    usable[::2, 1:] = False
    masked = replace(data, usable=usable)
    rows = np.arange(20, 31)
    found = validation_error(network, masked, rows, batch_dates=4)
    batch = masked.batch(rows, need_target=True)
    with torch.no_grad():
        error = (network.eval()(batch).mean - batch.target)[batch.mask] ** 2
    assert found == pytest.approx(error.mean().item(), rel=1e-6)
    assert len(error) == 21  # five rows of three assets and six rows of one


def test_the_best_weights_are_left(data: WindowData, split: Split) -> None:
    network, result = run(data, split, PLAN, rate=0.05)
    errors = [epoch["validation_loss"] for epoch in result.curve]
    assert min(errors) < errors[-1]  # the last epoch is not the best, or nothing is shown
    found = validation_error(network, data, split.validation, PLAN.batch_dates)
    assert found == result.best_validation == min(errors)
    assert not network.training


def scripted(monkeypatch: pytest.MonkeyPatch, errors: list[float]) -> list[list[np.ndarray]]:
    """Let validation say ``errors``; returns the weights that each epoch ended with."""
    states: list[list[np.ndarray]] = []

    def say(network: GRUNetwork, *_: object) -> float:
        states.append(state(network))
        return errors[len(states) - 1]

    monkeypatch.setattr(training, "validation_error", say)
    return states


def test_training_stops_after_epochs_without_improvement(
    data: WindowData, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = scripted(monkeypatch, [5.0, 4.0, 4.5, 3.0, 3.5, 3.0, 3.2, 1.0])
    network, result = run(data, split, replace(PLAN, max_samples=10**6))
    # Epochs five to seven are no better than the fourth; an equal error is no improvement.
    assert result.epochs == len(result.curve) == 7
    assert result.best_validation == 3.0
    for left, best in zip(state(network), states[3], strict=True):
        np.testing.assert_array_equal(left, best)
    assert any((a != b).any() for a, b in zip(states[3], states[6], strict=True))


def test_a_plateau_halves_the_learning_rate(
    data: WindowData, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, [5.0, 6.0, 6.0, 6.0, 6.0, 4.0, 6.0, 6.0, 6.0, 6.0, 6.0, 6.0])
    plan = replace(PLAN, max_samples=10**6, patience=5)
    _, result = run(data, split, plan, rate=0.08)
    # One epoch without improvement passes, the second halves the rate of the next epoch.
    assert [epoch["learning_rate"] for epoch in result.curve] == pytest.approx(
        [0.08, 0.08, 0.08, 0.04, 0.04, 0.02, 0.02, 0.02, 0.01, 0.01, 0.005]
    )


def test_the_cosine_spreads_over_the_whole_budget(data: WindowData, split: Split) -> None:
    plan = replace(PLAN, schedule="cosine", patience=1000)
    _, result = run(data, split, plan, rate=0.08)
    rates = [epoch["learning_rate"] for epoch in result.curve]
    shares = [epoch["samples"] / plan.max_samples for epoch in result.curve]
    assert rates == pytest.approx([0.08 * cosine_factor(share) for share in shares])
    assert max(rates) > 0.07
    assert rates[-1] < 0.001


@pytest.mark.parametrize("budget", [12, 13, 60, 83, 84, 85, 200, 301])
def test_the_budget_is_spent_and_never_exceeded(
    data: WindowData, split: Split, budget: int
) -> None:
    _, result = run(data, split, replace(PLAN, max_samples=budget, patience=10**6))
    largest_batch = PLAN.batch_dates * 3
    assert budget - largest_batch < result.samples <= budget
    assert result.curve[-1]["samples"] == result.samples
    assert result.epochs == len(result.curve)
    # An epoch without a single step is no epoch.
    assert all(np.isfinite(epoch["train_loss"]) for epoch in result.curve)
    assert (np.diff([0, *(epoch["samples"] for epoch in result.curve)]) > 0).all()


def test_only_known_targets_count_against_the_budget(data: WindowData, split: Split) -> None:
    usable = data.usable.clone()
    usable[:, 1:] = False
    rows = len(batches_of_first_epoch(split))
    plan = replace(PLAN, max_samples=rows)
    _, result = run(replace(data, usable=usable), split, plan)
    assert (result.samples, result.epochs) == (rows, 1)


def batches_of_first_epoch(split: Split) -> np.ndarray:
    return np.concatenate(list(batches(split.training, PLAN, 0, np.random.default_rng(0))))


def test_a_budget_below_one_batch_is_an_error(data: WindowData, split: Split) -> None:
    with pytest.raises(ParameterError, match="budget of 8 gradient samples does not pay"):
        run(data, split, replace(PLAN, max_samples=8))


def test_the_same_seed_gives_the_same_bits(data: WindowData, split: Split) -> None:
    first, result = run(data, split, PLAN, seed=3)
    again, same = run(data, split, PLAN, seed=3)
    other, _ = run(data, split, PLAN, seed=4)
    assert result == same
    for a, b in zip(state(first), state(again), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(state(first), state(other), strict=True))


def test_gradients_are_clipped(data: WindowData, split: Split) -> None:
    network, _ = run(data, split, replace(PLAN, gradient_clip=1e-3))
    squares = [(p.grad**2).sum() for p in network.parameters() if p.grad is not None]
    assert torch.stack(squares).sum().sqrt().item() == pytest.approx(1e-3, rel=1e-2)


def test_global_state_is_put_back() -> None:
    torch.set_num_threads(2)
    torch.manual_seed(77)
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    with single_threaded(5):
        assert torch.get_num_threads() == 1
        assert torch.initial_seed() == 5
        first = torch.randn(3)
    assert torch.get_num_threads() == 2
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002
    with single_threaded(5):
        assert torch.equal(torch.randn(3), first)
    with pytest.raises(ZeroDivisionError), single_threaded(5):
        torch.randn(1 // 0)
    assert torch.get_num_threads() == 2
    assert torch.equal(torch.get_rng_state(), before)
    torch.set_num_threads(1)


def test_a_planted_linear_signal_is_learned() -> None:
    windows = random_windows(n_bars=500)
    data = with_signal(windows, windows.asset[..., 0], noise=0.6)
    plan = TrainingPlan(max_samples=12_000, batch_dates=8, sample_every=2, patience=10)
    split = make_split(data, plan, execution_lag=0, horizon=1)
    _, result = run(data, split, plan, rate=2e-2)
    batch = data.batch(split.validation, need_target=True)
    r2 = 1 - result.best_validation / float((batch.target[batch.mask] ** 2).mean())
    # Nothing can explain more than 1 - 0.6² = 0.64, up to the luck of the sample.
    assert 0.52 < r2 < 0.76


@pytest.mark.parametrize(("name", "kind"), [("cpu", "cpu"), ("auto", None)])
def test_known_devices(name: str, kind: str | None) -> None:
    expected = kind or ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolve_device(name).type == expected


def test_an_unknown_device_is_an_error() -> None:
    with pytest.raises(ParameterError, match="'gpu' is none of: auto, cpu"):
        resolve_device("gpu")


def test_an_absent_device_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ParameterError, match="'cuda:0' is not there"):
        resolve_device("cuda:0")
    assert resolve_device("auto").type == "cpu"


def test_the_automatic_device_is_named_by_what_it_means() -> None:
    meant = resolved({"device": "auto", "width": 8})
    assert meant["width"] == 8
    assert meant["device"] == ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolved({"width": 8}) == {"width": 8}


def test_products_in_bfloat16_learn_as_well(data: WindowData, split: Split) -> None:
    exact, exactly = run(data, split, PLAN)
    mixed, found = run(data, split, replace(PLAN, precision="mixed"))
    assert (found.epochs, found.samples) == (exactly.epochs, exactly.samples)
    assert found.best_validation == pytest.approx(exactly.best_validation, rel=0.02)
    assert any(
        not np.array_equal(one, other)
        for one, other in zip(state(mixed), state(exact), strict=True)
    )
    assert all(weight.dtype == torch.float32 for weight in mixed.parameters())
