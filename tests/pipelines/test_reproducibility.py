"""One seed, one result: run again, in parallel, from finished pieces, or after being stopped."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from project_runs import Case, copy_of, stock_case

from regime_nas_pipeline.walkforward import fold_fits

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("finished")]


@pytest.mark.parametrize(
    "options",
    [["--params=compute.n_jobs=2"], ["--runner=ParallelRunner"]],
    ids=["processes", "parallel"],
)
def test_two_runs_with_one_seed_and_no_cache_agree_to_the_bit(
    finished: Case, bundled_prices: pd.DataFrame, tmp_path: Path, options: list[str]
) -> None:
    case = stock_case(tmp_path, bundled_prices)
    *_, last = case.process(*options).splitlines()
    assert "Highest Sharpe ratio net of costs:" in last
    assert last.endswith("report.html")
    assert Path(last.split("Report: ")[1]).exists()
    for name in ("strategy_returns", "weights", "regimes", "regime_nas.forecasts"):
        pd.testing.assert_frame_equal(case.load(name), finished.load(name), check_exact=True)
    assert case.load("architecture") == finished.load("architecture")
    assert case.load("summary")["strategies"] == finished.load("summary")["strategies"]


def test_another_seed_gives_another_result(
    finished: Case, bundled_prices: pd.DataFrame, tmp_path: Path
) -> None:
    case = stock_case(tmp_path, bundled_prices, compute={"seed": 1})
    case.run(node_names=["validate_prices", "label_regimes", "gru.search"])
    assert case.load("gru.tuned") != finished.load("gru.tuned")


def test_a_run_that_was_stopped_goes_on_from_finished_folds(
    finished: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that a stopped run had finished is reused, and the result is the same."""
    case = copy_of(finished, tmp_path / "again")
    # Without journals: trials, too, are then known by their pieces alone.
    shutil.rmtree(case.output / "cache" / "searches")
    pieces = sorted((case.output / "cache").rglob("*.safetensors"))
    lost = pieces[::7]
    for piece in lost:
        piece.unlink()
    for folder in ("06_models", "07_model_output", "08_reporting"):
        shutil.rmtree(case.output / folder)
    made = []
    original = fold_fits.fit_fold
    monkeypatch.setattr(fold_fits, "fit_fold", lambda *a: made.append(a) or original(*a))
    case.run()
    assert len(made) <= len(lost) < len(pieces)
    assert sorted((case.output / "cache").rglob("*.safetensors")) == pieces
    pd.testing.assert_frame_equal(
        case.load("strategy_returns"), finished.load("strategy_returns"), check_exact=True
    )
