"""A GRU whose gradient is written out: the numbers of ``torch.nn.GRU`` in two thirds of the time.

Automatic differentiation through a recurrence of 60 bars keeps and copies every intermediate and
adds up the weights' gradient bar by bar. Here the state, the input and a one stand in the rows of
one matrix per bar, with a column for each window, so that a bar is three matrix products and a
few elementwise operations on memory without gaps, and its share of the gradient three more.

Under ``torch.autocast`` the products are computed in bfloat16, everything else in float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn

from regime_nas_pipeline.networks.recurrence import run_layer

_KERNEL: ContextVar[str] = ContextVar("kernel", default="best")
_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class FastGRU(nn.GRU):
    """``torch.nn.GRU`` with the same weights and results; batch first, one direction, with biases.

    Where no gradient is wanted, and on a GPU, it is torch's own: that keeps no intermediates, and
    is one fused kernel there.

    Args:
        input_size: Inputs per bar.
        hidden_size: Units, W.
        num_layers: Stacked layers.
        dropout: Dropout between layers, in training.
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers=num_layers, batch_first=True, dropout=dropout
        )

    def all_states(self, windows: Tensor) -> Tensor:
        """The top layer's state after each bar: windows (B, L, inputs) to (B, L, W)."""
        if not _written_out(windows):
            states: Tensor = self(windows)[0]
            return states
        return self._run(windows, last_only=False).permute(2, 0, 1)

    def last_state(self, windows: Tensor) -> Tensor:
        """The top layer's state after the last bar: windows (B, L, inputs) to (B, W)."""
        if not _written_out(windows):
            last: Tensor = self(windows)[1][-1]
            return last
        return self._run(windows, last_only=True).t()

    def _run(self, windows: Tensor, *, last_only: bool) -> Tensor:
        """All states (L, W, B), or the last (W, B)."""
        states = windows.permute(1, 2, 0)
        for layer in range(self.num_layers):
            if layer and self.dropout:
                states = nn.functional.dropout(states, self.dropout, self.training)
            weights = [getattr(self, f"{name}_l{layer}")[None] for name in _WEIGHTS]
            last = last_only and layer == self.num_layers - 1
            states = run_layer(states[None], *weights, last, _product_type(windows))[0][0]
        return states


@contextmanager
def torchs_own() -> Iterator[None]:
    """Leave every GRU to torch, whose gradient can be differentiated once more."""
    with _kernel("torch"):
        yield


@contextmanager
def side_by_side() -> Iterator[None]:
    """Write every GRU out, on a GPU too: torch's own does not go through ``torch.vmap``."""
    with _kernel("written out"):
        yield


@contextmanager
def _kernel(name: str) -> Iterator[None]:
    token = _KERNEL.set(name)
    try:
        yield
    finally:
        _KERNEL.reset(token)


def _written_out(windows: Tensor) -> bool:
    kernel = _KERNEL.get()
    if kernel == "best":
        return torch.is_grad_enabled() and not windows.is_cuda
    return kernel == "written out"


def _product_type(windows: Tensor) -> torch.dtype:
    kind = windows.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else windows.dtype
