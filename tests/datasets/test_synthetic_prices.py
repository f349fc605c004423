from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, DatasetError

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.datasets.synthetic_prices import SyntheticPricesDataset
from regime_nas_pipeline.market.prepare import prepare_prices
from regime_nas_pipeline.market.synthetic import (
    no_regime_market,
    random_walk_market,
    regime_switching_market,
)

SIZES = {"n_assets": 3, "n_bars": 80, "seed": 5}


@pytest.mark.parametrize(
    ("options", "market"),
    [
        ({"phi": 0.3, "stay": 0.9}, regime_switching_market(phi=0.3, stay=0.9, **SIZES)[0]),
        ({"model": "no_regime", "phi": 0.2}, no_regime_market(phi=0.2, **SIZES)),
        ({"model": "random_walk", "drift": 0.01}, random_walk_market(drift=0.01, **SIZES)),
        ({"model": "random_walk", "volatility": 0.1}, random_walk_market(volatility=0.1, **SIZES)),
    ],
)
def test_the_closes_are_those_of_the_simulated_market(options, market):
    raw = SyntheticPricesDataset(**SIZES, **options).load()
    assert raw.assets == ("A00", "A01", "A02", "benchmark")
    wide = raw.table.pivot(index="date", columns="asset", values="close")
    assert (wide.index == market.dates).all()
    np.testing.assert_array_equal(wide[list(market.assets)].to_numpy(), market.close)
    np.testing.assert_array_equal(wide["benchmark"].to_numpy(), market.benchmark)


def test_the_seed_decides_and_nothing_else():
    tables = [SyntheticPricesDataset(seed=seed, n_bars=50).load().table for seed in (1, 1, 2)]
    pd.testing.assert_frame_equal(tables[0], tables[1], check_exact=True)
    assert not np.isclose(tables[0]["close"], tables[2]["close"])[1:50].any()


def test_it_passes_ingestion_from_a_catalog_entry():
    entry = {
        "type": "regime_nas_pipeline.datasets.synthetic_prices.SyntheticPricesDataset",
        "benchmark_name": "M",
        **SIZES,
    }
    raw = DataCatalog.from_config({"raw_prices": entry}).load("raw_prices")
    prepared = prepare_prices(
        raw,
        assets=None,
        benchmark="M",
        start=None,
        end=None,
        max_gap=0,
        first_oos=dt.date(2000, 3, 1),
        needed_bars=20,
    )
    assert prepared.manifest["assets"] == ["A00", "A01", "A02", "M"]
    assert (prepared.manifest["rows"], prepared.manifest["n_dates"]) == (320, 80)
    assert prepared.manifest["first_date"] == "2000-01-03"
    assert prepared.manifest["source"] == "simulated regime_switching market, seed 5"


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"model": "brownian"}, "no model 'brownian'; there are: regime_switching, no_regime"),
        ({"model": "random_walk", "phi": 0.1, "stay": 0.5}, "has no parameter phi, stay"),
        ({"drift": 0.0}, "'regime_switching' has no parameter drift"),
        ({"n_assets": 0}, "n_assets must be at least 1"),
        ({"n_bars": 1}, "n_bars at least 2"),
    ],
)
def test_what_a_model_does_not_know_is_refused(options, shown):
    with pytest.raises(ParameterError, match=shown):
        SyntheticPricesDataset(**{"seed": 1, **options})


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"phi": 1.5}, r"phi must lie in \[0, 1\)"),
        ({"benchmark_name": "A01"}, "benchmark_name 'A01' is one of the assets"),
    ],
)
def test_what_only_the_model_can_tell_is_refused_on_loading(options, shown):
    with pytest.raises(DatasetError, match=shown) as caught:
        SyntheticPricesDataset(seed=1, **options).load()
    assert isinstance(caught.value.__cause__, ParameterError)


def test_it_is_read_only():
    dataset = SyntheticPricesDataset(**SIZES)
    with pytest.raises(DatasetError, match="SyntheticPricesDataset is read-only"):
        dataset.save(dataset.load())
    assert dataset.exists()
    assert "seed=5" in str(dataset)
