"""How this package and plain torch train in ``training.py``.

All contenders have the same shape, the same windows, mean squared error, AdamW at one constant
rate, gradients clipped to norm 1 and no validation on the way; the last weights are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from training_neuralforecast import prepare_neuralforecast
from training_work import (
    CLIP,
    DROPOUT,
    FEED_FORWARD,
    HEADS,
    LAYERS,
    SPEC,
    STEPS,
    WIDTH,
    Network,
    Prepared,
    Setting,
    Work,
    count,
    lookback_windows,
)

from regime_nas_pipeline.networks.base import ForecastNetwork
from regime_nas_pipeline.networks.gru import GRUNetwork
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.together import train_each
from regime_nas_pipeline.networks.training import Split, TrainingPlan, TrainingTask, single_threaded
from regime_nas_pipeline.networks.transformer import TransformerNetwork, sinusoidal_positions


class LastWeights:
    """Keeps the weights after every step, since training ends with those of its best epoch."""

    def __init__(self) -> None:
        self._kept: dict[int, dict[str, Tensor]] = {}

    def __call__(self, network: nn.Module) -> None:
        """Note a network's weights; they stay what they are."""
        kept = self._kept.setdefault(id(network), {})
        for name, value in network.state_dict().items():
            if name in kept:
                kept[name].copy_(value)
            else:
                kept[name] = value.clone()

    def restore(self, network: nn.Module) -> None:
        """Give a network the weights after its last step."""
        network.load_state_dict(self._kept[id(network)])


def project_network(work: Work, network: Network) -> ForecastNetwork:
    """The package's network."""
    sizes: dict[str, Any] = {
        "n_assets": work.n_assets,
        "n_asset_features": work.sizes["n_asset_features"],
        "n_market_features": len(work.sizes["market_timeframes"]),
        "joint": False,
        "width": WIDTH,
        "layers": LAYERS[network],
        "dropout": DROPOUT,
    }
    if network == "gru":
        return GRUNetwork(**sizes)
    return TransformerNetwork(
        **sizes, lookback=SPEC.lookback, attention_heads=HEADS, feed_forward=FEED_FORWARD
    )


def prepare_project(work: Work, setting: Setting, windows: int, seed: int) -> Prepared:
    """The package's own loop, watching one row, since it cannot watch none."""
    plan = TrainingPlan(
        max_samples=windows,
        batch_dates=max(1, setting.batch // work.n_assets),
        patience=windows,
        plateau_patience=windows,
        gradient_clip=CLIP,
        precision="mixed" if setting.mixed else "float32",
    )
    split = Split(work.split.training, work.split.validation[:1])
    last = LastWeights()
    task = TrainingTask(work.data, split, plan, Objective(volatility_weight=0.0), STEPS)
    seeds = [seed * setting.seeds + number for number in range(setting.seeds)]
    networks = []
    for each in seeds:
        with single_threaded(each):
            networks.append(project_network(work, setting.network))

    def run() -> int:
        results = train_each(networks, task, seeds=seeds, limit=last)
        for network in networks:
            last.restore(network)
        return sum(each.samples for each in results)

    def forecasts() -> list[np.ndarray]:
        batch = work.data.batch(work.split.validation, need_target=False)
        found = []
        for network in networks:
            network.eval()
            with torch.no_grad():
                found.append(network(batch).mean.numpy())
        return found

    return Prepared(run, forecasts, count(networks[0]))


class PlainGRU(nn.Module):
    """``nn.GRU`` and a linear layer on its last state."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.gru = nn.GRU(n_channels, WIDTH, num_layers=LAYERS["gru"], batch_first=True)
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(WIDTH, 1)

    def forward(self, windows: Tensor) -> Tensor:
        """(B, L, C) to (B,)."""
        _, state = self.gru(windows)
        return self.head(self.dropout(state[-1]))[:, 0]


class PlainTransformer(nn.Module):
    """``nn.TransformerEncoder`` and a linear layer on the state of the last bar."""

    positions: Tensor

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            WIDTH,
            HEADS,
            FEED_FORWARD * WIDTH,
            DROPOUT,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.embed = nn.Linear(n_channels, WIDTH)
        self.register_buffer("positions", sinusoidal_positions(SPEC.lookback, WIDTH))
        self.encoder = nn.TransformerEncoder(
            layer, LAYERS["transformer"], norm=nn.LayerNorm(WIDTH), enable_nested_tensor=False
        )
        self.head = nn.Linear(WIDTH, 1)

    def forward(self, windows: Tensor) -> Tensor:
        """(B, L, C) to (B,)."""
        return self.head(self.encoder(self.embed(windows) + self.positions)[:, -1])[:, 0]


def prepare_torch(work: Work, setting: Setting, windows: int, seed: int) -> Prepared:
    """The loop that everybody writes: a tensor of windows, shuffled, batch after batch."""
    torch.manual_seed(seed)
    inputs = lookback_windows(work.channels())
    targets = work.data.target
    n_channels = inputs.shape[-1]
    network = PlainGRU(n_channels) if setting.network == "gru" else PlainTransformer(n_channels)
    rows = torch.as_tensor(work.split.training)
    optimiser = torch.optim.AdamW(
        network.parameters(),
        lr=STEPS.learning_rate,
        weight_decay=STEPS.weight_decay,
        fused=True,  # as the package has it
    )

    def run() -> int:
        network.train()
        done = 0
        while done < windows:
            order = torch.randperm(len(rows) * work.n_assets)
            for chosen in order[: windows - done].split(setting.batch):
                row, asset = rows[chosen // work.n_assets], chosen % work.n_assets
                with torch.autocast("cpu", torch.bfloat16, enabled=setting.mixed):
                    forecast = network(inputs[asset, row - SPEC.lookback + 1])
                loss = nn.functional.mse_loss(forecast.float(), targets[row, asset])
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), CLIP)
                optimiser.step()
                done += len(chosen)
        return done

    def forecasts() -> list[np.ndarray]:
        network.eval()
        with torch.no_grad():
            judged = inputs[:, work.split.validation - SPEC.lookback + 1]
            return [network(judged.flatten(0, 1)).view(work.n_assets, -1).T.numpy()]

    return Prepared(run, forecasts, count(network))


CONTENDERS: dict[str, Callable[[Work, Setting, int, int], Prepared]] = {
    "project": prepare_project,
    "torch": prepare_torch,
    "neuralforecast": prepare_neuralforecast,
}


def prepare(work: Work, setting: Setting, windows: int, seed: int) -> Prepared:
    """Everything before the first step, which is not measured.

    Args:
        work: What is trained on.
        setting: Who trains, and how.
        windows: Budget: windows that may pass through the loss.
        seed: Of weights and order.
    """
    return CONTENDERS[setting.contender](work, setting, windows, seed)
