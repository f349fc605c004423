"""On an index whose states are known: how often the online label is right, and how late it is."""

from __future__ import annotations

import numpy as np
import pytest
from two_states import TRUTH, simulate

from regime_nas_pipeline.core.filtering import hamilton_filter
from regime_nas_pipeline.regimes.base import Labeller
from regime_nas_pipeline.regimes.gaussian_mixture import GaussianMixtureLabeller
from regime_nas_pipeline.regimes.jump import JumpModelLabeller
from regime_nas_pipeline.regimes.kmeans import KMeansLabeller
from regime_nas_pipeline.regimes.markov import HiddenMarkovLabeller
from regime_nas_pipeline.regimes.schedule import label_walk
from regime_nas_pipeline.regimes.threshold import VolatilityThresholdLabeller

SEEDS = (11, 12)
N_BARS = 3000
SCHEDULE = {"burn_in": 1200, "refit_every": 900}

Runs = list[tuple[np.ndarray, np.ndarray]]


def online(labeller: Labeller, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Most likely label and true state from the end of the burn-in on."""
    market, states = simulate(TRUTH, n_bars=N_BARS, seed=seed)
    labels = label_walk(market, labeller, **SCHEDULE).labels
    return labels.to_numpy().argmax(axis=1), states[-len(labels) :]


def best_possible(seed: int) -> float:
    """Agreement of Hamilton's filter that knows the true parameters, in per cent."""
    market, states = simulate(TRUTH, n_bars=N_BARS, seed=seed)
    densities = TRUTH.log_densities(market.log_returns[1:, 0])
    found = hamilton_filter(densities, TRUTH.transition, TRUTH.stationary())
    first = SCHEDULE["burn_in"] - 1
    right = found.filtered[first - 1 :].argmax(axis=1) == states[first:]
    return 100.0 * float(right.mean())


def delays(label: np.ndarray, truth: np.ndarray) -> list[int]:
    """Bars from each switch of the truth to the first right label, before the next switch."""
    switches = np.flatnonzero(np.diff(truth)) + 1
    found = []
    for start, end in zip(switches, [*switches[1:], len(truth)], strict=True):
        right = np.flatnonzero(label[start:end] == truth[start])
        found += [int(right[0])] if len(right) else []
    return found


@pytest.fixture(scope="module")
def best() -> dict[int, float]:
    return {seed: best_possible(seed) for seed in SEEDS}


@pytest.mark.parametrize(
    ("labeller", "points", "bars"),
    [
        (HiddenMarkovLabeller(n_starts=3), 1.0, 5),
        (KMeansLabeller(n_regimes=2, features=("log_volatility_10",)), 5.0, 8),
        (GaussianMixtureLabeller(), 10.0, 8),
        (JumpModelLabeller(n_starts=2), 10.0, 12),
        (VolatilityThresholdLabeller(quantile=0.75, feature="volatility_10"), 10.0, 8),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Labeller) else "",
)
def test_online_labels_come_close_to_the_filter_that_knows_the_truth(
    labeller: Labeller, points: float, bars: float, best: dict[int, float]
) -> None:
    late: list[int] = []
    for seed in SEEDS:
        label, truth = online(labeller, seed)
        agreement = 100.0 * float((label == truth).mean())
        assert agreement > best[seed] - points
        # No filter is better than the one with the true parameters, but for chance.
        assert agreement < best[seed] + 1.0
        late += delays(label, truth)
    assert 0.0 < np.mean(late) < bars


def test_hindsight_is_right_more_often_and_earlier() -> None:
    market, states = simulate(TRUTH, n_bars=N_BARS, seed=11)
    fitted = HiddenMarkovLabeller(n_starts=2).fit(market)
    right = {}
    late = {}
    for name, labels in (
        ("online", fitted.predict_online(market, market.dates)),
        ("hindsight", fitted.predict_hindsight(market)),
    ):
        label = labels.to_numpy().argmax(axis=1)
        right[name] = (label == states[1:]).mean()
        late[name] = np.mean(delays(label, states[1:]))
    assert right["hindsight"] > right["online"] + 0.01
    assert late["hindsight"] < late["online"]
