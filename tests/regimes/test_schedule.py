from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from two_states import TRUTH, scrambled_after, simulate

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.regimes.base import Labeller
from regime_nas_pipeline.regimes.kmeans import KMeansLabeller
from regime_nas_pipeline.regimes.markov import HiddenMarkovLabeller
from regime_nas_pipeline.regimes.schedule import label_online, label_walk, refit_dates
from regime_nas_pipeline.regimes.threshold import VolatilityThresholdLabeller

SCHEDULE = {"burn_in": 120, "refit_every": 60}


class BarsSeen(Labeller):
    """Says in its first column how many thousand bars it was fitted on."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault

    @property
    def regime_names(self) -> tuple[str, ...]:
        return ("bars", "rest")

    def fit(self, market: Market) -> Self:
        self.bars_ = len(market.dates)
        return self

    def predict_online(self, market: Market, dates: pd.DatetimeIndex) -> pd.DataFrame:
        share = self.bars_ / 1000
        labels = pd.DataFrame({"bars": share, "rest": 1 - share}, index=dates)
        faults: dict[str, Any] = {
            "": lambda: labels,
            "gap": lambda: labels.drop(index=dates[3]),
            "columns": lambda: labels[["rest", "bars"]],
            "sum": lambda: labels * 0.9,
            "negative": lambda: labels - [2.0, -2.0],
            "blank": lambda: labels * np.nan,
        }
        return faults[self.fault]()


def test_refits_fall_on_the_schedule(small_market: Market) -> None:
    found = refit_dates(small_market, burn_in=100, refit_every=125)
    assert found.strftime("%Y-%m-%d").tolist() == ["2000-05-19", "2000-11-10", "2001-05-04"]
    assert found[0] == small_market.dates[99]


@pytest.mark.parametrize(
    ("freeze", "fits"),
    [(dt.date(2000, 11, 9), 1), (dt.date(2000, 11, 10), 2), (dt.date(2030, 1, 1), 3)],
)
def test_no_refit_comes_after_the_freeze(small_market: Market, freeze: dt.date, fits: int) -> None:
    found = refit_dates(small_market, burn_in=100, refit_every=125, freeze_after=freeze)
    assert len(found) == fits
    labels = label_online(
        small_market, BarsSeen(), burn_in=100, refit_every=125, freeze_after=freeze
    )
    assert labels["bars"].nunique() == fits
    assert labels.index[-1] == small_market.dates[-1]


def test_each_bar_is_labelled_by_the_last_fit_before_it(small_market: Market) -> None:
    labels = label_online(small_market, BarsSeen(), **SCHEDULE)
    pd.testing.assert_index_equal(labels.index, small_market.dates[119:], check_names=False)
    for row, seen in zip(range(119, 420), labels["bars"], strict=True):
        assert seen == (120 + (row - 119) // 60 * 60) / 1000


def test_the_prototype_stays_unfitted(small_market: Market) -> None:
    prototype = BarsSeen()
    label_online(small_market, prototype, **SCHEDULE)
    assert not hasattr(prototype, "bars_")


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(row=st.integers(119, 418), seed=st.integers(0, 100))
def test_labels_do_not_know_the_future(small_market: Market, row: int, seed: int) -> None:
    labels = label_online(small_market, KMeansLabeller(), **SCHEDULE)
    past = small_market.dates[119 : row + 1]

    cut = label_online(small_market.until(past[-1]), KMeansLabeller(), **SCHEDULE)
    pd.testing.assert_frame_equal(cut, labels.loc[past], check_exact=True, check_freq=False)

    close = small_market.close.copy()
    shape = close[row + 1 :].shape
    close[row + 1 :] = np.random.default_rng(seed).uniform(1.0, 1000.0, size=shape)
    scrambled = label_online(replace(small_market, close=close), KMeansLabeller(), **SCHEDULE)
    pd.testing.assert_frame_equal(
        scrambled.loc[past], labels.loc[past], check_exact=True, check_freq=False
    )
    assert not np.allclose(scrambled.iloc[-1], labels.iloc[-1])


def test_labels_attach_to_the_market(labelled_market: Market) -> None:
    assert labelled_market.regime_names == ("trend", "range", "volatile")
    assert labelled_market.regimes is not None
    assert np.isnan(labelled_market.regimes[:119]).all()
    np.testing.assert_allclose(labelled_market.regimes[119:].sum(axis=1), 1.0, atol=1e-12)


def test_a_burn_in_longer_than_the_data_is_refused(small_market: Market) -> None:
    with pytest.raises(DataError, match="421 bars and there are 420"):
        label_online(small_market, BarsSeen(), burn_in=421, refit_every=10)
    assert len(label_online(small_market, BarsSeen(), burn_in=420, refit_every=10)) == 1


def test_a_burn_in_too_short_for_the_labeller_is_refused(small_market: Market) -> None:
    with pytest.raises(DataError, match="KMeansLabeller needs at least 67 bars"):
        label_online(small_market, KMeansLabeller(), burn_in=50, refit_every=10)


def test_a_freeze_before_the_first_fit_is_refused(small_market: Market) -> None:
    with pytest.raises(ParameterError, match="never be fitted"):
        refit_dates(small_market, **SCHEDULE, freeze_after=dt.date(2000, 2, 1))


@pytest.mark.parametrize("wrong", [{"burn_in": 0}, {"refit_every": 0}])
def test_a_schedule_without_bars_is_refused(small_market: Market, wrong: dict[str, int]) -> None:
    with pytest.raises(ParameterError, match="at least 1 bar"):
        refit_dates(small_market, **(SCHEDULE | wrong))


@pytest.mark.parametrize(
    ("fault", "message", "row"),
    [
        ("gap", r"gives no regime .* \(1 bars\)", 122),
        ("columns", "as its regime_names", None),
        ("sum", "do not sum to 1", 119),
        ("negative", "negative", 119),
        ("blank", "do not sum to 1", 119),
    ],
)
def test_a_labeller_that_breaks_the_contract_is_refused(
    small_market: Market, fault: str, message: str, row: int | None
) -> None:
    for label in (label_online, label_walk):
        with pytest.raises(DataError, match=message) as error:
            label(small_market, BarsSeen(fault), **SCHEDULE)
        assert error.value.date == (None if row is None else small_market.dates[row])


class Turncoat(BarsSeen):
    """Half of its fits name the two columns the other way round; says who was fitted when."""

    def __init__(self, matched: bool = True) -> None:
        self.matched = matched

    @property
    def named_by_rule(self) -> bool:
        return not self.matched

    @property
    def signature_names(self) -> tuple[str, ...]:
        return ("level",)

    def fit(self, market: Market) -> Self:
        self.bars_ = len(market.dates)
        turned = (self.bars_ - 120) // 60 % 2 == 1
        self.levels_ = np.array([2.0, 1.0] if turned else [1.0, 2.0]) + self.bars_ / 10_000
        self.signature_scale_ = np.ones(1)
        return self

    def signature(self) -> np.ndarray:
        return self.levels_[:, None]

    def _take(self, order: np.ndarray) -> None:
        self.levels_ = self.levels_[order]

    def predict_online(self, market: Market, dates: pd.DatetimeIndex) -> pd.DataFrame:
        likely = 0.9 * (self.levels_ < 1.5) + 0.1 * (self.levels_ >= 1.5)
        return pd.DataFrame([likely] * len(dates), index=dates, columns=list(self.regime_names))


def test_refits_that_swap_their_columns_are_put_right(small_market: Market) -> None:
    walk = label_walk(small_market, Turncoat(), **SCHEDULE)
    np.testing.assert_array_equal(walk.labels["bars"], 0.9)
    assert walk.refits["permutation"].tolist() == ["0,1", "1,0", "0,1", "1,0", "0,1", "1,0"]
    assert not walk.refits["switched_by_refit"].any()
    assert walk.refits["share_relabelled"].tolist()[1:] == [0.0] * 5
    np.testing.assert_allclose(
        walk.refits[["bars.level", "rest.level"]], [[1 + b, 2 + b] for b in BARS]
    )
    assert [labeller.bars_ for labeller in walk.labellers] == walk.refits["first_bar"].add(
        1
    ).tolist()
    pd.testing.assert_frame_equal(label_online(small_market, Turncoat(), **SCHEDULE), walk.labels)


BARS = [(120 + 60 * fit) / 10_000 for fit in range(6)]


def test_what_refits_do_to_the_labels_is_recorded(small_market: Market) -> None:
    walk = label_walk(small_market, Turncoat(matched=False), **SCHEDULE)
    assert walk.refits["permutation"].eq("0,1").all()
    assert walk.refits["switched_by_refit"].tolist() == [False] + [True] * 5
    # Before each fit 60, 120, 180, … bars were labelled, by fits of one kind and the other in
    # turn: all of the first 60 differ, then half of 120, …
    shares = walk.refits["share_relabelled"]
    assert np.isnan(shares[0])
    np.testing.assert_allclose(shares[1:], [1.0, 1 / 2, 2 / 3, 1 / 2, 3 / 5])
    assert walk.refits["date"].tolist() == small_market.dates[119::60].tolist()
    assert walk.refits["first_bar"].tolist() == list(range(119, 420, 60))
    assert walk.refits["n_regimes"].eq(2).all()


def test_a_walk_has_the_labels_of_the_plain_schedule(small_market: Market) -> None:
    walk = label_walk(small_market, KMeansLabeller(), **SCHEDULE)
    plain = label_online(small_market, KMeansLabeller(), **SCHEDULE)
    pd.testing.assert_frame_equal(walk.labels, plain, check_exact=True)
    assert walk.refits["permutation"].eq("0,1,2").all()
    assert walk.criteria == {}
    assert "volatile.autocorrelation_63" in walk.refits


def test_a_labeller_without_signature_can_walk(small_market: Market) -> None:
    walk = label_walk(small_market, BarsSeen(), **SCHEDULE)
    assert list(walk.refits) == [
        *("date", "first_bar", "n_regimes", "permutation"),
        *("switched_by_refit", "share_relabelled"),
    ]


def test_a_walk_does_not_know_the_future() -> None:
    market, _ = simulate(TRUTH, n_bars=800, seed=13)
    schedule = {"burn_in": 400, "refit_every": 150, "n_regimes": "auto"}
    labeller = HiddenMarkovLabeller(n_starts=2)
    walk = label_walk(market, labeller, **schedule)
    other = label_walk(scrambled_after(market, 620), labeller, **schedule)
    assert walk.criteria == other.criteria
    past = walk.labels.index[:222]
    assert past[-1] == market.dates[620]
    pd.testing.assert_frame_equal(
        walk.labels.loc[past], other.labels.loc[past], check_exact=True, check_freq=False
    )
    pd.testing.assert_frame_equal(walk.refits[:2], other.refits[:2], check_exact=True)
    assert not walk.labels.equals(other.labels)


def test_the_number_of_regimes_is_set_or_chosen_once() -> None:
    market, _ = simulate(TRUTH, n_bars=600, seed=13)
    schedule = {"burn_in": 400, "refit_every": 100}
    labeller = KMeansLabeller(features=("log_volatility_10",))
    given_ = label_walk(market, labeller, **schedule, n_regimes=2)
    assert list(given_.labels) == ["calm", "stressed"]
    assert given_.criteria == {}
    chosen = label_walk(market, labeller, **schedule, n_regimes="auto")
    best = min(chosen.criteria, key=lambda number: chosen.criteria[number])
    assert chosen.refits["n_regimes"].eq(best).all()
    assert set(chosen.criteria) == {2, 3}
    fixed = VolatilityThresholdLabeller()
    with pytest.raises(ParameterError, match="always has 2 regimes and cannot have 3"):
        label_walk(market, fixed, **schedule, n_regimes=3)
    with pytest.raises(ParameterError, match="no criterion"):
        label_walk(market, fixed, **schedule, n_regimes="auto")


def test_columns_that_cannot_be_moved_say_so(small_market: Market) -> None:
    class Stiff(Turncoat):
        def _take(self, order: np.ndarray) -> None:
            Labeller._take(self, order)

    with pytest.raises(ParameterError, match="Stiff cannot reorder its regimes"):
        label_walk(small_market, Stiff(), **SCHEDULE)
