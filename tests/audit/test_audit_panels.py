from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from panel_jobs import SHOCKS, dates

from regime_nas_pipeline.audit.edges import MomentumEdge, RegimeDrift
from regime_nas_pipeline.audit.panels import Panel, make_panels
from regime_nas_pipeline.audit.shocks import bootstrap_shocks
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.market.schema import PriceTable


def simple_returns(panel: Panel) -> pd.DataFrame:
    close = panel.prices().pivot(index="date", columns="asset", values="close")
    return close.pct_change().dropna()


def test_prices_are_a_valid_table() -> None:
    prices = Panel(0, 1, dates(50), SHOCKS, benchmark="INDEX").prices()
    PriceTable.validate(prices)
    assert list(prices.columns) == ["date", "asset", "close"]
    assert len(prices) == 50 * 5
    assert list(prices["asset"].head(5)) == ["AAA", "BBB", "CCC", "DDD", "INDEX"]
    assert (prices["close"].head(5) == 100.0).all()
    assert prices.equals(prices.sort_values(["date", "asset"], ignore_index=True))


def test_the_benchmark_holds_all_assets_alike() -> None:
    returns = simple_returns(Panel(0, 1, dates(200), SHOCKS, benchmark="INDEX"))
    average = returns.drop(columns="INDEX").mean(axis=1)
    assert returns["INDEX"].to_numpy() == pytest.approx(average.to_numpy(), abs=1e-12)


def test_a_panel_depends_on_its_seed_and_number_alone() -> None:
    few = make_panels(SHOCKS, dates=dates(40), n_panels=2, seed=5)
    many = make_panels(SHOCKS, dates=dates(40), n_panels=6, seed=5, edges=[RegimeDrift(0.1), None])
    pd.testing.assert_frame_equal(few[1].prices(), many[7].prices(), check_exact=True)
    other_seed = make_panels(SHOCKS, dates=dates(40), n_panels=2, seed=6)
    different = [few[0], few[1], other_seed[0], other_seed[1]]
    assert len({panel.prices()["close"].to_numpy().tobytes() for panel in different}) == 4


def test_panels_that_differ_in_their_edge_share_their_moves() -> None:
    edges = [None, MomentumEdge(0.0), RegimeDrift(0.0), RegimeDrift(0.001)]
    plain, none, still, little = (
        panel.prices()["close"].to_numpy()
        for panel in make_panels(SHOCKS, dates=dates(60), n_panels=1, seed=5, edges=edges)
    )
    assert (plain == none).all()
    assert (plain == still).all()
    assert not (plain == little).all()
    assert little == pytest.approx(plain, rel=0.01)


def test_returns_average_zero_and_cannot_be_told_from_the_last_one() -> None:
    panels = make_panels(SHOCKS, dates=dates(1500), n_panels=12, seed=8)
    returns = np.stack([simple_returns(panel).to_numpy() for panel in panels])
    z = returns.mean(axis=(0, 1)) / (returns.std(axis=(0, 1)) / np.sqrt(12 * 1499))
    assert np.abs(z).max() < 3.9
    # With clustered sizes the products' own spread is the yardstick.
    products = returns[:, 1:] * returns[:, :-1]
    z = products.mean(axis=(0, 1)) / (products.std(axis=(0, 1)) / np.sqrt(12 * 1498))
    assert np.abs(z).max() < 3.9


def test_an_edge_reaches_the_prices() -> None:
    edge = RegimeDrift(0.3, stay=0.99)
    returns = simple_returns(Panel(0, 3, dates(1500), SHOCKS, edge))
    gap = (returns["AAA"] + returns["CCC"] - returns["BBB"] - returns["DDD"]).to_numpy()
    past = np.convolve(gap, np.ones(20), mode="valid")[:-1]
    assert np.corrcoef(past, gap[20:])[0, 1] > 0.1


def test_what_a_panel_is_called() -> None:
    panel = Panel(3, 7, dates(40), SHOCKS, MomentumEdge(0.05))
    assert str(panel) == "panel 3 of seed 7 (momentum 0.05, 40 bars)"
    assert (panel.edge_name, panel.edge_size) == ("momentum", 0.05)
    assert str(Panel(3, 7, dates(40), SHOCKS)) == "panel 3 of seed 7 (40 bars)"


def test_contradictions_are_refused() -> None:
    with pytest.raises(ParameterError, match="at least two dates"):
        Panel(0, 1, dates(1), SHOCKS)
    with pytest.raises(ParameterError, match="increasing"):
        Panel(0, 1, dates(40)[::-1], SHOCKS)
    with pytest.raises(ParameterError, match="negative"):
        Panel(0, -1, dates(40), SHOCKS)
    with pytest.raises(ParameterError, match="'AAA' is already"):
        Panel(0, 1, dates(40), SHOCKS, benchmark="AAA")
    with pytest.raises(ParameterError, match="n_panels: 0"):
        make_panels(SHOCKS, dates=dates(40), n_panels=0, seed=1)
    kept = bootstrap_shocks(Panel(0, 1, dates(400), SHOCKS).prices(), signs="kept")
    assert len(Panel(0, 1, dates(40), kept).prices()) == 160
    with pytest.raises(ParameterError, match="random sign only"):
        Panel(0, 1, dates(40), kept, RegimeDrift(0.1))
