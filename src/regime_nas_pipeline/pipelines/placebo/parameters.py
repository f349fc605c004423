"""Parameters of the placebo and of the power experiment, typed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from regime_nas_pipeline.core.params import Strict
from regime_nas_pipeline.walkforward.parameters import ForecasterChoice

EdgeKind = Literal["momentum", "regime_drift", "regime_autocorrelation"]

Share = Annotated[float, Field(gt=0, lt=1)]
Bars = Annotated[int, Field(ge=100)]
Size = Annotated[float, Field(gt=0, lt=1)]


class PanelSet(Strict):
    """Simulated panels from one source.

    Attributes:
        source: ``bootstrap`` redraws the bars of the environment's own prices in blocks;
            ``garch`` draws from a GARCH model with Student t innovations fitted to them.
        n_panels: Panels. More of them later leave the first ones as they are.
        seed: Of the set; to be fixed before anything is looked at.
        block_length: Mean bars per block of the bootstrap; None chooses it from the prices.
    """

    source: Literal["bootstrap", "garch"]
    n_panels: PositiveInt
    seed: NonNegativeInt
    block_length: PositiveInt | None = None

    @model_validator(mode="after")
    def _blocks_are_drawn(self) -> PanelSet:
        if self.source == "garch" and self.block_length is not None:
            raise ValueError("block_length belongs to source: bootstrap, and to it alone")
        return self


class Placebo(Strict):
    """The whole job on martingale panels.

    Attributes:
        sets: Name to panels; each set is judged apart.
        n_bars: Bars of every panel, on the last dates of the environment's prices.
        oos_share: Part of the bars that is out of sample, in place of
            ``walk_forward.first_oos``.
        familywise: Probability of withdrawing any test if all keep their level.
    """

    sets: dict[str, PanelSet] = Field(min_length=1)
    n_bars: Bars
    oos_share: Share
    familywise: Share = 0.05

    @model_validator(mode="after")
    def _sets_differ(self) -> Placebo:
        _refuse_twins(self.sets)
        return self


class FullPower(Strict):
    """The whole job, searches included, on panels with an edge.

    Attributes:
        n_bars: Bars of the panels; one of the lengths of the experiment.
        n_panels: The first so many panels of the experiment.
    """

    n_bars: Bars
    n_panels: PositiveInt


class Power(Strict):
    """Panels with a planted edge: how large it must be to be found.

    Attributes:
        panels: Panels per edge, size and length; those of different edges share their moves.
        n_bars: Lengths, increasing.
        oos_share: Part of the bars that is out of sample.
        edges: Kind of edge to its sizes, increasing. Panels without an edge are always there.
        forecasters: Cheap forecasters, without a search, for the whole grid.
        full: The whole job on part of the grid; null leaves it out.
        power: Probability with which the smallest edge is found.
    """

    panels: PanelSet
    n_bars: tuple[Bars, ...] = Field(min_length=1)
    oos_share: Share
    edges: dict[EdgeKind, Annotated[tuple[Size, ...], Field(min_length=1)]] = Field(min_length=1)
    forecasters: dict[str, ForecasterChoice] = Field(min_length=1)
    full: FullPower | None = None
    power: Share = 0.8

    @model_validator(mode="after")
    def _fits_together(self) -> Power:
        _refuse_disorder("n_bars", self.n_bars)
        for kind, sizes in self.edges.items():
            _refuse_disorder(f"edges.{kind}", sizes)
        if self.full is not None and self.full.n_bars not in self.n_bars:
            raise ValueError(f"full.n_bars {self.full.n_bars} is not one of n_bars")
        if self.full is not None and self.full.n_panels > self.panels.n_panels:
            raise ValueError("full.n_panels cannot be more than panels.n_panels")
        return self


def _refuse_disorder(name: str, values: tuple[float, ...]) -> None:
    if list(values) != sorted(set(values)):
        raise ValueError(f"{name} must increase; got {list(values)}")


def _refuse_twins(sets: dict[str, PanelSet]) -> None:
    """Two sets of one source and seed hold the same panels, and no second opinion."""
    seen: dict[tuple[str, int], str] = {}
    for name, panels in sets.items():
        twin = seen.setdefault((panels.source, panels.seed), name)
        if twin != name:
            raise ValueError(f"sets: {name} has the panels of {twin}; give it another seed")
