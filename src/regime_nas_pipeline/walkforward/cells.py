"""The inner search of regime_nas, from macro choices to cells, on a training market."""

from __future__ import annotations

from dataclasses import replace

import torch

from regime_nas_pipeline.forecasters.inputs import training_windows
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster, align_regimes
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.training import (
    Steps,
    make_split,
    resolve_device,
    single_threaded,
)
from regime_nas_pipeline.search.differentiable import (
    CellSearchPlan,
    CellSearchResult,
    search_cells,
)
from regime_nas_pipeline.search.supernet import build_supernet
from regime_nas_pipeline.walkforward.parameters import Search


def find_cells(
    prototype: RegimeNasForecaster, market: Market, nodes: int, budget: int, search: Search
) -> CellSearchResult:
    """Inner search: the cells of a RegimeNAS network with ``prototype``'s macro choices."""
    settings = search.cell_search
    plan = CellSearchPlan(
        max_samples=budget,
        alpha_learning_rate=settings.alpha_learning_rate,
        alpha_every=settings.alpha_every,
        warm_up=settings.warm_up,
        final_temperature=settings.final_temperature,
    )
    if prototype.label_weight > 0:
        market = align_regimes(market)
    device = resolve_device(prototype.device)
    windows = training_windows(market, prototype.input_spec(), device)
    training = replace(prototype.training, validation_fraction=settings.alpha_fraction)
    split = make_split(
        windows.data,
        replace(training, sample_every=1),
        execution_lag=prototype.execution_lag,
        horizon=prototype.horizon,
    )
    with single_threaded(prototype.seed), torch.enable_grad():
        supernet = build_supernet(
            windows.sizes,
            joint=prototype.mode == "joint",
            width=prototype.width,
            nodes=nodes,
            head=prototype.head,
            attention_heads=prototype.attention_heads,
            dropout=prototype.dropout,
        ).to(device)
        return search_cells(
            supernet,
            windows.data,
            split,
            plan,
            training,
            objective=prototype.objective(),
            steps=Steps(prototype.learning_rate, prototype.weight_decay),
            seed=prototype.seed,
        )
