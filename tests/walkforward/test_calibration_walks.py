from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from evaluated import assert_made_of
from pydantic import ValidationError
from small_networks import BLOCKS
from tuning_tasks import NO_CACHE, RULES

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.calibrated import CalibratedForecaster
from regime_nas_pipeline.forecasters.garch import GarchForecaster
from regime_nas_pipeline.forecasters.momentum import MomentumForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.allocate import MaximumSharpe
from regime_nas_pipeline.walkforward import forecasts
from regime_nas_pipeline.walkforward.building import Shared
from regime_nas_pipeline.walkforward.calibration import (
    FACTORS,
    RESULTS,
    Scene,
    run_remedies,
    trained_ways,
)
from regime_nas_pipeline.walkforward.calibration_parameters import (
    PARTS,
    PLAIN,
    CalibrationTrial,
)
from regime_nas_pipeline.walkforward.candidates import Trading
from regime_nas_pipeline.walkforward.evaluation_ledger import VariantReturns, Whose
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.parameters import (
    Compute,
    ForecasterChoice,
    Training,
    WalkForward,
)

SHARED = Shared(
    WalkForward(
        first_oos="2015-01-01", horizon=5, execution_lag=1, refit_every=80, rebalance_every=10
    ),
    Training(
        n_seeds=3,
        max_samples=240,
        batch_dates=8,
        sample_every=5,
        validation_fraction=0.2,
        patience=3,
        plateau_patience=1,
        gradient_clip=1.0,
    ),
    Compute(n_jobs=1, seed=5, device="cpu"),
)
FOUND: dict[str, Any] = {"width": 4, "lookback": 10, "timeframes": [1, 5]}
VARIANTS = ("ranking_loss", "spread_scaling", "garch_covariance", "all_three")
TRIAL = CalibrationTrial(variants=VARIANTS, seeds=2)


def choice(name: str) -> ForecasterChoice:
    return ForecasterChoice.model_validate({"class": f"regime_nas_pipeline.forecasters.{name}"})


def ways(trial: CalibrationTrial = TRIAL, **found: Any) -> dict[str, Any]:
    return trained_ways("gru", choice("gru.GRUForecaster"), SHARED, {**FOUND, **found}, trial)


def test_every_way_of_training_differs_in_what_it_says() -> None:
    made = ways(objective={"volatility_weight": 0.2})
    assert list(made) == ["plain", "ranking", "spread", "ranking_spread"]
    plain, ranked = made["plain"], made["ranking"]
    assert (plain.objective.ranking_weight, ranked.objective.ranking_weight) == (0.0, 1.0)
    own = {key: value for key, value in plain.get_params(deep=False).items() if key != "objective"}
    assert own == {key: ranked.get_params(deep=False)[key] for key in own}
    for name, inner in (("spread", plain), ("ranking_spread", ranked)):
        assert isinstance(made[name], CalibratedForecaster)
        # The wrapped forecaster is the plain one, argument by argument.
        assert made[name].inner().get_params(deep=False) == inner.get_params(deep=False)
        assert (made[name].cap, made[name].prior_deviation) == (5.0, 1.0)


def test_a_found_architecture_goes_through_the_wrapper_unchanged() -> None:
    regime_nas = trained_ways(
        "regime_nas",
        choice("regime_nas.RegimeNasForecaster"),
        SHARED,
        {**FOUND, "blocks": BLOCKS, "attention_heads": 1, "objective": {"label_weight": 0.1}},
        TRIAL,
    )
    inner = regime_nas["spread"].inner()
    assert inner.get_params(deep=False) == regime_nas["plain"].get_params(deep=False)
    assert inner.blocks == BLOCKS


def test_only_what_the_variants_need_is_trained() -> None:
    assert list(ways(CalibrationTrial(variants=("garch_covariance",)))) == ["plain"]
    both = CalibrationTrial(variants=("ranking_loss", "all_three"))
    assert list(ways(both)) == ["plain", "ranking", "ranking_spread"]
    assert set(PARTS) == {PLAIN, *VARIANTS}


def test_what_is_no_network_or_ranked_already_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"momentum\.forecaster\.class"):
        trained_ways("momentum", choice("momentum.MomentumForecaster"), SHARED, {}, TRIAL)
    with pytest.raises(ParameterError, match="gru is trained with that weight already"):
        ways(objective={"ranking_weight": 1.0})


@pytest.mark.parametrize(
    "wrong",
    [
        {"variants": ()},
        {"variants": ("ranking_loss", "ranking_loss")},
        {"variants": ("prayer",)},
        {"variants": VARIANTS, "seeds": 1},
        {"variants": VARIANTS, "cap": 0.5},
        {"variants": VARIANTS, "prior_deviation": 0.0},
        {"variants": VARIANTS, "levl": 0.9},
    ],
)
def test_wrong_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CalibrationTrial(**wrong)


@pytest.fixture(scope="module")
def scene(labelled_market: Market) -> Scene:
    dates = labelled_market.dates
    fold = Fold(0, dates[0], dates[329], dates[330:410:10])
    return Scene(labelled_market, [fold], Trading(MaximumSharpe(0.5), RULES), 10, NO_CACHE)


Ran = tuple[pd.DataFrame, pd.DataFrame, VariantReturns]


@pytest.fixture(scope="module")
def ran(scene: Scene) -> Ran:
    garch = GarchForecaster(horizon=5, execution_lag=1)
    return run_remedies({"gru": ways()}, garch, scene, TRIAL, seed=3)


def test_every_variant_and_seed_is_scored(ran: Ran, scene: Scene) -> None:
    results, _, returns = ran
    assert list(results.columns) == list(RESULTS)
    wide = results.pivot(index=["variant", "seed"], columns="metric", values="value")
    assert set(wide.index) == {(name, seed) for name in (PLAIN, *VARIANTS) for seed in (0, 1)}
    assert np.isfinite(wide.drop(columns="rank_ic").to_numpy()).all()
    forecast = ["cross_slope", "slope", "spread_ratio", "rank_ic", "theil_u"]
    covered = ["coverage_50", "coverage_80", "coverage_95"]
    plain, garch = wide.loc[PLAIN], wide.loc["garch_covariance"]
    # GARCH leaves forecasts alone; intervals and portfolios are others.
    pd.testing.assert_frame_equal(plain[forecast], garch[forecast])
    assert not np.allclose(plain[covered], garch[covered])
    assert not np.allclose(plain["sharpe"], garch["sharpe"])
    assert not np.allclose(plain["theil_u"], wide.loc["ranking_loss", "theil_u"])
    scaled = wide.loc["spread_scaling"]
    assert (scaled["gradient_samples"] > 1.5 * plain["gradient_samples"]).all()
    # A positive factor leaves the order of the assets as it was.
    assert (scaled["parameters"] == plain["parameters"] + 1).all()
    sharpes = {
        Whose("gru", seed + 1, variant): value for (variant, seed), value in wide["sharpe"].items()
    }
    assert_made_of(returns, sharpes, scene.market, scene.folds, RULES)


def test_the_spread_and_its_slope_move_by_the_factor_that_was_learned(ran: Ran) -> None:
    results, factors, _ = ran
    assert list(factors.columns) == list(FACTORS)
    assert set(factors["fit"]) == {"spread", "ranking_spread"}
    wide = results.pivot(index=["variant", "seed"], columns="metric", values="value")
    learned = factors[factors["fit"] == "spread"].set_index("seed")["factor"]
    assert (learned > 0.0).all()
    for seed, factor in learned.items():
        plain, scaled = wide.loc[PLAIN, seed], wide.loc["spread_scaling", seed]
        assert scaled["spread_ratio"] == pytest.approx(factor * plain["spread_ratio"])
        assert scaled["cross_slope"] == pytest.approx(plain["cross_slope"] / factor)
        assert scaled["rank_ic"] == pytest.approx(plain["rank_ic"], nan_ok=True)


def test_a_finished_fold_is_made_again_when_the_wrapped_class_has_changed(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapped = CalibratedForecaster(
        forecaster="regime_nas_pipeline.forecasters.momentum.MomentumForecaster",
        horizon=5,
        device="cpu",
    )
    cache = PieceCache(str(tmp_path))
    for source, pieces in (("before", 1), ("before", 1), ("after", 2)):

        def content(cls: type, source: str = source) -> list[str]:
            return [cls.__name__, source if cls is MomentumForecaster else ""]

        monkeypatch.setattr(forecasts, "class_content", content)
        forecasts.walk_forward(wrapped, scene.market, scene.folds, cache=cache)
        assert len(list(tmp_path.rglob("*.safetensors"))) == pieces


def test_a_garch_without_volatility_is_refused(scene: Scene) -> None:
    trial = CalibrationTrial(variants=("garch_covariance",), seeds=2)
    momentum = MomentumForecaster(horizon=5, execution_lag=1)
    with pytest.raises(ParameterError, match="makes no volatility"):
        run_remedies({"gru": ways(trial)}, momentum, scene, trial, seed=3)
