from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.verdict.published import (
    QUANTITIES,
    Experiment,
    Message,
    PublishedFigure,
    published_rows,
)

MEASURED = {
    ("sharpe", "gru", ""): 0.5,
    ("sharpe_cagr", "gru", ""): 0.4,
    ("sharpe_monthly", "gru", ""): None,
    ("sharpe_cagr_monthly", "gru", ""): 0.3,
    ("sharpe", "garch", ""): 0.1,
    ("sharpe_cagr", "garch", ""): 0.1,
    ("sharpe_monthly", "garch", ""): 0.1,
    ("sharpe_cagr_monthly", "garch", ""): 0.1,
    ("cagr", "gru", ""): None,
    ("mean_weight", "gru", "bonds"): 0.25,
    ("mean_weight", "gru", "gold"): 0.75,
}


def experiment(*figures: PublishedFigure, **changes: Any) -> Experiment:
    return Experiment("Test", "a paper", figures, **changes)


def test_a_row_holds_both_figures_and_ours_by_other_definitions() -> None:
    given = experiment(
        PublishedFigure("sharpe", "gru", 0.7, reason="Theirs is larger."),
        ours_as={"sharpe": "sharpe_cagr"},
        reasons={"sharpe": "Other years."},
    )
    (row,) = published_rows(given, MEASURED)
    assert row["difference"] == pytest.approx(0.4 - 0.7)
    assert (row["ours"], row["definition"]) == (0.4, "sharpe_cagr")
    assert row["others"] == {"sharpe": 0.5, "sharpe_monthly": None, "sharpe_cagr_monthly": 0.3}
    assert row["reasons"] == ["Other years.", "Theirs is larger."]


def test_the_usual_definition_is_taken_where_none_is_named() -> None:
    (row,) = published_rows(experiment(PublishedFigure("sharpe", "gru", 0.7)), MEASURED)
    assert (row["ours"], row["definition"], row["reasons"]) == (0.5, "sharpe", [])


def test_rows_keep_the_order_of_the_publication() -> None:
    figures = [
        PublishedFigure("mean_weight", "gru", 0.5, beside=group) for group in ("gold", "bonds")
    ]
    rows = published_rows(experiment(figures[0], figures[1]), MEASURED)
    assert [(row["beside"], row["ours"]) for row in rows] == [("gold", 0.75), ("bonds", 0.25)]


@pytest.mark.parametrize(
    "figure",
    [
        PublishedFigure("cagr", "gru", 0.1),  # undefined
        PublishedFigure("sharpe_test", "gru", 1.0, beside="garch"),  # too few bars for any test
    ],
)
def test_what_is_undefined_or_not_measured_at_all_stays_blank(figure: PublishedFigure) -> None:
    (row,) = published_rows(experiment(figure), MEASURED)
    assert row["ours"] is None
    assert row["difference"] is None
    assert row["published"] == figure.published


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        (PublishedFigure("sharpe", "lstm", 1.0), "'lstm'.*choose one of: gru, garch"),
        (PublishedFigure("mean_weight", "gru", 1.0, beside="oil"), "'oil'.*bonds, gold"),
    ],
)
def test_a_name_that_is_not_ours_is_refused(figure: PublishedFigure, words: str) -> None:
    with pytest.raises(DataError, match=words):
        published_rows(experiment(figure), MEASURED)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"quantity": "sharp"}, "'sharp'; there are: cagr"),
        ({"published": float("nan")}, "of 'gru' is nan"),
        ({"beside": "garch"}, "has no 'garch' beside it"),
        ({"quantity": "sharpe_test"}, "needs 'beside': the other strategy"),
        ({"quantity": "mean_weight"}, "needs 'beside': the group of assets"),
    ],
)
def test_a_figure_that_makes_no_sense_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        PublishedFigure(**{"quantity": "cagr", "of": "gru", "published": 0.1, **arguments})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ours_as": {"sharpe": "calmar"}}, "'calmar' is no definition of sharpe"),
        ({"ours_as": {"alpha": "alpha"}}, "'alpha'"),
        ({"reasons": {"alpha": "why"}}, "'alpha'"),
        ({"first": date(2020, 1, 1)}, "both 'first' and 'last'"),
        ({"first": date(2020, 1, 1), "last": date(2019, 1, 1)}, "before it starts"),
    ],
)
def test_an_experiment_that_makes_no_sense_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        experiment(**changes)


def test_a_figure_is_given_once() -> None:
    figures = [PublishedFigure("cagr", "gru", value) for value in (0.1, 0.2)]
    with pytest.raises(ParameterError, match="published cagr of 'gru' is given twice"):
        experiment(*figures)


def test_all_names_of_ours_are_told() -> None:
    given = experiment(
        PublishedFigure("predicted_spread", "gru", 0.1),
        PublishedFigure("sharpe_test", "garch", 0.1, beside="momentum"),
        PublishedFigure("mean_weight", "mvo_flat", 0.1, beside="gold"),
        messages=(Message("x", ("transformer",), "equal_weight"),),
    )
    assert set(given.names()) == {
        ("forecaster", "gru"),
        ("strategy", "garch"),
        ("strategy", "momentum"),
        ("strategy", "mvo_flat"),
        ("group", "gold"),
        ("strategy", "transformer"),
        ("strategy", "equal_weight"),
    }


def test_no_definition_belongs_to_two_quantities() -> None:
    every = [name for quantity in QUANTITIES.values() for name in quantity.definitions]
    assert len(set(every)) == len(every)
