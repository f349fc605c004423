"""How large an edge must be before the tests find it, in a sample of a given length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.isotonic import IsotonicRegression

from regime_nas_pipeline.audit.panel_runs import TEST_COLUMNS
from regime_nas_pipeline.audit.panels import NO_EDGE
from regime_nas_pipeline.audit.placebo import proportion
from regime_nas_pipeline.core.errors import DataError, ParameterError

_CELL = ("edge", "edge_size", "n_bars", *TEST_COLUMNS)
_CURVE = ("edge", "n_bars", *TEST_COLUMNS)

DETECTION_COLUMNS = (
    *_CELL,
    "n_panels",
    "n_tested",
    "n_blank",
    "n_found",
    "rate",
    "rate_low",
    "rate_high",
)
"""Columns of :func:`detection_rates`."""

SMALLEST_COLUMNS = (*_CURVE, "power", "smallest", "smallest_low", "smallest_high", "reason")
"""Columns of :func:`smallest_edges`."""


def detection_rates(
    p_values: pd.DataFrame, *, level: float = 0.05, confidence: float = 0.95
) -> pd.DataFrame:
    """Share of panels on which each test finds the edge, by size and length.

    Args:
        p_values: Table of :func:`~regime_nas_pipeline.audit.panel_runs.p_value_table`.
        level: An edge is found where p_beats is at most the level.
        confidence: Of the intervals.

    Returns:
        One row per edge, size, length, test and pair, ordered by them: n_panels; n_tested and
        n_blank, the panels on which the test could and could not be made; n_found; rate = n_found
        / n_tested with its exact interval (Clopper and Pearson, 1934), blank where nothing was
        tested.

    Raises:
        DataError: A panel is there twice.
        ParameterError: The level or the confidence is not between 0 and 1.
    """
    if not 0.0 < level < 1.0:
        raise ParameterError(f"a level must lie between 0 and 1 and is {level}.")
    doubled = p_values.duplicated([*_CELL, "panel", "seed"])
    if doubled.any():
        row = p_values[doubled].iloc[0]
        raise DataError(
            f"panel {row['panel']} of seed {row['seed']} is there twice for {row['test']}",
            source="p-values of the panels",
        )
    rows = []
    for names, group in p_values.groupby(list(_CELL), sort=True):
        known = group["p_beats"].dropna()
        n_found = int((known <= level).sum())
        share = proportion(n_found, len(known), confidence=confidence)
        rows.append(
            {
                **dict(zip(_CELL, names, strict=True)),
                "n_panels": len(group),
                "n_tested": len(known),
                "n_blank": len(group) - len(known),
                "n_found": n_found,
                "rate": share.rate,
                "rate_low": share.low,
                "rate_high": share.high,
            }
        )
    numbers = dict.fromkeys(("rate", "rate_low", "rate_high"), "float64")
    return pd.DataFrame(rows, columns=list(DETECTION_COLUMNS)).astype(numbers)


def smallest_edges(rates: pd.DataFrame, *, power: float = 0.8) -> pd.DataFrame:
    """The smallest edge that each test finds with a given probability, for each length.

    The rates are made to rise with the size by isotonic regression, weighted by the panels
    tested, and the size at which they reach the power is interpolated between the two nearest
    sizes. The same with the upper and the lower ends of the rates' intervals gives a range for
    that size. Panels without an edge count as size 0 of every kind of edge.

    Args:
        rates: Result of :func:`detection_rates`.
        power: Probability of finding it.

    Returns:
        One row per edge, length, test and pair: power; smallest, blank where no size reached it
        or none is small enough to bracket it; smallest_low and smallest_high, the range, blank at
        an end that the sizes do not reach; reason, why something is blank, else empty.

    Raises:
        DataError: There is no planted edge.
        ParameterError: The power is not between 0 and 1.

    Source: Barlow, R. E., Bartholomew, D. J., Bremner, J. M. and Brunk, H. D. (1972). Statistical
    Inference under Order Restrictions. Wiley.
    """
    if not 0.0 < power < 1.0:
        raise ParameterError(f"power must lie between 0 and 1 and is {power}.")
    without = rates[rates["edge_size"] == 0.0]
    planted = rates[rates["edge_size"] > 0.0]
    if planted.empty:
        raise DataError("there is no planted edge", source="detection rates")
    rows = []
    for names, own in planted.groupby(list(_CURVE), sort=True):
        place = dict(zip(_CURVE, names, strict=True))
        alike = without[
            np.logical_and.reduce([without[name] == place[name] for name in _CURVE[1:]])
        ]
        # Its own size 0, which may have regimes of volatility, goes before the martingale.
        nothing = alike[alike["edge"] == place["edge"]]
        if nothing.empty:
            nothing = alike[alike["edge"] == NO_EDGE]
        curve = pd.concat([nothing, own])
        rows.append({**place, "power": power, **_inverted(curve, power)})
    numbers = dict.fromkeys(("smallest", "smallest_low", "smallest_high"), "float64")
    return pd.DataFrame(rows, columns=list(SMALLEST_COLUMNS)).astype(numbers)


def _inverted(curve: pd.DataFrame, power: float) -> dict[str, Any]:
    known = curve[curve["n_tested"] > 0].sort_values("edge_size")
    if len(known) < 2:
        return {"reason": "the test could be made at fewer than two sizes of the edge"}
    sizes = known["edge_size"].to_numpy()
    weights = known["n_tested"].to_numpy()
    fitted = {
        name: rising(sizes, known[name].to_numpy(), weights)
        for name in ("rate", "rate_low", "rate_high")
    }
    at = {name: size_at(sizes, values, power) for name, values in fitted.items()}
    lowest = {name: float(values[0]) >= power for name, values in fitted.items()}
    reason = ""
    if lowest["rate"]:
        reason = (
            f"found on {100.0 * fitted['rate'][0]:.0f} % of panels at the smallest size already "
            f"({sizes[0]:g}): "
            + (
                "the test says 'beats' without an edge"
                if sizes[0] == 0.0
                else "the smallest edge lies below it"
            )
        )
    elif at["rate"] is None:
        reason = (
            f"not reached: the largest edge tried ({sizes[-1]:g}) is found on "
            f"{100.0 * fitted['rate'][-1]:.0f} % of panels"
        )
    return {
        "smallest": at["rate"],
        "smallest_low": at["rate_high"],
        "smallest_high": at["rate_low"],
        "reason": reason,
    }


def rising(
    sizes: Sequence[float] | np.ndarray, rates: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """The rates nearest to those seen, in weighted squares, that never fall as sizes rise."""
    model = IsotonicRegression(y_min=0.0, y_max=1.0, increasing=True)
    fitted: np.ndarray = model.fit_transform(sizes, rates, sample_weight=weights)
    return fitted


def size_at(sizes: np.ndarray, rates: np.ndarray, power: float) -> float | None:
    """Size at which rising ``rates`` first reach ``power``, linear between neighbouring sizes.

    Returns:
        The size; None where the first rate is above already or the last one still below.
    """
    above = np.flatnonzero(rates >= power)
    if above.size == 0 or above[0] == 0:
        return None
    right = int(above[0])
    left = right - 1
    share = (power - rates[left]) / (rates[right] - rates[left])
    return float(sizes[left] + share * (sizes[right] - sizes[left]))
