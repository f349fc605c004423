"""Published figures are set beside those of a small evaluation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from regime_nas_pipeline.pipelines.verdict.published import set_beside_published
from regime_nas_pipeline.pipelines.walk_forward_evaluation.nodes import measure_forecasts
from regime_nas_pipeline.walkforward.published_parameters import Published

PAPER: dict[str, Any] = {
    "title": "A paper",
    "source": "Journal 1(1)",
    "first": "2020-01-01",
    "last": "2021-01-01",
    "ours_as": {"sharpe": "sharpe_cagr"},
    "doubts": ["It has no data."],
    "messages": [
        {
            "says": "GRU does not beat equal weight",
            "strategies": ["gru"],
            "reference": "equal_weight",
        }
    ],
    "figures": [
        *(
            {"quantity": "sharpe", "of": name, "published": value}
            for name, value in (("regime_nas", 0.9), ("gru", 0.5), ("equal_weight", 0.7))
        ),
        {"quantity": "sharpe_test", "of": "equal_weight", "beside": "gru", "published": 0.4},
        {"quantity": "mean_weight", "of": "gru", "beside": "north", "published": 0.5},
        {"quantity": "predicted_spread", "of": "gru", "published": 0.02},
        {"quantity": "r2", "of": "gru", "published": 0.9},
    ],
}


@pytest.fixture(scope="module")
def given(prices, settings, forecasts, traded, compared, sources) -> dict[str, Any]:
    figures, spread, *_ = measure_forecasts(
        prices, **settings.of("universe", "walk_forward"), **forecasts
    )
    return {
        "strategy_returns": traded["strategy_returns"],
        "strategy_figures": traded["figures"],
        "forecast_figures": figures,
        "spread_calibration": spread,
        "comparison_tests": compared[0],
        "group_exposures": sources["group_exposures"],
        **settings.of("portfolio", "verdict"),
    }


@pytest.fixture(scope="module")
def entry(given) -> dict[str, Any]:
    (found,) = set_beside_published(**given, published=Published(experiments=[PAPER]))
    return found


def test_nothing_published_makes_no_entry(given) -> None:
    assert set_beside_published(**given, published=Published()) == []


def test_our_figures_are_those_of_the_evaluation(entry, given) -> None:
    ours = {(row["quantity"], row["of"]): row["ours"] for row in entry["figures"]}
    own = given["strategy_figures"]["gru"]
    assert ours["sharpe", "gru"] == pytest.approx((own["cagr"] - 0.01) / own["volatility"])
    assert entry["figures"][1]["others"]["sharpe"] == own["sharpe"]
    assert ours["r2", "gru"] == given["forecast_figures"]["gru"]["r2"]
    tests = given["comparison_tests"].query("test == 'jobson_korkie_memmel'")
    z = tests.set_index(["subject", "against"]).loc[("gru", "equal_weight"), "statistic"]
    assert ours["sharpe_test", "equal_weight"] == -z
    north = given["group_exposures"].query("strategy == 'gru' and group == 'north'")
    assert ours["mean_weight", "gru"] == north["mean_weight"].item()
    spread = given["spread_calibration"].query("forecaster == 'gru'")
    assert ours["predicted_spread", "gru"] == pytest.approx(spread["predicted_spread"].mean())


def test_sentences_speak_of_dates_order_and_message(entry, given) -> None:
    dates = given["strategy_returns"].index
    assert entry["first"] == dates[0].date().isoformat()
    assert entry["last"] == dates[-1].date().isoformat()
    assert entry["order"]["published"] == ["regime_nas", "equal_weight", "gru"]
    assert [sentence.split()[0] for sentence in entry["words"]] == ["The", "By", "It"]
    assert entry["doubts"] == PAPER["doubts"]


def test_a_withdrawn_test_proves_nothing(given, settings) -> None:
    gone = settings.verdict.model_copy(update={"withdrawn": {"holm": "a placebo said so"}})
    (found,) = set_beside_published(
        **given | {"verdict": gone}, published=Published(experiments=[PAPER])
    )
    test = next(row for row in found["figures"] if row["quantity"] == "sharpe_test")
    assert test["ours"] is None
    assert "does not hold" not in found["words"][-1]


def test_the_entry_can_be_written_as_json(entry) -> None:
    assert json.loads(json.dumps(entry, allow_nan=False)) == entry
