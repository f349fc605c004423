"""Simulated panels made from an environment's own prices."""

from __future__ import annotations

from typing import Any

import pandas as pd

from regime_nas_pipeline.audit.edges import (
    Edge,
    MomentumEdge,
    RegimeAutocorrelation,
    RegimeDrift,
)
from regime_nas_pipeline.audit.garch_shocks import GarchShocks, fit_garch_shocks
from regime_nas_pipeline.audit.shocks import BootstrapShocks, Shocks, bootstrap_shocks
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.pipelines.placebo.parameters import EdgeKind, PanelSet, Power
from regime_nas_pipeline.walkforward.parameters import Universe, WalkForward


def shocks_of(panels: PanelSet, prices: pd.DataFrame, universe: Universe) -> Shocks:
    """Where the moves of a set come from.

    Raises:
        DataError: The prices are too few, or no GARCH model fits.
    """
    assets = [str(name) for name in sorted(prices["asset"].unique()) if name != universe.benchmark]
    if panels.source == "garch":
        return fit_garch_shocks(prices, assets=assets)
    return bootstrap_shocks(prices, assets=assets, block_length=panels.block_length)


def panel_dates(prices: pd.DataFrame, n_bars: int) -> pd.DatetimeIndex:
    """The last ``n_bars`` dates of the prices.

    Raises:
        DataError: There are fewer.
    """
    dates = pd.DatetimeIndex(prices["date"].unique()).sort_values()
    if len(dates) < n_bars:
        raise DataError(
            f"panels of {n_bars} bars are asked for and the prices have {len(dates)}",
            source="prices",
            remedy="lower n_bars or bring longer prices.",
        )
    return dates[len(dates) - n_bars :]


def edges_of(power: Power, walk_forward: WalkForward) -> list[Edge | None]:
    """No edge, and every kind in every size; momentum over the horizon that is forecast.

    Raises:
        ParameterError: A size is larger than can be planted.
    """
    edges: list[Edge | None] = [None]
    for kind, sizes in power.edges.items():
        edges += [_edge(kind, size, walk_forward) for size in sizes]
    return edges


def _edge(kind: EdgeKind, size: float, walk_forward: WalkForward) -> Edge:
    if kind == "regime_drift":
        return RegimeDrift(size)
    if kind == "regime_autocorrelation":
        return RegimeAutocorrelation(size)
    return MomentumEdge(
        size, horizon=walk_forward.horizon, execution_lag=walk_forward.execution_lag
    )


def shock_facts(shocks: Shocks) -> dict[str, Any]:
    """What a set was drawn from, as JSON can hold it."""
    facts: dict[str, Any] = {"assets": list(shocks.assets)}
    if isinstance(shocks, BootstrapShocks):
        facts |= {"source_bars": len(shocks.moves), "block_length": shocks.block_length}
    if isinstance(shocks, GarchShocks):
        names = ("alpha", "beta", "nu", "correlation")
        facts |= {name: getattr(shocks, name) for name in names}
    return facts
