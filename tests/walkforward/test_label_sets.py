from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import market_from_log_returns
from regime_nas_pipeline.regimes.kmeans import KMeansLabeller
from regime_nas_pipeline.regimes.schedule import label_walk
from regime_nas_pipeline.regimes.threshold import VolatilityThresholdLabeller
from regime_nas_pipeline.walkforward.label_sets import (
    COLUMNS,
    LabellerPlan,
    LabelSet,
    refit_tables,
    stacked,
    unstacked,
    walk_labellers,
)

SCHEDULE = {"burn_in": 120, "refit_every": 60}
PLANS = {
    "clusters": LabellerPlan(KMeansLabeller(features=("volatility_5", "return_5")), "auto"),
    "threshold": LabellerPlan(VolatilityThresholdLabeller(feature="volatility_5")),
}


@pytest.fixture(scope="module")
def index() -> Market:
    """Calm and stressed spells of 40 bars."""
    scale = np.where(np.arange(299) // 40 % 2, 0.025, 0.006)
    return market_from_log_returns((scale * np.random.default_rng(3).standard_normal(299))[:, None])


@pytest.fixture(scope="module")
def found(index: Market) -> LabelSet:
    return walk_labellers(index, PLANS, **SCHEDULE)


def test_stacking_and_back_keeps_values_dates_and_the_order_of_regimes() -> None:
    dates = pd.bdate_range("2020-01-01", periods=4, name="date")
    tables = {
        "b": pd.DataFrame({"stressed": [0.1, 0.2, 0.3, 1.0], "calm": [0.9, 0.8, 0.7, 0.0]}, dates),
        "a": pd.DataFrame({"calm": [1.0, 0.5], "middle": [0.0, 0.5], "bad": 0.0}, dates[2:]),
    }
    tidy = stacked(tables)
    assert tuple(tidy.columns) == COLUMNS
    assert len(tidy) == 4 * 2 + 2 * 3
    back = unstacked(tidy)
    assert list(back) == ["b", "a"]
    for name, table in tables.items():
        pd.testing.assert_frame_equal(back[name], table, check_freq=False)


def test_no_labeller_is_refused() -> None:
    with pytest.raises(DataError, match=r"no labels\. Remedy: name at least one"):
        stacked({})


def test_every_labeller_says_online_what_its_own_walk_says(index: Market, found: LabelSet) -> None:
    alone = label_walk(index, PLANS["threshold"].labeller, **SCHEDULE)
    said = unstacked(found.online)["threshold"]
    pd.testing.assert_frame_equal(said, alone.labels, check_freq=False, check_names=False)
    late = unstacked(found.hindsight)["threshold"]
    assert late.index[0] < said.index[0]  # hindsight needs no burn-in
    assert found.facts["threshold"] == {
        "class": "regime_nas_pipeline.regimes.threshold.VolatilityThresholdLabeller",
        "regimes": ["calm", "stressed"],
        "criteria": {},
    }


def test_a_chosen_number_of_regimes_comes_with_its_criteria(found: LabelSet) -> None:
    criteria = found.facts["clusters"]["criteria"]
    assert set(criteria) == {"2", "3"}
    best = min(criteria, key=lambda number: criteria[number])
    assert len(found.facts["clusters"]["regimes"]) == int(best)


def test_refits_are_one_row_per_regime_and_parameter(index: Market, found: LabelSet) -> None:
    rows = found.refits[found.refits["labeller"] == "threshold"]
    assert len(rows) == 4 * 2  # fits after 120, 180, 240 and 300 bars; one feature, two regimes
    assert set(rows["parameter"]) == {"volatility_5"}
    level = rows.pivot(index="date", columns="regime", values="value")
    assert (level["calm"] < level["stressed"]).all()
    tables = refit_tables(found.refits)
    assert list(tables) == ["clusters", "threshold"]
    walk = label_walk(index, PLANS["threshold"].labeller, **SCHEDULE).refits
    assert tables["threshold"]["share_relabelled"].tolist() == pytest.approx(
        walk["share_relabelled"].tolist(), nan_ok=True
    )
    assert tables["threshold"]["date"].tolist() == walk["date"].tolist()


def test_the_future_changes_nothing_that_was_said_online(index: Market, found: LabelSet) -> None:
    row = 250
    close = index.close.copy()
    close[row + 1 :] = close[row] * np.linspace(0.5, 2.0, len(close) - row - 1)[:, None]
    altered = replace(index, close=close, benchmark=close[:, 0])
    other = unstacked(walk_labellers(altered, PLANS, **SCHEDULE).online)
    for name, table in unstacked(found.online).items():
        known = table.loc[: index.dates[row]]
        pd.testing.assert_frame_equal(known, other[name].loc[: index.dates[row]], check_exact=True)
        assert not table.equals(other[name])


def test_a_labeller_that_cannot_be_fitted_says_what_it_lacks(index: Market) -> None:
    plans = {"own": LabellerPlan(KMeansLabeller(features=("vix",)), 2)}
    with pytest.raises(DataError, match=r"'vix'.*universe\.observed"):
        walk_labellers(index, plans, **SCHEDULE)
