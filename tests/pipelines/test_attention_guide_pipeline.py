"""The attention guide: from prices to the page, and what is refused on the way."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from project_runs import PROJECT, Case, csv_case, merged
from spx_vix_samples import (
    COMPUTE,
    FIRST_OOS,
    INDEX,
    PORTFOLIO,
    UNIVERSE,
    VIX,
    WALK_FORWARD,
    index_and_vix,
    raw_of,
    scrambled_after,
)

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.pipeline_registry import register_pipelines
from regime_nas_pipeline.pipelines.attention_guide.checks import check_guide
from regime_nas_pipeline.pipelines.attention_guide.nodes import validate_asset, walk_and_trade
from regime_nas_pipeline.pipelines.attention_guide.parameters import GuideExperiment
from regime_nas_pipeline.pipelines.attention_guide.reporting import (
    ATTENTION_FIGURES,
    RESULT_FIGURES,
    closing_line,
    draw_attention,
    write_guide_report,
)
from regime_nas_pipeline.pipelines.spx_vix.building import index_market
from regime_nas_pipeline.walkforward.parameters import Evaluation

pytestmark = pytest.mark.slow

BARS, FIRST, FOLD = 330, 250, 30
"""Bars of the sample, before the first decision, and of a fold; the last fold is shorter."""

N_FOLDS = 3
PRICES = index_and_vix().iloc[:BARS]
MODELS = ["transformer", "ridge", "random_forest", "gradient_boosting"]
SKLEARN = "regime_nas_pipeline.forecasters.sklearn.ScikitLearnForecaster"
NO_CACHE = PieceCache(None)

TINY: dict[str, Any] = {
    "start": None,
    "threshold": 0.0,
    "first_training_bars": FIRST,
    "refit_every": FOLD,
    "n_repeats": 1,
    "resamples": 99,
    "training": {"max_samples": 128, "batch_dates": 32},
    "forecasters": {
        "transformer": {"params": {"lookback": 8, "width": 4, "layers": 1, "attention_heads": 2}},
        "ridge": {"params": {"lookback": 8}},
        "random_forest": {"params": {"lookback": 8, "arguments": {"n_estimators": 2}}},
        "gradient_boosting": {"params": {"lookback": 8, "arguments": {"max_iter": 2}}},
    },
}


def settings(**changes: Any) -> GuideExperiment:
    """What the parameters files say, made short."""
    text = (PROJECT / "conf/base/parameters_attention_guide.yml").read_text()
    stated = yaml.safe_load(text)["attention_guide"]
    return GuideExperiment.model_validate(merged(merged(stated, TINY), changes))


def parameters(**changes: Any) -> dict[str, Any]:
    return {
        "walk_forward": {"first_oos": str(FIRST_OOS.date())},
        "attention_guide": merged(TINY, changes),
        "compute": {"device": "cpu"},
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Case:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("REGIME_NAS_SOURCE", raising=False)
        case = csv_case(
            tmp_path_factory.mktemp("guide"), PRICES, env="spx_vix", parameters=parameters()
        )
        case.run(pipelines=["attention_guide"])
        return case


def test_the_summary_says_what_the_tables_say(finished: Case) -> None:
    summary = finished.load("guide_summary")
    assert set(summary) == {
        "run", "sample", "skill", "strategies", "ranges", "break_even", "attention", "headline",
    }  # fmt: skip
    sample = summary["sample"]
    net = finished.load("guide_returns")
    assert (sample["asset"], sample["n_folds"], sample["n_bars"]) == (INDEX, N_FOLDS, len(net))
    assert sample["trained_from"] == str(PRICES.index[0].date())
    # Decided on the first bar, traded at the next close, earned on the one after.
    assert sample["first"] == str(PRICES.index[FIRST + 2].date()) == str(net.index[0].date())
    assert sample["last"] == str(PRICES.index[-1].date())
    assert list(net.columns) == [*MODELS, "buy_and_hold"]
    assert [row["strategy"] for row in summary["strategies"]] == [*MODELS, "buy_and_hold"]
    assert [row["model"] for row in summary["skill"]] == MODELS
    for row in summary["strategies"]:
        wealth = float(np.prod(1.0 + net[row["strategy"]]))
        assert row["total_return"] == pytest.approx(wealth - 1.0)
    folds = finished.load("guide_folds")
    for row in summary["skill"]:
        own = folds[folds["model"] == row["model"]]
        assert row["n_better"] == int((own["r2_zero"] > 0).sum())
    assert summary["attention"]["n_windows"] == len(net)
    assert summary["run"]["data_sha256"] == finished.load("data_manifest")["sha256"]
    assert closing_line(summary) == finished.load("guide_findings")["headline"]
    json.dumps(summary, allow_nan=False)


def test_the_page_begins_with_the_headline_and_has_every_figure(finished: Case) -> None:
    page = finished.load("guide_report")
    headline = finished.load("guide_summary")["headline"].replace(" %", "\u00a0%")
    assert f"<h1>{headline}</h1>" in page
    for name in (*RESULT_FIGURES, *ATTENTION_FIGURES):
        assert f'id="figure-{name}-data"' in page
    assert "Not part of this run" not in page
    assert "Attention is not explanation" in page
    assert "stops training early by the error on the very fold" in page
    for key in ("random_forest", "gradient_boosting", "buy_and_hold", "ma_ratio"):
        assert f">{key}<" not in page
    assert finished.load("guide_attention_weights").arrays["last"].shape == (1, 2, 9, 9)


def test_a_second_run_reuses_every_piece_and_says_the_same(finished: Case) -> None:
    before = finished.load("guide_summary")["headline"]
    node = ["attention_guide.walk"]
    finished.run(pipelines=["attention_guide"], from_nodes=node, to_nodes=node)
    lines = (finished.output / "run_facts.jsonl").read_text().splitlines()
    facts = [json.loads(line) for line in lines]
    walks = [each for each in facts if each.get("node") == node[0]]
    pieces = N_FOLDS * (len(MODELS) + 1)
    assert [(each["reused"], each["made"]) for each in walks] == [(0, pieces), (pieces, 0)]
    for name in ("guide_forecasts", "guide_returns"):
        first, second = sorted(finished.output.rglob(f"{name}.parquet/*/*.parquet"))
        assert first.read_bytes() == second.read_bytes()
    assert finished.load("guide_findings")["headline"] == before


def test_scrambling_the_future_leaves_the_past_unchanged_to_the_bit(finished: Case) -> None:
    bar = FIRST + FOLD + 5
    guide = settings(inspected=None)
    terms = PORTFOLIO.model_copy(update={"risk_free": 0.011})
    raw = raw_of(scrambled_after(PRICES, bar))
    prices = validate_asset(raw, UNIVERSE, WALK_FORWARD, guide)[0]
    found = walk_and_trade(prices, NO_CACHE, UNIVERSE, WALK_FORWARD, terms, guide, COMPUTE)
    forecasts, net = found[0], found[1]
    assert (found[8], found[9].arrays) == ({}, {})
    last = PRICES.index[bar]
    whole = finished.load("guide_forecasts")
    parts = [table[table["date"] <= last].reset_index(drop=True) for table in (whole, forecasts)]
    assert len(parts[0]) == len(MODELS) * (bar - FIRST + 1)
    pd.testing.assert_frame_equal(*parts, check_exact=True, check_dtype=False)
    returns = [table.loc[:last] for table in (finished.load("guide_returns"), net)]
    pd.testing.assert_frame_equal(*returns, check_exact=True, check_freq=False)
    assert not whole["mean"].equals(forecasts["mean"])


def test_without_an_inspection_the_page_has_no_chapter_on_attention(finished: Case) -> None:
    tables = ("findings", "strategies", "folds", "ranges", "break_even", "summary")
    drawn = dict(zip(ATTENTION_FIGURES, draw_attention({}, Bundle({})), strict=True))
    loaded = {name: finished.load(f"guide_{name}") for name in tables}
    del loaded["findings"]["words"]["attention"]
    page = write_guide_report(
        **loaded,
        **{name: finished.load(name) for name in ("data_quality", "data_manifest")},
        **{name: finished.load(f"{name}_figure") for name in RESULT_FIGURES},
        **drawn,
        curve=finished.load("guide_thresholds"),
        attention={},
        evaluation=Evaluation(sub_periods=[], limits=["Few bars."]),
    )
    assert '<section id="attention"' not in page
    assert '<section id="published"' in page
    assert "Nothing was inspected" not in page
    assert "Not part of this run" not in page


def test_prices_of_the_other_experiment_are_refused() -> None:
    both = raw_of(PRICES).table
    with pytest.raises(DataError) as caught:
        walk_and_trade(both, NO_CACHE, UNIVERSE, WALK_FORWARD, PORTFOLIO, settings(), COMPUTE)
    for word in ("another experiment", VIX, "first node"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("universe", "guide", "words"),
    [
        ({"assets": None}, {}, ("one asset", "--env=spx_vix")),
        ({"assets": [INDEX, "SPY"]}, {}, ("one asset", "--env=spx_vix")),
        ({"benchmark_tradable": False}, {}, ("one asset", "benchmark_tradable")),
        ({}, {"first_training_bars": 330}, ("trains on 330 bars", "there are 330", "Remedy")),
        ({}, {"start": PRICES.index[100].date()}, ("Remedy",)),
    ],
)
def test_unfit_prices_are_refused_at_the_first_node(
    universe: dict[str, Any], guide: dict[str, Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(DataError) as caught:
        validate_asset(
            raw_of(PRICES), UNIVERSE.model_copy(update=universe), WALK_FORWARD, settings(**guide)
        )
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"forecasters": {"ridge": {"params": {"arguments": {"alhpa": 1.0}}}}},
            r"attention_guide\.forecasters\.ridge: .*alhpa",
        ),
        (
            {"forecasters": {"transformer": {"params": {"width": 5}}}},
            r"attention_guide\.forecasters\.transformer: .*width 5",
        ),
        (
            {"forecasters": {"ridge": {"params": {"lookback": 240}}}},
            "first_training_bars is 250 and ridge needs 26",
        ),
        ({"inspected": "ridge"}, r"attention_guide\.inspected: ridge is no network"),
        (
            {"forecasters": {"transformer": {"params": {"mode": "joint"}}}},
            r"attention_guide\.inspected: .*one by one",
        ),
        ({"training": {"max_samples": 31}}, "max_samples is 31"),
    ],
)
def test_forecasters_that_could_not_be_fitted_are_refused(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ParameterError, match=words):
        check_guide(settings(**changes), WALK_FORWARD, COMPUTE)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inspected": "gru"}, "parameter 'attention_guide': inspected is 'gru'; forecasters are"),
        (
            {"forecasters": {"ridge": {"params": {"arguments": {"alhpa": 1.0}}}}},
            "attention_guide.forecasters.ridge: ",
        ),
        ({"treshold": 0.1}, "did you mean 'attention_guide.threshold'?"),
    ],
)
def test_the_command_names_the_parameter_in_one_line(
    tmp_path: Any, changes: dict[str, Any], words: str
) -> None:
    case = csv_case(tmp_path, PRICES, env="spx_vix", parameters=parameters(**changes))
    result = case.command("--pipelines=attention_guide")
    (line,) = [line for line in result.output.splitlines() if line.startswith("Error:")]
    assert words in line
    assert result.exit_code != 0
    assert not case.output.exists()


def test_the_model_of_the_documentation_can_be_used_as_printed() -> None:
    text = (PROJECT / "docs/attention_guide.md").read_text()
    (printed,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    stated = yaml.safe_load(printed)["attention_guide"]
    guide = settings(**stated)
    own = guide.model_copy(
        update={"forecasters": {"nearest_neighbours": guide.forecasters["nearest_neighbours"]}}
    )
    check_guide(own.model_copy(update={"inspected": None}), WALK_FORWARD, COMPUTE)
    (forecaster,) = own.build(WALK_FORWARD, COMPUTE).values()
    prices = validate_asset(raw_of(PRICES), UNIVERSE, WALK_FORWARD, own)[0]
    market = index_market(prices, own.universe(UNIVERSE))
    fitted = forecaster.fit(market.until(PRICES.index[FIRST]))
    assert np.isfinite(fitted.predict(market, market.dates[-3:]).mean).all()


def test_the_base_environment_has_a_file_for_every_output() -> None:
    catalog = yaml.safe_load((PROJECT / "conf/base/catalog_attention_guide.yml").read_text())
    pipeline = register_pipelines()["attention_guide"]
    made = {name for name in pipeline.all_outputs() if not name.endswith("_figure")}
    assert made == set(catalog) | {"prices", "sealed_prices", "data_quality", "data_manifest"}
    base = GuideExperiment.model_validate(
        yaml.safe_load((PROJECT / "conf/base/parameters_attention_guide.yml").read_text())[
            "attention_guide"
        ]
    )
    assert list(base.forecasters) == MODELS
    check_guide(base, WALK_FORWARD, COMPUTE)
