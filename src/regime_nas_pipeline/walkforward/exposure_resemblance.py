"""Which rung of the ladder do published figures of exposure strategies resemble?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.names import name_in_sentence
from regime_nas_pipeline.portfolio.exposure.rules import BUY_AND_HOLD
from regime_nas_pipeline.verdict.comparison.dependence import block_length_for
from regime_nas_pipeline.walkforward.exposures import RUNGS

LEVEL = 0.05
"""Share of resamples below which chance is no explanation."""

AS_NEAR = 0.5
"""Standard errors by which two distances may differ before one rung is called nearer."""

_CHUNK = 500_000
_ROUNDING = 1e-12

KINDS = ("log_wealth", "sharpe_zero", "mean_per_bar", "volatility_per_bar")
"""Figures compared; the cumulative return as log wealth, which grows evenly with time."""

_SHARPE = KINDS.index("sharpe_zero")


@dataclass(frozen=True)
class PublishedStrategy:
    """Published figures of one strategy, in decimals.

    Attributes:
        strategy: The rule of ours that it is.
        total_return: Cumulative return over the whole sample.
        sharpe: Yearly Sharpe ratio above nothing.
        mean_per_bar: Mean return per bar.
        volatility_per_bar: Standard deviation per bar.
    """

    strategy: str
    total_return: float
    sharpe: float
    mean_per_bar: float
    volatility_per_bar: float


DEEP_REGIME = (
    PublishedStrategy(BUY_AND_HOLD, 6.3550, 0.63, 0.000476, 0.012052),
    PublishedStrategy("calm_only", 2.0501, 0.66, 0.000242, 0.005824),
    PublishedStrategy("levered", 5.8989, 0.74, 0.000433, 0.009290),
)
"""DeepRegime: Transformer-Based Market Regime Modeling and Risk-Managed Allocation, on SPY and
VIX. Its dates are not published."""


def implied_bars(published: Sequence[PublishedStrategy]) -> int:
    """Bars of the published sample: log wealth ÷ mean log return, median over the strategies.

    The mean log return is taken as m - (m² + s²)/2, of the mean m and standard deviation s per bar.
    """
    counts = [
        math.log1p(each.total_return)
        / (each.mean_per_bar - (each.mean_per_bar**2 + each.volatility_per_bar**2) / 2.0)
        for each in published
    ]
    return round(float(np.median(counts)))


def unpaid_leverage(
    published: Sequence[PublishedStrategy],
    *,
    in_calm: float = 1.5,
    otherwise: float = 0.3,
    rounding: float = 1e-6,
) -> dict[str, float | bool]:
    """Whether the published means are those of an account without interest and financing.

    Without either the levered mean is ``otherwise`` x that of buy and hold + (``in_calm`` -
    ``otherwise``) x that of calm only, whatever the labels are and when they are traded. With a
    cash rate f and a spread s it is lower than that by f/2 + s/2 x the share of calm bars, for
    exposures 1.5 and 0.3. Costs per traded notional do not show: a change of regime trades
    ``in_calm`` - ``otherwise`` of what calm only trades.

    Args:
        published: Buy and hold, calm only and levered.
        in_calm: Exposure of the levered strategy in calm regimes.
        otherwise: Its exposure in all others.
        rounding: Unit of the last digit of the published means.

    Returns:
        ``published`` and ``implied`` mean per bar of the levered strategy, the ``tolerance``
        that rounding leaves, and whether the two agree: ``unpaid``.

    Raises:
        DataError: One of the three is missing.
    """
    means = {each.strategy: each.mean_per_bar for each in published}
    missing = {BUY_AND_HOLD, "calm_only", "levered"} - set(means)
    if missing:
        raise DataError(f"there is no published mean of {', '.join(sorted(missing))}")
    of_calm = in_calm - otherwise
    implied = otherwise * means[BUY_AND_HOLD] + of_calm * means["calm_only"]
    tolerance = rounding / 2.0 * (1.0 + abs(otherwise) + abs(of_calm))
    return {
        "published": means["levered"],
        "implied": implied,
        "tolerance": tolerance,
        "unpaid": abs(means["levered"] - implied) <= tolerance,
    }


def resemblance(
    net: Mapping[tuple[str, str], pd.DataFrame],
    published: Sequence[PublishedStrategy],
    *,
    bars_per_year: int,
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """How far the published figures are from those of every rung.

    A rule with two readings. The distance is taken over all figures, and again over the Sharpe
    ratios alone, which a cheat in time moves most, while mean and volatility also hang on how
    many bars the labels call calm.

    Circular blocks of a rung's returns, all strategies together, are drawn until they are as long
    as the published sample. Their figures say how far such a sample strays from the rung's own:
    the standard error of each figure. The distance is the root mean square, over all figures of
    all published strategies, of (published - ours) ÷ standard error; the p-value is the share of
    resamples that lie at least as far from the rung as the published figures do. It takes the
    published sample for another draw from the same market; where the two samples overlap they
    are closer than that.

    Args:
        net: Labeller and rung to net returns, date x strategy.
        published: The figures.
        bars_per_year: Bars in a year.
        n_resamples: Resamples.
        seed: Of the blocks; the same for every rung.

    Returns:
        One row per labeller and rung: labeller, rung; distance and p_value over all figures;
        sharpe_distance and sharpe_p_value over the Sharpe ratios; block_length, n_figures;
        nearest (the smallest distance of the labeller), as_near (at most half a standard
        error farther).

    Raises:
        DataError: A published strategy is not among ours, or there are fewer than 30 bars.
        ParameterError: There are no published figures or no resamples.
    """
    if not published or n_resamples < 1:
        raise ParameterError("a resemblance needs published figures and at least one resample.")
    n_bars = implied_bars(published)
    aim = np.array(
        [
            (
                math.log1p(each.total_return),
                each.sharpe,
                each.mean_per_bar,
                each.volatility_per_bar,
            )
            for each in published
        ]
    )
    rows = []
    for (labeller, rung), returns in net.items():
        missing = [each.strategy for each in published if each.strategy not in returns.columns]
        if missing:
            raise DataError("a published strategy is not among ours", column=missing[0])
        values = returns[[each.strategy for each in published]].to_numpy(dtype=float)
        length = block_length_for(np.hstack([values, values**2]))
        drawn = _resampled_moments(values, length, n_bars, n_resamples, seed)
        ours = _figures(_moments(values).mean(axis=0), n_bars, bars_per_year)
        strays = _figures(drawn, n_bars, bars_per_year) - ours
        error = strays.std(axis=0)
        row: dict[str, object] = {"labeller": labeller, "rung": rung}
        for prefix, kinds in (("", slice(None)), ("sharpe_", slice(_SHARPE, _SHARPE + 1))):
            distance = float(_distance((aim - ours)[:, kinds], error[:, kinds]))
            strayed = _distance(strays[..., kinds], error[:, kinds])
            as_far = int((strayed >= distance).sum())
            row[f"{prefix}distance"] = distance
            row[f"{prefix}p_value"] = (as_far + 1) / (n_resamples + 1)
        rows.append(row | {"block_length": length, "n_figures": aim.size})
    table = pd.DataFrame(rows)
    best = table.groupby("labeller", sort=False)["distance"].transform("min")
    return table.assign(
        nearest=table["distance"] == best, as_near=table["distance"] <= best + AS_NEAR
    )


def resemblance_words(table: pd.DataFrame) -> list[str]:
    """What the distances say, one paragraph per labeller.

    Args:
        table: As :func:`resemblance` returns it.
    """
    labels = {rung.name: rung.label for rung in RUNGS}
    said = []
    for labeller, rows in table.groupby("labeller", sort=False):
        of_rung = rows.assign(label=rows["rung"].map(labels))
        nearest = of_rung[of_rung["nearest"]].iloc[0]
        far = of_rung[~of_rung["as_near"]]
        text = (
            f"With the labels of {name_in_sentence(str(labeller))} the published figures lie "
            f"nearest to '{nearest['label']}': {nearest['distance']:.1f} standard errors away, "
            f"root mean square over {nearest['n_figures']} figures."
        )
        text += _listed(
            f"At most {AS_NEAR:g} farther, and so not told from it",
            of_rung[of_rung["as_near"] & ~of_rung["nearest"]],
            "distance",
        )
        text += _listed("Farther", far, "distance")
        if nearest["p_value"] < LEVEL:
            text += (
                f" Chance alone takes a sample that far away in {100.0 * nearest['p_value']:.1f} % "
                "of resamples: the labels or the years were others."
            )
        out = of_rung[of_rung["sharpe_p_value"] < LEVEL]
        text += _listed("Their Sharpe ratios alone rule out", out, "sharpe_distance")
        if len(out) < len(of_rung):
            others = "the other rungs" if len(out) else "every rung"
            text += f" By their Sharpe ratios alone, {others} could have given them."
        said.append(text)
    return said


def _listed(beginning: str, rows: pd.DataFrame, distance: str) -> str:
    """A sentence that names rungs with their distances; nothing where there are none."""
    if rows.empty:
        return ""
    named = zip(rows["label"], rows[distance], strict=True)
    return f" {beginning}: {'; '.join(f'{label} ({far:.1f})' for label, far in named)}."


def _moments(values: np.ndarray) -> np.ndarray:
    """Per bar and strategy, (T, S, 3): return, its square, log return."""
    return np.stack([values, values**2, np.log1p(values)], axis=-1)


def _figures(moments: np.ndarray, n_bars: int, bars_per_year: int) -> np.ndarray:
    """Mean moments, (..., S, 3), to the figures of :data:`KINDS`, (..., S, 4)."""
    mean, square, growth = moments[..., 0], moments[..., 1], moments[..., 2]
    deviation = np.sqrt(np.maximum(square - mean**2, 0.0))
    moving = deviation > 0.0
    ratio = np.where(moving, mean / np.where(moving, deviation, 1.0), 0.0)
    return np.stack([n_bars * growth, ratio * math.sqrt(bars_per_year), mean, deviation], axis=-1)


def _distance(gaps: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Root mean square of gaps, (..., S, 4), in standard errors, (S, 4)."""
    moving = error > _ROUNDING
    # A figure that no resample changes is either met or out of reach.
    still = np.where(np.abs(gaps) > _ROUNDING, np.inf, 0.0)
    scaled = np.where(moving, gaps / np.where(moving, error, 1.0), still)
    distance: np.ndarray = np.sqrt((scaled**2).mean(axis=(-2, -1)))
    return distance


def _resampled_moments(
    values: np.ndarray, length: int, n_bars: int, n_resamples: int, seed: int
) -> np.ndarray:
    """Mean moments of resamples, (n_resamples, S, 3), each of as many bars as were published."""
    n = len(values)
    bars = _moments(values)
    start = np.zeros((1, *bars.shape[1:]))
    wrapped = np.concatenate([start, bars, bars[: length - 1]]).cumsum(axis=0)
    block_means = (wrapped[length:] - wrapped[:-length]) / length
    n_blocks = max(1, round(n_bars / length))
    rng = np.random.default_rng(seed)
    chunk = max(1, _CHUNK // n_blocks)
    return np.concatenate(
        [
            block_means[rng.integers(n, size=(min(chunk, n_resamples - begin), n_blocks))].mean(
                axis=1
            )
            for begin in range(0, n_resamples, chunk)
        ]
    )
