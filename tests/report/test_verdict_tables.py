from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from regime_nas_pipeline.report import verdict_tables as make
from regime_nas_pipeline.report.tables import Table


def texts(table: Table) -> pd.DataFrame:
    """The cells as written, under "label (unit)"."""
    heads = [f"{column.label} ({column.unit})" for column in table.columns]
    rows = [[cell.text for cell in row.cells] for row in table.rows]
    return pd.DataFrame(rows, columns=heads)


def test_both_tests_of_a_pair_stand_in_one_row(comparisons: dict[str, Any]) -> None:
    tests = comparisons["comparison_tests"]
    written = texts(make.sharpe_tests(tests))
    assert len(written) == 13
    pair = tests[(tests["subject"] == "gru") & (tests["against"] == "momentum")].set_index("test")
    (row,) = written[
        (written["Against ()"] == "Momentum") & (written["Strategy ()"] == "GRU")
    ].to_dict("records")
    for test, unit in (("jobson_korkie_memmel", "JKM"), ("ledoit_wolf", "Ledoit-Wolf")):
        assert row[f"p ({unit})"] == f"{pair['p_two_sided'][test]:.3f}"
        assert row[f"p, Holm ({unit})"] == f"{pair['p_holm'][test]:.3f}"
        assert row[f"z ({unit})"].replace("\u2212", "-") == f"{pair['statistic'][test]:.2f}"
    assert row["Blocks (bars each)"] == str(pair["block_length"]["ledoit_wolf"])


def test_pairs_are_grouped_by_the_reference_and_owned_by_the_tested(
    comparisons: dict[str, Any],
) -> None:
    rows = make.sharpe_tests(comparisons["comparison_tests"].iloc[::-1]).rows
    assert [row.cells[0].text for row in rows if row.starts_group] == ["Momentum", "Equal weight"]
    assert [row.cells[1].text for row in rows if row.leading] == ["RegimeNAS"] * 2
    assert all(row.cells[1].colour for row in rows)
    assert not any(row.cells[0].colour for row in rows)


def test_notes_are_shown_where_there_are_any(comparisons: dict[str, Any]) -> None:
    tests = comparisons["comparison_tests"]
    assert "Note ()" not in texts(make.sharpe_tests(tests))
    noted = tests.assign(note="they cannot be told apart")
    assert set(texts(make.sharpe_tests(noted))["Note ()"]) == {"they cannot be told apart"}


def test_forecasts_have_a_table_of_their_own(comparisons: dict[str, Any]) -> None:
    tests = comparisons["comparison_tests"]
    written = texts(make.forecast_tests(tests))
    assert written["Strategy ()"].tolist() == ["RegimeNAS", "GRU", "Transformer", "GARCH"]
    assert set(written["Dates ()"]) == {"96"}
    without = tests[tests["test"] != "diebold_mariano"]
    assert make.forecast_tests(without).rows == ()


def test_hansens_p_is_written_once_per_measure(comparisons: dict[str, Any]) -> None:
    superior = comparisons["superior_strategies"]
    written = texts(make.superior_ability(superior))
    assert written["Compared by ()"].tolist() == ["mean return", "Sharpe ratio"]
    expected = superior.groupby("measure", sort=False)["p_spa"].first()
    assert written["p ()"].tolist() == [f"{value:.3f}" for value in expected]


def test_confidence_set_answers_yes_or_no_or_not_at_all(comparisons: dict[str, Any]) -> None:
    superior = comparisons["superior_strategies"].copy()
    superior.loc[superior["subject"] == "garch", "in_confidence_set"] = False
    written = texts(make.confidence_set(superior)).set_index("Strategy ()")
    assert written.loc["GARCH", "May be the best (by Sharpe ratio)"] == "no"
    assert written.loc["GRU", "May be the best (by mean return)"] == "yes"
    # The benchmark cannot be ahead of itself.
    assert written.loc["Equal weight", "Ahead of the benchmark (by mean return)"] == "\u2013"


def test_deflated_ratios_say_what_was_judged(counted: dict[str, Any]) -> None:
    deflated = counted["deflated_sharpes"]
    table = make.deflated_sharpes(deflated)
    assert [row.cells[0].text for row in table.rows if row.starts_group] == [
        "chosen by its search, above equal weight",
        "out of sample, above equal weight",
        "out of sample, above the risk-free rate",
    ]
    written = texts(table)
    assert len(written) == len(deflated)
    for row, facts in zip(written.to_dict("records"), deflated.to_dict("records"), strict=True):
        probability = 100 * facts["deflated_probability"]
        assert row["Above luck (probability, %)"] == f"{probability:.1f}"
        assert row["Trials (that differ)"] == str(facts["n_effective"])
        assert row["Passes ()"] == ("yes" if facts["passes"] else "no")
    never = deflated["minimum_track_record"] == float("inf")
    assert (written["Needed (years)"] == "∞").tolist() == never.tolist()


def test_overfitting_gives_reasons_where_nothing_could_be_told(counted: dict[str, Any]) -> None:
    found = counted["overfitting"]
    written = texts(make.overfitting(found))
    assert written["Trials of ()"].tolist() == ["All searches", "RegimeNAS", "GRU", "Transformer"]
    assert set(written["Splits (ways to halve)"]) == {"252"}
    assert "Why blank ()" not in written
    blank = dict.fromkeys(("probability", "probability_of_loss", "slope"))
    lone = {"n_trials": 1, "n_copies": 0, "n_blocks": 10, "logits": [], "reason": "one trial"}
    parts = {**found["forecasters"], "gru": {**lone, **blank}}
    row = texts(make.overfitting({**found, "forecasters": parts})).iloc[2]
    assert row["Why blank ()"] == "one trial"
    assert row["Overfitting (% at or below the median)"] == "\u2013"


def test_what_was_traded_out_of_sample_has_a_row_for_each_origin(counted: dict[str, Any]) -> None:
    found = counted["overfitting"]
    written = texts(make.evaluated(found))
    # No evaluation was left out for its dates, so there is no column of those.
    assert written.to_numpy().tolist() == [
        ["this run", "12", "12", "0", "0"],
        ["pipeline ablation", "9", "5", "1", "3"],
    ]
    assert written.columns[-1] == "Left out (on other prices)"


def test_all_answers_of_a_strategy_stand_in_one_row(verdict: dict[str, Any]) -> None:
    answers = verdict["verdict"]
    written = texts(make.at_a_glance(answers)).set_index("Strategy ()")
    garch = answers["strategies"]["garch"]
    assert written.loc["GARCH", "Break-even (basis points, one way)"] == (
        f"{garch['break_even_bps']:.1f}"
    )
    assert written.loc["GARCH", "Sharpe above 0 (probability, %)"] == f"{100 * garch['psr']:.1f}"
    assert written.loc["GRU", "Break-even (basis points, one way)"] == "\u2013"


def test_the_smallest_edge_of_a_strategy_stands_beside_its_difference(
    verdict: dict[str, Any],
) -> None:
    answers = verdict["verdict"]["strategies"]
    written = texts(make.smallest_edges(verdict["verdict"])).set_index("Strategy ()")
    # The reference has no difference from itself.
    assert "Equal weight" not in written.index
    assert len(written) == len(answers) - 1
    gru, own = written.loc["GRU"], answers["gru"]
    assert gru["Found from (Sharpe a year)"] == f"{own['smallest_edge']:.2f}"
    assert gru["Found from (the same, Holm)"] == f"{own['smallest_edge_holm']:.2f}"
    assert gru["Found from (% mean return a year)"] == f"{100 * own['smallest_return']:.1f}"
    assert gru["Tracking error (% a year)"] == f"{100 * own['tracking_error']:.1f}"
    unknown = {name: dict.fromkeys(facts) for name, facts in answers.items()}
    assert make.smallest_edges({"strategies": unknown}).rows == ()


@pytest.mark.parametrize("by", ["other", ""])
def test_chosen_table_orders_strategies_and_drops_what_is_not_asked_for(by: str) -> None:
    frame = pd.DataFrame(
        {
            "other": ["b", "a", "b", "a"],
            "strategy": ["momentum", "momentum", "regime_nas", "gru"],
            "secret": 1,
        }
    )
    columns = {key: make._PAIR[key] for key in ("other", "strategy")}
    written = texts(make.chosen_table("break_even", frame, columns, by=by))
    grouped = ["b", "b", "a", "a"], ["RegimeNAS", "Momentum", "GRU", "Momentum"]
    plain = ["b", "a", "b", "a"], ["RegimeNAS", "GRU", "Momentum", "Momentum"]
    expected = grouped if by else plain
    assert (written["Against ()"].tolist(), written["Strategy ()"].tolist()) == expected
