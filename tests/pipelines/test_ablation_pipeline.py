"""Ablations and the Lipschitz curve on a tiny run, from a found architecture to the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from found_architecture import assert_recorded, case_with_findings
from project_runs import Case

pytestmark = pytest.mark.slow

VARIANTS = ["without_volatility", "uniform_gate", "no_lipschitz", "no_gradient_search"]
PARAMETERS: dict[str, Any] = {
    "ablation": {"variants": VARIANTS, "curve": {"limits": [0.5], "seeds": 1}},
    "search": {"budget": 3600},
}


@pytest.fixture(scope="module")
def ablated(tmp_path_factory: pytest.TempPathFactory) -> Case:
    case = case_with_findings(tmp_path_factory.mktemp("ablated") / "case", PARAMETERS)
    case.run(pipelines=["ablation"])
    return case


def test_results_are_tidy_and_complete(ablated: Case) -> None:
    results = ablated.load("ablation_results")
    assert list(results.columns) == ["variant", "seed", "metric", "value"]
    assert set(results["variant"]) == {"full", *VARIANTS} - {"no_lipschitz"}
    counts = results.groupby(["variant", "metric"])["seed"].agg(list)
    assert all(seeds == [0, 1] for seeds in counts)


def test_every_variant_and_seed_is_in_the_ledger_of_evaluations(ablated: Case) -> None:
    results = ablated.load("ablation_results").assign(forecaster="regime_nas")
    assert_recorded(ablated, results, origin="ablation", label="full")


def test_the_table_follows_from_the_results(ablated: Case) -> None:
    table, results = ablated.load("ablation_table"), ablated.load("ablation_results")
    assert table["env"] == "case"
    assert table["same_as_full"] == ["no_lipschitz"]
    means = results.groupby(["metric", "variant"])["value"].mean()
    assert len(table["comparison"]) == 4 * 3
    for row in table["comparison"]:
        own, full = means[row["metric"], row["variant"]], means[row["metric"], "full"]
        assert row["difference"] == pytest.approx(own - full)
        assert row["low"] <= row["difference"] <= row["high"]
        assert row["p_value"] <= row["p_holm"] <= 1
    assert set(table["sentences"]) == {"theil_u", "r2_zero", "rank_ic", "sharpe"}


def test_the_search_that_was_made_again_kept_to_the_budget(ablated: Case) -> None:
    found, trials = ablated.load("ablation_found"), ablated.load("ablation_trials")
    assert set(found) == {"no_gradient_search"}
    assert found["no_gradient_search"]["parameters"]["width"] == 4
    assert trials["budget_spent"].sum() <= 3600
    assert len(trials) == 3


def test_the_curve_keeps_its_limits(ablated: Case) -> None:
    curve = ablated.load("lipschitz_curve").set_index("label")
    assert set(curve.index) == {"none", "0.5"}
    assert curve.loc["0.5", "certified"] <= 0.5 * (1 + 1e-6)
    assert (curve["seen"] <= curve["certified"] * (1 + 1e-6)).all()


def test_the_page_holds_both_figures_and_the_limits_of_the_data(ablated: Case) -> None:
    page = ablated.load("ablation_report")
    assert 'id="figure-ablation-data"' in page
    assert 'id="figure-lipschitz_curve-data"' in page
    assert "Nothing can be concluded" in page
    assert len(ablated.load("ablation_figure").data) > 0


def test_another_run_makes_nothing_again_and_says_the_same(ablated: Case) -> None:
    before = ablated.load("ablation_results")
    ledger = ablated.output / "07_model_output" / "evaluations"
    recorded = {path: path.read_bytes() for path in ledger.iterdir()}
    assert len(recorded) == 1
    pieces: list[Path] = sorted((ablated.output / "cache").rglob("*.safetensors"))
    written = [path.stat().st_mtime_ns for path in pieces]
    ablated.run(pipelines=["ablation"])
    assert sorted((ablated.output / "cache").rglob("*.safetensors")) == pieces
    assert [path.stat().st_mtime_ns for path in pieces] == written
    # Nor is anything written down again.
    assert {path: path.read_bytes() for path in ledger.iterdir()} == recorded
    after = ablated.load("ablation_results")
    timed = before["metric"] == "seconds"
    pd.testing.assert_frame_equal(before[~timed], after[~timed], check_exact=True)
    assert np.isfinite(after.loc[timed, "value"]).all()
