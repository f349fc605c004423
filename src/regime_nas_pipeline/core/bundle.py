"""Arrays and facts in one safe file: safetensors with JSON metadata."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors


@dataclass(frozen=True)
class Bundle:
    """Named arrays and JSON facts: how fitted models and finished pieces of work are kept.

    Attributes:
        arrays: Name to array; any shape, numeric or boolean dtype.
        facts: Anything that JSON can hold.
    """

    arrays: dict[str, np.ndarray]
    facts: dict[str, Any] = field(default_factory=dict)

    def prefixed(self, prefix: str) -> dict[str, np.ndarray]:
        """Arrays under ``prefix/``, named without it."""
        start = prefix + "/"
        return {
            name[len(start) :]: array
            for name, array in self.arrays.items()
            if name.startswith(start)
        }


def bundle_to_bytes(bundle: Bundle) -> bytes:
    """Serialise to one safetensors file image; equal bundles give equal bytes."""
    # Unlike np.ascontiguousarray, this leaves the shape () of a single number as it is.
    arrays = {name: np.asarray(bundle.arrays[name], order="C") for name in sorted(bundle.arrays)}
    return save_tensors(arrays, metadata={"facts": json.dumps(bundle.facts, sort_keys=True)})


def bundle_from_bytes(image: bytes) -> Bundle:
    """Read back what :func:`bundle_to_bytes` wrote; nothing is executed on reading."""
    header_length = int.from_bytes(image[:8], "little")
    header = json.loads(image[8 : 8 + header_length])
    facts = json.loads(header.get("__metadata__", {}).get("facts", "{}"))
    return Bundle(arrays=load_tensors(image), facts=facts)
