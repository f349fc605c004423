"""Networks of several seeds trained side by side, and one by one, on a GPU or a CPU.

Run from the repository: ``python benchmarks/side_by_side.py``. Every network is trained on the
same windows of noise with the same budget, alone and as one of several, in turn. Prints windows
per second of the whole group, the ratio, and on a GPU the most memory that was taken; then the
same as JSON, which ``--output`` keeps in a file. On a machine without a GPU it measures the CPU, on
one thread, and says so.
Options: ``--device``, ``--seeds`` (group sizes), ``--samples`` (budget of each network),
``--repeats``, ``--output``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from regime_nas_pipeline.networks.base import ForecastNetwork
from regime_nas_pipeline.networks.gru import GRUNetwork
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.regime_net import RegimeNet, operation_edges
from regime_nas_pipeline.networks.together import train_each
from regime_nas_pipeline.networks.training import (
    Steps,
    TrainingPlan,
    TrainingTask,
    make_split,
    resolve_device,
    single_threaded,
)
from regime_nas_pipeline.networks.training_plan import Together
from regime_nas_pipeline.networks.transformer import TransformerNetwork
from regime_nas_pipeline.networks.windows import WindowData
from regime_nas_pipeline.search.subnetworks import random_blocks

N_BARS, N_ASSETS, N_FEATURES, LOOKBACK = 3_700, 20, 8, 60
MARKET_TIMEFRAMES = (1, 5, 21)
WIDTH, NODES, HEADS = 16, 2, 2


def windows_of_noise(device: torch.device) -> WindowData:
    """As many windows as the default run's last fold, of nothing."""
    generator = torch.Generator().manual_seed(0)
    usable = torch.ones(N_BARS, N_ASSETS, dtype=torch.bool)
    usable[:LOOKBACK] = False
    market = torch.randn(N_BARS, len(MARKET_TIMEFRAMES), generator=generator)
    return WindowData(
        asset=torch.randn(N_BARS, N_ASSETS, N_FEATURES, generator=generator).to(device),
        market=market.to(device),
        usable=usable.to(device),
        target=torch.randn(N_BARS, N_ASSETS, generator=generator).to(device),
        lookback=LOOKBACK,
    )


def gru() -> ForecastNetwork:
    """One layer of 16 units."""
    return GRUNetwork(
        n_assets=N_ASSETS,
        n_asset_features=N_FEATURES,
        n_market_features=len(MARKET_TIMEFRAMES),
        joint=False,
        width=WIDTH,
        layers=1,
        dropout=0.1,
    )


def transformer() -> ForecastNetwork:
    """Two layers of 16 channels."""
    return TransformerNetwork(
        n_assets=N_ASSETS,
        n_asset_features=N_FEATURES,
        n_market_features=len(MARKET_TIMEFRAMES),
        joint=False,
        lookback=LOOKBACK,
        width=WIDTH,
        layers=2,
        attention_heads=HEADS,
        feed_forward=2,
        dropout=0.1,
    )


def regime_net() -> ForecastNetwork:
    """Cells drawn at random, the same for every seed."""
    number = 0
    while "lstm" in json.dumps(
        blocks := random_blocks(NODES, np.random.default_rng(number), NODES)
    ):
        number += 1
    nodes, make_edge = operation_edges(blocks, WIDTH, HEADS)
    return RegimeNet(
        n_assets=N_ASSETS,
        n_asset_features=N_FEATURES,
        market_timeframes=MARKET_TIMEFRAMES,
        timeframes=MARKET_TIMEFRAMES,
        joint=False,
        width=WIDTH,
        nodes=nodes,
        head="linear",
        attention_heads=HEADS,
        dropout=0.1,
        make_edge=make_edge,
        evidence_nodes=NODES,
    )


NETWORKS: dict[str, Callable[[], ForecastNetwork]] = {
    "GRU": gru,
    "Transformer": transformer,
    "RegimeNAS": regime_net,
}


def seconds_of(
    make: Callable[[], ForecastNetwork], data: WindowData, plan: TrainingPlan, n_networks: int
) -> tuple[float, int]:
    """Seconds of training so many networks, and the windows that went through their losses.

    On a CPU processor time, which other work on the machine disturbs less; on a GPU wall time.
    """
    device = data.asset.device
    split = make_split(data, plan, execution_lag=1, horizon=21)
    with single_threaded(0):
        networks = [make().to(device) for _ in range(n_networks)]
    on_gpu = device.type == "cuda"
    clock = time.perf_counter if on_gpu else time.process_time
    started = clock()
    task = TrainingTask(data, split, plan, Objective(), Steps())
    results = train_each(networks, task, seeds=list(range(n_networks)))
    if on_gpu:
        torch.cuda.synchronize(device)
    return clock() - started, sum(result.samples for result in results)


def measured(
    name: str, n_networks: int, data: WindowData, plan: TrainingPlan, repeats: int
) -> dict[str, Any]:
    """Windows per second both ways, medians of ``repeats`` rounds in which they take turns."""
    rates: dict[Together, list[float]] = {"always": [], "never": []}
    on_gpu = data.asset.device.type == "cuda"
    memory = None
    for each in rates:  # compile, warm up
        seconds_of(NETWORKS[name], data, replace(plan, together=each, max_samples=400), n_networks)
    for _ in range(repeats):
        for each, found in rates.items():
            if on_gpu:
                torch.cuda.reset_peak_memory_stats()
            seconds, samples = seconds_of(
                NETWORKS[name], data, replace(plan, together=each), n_networks
            )
            found.append(samples / seconds)
            if on_gpu and each == "always":
                memory = torch.cuda.max_memory_allocated() / 2**20
    together, alone = float(np.median(rates["always"])), float(np.median(rates["never"]))
    return {
        "network": name,
        "networks": n_networks,
        "together_per_second": round(together),
        "one_by_one_per_second": round(alone),
        "ratio": round(together / alone, 3),
        "peak_memory_mib": None if memory is None else round(memory, 1),
    }


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 8])
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    device = resolve_device(options.device)
    machine = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU, one thread"
    if device.type == "cpu":
        torch.set_num_threads(1)
    print(f"{machine}; windows per second of all networks of a group")
    print(f"{'':<12}{'networks':>9}{'together':>10}{'in turn':>10}{'ratio':>8}{'MiB':>9}")
    data = windows_of_noise(device)
    plan = TrainingPlan(max_samples=options.samples, batch_dates=4, sample_every=5)
    rows = []
    for name in NETWORKS:
        for n_networks in options.seeds:
            row = measured(name, n_networks, data, plan, options.repeats)
            rows.append(row)
            memory = row["peak_memory_mib"]
            print(
                f"{name:<12}{n_networks:>9}{row['together_per_second']:>10,}"
                f"{row['one_by_one_per_second']:>10,}{row['ratio']:>8.2f}"
                f"{'' if memory is None else memory:>9}",
                flush=True,
            )
    found = {"machine": machine, "device": str(device), "samples": options.samples, "rows": rows}
    if options.output is not None:
        options.output.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
