"""Nodes of the regime-labelling pipeline: the labeller that is asked for, and its refits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.pipelines.regime_labelling.nodes import label_and_record, label_regimes
from regime_nas_pipeline.walkforward.parameters import Compute, Regimes, Universe

UNIVERSE = Universe(benchmark="IND", min_history=1, bars_per_year=252)
COMPUTE = Compute(seed=0)
ROOM = "regime_nas_pipeline.regimes"


@pytest.fixture(scope="module")
def prices() -> pd.DataFrame:
    """Three assets and an index that take turns between calm and storm, 60 bars each."""
    rng = np.random.default_rng(3)
    dates = pd.bdate_range("2015-01-01", periods=600)
    size = np.where(np.arange(600) // 60 % 2 == 0, 0.005, 0.03)
    moves = size[:, None] * (
        0.8 * rng.standard_normal((600, 1)) + 0.6 * rng.standard_normal((600, 4))
    )
    close = pd.DataFrame(100.0 * np.exp(moves.cumsum(axis=0)), dates, ["A", "B", "C", "IND"])
    return (
        close.rename_axis("date").reset_index().melt("date", var_name="asset", value_name="close")
    )


def regimes(labeller: str, **settings: object) -> Regimes:
    choice = {"class": f"{ROOM}.{labeller}"}
    return Regimes(labeller=choice, burn_in=250, refit_every=100, **settings)


def test_the_number_of_regimes_is_the_labellers_own_a_given_one_or_chosen(
    prices: pd.DataFrame,
) -> None:
    name = "gaussian_mixture.GaussianMixtureLabeller"
    own = label_regimes(prices, UNIVERSE, regimes(name), COMPUTE)
    assert list(own.columns) == ["calm", "stressed"]
    three = label_regimes(prices, UNIVERSE, regimes(name, n_regimes=3), COMPUTE)
    assert list(three.columns) == ["calm", "middle", "stressed"]
    chosen = label_regimes(prices, UNIVERSE, regimes(name, n_regimes="auto"), COMPUTE)
    twin = own if chosen.shape[1] == 2 else three
    pd.testing.assert_frame_equal(chosen, twin, check_exact=True)


def test_a_control_without_a_criterion_cannot_choose(prices: pd.DataFrame) -> None:
    control = regimes("threshold.VolatilityThresholdLabeller", n_regimes="auto")
    with pytest.raises(ParameterError, match="no criterion"):
        label_regimes(prices, UNIVERSE, control, COMPUTE)


def test_every_refit_is_recorded_with_what_it_changed(prices: pd.DataFrame) -> None:
    chosen = regimes("gaussian_mixture.GaussianMixtureLabeller")
    labels = label_regimes(prices, UNIVERSE, chosen, COMPUTE)
    recorded, refits = label_and_record(prices, UNIVERSE, chosen, COMPUTE)
    pd.testing.assert_frame_equal(recorded, labels, check_exact=True)
    dates = pd.DatetimeIndex(prices["date"].unique())
    assert list(refits["date"]) == list(dates[[249, 349, 449, 549]])
    assert refits["share_relabelled"].iloc[1:].between(0.0, 1.0).all()
    assert not refits["switched_by_refit"].iloc[0]
    assert labels.index[0] == refits["date"].iloc[0]
