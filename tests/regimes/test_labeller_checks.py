from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from labeller_checks import check_labeller
from two_states import simulate

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.regimes.base import Labeller
from regime_nas_pipeline.regimes.gaussian_mixture import GaussianMixtureLabeller
from regime_nas_pipeline.regimes.jump import JumpModelLabeller
from regime_nas_pipeline.regimes.kmeans import KMeansLabeller
from regime_nas_pipeline.regimes.markov import HiddenMarkovLabeller
from regime_nas_pipeline.regimes.markov_em import GaussianChain
from regime_nas_pipeline.regimes.threshold import VolatilityThresholdLabeller

THREE = GaussianChain(
    transition=np.array([[0.97, 0.02, 0.01], [0.02, 0.96, 0.02], [0.01, 0.03, 0.96]]),
    means=np.array([0.001, 0.0, -0.002]),
    variances=np.array([0.004, 0.012, 0.036]) ** 2,
)

LABELLERS: dict[str, Labeller] = {
    "k-means": KMeansLabeller(),
    "k-means, chosen features": KMeansLabeller(n_regimes=2, features=("volatility_10", "vix")),
    "mixture": GaussianMixtureLabeller(n_regimes=3, features=("log_vix", "log_volatility_5")),
    "hidden Markov, two": HiddenMarkovLabeller(),
    "hidden Markov, three": HiddenMarkovLabeller(n_regimes=3),
    "jump": JumpModelLabeller(n_regimes=3, n_starts=3),
    "jump, continuous": JumpModelLabeller(share_steps=10, n_starts=2),
    "threshold": VolatilityThresholdLabeller(),
    "threshold, hysteresis": VolatilityThresholdLabeller(feature="volatility_10", hysteresis=0.2),
}


@pytest.fixture(scope="module")
def market() -> Market:
    return simulate(THREE, n_bars=700, seed=5)[0]


@pytest.mark.parametrize("name", LABELLERS)
def test_every_labeller_keeps_the_contract(market: Market, name: str) -> None:
    check_labeller(LABELLERS[name], market)


class Peeking(VolatilityThresholdLabeller):
    """Shifts its labels back by a bar."""

    def predict_online(self, market: Market, dates: pd.DatetimeIndex) -> pd.DataFrame:
        labels = super().predict_online(market, market.dates).shift(-1).ffill()
        return labels.loc[labels.index.intersection(dates)]


class Forgetful(VolatilityThresholdLabeller):
    """Its labels depend on which dates are asked for."""

    def predict_online(self, market: Market, dates: pd.DatetimeIndex) -> pd.DataFrame:
        labels = super().predict_online(market, dates)
        return labels if len(dates) > 1 else 1.0 - labels


class Unsure(VolatilityThresholdLabeller):
    """Its probabilities do not sum to 1."""

    def predict_online(self, market: Market, dates: pd.DatetimeIndex) -> pd.DataFrame:
        return super().predict_online(market, dates) * 0.9


@pytest.mark.parametrize(
    ("wrong", "caught_by"),
    [(Peeking, "check_one_by_one"), (Forgetful, "check_one_by_one"), (Unsure, "check_shape")],
)
def test_a_labeller_that_breaks_the_contract_is_caught(
    market: Market, wrong: type[Labeller], caught_by: str
) -> None:
    with pytest.raises(AssertionError) as error:
        check_labeller(wrong(), market)
    assert caught_by in {entry.name for entry in error.traceback}
