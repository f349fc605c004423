from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panel_jobs import SHOCKS, Recorded, dates, group_test

from regime_nas_pipeline.audit.edges import RegimeDrift
from regime_nas_pipeline.audit.panel_runs import (
    P_VALUE_COLUMNS,
    PanelOutcome,
    one_sided_tests,
    p_value_table,
    run_panels,
)
from regime_nas_pipeline.audit.panels import Panel, make_panels
from regime_nas_pipeline.core.bundle import bundle_from_bytes, bundle_to_bytes
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.verdict.comparison.table import comparison_table

NO_CACHE = PieceCache(None)


@pytest.fixture
def panels() -> list[Panel]:
    return make_panels(SHOCKS, dates=dates(30), n_panels=6, seed=2)


def last_close(panel: Panel) -> str:
    return f"{panel.prices()['close'].iloc[-1]:.12f}"


def assert_same(one: list[PanelOutcome], other: list[PanelOutcome]) -> None:
    for first, second in zip(one, other, strict=True):
        pd.testing.assert_frame_equal(
            first.strategy_returns, second.strategy_returns, check_exact=True
        )
        pd.testing.assert_frame_equal(first.tests, second.tests, check_exact=True)
        assert first.facts == second.facts


def test_outcomes_come_in_the_panels_order_and_say_what_the_job_said(panels: list[Panel]) -> None:
    outcomes = run_panels(group_test, panels, parameters={}, cache=NO_CACHE)
    direct = [group_test(panel.prices()) for panel in panels]
    for outcome, expected in zip(outcomes, direct, strict=True):
        pd.testing.assert_frame_equal(
            outcome.strategy_returns, expected.strategy_returns, check_freq=False, check_exact=True
        )
        pd.testing.assert_frame_equal(outcome.tests, expected.tests, check_exact=True)
        assert outcome.facts == expected.facts


def test_two_processes_give_the_bits_of_one(panels: list[Panel], tmp_path: Path) -> None:
    cache = PieceCache(str(tmp_path))
    one = run_panels(group_test, panels, parameters={}, cache=NO_CACHE)
    two = run_panels(group_test, panels, parameters={}, cache=cache, n_jobs=2)
    assert_same(one, two)
    assert len(list(tmp_path.rglob("*.safetensors"))) == len(panels)


def test_a_failure_names_the_panel_and_what_was_done_is_kept(
    panels: list[Panel], tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    calls.mkdir()
    cache = PieceCache(str(tmp_path / "cache"))
    job = Recorded(calls, fails_at=last_close(panels[3]))
    with pytest.raises(DataError, match=r"panel 3 of seed 2 \(30 bars\): RuntimeError: out of lu"):
        run_panels(job, panels, parameters={}, cache=cache)
    assert len(list(calls.iterdir())) == 3
    (calls / "go_on").touch()
    resumed = run_panels(job, panels, parameters={}, cache=cache)
    # The first three were not run again.
    assert len(list(calls.iterdir())) == len(panels) + 1
    assert_same(resumed, run_panels(group_test, panels, parameters={}, cache=NO_CACHE))


def test_breaking_off_is_no_failure_of_the_panel(panels: list[Panel], tmp_path: Path) -> None:
    job = Recorded(tmp_path, fails_at=last_close(panels[1]), error=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        run_panels(job, panels, parameters={}, cache=NO_CACHE)


def test_other_parameters_prices_or_jobs_are_run_anew(panels: list[Panel], tmp_path: Path) -> None:
    cache = PieceCache(str(tmp_path))

    def kept() -> int:
        return len(list(tmp_path.rglob("*.safetensors")))

    run_panels(group_test, panels[:2], parameters={"trials": 1}, cache=cache)
    run_panels(group_test, panels[:2], parameters={"trials": 1}, cache=cache)
    assert kept() == 2
    run_panels(group_test, panels[:2], parameters={"trials": 2}, cache=cache)
    assert kept() == 4
    later = Panel(0, 2, dates(31)[1:], SHOCKS)  # the same closes on other dates
    run_panels(group_test, [later], parameters={"trials": 1}, cache=cache)
    assert kept() == 5
    (tmp_path / "calls").mkdir()
    run_panels(Recorded(tmp_path / "calls"), panels[:1], parameters={"trials": 1}, cache=cache)
    assert kept() == 6


def test_a_panel_is_run_once(panels: list[Panel]) -> None:
    with pytest.raises(ParameterError, match="twice: panel 0 of seed 2"):
        run_panels(group_test, [*panels, panels[0]], parameters={}, cache=NO_CACHE)


@settings(max_examples=40, deadline=None)
@given(
    p_values=st.lists(st.one_of(st.floats(0.0, 1.0), st.just(np.nan)), max_size=5),
    returns=st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=5),
)
def test_an_outcome_comes_back_from_disk_to_the_bit(
    p_values: list[float], returns: list[float]
) -> None:
    tests = pd.DataFrame(
        [["t", f"s{row}", "a", p] for row, p in enumerate(p_values)],
        columns=["test", "subject", "against", "p_beats"],
    ).astype({"p_beats": "float64"})
    index = dates(len(returns)).rename("date")
    outcome = PanelOutcome(pd.DataFrame({"one": returns}, index=index), tests, {"n": 3})
    image = bundle_to_bytes(outcome.to_bundle())
    back = PanelOutcome.from_bundle(bundle_from_bytes(image))
    pd.testing.assert_frame_equal(
        back.strategy_returns, outcome.strategy_returns, check_exact=True, check_freq=False
    )
    assert back.tests["p_beats"].tolist() == pytest.approx(p_values, abs=0.0, nan_ok=True)
    assert back.tests["subject"].tolist() == tests["subject"].tolist()
    assert back.facts == {"n": 3}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["t", "a", "b", 1.2]], "in \\[0, 1\\]"),
        ([["t", "a", "b", -0.1]], "in \\[0, 1\\]"),
        ([["t", "a", "b", 0.2], ["t", "a", "b", 0.3]], "t of a against b is there twice"),
    ],
)
def test_faulty_p_values_are_refused(rows: list[list[object]], message: str) -> None:
    tests = pd.DataFrame(rows, columns=["test", "subject", "against", "p_beats"])
    with pytest.raises(DataError, match=message):
        PanelOutcome(pd.DataFrame(), tests)
    with pytest.raises(DataError, match="'against'"):
        PanelOutcome(pd.DataFrame(), tests.drop(columns="against"))


def test_a_comparison_that_could_not_be_made_is_blank() -> None:
    generator = np.random.default_rng(0)
    returns = pd.DataFrame(0.01 * generator.standard_normal((200, 2)), columns=["a", "b"])
    returns["same"] = returns["b"]
    table = comparison_table(returns, ["b"], risk_free=0.0, bars_per_year=252, n_resamples=99)
    tests = one_sided_tests(table).set_index(["test", "subject"])["p_beats"]
    assert tests.xs("same", level="subject").isna().all()
    known = table[table["subject"] == "a"].set_index("test")["p_beats"]
    assert tests.xs("a", level="subject").to_dict() == known.to_dict()
    assert known.notna().all()


def test_all_p_values_are_in_one_table_and_missing_tests_are_blank(panels: list[Panel]) -> None:
    edged = Panel(0, 2, dates(30), SHOCKS, RegimeDrift(0.2))
    outcomes = run_panels(group_test, [panels[0], edged], parameters={}, cache=NO_CACHE)
    short = PanelOutcome(outcomes[1].strategy_returns, outcomes[1].tests.iloc[:0])
    table = p_value_table([panels[0], edged], [outcomes[0], short])
    assert tuple(table.columns) == P_VALUE_COLUMNS
    assert table["edge"].tolist() == ["none", "none", "regime_drift", "regime_drift"]
    assert table["edge_size"].tolist() == [0.0, 0.0, 0.2, 0.2]
    assert table["test"].tolist() == ["t_test", "same_test"] * 2
    assert table["p_beats"].notna().tolist() == [True, False, False, False]
    assert (table["n_bars"] == 30).all()
    with pytest.raises(DataError, match="1 panels and 2 outcomes"):
        p_value_table([edged], outcomes)
    with pytest.raises(DataError, match="no panel was tested"):
        p_value_table([edged], [short])
