from __future__ import annotations

from datetime import date
from itertools import combinations
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.verdict.published import Experiment, Message, PublishedFigure
from regime_nas_pipeline.verdict.published_words import (
    arithmetic_sentences,
    dates_sentence,
    message_sentence,
    order_sentence,
    sharpe_order,
)

NAMES = ("gru", "momentum", "garch", "transformer", "equal_weight")


def dated(first: date | None, last: date | None) -> Experiment:
    return Experiment("Test", "a paper", (), first=first, last=last)


def test_shared_days_are_counted() -> None:
    given_dates = dated(date(2020, 1, 1), date(2020, 12, 31))
    # July to December are 184 of the 366 days of that year.
    said = dates_sentence(given_dates, date(2020, 7, 1), date(2024, 1, 1))
    assert said is not None
    assert "50 % of the published days in common" in said
    none = dates_sentence(given_dates, date(2015, 1, 1), date(2019, 12, 31))
    assert none is not None
    assert "no day in common" in none
    one = dates_sentence(given_dates, date(2015, 1, 1), date(2020, 1, 1))
    assert one is not None
    assert "0 % of the published days" in one
    assert dates_sentence(dated(None, None), date(2020, 7, 1), date(2024, 1, 1)) is None


def ratios(sharpe: float, calmar: float, rate: float | None = 0.02) -> Experiment:
    values = {"cagr": 0.10, "volatility": 0.16, "max_drawdown": -0.25}
    figures = [
        PublishedFigure(quantity, "gru", value)
        for quantity, value in (values | {"sharpe": sharpe, "calmar": calmar}).items()
    ]
    # A strategy of which nothing else is published says nothing about the arithmetic.
    figures.append(PublishedFigure("sharpe", "momentum", 9.0))
    return Experiment("Test", "a paper", tuple(figures), risk_free=rate)


def test_ratios_that_follow_from_the_other_figures_are_called_so() -> None:
    sharpe, calmar = arithmetic_sentences(ratios(0.50, 0.40))
    assert "Every published Sharpe ratio follows" in sharpe
    assert "(CAGR \u2212 2.00 %) ÷ volatility" in sharpe
    assert "Every published Calmar ratio follows" in calmar


def test_ratios_that_do_not_follow_are_called_so() -> None:
    sharpe, calmar = arithmetic_sentences(ratios(0.75, 0.30))
    assert "Of 1 published Sharpe ratios 1 do not follow" in sharpe
    assert "widest gap is 0.25" in sharpe
    assert "Of 1 published Calmar ratios 1" in calmar
    assert "widest gap is 0.10" in calmar


def test_without_a_rate_of_interest_only_calmar_can_be_reckoned_again() -> None:
    (only,) = arithmetic_sentences(ratios(0.5, 0.4, rate=None))
    assert "Calmar" in only


def rows_of(published: list[float], ours: list[float | None]) -> list[dict[str, Any]]:
    return [
        {"quantity": "sharpe", "of": name, "published": theirs, "ours": own, "definition": "sharpe"}
        for name, theirs, own in zip(NAMES, published, ours, strict=False)
    ]


@given(st.permutations(range(5)), st.permutations(range(5)))
def test_tau_is_the_share_of_pairs_in_the_same_order(theirs: list[int], ours: list[int]) -> None:
    found = sharpe_order(rows_of(list(map(float, theirs)), list(map(float, ours))))
    assert found is not None
    pairs = list(combinations(range(5), 2))
    alike = sum((theirs[i] < theirs[j]) == (ours[i] < ours[j]) for i, j in pairs)
    assert found["kendall_tau"] == pytest.approx(2.0 * alike / len(pairs) - 1.0)
    assert found["same_winner"] == (theirs.index(4) == ours.index(4))
    assert found["published"] == [NAMES[theirs.index(rank)] for rank in (4, 3, 2, 1, 0)]
    assert found["ours"] == [NAMES[ours.index(rank)] for rank in (4, 3, 2, 1, 0)]


def test_an_order_needs_three_strategies_that_both_have() -> None:
    assert sharpe_order(rows_of([0.3, 0.2, 0.1], [0.1, 0.2, None])) is None
    found = sharpe_order(rows_of([0.3, 0.2, 0.1], [0.1, 0.1, 0.1]))
    assert found is not None
    assert found["kendall_tau"] is None
    assert "no order that could be compared" in order_sentence(found)


def test_the_order_is_said_with_its_winner() -> None:
    found = sharpe_order(rows_of([0.3, 0.2, 0.1], [0.1, 0.2, 0.3]))
    assert found is not None
    said = order_sentence(found)
    assert "the published order is GRU, momentum, GARCH; ours is GARCH, momentum, GRU" in said
    assert "Kendall's tau is \u22121.00" in said
    assert "another strategy is first" in said
    same = sharpe_order(rows_of([0.3, 0.2, 0.1], [0.3, 0.1, 0.2]))
    assert same is not None
    assert "and the same strategy is first" in order_sentence(same)


MESSAGE = Message("nothing beats equal weight", ("gru", "momentum"), "equal_weight")


def pair_tests(p_holm: float, robust: float, *, z: float = 2.0) -> pd.DataFrame:
    """Two tests of GRU, tested in one direction, and of momentum, in the other one."""
    pairs = [("gru", "equal_weight"), ("equal_weight", "momentum")]
    kinds = [("jobson_korkie_memmel", p_holm), ("ledoit_wolf", robust)]
    return pd.DataFrame(
        [
            {"test": test, "subject": one, "against": other, "statistic": z, "p_holm": p}
            for one, other in pairs
            for test, p in kinds
        ]
    )


def said(ours: float | None, tests: pd.DataFrame) -> str:
    sharpes = {"gru": ours, "momentum": 0.1, "equal_weight": 0.5}
    return message_sentence(MESSAGE, sharpes, tests, level=0.05)


def test_a_message_holds_where_nothing_is_ahead() -> None:
    text = said(0.4, pair_tests(0.001, 0.001))
    assert "nothing beats equal weight, and here it holds" in text
    assert "of equal weight is 0.50, beside 0.40 for GRU and 0.10 for momentum" in text


def test_a_message_fails_only_where_every_test_says_so() -> None:
    text = said(0.9, pair_tests(0.01, 0.04))
    assert "here it does not hold" in text
    assert "the lead of GRU (Holm's p up to 0.04) more than luck" in text
    for table in (pair_tests(0.01, 0.2), pair_tests(0.2, 0.01)):
        text = said(0.9, table)
        assert "neither confirmed nor refuted" in text
        assert "the lead of GRU (Holm's p up to 0.2) is not proven" in text


@pytest.mark.parametrize(
    "table", [pair_tests(0.01, 0.01).iloc[:0], pair_tests(0.01, 0.01, z=float("nan"))]
)
def test_a_lead_without_a_test_proves_nothing(table: pd.DataFrame) -> None:
    text = said(0.9, table)
    assert "neither confirmed nor refuted" in text
    assert "(no test could be run)" in text


def test_a_message_of_an_undefined_ratio_cannot_be_asked() -> None:
    assert "undefined" in said(None, pair_tests(0.01, 0.01))


def test_a_message_of_a_strategy_that_is_not_ours_is_refused() -> None:
    with pytest.raises(DataError, match=r"'momentum'.*choose one of: gru, equal_weight"):
        message_sentence(MESSAGE, {"gru": 1.0, "equal_weight": 0.5}, pd.DataFrame(), level=0.05)
