from __future__ import annotations

import numpy as np
import pandas as pd
from test_verdict_tables import texts

from regime_nas_pipeline.report.closures import MOST_ROWS, closure_words, closures_table


def closed(*rows: tuple[object, ...]) -> pd.DataFrame:
    columns = ["date", "strategy", "asset", "reason", "weight", "price"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(date=pd.to_datetime(table["date"]))


TWO = closed(
    ("2020-03-03", "equal_weight", "RRC", "price ended", 0.05, 0.00001234567),
    ("2020-03-03", "gru", "RRC", "price ended", 0.125, 0.00001234567),
    ("2020-02-03", "gru", "BIG", "membership ended", 0.02, 1234567.89),
)


def test_closures_stand_by_date_with_price_and_weight() -> None:
    written = texts(closures_table(TWO))
    assert written.columns.tolist() == [
        "Date (first bar without it)",
        "Asset ()",
        "Reason ()",
        "Strategy ()",
        "Weight (% of wealth)",
        "Price (used)",
    ]
    assert written.to_numpy().tolist() == [
        ["2020-02-03", "BIG", "membership ended", "GRU", "2.0", "1234570"],
        ["2020-03-03", "RRC", "price ended", "GRU", "12.5", "0.0000123457"],
        ["2020-03-03", "RRC", "price ended", "Equal weight", "5.0", "0.0000123457"],
    ]


def test_words_count_the_closures_by_their_reason() -> None:
    assert closure_words(TWO) == [
        "3 positions had to end: 2 because the price ended, 1 because the membership ended. The "
        "heaviest was RRC with 12.5 % of the wealth of GRU."
    ]
    assert closure_words(TWO.iloc[2:])[0].startswith("1 position had to end: 1 because the member")


def test_nothing_forced_is_said_in_words() -> None:
    (sentence,) = closure_words(TWO.iloc[:0])
    assert sentence.startswith("No position had to end: ")
    assert closures_table(TWO.iloc[:0]).rows == ()


def test_of_many_closures_the_heaviest_are_shown_and_all_are_counted() -> None:
    number = MOST_ROWS + 20
    days = pd.bdate_range("2020-01-01", periods=number)
    weights = np.random.default_rng(3).permutation(np.arange(1, number + 1)) / 1000
    many = closed(
        *(
            (day, "gru", "A", "price ended", weight, 1.0)
            for day, weight in zip(days, weights, strict=True)
        )
    )
    written = texts(closures_table(many))
    heaviest = np.sort(weights)[-MOST_ROWS:]
    shown = written["Weight (% of wealth)"].astype(float)
    np.testing.assert_allclose(np.sort(shown), 100 * heaviest)
    assert written["Date (first bar without it)"].is_monotonic_increasing
    first, second = closure_words(many)
    assert first.startswith(f"{number} positions")
    assert "forced_closures" in second
