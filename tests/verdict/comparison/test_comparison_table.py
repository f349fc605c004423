import math

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.statistics import per_bar_rate
from regime_nas_pipeline.verdict.comparison.diebold_mariano import diebold_mariano
from regime_nas_pipeline.verdict.comparison.ledoit_wolf import ledoit_wolf
from regime_nas_pipeline.verdict.comparison.table import (
    COLUMNS,
    ForecastLosses,
    comparison_table,
)
from regime_nas_pipeline.verdict.sharpe import jobson_korkie_memmel

SETTINGS = {"risk_free": 0.02, "bars_per_year": 252, "n_resamples": 199}


def _strategies() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    dates = pd.bdate_range("2015-01-01", periods=400)
    drift = np.array([0.002, 0.0004, 0.0003])
    names = ["regime_nas", "momentum", "equal_weight"]
    return pd.DataFrame(drift + rng.normal(0, 0.01, (400, 3)), dates, names)


def _losses() -> ForecastLosses:
    rng = np.random.default_rng(9)
    dates = pd.bdate_range("2015-01-01", periods=60)
    losses = {
        name: pd.DataFrame(scale * rng.random((60, 4)), dates, list("abcd"))
        for name, scale in (("regime_nas", 0.8), ("gru", 1.0), ("no_change", 1.0))
    }
    return ForecastLosses(losses, ["no_change"], horizon=21, every=10)


def test_every_pair_is_tested_by_both_sharpe_tests_with_the_known_results():
    returns = _strategies()
    table = comparison_table(returns, ["equal_weight", "momentum"], **SETTINGS)
    assert list(table.columns) == list(COLUMNS)
    assert list(table[["subject", "against"]].drop_duplicates().itertuples(index=False)) == [
        ("regime_nas", "equal_weight"),
        ("momentum", "equal_weight"),
        ("regime_nas", "momentum"),
    ]
    rate = per_bar_rate(0.02, 252)
    plain, robust = table.iloc[0], table.iloc[1]
    a, b = returns["regime_nas"], returns["equal_weight"]
    memmel = jobson_korkie_memmel(a, b, rate)
    assert plain["test"] == "jobson_korkie_memmel"
    assert (plain["statistic"], plain["p_two_sided"]) == (memmel.z, memmel.p_value)
    assert plain["p_beats"] == pytest.approx(0.5 * math.erfc(memmel.z / 2**0.5), rel=1e-9)
    assert plain["difference"] == pytest.approx(memmel.difference * 252**0.5, rel=1e-12)
    assert plain["standard_error"] == pytest.approx(memmel.standard_error * 252**0.5, rel=1e-12)
    assert pd.isna(plain["block_length"])
    wolf = ledoit_wolf(a, b, rate, n_resamples=199)
    assert robust["test"] == "ledoit_wolf"
    assert (robust["statistic"], robust["p_two_sided"]) == (wolf.z, wolf.p_two_sided)
    assert robust["standard_error"] == pytest.approx(wolf.standard_error * 252**0.5, rel=1e-12)
    assert (robust["p_beats"], robust["block_length"]) == (wolf.p_beats, wolf.block_length)
    assert (table["n"] == 400).all()
    assert (table["note"] == "").all()


def test_forecasts_add_their_rows():
    forecasts = _losses()
    table = comparison_table(_strategies(), ["equal_weight"], forecasts=forecasts, **SETTINGS)
    rows = table[table["test"] == "diebold_mariano"]
    assert rows["subject"].tolist() == ["regime_nas", "gru"]
    test = diebold_mariano(
        forecasts.losses["regime_nas"], forecasts.losses["no_change"], horizon=21, every=10
    )
    first = rows.iloc[0]
    assert (first["statistic"], first["p_beats"], first["n"]) == (test.statistic, test.p_beats, 60)
    assert first["statistic"] > 0.0
    assert first["p_beats"] < 0.05
    assert first["difference"] == pytest.approx(
        (forecasts.losses["no_change"] - forecasts.losses["regime_nas"]).mean(axis=1).mean()
    )
    ratio = table["difference"] / table["standard_error"]
    np.testing.assert_allclose(ratio, table["statistic"], rtol=1e-12)


def test_the_corrections_cover_the_whole_table():
    table = comparison_table(
        _strategies(), ["equal_weight", "momentum"], forecasts=_losses(), **SETTINGS
    )
    raw = table["p_two_sided"].to_numpy()
    m = len(raw)
    order = np.argsort(raw)
    holm, running = np.empty(m), 0.0
    for rank, row in enumerate(order):
        running = max(running, min(1.0, (m - rank) * raw[row]))
        holm[row] = running
    fdr, running = np.empty(m), 1.0
    for rank in range(m - 1, -1, -1):
        running = min(running, raw[order[rank]] * m / (rank + 1))
        fdr[order[rank]] = running
    np.testing.assert_allclose(table["p_holm"], holm, rtol=1e-12)
    np.testing.assert_allclose(table["p_fdr"], fdr, rtol=1e-12)
    assert m == 8


def test_the_block_length_and_the_seed_reach_the_bootstrap():
    returns = _strategies()
    table = comparison_table(returns, ["momentum"], block_length=7, seed=1, **SETTINGS)
    robust = table[table["test"] == "ledoit_wolf"]
    assert (robust["block_length"] == 7).all()
    rate = per_bar_rate(0.02, 252)
    expected = ledoit_wolf(
        returns["equal_weight"],
        returns["momentum"],
        rate,
        block_length=7,
        n_resamples=199,
        seed=1,
    )
    assert robust["p_two_sided"].iloc[1] == expected.p_two_sided


def test_twins_and_cash_get_a_note_and_no_statistic():
    returns = _strategies().assign(cash=0.0, twin=lambda frame: frame["equal_weight"])
    table = comparison_table(returns, ["equal_weight"], **SETTINGS)
    odd = table[table["subject"].isin(["cash", "twin"])]
    assert len(odd) == 4
    assert odd[["statistic", "standard_error"]].isna().all(axis=None)
    assert (odd[["p_two_sided", "p_beats", "p_holm"]] == 1.0).all(axis=None)
    assert odd["note"].str.contains("nothing to test").all()
    assert odd["block_length"].isna().all()


def test_unknown_references_are_errors_and_none_is_an_empty_table():
    with pytest.raises(DataError, match="'bonds'"):
        comparison_table(_strategies(), ["bonds"], **SETTINGS)
    unknown = ForecastLosses(_losses().losses, ["garch"], horizon=1, every=1)
    with pytest.raises(DataError, match="'garch'"):
        comparison_table(_strategies(), ["momentum"], forecasts=unknown, **SETTINGS)
    empty = comparison_table(_strategies(), [], **SETTINGS)
    assert len(empty) == 0
    assert list(empty.columns) == list(COLUMNS)
