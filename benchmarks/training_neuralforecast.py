"""How neuralforecast trains in ``training.py``: the same shape, windows, loss and optimiser.

It is a peer that may be absent, so nothing of it is imported before it is asked for.
"""

from __future__ import annotations

import logging
import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from training_work import (
    CLIP,
    DROPOUT,
    FEED_FORWARD,
    HEADS,
    LAYERS,
    SPEC,
    STEPS,
    WIDTH,
    Prepared,
    Setting,
    Work,
    count,
)


def prepare_neuralforecast(work: Work, setting: Setting, windows: int, seed: int) -> Prepared:
    """Neuralforecast's ``GRU`` or ``VanillaTransformer`` on one series for each asset.

    Its series at bar t + 1 is the target of bar t, so that it forecasts one bar ahead what the
    others forecast. What it saw of the series itself would overlap with that target, so its own
    switch leaves it out and the features are all that it sees. The transformer takes features that
    are known beforehand only: it gets them one bar late, which shows it nothing newer.
    """
    quiet_lightning()
    from neuralforecast.losses.pytorch import MSE  # noqa: PLC0415 - a peer that may be absent
    from neuralforecast.models import GRU, VanillaTransformer  # noqa: PLC0415
    from neuralforecast.tsdataset import TimeSeriesDataset  # noqa: PLC0415

    late = int(setting.network == "transformer")
    frame = long_frame(work, late)
    names = [name for name in frame if name.startswith("x")]
    common: dict[str, Any] = {
        "h": 1,
        "input_size": SPEC.lookback,
        "exclude_insample_y": True,
        "loss": MSE(),
        "max_steps": max(1, math.ceil(windows / setting.batch)),
        "learning_rate": STEPS.learning_rate,
        "optimizer": torch.optim.AdamW,
        "optimizer_kwargs": {"weight_decay": STEPS.weight_decay},
        "batch_size": setting.series or work.n_assets,
        "windows_batch_size": setting.batch,
        "scaler_type": "identity",
        "random_seed": seed,
        "gradient_clip_val": CLIP,
        "precision": "bf16-mixed" if setting.mixed else "32-true",
        "accelerator": "cpu",
        "devices": 1,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    if setting.network == "gru":
        network = GRU(
            **common,
            hist_exog_list=names,
            encoder_n_layers=LAYERS["gru"],
            encoder_hidden_size=WIDTH,
            decoder_layers=1,
        )
    else:
        network = VanillaTransformer(
            **common,
            futr_exog_list=names,
            decoder_input_size_multiplier=1 / SPEC.lookback,
            hidden_size=WIDTH,
            dropout=DROPOUT,
            n_head=HEADS,
            conv_hidden_size=FEED_FORWARD * WIDTH,
            encoder_layers=LAYERS["transformer"],
            decoder_layers=1,
        )
    dataset = TimeSeriesDataset.from_df(frame, id_col="unique_id", time_col="ds", target_col="y")[0]

    def run() -> int:
        network.fit(dataset, val_size=0)
        return network.max_steps * setting.batch

    def forecasts() -> list[np.ndarray]:
        return [forecasts_of(network, work, late)]

    return Prepared(run, forecasts, count(network))


def long_frame(work: Work, late: int) -> pd.DataFrame:
    """Bars of all training windows as neuralforecast wants them; see above for ``y``."""
    first = int(work.split.training[0]) - SPEC.lookback + 1
    bars = np.arange(first, int(work.split.training[-1]) + 2)
    features = work.channels()[:, bars - late].numpy()
    # The first windows end 60 bars later, so that what stands before the first target is never one.
    target = work.data.target[bars - 1].T.nan_to_num().numpy()
    table = {f"x{n}": features[:, :, n].ravel() for n in range(features.shape[-1])}
    ids = np.repeat(np.arange(work.n_assets), len(bars))
    return pd.DataFrame(
        {"unique_id": ids, "ds": np.tile(bars, work.n_assets), "y": target.ravel(), **table}
    )


def forecasts_of(network: nn.Module, work: Work, late: int) -> np.ndarray:
    """What a fitted network of neuralforecast says of the validation rows, (rows, N)."""
    channels, rows = work.channels(), work.split.validation
    span = np.arange(-SPEC.lookback + 1, 2)[None, :] - late
    # Beyond the last bar that a forecast may know stands nothing that the network looks at.
    bars = np.minimum(rows[:, None] + span, rows[:, None])
    seen = channels[:, bars].flatten(0, 1)
    network.eval()
    with torch.no_grad():
        output = network(
            {
                "insample_y": torch.zeros(len(seen), SPEC.lookback, 1),
                "insample_mask": torch.ones(len(seen), SPEC.lookback, 1),
                "hist_exog": seen[:, :-1],
                "futr_exog": seen,
                "stat_exog": None,
            }
        )
    return output[:, 0, 0].view(work.n_assets, len(rows)).T.numpy()


def quiet_lightning() -> None:
    """Lightning announces every trainer, and advises to use more processes."""
    warnings.filterwarnings("ignore", module="(pytorch_lightning|lightning_fabric|neuralforecast)")
    for name in ("pytorch_lightning", "lightning_fabric", "pytorch_lightning.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
