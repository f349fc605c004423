"""What may be written in the block ``audit``, and what it means."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from regime_nas_pipeline.audit.rules import AsOf, Pieces, Records, Rows
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.pipelines.audit.declared import declared_for
from regime_nas_pipeline.pipelines.audit.parameters import Audit, Bars, Clock

CLOCK = Clock(lag=2, horizon=21, search_end=pd.Timestamp("2014-12-31"))
BARS = TypeAdapter(Bars)


@pytest.mark.parametrize(
    ("written", "bars"),
    [
        (0, 0),
        (-3, -3),
        ("7", 7),
        ("lag", 2),
        ("-lag", -2),
        ("lag+1", 3),
        ("-lag - 1", -3),
        ("lag+horizon", 23),
        ("-lag-horizon", -23),
        ("2+3-horizon", -16),
    ],
)
def test_sums_of_bars(written: object, bars: int) -> None:
    assert CLOCK.bars(BARS.validate_python(written)) == bars


@given(
    st.lists(
        st.tuples(st.sampled_from("+-"), st.sampled_from(["lag", "horizon", "1", "40"])),
        min_size=1,
        max_size=6,
    )
)
def test_a_sum_is_what_arithmetic_makes_of_it(terms: list[tuple[str, str]]) -> None:
    values = {"lag": 2, "horizon": 21, "1": 1, "40": 40}
    expected = sum((1 if sign == "+" else -1) * values[term] for sign, term in terms)
    assert CLOCK.bars(BARS.validate_python("".join(s + t for s, t in terms))) == expected


@pytest.mark.parametrize(
    "written", ["", "lag*2", "lags", "1.5", 1.5, True, None, "__import__", "+"]
)
def test_anything_else_is_no_number_of_bars(written: object) -> None:
    with pytest.raises(ValidationError):
        BARS.validate_python(written)


def block(**changes: Any) -> Audit:
    return Audit.model_validate({"dates": ["search_end"], **changes})


def test_audit_dates() -> None:
    found = block(dates=["search_end", 0.5, "2016-03-02", dt.date(2017, 1, 3)]).dates
    assert found == ["search_end", 0.5, dt.datetime(2016, 3, 2), dt.datetime(2017, 1, 3)]


@pytest.mark.parametrize(
    "dates", [[], [0.0], [1], [1.5], ["soon"], [True], [None], ["2016-03-02Z"]]
)
def test_what_is_no_audit_date(dates: list[object]) -> None:
    with pytest.raises(ValidationError):
        block(dates=dates)


def test_rules_in_bars() -> None:
    rules = {
        "weights": {"kind": "rows", "lead": 1, "ignore": ["reason"]},
        "decisions": {
            "kind": "rows",
            "needs_after": "lag+1",
            "column_leads": {"cost": "-lag"},
            "keys": ["strategy"],
        },
        "log": {"kind": "records", "date": "train_end", "needs_after": "lag+2"},
        "models": {"kind": "pieces", "needs_after": 1, "facts": []},
        "found": {"kind": "as_of", "date": "search_end"},
        "known": {"kind": "as_of", "date": "2010-01-04"},
    }
    assert declared_for(block(rules=rules), list(rules)).rules_at(CLOCK) == {
        "weights": Rows(lead=1, ignore=frozenset({"reason"})),
        "decisions": Rows(needs_after=3, column_leads={"cost": -2}, keys=("strategy",)),
        "log": Records("train_end", 4),
        "models": Pieces(needs_after=1, facts=()),
        "found": AsOf(pd.Timestamp("2014-12-31")),
        "known": AsOf(pd.Timestamp("2010-01-04")),
    }


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "columns"},
        {"lead": 1},
        {"kind": "rows", "leads": 1},
        {"kind": "as_of"},
        {"kind": "as_of", "date": "soon"},
    ],
)
def test_what_is_no_rule(rule: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        block(rules={"weights": rule})


def test_an_exemption_needs_a_reason() -> None:
    with pytest.raises(ValidationError):
        block(exempt={"weights": ""})


DATASETS = ["gru.forecasts", "trend.forecasts", "weights"]
ROWS = {"kind": "rows"}


def test_a_name_goes_before_a_pattern_and_null_takes_it_out() -> None:
    late = {"kind": "rows", "lead": 1}
    declared = declared_for(block(rules={"*.forecasts": ROWS, "trend.forecasts": late}), DATASETS)
    assert declared.rules["trend.forecasts"].rule(CLOCK) == Rows(lead=1)
    assert declared.rules["gru.forecasts"].rule(CLOCK) == Rows()
    declared = declared_for(block(rules={"*.forecasts": ROWS, "trend.forecasts": None}), DATASETS)
    assert set(declared.rules) == {"gru.forecasts"}


def test_a_dataset_can_be_exempt_from_a_rule_by_pattern() -> None:
    declared = declared_for(
        block(rules={"*.forecasts": ROWS}, exempt={"trend.forecasts": "a reason"}), DATASETS
    )
    assert set(declared.rules) == {"gru.forecasts"}
    assert declared.exempt == {"trend.forecasts": "a reason"}


@pytest.mark.parametrize(
    "changes",
    [
        {"rules": {"weights": ROWS}, "exempt": {"weights": "a reason"}},
        {"rules": {"*.forecasts": ROWS, "gru.*": ROWS}},
    ],
)
def test_two_declarations_of_one_dataset_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=r"is meant by audit\.rules.* and audit\."):
        declared_for(block(**changes), DATASETS)


def test_what_is_declared_of_a_pipeline_that_is_left_out_may_stay() -> None:
    audit = block(rules={"architecture": ROWS}, exempt={"report": "a page"})
    assert declared_for(audit, DATASETS, ["architecture", "report"]).rules == {}
    with pytest.raises(ParameterError, match="'architecture'"):
        declared_for(audit, DATASETS, ["report"])


def test_a_pattern_may_fit_nothing_and_null_may_name_anything() -> None:
    declared = declared_for(block(rules={"*.tuned": ROWS, "architecture": None}), DATASETS)
    assert declared.rules == {}
