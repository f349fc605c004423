"""Scores of many cells as sub-networks of one supernet, which is trained once for all of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache, content_hash
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.inputs import (
    TrainingWindows,
    scaled_target,
    scaled_windows,
    training_windows,
)
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster, cell_dimension
from regime_nas_pipeline.networks.regime_net import cell_edges
from regime_nas_pipeline.networks.training import Steps, make_split, resolve_device, single_threaded
from regime_nas_pipeline.networks.windows import WindowData
from regime_nas_pipeline.search.cell_plan import CellSearchPlan
from regime_nas_pipeline.search.differentiable import search_cells
from regime_nas_pipeline.search.subnetworks import score_subnetworks
from regime_nas_pipeline.search.supernet import Architecture, build_supernet
from regime_nas_pipeline.walkforward.candidates import Task, build_candidate


def architecture_of(choices: Mapping[str, Any]) -> Architecture:
    """One operation for every edge, from the choices of a space of cells.

    Raises:
        ParameterError: The choices do not name an operation for every edge of whole cells.
    """
    for nodes in (1, 2, 3):
        edges = {edge: cell_dimension(*edge) for edge in cell_edges(nodes)}
        if set(edges.values()) == set(choices):
            return {edge: str(choices[name]) for edge, name in edges.items()}
    raise ParameterError(
        "weight sharing needs a space with every edge of cells of 1, 2 or 3 nodes, and nothing "
        f"else; it has: {', '.join(choices)}."
    )


def subnetwork_scores(
    task: Task,
    task_id: str,
    choices: Sequence[Mapping[str, Any]],
    budget: int,
    seed: int,
    cache: PieceCache,
) -> dict[str, Any]:
    """Train one supernet on uniform paths and score every candidate with its weights.

    Candidates are scored on the validation decisions of a full evaluation, so that the two differ
    by how weights come about and by nothing else.

    Args:
        task: What all candidates share; RegimeNAS.
        task_id: Its hash.
        choices: Candidates, cells alone.
        budget: Gradient samples of the supernet.
        seed: Of everything random.
        cache: Where the finished scores are kept.

    Returns:
        ``scores`` (mean squared error of scaled targets), ``gradient_samples`` and ``seconds``.

    Raises:
        ParameterError: The forecaster has no cells, or the candidates are not whole cells.

    Source: Guo et al. (2020). Single path one-shot neural architecture search with uniform
    sampling. arXiv 1904.00420.
    """
    if not issubclass(task.forecaster, RegimeNasForecaster):
        raise ParameterError(
            f"weight sharing needs the cells of regime_nas; {task.forecaster.__name__} has none. "
            "Set weight_sharing to null."
        )
    architectures = [architecture_of(each) for each in choices]
    key = content_hash("subnetworks", task_id, [dict(each) for each in choices], budget, seed)
    return cache.get_or_make(
        key, lambda: Bundle({}, _train_and_score(task, architectures, budget, seed))
    ).facts


def _train_and_score(
    task: Task, architectures: Sequence[Architecture], budget: int, seed: int
) -> dict[str, Any]:
    started = time.perf_counter()
    prototype: RegimeNasForecaster = build_candidate(
        task.forecaster, {**task.arguments, "seed": seed}, {}
    )
    nodes = max(node for _, node, _ in architectures[0])
    known = task.market.until(task.validation.fit_end)
    device = resolve_device(prototype.device)
    windows = training_windows(known, prototype.input_spec(), device)
    split = make_split(
        windows.data,
        prototype.training,
        execution_lag=prototype.execution_lag,
        horizon=prototype.horizon,
    )
    # The cell search's own choice is not used; one date keeps what it costs small.
    plan = CellSearchPlan(budget, path="single", selection="subnetwork", selection_dates=1)
    with single_threaded(seed):
        supernet = build_supernet(
            windows.sizes,
            timeframes=tuple(prototype.timeframes),
            joint=prototype.mode == "joint",
            width=prototype.width,
            nodes=nodes,
            head=prototype.head,
            attention_heads=prototype.attention_heads,
            dropout=prototype.dropout,
            gate=prototype.gate,
            uncertainty=prototype.uncertainty,
        ).to(device)
        trained = search_cells(
            supernet,
            windows.data,
            split,
            plan,
            prototype.training,
            objective=prototype.objective,
            steps=Steps(prototype.training.rate(prototype.learning_rate), prototype.weight_decay),
            seed=seed,
        )
        data = _validation_windows(task, prototype, windows)
        rows = task.market.dates.get_indexer(task.validation.decisions)
        errors = score_subnetworks(
            supernet, architectures, data, rows, prototype.training.batch_dates
        )
    return {
        "scores": errors.tolist(),
        "gradient_samples": trained.samples,
        "seconds": time.perf_counter() - started,
    }


def _validation_windows(
    task: Task, prototype: RegimeNasForecaster, trained: TrainingWindows
) -> WindowData:
    """Windows of everything that the search may see, in the scales of its training part."""
    spec, device = prototype.input_spec(), resolve_device(prototype.device)
    features = spec.make(task.market)
    scaled = scaled_windows(task.market.eligible, features, spec, trained.scaling, device)
    target = scaled_target(task.market, features.volatility, spec) / trained.scaling.target_size
    data = replace(scaled, target=torch.as_tensor(target, dtype=torch.float32, device=device))
    return data.select(np.isin(task.market.assets, trained.assets))
