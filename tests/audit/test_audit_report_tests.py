from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.audit.panel_runs import PanelOutcome
from regime_nas_pipeline.audit.report_tests import at_one_level, report_tests
from regime_nas_pipeline.verdict.comparison import (
    ForecastLosses,
    comparison_table,
    superior_strategies,
)
from regime_nas_pipeline.verdict.trials.counted import deflate_all

DATES = pd.bdate_range("2015-01-01", periods=300)


def returns(seed: int = 0, edge: float = 0.0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    table = pd.DataFrame(
        0.01 * generator.standard_normal((300, 4)),
        index=DATES,
        columns=["regime_nas", "momentum", "equal_weight", "flat"],
    )
    table["flat"] = 0.0
    table["regime_nas"] += edge
    return table


def losses(seed: int = 1) -> ForecastLosses:
    generator = np.random.default_rng(seed)
    tables = {
        name: pd.DataFrame(generator.standard_normal((60, 3)) ** 2, index=DATES[:60])
        for name in ("regime_nas", "momentum", "no_change")
    }
    return ForecastLosses(tables, ["no_change", "momentum"], horizon=1, every=1)


def tables(edge: float = 0.0) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    own = returns(edge=edge)
    pairs = comparison_table(
        own,
        ["equal_weight"],
        risk_free=0.0,
        bars_per_year=252,
        forecasts=losses(),
        n_resamples=99,
    )
    superior = pd.concat(
        [
            superior_strategies(own, "equal_weight", measure=measure, n_resamples=99)
            for measure in ("mean", "sharpe")
        ]
    )
    trials = returns(seed=2).drop(columns="flat")
    deflated = deflate_all(own, trials, {"regime_nas": "momentum"}, bars_per_year=252, risk_free=0)
    return pairs, superior, deflated


def p_of(tests: pd.DataFrame) -> dict[tuple[str, str, str], float]:
    return tests.set_index(["test", "subject", "against"])["p_beats"].to_dict()


def test_every_test_of_the_report_is_there_once_and_can_be_kept() -> None:
    pairs, superior, deflated = tables()
    found = report_tests(pairs, superior, deflated)
    outcome = PanelOutcome(returns(), found)
    back = PanelOutcome.from_bundle(outcome.to_bundle()).tests
    pd.testing.assert_frame_equal(back, found, check_dtype=False)
    assert set(found["test"]) == {
        "jobson_korkie_memmel",
        "ledoit_wolf",
        "diebold_mariano",
        "holm",
        "spa_mean",
        "spa_sharpe",
        "stepwise_mean",
        "stepwise_sharpe",
        "confidence_set_mean",
        "confidence_set_sharpe",
        "deflated_sharpe_search",
        "deflated_sharpe",
        "probabilistic_sharpe",
    }


def test_p_values_are_those_of_the_report() -> None:
    pairs, superior, deflated = tables()
    p = p_of(report_tests(pairs, superior, deflated))
    sharpe = pairs[pairs["test"] != "diebold_mariano"]
    for row in sharpe[sharpe["statistic"].notna()].to_dict("records"):
        assert p[row["test"], row["subject"], row["against"]] == row["p_beats"]
    # A strategy that never moves is tested for nothing.
    assert np.isnan(p["ledoit_wolf", "flat", "equal_weight"])
    known = sharpe[sharpe["statistic"].notna()]
    assert p["holm", "any strategy", "any reference"] == known["p_holm"].min()
    mean = superior[superior["measure"] == "mean"]
    assert p["spa_mean", "any strategy", "equal_weight"] == mean["p_spa"].iloc[0]
    in_set = mean["p_confidence_set"].min()
    assert p["confidence_set_mean", "any strategy", "the best"] == in_set
    rows = deflated.set_index(["scope", "reference", "strategy"])
    lead = rows.loc[("out_of_sample", "equal_weight", "momentum")]
    alone = rows.loc[("out_of_sample", "risk_free", "equal_weight")]
    searched = rows.loc[("search", "equal_weight", "regime_nas")]
    own = {
        ("deflated_sharpe", "momentum", "equal_weight"): lead["deflated_probability"],
        ("probabilistic_sharpe", "equal_weight", "risk_free"): alone["psr_against_zero"],
        ("deflated_sharpe_search", "regime_nas", "equal_weight"): searched["deflated_probability"],
    }
    for names, probability in own.items():
        assert p[names] == pytest.approx(1.0 - probability)
    # What a search chose was chosen on these very bars: nothing but the deflated ratio counts.
    assert ("probabilistic_sharpe", "regime_nas", "search") not in p


def test_forecasters_are_held_against_no_change_alone() -> None:
    pairs, superior, _ = tables()
    assert "momentum" in set(pairs.loc[pairs["test"] == "diebold_mariano", "against"])
    found = report_tests(pairs, superior)
    accuracy = found[found["test"] == "diebold_mariano"]
    assert set(accuracy["against"]) == {"no_change"}
    assert set(accuracy["subject"]) == {"regime_nas", "momentum"}
    assert not found["test"].str.contains("deflated").any()


def test_the_stepwise_test_is_a_decision_at_one_level() -> None:
    quiet = p_of(report_tests(*tables()))
    loud = p_of(report_tests(*tables(edge=0.01)))
    names = ("stepwise_sharpe", "any strategy", "equal_weight")
    assert quiet[names] == 1.0
    assert loud[names] == 0.05
    assert loud["spa_sharpe", "any strategy", "equal_weight"] < 0.05
    assert at_one_level("stepwise_sharpe")
    assert not at_one_level("spa_sharpe")


def test_samples_too_short_to_compare_give_no_rows() -> None:
    pairs, superior, _ = tables()
    found = report_tests(pairs.iloc[:0], superior.iloc[:0])
    assert found.empty
    assert list(found.columns) == ["test", "subject", "against", "p_beats"]
