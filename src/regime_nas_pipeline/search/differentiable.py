"""The inner search: architecture weights by gradient, then one operation per edge.

First-order DARTS (arXiv 1806.09055) on data ordered in time: network weights learn on the first
part of the training window, architecture weights on its purged last part. What is known to go
wrong with it has its remedies here, each by a setting of :class:`CellSearchPlan`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.splits import strided
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.regime_net import RegimeNet
from regime_nas_pipeline.networks.training import (
    Split,
    Steps,
    TrainingPlan,
    endless_batches,
)
from regime_nas_pipeline.networks.windows import Batch, WindowData
from regime_nas_pipeline.search.cell_plan import CellSearchPlan, CellSearchResult, ScoredCells
from regime_nas_pipeline.search.curvature import (
    CurvatureWatch,
    hessian_product,
    largest_eigenvalue,
    twice_differentiable,
)
from regime_nas_pipeline.search.evidence import SideBySideEvidence, select_evidence
from regime_nas_pipeline.search.perturbation import select_by_perturbation
from regime_nas_pipeline.search.scoring import Scorer, spread
from regime_nas_pipeline.search.subnetworks import (
    best_around,
    local_search,
    random_architecture,
)
from regime_nas_pipeline.search.supernet import (
    NONE,
    SKIPS,
    EdgeKey,
    alpha_parameters,
    edge_entropy,
    heaviest_operations,
    make_up_for_mixing,
    mean_entropy,
    mixed_edges,
    readable,
    set_path,
    set_skips,
    set_temperature,
    weight_parameters,
)

EVIDENCE_PART = 0.3
"""Part of the fine-tuning that follows the removals of the evidence; blocks have the rest."""
STARTS = 32
"""Random sub-networks from the best of which the local search starts."""


def search_cells(
    supernet: RegimeNet,
    data: WindowData,
    split: Split,
    plan: CellSearchPlan,
    training: TrainingPlan,
    *,
    objective: Objective,
    steps: Steps,
    seed: int,
) -> CellSearchResult:
    """Train a supernet and read off one operation per edge.

    Call it inside ``networks.training.single_threaded``. Nothing is retrained here; the part of
    the budget that ``plan.top_k`` > 1 reserves for it is left over.

    Args:
        supernet: Untrained; it is trained in place and left with one operation per edge.
        data: Windows of the search's training market.
        split: Rows for network weights (training) and architecture weights (validation).
        plan: Budget, schedule and remedies.
        training: Batch size, stride and gradient clip.
        objective: Loss of the weight steps and architecture steps.
        steps: AdamW's rates for the network weights.
        seed: Orders the batches and the edges, and draws paths.

    Raises:
        ParameterError: The budget does not pay for one architecture step, or on a single path
            for one weight step.
    """
    search = _Search(
        supernet, data, split, plan, training, objective=objective, steps=steps, seed=seed
    )
    search.learn()
    if not (search.alpha_steps if plan.path == "mixture" else search.samples):
        step = "architecture step" if plan.path == "mixture" else "weight step"
        raise ParameterError(
            f"a budget of {plan.max_samples} gradient samples does not pay for one {step}; "
            "raise search.budget or lower search.trials or batch_dates."
        )
    return search.result()


class _Search:
    """A supernet with one optimiser for its weights and one for its architecture."""

    def __init__(
        self,
        supernet: RegimeNet,
        data: WindowData,
        split: Split,
        plan: CellSearchPlan,
        training: TrainingPlan,
        *,
        objective: Objective,
        steps: Steps,
        seed: int,
    ) -> None:
        self.supernet, self.data, self.plan = supernet, data, plan
        self.training, self.objective = training, objective
        if plan.path == "mixture":
            make_up_for_mixing(supernet)
        # What penalties on weights see: all of them, and no architecture weight.
        self.penalised = nn.ParameterList(weight_parameters(supernet))
        self.weights = torch.optim.AdamW(
            self.penalised, lr=steps.learning_rate, weight_decay=steps.weight_decay, fused=True
        )
        self.alphas = torch.optim.Adam(
            alpha_parameters(supernet), lr=plan.alpha_learning_rate, betas=(0.5, 0.999)
        )
        self.weight_batches, self.alpha_batches = (
            endless_batches(rows, training, np.random.default_rng([seed, number]))
            for number, rows in enumerate((split.training, split.validation))
        )
        self.paths, self.selecting = (np.random.default_rng([seed, n]) for n in (2, 3))
        self.scorer = Scorer(
            supernet,
            data,
            strided(split.validation, training.sample_every),
            batch_dates=training.batch_dates,
            selection_dates=plan.selection_dates,
        )
        self.curved_rows = spread(self.scorer.rows, training.batch_dates)
        self.watch = CurvatureWatch(plan.curvature_window, plan.curvature_ratio)
        self.start = np.random.default_rng([seed, 4]).standard_normal(
            sum(alpha.numel() for alpha in alpha_parameters(supernet))
        )
        self.largest_batch = training.batch_dates * data.usable.shape[1]
        self.samples = self.alpha_steps = 0
        self.stopped = False

    def affordable(self, limit: float, batch_count: int = 1) -> bool:
        """Whether ``limit`` pays for so many more full batches."""
        return self.samples + batch_count * self.largest_batch <= limit

    def learn(self) -> None:
        """Weight steps and architecture steps by turns until the budget or the curvature ends."""
        plan, step = self.plan, 0
        limit = plan.training_samples
        while self.affordable(limit) and not self.stopped:
            self.anneal(min(1.0, self.samples / limit))
            if plan.path == "single":
                set_path(self.supernet, random_architecture(self.supernet, self.paths))
            self.step(next(self.weight_batches), self.weights)
            step += 1
            warm = plan.path == "mixture" and self.samples >= plan.warm_up * limit
            if warm and step % plan.alpha_every == 0 and self.affordable(limit):
                self.anneal(min(1.0, self.samples / limit))
                self.step(next(self.alpha_batches), self.alphas)
                self.alpha_steps += 1
                self.watch_curvature(limit)
        set_path(self.supernet, None)
        set_skips(self.supernet, dropout=0.0, auxiliary=0.0)

    def anneal(self, done: float) -> None:
        """Put every schedule where it belongs when this part of the budget is spent."""
        self.done = done
        set_temperature(self.supernet, self.plan.final_temperature**done)
        set_skips(
            self.supernet,
            dropout=self.plan.skip_dropout * (1.0 - done),
            auxiliary=self.plan.auxiliary_skip * (1.0 - done),
        )

    def step(self, rows: np.ndarray, optimiser: torch.optim.Optimizer) -> None:
        """One gradient step of either optimiser; both kinds count against the budget."""
        batch: Batch = self.data.batch(rows, need_target=True)
        self.supernet.train()
        with self.training.products(self.data.asset.device):
            loss = self.objective(self.supernet(batch), batch)
        if optimiser is self.weights:
            loss = loss + self.objective.penalty(self.penalised)
        elif self.plan.entropy_weight:
            loss = loss + self.plan.entropy_weight * self.done * edge_entropy(self.supernet)
        self.weights.zero_grad(set_to_none=True)
        self.alphas.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(
            [p for group in optimiser.param_groups for p in group["params"]],
            self.training.gradient_clip,
        )
        optimiser.step()
        self.samples += int(batch.mask.sum())

    def watch_curvature(self, limit: float) -> None:
        """Measure the curvature when it is due; go back and stop where it has risen too far."""
        cost = 1 + self.plan.curvature_products
        every = self.plan.curvature_every
        if not every or self.alpha_steps % every or not self.affordable(limit, cost):
            return
        alphas = alpha_parameters(self.supernet)
        before = self.watch.add(self.curvature(alphas), alphas)
        if before is not None:
            self.stopped = True
            with torch.no_grad():
                for alpha, value in zip(alphas, before, strict=True):
                    alpha.copy_(value)

    def curvature(self, alphas: Sequence[nn.Parameter]) -> float:
        """Largest eigenvalue of the Hessian of the validation loss in alpha over temperature.

        On the same windows every time, so that it is not the batch that changes, and per unit of
        the softmax' argument, so that annealing alone does not look like curvature.
        """
        batch = self.data.batch(self.curved_rows, need_target=True)
        temperature = next(mixed_edges(self.supernet))[1].temperature
        self.supernet.eval()
        with twice_differentiable():
            loss = self.objective(self.supernet(batch), batch)
            product = hessian_product(loss, alphas)
            start = torch.as_tensor(self.start, device=loss.device)
            value = largest_eigenvalue(product, start, self.plan.curvature_products)
        self.samples += (1 + self.plan.curvature_products) * int(batch.mask.sum())
        return value * temperature**2

    def result(self) -> CellSearchResult:
        """Choose, compare errors before and after, and score the runners-up."""
        entropy = mean_entropy(self.supernet)
        mixture_error = self.scorer.error()
        chosen = self.select()
        candidates: tuple[ScoredCells, ...] = ()
        if self.plan.top_k > 1:
            best = best_around(self.supernet, chosen, self.scorer.subnetworks, self.plan.top_k)
            candidates = tuple(ScoredCells(readable(cells), error) for cells, error in best)
        for key, edge in mixed_edges(self.supernet):
            edge.fix(chosen[key])
        discrete_error = self.scorer.error()
        names = list(chosen.values())
        facts: dict[str, float] = {
            "alpha_steps": self.alpha_steps,
            "entropy": entropy,
            "mixture_error": mixture_error,
            "discrete_error": discrete_error,
            "discretisation_gap": discrete_error - mixture_error,
            "skip_share": float(np.mean([name in SKIPS for name in names])),
            "none_share": float(np.mean([name == NONE for name in names])),
            "validation_windows": self.scorer.windows,
        }
        if self.plan.curvature_every:
            facts["curvature_measurements"] = len(self.watch.values)
            facts["stopped_early"] = float(self.stopped)
            facts |= {"curvature": self.watch.values[-1]} if self.watch.values else {}
        return CellSearchResult(readable(chosen), self.samples, facts, candidates)

    def select(self) -> dict[EdgeKey, str]:
        """One operation per edge, by the plan's rules; the evidence first."""
        spent = self.samples
        reserve = self.plan.supernet_samples - self.plan.training_samples

        def fine_tune(share: float) -> None:
            while self.affordable(spent + share * reserve):
                self.step(next(self.weight_batches), self.weights)

        evidence = self.supernet.evidence
        if not isinstance(evidence, SideBySideEvidence):
            return self.select_blocks(fine_tune)
        chosen = select_evidence(
            evidence,
            self.plan.evidence_nodes,
            self.scorer.states,
            lambda done: fine_tune(EVIDENCE_PART * done),
        )
        rest = 1.0 - EVIDENCE_PART
        blocks = self.select_blocks(lambda done: fine_tune(EVIDENCE_PART + rest * done))
        return {**chosen, **blocks}

    def select_blocks(self, fine_tune: Callable[[float], None]) -> dict[EdgeKey, str]:
        """One operation for every edge that holds a mixture."""
        if self.plan.selection == "magnitude":
            return heaviest_operations(self.supernet)
        if self.plan.selection == "subnetwork":
            return local_search(
                self.supernet, self.scorer.subnetworks, starts=STARTS, generator=self.selecting
            )
        return select_by_perturbation(
            self.supernet, self.scorer.without_each, fine_tune, self.selecting
        )
