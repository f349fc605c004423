"""Parameters of the comparison of shortcuts and strategies, typed."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.params import Strict, load_class
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.search.outer import Strategy
from regime_nas_pipeline.search.space import Space, space_size
from regime_nas_pipeline.walkforward.parameters import ForecasterChoice, Training
from regime_nas_pipeline.walkforward.planted.parameters import Markets
from regime_nas_pipeline.walkforward.search_parameters import CellSearch, Proxy, Search
from regime_nas_pipeline.walkforward.tuning import check_space

LARGEST_TABLE = 200
"""Candidates of a space that is scored as a whole, at most."""

BedName = Literal["planted", "prices"]


class Family(Strict):
    """A forecaster and the space that is searched for it.

    Attributes:
        forecaster: Class path and arguments.
        space: Argument to what it may be.
    """

    forecaster: ForecasterChoice
    space: Space = Field(min_length=1)

    @model_validator(mode="after")
    def _fits_together(self) -> Family:
        cls = load_class(self.forecaster.class_path, NeuralForecaster)
        try:
            check_space(cls, self.space)
        except ParameterError as error:
            raise ValueError(str(error)) from error
        return self


class Shortcuts(Family):
    """How well cheap evaluations rank candidates.

    Attributes:
        candidates: Drawn uniformly from the space.
        seeds: Full evaluations of each candidate; two full evaluations disagree as well, and how
            far is the ceiling of every shortcut.
        budget: Gradient samples of a full evaluation.
        proxies: Name to cheaper evaluation. Its ``confirm`` is not used here: all candidates are
            evaluated both ways.
        weight_sharing: Budget of one supernet, in full evaluations; None for no supernet. Needs a
            space of cells alone.
        draws: Bootstrap draws of the intervals.
    """

    candidates: int = Field(ge=4)
    seeds: int = Field(ge=2)
    budget: int = Field(ge=1)
    proxies: dict[str, Proxy]
    weight_sharing: float | None = Field(None, gt=0)
    draws: int = Field(500, ge=1)

    @model_validator(mode="after")
    def _enough_candidates(self) -> Shortcuts:
        if self.candidates > space_size(self.space):
            raise ValueError(
                f"candidates is {self.candidates} and the space has {space_size(self.space):.0f}"
            )
        others = [name for name in self.space if name.count(".") != 2]
        if self.weight_sharing is not None and others:
            raise ValueError(
                "weight_sharing scores cells as parts of one network, which "
                f"{', '.join(others)} would change; leave that out of the space or set "
                "weight_sharing to null"
            )
        return self


class Contender(Strict):
    """A strategy that takes part in the comparison.

    Attributes:
        family: Whose space it searches.
        strategy: How it proposes candidates.
        cell_method: How the cells of regime_nas are found; None for the usual way.
    """

    family: str
    strategy: Strategy
    cell_method: Literal["gradient", "random"] | None = None


class Contest(Strict):
    """Search strategies at equal budget.

    Attributes:
        beds: Markets on which they are compared: ``planted`` and ``prices``.
        families: Name to forecaster and space.
        contenders: Name to strategy.
        seeds: Searches of each contender; on the planted market each has a market of its own.
        trials: Candidates of each search.
        budget: Gradient samples of each search.
        fit_budget: Gradient samples of each fit of what was found.
        start_up: Uniform candidates before a strategy that learns proposes.
        batch: Candidates proposed at once.
        cell_search: Inner search of regime_nas.
    """

    beds: tuple[BedName, ...] = Field(min_length=1)
    families: dict[str, Family]
    contenders: dict[str, Contender] = Field(min_length=1)
    seeds: int = Field(ge=1)
    trials: int = Field(ge=2)
    budget: int = Field(ge=1)
    fit_budget: int = Field(ge=1)
    start_up: int = Field(2, ge=1)
    batch: int = Field(1, ge=1)
    cell_search: CellSearch = CellSearch()

    @model_validator(mode="after")
    def _families_exist(self) -> Contest:
        for name, contender in self.contenders.items():
            if contender.family not in self.families:
                raise ValueError(
                    f"contenders.{name}.family '{contender.family}' is none of: "
                    f"{', '.join(self.families)}"
                )
        seen: dict[Contender, str] = {}
        for name, contender in self.contenders.items():
            twin = seen.setdefault(contender, name)
            if twin != name:
                raise ValueError(f"contenders.{name} is the same as contenders.{twin}")
        return self

    def search(self, contender: Contender, validation_fraction: float) -> Search:
        """The search of one contender."""
        changes: dict[str, Any] = {}
        if contender.cell_method is not None:
            changes = {"method": contender.cell_method}
        return Search(
            strategy=contender.strategy,
            budget=self.budget,
            trials=self.trials,
            start_up=self.start_up,
            batch=self.batch,
            validation_fraction=validation_fraction,
            cell_search=self.cell_search.model_copy(update=changes),
        )


class Landscapes(Family):
    """Regret of strategies on a space of which every candidate is scored.

    Attributes:
        landscapes: Markets, each of which gives a table of scores.
        seeds: Evaluations of each candidate, averaged.
        budget: Gradient samples of one evaluation.
        replays: Strategy to searches over each table; they cost no training.
        fraction: Part of the candidates that a search may evaluate.
        start_up: Uniform candidates before a strategy that learns proposes.
        exploration: Probability of a uniform proposal after that.
        batch: Candidates proposed at once.
    """

    landscapes: int = Field(ge=1)
    seeds: int = Field(ge=1)
    budget: int = Field(ge=1)
    replays: dict[Literal["bayesian", "evolutionary", "reinforce"], int] = Field(min_length=1)
    fraction: float = Field(0.25, gt=0, le=1)
    start_up: int = Field(4, ge=1)
    exploration: float = Field(0.1, ge=0, le=1)
    batch: int = Field(2, ge=1)

    @model_validator(mode="after")
    def _can_be_listed(self) -> Landscapes:
        size = space_size(self.space)
        if size > LARGEST_TABLE:
            raise ValueError(
                f"space has {size:g} candidates and all of them are evaluated; leave "
                f"{LARGEST_TABLE} at most"
            )
        if any(times < 1 for times in self.replays.values()):
            raise ValueError(f"replays must be at least 1; got {self.replays}")
        return self


class SearchComparison(Strict):
    """The comparison of shortcuts and strategies.

    Attributes:
        market: The planted markets. Shortcuts are measured on the first seed's; landscapes and
            contests take as many seeds, in order, as they need.
        training: Schedule of networks on the planted markets; ``max_samples`` and ``n_seeds``
            are set by each part.
        validation_fraction: Part of the search's bars on which candidates are scored.
        shortcuts: Cheap evaluations against full ones.
        contest: Strategies at equal budget.
        regret: Strategies on spaces of which everything is known.
    """

    market: Markets
    training: Training
    validation_fraction: float = Field(0.25, gt=0, lt=1)
    shortcuts: Shortcuts
    contest: Contest
    regret: Landscapes

    @model_validator(mode="after")
    def _enough_markets(self) -> SearchComparison:
        needed = max(self.regret.landscapes, self.contest.seeds)
        if len(self.market.seeds) < needed:
            raise ValueError(
                f"market.seeds names {len(self.market.seeds)} markets and regret.landscapes or "
                f"contest.seeds asks for {needed}"
            )
        return self
