from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from guide_samples import (
    COMPUTE,
    FIRST,
    FOLD,
    LAG,
    RIDGE,
    TRANSFORMER,
    WALK,
    guide,
    one_asset,
)
from pydantic import ValidationError

from regime_nas_pipeline.core.cache import PieceCache, take_counts
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.exposure.engine import Terms
from regime_nas_pipeline.walkforward.attention_guide import (
    GuideResults,
    attention_guide,
    guide_walk,
)
from regime_nas_pipeline.walkforward.guide_attention import windows_with_targets
from regime_nas_pipeline.walkforward.guide_words import guide_headline, guide_words

MARKET = one_asset()
TERMS = Terms(execution_lag=5, cost_bps=5.0)
NO_CACHE = PieceCache(None)


def run(market: Market, cache: PieceCache, **others: Any) -> GuideResults:
    settings = guide(**others)
    forecasters = settings.build(WALK, COMPUTE)
    return attention_guide(market, forecasters, settings, TERMS, cache=cache, n_resamples=99)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> GuideResults:
    """A guide whose pieces were all kept, and then found."""
    cache = PieceCache(str(tmp_path_factory.mktemp("pieces")))
    take_counts()
    first = run(MARKET, cache)
    assert take_counts().made == 4 * 2 + 4
    second = run(MARKET, cache)
    counts = take_counts()
    assert (counts.made, counts.reused) == (0, 12)
    np.testing.assert_array_equal(first.net, second.net)
    assert first.attention is not None
    assert second.attention is not None
    np.testing.assert_array_equal(first.attention.last.weights, second.attention.last.weights)
    return second


def test_all_models_decide_on_every_bar_of_all_folds(results: GuideResults) -> None:
    dates = MARKET.dates[FIRST : len(MARKET.dates) - LAG - 1]
    for _, own in results.forecasts.groupby("model"):
        assert own["date"].tolist() == dates.tolist()
    assert results.net.columns.tolist() == ["transformer", "ridge", "buy_and_hold"]
    assert len(results.net) == len(dates)
    assert results.folds["train_end"].iloc[0] == MARKET.dates[FIRST - 1]
    assert results.folds["train_end"].iloc[1] == MARKET.dates[FIRST + FOLD - 1]
    assert set(results.curve["threshold"]) == {-0.01, 0.0, 0.001, 0.01}
    assert results.break_even["model"].tolist() == ["transformer", "ridge"]
    assert set(results.tests["subject"]) == {"transformer", "ridge"}


def test_attention_is_that_of_each_folds_network_on_its_windows(results: GuideResults) -> None:
    found = results.attention
    assert found is not None
    assert found.pooled.n_windows == len(results.net)
    assert found.last.n_windows == FOLD
    assert found.pooled.features["feature"].tolist() == ["return", "volatility", "ma_ratio", "rsi"]
    assert found.pooled.blocks[["first_lag", "last_lag"]].to_numpy().tolist() == [[0, 3], [4, 7]]
    np.testing.assert_allclose(found.pooled.weights.sum(axis=-1), 1.0, atol=1e-6)


def test_windows_have_the_targets_that_the_loss_is_of() -> None:
    forecaster = guide().build(WALK, COMPUTE)["transformer"]
    assert isinstance(forecaster, NeuralForecaster)
    fitted = forecaster.fit(MARKET.until(MARKET.dates[150]))
    dates = MARKET.dates[151:]
    batch = windows_with_targets(fitted, MARKET, dates)
    known = np.isfinite(MARKET.target(1, LAG)[151:, 0])
    assert len(batch.target) == int(known.sum()) == len(dates) - LAG - 1
    target = batch.target[:, 0].double().numpy() * fitted.scaling_.target_size
    np.testing.assert_allclose(target, MARKET.target(1, LAG)[151:, 0][known], rtol=1e-5)
    # The network says of these windows what the forecaster forecasts.
    with torch.no_grad():
        said = fitted.networks_[0](batch).mean[:, 0].double().numpy()
    mean = fitted.predict(MARKET, dates[known]).mean[:, 0]
    np.testing.assert_allclose(said * fitted.scaling_.target_size, mean, atol=1e-8)


def test_another_future_leaves_the_past_as_it_was(results: GuideResults) -> None:
    row = FIRST + FOLD + 10
    close = MARKET.close.copy()
    close[row + 1 :] *= np.exp(np.linspace(0.1, 1.0, len(close) - row - 1))[:, None]
    other = replace(MARKET, close=close, benchmark=close[:, 0])
    settings = guide()
    walk = guide_walk(other, settings.build(WALK, COMPUTE), settings, cache=NO_CACHE)
    for name, said in walk.means().items():
        expected = results.forecasts[results.forecasts["model"] == name].set_index("date")["mean"]
        until = expected.loc[: MARKET.dates[row]]
        np.testing.assert_array_equal(said.loc[until.index], until)
        assert (said != expected).any()


def test_it_is_said_in_words(results: GuideResults) -> None:
    words = guide_words(results, threshold=0.001)
    assert list(words) == ["skill", "strategies", "folds", "costs", "attention"]
    transformer, ridge, rose = words["skill"]
    assert transformer.startswith("Transformer: better than expecting no change in")
    assert ridge.startswith("Ridge: ")
    assert rose.startswith("The asset rose on")
    assert "Buy and hold: Sharpe ratio" in words["strategies"][-1]
    assert "forecast lies above 0.10%" in words["strategies"][-1]
    assert "The published Transformer: -1.63 to 1.77 over 5 folds of 191 bars." in " ".join(
        words["folds"]
    )
    assert words["costs"][1].startswith("Ridge ends")
    assert "change" in words["costs"][-1]
    (caution,) = words["attention"]
    assert "Attention is not explanation" in caution
    found = results.attention
    assert found is not None
    known = found.pooled.features.assign(low=[0.1, -0.1, 0.2, np.nan])
    measured = replace(found, pooled=replace(found.pooled, features=known))
    said = guide_words(replace(results, attention=measured), threshold=0.001)["attention"]
    assert said[1].endswith("lies above zero for 2 of 3 features.")
    silent = replace(results, attention=None)
    assert "attention" not in guide_words(silent, threshold=0.001)


def with_effects(results: GuideResults, differences: dict[str, float], p: float) -> GuideResults:
    tests = results.tests.assign(
        difference=results.tests["subject"].map(differences).astype(float), p_holm=p
    )
    return replace(results, tests=tests)


def test_the_headline_says_who_can_be_told_from_buy_and_hold(results: GuideResults) -> None:
    differences = {"transformer": 0.4, "ridge": -0.4}
    sure = guide_headline(with_effects(results, differences, 0.001))
    assert "net of costs, Transformer beat buy and hold (Sharpe ratio" in sure
    assert ", and ridge lost by more than chance explains." in sure
    chance = guide_headline(with_effects(results, differences, 0.5))
    assert "no forecaster beats buy and hold (Sharpe ratio" in chance
    assert "lost" not in chance
    assert "; the highest ratio is " in chance
    assert " of 4 folds (" in chance
    apart = replace(results, ranges=results.ranges.assign(p_value=0.001))
    assert "further apart than chance puts them for" in guide_headline(apart)
    alike = replace(results, ranges=results.ranges.assign(p_value=0.5))
    assert "chance alone gives (p = 0.500 or more), as is the published" in guide_headline(alike)


def test_a_strategy_that_never_holds_is_told_so() -> None:
    found = run(MARKET, NO_CACHE, threshold=0.5, forecasters={"ridge": RIDGE}, inspected=None)
    assert found.attention is None
    _, (earned, _), spread, (costs, _) = guide_words(found, threshold=0.5).values()
    assert earned == "Ridge, held 0% of the time: no Sharpe ratio, not told from buy and hold."
    headline = guide_headline(found)
    assert "by more than chance explains. Forecasts" in headline
    assert "No model held anything in two folds" in headline
    assert not any("Ridge" in sentence for sentence in spread)
    assert costs.startswith("Ridge ends")


def test_what_makes_no_guide_is_refused() -> None:
    settings = guide()
    forecasters = settings.build(WALK, COMPUTE)
    assert {each.horizon for each in forecasters.values()} == {1}
    longer = {"ridge": forecasters["ridge"].set_params(horizon=5)}
    with pytest.raises(ParameterError, match="return of one bar"):
        guide_walk(MARKET, longer, settings, cache=NO_CACHE)
    late = guide(first_training_bars=222)
    with pytest.raises(DataError, match="trains on 222 bars"):
        guide_walk(MARKET, late.build(WALK, COMPUTE), late, cache=NO_CACHE)
    with pytest.raises(ParameterError, match="ridge is no network"):
        run(MARKET, NO_CACHE, inspected="ridge", forecasters={"ridge": RIDGE})
    joint = {**TRANSFORMER, "params": {**TRANSFORMER["params"], "mode": "joint"}}
    with pytest.raises(ParameterError, match="one by one"):
        run(MARKET, NO_CACHE, forecasters={"transformer": joint})


@pytest.mark.parametrize(
    ("others", "match"),
    [
        ({"inspected": "gru"}, "forecasters are transformer, ridge"),
        ({"forecasters": {"buy_and_hold": RIDGE}, "inspected": None}, "cannot be called"),
        ({"thresholds": (0.1, 0.0)}, "must increase"),
        ({"level": 0.3}, "greater than 0.5"),
        ({"treshold": 0.1}, "treshold"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(others: dict[str, Any], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        guide(**others)
