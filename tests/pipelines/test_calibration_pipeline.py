"""What mends calibration, on a tiny run from findings to the page."""

from __future__ import annotations

from typing import Any

import pytest
from found_architecture import assert_recorded, case_with_findings, tuned_gru
from project_runs import Case

from regime_nas_pipeline.core.qualities import QUALITIES

pytestmark = pytest.mark.slow

PARAMETERS: dict[str, Any] = {"calibration": {"seeds": 2, "folds": 1}}
VARIANTS = {"plain", "ranking_loss", "spread_scaling", "garch_covariance", "all_three"}
NAMES = {"regime_nas", "gru", "transformer"}
FORECASTS_ALONE = {"cross_slope", "slope", "spread_ratio", "rank_ic", "theil_u"}


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Case:
    case = case_with_findings(tmp_path_factory.mktemp("calibrated") / "case", PARAMETERS)
    found = tuned_gru()
    found["parameters"] |= {"layers": 1, "attention_heads": 2}
    case.catalog().save("transformer.tuned", found)
    case.run(pipelines=["calibration"])
    return case


def test_every_forecaster_variant_and_seed_is_there(tried: Case) -> None:
    results = tried.load("calibration_results")
    assert list(results.columns) == ["forecaster", "variant", "seed", "metric", "value"]
    assert set(QUALITIES) <= set(results["metric"])
    wide = results.pivot(index=["forecaster", "variant", "seed"], columns="metric", values="value")
    assert set(wide.index) == {(n, v, s) for n in NAMES for v in VARIANTS for s in (0, 1)}
    assert wide[list(QUALITIES)].notna().all(axis=None)
    assert wide["coverage_95"].between(0.3, 1.0).all()
    factors = tried.load("calibration_factors")
    assert len(factors) == 3 * 2 * 2  # forecasters, kinds of training, seeds
    assert factors["factor"].between(0.0, 5.0).all()


def test_every_option_forecaster_and_seed_is_in_the_ledger_of_evaluations(tried: Case) -> None:
    results = tried.load("calibration_results")
    assert_recorded(tried, results, origin="calibration", label="plain")


def test_the_table_follows_from_the_results(tried: Case) -> None:
    table, results = tried.load("calibration_table"), tried.load("calibration_results")
    assert (table["env"], table["seeds"], table["fits"]) == ("case", 2, 1)
    means = results.groupby(["metric", "forecaster", "variant"])["value"].mean()
    assert len(table["comparison"]) == len(QUALITIES) * 3 * 4
    for row in table["comparison"]:
        own = means[row["metric"], row["forecaster"], row["variant"]]
        plain = means[row["metric"], row["forecaster"], "plain"]
        assert row["difference"] == pytest.approx(own - plain)
        if row["variant"] == "garch_covariance":
            assert (row["effect"] == "same") == (row["metric"] in FORECASTS_ALONE)
        elif row["metric"] in {"cross_slope", "spread_ratio", "theil_u"}:
            assert row["effect"] != "same"


def test_the_page_holds_the_figure_and_the_limits_of_the_data(tried: Case) -> None:
    page = tried.load("calibration_report")
    assert 'id="figure-calibration-data"' in page
    assert "Nothing can be concluded" in page
    assert "Not part of this run" not in page
    assert len(tried.load("calibration_figure").data) > 0
