from __future__ import annotations

import numpy as np
import pytest
from two_states import TRUTH, simulate, with_blanks

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.regimes.criterion import choose_n_regimes
from regime_nas_pipeline.regimes.features import feature_matrix
from regime_nas_pipeline.regimes.threshold import VolatilityThresholdLabeller


@pytest.fixture(scope="module")
def index() -> Market:
    return simulate(TRUTH, n_bars=800, seed=6)[0]


@pytest.mark.parametrize("hysteresis", [0.0, 0.3])
def test_labels_follow_the_rule_bar_by_bar(index: Market, hysteresis: float) -> None:
    labeller = VolatilityThresholdLabeller(0.8, hysteresis, "volatility_5")
    training = index.until(index.dates[499])
    labeller.fit(training)
    trained = feature_matrix(training, ("volatility_5",))[5:, 0]
    high, low = np.quantile(trained, [0.8, 0.8 - hysteresis])
    values = feature_matrix(index, ("volatility_5",))[5:, 0]
    stressed, expected = False, []
    for value in values:
        stressed = value > low if stressed else value > high
        expected.append(float(stressed))
    labels = labeller.predict_online(index, index.dates)
    assert labels["stressed"].tolist() == expected
    assert labels["calm"].tolist() == [1.0 - value for value in expected]
    np.testing.assert_allclose(labeller.signature()[0] < low, True)


def test_hysteresis_means_fewer_turns(index: Market) -> None:
    turns = [
        np.abs(
            np.diff(
                VolatilityThresholdLabeller(0.8, hysteresis, "volatility_5")
                .fit(index)
                .predict_online(index, index.dates)["stressed"]
            )
        ).sum()
        for hysteresis in (0.0, 0.1, 0.3)
    ]
    assert turns == sorted(turns, reverse=True)
    assert turns[0] > turns[-1]


def test_a_gap_leaves_the_regime_as_it_was(index: Market) -> None:
    labeller = VolatilityThresholdLabeller(0.8, 0.5, "volatility_5").fit(index)
    labels = labeller.predict_online(index, index.dates)["stressed"]
    # Inside a stressed stretch in which no bar is above the upper threshold again for a while.
    values = feature_matrix(index, ("volatility_5",))[:, 0]
    between = (values > labeller.leave_) & (values <= labeller.enter_)
    inside = [
        row
        for row in range(20, 780)
        if between[row : row + 10].all() and labels[index.dates[row]] == 1.0
    ]
    row = inside[0]
    blanked = labeller.predict_online(with_blanks(index, slice(row, row + 1)), index.dates)
    assert index.dates[row] not in blanked.index
    # The windows that hold the returns of this bar and the next are blank.
    after = blanked.index[blanked.index > index.dates[row]][0]
    assert after == index.dates[row + 6]
    assert blanked["stressed"].loc[after] == 1.0


@pytest.mark.parametrize(("quantile", "hysteresis"), [(1.0, 0.0), (0.5, 0.5), (0.8, -0.1)])
def test_impossible_quantiles_are_refused(
    index: Market, quantile: float, hysteresis: float
) -> None:
    with pytest.raises(ParameterError, match="0 < quantile - hysteresis <= quantile < 1"):
        VolatilityThresholdLabeller(quantile, hysteresis).fit(index)


def test_a_feature_that_says_nothing_about_stress_is_refused(index: Market) -> None:
    with pytest.raises(ParameterError, match="cannot read stress from 'return_5'"):
        VolatilityThresholdLabeller(feature="return_5").fit(index)


def test_a_quantile_with_hardly_a_bar_above_is_refused(index: Market) -> None:
    with pytest.raises(DataError, match="one of 2 regimes holds 1"):
        VolatilityThresholdLabeller(quantile=0.999).fit(index)


def test_it_has_no_criterion(index: Market) -> None:
    with pytest.raises(ParameterError, match="no criterion"):
        VolatilityThresholdLabeller().fit(index).criterion(index)
    with pytest.raises(ParameterError, match="VolatilityThresholdLabeller has no criterion"):
        choose_n_regimes(VolatilityThresholdLabeller(), index)
