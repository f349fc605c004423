"""Parameters of the planted experiment, typed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, model_validator

from regime_nas_pipeline.core.params import Strict
from regime_nas_pipeline.forecasters.inputs import FeatureSet
from regime_nas_pipeline.search.outer import Strategy
from regime_nas_pipeline.search.space import Space
from regime_nas_pipeline.walkforward.parameters import ForecasterChoice, Search, Training

Track = Literal["engineered", "raw"]
MarketKind = Literal["planted", "no_regime", "martingale"]

FEATURES: dict[Track, FeatureSet] = {"engineered": "engineered", "raw": "returns"}
"""What the networks of each track are shown."""

SUBJECT = "regime_nas"
ORACLE = "oracle"
LINEAR = "linear"
NO_CHANGE = "no_change"

Seeds = Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)]


class Markets(Strict):
    """The simulated markets: assets that share a hidden chain of trend, range and volatile.

    The no-regime markets have the same ``phi`` at every bar, the martingales none.

    Attributes:
        n_assets: Assets of each market.
        n_bars: Bars of each market.
        fit_bars: First bars, on which everything is searched and fitted once; the returns of all
            others are scored.
        phi: Strength of the autocorrelation in trend and range.
        stay: Probability that the state is the same at the next bar.
        volatility: Standard deviation of a one-bar shock in the calm states, in decimals.
        volatile_ratio: Volatility of the third state over that of the others.
        seeds: One market each.
    """

    n_assets: int = Field(ge=1)
    n_bars: int = Field(ge=3)
    fit_bars: int = Field(ge=2)
    phi: float = Field(gt=0, lt=1)
    stay: float = Field(gt=0, lt=1)
    volatility: float = Field(gt=0)
    volatile_ratio: float = Field(gt=0)
    seeds: Seeds

    @model_validator(mode="after")
    def _bars_are_left(self) -> Markets:
        if self.fit_bars >= self.n_bars:
            raise ValueError(
                f"fit_bars {self.fit_bars} leave none of the {self.n_bars} n_bars to be scored"
            )
        _differ("seeds", self.seeds)
        return self


class PlantedForecaster(ForecasterChoice):
    """One forecaster of the comparison, and how it is searched.

    Attributes:
        space: What its search may choose; empty for a forecaster that is not searched.
        strategy: Outer strategy where it differs from that of ``search``.
        cell_method: How its cells are found where that differs from ``search.cell_search``.
    """

    space: Space = Field(default_factory=dict)
    strategy: Strategy | None = None
    cell_method: Literal["gradient", "random"] | None = None

    def own_search(self, search: Search) -> Search:
        """The shared settings with this forecaster's own strategy and cell search."""
        changes: dict[str, object] = {}
        if self.strategy is not None:
            changes["strategy"] = self.strategy
        if self.cell_method is not None:
            changes["cell_search"] = search.cell_search.model_copy(
                update={"method": self.cell_method}
            )
        return search.model_copy(update=changes)


class Controls(Strict):
    """The markets on which there is no regime to find, and who is tried on them.

    Attributes:
        seeds: One market of each kind for each.
        tracks: Input tracks, of those of the experiment.
        forecasters: Names, of those of the experiment; ``linear`` among them.
    """

    seeds: Seeds
    tracks: tuple[Track, ...] = Field(min_length=1)
    forecasters: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _listed_once(self) -> Controls:
        for name in ("seeds", "tracks", "forecasters"):
            _differ(name, getattr(self, name))
        return self


class Planted(Strict):
    """The planted experiment.

    Attributes:
        markets: What is simulated.
        tracks: ``engineered`` features, ``raw`` returns, or both.
        forecasters: Name to forecaster; ``regime_nas`` and ``linear`` among them. The oracle is
            always there and needs no entry.
        controls: Markets without regimes.
        training: Budget and schedule of every network.
        search: The same budget for every searched forecaster, in each market and track.
    """

    markets: Markets
    tracks: tuple[Track, ...] = Field(min_length=1)
    forecasters: dict[str, PlantedForecaster]
    controls: Controls
    training: Training
    search: Search

    @model_validator(mode="after")
    def _fits_together(self) -> Planted:
        _differ("tracks", self.tracks)
        reserved = sorted({ORACLE, NO_CHANGE} & set(self.forecasters))
        if reserved:
            raise ValueError(f"forecasters: the name {reserved[0]} is taken by the experiment")
        for name in (SUBJECT, LINEAR):
            if name not in self.forecasters:
                raise ValueError(f"forecasters: {name} is missing, which all others stand beside")
        if LINEAR not in self.controls.forecasters:
            raise ValueError(f"controls.forecasters: {LINEAR} is missing; it is the yardstick")
        strange = sorted(set(self.controls.forecasters) - set(self.forecasters))
        if strange:
            raise ValueError(f"controls.forecasters: there is no forecaster {strange[0]}")
        missing = sorted(set(self.controls.tracks) - set(self.tracks))
        if missing:
            raise ValueError(f"controls.tracks: {missing[0]} is not one of tracks")
        self._refuse_twins()
        return self

    def _refuse_twins(self) -> None:
        """Two names for one search would be one search, and no second opinion."""
        seen: dict[str, str] = {}
        for name, choice in self.forecasters.items():
            twin = seen.setdefault(choice.model_dump_json(), name)
            if twin != name:
                raise ValueError(f"forecasters: {name} is the same as {twin}")


def _differ(name: str, values: tuple[object, ...]) -> None:
    if len(set(values)) < len(values):
        raise ValueError(f"{name} must differ; got {list(values)}")
