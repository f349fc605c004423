from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panel_jobs import SHOCKS, dates, group_test
from scipy.stats import binom

from regime_nas_pipeline.audit.panel_runs import p_value_table, run_panels
from regime_nas_pipeline.audit.panels import make_panels
from regime_nas_pipeline.audit.placebo import (
    critical_count,
    false_positives,
    judge_tests,
    proportion,
    verdict_by_test,
)
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import DataError, ParameterError


def table_of(p_values: dict[tuple[str, str], np.ndarray], edge: str = "none") -> pd.DataFrame:
    """One row per panel for each (test, subject)."""
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "panel": np.arange(len(values)),
                    "seed": 1,
                    "edge": edge,
                    "edge_size": 0.0,
                    "n_bars": 100,
                    "test": test,
                    "subject": subject,
                    "against": "reference",
                    "p_beats": values,
                }
            )
            for (test, subject), values in p_values.items()
        ],
        ignore_index=True,
    )


def with_rejections(count: int, n: int) -> np.ndarray:
    return np.r_[np.full(count, 0.01), np.full(n - count, 0.6)]


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 300), share=st.floats(0.0, 1.0), confidence=st.floats(0.5, 0.99))
def test_the_interval_is_where_the_binomial_tails_say(
    n: int, share: float, confidence: float
) -> None:
    count = round(share * n)
    found = proportion(count, n, confidence=confidence)
    assert found.rate == count / n
    tail = (1.0 - confidence) / 2.0
    if count == 0:
        assert found.low == 0.0
    else:
        assert binom.sf(count - 1, n, found.low) == pytest.approx(tail, rel=1e-6)
    if count == n:
        assert found.high == 1.0
    else:
        assert binom.cdf(count, n, found.high) == pytest.approx(tail, rel=1e-6)


def test_a_share_of_nothing_is_blank() -> None:
    nothing = proportion(0, 0)
    assert (nothing.rate, nothing.low, nothing.high) == (None, None, None)
    with pytest.raises(ParameterError, match="count"):
        proportion(3, 2)
    with pytest.raises(ParameterError, match="confidence"):
        proportion(1, 2, confidence=1.0)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(0, 400), level=st.floats(0.01, 0.3), alpha=st.floats(0.0005, 0.2))
def test_the_critical_count_is_the_smallest_that_is_unlikely_enough(
    n: int, level: float, alpha: float
) -> None:
    needed = critical_count(n, level, alpha)
    tails = binom.sf(np.arange(n + 1) - 1, n, level)  # P(X >= count)
    enough = np.flatnonzero(tails <= alpha)
    assert needed == (int(enough[0]) if enough.size else None)


def test_counts_by_hand() -> None:
    p_values = np.array([0.001, 0.01, 0.03, 0.05, 0.07, 0.5, 0.5, np.nan, np.nan, 1.0])
    table = false_positives(table_of({("t", "a"): p_values})).set_index("level")
    assert table["n_rejected"].to_dict() == {0.01: 2, 0.05: 4, 0.1: 5}
    assert (table["n_panels"] == 10).all()
    assert (table["n_tested"] == 8).all()
    assert (table["n_blank"] == 2).all()
    assert (table["n_distinct"] == 7).all()
    assert table.loc[0.05, "rate"] == 0.5
    # Clopper and Pearson for 4 of 8.
    assert table.loc[0.05, "rate_low"] == pytest.approx(0.1570, abs=1e-4)
    assert table.loc[0.05, "rate_high"] == pytest.approx(0.8430, abs=1e-4)


def test_a_test_that_could_never_be_made_has_no_rate_and_is_not_judged() -> None:
    table = table_of({("t", "a"): np.full(50, np.nan), ("t", "b"): with_rejections(2, 50)})
    rates = false_positives(table, levels=[0.05]).set_index("subject")
    assert np.isnan(rates.loc["a", "rate"])
    judged = judge_tests(table).set_index("subject")
    assert judged["verdict"].to_dict() == {"a": "not judged", "b": "kept"}
    assert "on 50 more it could not be made" in judged.loc["a", "reason"]
    # A test that was never made takes no share of the level.
    assert judged.loc["b", "p_bonferroni"] == judged.loc["b", "p_above"]


def test_verdicts_by_hand() -> None:
    # Two rows share the 5 %: 17 of 200 panels are enough to withdraw, and 16 only for one alone.
    tails = {count: binom.sf(count - 1, 200, 0.05) for count in (16, 17)}
    assert tails[17] < 0.025 < tails[16] < 0.05
    table = table_of(
        {("good", "a"): with_rejections(16, 200), ("bad", "a"): with_rejections(17, 200)}
    )
    judged = judge_tests(table).set_index("test")
    assert judged["verdict"].to_dict() == {"good": "kept", "bad": "withdrawn"}
    assert judged.loc["bad", "p_above"] == pytest.approx(tails[17])
    assert judged.loc["bad", "p_bonferroni"] == pytest.approx(2 * tails[17])
    assert "on 17 of 200 panels (8.5 %" in judged.loc["bad", "reason"]
    # At the detectable rate, 17 rejections or more come four times in five.
    rate = judged.loc["bad", "detectable_rate"]
    assert binom.sf(16, 200, rate) == pytest.approx(0.8)
    alone = judge_tests(table[table["test"] == "good"])
    assert alone["verdict"].tolist() == ["withdrawn"]


def test_too_few_panels_judge_nothing() -> None:
    judged = judge_tests(table_of({("t", "a"): np.array([0.01])}), familywise=0.01)
    assert judged["verdict"].tolist() == ["not judged"]
    assert judged[["p_above", "p_bonferroni", "detectable_rate"]].isna().all(axis=None)


def test_panels_that_would_not_show_a_gross_error_keep_nothing_but_still_withdraw() -> None:
    def verdict(rejected: int, n: int) -> str:
        return str(judge_tests(table_of({("t", "a"): with_rejections(rejected, n)}))["verdict"][0])

    # Two of four are needed, which a rate of 58 % gives four times in five; 20 panels show 33 %.
    assert verdict(0, 4) == "not judged"
    assert verdict(2, 4) == "withdrawn"
    assert verdict(0, 20) == "kept"


def test_a_test_is_withdrawn_with_its_worst_pair() -> None:
    table = table_of(
        {
            ("one", "a"): with_rejections(10, 200),
            ("one", "b"): with_rejections(60, 200),
            ("two", "a"): with_rejections(10, 200),
            ("two", "b"): np.full(200, np.nan),
            ("three", "a"): np.full(200, np.nan),
        }
    )
    found = verdict_by_test(judge_tests(table))
    assert {test: each["verdict"] for test, each in found.items()} == {
        "one": "withdrawn",
        "two": "kept",
        "three": "not judged",
    }
    assert found["one"]["pairs"] == {"kept": 1, "withdrawn": 1, "not judged": 0}
    assert found["one"]["reason"].startswith("b against reference: said 'beats' where nothing is")


def test_honest_tests_are_rarely_withdrawn_and_liars_nearly_always() -> None:
    generator = np.random.default_rng(3)
    honest, liars = 0, 0
    for _ in range(60):
        p_values = generator.random((5, 200))
        table = table_of({("t", f"s{row}"): values for row, values in enumerate(p_values)})
        honest += (judge_tests(table)["verdict"] == "withdrawn").any()
        p_values[0] /= 3.0  # rejects at 15 %
        lying = table_of({("t", f"s{row}"): values for row, values in enumerate(p_values)})
        liars += judge_tests(lying)["verdict"].iloc[0] == "withdrawn"
    # The familywise level is 5 %: 10 or more of 60 would come once in two thousand.
    assert honest < 10
    assert liars > 50


def test_a_fair_job_on_martingale_panels_rejects_as_often_as_it_says() -> None:
    panels = make_panels(SHOCKS, dates=dates(120), n_panels=150, seed=17)
    outcomes = run_panels(group_test, panels, parameters={}, cache=PieceCache(None))
    table = p_value_table(panels, outcomes)
    rates = false_positives(table).set_index(["test", "level"])
    for level in (0.01, 0.05, 0.1):
        count = rates.loc[("t_test", level), "n_rejected"]
        assert binom.cdf(count, 150, level) > 0.001
        assert binom.sf(count - 1, 150, level) > 0.001
    assert rates.loc[("same_test", 0.05), "n_blank"] == 150
    verdicts = verdict_by_test(judge_tests(table))
    assert verdicts["t_test"]["verdict"] == "kept"
    assert verdicts["same_test"]["verdict"] == "not judged"
    lying = table.assign(p_beats=table["p_beats"] / 4.0)
    assert verdict_by_test(judge_tests(lying))["t_test"]["verdict"] == "withdrawn"


def test_edges_and_doubles_are_no_placebo() -> None:
    with pytest.raises(DataError, match="here is 'momentum'"):
        judge_tests(table_of({("t", "a"): np.array([0.5])}, edge="momentum"))
    table = table_of({("t", "a"): np.array([0.5, 0.6])})
    with pytest.raises(DataError, match="panel 0 of seed 1 is there twice"):
        false_positives(pd.concat([table, table.head(1)]))
    with pytest.raises(ParameterError, match="level"):
        false_positives(table, levels=[1.0])
    with pytest.raises(ParameterError, match="level"):
        judge_tests(table, familywise=0.0)
