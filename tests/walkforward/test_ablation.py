from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
import torch
from evaluated import assert_made_of
from small_networks import BLOCKS, small_forecaster
from tuning_tasks import NO_CACHE, RULES

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.names import COMPARED_MEASURES
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.portfolio.allocate import MaximumSharpe
from regime_nas_pipeline.portfolio.metrics import performance
from regime_nas_pipeline.verdict.accuracy import forecast_accuracy
from regime_nas_pipeline.walkforward.ablation import (
    FULL,
    LABELS,
    emptied,
    make_variants,
    parts_without_bound,
    run_variants,
    score_walk,
)
from regime_nas_pipeline.walkforward.ablation_parameters import SEARCHED_AGAIN, Variant
from regime_nas_pipeline.walkforward.candidates import Trading
from regime_nas_pipeline.walkforward.deciding import choices_at
from regime_nas_pipeline.walkforward.evaluation_ledger import Whose
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.trading import trade

VARIANTS = get_args(Variant)
UNSEARCHED = [name for name in VARIANTS if name not in SEARCHED_AGAIN]
TRADING = Trading(MaximumSharpe(0.5), RULES)
SIZES: dict[str, Any] = {"n_assets": 3, "n_asset_features": 2, "market_timeframes": (1, 5)}


def variants(names: list[str], full: Any = None, **given: Any) -> Any:
    settings = {"limit": 0.5, "searched": {}, **given}
    return make_variants(full or small_forecaster(), names, **settings)


def test_every_variant_has_a_name_and_differs_in_what_it_says() -> None:
    assert set(LABELS) == {FULL, *VARIANTS}
    made = variants(UNSEARCHED)
    assert next(iter(made.forecasters)) == FULL
    assert made.same == ("no_lipschitz",)  # there is no constraint to take away
    assert set(made.forecasters) == {FULL, *UNSEARCHED} - {"no_lipschitz"}
    full = made.forecasters[FULL].get_params(deep=False)
    changed = {
        name: {
            key
            for key, value in forecaster.get_params(deep=False).items()
            if repr(value) != repr(full[key])
        }
        for name, forecaster in made.forecasters.items()
    }
    assert changed == {
        FULL: set(),
        "without_volatility": {"blocks"},
        "without_trend": {"blocks"},
        "without_range": {"blocks"},
        "uniform_gate": {"gate"},
        "shuffled_gate": {"gate"},
        "single_timeframe": {"timeframes"},
        "no_uncertainty": {"uncertainty"},
        "no_market_penalties": {"objective"},
        "no_label_supervision": {"objective"},
        "lipschitz_limit": {"lipschitz_limit"},
    }
    assert made.forecasters["single_timeframe"].timeframes == (1,)
    assert made.forecasters["no_market_penalties"].objective == Objective(
        volatility_weight=0.0, smoothness_weight=0.0, label_weight=0.1
    )
    assert made.forecasters["no_label_supervision"].required_regimes() == frozenset()


def test_a_full_network_with_a_limit_is_tried_without_it() -> None:
    full = small_forecaster(
        lipschitz_limit=2.0, objective=Objective(volatility_weight=0.1, lipschitz_weight=0.1)
    )
    made = variants(["no_lipschitz", "lipschitz_limit", "no_label_supervision"], full)
    assert made.forecasters["no_lipschitz"].lipschitz_limit is None
    assert made.forecasters["no_lipschitz"].objective.lipschitz_weight == 0.0
    assert "already, 2" in made.left_out["lipschitz_limit"]
    assert made.same == ("no_label_supervision",)


def test_what_has_no_bound_cannot_be_limited_and_is_named() -> None:
    made = variants(["lipschitz_limit", "uniform_gate"], without_bound=["trend, node 1"])
    assert set(made.forecasters) == {FULL, "uniform_gate"}
    assert "trend, node 1" in made.left_out["lipschitz_limit"]


def test_parts_without_a_bound_are_those_of_the_network(labelled_market: Market) -> None:
    training = labelled_market.until(labelled_market.dates[300])
    assert parts_without_bound(small_forecaster(), training) == ()
    shuffled = small_forecaster(gate="shuffled")
    assert parts_without_bound(shuffled, training) == ("shuffled gate",)


def test_searched_variants_are_taken_as_found_and_must_be_there() -> None:
    own = small_forecaster(width=8)
    made = variants(["no_bayesian_search"], searched={"no_bayesian_search": own})
    assert made.forecasters["no_bayesian_search"] is own
    with pytest.raises(ParameterError, match="no_gradient_search"):
        variants(["no_gradient_search"])
    with pytest.raises(ParameterError, match="nas_search"):
        variants(["uniform_gate"], small_forecaster(blocks=None))
    with pytest.raises(ParameterError, match="no variant 'without_luck'"):
        variants(["without_luck"])


@pytest.mark.parametrize("block", ["volatility", "trend", "range"])
def test_a_block_left_out_is_the_full_network_with_that_block_silent(block: str) -> None:
    torch.manual_seed(0)
    whole = small_forecaster().build_network(SIZES).eval()
    without = small_forecaster(blocks=emptied(BLOCKS, block)).build_network(SIZES).eval()
    assert not [name for name in without.state_dict() if name.startswith(f"blocks.{block}.")]
    shared = {name: whole.state_dict()[name] for name in without.state_dict()}
    without.load_state_dict(shared)
    batch = example(labels=False)
    before = whole(batch).mean
    silent = whole.blocks[block].register_forward_hook(lambda *given: torch.zeros_like(given[2]))
    torch.testing.assert_close(without(batch).mean, whole(batch).mean)
    silent.remove()
    assert not torch.allclose(without(batch).mean, before)


def example(*, labels: bool) -> Any:
    from regime_nas_pipeline.networks.windows import Batch

    generator = torch.Generator().manual_seed(3)
    return Batch(
        asset=torch.randn(4, 3, 10, 2, generator=generator),
        market=torch.randn(4, 11, 2, generator=generator),
        mask=torch.ones(4, 3, dtype=torch.bool),
        target=torch.randn(4, 3, generator=generator),
        regimes=torch.full((4, 3), 1 / 3) if labels else None,
    )


def test_emptying_a_block_leaves_the_architecture_it_came_from_alone() -> None:
    before = copy.deepcopy(BLOCKS)
    changed = emptied(BLOCKS, "trend")
    assert before == BLOCKS
    operations = {edge["operation"] for node in changed["trend"] for edge in node["edges"]}
    assert operations == {"none"}
    assert changed["range"] == BLOCKS["range"]


def test_a_shuffled_gate_is_another_windows_gate() -> None:
    torch.manual_seed(0)
    network = variants(["shuffled_gate"]).forecasters["shuffled_gate"].build_network(SIZES)
    batch = example(labels=False)
    own = network.detect(batch)[0].gate
    assert not torch.allclose(own[0], own[1])
    torch.testing.assert_close(network.train()(batch).gate, own.roll(1, dims=0))


@pytest.fixture(scope="module")
def one_fold(labelled_market: Market) -> list[Fold]:
    dates = labelled_market.dates
    return [Fold(0, dates[0], dates[329], dates[330:410:10])]


def test_every_variant_and_seed_is_scored(labelled_market: Market, one_fold: list[Fold]) -> None:
    made = variants(["uniform_gate", "without_trend"])
    results, returns = run_variants(
        made.forecasters,
        labelled_market,
        one_fold,
        TRADING,
        n_seeds=2,
        seed=1,
        cache=NO_CACHE,
    )
    wide = results.pivot(index=["variant", "seed"], columns="metric", values="value")
    assert len(wide) == 3 * 2
    assert set(COMPARED_MEASURES) <= set(wide.columns)
    assert np.isfinite(wide[["theil_u", "r2_zero", "sharpe", "epochs"]].to_numpy()).all()
    assert wide["theil_u"].nunique() == 6
    np.testing.assert_allclose(1 - wide["theil_u"] ** 2, wide["r2_zero"])
    assert wide.loc["without_trend", "parameters"].max() < wide.loc["full", "parameters"].min()
    sharpes = {
        Whose("regime_nas", seed + 1, name): value for (name, seed), value in wide["sharpe"].items()
    }
    assert_made_of(returns, sharpes, labelled_market, one_fold, RULES)


def test_scores_are_those_of_the_forecasts_and_of_trading_them(
    labelled_market: Market, one_fold: list[Fold]
) -> None:
    dates = one_fold[0].decisions
    target = labelled_market.target(5, 1)[labelled_market.dates.get_indexer(dates)]
    mean = 0.3 * np.nan_to_num(target) + np.random.default_rng(0).normal(0, 0.01, target.shape)
    choices = choices_at(labelled_market, dates, 5)
    plain = replace(labelled_market, regimes=None, regime_names=())
    found, traded = score_walk(plain, mean, target, choices, TRADING)
    net = trade(plain, choices, TRADING.allocator, RULES, mean).backtest.net
    expected = performance(net, bars_per_year=252, risk_free=0.01)["sharpe"]
    assert found["sharpe"] == pytest.approx(expected)
    pd.testing.assert_series_equal(traded, net)
    accuracy = forecast_accuracy(mean, target, np.zeros(target.shape))
    assert found["rank_ic"] == accuracy["rank_ic"] > 0
    assert found["theil_u"] < 1
