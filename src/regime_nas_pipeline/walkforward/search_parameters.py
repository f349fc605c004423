"""Parameters of the search, typed: see :mod:`regime_nas_pipeline.walkforward.parameters`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, RootModel, model_validator

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.params import Strict
from regime_nas_pipeline.search.cell_plan import CellSearchPlan, EvidenceForm, Path, Selection
from regime_nas_pipeline.search.outer import OuterSettings, Strategy
from regime_nas_pipeline.search.space import Space
from regime_nas_pipeline.search.trials import (
    ControllerSettings,
    EvolutionSettings,
    HalvingSettings,
    ObjectiveName,
    SurrogateSettings,
)


class CellSearch(Strict):
    """How the cells of regime_nas are found inside each trial; see ``search.cell_plan``.

    Attributes:
        method: ``gradient`` for the supernet; ``random`` for an operation drawn for every edge.
        budget_share: Part of a trial's gradient samples that the supernet gets.
        alpha_fraction: Part of the training window, at its end, on which architecture weights are
            learned and operations are chosen.
        path: ``mixture`` or ``single``.
        evidence: ``edges`` or ``side_by_side``.
        evidence_nodes: Operations that ``side_by_side`` keeps.
        alpha_learning_rate: Adam's.
        alpha_every: Weight steps between two architecture steps.
        warm_up: Part of the supernet's budget before the first architecture step.
        final_temperature: Softmax temperature at the end.
        entropy_weight: Weight of the mixtures' entropy in architecture steps.
        skip_dropout: Dropout on identities at the start.
        auxiliary_skip: Weight of an additional skip at the start.
        curvature_every: Architecture steps between measurements of the Hessian; 0 for never.
        curvature_window: Measurements averaged.
        curvature_ratio: Rise of the eigenvalue at which architecture steps end.
        curvature_products: Hessian-vector products per measurement.
        selection: ``perturbation``, ``magnitude`` or ``subnetwork``.
        selection_share: Part of the supernet's budget for fine-tuning between edges.
        selection_dates: Validation dates that score a removal or a sub-network, at most.
        top_k: Architectures that are retrained from scratch; 1 for none.
        retrain_share: Part of the supernet's budget for that.
        retrain_seeds: Networks trained of each.
    """

    method: Literal["gradient", "random"] = "gradient"
    budget_share: float = Field(0.5, gt=0, lt=1)
    alpha_fraction: float = Field(0.4, gt=0, lt=1)
    path: Path = "mixture"
    evidence: EvidenceForm = "edges"
    evidence_nodes: int = Field(2, ge=1, le=8)
    alpha_learning_rate: float = Field(0.05, gt=0)
    alpha_every: int = Field(1, ge=1)
    warm_up: float = Field(0.2, ge=0, lt=1)
    final_temperature: float = Field(1.0, gt=0, le=1)
    entropy_weight: float = Field(0.0, ge=0)
    skip_dropout: float = Field(0.0, ge=0, lt=1)
    auxiliary_skip: float = Field(0.0, ge=0)
    curvature_every: int = Field(0, ge=0)
    curvature_window: int = Field(5, ge=1)
    curvature_ratio: float = Field(4 / 3, gt=1)
    curvature_products: int = Field(8, ge=1)
    selection: Selection = "perturbation"
    selection_share: float = Field(0.2, ge=0, lt=1)
    selection_dates: int = Field(16, ge=1)
    top_k: int = Field(1, ge=1)
    retrain_share: float = Field(0.5, gt=0, lt=1)
    retrain_seeds: int = Field(2, ge=1)

    @model_validator(mode="after")
    def _fits_together(self) -> CellSearch:
        try:
            self.plan(max_samples=1)
        except ParameterError as error:
            raise ValueError(str(error).removeprefix("cell_search: ")) from error
        return self

    def plan(self, max_samples: int) -> CellSearchPlan:
        """The plan of one cell search with this budget."""
        own = self.model_dump(exclude={"method", "budget_share", "alpha_fraction"})
        return CellSearchPlan(max_samples=max_samples, **own)


class Evolution(Strict):
    """How the evolutionary strategy breeds; see ``search.trials.EvolutionSettings``.

    Attributes:
        population: Candidates that may become parents.
        tournament: Candidates drawn for each parent.
        crossover: Probability of a second parent.
        local: Probability that a number moves to a value close by.
    """

    population: int = Field(6, ge=1)
    tournament: int = Field(3, ge=1)
    crossover: float = Field(0.5, ge=0, le=1)
    local: float = Field(0.7, ge=0, le=1)


class Controller(Strict):
    """How the reinforcement-learning controller learns; see ``search.trials.ControllerSettings``.

    Attributes:
        hidden: Units of its recurrent cell.
        learning_rate: Adam's.
        entropy: Weight of the policy's entropy.
        baseline: Weight of the past in the moving average of rewards.
        grid: Quantiles of an interval that it chooses among.
    """

    hidden: int = Field(32, ge=1)
    learning_rate: float = Field(0.05, gt=0)
    entropy: float = Field(0.01, ge=0)
    baseline: float = Field(0.8, ge=0, lt=1)
    grid: int = Field(8, ge=1)


class Proxy(Strict):
    """A cheaper evaluation of every candidate; see ``walkforward.proxy``.

    Attributes:
        data: Part of the training bars, the newest, that a candidate is trained on.
        budget: Part of a full evaluation's gradient samples that it gets.
        timeframes: Timeframes of the features instead of the usual ones; None for those.
        lookback: Longest window, in bars; None for no limit.
        confirm: Candidates, the best by proxy score, that are then evaluated in full.
    """

    data: float = Field(0.3, gt=0, le=1)
    budget: float = Field(0.3, gt=0, le=1)
    timeframes: tuple[PositiveInt, ...] | None = Field(None, min_length=1)
    lookback: int | None = Field(None, ge=1)
    confirm: int = Field(2, ge=1)


class Surrogate(Strict):
    """Sifts proposals by their predicted score; see ``search.surrogate``.

    Attributes:
        pool: Proposals of which the best predicted one is evaluated.
        after: Trials with an outcome before scores are predicted.
    """

    pool: int = Field(16, ge=2)
    after: int = Field(6, ge=2)


class Halving(Strict):
    """Stops candidates that are behind; see ``search.halving``.

    Attributes:
        rung: Part of a candidate's training after which it is judged, by the validation error on
            its own early-stopping tail. Where cells are searched, of the training that follows.
        eta: One of so many goes on.
    """

    rung: float = Field(1 / 3, gt=0, lt=1)
    eta: int = Field(3, ge=2)


class Efficiency(Strict):
    """What makes a search cheaper, each off where it is None.

    A third way, weight sharing, is part of the cell search: ``cell_search.path: single`` with
    ``selection: subnetwork`` scores cells as sub-networks of one supernet.

    Attributes:
        proxy: Every candidate is first evaluated on less.
        surrogate: A regressor sifts what a strategy proposes.
        halving: Candidates that are behind are trained no further.
    """

    proxy: Proxy | None = None
    surrogate: Surrogate | None = None
    halving: Halving | None = None


class Search(Strict):
    """The outer search, the same for every searched forecaster.

    Attributes:
        strategy: ``bayesian``, ``evolutionary``, ``reinforce``, ``random`` or
            ``differentiable``: every trial has the forecaster's default macro choices, as far as
            the space allows them, and trials differ by their seed alone; cells are found by
            gradient where a forecaster has cells.
        objectives: What steers the strategy: ``error``, and possibly ``parameters``, ``latency``
            and ``lipschitz``. The best candidate is always the one with the lowest error.
        budget: Gradient samples per searched forecaster, over all its trials.
        trials: Candidates per searched forecaster.
        start_up: Uniform candidates before a strategy that learns proposes.
        exploration: Probability of a uniform proposal after that.
        batch: Candidates that may be under way at once: a proposal sees the outcomes of all trials
            but the last ``batch`` - 1.
        validation_fraction: Part of the data before first_oos on which candidates are scored.
        cell_search: Inner search of regime_nas.
        evolution: Of the evolutionary strategy.
        controller: Of the reinforcement-learning strategy.
        efficiency: What makes the search cheaper; nothing by default.
    """

    strategy: Strategy = "bayesian"
    objectives: tuple[ObjectiveName, ...] = Field(("error",), min_length=1)
    budget: int = Field(ge=1)
    trials: int = Field(ge=1)
    start_up: int = Field(4, ge=1)
    exploration: float = Field(0.1, ge=0, le=1)
    batch: int = Field(2, ge=1)
    validation_fraction: float = Field(0.25, gt=0, lt=1)
    cell_search: CellSearch = CellSearch()
    evolution: Evolution = Evolution()
    controller: Controller = Controller()
    efficiency: Efficiency = Efficiency()

    @model_validator(mode="after")
    def _efficiency_fits(self) -> Search:
        proxy, surrogate = self.efficiency.proxy, self.efficiency.surrogate
        if surrogate is not None and self.strategy in {"bayesian", "differentiable"}:
            raise ValueError(
                f"efficiency.surrogate does not go with strategy {self.strategy}: bayesian has "
                "its own, and differentiable proposes one candidate only"
            )
        if proxy is not None and self.efficiency.halving is not None:
            raise ValueError(
                "efficiency: proxy and halving are two ways of training most candidates less; set "
                "one of them to null"
            )
        if proxy is not None and proxy.confirm > self.trials:
            raise ValueError(
                f"efficiency.proxy.confirm is {proxy.confirm} and there are {self.trials} trials"
            )
        if proxy is not None and self.trials * proxy.budget + proxy.confirm > self.trials:
            raise ValueError(
                f"efficiency.proxy: {self.trials} trials at {proxy.budget:g} of a full evaluation "
                f"and {proxy.confirm} in full cost more than {self.trials} full ones; lower its "
                "budget or confirm, or raise trials"
            )
        return self

    def outer(self) -> OuterSettings:
        """Settings of the outer search."""
        return OuterSettings(
            strategy=self.strategy,
            trials=self.trials,
            start_up=self.start_up,
            exploration=self.exploration,
            batch=self.batch,
            objectives=self.objectives,
            evolution=EvolutionSettings(**self.evolution.model_dump()),
            controller=ControllerSettings(**self.controller.model_dump()),
            surrogate=self._surrogate(),
            halving=self._halving(),
        )

    def _halving(self) -> HalvingSettings | None:
        chosen = self.efficiency.halving
        return None if chosen is None else HalvingSettings(**chosen.model_dump())

    def _surrogate(self) -> SurrogateSettings | None:
        chosen = self.efficiency.surrogate
        return None if chosen is None else SurrogateSettings(**chosen.model_dump())


class SearchSpace(RootModel[Space]):
    """The space of one searched forecaster: argument to what it may be.

    ``nodes``, the number of nodes per cell, is an argument of the cell search of regime_nas.
    """
