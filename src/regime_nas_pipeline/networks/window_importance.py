"""What a network's forecasts hang on: the loss that shuffling features or bars adds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.networks.attention_maps import chosen, evaluating, in_parts
from regime_nas_pipeline.networks.windows import Batch

WindowError = Callable[[Any, Batch], Tensor]
"""Loss of every window, (B,), from what a network says of a batch."""


def squared_error(output: Any, batch: Batch) -> Tensor:
    """Squared error of a forecast, in units of scaled targets; mean over the assets of a window."""
    mask = batch.mask.to(batch.target.dtype)
    squares = mask * (output.mean - batch.target) ** 2
    error: Tensor = squares.sum(dim=1) / mask.sum(dim=1).clamp_min(1.0)
    return error


def class_log_loss(logits: Tensor, batch: Batch) -> Tensor:
    """-log p(class) in nats; targets are class numbers."""
    return functional.cross_entropy(logits, batch.target[:, 0].long(), reduction="none")


@dataclass(frozen=True, eq=False)
class WindowImportance:
    """Loss added in every window, averaged over repeats of the shuffle.

    Attributes:
        loss: Loss of every window as it is, (W,).
        features: Loss added where one feature is another window's at every bar, (W, F).
        blocks: Loss added where one stretch of bars is another window's, (W, number of blocks).
        feature_names: F names.
        first_lags: Newest bar of every block, in bars before the decision bar; 0 is that bar.
        last_lags: Oldest bar of every block.
    """

    loss: np.ndarray
    features: np.ndarray
    blocks: np.ndarray
    feature_names: tuple[str, ...]
    first_lags: tuple[int, ...]
    last_lags: tuple[int, ...]

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Importance over the windows of all parts, in their order.

        Raises:
            DataError: There is no part, or they differ in features or blocks.
        """
        kinds = {(part.feature_names, part.first_lags, part.last_lags) for part in parts}
        if len(kinds) != 1:
            raise DataError("importance of the same features and blocks is needed, at least one")
        return replace(
            parts[0],
            loss=np.concatenate([part.loss for part in parts]),
            features=np.concatenate([part.features for part in parts]),
            blocks=np.concatenate([part.blocks for part in parts]),
        )


def window_importance(
    network: nn.Module,
    batch: Batch,
    error: WindowError,
    *,
    feature_names: Sequence[str],
    block: int = 5,
    n_repeats: int = 5,
    seed: int = 0,
) -> WindowImportance:
    """Permutation importance of features and of stretches of bars.

    A shuffle puts into every window the feature, or the bars, of a window drawn without
    replacement; the values stay ones that occur. A feature that stands in the asset's and in the
    market's inputs is shuffled in both, since either alone could stand in for the other. The same
    draws serve all features and blocks. What two features both say, shuffling one of them does
    not take away: then both look less important than they are together.

    Args:
        network: Put into evaluation mode for the time of the call.
        batch: Windows outside its training data with known targets, in time order, of one asset
            each, see :func:`~.attention_maps.one_asset_each`; or of a network that sees all
            assets in one window.
        error: Loss of every window.
        feature_names: Names of the features of a bar.
        block: Bars in a stretch, counted from the decision bar back.
        n_repeats: Shuffles to average over.
        seed: Of the draws.

    Raises:
        ParameterError: The names do not fit the windows, or a number is below 1.
        DataError: There are fewer than two windows.

    Source: Breiman, L. (2001). Random Forests. Machine Learning 45(1); Fisher, A., Rudin, C. and
    Dominici, F. (2019). All Models are Wrong, but Many are Useful. JMLR 20(177).
    """
    n_windows, _, lookback, n_features = batch.asset.shape
    if len(feature_names) != n_features or batch.market.shape[-1] not in {0, n_features}:
        raise ParameterError(
            f"{len(feature_names)} names of features do not fit windows with {n_features} of the "
            f"asset and {batch.market.shape[-1]} of the market."
        )
    if block < 1 or n_repeats < 1:
        raise ParameterError(f"block {block} and n_repeats {n_repeats} must be at least 1.")
    if n_windows < 2:
        raise DataError("windows cannot be shuffled where there are fewer than two")
    first = list(range(0, lookback, block))
    last = [min(lag + block, lookback) - 1 for lag in first]
    generator = np.random.default_rng(seed)
    with evaluating(network):
        loss = _losses(network, batch, error)
        added = np.zeros((n_features + len(first), n_windows))
        for _ in range(n_repeats):
            drawn = torch.as_tensor(generator.permutation(n_windows), device=batch.asset.device)
            for number, shuffled in enumerate(_shuffled(batch, drawn, first, last)):
                added[number] += (_losses(network, shuffled, error) - loss) / n_repeats
    return WindowImportance(
        loss=loss,
        features=added[:n_features].T,
        blocks=added[n_features:].T,
        feature_names=tuple(feature_names),
        first_lags=tuple(first),
        last_lags=tuple(last),
    )


def _losses(network: nn.Module, batch: Batch, error: WindowError) -> np.ndarray:
    losses = [error(network(part), part).double().cpu().numpy() for part in in_parts(batch)]
    found: np.ndarray = np.concatenate(losses)
    return found


def _shuffled(
    batch: Batch, drawn: Tensor, first: Sequence[int], last: Sequence[int]
) -> Iterator[Batch]:
    """The windows with one feature after the other shuffled, then with one block after another."""
    other = chosen(batch, drawn)
    for feature in range(batch.asset.shape[-1]):
        asset, market = batch.asset.clone(), batch.market.clone()
        asset[..., feature] = other.asset[..., feature]
        if market.shape[-1]:
            market[..., feature] = other.market[..., feature]
        yield replace(batch, asset=asset, market=market)
    lookback = batch.asset.shape[2]
    for newest, oldest in zip(first, last, strict=True):
        asset, market = batch.asset.clone(), batch.market.clone()
        bars = slice(lookback - 1 - oldest, lookback - newest)
        asset[:, :, bars] = other.asset[:, :, bars]
        # The market's windows begin one bar earlier.
        bars = slice(bars.start + 1, bars.stop + 1)
        market[:, bars] = other.market[:, bars]
        yield replace(batch, asset=asset, market=market)
