"""How much of the best possible forecast a forecaster reaches, and how much chance alone gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from regime_nas_pipeline.core.errors import DataError, ParameterError


@dataclass(frozen=True)
class ChanceBand:
    """R² against zero that forecasts of this size show on a martingale.

    Attributes:
        low, high: Ends of the band.
        r2: What the forecasts show.
        p_value: Share of the draws, the observed one counted in, with at least that R².
    """

    low: float
    high: float
    r2: float
    p_value: float


def r2_zero(mean: np.ndarray, target: np.ndarray) -> float | None:
    """R² against the forecast of zero: 1 - sum of (target - mean)² ÷ sum of target².

    Args:
        mean: Forecast log returns, any shape, blank where there is none.
        target: What happened, same shape, blank where it is not known.

    Returns:
        R² over the values that both have; None where nothing moved.

    Raises:
        DataError: The shapes differ, or nothing can be compared.
    """
    predicted, realised = _compared(mean, target)
    squares = float(realised @ realised)
    error = realised - predicted
    return 1.0 - float(error @ error) / squares if squares > 0.0 else None


def oracle_efficiency(r2: float, r2_oracle: float) -> float | None:
    """R² of a forecaster ÷ R² of the best possible forecast, on the same bars.

    Below zero for a forecaster that is worse than expecting nothing; above one by luck alone.
    None where the oracle itself explains nothing, so that there is nothing to reach.
    """
    return r2 / r2_oracle if r2_oracle > 0.0 else None


def efficiency_table(
    r2: Mapping[str, Sequence[float]], r2_oracle: Sequence[float]
) -> dict[str, dict[str, Any]]:
    """Oracle efficiency of every forecaster over several simulated markets.

    Args:
        r2: Forecaster to its R² against zero, one per market.
        r2_oracle: The oracle's on the same bars, in the same order.

    Returns:
        Forecaster to ``median`` over the markets and ``seeds``, the single values; None where
        undefined. An undefined market is left out of the median.

    Raises:
        DataError: A forecaster has more or fewer values than the oracle.
    """
    table: dict[str, dict[str, Any]] = {}
    for name, values in r2.items():
        if len(values) != len(r2_oracle):
            raise DataError(
                f"forecaster {name} has {len(values)} values of R² and the oracle {len(r2_oracle)}",
                remedy="score every forecaster on every market.",
            )
        seeds = [oracle_efficiency(a, b) for a, b in zip(values, r2_oracle, strict=True)]
        known = [value for value in seeds if value is not None]
        table[name] = {"median": median(known) if known else None, "seeds": seeds}
    return table


def chance_band(
    mean: np.ndarray,
    target: np.ndarray,
    *,
    level: float = 0.95,
    n_draws: int = 2000,
    seed: int,
) -> ChanceBand:
    """Where R² against zero lies when the forecasts know nothing of the targets' signs.

    R² = (2 Σ mean·target - Σ mean²) ÷ Σ target². If the targets are a martingale difference, the
    sum of mean·target over the assets of one date is as likely positive as negative whatever
    came before. Each draw turns the signs of whole dates at random: dependence between assets
    and changes of volatility stay as they are. The forecasts are held as they are too, which
    makes this a wild bootstrap: exact for forecasts that were made from other data, and right
    in large samples for forecasts that follow the same series.

    Targets must not overlap: one-bar horizons, or dates a horizon apart.

    Args:
        mean: Forecast log returns, (D, N), blank where there is none.
        target: What happened, (D, N), blank where it is not known.
        level: Chance of lying inside the band.
        n_draws: Draws of signs.
        seed: Seed of the draws.

    Raises:
        ParameterError: ``level`` is not between 0 and 1, or there are no draws.
        DataError: The shapes differ, nothing can be compared, or no target moved.

    Source: Liu, R. Y. (1988). Bootstrap Procedures under some Non-I.I.D. Models. Annals of
    Statistics 16(4).
    """
    if not 0.0 < level < 1.0 or n_draws < 1:
        raise ParameterError(
            f"a chance band needs a level between 0 and 1 and at least one draw; got {level} "
            f"and {n_draws}."
        )
    _compared(mean, target)
    known = np.isfinite(mean) & np.isfinite(target)
    predicted, realised = np.where(known, mean, 0.0), np.where(known, target, 0.0)
    squares = float((realised**2).sum())
    if squares <= 0.0:
        raise DataError("no target moved, so that R² is undefined")
    by_date = (predicted * realised).reshape(len(known), -1).sum(axis=1)
    generator = np.random.default_rng(seed)
    signs = generator.integers(0, 2, size=(n_draws, len(by_date)), dtype=np.int8)
    products = (2.0 * signs - 1.0) @ by_date
    own = float((predicted**2).sum())
    drawn = (2.0 * products - own) / squares
    observed = (2.0 * float(by_date.sum()) - own) / squares
    low, high = np.quantile(drawn, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    at_least = int((drawn >= observed).sum())
    return ChanceBand(float(low), float(high), observed, (at_least + 1) / (n_draws + 1))


def _compared(mean: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    predicted, realised = np.asarray(mean, dtype=float), np.asarray(target, dtype=float)
    if predicted.shape != realised.shape:
        raise DataError(
            f"forecasts {predicted.shape} and targets {realised.shape} must have one shape"
        )
    known = np.isfinite(predicted) & np.isfinite(realised)
    if not known.any():
        raise DataError("there is no forecast whose target is known")
    return predicted[known], realised[known]
