"""What the other pipelines know of the sealed part, and what an opening makes of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sealed_pipelines import (
    BARS,
    FORECASTERS,
    SEAL,
    default_stages,
    found,
    given,
    opening,
    raw_prices,
    run,
)

from regime_nas_pipeline.audit.scramble import scramble
from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.datasets.openings import OpeningsDataset
from regime_nas_pipeline.market.prepare import price_sha256
from regime_nas_pipeline.pipelines.open_holdout.facts import closing_line

NOT_SEALED = {"sealed_prices"}


def assert_same(name: str, first: Any, second: Any) -> None:
    """Equal to the bit, but for the time that it took and the hash of the sealed part."""
    if isinstance(first, pd.DataFrame):
        pd.testing.assert_frame_equal(first, second, check_exact=True, obj=name)
    elif isinstance(first, Bundle):
        assert first.facts == second.facts, name
        assert set(first.arrays) == set(second.arrays), name
        for key, array in first.arrays.items():
            np.testing.assert_array_equal(array, second.arrays[key], err_msg=f"{name}: {key}")
    else:
        assert timeless(first) == timeless(second), name


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        left_out = {"seconds"} | ({"sha256"} if "n_dates" in value and "from" in value else set())
        return {key: timeless(each) for key, each in value.items() if key not in left_out}
    if isinstance(value, list):
        return [timeless(each) for each in value]
    return str(value) if isinstance(value, float) and np.isnan(value) else value


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run of the default stages with a seal: what it read and what it made."""
    folder = tmp_path_factory.mktemp("sealed")
    read = given(PieceCache(str(folder / "cache")))
    return read | run(default_stages(), read, folder / "openings.jsonl")


@pytest.fixture(scope="module")
def opened(sealed: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    ledger = tmp_path_factory.mktemp("opened") / "openings.jsonl"
    return run(opening(), sealed, ledger)


def test_nothing_that_is_made_depends_on_a_sealed_price(
    sealed: dict[str, Any], tmp_path: Path
) -> None:
    raw = raw_prices()
    altered = scramble(raw.table, SEAL - pd.Timedelta(days=1), seed=9)
    read = given(PieceCache(None)) | {"raw_prices": dataclasses.replace(raw, table=altered)}
    other = run(default_stages(), read, tmp_path / "openings.jsonl")
    assert not other["sealed_prices"].equals(sealed["sealed_prices"])
    hashes = [made["data_manifest"]["sealed"]["sha256"] for made in (sealed, other)]
    assert hashes[0] != hashes[1]
    for name in set(other) - NOT_SEALED:
        assert_same(name, sealed[name], other[name])


def test_the_same_comparison_sees_a_price_before_the_seal(
    sealed: dict[str, Any], tmp_path: Path
) -> None:
    """That nothing differs above is no fault of the comparison."""
    raw = raw_prices()
    altered = scramble(raw.table, SEAL - pd.Timedelta(days=20), seed=9)
    read = given(PieceCache(None)) | {"raw_prices": dataclasses.replace(raw, table=altered)}
    other = run(default_stages(), read, tmp_path / "openings.jsonl")
    for name in ("prices", "strategy_returns", "summary"):
        with pytest.raises(AssertionError):
            assert_same(name, sealed[name], other[name])


def test_results_end_before_the_seal_and_the_opened_ones_begin_at_it(
    sealed: dict[str, Any], opened: dict[str, Any]
) -> None:
    assert sealed["strategy_returns"].index[-1] == BARS[199]
    forecasts = opened["regime_nas.holdout_forecasts"]
    assert forecasts["date"].min() == SEAL
    # Decided at the seal's close, bought at the next, earned from the one after that.
    assert opened["holdout_returns"].index[0] == BARS[202]
    assert opened["holdout_returns"].index[-1] == BARS[-1]
    log = opened["regime_nas.holdout_log"]
    assert [entry["train_end"][:10] for entry in log] == [
        BARS[row].date().isoformat() for row in (199, 219, 239)
    ]
    assert opened["holdout_summary"]["sample"]["first_oos"] == SEAL.date().isoformat()


def test_an_opening_agrees_with_a_walk_that_never_had_a_seal(
    sealed: dict[str, Any], opened: dict[str, Any], tmp_path: Path
) -> None:
    read = given(PieceCache(None), sealed=False)
    walk_forward = read["params:walk_forward"].model_copy(update={"first_oos": SEAL.date()})
    free = run(default_stages(), read | {"params:walk_forward": walk_forward}, tmp_path / "l")
    assert_same("forecasts", opened["momentum.holdout_forecasts"], free["momentum.forecasts"])
    assert_same("returns", opened["holdout_returns"], free["strategy_returns"])
    assert_same("regimes", opened["holdout_regimes"], free["regimes"])
    assert opened["holdout_summary"]["strategies"] == free["strategy_figures"]
    # The labels before the seal are those that were there before.
    known = opened["holdout_regimes"].loc[: BARS[199]]
    assert_same("regimes", known, sealed["regimes"])
    # The searched one was opened with what was found and not with what was written.
    assert not opened["holdout_returns"]["regime_nas"].equals(opened["holdout_returns"]["momentum"])


def test_the_opening_is_on_record_and_on_the_page(
    sealed: dict[str, Any], opened: dict[str, Any]
) -> None:
    (row,) = opened["holdout_openings"].to_dict("records")
    assert row["sealed_from"] == SEAL.date().isoformat()
    assert row["last_date"] == BARS[-1].date().isoformat()
    assert row["n_bars"] == 60
    assert row["git_sha"] == "abc"
    assert row["data_sha256"] == price_sha256(sealed["prices"])
    assert row["sealed_sha256"] == price_sha256(sealed["sealed_prices"])
    summary = opened["holdout_summary"]
    assert summary["opening"]["number"] == 1
    assert set(summary["forecasts"]) == {*FORECASTERS, "no_change"}
    assert set(opened["holdout_comparison_tests"]["test"]) >= {"ledoit_wolf"}
    assert "sealed bars were opened once" in opened["holdout_report"]
    assert opened["holdout_comparison_words"][0].split()[0] in opened["holdout_report"]
    assert closing_line(summary).startswith("Sealed part opened. Highest Sharpe ratio")


def test_a_second_opening_is_allowed_and_shown(sealed: dict[str, Any], tmp_path: Path) -> None:
    ledger = tmp_path / "openings.jsonl"
    run(opening(), sealed, ledger)
    costly = {"params:portfolio": given(PieceCache(None), cost_bps=20.0)["params:portfolio"]}
    made = run(opening(), sealed | costly, ledger)
    first, second = made["holdout_openings"].to_dict("records")
    assert first["parameters_sha256"] != second["parameters_sha256"]
    assert made["holdout_summary"]["opening"]["changed"] == ["parameters"]
    assert "opening 2 on" in made["holdout_report"]
    assert "with other parameters" in made["holdout_report"]
    assert closing_line(made["holdout_summary"]).startswith("Sealed part opened, 2 times so far.")
    again = run(opening(), sealed | costly, ledger)["holdout_summary"]
    assert (again["opening"]["number"], again["opening"]["changed"]) == (3, [])


def test_an_opening_that_breaks_off_is_on_record(sealed: dict[str, Any], tmp_path: Path) -> None:
    ledger = tmp_path / "openings.jsonl"
    with pytest.raises(ParameterError):
        run(opening(), sealed | {"architecture": found("2020-02-03", window=3)}, ledger)
    assert len(OpeningsDataset(filepath=ledger).load()) == 1


def without(read: dict[str, Any], block: str, **changes: Any) -> dict[str, Any]:
    return {f"params:{block}": read[f"params:{block}"].model_copy(update=changes)}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("no seal", "universe.sealed_from is not set"),
        ("no ingestion", "does not hold the bars"),
        ("other prices", "sealed_prices: .*not those that data_manifest describes"),
        ("saw sealed bars", "architecture: the search saw bars up to 2020-10-07"),
        ("saw who knows what", "architecture: the search does not say which bars it saw"),
        ("too short", "60 bars are sealed and one rebalance needs 102"),
    ],
)
def test_what_cannot_be_opened_is_refused_and_not_put_on_record(
    fault: str, words: str, sealed: dict[str, Any], tmp_path: Path
) -> None:
    altered = sealed["sealed_prices"].assign(close=1.0)
    changes = {
        "no seal": without(sealed, "universe", sealed_from=None),
        "no ingestion": {"sealed_prices": altered.iloc[:0]},
        "other prices": {"sealed_prices": altered},
        "saw sealed bars": {"architecture": found(SEAL.date().isoformat(), lookback=25)},
        "saw who knows what": {"architecture": found(lookback=25)},
        "too short": without(sealed, "walk_forward", rebalance_every=100),
    }[fault]
    ledger = tmp_path / "openings.jsonl"
    with pytest.raises((ParameterError, DataError), match=words):
        run(opening(), sealed | changes, ledger)
    assert not ledger.exists()


def test_prices_from_before_the_seal_was_set_are_refused(
    sealed: dict[str, Any], tmp_path: Path
) -> None:
    """A stage that is run by itself after the seal was set, without ingestion before it."""
    read = given(PieceCache(None), sealed=False)
    stale = run(default_stages(), read, tmp_path / "l")["prices"]
    assert stale["date"].max() == BARS[-1]
    for stage in ("regime_labelling", "walk_forward_evaluation"):
        nodes = default_stages().only_nodes_with_tags(stage)
        with pytest.raises(DataError, match="are sealed"):
            run(nodes, sealed | {"prices": stale}, tmp_path / "l")
