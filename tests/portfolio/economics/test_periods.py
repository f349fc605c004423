import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.statistics import annual_sharpe
from regime_nas_pipeline.portfolio.economics.periods import (
    CRISES,
    PERIOD_COLUMNS,
    Crisis,
    figures_by_crisis,
    figures_by_year,
)

SETTING = {"bars_per_year": 252, "risk_free": 0.02}


def _returns(start: str, end: str) -> pd.DataFrame:
    dates = pd.bdate_range(start, end, name="date")
    values = np.random.default_rng(3).normal(0, 0.01, (len(dates), 2))
    return pd.DataFrame(values, index=dates, columns=["one", "two"])


def test_crises_run_forward_in_order_without_overlap():
    ends = [stamp for crisis in CRISES for stamp in (crisis.peak, crisis.trough)]
    assert ends == sorted(ends)
    assert len({crisis.name for crisis in CRISES}) == 7


def test_a_crisis_is_what_was_earned_from_close_to_close():
    table = _returns("2019-06-03", "2020-12-31")
    table.loc["2020-02-19", "one"] = 0.5  # the rise to the peak is no part of the fall
    table.loc["2020-03-24", "one"] = 0.5
    found = figures_by_crisis(table, **SETTING)
    assert list(found["period"]) == ["Covid-19", "Covid-19"]
    own = found.set_index("strategy").loc["one"]
    part = table["one"]["2020-02-20":"2020-03-23"]
    assert own["bars"] == len(part) == 23
    assert (own["first"], own["last"]) == (part.index[0], part.index[-1])
    assert own["total_return"] == pytest.approx((1 + part).prod() - 1, rel=1e-12)
    assert own["sharpe"] == pytest.approx(annual_sharpe(part, **SETTING), rel=1e-12)
    assert own["complete"]


@pytest.mark.parametrize(
    ("start", "end", "bars", "complete"),
    [
        ("2020-02-21", "2020-06-01", 22, False),
        ("2020-02-20", "2020-06-01", 23, True),
        ("2019-02-21", "2020-03-20", 22, False),
    ],
)
def test_a_crisis_that_the_sample_cuts_is_marked(start, end, bars, complete):
    found = figures_by_crisis(_returns(start, end), **SETTING)
    assert set(found["bars"]) == {bars}
    assert set(found["complete"]) == {complete}


def test_a_sample_between_crises_gives_an_empty_table():
    found = figures_by_crisis(_returns("2016-06-01", "2017-06-01"), **SETTING)
    assert found.empty
    assert list(found.columns) == list(PERIOD_COLUMNS)


def test_other_crises_can_be_declared():
    own = Crisis("week", pd.Timestamp("2017-01-02"), pd.Timestamp("2017-01-06"))
    found = figures_by_crisis(_returns("2016-06-01", "2017-06-01"), crises=(own,), **SETTING)
    assert set(found["bars"]) == {4}


def test_years_compound_to_the_whole_sample():
    table = _returns("2018-03-01", "2020-12-31")
    found = figures_by_year(table, **SETTING)
    assert list(found.columns) == list(PERIOD_COLUMNS)
    assert found["period"].to_list() == ["2018", "2018", "2019", "2019", "2020", "2020"]
    assert found["complete"].to_list() == [False, False, True, True, True, True]
    assert found.groupby("strategy")["bars"].sum().to_list() == [len(table)] * 2
    whole = (1 + found["total_return"]).groupby(found["strategy"]).prod()
    np.testing.assert_allclose(whole, (1 + table).prod(), rtol=1e-12)


def test_figures_of_a_real_evaluation(results):
    found = figures_by_year(results.returns, bars_per_year=252, risk_free=0.03)
    assert set(found["strategy"]) == set(results.returns.columns)
    assert np.isfinite(found["total_return"]).all()


def test_of_bars_within_a_day_the_peak_is_left_out_and_the_trough_is_whole():
    hours = pd.date_range("2020-02-19", "2020-03-24 23:00", freq="h", name="date")
    table = pd.DataFrame({"one": np.full(len(hours), 0.001)}, index=hours)
    (own,) = figures_by_crisis(table, **SETTING).to_dict("records")
    assert own["first"] == pd.Timestamp("2020-02-20 00:00")
    assert own["last"] == pd.Timestamp("2020-03-23 23:00")
    assert own["bars"] == 24 * 33
    assert own["complete"]
