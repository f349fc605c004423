"""Memory that is used again: large tensors given back by one step and taken by the next.

The system clears every page of a large new tensor, and takes it back when the tensor goes: at
batches of 600 windows a fifth of a GRU's time.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import torch
from torch import Tensor

MOST_BYTES = 2**28
"""That a thread keeps for later; what is more goes back to the system."""


class Workspace:
    """Tensors without content, by their number of elements, for each thread its own."""

    def __init__(self) -> None:
        self._local = threading.local()

    def take(
        self, shape: tuple[int, ...], *, like: Tensor, kind: torch.dtype | None = None
    ) -> Tensor:
        """A tensor of this shape whose content is arbitrary, on the device of ``like``.

        Args:
            shape: Sizes.
            like: Gives the device, and the type if ``kind`` is None.
            kind: Type.
        """
        kind, n_elements = kind or like.dtype, math.prod(shape)
        free = self._free()
        for place, tensor in enumerate(free):
            if (tensor.numel(), tensor.dtype, tensor.device) == (n_elements, kind, like.device):
                return free.pop(place).view(shape)
        return torch.empty(shape, dtype=kind, device=like.device)

    def lease(self, tensors: Sequence[Tensor]) -> Lease:
        """Give tensors back as soon as nobody holds what this returns."""
        return Lease(self, tensors)

    def give_back(self, *tensors: Tensor) -> None:
        """Keep tensors for later as far as there is room; the oldest ones make it."""
        free = self._free()
        free.extend(tensor.detach().view(-1) for tensor in tensors if tensor.numel())
        while sum(tensor.nbytes for tensor in free) > MOST_BYTES:
            free.pop(0)

    def _free(self) -> list[Tensor]:
        if not hasattr(self._local, "free"):
            self._local.free = []
        free: list[Tensor] = self._local.free
        return free


class Lease:
    """Holds tensors for as long as somebody holds it; a graph that may be gone through again does.

    Args:
        workspace: Gets them then.
        tensors: Taken from it.
    """

    def __init__(self, workspace: Workspace, tensors: Sequence[Tensor]) -> None:
        self._workspace = workspace
        self._tensors = tuple(tensors)

    def __del__(self) -> None:
        """Give everything back."""
        self._workspace.give_back(*self._tensors)
