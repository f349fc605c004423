from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panel_jobs import SHOCKS, dates
from scipy.stats import chisquare, kurtosis

from regime_nas_pipeline.audit.garch_shocks import GarchShocks, fit_garch_shocks
from regime_nas_pipeline.audit.panels import Panel
from regime_nas_pipeline.audit.shocks import (
    BootstrapShocks,
    bootstrap_shocks,
    common_returns,
    stationary_rows,
)
from regime_nas_pipeline.core.errors import DataError, ParameterError


def autocorrelation(values: np.ndarray) -> float:
    centred = values - values.mean(axis=0)
    return float((centred[1:] * centred[:-1]).sum() / (centred**2).sum())


@pytest.fixture(scope="module")
def source() -> pd.DataFrame:
    """Prices of three correlated assets with trends and turbulent spells, rising for ever."""
    generator = np.random.default_rng(5)
    size = np.where(np.arange(3000) // 100 % 2 == 0, 0.006, 0.02)[:, None]
    factor = generator.standard_normal((3000, 1))
    shocks = size * (0.7 * factor + 0.7 * generator.standard_normal((3000, 3)))
    moves = 0.001 + shocks
    for bar in range(1, len(moves)):
        moves[bar] += 0.3 * moves[bar - 1]
    close = pd.DataFrame(
        100.0 * np.exp(moves.cumsum(axis=0)), index=dates(3000), columns=["AAA", "BBB", "CCC"]
    )
    tidy = close.rename_axis(index="date").reset_index()
    return tidy.melt("date", var_name="asset", value_name="close")


# Rows of the stationary bootstrap.


@settings(max_examples=40, deadline=None)
@given(
    n_source=st.integers(2, 60),
    n_rows=st.integers(1, 200),
    block_length=st.floats(1.0, 50.0),
    seed=st.integers(0, 10_000),
)
def test_rows_are_those_of_the_source_in_any_number(
    n_source: int, n_rows: int, block_length: float, seed: int
) -> None:
    rows = stationary_rows(n_source, n_rows, block_length, np.random.default_rng(seed))
    assert rows.shape == (n_rows,)
    assert rows.min() >= 0
    assert rows.max() < n_source


def test_blocks_are_geometric_and_go_round_and_every_row_is_as_likely() -> None:
    rows = stationary_rows(40, 80_000, 10.0, np.random.default_rng(1))
    goes_on = rows[1:] == (rows[:-1] + 1) % 40
    # A new block starts at the next row by chance once in forty.
    assert goes_on.mean() == pytest.approx(0.9 + 0.1 / 40, abs=0.005)
    assert (goes_on & (rows[1:] == 0)).any()
    # Rows within a block are dependent, so one row of each block is counted.
    assert chisquare(np.bincount(rows[::200], minlength=40)).pvalue > 0.001


def test_blocks_of_one_bar_are_independent_draws() -> None:
    rows = stationary_rows(1000, 20_000, 1.0, np.random.default_rng(2))
    assert (rows[1:] == rows[:-1] + 1).mean() < 0.003


# The bootstrap of a real market.


def test_simple_returns_of_the_source_average_zero(source: pd.DataFrame) -> None:
    shocks = bootstrap_shocks(source)
    assert common_returns(source, None)[1].mean() > 0.001
    assert np.expm1(shocks.moves).mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-15)


@settings(max_examples=60, deadline=None)
@given(move=st.floats(-700.0, 700.0))
def test_a_symmetric_move_is_fair_and_leaves_the_price_positive(move: float) -> None:
    growth = SHOCKS.log_growth(np.array([move, -move]))
    assert np.isfinite(growth).all()
    assert np.exp(growth).mean() == pytest.approx(1.0, rel=1e-12)


def test_a_symmetric_move_becomes_its_hyperbolic_tangent() -> None:
    moves = np.linspace(-3.0, 3.0, 61)
    assert np.expm1(SHOCKS.log_growth(moves)) == pytest.approx(np.tanh(moves), abs=1e-14)


def test_every_drawn_bar_is_a_bar_of_the_source_turned_or_not(source: pd.DataFrame) -> None:
    shocks = bootstrap_shocks(source, block_length=20)
    drawn = shocks.draw(500, np.random.default_rng(3))
    known = {row.tobytes() for row in shocks.moves}
    turned = [row.tobytes() in known for row in drawn]
    assert all(
        straight or (-row).tobytes() in known for straight, row in zip(turned, drawn, strict=True)
    )
    assert 0.4 < np.mean(turned) < 0.6
    kept = bootstrap_shocks(source, block_length=20, signs="kept")
    assert all(row.tobytes() in known for row in kept.draw(500, np.random.default_rng(3)))


def test_correlation_and_turbulent_spells_stay_and_trends_go(source: pd.DataFrame) -> None:
    shocks = bootstrap_shocks(source)
    drawn = shocks.draw(20_000, np.random.default_rng(4))
    assert np.corrcoef(drawn.T) == pytest.approx(np.corrcoef(shocks.moves.T), abs=0.04)
    assert drawn.std(axis=0) == pytest.approx(shocks.scale, rel=0.05)
    was, now = autocorrelation(np.abs(shocks.moves)), autocorrelation(np.abs(drawn))
    assert now == pytest.approx(was, abs=0.05)
    assert was > 0.2
    assert autocorrelation(shocks.moves) > 0.25
    assert abs(autocorrelation(drawn)) < 0.03


def test_kept_signs_keep_the_trends_of_a_block_and_no_drift(source: pd.DataFrame) -> None:
    shocks = bootstrap_shocks(source, block_length=50, signs="kept")
    drawn = shocks.draw(20_000, np.random.default_rng(4))
    assert autocorrelation(drawn) > 0.2
    assert not shocks.symmetric
    assert shocks.log_growth(drawn) is drawn


def test_the_block_length_is_chosen_for_turbulent_spells(source: pd.DataFrame) -> None:
    assert bootstrap_shocks(source).block_length > 20
    assert bootstrap_shocks(source, block_length=7).block_length == 7.0


# What cannot be used.


def test_only_bars_that_all_assets_share_count(source: pd.DataFrame) -> None:
    late = source[(source["asset"] != "BBB") | (source["date"] >= dates(3000)[1000])]
    early = late[(late["asset"] != "CCC") | (late["date"] < dates(3000)[2500])]
    names, returns = common_returns(early, None)
    assert names == ("AAA", "BBB", "CCC")
    assert returns.shape == (1499, 3)
    assert np.isfinite(returns).all()
    assert common_returns(early, ["CCC", "AAA"])[1].shape == (2499, 2)


def test_faulty_sources_are_refused(source: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no prices of this asset"):
        bootstrap_shocks(source, assets=["AAA", "ZZZ"])
    short = source[(source["asset"] != "BBB") | (source["date"] >= dates(3000)[2900])]
    with pytest.raises(DataError, match=r"only 100 bars are common.*BBB starts last"):
        bootstrap_shocks(short)
    gap = source[(source["asset"] != "BBB") | (source["date"] != dates(3000)[2900])]
    with pytest.raises(DataError, match=r"'BBB'.*gap"):
        bootstrap_shocks(gap)
    with pytest.raises(DataError, match=r"'CCC'.*never moves"):
        bootstrap_shocks(source.assign(close=source["close"].where(source["asset"] != "CCC", 5.0)))
    with pytest.raises(ParameterError, match="block_length"):
        bootstrap_shocks(source, block_length=0)
    with pytest.raises(ParameterError, match="signs"):
        bootstrap_shocks(source, signs="odd")  # type: ignore[arg-type]


# The GARCH panel.


def test_garch_moves_have_the_variance_and_correlation_that_were_asked_for() -> None:
    moves = SHOCKS.draw(60_000, np.random.default_rng(6))
    assert np.sqrt((moves**2).mean(axis=0)) == pytest.approx(SHOCKS.scale, rel=0.05)
    pairs = np.corrcoef(moves.T)[np.triu_indices(4, 1)]
    assert pairs == pytest.approx(np.full(6, 0.4), abs=0.03)
    assert (kurtosis(moves) > 1.0).all()
    assert autocorrelation(np.abs(moves)) > 0.05
    assert abs(autocorrelation(moves)) < 0.02


def test_a_garch_panel_is_found_again_by_the_fit() -> None:
    panel = Panel(0, 9, dates(6000), SHOCKS)
    fitted = fit_garch_shocks(panel.prices())
    assert fitted.assets == SHOCKS.assets
    assert fitted.volatilities == pytest.approx(SHOCKS.volatilities, rel=0.1)
    assert fitted.alpha == pytest.approx(0.05, abs=0.02)
    assert fitted.alpha + fitted.beta == pytest.approx(0.95, abs=0.03)
    assert fitted.nu == pytest.approx(8.0, abs=1.5)
    assert fitted.correlation == pytest.approx(0.4, abs=0.04)


@pytest.mark.parametrize(
    "change",
    [
        {"alpha": 0.2},
        {"alpha": -0.1},
        {"nu": 2.0},
        {"correlation": 1.0},
        {"correlation": -0.1},
        {"volatilities": (0.01, 0.01)},
        {"volatilities": (0.01, 0.01, 0.01, 0.0)},
    ],
)
def test_impossible_garch_panels_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ParameterError):
        GarchShocks(**{**vars(SHOCKS), **change})


def test_both_sources_say_whether_they_are_symmetric(source: pd.DataFrame) -> None:
    assert SHOCKS.symmetric
    assert isinstance(bootstrap_shocks(source), BootstrapShocks)
    assert bootstrap_shocks(source).symmetric
