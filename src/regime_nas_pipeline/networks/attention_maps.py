"""Where a Transformer looks: attention weights per layer and head, read off without touching it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.networks.training import single_threaded
from regime_nas_pipeline.networks.windows import Batch

WINDOWS_AT_ONCE = 64
"""Windows that pass through the network together."""


@dataclass(frozen=True, eq=False)
class AttentionMaps:
    """Attention over a set of windows, of K layers and H heads and S = L + 1 tokens.

    Token 0 is the CLS token, token 1 the oldest bar of the window and token L the decision bar.

    Attributes:
        mean: Weight that the token of a row gives to that of a column, averaged over windows,
            (K, H, S, S); rows sum to 1.
        cls: The CLS token's row in every window, (W, K, H, S): what the forecast is read from.
        entropy: Entropy of that row in nats, (W, K, H): log S where it looks everywhere alike, 0
            where it looks at one token.
    """

    mean: np.ndarray
    cls: np.ndarray
    entropy: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Maps over the windows of all parts, in their order.

        Raises:
            DataError: There is no part, or their networks differ in layers, heads or tokens.
        """
        if len({part.mean.shape for part in parts}) != 1:
            raise DataError("attention maps of one shape are needed, at least one of them")
        sizes = [len(part.cls) for part in parts]
        return cls(
            mean=np.average([part.mean for part in parts], axis=0, weights=sizes),
            cls=np.concatenate([part.cls for part in parts]),
            entropy=np.concatenate([part.entropy for part in parts]),
        )


def attention_maps(network: nn.Module, batch: Batch) -> AttentionMaps:
    """Attention of a network's encoder over windows.

    The network's own forward pass gives the tokens that enter its encoder; each layer is then
    called as the encoder calls it, and beside it the layer's attention is asked for its weights.
    Nothing in the network changes, and no hook slows its layers down.

    Args:
        network: Has an ``encoder``, a :class:`torch.nn.TransformerEncoder` whose first token is
            the CLS token. Put into evaluation mode for the time of the call.
        batch: Windows of one asset each, see :func:`one_asset_each`; or of a network that sees
            all assets in one window.

    Raises:
        ParameterError: The network has no such encoder.
        DataError: There are no windows, or one holds several assets for a network that sees them
            one by one.
    """
    encoder, layers = encoder_of(network)
    means, rows = [], []
    with evaluating(network):
        for part in in_parts(batch):
            tokens = encoder_tokens(network, encoder, part)
            if len(tokens) != len(part.asset):
                raise DataError(
                    "attention is read over windows of one asset each; the batch holds "
                    f"{part.asset.shape[1]} assets per window"
                )
            weights = torch.stack(layer_weights(layers, tokens)).double()
            means.append(weights.sum(dim=1).cpu().numpy())
            rows.append(weights[:, :, :, 0].transpose(0, 1).cpu().numpy())
    if not rows:
        raise DataError("there are no windows to read attention from")
    cls = np.concatenate(rows)
    return AttentionMaps(np.sum(means, axis=0) / len(cls), cls, row_entropy(cls))


def encoder_of(
    network: nn.Module,
) -> tuple[nn.TransformerEncoder, list[nn.TransformerEncoderLayer]]:
    """The encoder of a network, and its layers.

    Raises:
        ParameterError: It has none, or one of other layers than torch's own.
    """
    encoder = getattr(network, "encoder", None)
    if isinstance(encoder, nn.TransformerEncoder):
        layers = [each for each in encoder.layers if isinstance(each, nn.TransformerEncoderLayer)]
        if len(layers) == len(encoder.layers):
            return encoder, layers
    raise ParameterError(
        f"{type(network).__name__} has no Transformer encoder whose attention could be read."
    )


def encoder_tokens(network: nn.Module, encoder: nn.TransformerEncoder, batch: Batch) -> Tensor:
    """What enters the encoder in the network's own forward pass, (windows, S, width)."""
    seen: list[Tensor] = []

    def remember(_: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        seen.append(arguments[0])

    # On the encoder alone: a hook on a layer would send it down another path of torch's.
    handle = encoder.register_forward_pre_hook(remember)
    try:
        network(batch)
    finally:
        handle.remove()
    return seen[0]


def layer_weights(layers: Sequence[nn.TransformerEncoderLayer], tokens: Tensor) -> list[Tensor]:
    """Attention weights of every layer, each (windows, heads, S, S), no head averaged away."""
    weights = []
    for layer in layers:
        entering = layer.norm1(tokens) if layer.norm_first else tokens
        _, each = layer.self_attn(
            entering, entering, entering, need_weights=True, average_attn_weights=False
        )
        weights.append(each)
        tokens = layer(tokens)
    return weights


def row_entropy(rows: np.ndarray) -> np.ndarray:
    """Entropy in nats of rows that sum to 1, (..., S) to (...)."""
    logs = np.log(np.where(rows > 0.0, rows, 1.0))
    entropy: np.ndarray = -(rows * logs).sum(axis=-1)
    return entropy


def one_asset_each(batch: Batch) -> Batch:
    """The unmasked windows of a batch, date by date, as windows of one asset each.

    For networks that see assets one by one, and for one asset the batch without its masked dates.

    Raises:
        DataError: Every window is masked.
    """
    kept = batch.mask
    if not bool(kept.any()):
        raise DataError("no asset has a whole window with a known target")
    date = torch.nonzero(kept)[:, 0]
    return Batch(
        asset=batch.asset[kept][:, None],
        market=batch.market[date],
        mask=kept[kept][:, None],
        target=batch.target[kept][:, None],
        regimes=None if batch.regimes is None else batch.regimes[date],
        weight=None if batch.weight is None else batch.weight[kept][:, None],
    )


def in_parts(batch: Batch, size: int = WINDOWS_AT_ONCE) -> Iterator[Batch]:
    """The windows of a batch, ``size`` at a time."""
    for start in range(0, len(batch.asset), size):
        yield chosen(batch, slice(start, start + size))


def chosen(batch: Batch, dates: slice | Tensor) -> Batch:
    """Some windows of a batch."""
    parts = {field.name: getattr(batch, field.name) for field in fields(batch)}
    known = {name: part[dates] for name, part in parts.items() if part is not None}
    return replace(batch, **known)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """The network without dropout and gradients on one thread; its mode is put back afterwards."""
    training = network.training
    network.eval()
    try:
        with single_threaded(0), torch.no_grad():
            yield
    finally:
        network.train(training)
