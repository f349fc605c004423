"""The inner search of regime_nas, from macro choices to cells, on a training market."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from sklearn.base import clone

from regime_nas_pipeline.core.splits import strided
from regime_nas_pipeline.forecasters.inputs import training_windows
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster, align_regimes
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.regime_net import RegimeNet
from regime_nas_pipeline.networks.training import (
    Split,
    Steps,
    TrainingPlan,
    TrainingTask,
    derived_seed,
    make_split,
    resolve_device,
    single_threaded,
    train,
)
from regime_nas_pipeline.networks.windows import WindowData
from regime_nas_pipeline.search.cell_plan import CellSearchResult
from regime_nas_pipeline.search.differentiable import search_cells
from regime_nas_pipeline.search.evidence import SideBySideEvidence
from regime_nas_pipeline.search.retrain import TrainFromScratch, retrain
from regime_nas_pipeline.search.supernet import build_supernet
from regime_nas_pipeline.walkforward.parameters import Search
from regime_nas_pipeline.walkforward.search_parameters import CellSearch


def find_cells(
    prototype: RegimeNasForecaster, market: Market, nodes: int, budget: int, search: Search
) -> CellSearchResult:
    """Inner search: the cells of a RegimeNAS network with ``prototype``'s macro choices.

    With ``top_k`` > 1 the best few architectures are then trained from scratch, and the one with
    the lowest mean error over seeds is returned.

    Raises:
        ParameterError: The budget is too small, or settings contradict each other.
    """
    settings = search.cell_search
    plan = settings.plan(budget)
    if prototype.objective.label_weight > 0:
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
        supernet = _supernet(prototype, windows.sizes, nodes, settings).to(device)
        found = search_cells(
            supernet,
            windows.data,
            split,
            plan,
            training,
            objective=prototype.objective,
            steps=Steps(prototype.training.rate(prototype.learning_rate), prototype.weight_decay),
            seed=prototype.seed,
        )
    if plan.top_k == 1:
        return found
    # The same rows as the supernet's scores, so that the two rankings answer one question.
    rows = strided(split.validation, training.sample_every)
    outcome = retrain(
        found.candidates,
        _trainer(prototype, windows.data, windows.sizes, Split(split.training, rows), training),
        seeds=[derived_seed(prototype.seed, 1 + n) for n in range(plan.retrain_seeds)],
        max_samples=budget - found.samples,
    )
    return replace(
        found,
        blocks=outcome.best.blocks,
        samples=found.samples + outcome.samples,
        facts={**found.facts, **outcome.facts()},
    )


def _supernet(
    prototype: RegimeNasForecaster, sizes: Mapping[str, Any], nodes: int, settings: CellSearch
) -> RegimeNet:
    """The supernet of the prototype's macro choices, with untrained weights."""
    evidence = None
    if settings.evidence == "side_by_side":
        module = SideBySideEvidence(prototype.width, prototype.attention_heads)
        evidence = (module, len(module.names) * prototype.width)
    return build_supernet(
        sizes,
        evidence=evidence,
        timeframes=tuple(prototype.timeframes),
        joint=prototype.mode == "joint",
        width=prototype.width,
        nodes=nodes,
        head=prototype.head,
        attention_heads=prototype.attention_heads,
        dropout=prototype.dropout,
        gate=prototype.gate,
        uncertainty=prototype.uncertainty,
        gate_before=prototype.objective.smoothness_weight > 0.0,
    )


def _trainer(
    prototype: RegimeNasForecaster,
    data: WindowData,
    sizes: Mapping[str, Any],
    split: Split,
    training: TrainingPlan,
) -> TrainFromScratch:
    """Trains cells as the forecaster would, on the cell search's own rows."""

    def train_from_scratch(
        blocks: dict[str, Any], seed: int, max_samples: int
    ) -> tuple[float, int]:
        candidate = clone(prototype).set_params(blocks=blocks)
        plan = replace(training, max_samples=max_samples)
        steps = Steps(training.rate(candidate.learning_rate), candidate.weight_decay)
        with single_threaded(seed), torch.enable_grad():
            network = candidate.build_network(sizes).to(data.asset.device)
            task = TrainingTask(data, split, plan, candidate.objective, steps)
            limit = candidate.weight_limit(sizes["n_assets"])
            result = train(network, task, seed=seed, limit=limit)
        return result.best_validation, result.samples

    return train_from_scratch
