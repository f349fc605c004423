import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.statistics import (
    annual_sharpe,
    finite_or_none,
    known_returns,
    per_bar_rate,
)


def test_the_rate_of_one_bar_compounds_to_the_yearly_one():
    assert (1 + per_bar_rate(0.05, 252)) ** 252 == pytest.approx(1.05, rel=1e-13)
    assert per_bar_rate(0.0, 252) == 0.0
    assert per_bar_rate(0.21, 2) == pytest.approx(0.1, rel=1e-14)


@pytest.mark.parametrize(("rate", "bars"), [(-1.0, 252), (np.nan, 252), (0.02, 0)])
def test_impossible_rates_are_errors(rate, bars):
    with pytest.raises(ParameterError):
        per_bar_rate(rate, bars)


def test_sharpe_by_hand():
    # Excess over 10 % per bar: 0, 0.1, 0.2; mean 0.1, deviation 0.1; two bars a year.
    found = annual_sharpe(np.array([0.1, 0.2, 0.3]), bars_per_year=2, risk_free=0.21)
    assert found == pytest.approx(np.sqrt(2), rel=1e-13)


def test_a_constant_series_has_no_sharpe_ratio():
    assert annual_sharpe(np.full(9, 0.1), bars_per_year=252, risk_free=0.02) is None


def test_undefined_is_none():
    assert finite_or_none(np.nan) is None
    assert finite_or_none(np.inf) is None
    assert finite_or_none(np.float64(1.5)) == 1.5


def test_blank_returns_are_errors_that_name_series_and_date():
    returns = pd.Series([0.1, np.nan], index=pd.date_range("2020-05-01", periods=2), name="gru")
    with pytest.raises(DataError, match=r"column 'gru', date 2020-05-02"):
        known_returns(returns)
    with pytest.raises(DataError, match="row 0"):
        known_returns(np.array([np.inf]))
    with pytest.raises(DataError, match="no returns"):
        known_returns(np.array([]))
