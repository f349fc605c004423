from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from forecaster_checks import check_forecaster
from neural_cases import autoregressive_market
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.params import check_arguments
from regime_nas_pipeline.forecasters.inputs import training_windows
from regime_nas_pipeline.forecasters.sklearn import ScikitLearnForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import random_walk_market
from regime_nas_pipeline.networks.training import TrainingPlan, make_split

RIDGE = "sklearn.linear_model.Ridge"
FOREST = "sklearn.ensemble.RandomForestRegressor"
BOOSTING = "sklearn.ensemble.HistGradientBoostingRegressor"


def small(regressor: str = RIDGE, **arguments: Any) -> ScikitLearnForecaster:
    defaults: dict[str, Any] = {"horizon": 5, "lookback": 12, "timeframes": (1, 5), "n_seeds": 2}
    return ScikitLearnForecaster(regressor=regressor, **{**defaults, **arguments})


@pytest.mark.parametrize(
    ("regressor", "arguments", "others"),
    [
        (RIDGE, {"alpha": 10.0, "random_state": 0}, {"features": "technical"}),
        (FOREST, {"n_estimators": 3, "max_depth": 3}, {}),
        (BOOSTING, {"max_iter": 3, "random_state": 0}, {"features": "returns"}),
        ("sklearn.svm.SVR", {}, {"market_features": False, "target_scale": "constant"}),
    ],
)
def test_keeps_the_contract(
    regressor: str, arguments: dict[str, Any], others: dict[str, Any], small_market: Market
) -> None:
    check_forecaster(small(regressor, arguments=arguments, **others), small_market)


def by_hand(
    market: Market, forecaster: ScikitLearnForecaster
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every window with a known target by plain indexing: inputs, targets, and their bars."""
    data = training_windows(market, forecaster.input_spec(), torch.device("cpu")).data
    asset, shared = data.asset.double().numpy(), data.market.double().numpy()
    usable, target = data.usable.numpy(), data.target.double().numpy()
    inputs, targets, bars = [], [], []
    for row in range(data.lookback, len(asset)):
        window = slice(row + 1 - data.lookback, row + 1)
        for column in range(asset.shape[1]):
            if usable[row, column] and np.isfinite(target[row, column]):
                inputs.append(np.hstack([asset[window, column], shared[window]]).ravel())
                targets.append(target[row, column])
                bars.append(row)
    return np.array(inputs), np.array(targets), np.array(bars)


def test_fits_the_purged_part_and_measures_the_tail(small_market: Market) -> None:
    settings: dict[str, Any] = {"sample_every": 4, "validation_fraction": 0.25, "embargo": 3}
    forecaster = small(arguments={"alpha": 3.0, "random_state": 0}, **settings).fit(small_market)
    inputs, targets, bars = by_hand(small_market, forecaster)
    dates = np.unique(bars)
    first = dates[-int(np.ceil(0.25 * len(dates)))]
    # The whole target of a training sample was known, three bars over, when the tail began.
    training = dates[dates + 1 + 5 + 3 <= first]
    inside = np.isin(bars, training[::-1][::4])
    tail = np.isin(bars, dates[dates >= first][::-1][::4])
    assert inside.any()
    expected = Ridge(alpha=3.0).fit(inputs[inside], targets[inside])
    (found,) = forecaster.regressors_
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-9, atol=1e-12)
    error = expected.predict(inputs[tail]) - targets[tail]
    assert forecaster.residual_size_ == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-6)
    assert forecaster.fit_report_.parameters == inputs.shape[1] + 1
    split = make_split(
        training_windows(small_market, forecaster.input_spec(), torch.device("cpu")).data,
        TrainingPlan(sample_every=4, validation_fraction=0.25, embargo=3),
        execution_lag=1,
        horizon=5,
    )
    np.testing.assert_array_equal(split.training, training)


def test_forecasts_are_what_the_regressor_says_in_the_unit_of_returns(
    small_market: Market,
) -> None:
    market = small_market
    forecaster = small(arguments={"random_state": 0}).fit(market.until(market.dates[300]))
    row = 350
    forecast = forecaster.predict(market, market.dates[[row]])
    spec, scaling = forecaster.input_spec(), forecaster.scaling_
    features = spec.make(market)
    bars = slice(row + 1 - spec.lookback, row + 1)
    size = features.volatility[row] * np.sqrt(5) * scaling.target_size
    for column in range(len(market.assets)):
        both = np.hstack(
            [
                (features.asset[bars, column] - scaling.asset_centre) / scaling.asset_size,
                (features.market[bars] - scaling.market_centre) / scaling.market_size,
            ]
        )
        clipped = np.clip(both, -5.0, 5.0).ravel()[None]
        said = forecaster.regressors_[0].predict(clipped)[0]
        assert forecast.mean[0, column] == pytest.approx(said * size[column], rel=1e-4)
        assert forecast.volatility is not None
        assert forecast.volatility[0, column] == pytest.approx(
            forecaster.residual_size_ * size[column]
        )


@pytest.mark.parametrize(
    ("regressor", "arguments"),
    [
        (RIDGE, {"alpha": 1000.0}),
        (FOREST, {"n_estimators": 20, "max_depth": 5, "max_features": 0.5}),
    ],
)
def test_finds_a_planted_edge_and_no_other(regressor: str, arguments: dict[str, Any]) -> None:
    settings: dict[str, Any] = {
        "arguments": arguments,
        "horizon": 1,
        "execution_lag": 0,
        "lookback": 6,
        "n_seeds": 1,
        "sample_every": 1,
    }

    def r2(market: Market) -> float:
        fitted = small(regressor, **settings).fit(market.until(market.dates[500]))
        rows = np.arange(500, len(market.dates) - 1, 2)
        mean = fitted.predict(market, market.dates[rows]).mean
        target = market.target(1, 0)[rows]
        return float(1 - ((target - mean) ** 2).sum() / (target**2).sum())

    # Nothing can explain more than 0.7² = 0.49, up to the luck of the sample.
    assert 0.25 < r2(autoregressive_market(0)) < 0.6
    assert -0.15 < r2(random_walk_market(n_assets=5, n_bars=700, seed=0)) < 0.03


def test_seeds_reach_the_regressor_and_are_averaged(small_market: Market) -> None:
    forecaster = small(FOREST, arguments={"n_estimators": 2, "max_depth": 2}).fit(small_market)
    assert forecaster.stochastic
    one, other = forecaster.regressors_
    assert isinstance(one, RandomForestRegressor)
    assert one.random_state != other.random_state
    assert one.n_jobs == other.n_jobs == 1
    forecast = forecaster.predict(small_market, small_market.dates[-3:])
    assert forecast.seed_spread is not None
    assert (forecast.seed_spread > 0).all()
    fixed = small(FOREST, arguments={"n_estimators": 2, "random_state": 7}).fit(small_market)
    assert not fixed.stochastic
    assert [each.random_state for each in fixed.regressors_] == [7]
    # No seed at all would give other numbers in every run.
    free = small(FOREST, arguments={"n_estimators": 2, "random_state": None})
    assert free.stochastic
    assert len({each.random_state for each in free.fit(small_market).regressors_}) == 2


@pytest.mark.parametrize(
    ("path", "match"),
    [
        ("os.system", "is not a class of scikit-learn"),
        ("sklearnish.Ridge", "is not a class of scikit-learn"),
        ("sklearn.linear_model.Rigde", "has no 'Rigde'"),
        ("sklearn.linear_model.LogisticRegression", "is not a RegressorMixin"),
        ("sklearn.base.RegressorMixin", "is not a BaseEstimator"),
        ("sklearn.nowhere.Ridge", "no module named"),
    ],
)
def test_a_path_to_no_regressor_is_refused_before_any_work(path: str, match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        check_arguments(ScikitLearnForecaster, {"regressor": path})


@pytest.mark.parametrize(
    ("regressor", "arguments", "match"),
    [
        (RIDGE, {"alhpa": 1.0}, "Ridge has no parameter 'alhpa'"),
        (RIDGE, {"alpha": -1.0}, "cannot be fitted: The 'alpha' parameter"),
        (FOREST, {"n_jobs": 2}, "n_jobs is set once for the whole run"),
        ("sklearn.ensemble.VotingRegressor", {}, "missing 1 required"),
        ("sklearn.linear_model.MultiTaskLasso", {}, "cannot be fitted"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    regressor: str, arguments: dict[str, Any], match: str, small_market: Market
) -> None:
    with pytest.raises(ParameterError, match=match):
        small(regressor, arguments=arguments).fit(small_market)


def test_weights_are_needed_where_errors_are_plain_returns(small_market: Market) -> None:
    neighbours = "sklearn.neighbors.KNeighborsRegressor"
    with pytest.raises(ParameterError, match="takes no weights"):
        small(neighbours, target_scale="constant").fit(small_market)
    with pytest.raises(ParameterError, match="n_seeds must be at least 1"):
        small(n_seeds=0).fit(small_market)


def test_what_cannot_be_trusted_can_be_fitted_and_not_kept(small_market: Market) -> None:
    neighbours = small("sklearn.neighbors.KNeighborsRegressor", arguments={"algorithm": "kd_tree"})
    fitted = neighbours.fit(small_market)
    assert np.isfinite(fitted.predict(small_market, small_market.dates[-1:]).mean).all()
    with pytest.raises(ParameterError, match=r"cannot be kept, .* not trusted .*KDTree"):
        fitted.to_bundle()


def test_a_checkpoint_of_another_regressor_is_refused(small_market: Market) -> None:
    kept = small(arguments={"random_state": 0}).fit(small_market).to_bundle()
    with pytest.raises(DataError, match="holds a Ridge, and the parameters ask for"):
        small("sklearn.linear_model.LinearRegression").from_bundle(kept)
    with pytest.raises(ParameterError, match="fewer than n_seeds = 2"):
        small(RIDGE).from_bundle(kept)
