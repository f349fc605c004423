"""The search comparison as users run it, on tiny settings."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from project_runs import Case, csv_case

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def compared(bundled_prices: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("compared")
    case = csv_case(folder, bundled_prices)
    case.run(pipelines=["ingestion"])
    case.run(pipelines=["search_comparison"])
    return case


def test_every_way_to_evaluate_is_beside_the_ceiling(compared: Case) -> None:
    table = compared.load("search_shortcuts")
    assert table["shortcut"].tolist() == [
        "full",
        "less_data",
        "fewer_epochs",
        "fewer_features",
        "shorter_window",
        "weight_sharing",
        "surrogate",
    ]
    saved = table.set_index("shortcut")["samples_saved"]
    assert saved["full"] == 0.0
    assert saved["less_data"] > 0.5
    assert table["kendall"].dropna().between(-1.0, 1.0).all()
    scores = compared.load("search_shortcut_scores")
    assert scores.groupby("shortcut")["candidate"].nunique().eq(4).all()


def test_every_strategy_is_judged_on_both_markets(compared: Case) -> None:
    table = compared.load("strategy_comparison")
    counts = table.groupby(["bed", "strategy"]).size()
    assert len(counts) == 2 * 8
    assert counts.eq(1).all()
    assert table["r2"].notna().all()
    assert table.loc[table["bed"] == "planted", "r2_oracle"].notna().all()
    assert table.loc[table["bed"] == "prices", "r2_oracle"].isna().all()
    trials = compared.load("search_trials")
    assert len(trials) == 2 * 8 * 2
    assert set(trials["forecaster"]) == {
        "planted.regime_nas",
        "planted.genes",
        "prices.regime_nas",
        "prices.genes",
    }


def test_regret_falls_and_random_is_there(compared: Case) -> None:
    curves = compared.load("search_regret")
    assert set(curves["strategy"]) == {"bayesian", "evolutionary", "reinforce", "random"}
    for _, own in curves.groupby(["landscape", "strategy"]):
        assert own["regret"].is_monotonic_decreasing
        assert (own["regret"] >= 0.0).all()


def test_the_page_and_the_figures_are_there(compared: Case) -> None:
    html = compared.load("search_report")
    assert "Not part of this run" not in html
    summary = compared.load("search_comparison_summary")
    assert set(summary["claim"]) == {"bayesian", "evolutionary", "reinforce"}
    assert set(summary["contest"]) == {"planted", "prices"}
    for name in ("shortcut_scores", "strategy_comparison", "search_regret"):
        assert compared.load(f"{name}_figure").data
    json.dumps(summary)


def test_a_second_run_repeats_nothing_and_says_the_same(compared: Case) -> None:
    names = ("search_shortcuts", "strategy_comparison", "search_regret")
    before = {name: compared.load(name) for name in names}
    cache = compared.output / "cache"
    pieces = {path: path.stat().st_mtime_ns for path in cache.rglob("*") if _is_kept(path)}
    compared.run(pipelines=["search_comparison"])
    for name, table in before.items():
        pd.testing.assert_frame_equal(compared.load(name), table, check_exact=True)
    again = {path: path.stat().st_mtime_ns for path in cache.rglob("*") if _is_kept(path)}
    assert again == pieces


def _is_kept(path: Path) -> bool:
    return path.suffix in {".safetensors", ".log"}
