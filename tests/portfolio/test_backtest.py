import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.portfolio.backtest import buy_and_hold, run_backtest

BLANK = np.nan
DAYS = pd.date_range("2020-03-01", periods=10, name="date")
# C is listed on the third day (its first return is that of the fifth) and ends after the eighth.
RETURNS = pd.DataFrame(
    [
        #  A      B      C
        [BLANK, BLANK, BLANK],
        [0.00, 0.00, BLANK],
        [0.10, 0.00, BLANK],
        [0.00, 0.20, BLANK],
        [0.50, -0.50, 0.00],
        [0.00, 0.00, 1.00],
        [-0.20, 0.00, 0.00],
        [0.00, 0.25, 0.00],
        [0.00, 0.00, BLANK],
        [0.10, 0.00, BLANK],
    ],
    index=DAYS,
    columns=["A", "B", "C"],
)


def _targets(rows: dict[int, list[float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, index=["A", "B", "C"]).T.set_axis(DAYS[list(rows)])


def test_by_hand_with_a_lag_of_one_bar():
    # Decided on days 1, 4 and 8; the last would be traded on day 9 and earn nothing: dropped.
    targets = _targets({1: [0.5, 0.5, BLANK], 4: [0.5, 0, 0.5], 8: [1, 0, 0]})
    result = run_backtest(RETURNS, targets, execution_lag=1, cost_bps=100)

    assert list(result.weights.index) == list(DAYS[3:])
    assert result.dropped_decisions == 1
    np.testing.assert_allclose(
        result.weights,
        [
            [1 / 2, 1 / 2, 0],  # day 3: as bought at the close of day 2
            [5 / 11, 6 / 11, 0],  # 0.50 and 0.60 of 1.10
            [5 / 7, 2 / 7, 0],  # 0.75 and 0.30 of 1.05
            [1 / 2, 0, 1 / 2],  # day 6: as bought at the close of day 5
            [4 / 9, 0, 5 / 9],  # 0.40 and 0.50 of 0.90
            [4 / 9, 0, 5 / 9],
            [4 / 9, 0, 0],  # C's price has ended: 5/9 in cash
        ],
        atol=1e-15,
    )
    np.testing.assert_allclose(
        result.gross, [0.10, -1 / 22, 0.0, -0.10, 0.0, 0.0, 4 / 90], atol=1e-15
    )
    # 1 % of a notional of 1.0 is charged on days 3 and 6: 0.99 x 1.10 and 0.99 x 0.90.
    np.testing.assert_allclose(
        result.net, [0.089, -1 / 22, 0.0, -0.109, 0.0, 0.0, 4 / 90], atol=1e-15
    )
    book = result.rebalances
    assert list(book.index) == [DAYS[3], DAYS[6]]
    assert list(book["decided_on"]) == [DAYS[1], DAYS[4]]
    assert list(book["traded_on"]) == [DAYS[2], DAYS[5]]
    # Day 5: |1/2 - 5/7| + |0 - 2/7| + |1/2 - 0| = 3/14 + 4/14 + 7/14 = 1.
    np.testing.assert_allclose(book["traded"], [1.0, 1.0])
    np.testing.assert_allclose(book["turnover"], [0.5, 0.5])
    np.testing.assert_allclose(book["cost"], [0.01, 0.01])
    assert list(book["untradable"]) == [0, 0]


def test_by_hand_without_a_lag():
    # On day 3 C cannot be bought: half stays in cash.
    targets = _targets({1: [0.5, 0.5, 0], 3: [0.5, BLANK, 0.5], 8: [1, 0, 0]})
    result = run_backtest(RETURNS, targets, execution_lag=0, cost_bps=100)

    assert list(result.weights.index) == list(DAYS[2:])
    assert result.dropped_decisions == 0
    np.testing.assert_allclose(
        result.weights,
        [
            [1 / 2, 1 / 2, 0],  # day 2: as bought at the close of day 1
            [11 / 21, 10 / 21, 0],  # 0.55 and 0.50 of 1.05
            [1 / 2, 0, 0],  # day 4: as bought at the close of day 3
            [0.75 / 1.25, 0, 0],  # 0.75 beside 0.50 in cash
            [0.75 / 1.25, 0, 0],
            [6 / 11, 0, 0],  # 0.60 beside 0.50 in cash
            [6 / 11, 0, 0],
            [1, 0, 0],  # day 9: as bought at the close of day 8
        ],
        atol=1e-15,
    )
    np.testing.assert_allclose(
        result.gross, [0.05, 2 / 21, 0.25, 0.0, -0.12, 0.0, 0.0, 0.10], atol=1e-15
    )
    # Day 3 ends with 11/23 and 12/23, so 0.5/23 of A is bought and 12/23 of B is sold.
    second_cost = 0.01 * 12.5 / 23
    third_cost = 0.01 * 5 / 11
    np.testing.assert_allclose(
        result.net,
        [
            0.99 * 1.05 - 1,
            2 / 21,
            (1 - second_cost) * 1.25 - 1,
            0.0,
            -0.12,
            0.0,
            0.0,
            (1 - third_cost) * 1.10 - 1,
        ],
        atol=1e-15,
    )
    book = result.rebalances
    assert list(book.index) == [DAYS[2], DAYS[4], DAYS[9]]
    np.testing.assert_allclose(book["traded"], [1.0, 12.5 / 23, 5 / 11])
    np.testing.assert_allclose(book["turnover"], [0.5, 6.25 / 23, 2.5 / 11])
    np.testing.assert_allclose(book["cost"], [0.01, second_cost, third_cost])
    assert list(book["untradable"]) == [0, 1, 0]


def test_without_costs_net_is_gross():
    targets = _targets({1: [0.5, 0.5, 0], 4: [0.5, 0, 0.5]})
    result = run_backtest(RETURNS, targets, execution_lag=1, cost_bps=0)
    np.testing.assert_allclose(result.net, result.gross, rtol=0, atol=1e-16)


def _wealth_in_money(
    returns: np.ndarray, targets: dict[int, np.ndarray], lag: int, cost_bps: float
) -> list[float]:
    """Slow twin: an account with an amount of money in each asset, and a fee paid in money."""
    amounts, cash, wealth = np.zeros(returns.shape[1]), 1.0, []
    started = False
    for bar in range(len(returns)):
        if started:
            amounts = amounts * (1.0 + returns[bar])
            wealth.append(amounts.sum() + cash)
        if bar - lag in targets and bar + 1 < len(returns):
            total = amounts.sum() + cash
            fee = cost_bps / 1e4 * np.abs(targets[bar - lag] * total - amounts).sum()
            amounts = targets[bar - lag] * (total - fee)
            cash = total - fee - amounts.sum()
            started = True
    return wealth


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), lag=st.integers(0, 3), cost_bps=st.floats(0, 200))
def test_wealth_is_that_of_an_account_kept_in_money(seed, lag, cost_bps):
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2021-01-01", periods=40)
    returns = pd.DataFrame(rng.normal(0, 0.05, (40, 3)), index=dates, columns=list("xyz"))
    decided = np.sort(rng.choice(35, 4, replace=False))
    wanted = rng.dirichlet(np.ones(4), 4)[:, :3]
    targets = pd.DataFrame(wanted, index=dates[decided], columns=list("xyz"))
    result = run_backtest(returns, targets, execution_lag=lag, cost_bps=cost_bps)
    money = _wealth_in_money(
        returns.to_numpy(), dict(zip(decided.tolist(), wanted, strict=True)), lag, cost_bps
    )
    np.testing.assert_allclose((1 + result.net).cumprod(), money, rtol=1e-11)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(8, 38))
def test_weights_of_a_bar_depend_only_on_returns_before_it(seed, cut):
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2021-01-01", periods=40)
    returns = pd.DataFrame(rng.normal(0, 0.05, (40, 3)), index=dates, columns=list("xyz"))
    targets = pd.DataFrame(
        rng.dirichlet(np.ones(3), 5), index=dates[[2, 9, 16, 23, 30]], columns=list("xyz")
    )
    scrambled = returns.copy()
    scrambled.iloc[cut:] = rng.normal(0, 0.3, (40 - cut, 3)).clip(-0.9, None)
    before = run_backtest(returns, targets, execution_lag=1, cost_bps=5)
    after = run_backtest(scrambled, targets, execution_lag=1, cost_bps=5)
    past = dates[dates <= dates[cut]].intersection(before.weights.index)
    pd.testing.assert_frame_equal(
        before.weights.loc[past], after.weights.loc[past], check_exact=True
    )
    earned = past[past < dates[cut]]
    pd.testing.assert_series_equal(before.net[earned], after.net[earned], check_exact=True)
    assert not before.weights.equals(after.weights)


def test_buy_and_hold_pays_once_and_follows_its_asset():
    result = buy_and_hold(RETURNS, "A", decided_on=DAYS[1], execution_lag=1, cost_bps=5)
    wealth = (1 + result.net).prod()
    assert wealth == pytest.approx((1 - 0.0005) * 1.5 * 0.8 * 1.1, rel=1e-14)
    assert list(result.weights.columns) == ["A"]
    np.testing.assert_allclose(result.weights["A"], 1.0, rtol=1e-15)
    assert len(result.rebalances) == 1


def test_targets_of_nothing_hold_cash():
    targets = _targets({1: [1, 0, 0], 4: [0, BLANK, 0]})
    result = run_backtest(RETURNS, targets, execution_lag=0, cost_bps=100)
    assert (result.weights.loc[DAYS[5] :] == 0.0).all(axis=None)
    assert (result.gross.loc[DAYS[5] :] == 0.0).all()
    assert result.net.loc[DAYS[5]] == pytest.approx(-0.01)


def test_a_gap_in_the_price_of_a_held_asset_is_an_error_and_of_another_is_not():
    gap = RETURNS.copy()
    gap.loc[DAYS[6:8], "B"] = BLANK
    held = _targets({1: [0.5, 0.5, 0]})
    with pytest.raises(DataError, match=r"asset 'B', date 2020-03-07: the price disappears"):
        run_backtest(gap, held, execution_lag=1, cost_bps=5)
    result = run_backtest(gap, _targets({1: [1, 0, 0]}), execution_lag=1, cost_bps=5)
    assert len(result.net) == 7


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (_targets({1: [0.6, 0.5, 0]}), "add up to more than 1"),
        (_targets({1: [1.2, -0.2, 0]}), "must not be negative"),
        (_targets({1: [1, 0, 0]}).rename(columns={"B": "Z"}), "asset 'Z'"),
        (_targets({1: [1, 0, 0]}).shift(3, freq="h"), "no bar on this decision date"),
        (_targets({4: [1, 0, 0], 1: [1, 0, 0]}), "must increase"),
        (_targets({8: [1, 0, 0]}), "no decision can be traded"),
        (_targets({1: [1, 0, 0]}).iloc[:0], "no decision can be traded"),
    ],
)
def test_unusable_targets_are_errors(targets, message):
    with pytest.raises(DataError, match=message):
        run_backtest(RETURNS, targets, execution_lag=1, cost_bps=5)


@pytest.mark.parametrize("fault", [-1.0, -2.0, np.inf])
def test_an_impossible_return_is_an_error(fault):
    wrong = RETURNS.copy()
    wrong.loc[DAYS[5], "B"] = fault
    with pytest.raises(DataError, match=r"asset 'B', date 2020-03-06"):
        run_backtest(wrong, _targets({1: [1, 0, 0]}), execution_lag=1, cost_bps=5)


def test_repeated_dates_of_returns_are_an_error():
    doubled = pd.concat([RETURNS, RETURNS.iloc[[-1]]])
    with pytest.raises(DataError, match="dates of returns must increase"):
        run_backtest(doubled, _targets({1: [1, 0, 0]}), execution_lag=1, cost_bps=5)


@pytest.mark.parametrize(
    "arguments",
    [
        {"execution_lag": -1, "cost_bps": 5},
        {"execution_lag": 1, "cost_bps": -5},
        {"execution_lag": 1, "cost_bps": np.nan},
    ],
)
def test_a_negative_lag_or_cost_is_an_error(arguments):
    with pytest.raises(ParameterError):
        run_backtest(RETURNS, _targets({1: [1, 0, 0]}), **arguments)
