from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from neural_cases import NEURAL, SHORT, tiny

from regime_nas_pipeline.core.bundle import bundle_from_bytes, bundle_to_bytes
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.params import check_arguments
from regime_nas_pipeline.forecasters.gru import GRUForecaster
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import random_walk_market, with_listing
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.training import TrainingPlan, derived_seed


@pytest.fixture(scope="module")
def fitted(small_market: Market) -> GRUForecaster:
    return tiny(GRUForecaster, n_seeds=3).fit(small_market.until(small_market.dates[300]))


def test_derived_seeds_depend_on_every_part() -> None:
    seeds = {derived_seed(a, b) for a in range(20) for b in range(20)}
    assert len(seeds) == 400
    assert derived_seed(3, 4) == derived_seed(3, 4)
    assert derived_seed(3, 4) != derived_seed(4, 3)


@pytest.mark.parametrize("cls", NEURAL)
@pytest.mark.parametrize("n_seeds", [1, 2])
def test_seeds_disagree_unless_there_is_one(
    cls: type[NeuralForecaster], n_seeds: int, labelled_market: Market
) -> None:
    forecaster = tiny(cls, n_seeds=n_seeds).fit(labelled_market)
    forecast = forecaster.predict(labelled_market, labelled_market.dates[-20::4])
    assert forecast.seed_spread is not None
    assert forecast.volatility is not None
    if n_seeds == 1:
        assert (forecast.seed_spread == 0).all()
    else:
        assert (forecast.seed_spread > 0).all()
    assert (forecast.volatility > 0).all()


def test_the_forecast_is_the_average_of_its_seeds(
    fitted: GRUForecaster, small_market: Market
) -> None:
    dates = small_market.dates[[310, 350]]
    together = fitted.predict(small_market, dates)
    alone = []
    for number in range(3):
        one = tiny(GRUForecaster, n_seeds=1)
        vars(one).update(
            scaling_=fitted.scaling_,
            assets_=fitted.assets_,
            networks_=[fitted.networks_[number]],
        )
        alone.append(one.predict(small_market, dates))
    means = np.stack([forecast.mean for forecast in alone])
    variances = np.stack([np.square(forecast.volatility) for forecast in alone])  # type: ignore[arg-type]
    np.testing.assert_allclose(together.mean, means.mean(axis=0), rtol=1e-12)
    assert together.volatility is not None
    np.testing.assert_allclose(together.volatility**2, variances.mean(axis=0), rtol=1e-12)
    assert together.seed_spread is not None
    np.testing.assert_allclose(together.seed_spread, means.std(axis=0), rtol=1e-9)
    np.testing.assert_array_equal(together.seed_means, means)


def test_more_seeds_keep_the_first_ones(small_market: Market) -> None:
    alone = replace(SHORT, together="never")
    training = small_market.until(small_market.dates[300])
    more = tiny(GRUForecaster, n_seeds=3, training=alone).fit(training)
    fewer = tiny(GRUForecaster, n_seeds=2, training=alone).fit(training)
    for one, other in zip(fewer.networks_, more.networks_[:2], strict=True):
        for a, b in zip(one.parameters(), other.parameters(), strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("cls", NEURAL)
def test_seeds_side_by_side_forecast_what_they_do_one_by_one(
    cls: type[NeuralForecaster], labelled_market: Market
) -> None:
    dates = labelled_market.dates[-20::4]
    found = [
        tiny(cls, dropout=0.0, training=replace(SHORT, together=together))
        .fit(labelled_market)
        .predict(labelled_market, dates)
        .seed_means
        for together in ("always", "never")
    ]
    np.testing.assert_allclose(*found, rtol=1e-2, atol=1e-5)
    assert not np.array_equal(found[0][0], found[0][1])


def test_the_report_counts_all_seeds(fitted: GRUForecaster) -> None:
    report = fitted.fit_report_
    assert len(report.curves) == 3
    assert report.gradient_samples == sum(curve[-1]["samples"] for curve in report.curves)
    assert report.gradient_samples <= 3 * 300
    assert report.epochs == pytest.approx(np.mean([len(curve) for curve in report.curves]))


def test_fitting_leaves_torch_as_it_was(small_market: Market) -> None:
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    tiny(GRUForecaster).fit(small_market).predict(small_market, small_market.dates[-1:])
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_the_fit_does_not_depend_on_torchs_own_seed(
    fitted: GRUForecaster, small_market: Market
) -> None:
    torch.manual_seed(12345)
    again = tiny(GRUForecaster, n_seeds=3).fit(small_market.until(small_market.dates[300]))
    assert bundle_to_bytes(again.to_bundle()) == bundle_to_bytes(fitted.to_bundle())


@pytest.mark.parametrize("cls", NEURAL)
def test_forecasts_are_in_the_unit_of_log_returns(cls: type[NeuralForecaster]) -> None:
    # Five bars of a walk with 1 % or 3 % a bar: volatility is √5 times that.
    quiet = random_walk_market(n_assets=2, n_bars=400, volatility=0.01, seed=1)
    loud = random_walk_market(n_assets=2, n_bars=400, volatility=0.03, seed=2)
    both = replace(quiet, assets=tuple("ABCD"), close=np.hstack([quiet.close, loud.close]))
    forecaster = tiny(cls, objective=Objective(volatility_weight=1.0)).fit(both)
    forecast = forecaster.predict(both, both.dates[-60::10])
    expected = np.sqrt(5) * np.array([0.01, 0.01, 0.03, 0.03])
    assert forecast.volatility is not None
    np.testing.assert_allclose(forecast.volatility.mean(axis=0), expected, rtol=0.3)
    assert (np.abs(forecast.mean) < forecast.volatility).all()


def newly_listed(market: Market) -> Market:
    """An asset that trades from bar 280 on and is trained on nowhere before bar 320."""
    return with_listing(market, first_bar={"A04": 280})


@pytest.mark.parametrize("mode", ["pooled", "joint"])
def test_a_newly_listed_asset_is_forecast_by_pooled_networks_alone(
    mode: str, small_market: Market
) -> None:
    market = newly_listed(small_market)
    forecaster = tiny(GRUForecaster, mode=mode).fit(market.until(market.dates[320]))
    assert forecaster.assets_ == ("A00", "A01", "A02", "A03")
    first = 280 + forecaster.required_history() - 1
    forecast = forecaster.predict(market, market.dates[[first - 1, first]])
    assert np.isfinite(forecast.mean[:, :4]).all()
    assert np.isnan(forecast.mean[0, 4])
    assert np.isfinite(forecast.mean[1, 4]) == (mode == "pooled")


def test_pooled_networks_forecast_a_market_of_other_assets(
    fitted: GRUForecaster, small_market: Market
) -> None:
    dates = small_market.dates[-5:]
    some = replace(
        small_market,
        assets=("X", "Y", "Z"),
        close=small_market.close[:, [3, 1, 1]],
    )
    mean = fitted.predict(some, dates).mean
    assert np.isfinite(mean).all()
    # Y and Z are the same asset, up to the order in which sums over a batch round.
    np.testing.assert_allclose(mean[:, 1], mean[:, 2], rtol=0, atol=1e-9)


def test_a_joint_network_refuses_other_assets(small_market: Market) -> None:
    forecaster = tiny(GRUForecaster, mode="joint", n_seeds=1).fit(small_market)
    dates = small_market.dates[-2:]
    fewer = replace(small_market, assets=small_market.assets[:4], close=small_market.close[:, :4])
    turned = replace(
        small_market, assets=small_market.assets[::-1], close=small_market.close[:, ::-1]
    )
    for other in (fewer, turned):
        with pytest.raises(DataError, match=r"joint network forecasts the assets .*A00, A01"):
            forecaster.predict(other, dates)
    more = replace(
        small_market,
        assets=("A000", *small_market.assets),
        close=np.hstack([small_market.close[:, :1], small_market.close]),
    )
    assert np.isnan(forecaster.predict(more, dates).mean[:, 0]).all()
    assert np.isfinite(forecaster.predict(more, dates).mean[:, 1:]).all()


def test_before_there_is_history_forecasts_are_blank(
    fitted: GRUForecaster, small_market: Market
) -> None:
    first = fitted.required_history() - 1
    forecast = fitted.predict(small_market, small_market.dates[[0, 12, first - 1, first]])
    for values in (forecast.mean, forecast.volatility, forecast.seed_spread):
        assert values is not None
        assert np.isnan(values[:3]).all()
        assert np.isfinite(values[3]).all()


def test_a_checkpoint_holds_plain_arrays_and_can_be_loaded(
    fitted: GRUForecaster, small_market: Market
) -> None:
    bundle = bundle_from_bytes(bundle_to_bytes(fitted.to_bundle()))
    assert bundle.facts["assets"] == list(fitted.assets_)
    restored = tiny(GRUForecaster, n_seeds=3).from_bundle(bundle)
    assert restored.sizes_ == fitted.sizes_
    assert not any(network.training for network in restored.networks_)
    dates = small_market.dates[-3:]
    np.testing.assert_array_equal(
        restored.predict(small_market, dates).mean, fitted.predict(small_market, dates).mean
    )


def test_a_checkpoint_with_too_few_networks_is_an_error(fitted: GRUForecaster) -> None:
    with pytest.raises(ParameterError, match="fewer than n_seeds = 4"):
        tiny(GRUForecaster, n_seeds=4).from_bundle(fitted.to_bundle())


def test_a_plan_comes_from_parameters_and_an_unknown_key_is_refused() -> None:
    found = check_arguments(GRUForecaster, {"training": {"patience": 9}, "timeframes": [1, 21]})
    assert found == {"training": TrainingPlan(patience=9), "timeframes": (1, 21)}
    with pytest.raises(ParameterError, match=r"GRUForecaster\.training\.patiense"):
        check_arguments(GRUForecaster, {"training": {"patiense": 9}})
    with pytest.raises(ParameterError, match=r"GRUForecaster\.mode"):
        check_arguments(GRUForecaster, {"mode": "both"})
