"""From a market to the scaled windows that networks see, with scales learned in training only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, Self, get_args

import numpy as np
import torch

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.features import (
    Features,
    make_features,
    mean_and_deviation,
    mean_over_members,
    warm_up,
)
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.technical import TECHNICAL_HISTORY, technical_features
from regime_nas_pipeline.networks.windows import WindowData, complete_windows

# Scaled features beyond this many standard deviations tell a network nothing more.
FEATURE_CLIP = 5.0
_TINY = 1e-8
_ROWS_AT_ONCE = 64

FeatureSet = Literal["engineered", "returns", "technical"]
"""What networks are shown: causal features over several timeframes, one-bar returns alone, or the
indicators of technical analysis."""

TargetScale = Literal["trailing", "constant"]
"""What errors are measured in; see :class:`InputSpec`."""


@dataclass(frozen=True)
class Scaling:
    """Centres and sizes of features and targets, learned from the training market.

    Attributes:
        asset_centre, asset_size: (F,) of the asset features.
        market_centre, market_size: (F,) of the market features.
        target_size: Root mean square of target / (trailing volatility * sqrt(horizon)). Where
            networks see returns alone, the root mean square one-bar log return of the training
            market: the one constant that all sizes are then equal to.
    """

    asset_centre: np.ndarray
    asset_size: np.ndarray
    market_centre: np.ndarray
    market_size: np.ndarray
    target_size: float

    def to_arrays(self) -> dict[str, np.ndarray]:
        """As named arrays for a checkpoint."""
        return {name: np.asarray(value) for name, value in vars(self).items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Self:
        """Restore what :meth:`to_arrays` gave."""
        centres = {name: arrays[name] for name in cls.__dataclass_fields__ if name != "target_size"}
        return cls(**centres, target_size=float(arrays["target_size"]))


@dataclass(frozen=True)
class InputSpec:
    """What a network sees and forecasts.

    Attributes:
        lookback: Bars in a window.
        timeframes: Timeframes of the features, in bars.
        horizon: Bars of the target return.
        execution_lag: Bars between decision and trade.
        features: ``engineered`` for :func:`~.market.features.make_features`; ``returns`` for
            one-bar log returns over a single constant, whatever the timeframes; ``technical`` for
            :func:`~.market.technical.technical_features`, which has windows of its own.
        target_scale: What errors are measured in. Networks forecast the target over each asset's
            trailing volatility, so that one network serves assets of any volatility. ``trailing``
            counts errors in that unit; ``constant`` counts them in plain returns, so that errors
            of volatile assets and times weigh more. ``returns`` and ``technical`` know no trailing
            volatility: with them a target is forecast as a plain return.

    Raises:
        ParameterError: ``features`` or ``target_scale`` is none of those.
    """

    lookback: int
    timeframes: tuple[int, ...]
    horizon: int
    execution_lag: int
    features: FeatureSet = "engineered"
    target_scale: TargetScale = "trailing"

    def __post_init__(self) -> None:
        """Refuse a set of features, or a scale, that there is not."""
        if self.target_scale not in get_args(TargetScale):
            raise ParameterError(
                f"target_scale must be one of {', '.join(get_args(TargetScale))} and is "
                f"'{self.target_scale}'."
            )
        if self.features not in get_args(FeatureSet):
            raise ParameterError(
                f"features must be one of {', '.join(get_args(FeatureSet))} and is "
                f"'{self.features}'."
            )

    def required_history(self) -> int:
        """Closes that an asset needs before it has a whole window."""
        # A return needs two closes; the one that completes the first bar is counted in both.
        first_bars = {"returns": 2, "technical": TECHNICAL_HISTORY}
        first_bar = first_bars.get(self.features) or warm_up(self.timeframes)
        return self.lookback + first_bar - 1

    def prediction_bars(self) -> int:
        """Bars that one forecast is made from: a window with its features, and the bar before."""
        return self.required_history() + 1

    def errors_in_volatility(self) -> bool:
        """Whether errors are measured in units of trailing volatility."""
        return self.features == "engineered" and self.target_scale == "trailing"

    def make(self, market: Market) -> Features:
        """Features of every bar of ``market``, not yet scaled."""
        if self.features == "returns":
            return return_features(market)
        if self.features == "technical":
            return technical_features(market)
        return make_features(market, self.timeframes)


def return_features(market: Market) -> Features:
    """One-bar log returns as the only feature, of every asset and as their mean over assets.

    The volatility is 1 throughout, so that a target over it is the target itself: nothing that
    was made from the past by hand reaches the network.
    """
    asset = market.log_returns[:, :, None]
    return Features(
        asset=asset,
        market=mean_over_members(market, asset),
        volatility=np.ones(market.close.shape),
        names=("log_return",),
        timeframes=(1,),
    )


def learn_scaling(market: Market, features: Features, spec: InputSpec) -> Scaling:
    """Centres and sizes over every bar of a training market."""
    if spec.features == "returns":
        return _one_constant(market, features)
    usable = market.eligible & features.complete
    market_rows = features.market[np.isfinite(features.market).all(axis=-1)]
    ratio = scaled_target(market, features.volatility, spec)[usable]
    ratio = ratio[np.isfinite(ratio)]
    centre, size = mean_and_deviation(features.asset, usable)
    return Scaling(
        asset_centre=centre,
        asset_size=size + _TINY,
        market_centre=market_rows.mean(axis=0),
        market_size=market_rows.std(axis=0) + _TINY,
        target_size=float(np.sqrt(np.mean(ratio**2))) + _TINY,
    )


def _one_constant(market: Market, features: Features) -> Scaling:
    """Root mean square return of the universe as every size; centres are zero."""
    returns = features.asset[market.eligible & features.complete]
    size = float(np.sqrt(np.mean(returns**2))) + _TINY
    zero, sizes = np.zeros(1), np.full(1, size)
    return Scaling(zero, sizes, zero, sizes, target_size=size)


def scaled_target(market: Market, volatility: np.ndarray, spec: InputSpec) -> np.ndarray:
    """Target over trailing volatility times sqrt(horizon), (T, N); blank where unknown."""
    target = market.target(spec.horizon, spec.execution_lag)
    scaled: np.ndarray = target / (volatility * np.sqrt(spec.horizon))
    return scaled


@dataclass(frozen=True)
class TrainingWindows:
    """What a network learns from.

    Attributes:
        data: Windows of the assets that have at least one sample; the others cost time and
            teach nothing.
        assets: Their names.
        scaling: Learned from the training market.
        sizes: ``n_assets``, ``n_asset_features`` and ``market_timeframes`` (the timeframe of each
            market feature): what a network's layers depend on.
    """

    data: WindowData
    assets: tuple[str, ...]
    scaling: Scaling
    sizes: dict[str, Any]


def training_windows(market: Market, spec: InputSpec, device: torch.device) -> TrainingWindows:
    """Windows of a training market.

    Args:
        market: Ends at the last bar that may be known.
        spec: What the network sees.
        device: Where the tensors go.

    Raises:
        DataError: No asset has a whole window with a known target.
    """
    features = spec.make(market)
    _check_samples(market, features, spec)
    scaling = learn_scaling(market, features, spec)
    target = scaled_target(market, features.volatility, spec) / scaling.target_size
    regimes = None if market.regimes is None else _tensor(market.regimes, device)
    data = replace(
        scaled_windows(market.eligible, features, spec, scaling, device),
        target=_tensor(target, device),
        regimes=regimes,
        weight=None if spec.errors_in_volatility() else _weights(target, features, device),
    )
    sampled = (data.usable & torch.isfinite(data.target)).any(dim=0).cpu().numpy()
    assets = tuple(np.asarray(market.assets)[sampled])
    sizes = {
        "n_assets": len(assets),
        "n_asset_features": len(features.names),
        "market_timeframes": features.timeframes,
    }
    return TrainingWindows(data.select(sampled), assets, scaling, sizes)


def _weights(target: np.ndarray, features: Features, device: torch.device) -> torch.Tensor:
    """Squared volatility over its mean where targets are known: turns errors into returns."""
    square = features.volatility**2
    known = np.isfinite(target) & np.isfinite(square)
    return _tensor(np.nan_to_num(square / square[known].mean()), device)


def _check_samples(market: Market, features: Features, spec: InputSpec) -> None:
    usable = market.eligible & complete_windows(features.complete, spec.lookback)
    if not (usable & np.isfinite(market.target(spec.horizon, spec.execution_lag))).any():
        raise DataError(
            f"no asset has {spec.required_history()} bars of history and a known target in "
            "the training window",
            source="prices",
            date=market.dates[-1] if len(market.dates) else None,
            remedy="start the data earlier, move first_oos later, or shorten the lookback.",
        )


def scaled_windows(
    eligible: np.ndarray,
    features: Features,
    spec: InputSpec,
    scaling: Scaling,
    device: torch.device,
) -> WindowData:
    """Windows of scaled features, without targets.

    Args:
        eligible: Whether an asset is in the universe, (T, N) bool.
        features: Of the same T bars.
        spec: What the network sees.
        scaling: Learned in training.
        device: Where the tensors go.
    """
    usable = eligible & complete_windows(features.complete, spec.lookback)
    return WindowData(
        asset=_scaled(features.asset, scaling.asset_centre, scaling.asset_size, device),
        market=_scaled(features.market, scaling.market_centre, scaling.market_size, device),
        usable=torch.as_tensor(usable, device=device),
        target=torch.full(usable.shape, torch.nan, device=device),
        lookback=spec.lookback,
    )


def _scaled(
    values: np.ndarray, centre: np.ndarray, size: np.ndarray, device: torch.device
) -> torch.Tensor:
    """Features in units of their size, clipped, 0 where blank."""
    result = np.empty(values.shape, dtype=np.float32)
    # Some rows at a time: what stands between is twice as wide as the result, several times over.
    for first in range(0, len(values), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        scaled = np.clip((values[rows] - centre) / size, -FEATURE_CLIP, FEATURE_CLIP)
        result[rows] = np.nan_to_num(scaled, nan=0.0)
    return torch.as_tensor(result, device=device)


def _tensor(values: np.ndarray, device: torch.device) -> torch.Tensor:
    # A copy, since what comes out of pandas may be read-only and torch knows no such tensors.
    return torch.as_tensor(np.array(values, dtype=np.float32), device=device)
