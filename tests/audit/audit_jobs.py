"""A small job from prices to returns, and the same job with one leak in one of its nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.audit.job import Output
from regime_nas_pipeline.audit.rules import EARNED, AsOf, Pieces, Rows, Rule
from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.filtering import hamilton_filter, symmetric_transition

N_BARS = 150
FIRST_FIT, REFIT_EVERY = 60, 30
ASSETS = ("AAA", "BBB", "CCC")
STAY, CALM, WILD = 0.95, 0.008, 0.016


def bar_prices(n_bars: int = N_BARS, seed: int = 3) -> pd.DataFrame:
    """Tidy open, high, low, close and volume of three assets on business days."""
    generator = np.random.default_rng(seed)
    dates = pd.bdate_range("2020-01-01", periods=n_bars).astype("datetime64[us]")
    tables = []
    for asset in ASSETS:
        size = np.where(generator.random(n_bars).cumsum() % 20 < 10, CALM, WILD)
        close = 100.0 * np.exp(np.cumsum(size * generator.standard_normal(n_bars)))
        opened = close * np.exp(0.003 * generator.standard_normal(n_bars))
        room = np.exp(np.abs(0.004 * generator.standard_normal((2, n_bars))))
        tables.append(
            pd.DataFrame(
                {
                    "date": dates,
                    "asset": asset,
                    "close": close,
                    "open": opened,
                    "high": np.maximum(close, opened) * room[0],
                    "low": np.minimum(close, opened) / room[1],
                    "volume": generator.integers(1_000, 9_000, n_bars).astype(float),
                }
            )
        )
    return pd.concat(tables).sort_values(["date", "asset"], ignore_index=True)


def wide_returns(prices: pd.DataFrame) -> pd.DataFrame:
    close = prices.pivot(index="date", columns="asset", values="close")
    return np.log(close).diff().fillna(0.0)


def tidy(wide: pd.DataFrame, name: str) -> pd.DataFrame:
    dated = wide.rename_axis(index="date").reset_index()
    return dated.melt("date", var_name="asset", value_name=name).sort_values(
        ["date", "asset"], ignore_index=True
    )


# The honest steps. Each has date x asset returns for input.


def trailing_mean(returns: pd.DataFrame) -> pd.DataFrame:
    return returns.rolling(5, min_periods=1).mean()


def filtered_regimes(returns: pd.DataFrame) -> pd.DataFrame:
    likelihoods, transition = _hidden_chain(returns)
    states = hamilton_filter(likelihoods, transition, np.array([0.5, 0.5]))
    return pd.DataFrame(states.filtered, index=returns.index, columns=["calm", "wild"])


def fit_folds(features: pd.DataFrame, returns: pd.DataFrame) -> Bundle:
    """Slope of the next bar's return on the feature, on an expanding window, for each fold."""
    arrays, ends = {}, []
    for number, first in enumerate(range(FIRST_FIT, len(returns) - 1, REFIT_EVERY)):
        x, y = features.to_numpy()[: first - 1], returns.to_numpy()[1:first]
        arrays[f"fold{number:02d}/slope"] = np.array((x * y).sum() / (x * x).sum())
        ends.append(returns.index[first - 1].isoformat())
    facts = {"class": "slope", "train_ends": ends, "folds": [{"fold": i} for i in range(len(ends))]}
    return Bundle(arrays, facts)


def forecast(features: pd.DataFrame, models: Bundle) -> pd.DataFrame:
    """The forecast of each bar, by the latest model that was fitted on bars before it."""
    slopes = np.array(list(models.arrays.values()))
    decided = features.iloc[FIRST_FIT:]
    fold = np.arange(len(decided)) // REFIT_EVERY
    return decided.mul(slopes[np.minimum(fold, len(slopes) - 1)], axis=0)


def earned_weights(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Weights by the bar that they earn: the one after the forecast."""
    return _weights(forecasts).shift(1).iloc[1:]


def search(returns: pd.DataFrame) -> dict[str, Any]:
    known = returns.iloc[:FIRST_FIT]
    return {
        "parameters": {"width": 8, "scale": float(known.to_numpy().std())},
        "search": {"last_date_seen": known.index[-1].isoformat()},
    }


def _hidden_chain(returns: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihoods of two states that differ in volatility, and their transition matrix."""
    sizes = np.array([CALM, WILD])
    # One asset alone leaves room for doubt, so that a smoother has something to revise.
    scaled = returns.to_numpy()[:, :1] / sizes
    return -0.5 * scaled**2 - np.log(sizes), symmetric_transition(2, STAY)


def _weights(forecasts: pd.DataFrame) -> pd.DataFrame:
    ranks = forecasts.rank(axis=1)
    return ranks.div(ranks.sum(axis=1), axis=0)


# The leaks.


def centred_mean(returns: pd.DataFrame) -> pd.DataFrame:
    return returns.rolling(5, min_periods=1, center=True).mean()


def scaled_on_everything(returns: pd.DataFrame) -> pd.DataFrame:
    return (returns - returns.mean()) / returns.std()


def smoothed_regimes(returns: pd.DataFrame) -> pd.DataFrame:
    """Forward and backward over the chain: P(state at t | all observations)."""
    likelihoods, transition = _hidden_chain(returns)
    forward = hamilton_filter(likelihoods, transition, np.array([0.5, 0.5])).filtered
    backward = np.ones_like(forward)
    for bar in range(len(forward) - 2, -1, -1):
        later = np.exp(likelihoods[bar + 1] - likelihoods[bar + 1].max()) * backward[bar + 1]
        backward[bar] = transition @ later
        backward[bar] /= backward[bar].sum()
    joint = forward * backward
    smoothed = joint / joint.sum(axis=1, keepdims=True)
    return pd.DataFrame(smoothed, index=returns.index, columns=["calm", "wild"])


def label_fitted_once(returns: pd.DataFrame) -> pd.DataFrame:
    """A causal volatility over a threshold that was learned from the whole sample."""
    volatility = returns.rolling(10, min_periods=1).std().mean(axis=1).fillna(0.0)
    excess = (volatility - volatility.quantile(0.75)) / volatility.std()
    wild = 1.0 / (1.0 + np.exp(-excess))
    return pd.DataFrame({"calm": 1.0 - wild, "wild": wild})


def haar_denoised(returns: pd.DataFrame) -> pd.DataFrame:
    """Soft-thresholded Haar wavelet transform of the whole series."""
    size = 2 ** int(np.ceil(np.log2(len(returns))))
    padded = np.zeros((size, returns.shape[1]))
    padded[: len(returns)] = returns.to_numpy()
    smooth, details = padded, []
    while len(smooth) > 1:
        details.append((smooth[0::2] - smooth[1::2]) / np.sqrt(2.0))
        smooth = (smooth[0::2] + smooth[1::2]) / np.sqrt(2.0)
    threshold = np.median(np.abs(details[0])) / 0.6745
    for detail in reversed(details):
        kept = np.sign(detail) * np.maximum(np.abs(detail) - threshold, 0.0)
        pair = np.stack([smooth + kept, smooth - kept], axis=1) / np.sqrt(2.0)
        smooth = pair.reshape(-1, returns.shape[1])
    return pd.DataFrame(smooth[: len(returns)], index=returns.index, columns=returns.columns)


def weights_of_the_same_bar(forecasts: pd.DataFrame) -> pd.DataFrame:
    return _weights(forecasts)


def search_on_everything(returns: pd.DataFrame) -> dict[str, Any]:
    found = search(returns)
    return {**found, "parameters": {"width": 8, "scale": float(returns.to_numpy().std())}}


def fitted_on_the_test(features: pd.DataFrame, returns: pd.DataFrame) -> Bundle:
    """Every fold's model knows the bars that it is tested on."""
    honest = fit_folds(features, returns)
    arrays = {}
    for number, name in enumerate(honest.arrays):
        stop = min(FIRST_FIT + (number + 1) * REFIT_EVERY, len(returns))
        x, y = features.to_numpy()[: stop - 1], returns.to_numpy()[1:stop]
        arrays[name] = np.array((x * y).sum() / (x * x).sum())
    return replace(honest, arrays=arrays)


@dataclass(frozen=True)
class SmallJob:
    """Prices to returns, in execution order."""

    features: Callable[[pd.DataFrame], pd.DataFrame] = trailing_mean
    regimes: Callable[[pd.DataFrame], pd.DataFrame] = filtered_regimes
    models: Callable[[pd.DataFrame, pd.DataFrame], Bundle] = fit_folds
    weights: Callable[[pd.DataFrame], pd.DataFrame] = earned_weights
    architecture: Callable[[pd.DataFrame], dict[str, Any]] = search

    def __call__(self, prices: pd.DataFrame) -> list[Output]:
        returns = wide_returns(prices)
        features = self.features(returns)
        regimes = self.regimes(returns)
        models = self.models(features, returns)
        forecasts = forecast(features, models)
        weights = self.weights(forecasts)
        earned = (weights * np.expm1(returns.loc[weights.index])).sum(axis=1)
        return [
            Output("ingest", "prices", prices),
            Output("make_features", "features", tidy(features, "mean")),
            Output("label", "regimes", regimes),
            Output("search", "architecture", self.architecture(returns)),
            Output("fit", "checkpoints", models),
            Output("forecast", "forecasts", tidy(forecasts, "mean")),
            Output("trade", "weights", tidy(weights, "weight")),
            Output("trade", "strategy_returns", pd.DataFrame({"ranked": earned})),
            Output("summarise", "summary", {"mean": float(earned.mean())}),
        ]


def small_rules(prices: pd.DataFrame) -> dict[str, Rule]:
    bars = pd.DatetimeIndex(prices["date"].unique())
    return {
        "architecture": AsOf(bars[FIRST_FIT - 1]),
        "checkpoints": Pieces(needs_after=2),
        "forecasts": Rows(),
        "weights": EARNED,
    }


EXEMPT = {"summary": "about the whole sample"}
