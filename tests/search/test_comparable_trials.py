"""Which trials of the ledger are held against each other, and why others are not."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.search.comparable_trials import (
    AS_REFERENCE,
    NO_RETURNS,
    OTHER_DATES,
    OTHER_PRICES,
    REASONS,
    UNKNOWN_PRICES,
    ComparableTrials,
    comparable_trials,
)
from regime_nas_pipeline.search.ledger import hash_of_closes, ledger_rows
from regime_nas_pipeline.search.outer import Outcome, Proposal, Trial

DATES = pd.bdate_range("2013-01-01", periods=40)
HERE, ELSEWHERE = "a" * 64, "b" * 64
REFERENCE = pd.Series(np.linspace(-0.01, 0.02, 40), index=DATES)
OWN = "cafe" * 16


def search(
    search_id: str,
    *returns: np.ndarray,
    forecaster: str = "gru",
    dates: pd.DatetimeIndex = DATES,
    closes_hash: str = HERE,
) -> pd.DataFrame:
    trials = [
        Trial(Proposal(number, seed=number, choices={}), Outcome(0.9, {}, 10, values))
        for number, values in enumerate(returns)
    ]
    return ledger_rows(
        trials,
        search_id=search_id,
        forecaster=forecaster,
        strategy="random",
        dates=dates,
        closes_hash=closes_hash,
    )


def draws(n: int, seed: int, bars: int = 40) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).normal(0.0, 0.01, (n, bars)))


def found(search_id: str = OWN, best: int = 1) -> dict[str, dict[str, Any]]:
    return {"gru": {"search": {"search_id": search_id, "best_trial": best}}}


def compared(*tables: pd.DataFrame, **changes: Any) -> ComparableTrials:
    ledger = pd.concat(tables, ignore_index=True)
    given: dict[str, Any] = {"closes_hash": HERE, "reference": REFERENCE} | changes
    return comparable_trials(ledger, given.pop("found", found()), **given)


def test_returns_are_those_of_the_ledger_less_the_reference() -> None:
    returns = draws(3, seed=1)
    trials = compared(search(OWN, *returns))
    assert list(trials.returns.columns) == [f"{OWN[:16]}-000{number}" for number in range(3)]
    assert trials.chosen == {"gru": f"{OWN[:16]}-0001"}
    expected = returns[1] - REFERENCE.to_numpy()
    np.testing.assert_allclose(trials.returns[trials.chosen["gru"]], expected, atol=1e-15)
    assert trials.n_this_run == 3
    assert trials.left_out == dict.fromkeys(REASONS, 0)


def test_trials_of_earlier_runs_on_the_same_prices_count_too() -> None:
    earlier = search("beef" * 16, *draws(2, seed=2), forecaster="transformer")
    trials = compared(search(OWN, *draws(3, seed=1)), earlier)
    assert trials.returns.shape == (40, 5)
    assert trials.n_this_run == 3
    assert trials.forecasters.value_counts().to_dict() == {"gru": 3, "transformer": 2}


def test_what_cannot_be_compared_is_left_out_and_counted_by_its_reason() -> None:
    later = DATES + pd.Timedelta(days=1)
    trials = compared(
        search(OWN, *draws(3, seed=1), REFERENCE.to_numpy() + 1e-15),
        search("1" * 64, *draws(4, seed=2), closes_hash=ELSEWHERE),
        search("2" * 64, *draws(5, seed=3), closes_hash=""),
        search("3" * 64, *draws(6, seed=4), dates=later),
        search("4" * 64, np.empty(0), np.empty(0), dates=DATES[:0]),
    )
    assert trials.left_out == {
        NO_RETURNS: 2,
        UNKNOWN_PRICES: 5,
        OTHER_PRICES: 4,
        OTHER_DATES: 6,
        AS_REFERENCE: 1,
    }
    assert trials.returns.shape == (40, 3)
    assert len(trials.forecasters) == 3


def test_a_choice_that_is_the_reference_is_no_choice() -> None:
    trials = compared(search(OWN, *draws(1, seed=1), REFERENCE.to_numpy()))
    assert trials.chosen == {}
    assert trials.returns.shape == (40, 1)


def test_searches_in_which_nothing_could_be_chosen_leave_no_trial() -> None:
    trials = compared(search(OWN, REFERENCE.to_numpy(), REFERENCE.to_numpy()))
    assert trials.returns.shape == (40, 0)
    assert trials.forecasters.empty
    assert trials.left_out[AS_REFERENCE] == 2


def test_a_ledger_from_before_prices_were_recorded_holds_this_run_alone() -> None:
    tables = [search(OWN, *draws(3, seed=1)), search("2" * 64, *draws(2, seed=2))]
    trials = compared(*(table.drop(columns="closes_hash") for table in tables))
    assert trials.returns.shape == (40, 3)
    assert trials.left_out[UNKNOWN_PRICES] == 2


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (search(OWN, *draws(2, seed=1), closes_hash=ELSEWHERE), OTHER_PRICES),
        (search(OWN, *draws(2, seed=1), dates=DATES + pd.Timedelta(days=1)), OTHER_DATES),
        (search("1" * 64, *draws(2, seed=1)), "holds none of it"),
    ],
)
def test_a_find_of_another_run_is_refused(table: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=f"search of gru .*{message}.*nas_search"):
        compared(table)


def test_the_hash_of_closes_sees_prices_assets_and_dates_alone(small_market: Market) -> None:
    known = small_market.until(small_market.dates[300])
    hashed = hash_of_closes(known)
    later = dataclasses.replace(small_market, close=small_market.close.copy())
    later.close[301:] *= 1.1
    assert hash_of_closes(later.until(small_market.dates[300])) == hashed
    assert hash_of_closes(dataclasses.replace(known, benchmark=known.benchmark * 2)) == hashed
    unlisted = np.full((len(known.dates), 1), np.nan)
    joined = dataclasses.replace(
        known, assets=(*known.assets, "NEW"), close=np.hstack([known.close, unlisted])
    )
    assert hash_of_closes(joined) == hashed
    moved = known.close.copy()
    moved[7, 2] *= 1.0 + 1e-12
    others = [
        dataclasses.replace(known, close=moved),
        dataclasses.replace(known, assets=("B", *known.assets[1:])),
        dataclasses.replace(known, dates=known.dates + pd.Timedelta(days=1)),
        small_market.until(small_market.dates[301]),
    ]
    assert hashed not in {hash_of_closes(other) for other in others}
