"""Where a Transformer looks beside what its forecasts hang on, and whether the two agree."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from regime_nas_pipeline.core.batch_means import (
    LEAST_BATCHES,
    BatchMeans,
    batch_means,
    batched,
)
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.attention_maps import AttentionMaps
from regime_nas_pipeline.networks.window_importance import WindowImportance

N_RESAMPLES = 999
"""Resamples of batches behind the interval of a rank correlation."""


@dataclass(frozen=True, eq=False)
class AttentionInspection:
    """Attention and importance over the same windows.

    Attributes:
        weights: Attention of every layer and head averaged over windows, (K, H, S, S).
        cls: One row per layer, head and lag: layer and head (from 1), lag (bars before the
            decision bar; -1 is the CLS token itself), weight, low, high.
        entropy: One row per layer and head: layer, head, entropy of the CLS token's row in nats,
            low, high, and share of the most that it could be.
        features: One row per feature: feature, importance (loss added by shuffling it), low,
            high.
        blocks: One row per stretch of bars: first_lag, last_lag, importance (loss added, per bar
            of the stretch), low, high, and attention (weight of the CLS token per bar, averaged
            over layers and heads), attention_low, attention_high.
        agreement: One row per layer and head, and one for all averaged, whose layer and head are
            0: layer, head, correlation of ranks over the stretches, low, high; blank where either
            side is the same everywhere, and without limits where batches are too few.
        loss: Mean loss of the windows as they are.
        n_windows: Windows.
        n_batches: Batches of windows that intervals rest on.
        caution: What to keep in mind when looking at the maps.
    """

    weights: np.ndarray
    cls: pd.DataFrame
    entropy: pd.DataFrame
    features: pd.DataFrame
    blocks: pd.DataFrame
    agreement: pd.DataFrame
    loss: float
    n_windows: int
    n_batches: int
    caution: str


def inspection(
    maps: AttentionMaps,
    importance: WindowImportance,
    *,
    batch_windows: int,
    level: float = 0.95,
    seed: int = 0,
) -> AttentionInspection:
    """Tables of maps and importance over the same windows.

    Args:
        maps: Of one network, or joined over the folds of a walk; then a head is another one in
            every fold, and averages over heads are what means something.
        importance: Over the same windows.
        batch_windows: Consecutive windows whose means are taken as independent of those of the
            next; of one network at least as many as a window has bars, so that next but one share
            none.
        level: Coverage of the intervals.
        seed: Of the resamples.

    Raises:
        ParameterError: Maps and importance are of different windows.
    """
    if len(maps.cls) != len(importance.loss):
        raise ParameterError(
            f"attention was read over {len(maps.cls)} windows and importance over "
            f"{len(importance.loss)}."
        )
    cls = batch_means(maps.cls, batch_windows, level=level)
    entropy = batch_means(maps.entropy, batch_windows, level=level)
    lengths = np.subtract(importance.last_lags, importance.first_lags) + 1
    # The newest bar is the last token; blocks count from it back.
    by_lag = maps.cls[..., :0:-1]
    looked = np.add.reduceat(by_lag, importance.first_lags, axis=-1) / lengths
    blocks = importance.blocks / lengths
    agreement = _agreement(
        batched(looked, batch_windows), batched(blocks, batch_windows), level=level, seed=seed
    )
    spans = pd.DataFrame({"first_lag": importance.first_lags, "last_lag": importance.last_lags})
    needed = batch_means(blocks, batch_windows, level=level)
    block_table = spans.assign(**_columns(needed, "importance"))
    looks = batch_means(looked.mean(axis=(1, 2)), batch_windows, level=level)
    block_table = block_table.assign(
        attention=looks.mean, attention_low=looks.low, attention_high=looks.high
    )
    features = batch_means(importance.features, batch_windows, level=level)
    most = math.log(maps.cls.shape[-1])
    return AttentionInspection(
        weights=maps.mean,
        cls=_cls_table(cls),
        entropy=_entropy_table(entropy).assign(share=entropy.mean.ravel() / most),
        features=pd.DataFrame({"feature": importance.feature_names}).assign(
            **_columns(features, "importance")
        ),
        blocks=block_table,
        agreement=agreement,
        loss=float(importance.loss.mean()),
        n_windows=len(maps.cls),
        n_batches=cls.n_batches,
        caution=_caution(agreement.iloc[0], block_table, level),
    )


def _cls_table(means: BatchMeans) -> pd.DataFrame:
    layer, head, token = np.indices(means.mean.shape).reshape(3, -1)
    lag = np.where(token == 0, -1, means.mean.shape[-1] - 1 - token)
    keys = {"layer": layer + 1, "head": head + 1, "lag": lag}
    table = pd.DataFrame(keys).assign(**_columns(means, "weight"))
    return table.sort_values(["layer", "head", "lag"], ignore_index=True)


def _entropy_table(means: BatchMeans) -> pd.DataFrame:
    layer, head = np.indices(means.mean.shape).reshape(2, -1)
    return pd.DataFrame({"layer": layer + 1, "head": head + 1}).assign(**_columns(means, "entropy"))


def _columns(means: BatchMeans, name: str) -> dict[str, np.ndarray]:
    return {name: means.mean.ravel(), "low": means.low.ravel(), "high": means.high.ravel()}


def _agreement(looked: np.ndarray, blocks: np.ndarray, *, level: float, seed: int) -> pd.DataFrame:
    """Rank correlation of every head's attention with importance, resampled over batches.

    Args:
        looked: Attention per block, (n_batches, K, H, blocks).
        blocks: Importance per block, (n_batches, blocks).
        level: Coverage.
        seed: Of the resamples.
    """
    n, n_layers, n_heads, _ = looked.shape
    draws = np.random.default_rng(seed).integers(n, size=(N_RESAMPLES, n))
    rows = []
    everyone = [(0, 0, looked.mean(axis=(1, 2)))]
    single = [
        (layer + 1, head + 1, looked[:, layer, head])
        for layer in range(n_layers)
        for head in range(n_heads)
    ]
    for layer, head, one in everyone + single:
        low = high = math.nan
        if n >= LEAST_BATCHES:
            found = _rank_correlation(one[draws].mean(axis=1), blocks[draws].mean(axis=1))
            known = found[np.isfinite(found)]
            if known.size:
                low, high = np.quantile(known, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
        own = _rank_correlation(one.mean(axis=0), blocks.mean(axis=0))
        rows.append((layer, head, float(own), float(low), float(high)))
    return pd.DataFrame(rows, columns=["layer", "head", "correlation", "low", "high"])


def _rank_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's correlation over the last axis; blank where either side does not vary."""
    ranks = [rankdata(each, axis=-1) for each in (first, second)]
    one, other = (each - each.mean(axis=-1, keepdims=True) for each in ranks)
    size = np.sqrt((one**2).sum(axis=-1) * (other**2).sum(axis=-1))
    product = (one * other).sum(axis=-1)
    correlation: np.ndarray = np.where(
        size > 0.0, product / np.where(size > 0.0, size, 1.0), np.nan
    )
    return correlation


def _caution(overall: pd.Series, blocks: pd.DataFrame, level: float) -> str:
    """What the maps cannot say, with the numbers that show it.

    Source: Jain, S. and Wallace, B. C. (2019). Attention is not Explanation. NAACL.
    """
    said = (
        "Attention is not explanation: a weight says where the network looks, and not that its "
        "forecast would be worse without what it sees there (Jain and Wallace 2019)."
    )
    if np.isfinite(overall["correlation"]):
        said += (
            f" Over {len(blocks)} stretches of bars, ranks by attention and by the loss that "
            f"shuffling adds correlate by {overall['correlation']:.2f}"
        )
        if np.isfinite(overall["low"]):
            said += f" ({level:.0%} interval {overall['low']:.2f} to {overall['high']:.2f})"
        said += "."
    if blocks["low"].notna().any():
        above = int((blocks["low"] > 0.0).sum())
        said += f" Shuffling adds a loss whose interval lies above zero for {above} of them."
    return said
