"""How fast matrices are multiplied: torch's own products beside the package's choice.

Run from the repository: ``python benchmarks/products.py``. The products of one bar of a GRU of
64 units and 24 inputs, forward and back, in float32 on one thread, for several numbers of windows.
Both take turns, round after round. Prints JSON: GFLOP/s of ``torch.bmm`` and of
``networks.products.multiply``, their ratio, and the milliseconds that oneDNN's first three calls
take at a size that it has not seen, of which it prepares in each. Options: ``--windows``,
``--repeats``, ``--seconds`` (of one measurement).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from regime_nas_pipeline.networks import products

UNITS, INPUTS = 64, 24
WINDOWS = (80, 160, 320, 512, 1020)
SHAPES = {
    "gates": (2 * UNITS, UNITS + 1 + INPUTS),
    "memory": (UNITS, UNITS + 1),
    "input": (UNITS, INPUTS + 1),
    "state, back": (UNITS, 3 * UNITS),
}
"""Rows and columns of the weights of each product."""

FIRST_CALLS = 3


def seconds_of(multiply: Callable[[], object], seconds: float) -> float:
    """Mean time of a call."""
    multiply()
    begun, calls = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        multiply()
        calls += 1
    return (time.perf_counter() - begun) / calls


def compared(weights: tuple[int, int], windows: int, options: argparse.Namespace) -> dict[str, Any]:
    """GFLOP/s of both, medians over rounds, and the ratio round by round."""
    rows, inner = weights
    left, right = torch.randn(1, rows, inner), torch.randn(1, inner, windows)
    out = torch.empty(1, rows, windows)
    ways = {
        "torch": lambda: torch.bmm(left, right, out=out),
        "project": lambda: products.multiply(left, right, out),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(options.repeats):
        for name in list(ways)[:: 1 if number % 2 == 0 else -1]:
            taken[name].append(seconds_of(ways[name], options.seconds))
    work = 2e-9 * rows * inner * windows
    ratio = np.array(taken["torch"]) / np.array(taken["project"])
    low, middle, high = np.percentile(ratio, [5, 50, 95])
    return {
        **{name: work / float(np.median(each)) for name, each in taken.items()},
        "ratio": {"median": float(middle), "p5": float(low), "p95": float(high)},
    }


def first_calls(repeats: int) -> list[float]:
    """Milliseconds of the first calls at sizes not seen before, each a median over sizes."""
    rows, inner = SHAPES["gates"]
    left = torch.randn(1, rows, inner)
    taken = []
    for number in range(10 * repeats):
        windows = max(WINDOWS) + 1 + number
        right, out = torch.randn(1, inner, windows), torch.empty(1, rows, windows)
        of_size = []
        for _ in range(FIRST_CALLS):
            begun = time.perf_counter()
            products.multiply(left, right, out)
            of_size.append(1e3 * (time.perf_counter() - begun))
        taken.append(of_size)
    return [float(each) for each in np.median(taken, axis=0)]


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, nargs="+", default=list(WINDOWS))
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [
        {
            "product": name,
            "shape": [*weights, windows],
            "by_onednn": weights[0] * weights[1] * windows >= products.WORTHWHILE,
            **compared(weights, windows, options),
        }
        for windows in options.windows
        for name, weights in SHAPES.items()
    ]
    print(json.dumps({"rows": rows, "first_calls_ms": first_calls(options.repeats)}, indent=1))


if __name__ == "__main__":
    main()
