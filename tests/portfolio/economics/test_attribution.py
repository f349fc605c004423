import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.portfolio.backtest import Backtest, run_backtest
from regime_nas_pipeline.portfolio.economics.attribution import (
    PARTS,
    Attribution,
    attribute_differences,
)

BARS = 252


def _explained(results, returns, **changes) -> Attribution:
    given = {
        "weights": results.weights,
        "decisions": results.decisions,
        "returns": returns,
        "gross_returns": results.gross_returns,
        "strategy_returns": results.returns,
        "strategies": ["skilled", "wavering", "hopeless"],
        "bars_per_year": BARS,
        **changes,
    }
    return attribute_differences(**given)


def _refuse_any_gap(found: Attribution, net: pd.DataFrame) -> None:
    """Parts add up to the difference, assets to the parts, and years to the whole."""
    for table in (found.total, found.by_year):
        parts = table[list(PARTS)].sum(axis=1)
        np.testing.assert_allclose(parts, table["difference"], rtol=0, atol=1e-12)
    for row in found.total.to_dict("records"):
        lead = (net[row["strategy"]] - net[row["reference"]]).mean() * BARS
        assert row["difference"] == pytest.approx(lead, abs=1e-12)
        assets = found.by_asset[found.by_asset["strategy"] == row["strategy"]]
        years = found.by_year[found.by_year["strategy"] == row["strategy"]]
        assert years["bars"].sum() == row["bars"] == len(net)
        assert years["fallback_bars"].sum() == row["fallback_bars"]
        for part in ("selection", "fallback"):
            assert assets[part].sum() == pytest.approx(row[part], abs=1e-12)
        for part in PARTS:
            weighted = (years[part] * years["bars"]).sum() / row["bars"]
            assert weighted == pytest.approx(row[part], abs=1e-12)


def test_an_evaluation_is_explained_without_a_rest(results, returns):
    found = _explained(results, returns)
    _refuse_any_gap(found, results.returns)
    total = found.total.set_index("strategy")
    own = total.loc["wavering"]
    assert 0 < own["fallback_bars"] < own["bars"]
    assert own["selection"] != 0.0
    # Who never has a forecast worth acting on holds the reference and differs in nothing.
    assert total.loc["hopeless", "fallback_bars"] == total.loc["hopeless", "bars"]
    np.testing.assert_allclose(total.loc["hopeless", list(PARTS)].astype(float), 0.0, atol=1e-12)


def test_a_fallback_to_the_reference_earns_nothing_of_its_own(results, returns):
    found = _explained(results, returns)
    fallback = found.total.set_index("strategy")["fallback"]
    # `wavering` has a forecast for every asset, so its fallback is the reference to the bit.
    np.testing.assert_allclose(fallback, 0.0, atol=1e-12)


DAYS = pd.to_datetime(["2021-12-29", "2021-12-30", "2021-12-31", "2022-01-03", "2022-01-04"])
MOVES = pd.DataFrame(
    {"A": [np.nan, 0.0, 0.10, 0.02, 0.04], "B": [np.nan, 0.0, 0.00, 0.05, 0.00]},
    index=DAYS.rename("date"),
)


def _tables(paths: dict[str, tuple[Backtest, list[bool]]]) -> dict[str, pd.DataFrame]:
    weights, decisions = [], []
    for name, (path, fallbacks) in paths.items():
        wide = path.weights.reset_index()
        tidy = wide.melt(id_vars="date", var_name="asset", value_name="weight")
        weights.append(tidy[tidy["weight"] != 0.0].assign(strategy=name))
        rows = {"strategy": name, "first_earned": path.rebalances.index, "fallback": fallbacks}
        decisions.append(pd.DataFrame(rows))
    return {
        "weights": pd.concat(weights),
        "decisions": pd.concat(decisions),
        "gross_returns": pd.DataFrame({name: path.gross for name, (path, _) in paths.items()}),
        "strategy_returns": pd.DataFrame({name: path.net for name, (path, _) in paths.items()}),
    }


def test_by_hand():
    targets = pd.DataFrame([[1.0, 0.0], [0.5, 0.5]], index=DAYS[[1, 3]], columns=["A", "B"])
    chosen = run_backtest(MOVES, targets, execution_lag=0, cost_bps=100.0)
    flat = targets.iloc[:1].assign(A=0.0, B=1.0)
    reference = run_backtest(MOVES, flat, execution_lag=0, cost_bps=100.0)
    tables = _tables({"s": (chosen, [False, True]), "mvo_flat": (reference, [False])})
    found = attribute_differences(
        returns=MOVES, strategies=["s"], bars_per_year=3, **tables
    )  # three bars a year, so that yearly means are sums
    _, total = next(found.total.iterrows())
    # A instead of B for two bars: +10 % and +2 % - 5 %; on the third, a fallback, half of it.
    assert total["selection"] == pytest.approx(0.10 + 0.02 - 0.05, abs=1e-15)
    assert total["fallback"] == pytest.approx(0.5 * 0.04, abs=1e-15)
    assert total["fallback_bars"] == 1
    # s pays 1 % of 1.10 and 1 % (half sold, half bought) of 1.02; the reference 1 % of 1.00.
    assert total["costs"] == pytest.approx(-(0.011 + 0.0102 - 0.01), abs=1e-15)
    assets = found.by_asset.set_index("asset")
    assert list(assets.index) == ["A", "B"]
    np.testing.assert_allclose(assets["selection"], [0.12, -0.05], atol=1e-15)
    np.testing.assert_allclose(assets["fallback"], [0.02, 0.0], atol=1e-15)
    years = found.by_year.set_index("year")
    # 2021 has one bar, 2022 two; each is a yearly mean of its own bars.
    np.testing.assert_allclose(years["selection"], [3 * 0.10, 1.5 * (0.02 - 0.05)], atol=1e-15)
    assert years["fallback_bars"].to_list() == [0, 1]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), cost=st.floats(0.0, 300.0), lag=st.integers(0, 2))
def test_parts_add_up_for_any_decisions(seed, cost, lag):
    generator = np.random.default_rng(seed)
    dates = pd.bdate_range("2021-11-01", periods=80, name="date")
    moves = pd.DataFrame(generator.normal(0, 0.03, (80, 4)), index=dates, columns=list("ABCD"))
    moves.iloc[int(generator.integers(20, 80)) :, 3] = np.nan  # D ends
    paths = {}
    for name in ("s", "t", "mvo_flat"):
        decided = dates[np.arange(0, 75, int(generator.integers(3, 12)))]
        decided = decided.union(dates[:1])
        targets = generator.dirichlet(np.ones(4), len(decided)) * generator.uniform(0.5, 1.0)
        wanted = pd.DataFrame(targets, index=decided, columns=moves.columns)
        path = run_backtest(moves, wanted, execution_lag=lag, cost_bps=cost)
        paths[name] = (path, list(generator.random(len(path.rebalances)) < 0.4))
    tables = _tables(paths)
    found = attribute_differences(
        returns=moves, strategies=["s", "t"], bars_per_year=BARS, **tables
    )
    _refuse_any_gap(found, tables["strategy_returns"])


def test_refusals(results, returns):
    with pytest.raises(ParameterError, match="'nobody' is not one of"):
        _explained(results, returns, strategies=["nobody"])
    with pytest.raises(ParameterError, match="compared with itself"):
        _explained(results, returns, strategies=["mvo_flat"])
    with pytest.raises(DataError, match="do not earn its gross return"):
        _explained(results, returns * 1.1)
    with pytest.raises(DataError, match="same dates"):
        _explained(results, returns, gross_returns=results.gross_returns.iloc[1:])
    late = results.decisions[results.decisions["strategy"] != "skilled"]
    with pytest.raises(DataError, match="before its first decision"):
        _explained(results, returns, decisions=late)
