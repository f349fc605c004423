from __future__ import annotations

import pickle

import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError, ParameterError, RegimeNasError


def test_the_message_names_the_place_and_the_remedy() -> None:
    error = DataError(
        "price is not positive: -3",
        source="prices.csv",
        column="close",
        asset="AAPL",
        date=pd.Timestamp("2020-03-02"),
        remedy="correct the row.",
    )
    assert str(error) == (
        "prices.csv, column 'close', asset 'AAPL', date 2020-03-02: "
        "price is not positive: -3. Remedy: correct the row."
    )


@pytest.mark.parametrize(
    ("date", "shown"),
    [
        (pd.Timestamp("2020-03-02 14:30"), "2020-03-02 14:30:00"),
        ("2/3/20", "2/3/20"),
    ],
)
def test_a_date_is_shown_as_exactly_as_it_is_known(date: pd.Timestamp | str, shown: str) -> None:
    assert str(DataError("no price", date=date)) == f"date {shown}: no price."


def test_without_a_place_only_the_problem_is_said() -> None:
    assert str(DataError("there are no prices.")) == "there are no prices."


def test_a_data_error_crosses_a_process_boundary_whole() -> None:
    error = DataError("bad", source="s", asset="A", date=pd.Timestamp("2020-01-01"), remedy="r.")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - made one line above
    assert type(copy) is DataError
    assert str(copy) == str(error)
    assert (copy.problem, copy.source, copy.asset, copy.date, copy.remedy) == (
        "bad",
        "s",
        "A",
        pd.Timestamp("2020-01-01"),
        "r.",
    )


def test_one_base_catches_all() -> None:
    assert issubclass(DataError, RegimeNasError)
    assert issubclass(ParameterError, RegimeNasError)
