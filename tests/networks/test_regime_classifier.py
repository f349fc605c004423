from __future__ import annotations

import numpy as np
import pytest
import torch

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.regime_classifier import (
    CrossEntropy,
    RegimeClassifierNetwork,
    class_windows,
    cross_entropy,
    mean_probabilities,
)
from regime_nas_pipeline.networks.training import (
    Split,
    Steps,
    TrainingPlan,
    TrainingTask,
    single_threaded,
    train,
    validation_error,
)
from regime_nas_pipeline.networks.transformer import TransformerNetwork, sinusoidal_positions
from regime_nas_pipeline.networks.windows import Batch, WindowData

CPU = torch.device("cpu")
SMALL = {"lookback": 4, "width": 8, "layers": 1, "attention_heads": 2, "feed_forward": 8}


def small_network(seed: int = 0, dropout: float = 0.1) -> RegimeClassifierNetwork:
    with single_threaded(seed):
        return RegimeClassifierNetwork(n_features=2, n_classes=3, dropout=dropout, **SMALL)


def noise(n_bars: int = 60, seed: int = 0) -> WindowData:
    generator = np.random.default_rng(seed)
    classes = generator.integers(0, 3, n_bars).astype(float)
    classes[-3:] = np.nan
    return class_windows(generator.standard_normal((n_bars, 2)), classes, 4, CPU)


def test_the_published_sizes_are_the_defaults() -> None:
    network = RegimeClassifierNetwork(n_features=6, n_classes=2)
    assert len(network.encoder.layers) == 2
    first = network.encoder.layers[0]
    assert first.self_attn.num_heads == 4
    assert first.self_attn.embed_dim == 64
    assert first.linear1.out_features == 128
    assert {m.p for m in network.modules() if isinstance(m, torch.nn.Dropout)} == {0.1}
    # A window of 60 bars behind a CLS token.
    assert network.positions.shape == (61, 64)
    torch.testing.assert_close(network.positions, sinusoidal_positions(61, 64))


def test_encoder_is_that_of_the_forecasting_transformer() -> None:
    forecaster = TransformerNetwork(
        n_assets=1,
        n_asset_features=2,
        n_market_features=0,
        joint=False,
        lookback=4,
        width=8,
        layers=1,
        attention_heads=2,
        feed_forward=1,
        dropout=0.1,
    ).eval()
    network = small_network().eval()
    shared = {k: v for k, v in forecaster.state_dict().items() if not k.startswith("head.")}
    missing, unexpected = network.load_state_dict(shared, strict=False)
    assert unexpected == []
    assert set(missing) == {"head.weight", "head.bias"}
    batch = noise().batch(np.array([10, 20, 30]), need_target=False)
    seen = []
    forecaster.head.register_forward_pre_hook(lambda _, states: seen.append(states[0]))
    network.head.register_forward_pre_hook(lambda _, states: seen.append(states[0]))
    forecaster(batch)
    logits = network(batch)
    assert logits.shape == (3, 3)
    torch.testing.assert_close(seen[0][:, 0], seen[1])


def test_cross_entropy_is_the_mean_log_loss_of_known_classes() -> None:
    logits = torch.tensor([[0.0, 1.0, -1.0], [2.0, 0.5, 0.0], [9.0, 9.0, 9.0]])
    batch = Batch(
        asset=torch.zeros(3, 1, 4, 2),
        market=torch.zeros(3, 5, 0),
        mask=torch.tensor([[True], [True], [False]]),
        target=torch.tensor([[1.0], [2.0], [0.0]]),
    )
    shares = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(axis=1, keepdims=True)
    expected = -(np.log(shares[0, 1]) + np.log(shares[1, 2])) / 2
    assert float(cross_entropy(logits, batch)) == pytest.approx(expected, rel=1e-6)
    assert float(CrossEntropy()(logits, batch)) == pytest.approx(expected, rel=1e-6)


def test_windows_need_every_bar_and_answers_may_be_unknown() -> None:
    features = np.ones((12, 2))
    features[3, 1] = np.nan
    data = class_windows(features, np.r_[np.zeros(11), np.nan], 4, CPU)
    assert data.usable[:, 0].tolist() == [False] * 7 + [True] * 5
    assert data.batch(np.array([10, 11]), need_target=True).mask[:, 0].tolist() == [True, False]


def test_one_window_at_a_time_has_the_same_bits_among_others() -> None:
    networks = [small_network(seed).eval() for seed in (0, 1)]
    data = noise()
    together = mean_probabilities(networks, data, np.arange(10, 50), 1)
    for row in (10, 33, 49):
        alone = mean_probabilities(networks, data, np.array([row]), 1)
        np.testing.assert_array_equal(alone[0], together[row - 10])
    np.testing.assert_allclose(
        mean_probabilities(networks, data, np.arange(10, 50), 16), together, atol=1e-6
    )
    each = [mean_probabilities([network], data, np.arange(10, 50), 1) for network in networks]
    np.testing.assert_allclose((each[0] + each[1]) / 2, together, atol=1e-12)
    assert mean_probabilities(networks, data, np.arange(0), 1).shape == (0, 3)


def test_the_common_training_loop_watches_the_log_loss() -> None:
    data = noise()
    split = Split(np.arange(8, 40), np.arange(42, 56))
    plan = TrainingPlan(max_samples=64, batch_dates=8, sample_every=1, patience=2)
    with single_threaded(3):
        network = small_network(3)
        task = TrainingTask(data, split, plan, CrossEntropy(), Steps(1e-2), cross_entropy)
        result = train(network, task, seed=3)
    assert result.epochs == 2
    assert result.samples == 64
    found = validation_error(network, data, split.validation, 5, cross_entropy)
    assert found == pytest.approx(result.best_validation, rel=1e-6)
    logits = network(data.batch(split.validation, need_target=True)).detach()
    chosen = torch.log_softmax(logits, 1)[range(14), data.target[split.validation, 0].long()]
    assert found == pytest.approx(-float(chosen.mean()), rel=1e-5)


@pytest.mark.parametrize(
    "wrong", [{"width": 9}, {"width": 10, "attention_heads": 4}, {"layers": 0}, {"lookback": 0}]
)
def test_impossible_sizes_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ParameterError, match="regime classifier"):
        RegimeClassifierNetwork(n_features=2, n_classes=2, **{**SMALL, **wrong})
    with pytest.raises(ParameterError, match="two classes"):
        RegimeClassifierNetwork(n_features=2, n_classes=1)
