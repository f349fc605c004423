from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, DatasetError

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.datasets.ledger import LedgerDataset
from regime_nas_pipeline.search.ledger import LEDGER_COLUMNS, ledger_rows
from regime_nas_pipeline.search.outer import Outcome, Proposal, Trial

DATES = pd.bdate_range("2020-01-01", periods=3)


def _rows(search_id: str, numbers: range) -> pd.DataFrame:
    trials = [
        Trial(
            Proposal(number, 4_000_000_000 + number, {"width": 8}),
            Outcome(1.0 - 0.01 * number, {"width": 8}, 50, np.arange(3.0) + number, {"epochs": 2}),
        )
        for number in numbers
    ]
    return ledger_rows(
        trials, search_id=search_id * 16, forecaster="gru", strategy="random", dates=DATES
    )


def _ids(dataset: LedgerDataset) -> list[str]:
    return [f"{row[0]}{row[-1]}" for row in dataset.load()["trial_id"]]


def test_rows_come_back_as_they_were(tmp_path: Path):
    dataset = LedgerDataset(filepath=tmp_path / "trials")
    rows = _rows("a", range(3))
    assert not dataset.exists()
    dataset.save(rows)
    assert dataset.exists()
    found = dataset.load()
    assert list(found.columns) == list(rows.columns)
    for name in LEDGER_COLUMNS:
        assert found[name].tolist() == rows[name].tolist(), name
    for name in ("validation_dates", "validation_returns"):
        assert [list(value) for value in found[name]] == rows[name].tolist()


def test_a_trial_is_added_once_and_none_is_ever_removed(tmp_path: Path):
    dataset = LedgerDataset(filepath=tmp_path)
    dataset.save(_rows("b", range(2)))
    [first] = tmp_path.iterdir()
    image = first.read_bytes()
    # The same again, then some old and one new, then another search alone.
    dataset.save(_rows("b", range(2)))
    assert list(tmp_path.iterdir()) == [first]
    dataset.save(_rows("b", range(3)))
    dataset.save(_rows("a", range(1)))
    assert _ids(dataset) == ["a0", "b0", "b1", "b2"]
    assert len(list(tmp_path.iterdir())) == 3
    assert first.read_bytes() == image
    # A row that is already there is not changed by a later one of its name.
    changed = _rows("b", range(1)).assign(score=0.0)
    dataset.save(changed)
    assert dataset.load().set_index("number").loc[0, "score"].tolist() == [1.0, 1.0]


def test_a_trial_that_comes_twice_at_once_counts_once(tmp_path: Path):
    dataset = LedgerDataset(filepath=tmp_path)
    dataset.save(pd.concat([_rows("a", range(2)), _rows("a", range(1, 3))]))
    assert _ids(dataset) == ["a0", "a1", "a2"]


def test_another_dataset_on_the_same_folder_goes_on(tmp_path: Path):
    LedgerDataset(filepath=tmp_path).save(_rows("a", range(1)))
    LedgerDataset(filepath=tmp_path.as_posix()).save(_rows("a", range(2)))
    assert _ids(LedgerDataset(filepath=tmp_path)) == ["a0", "a1"]


def test_an_unfinished_file_is_not_read(tmp_path: Path):
    dataset = LedgerDataset(filepath=tmp_path)
    dataset.save(_rows("a", range(1)))
    (tmp_path / "trials-0123.parquet.abc.part").write_bytes(b"half a fi")
    assert _ids(dataset) == ["a0"]


def test_what_two_runs_added_at_the_same_time_is_there_once(tmp_path: Path):
    one, other = LedgerDataset(filepath=tmp_path / "one"), LedgerDataset(filepath=tmp_path / "two")
    one.save(_rows("a", range(2)))
    other.save(_rows("a", range(1, 3)))
    # Neither saw the other's file when it wrote its own.
    for file in (tmp_path / "two").iterdir():
        file.rename(tmp_path / "one" / file.name)
    assert _ids(one) == ["a0", "a1", "a2"]


def test_rows_are_known_by_the_column_that_is_named(tmp_path: Path):
    dataset = LedgerDataset(filepath=tmp_path, key="evaluation_id")
    with pytest.raises(DatasetError, match="holds no evaluation yet"):
        dataset.load()
    rows = pd.DataFrame({"evaluation_id": ["b", "a"], "seed": pd.array([None, 2], dtype="Int64")})
    dataset.save(rows)
    dataset.save(rows.assign(seed=9))
    found = dataset.load()
    assert found["evaluation_id"].tolist() == ["a", "b"]
    assert found["seed"].dtype == "Int64"
    assert found["seed"].tolist() == [2, pd.NA]
    assert [file.name.split("-")[0] for file in tmp_path.iterdir()] == ["evaluations"]


@pytest.mark.parametrize("save", [False, True])
def test_a_file_that_is_broken_or_none_of_it_is_named(tmp_path: Path, save: bool):
    dataset = LedgerDataset(filepath=tmp_path)
    dataset.save(_rows("a", range(1)))
    [whole] = tmp_path.iterdir()
    image = whole.read_bytes()
    whole.write_bytes(image[: len(image) // 2])
    with pytest.raises(DatasetError, match=rf"{whole.name}: .*cannot be read") as raised:
        dataset.save(_rows("b", range(1))) if save else dataset.load()
    assert isinstance(raised.value.__cause__, DataError)
    whole.write_bytes(image)
    pd.DataFrame({"date": [1]}).to_parquet(tmp_path / "prices.parquet")
    with pytest.raises(DatasetError, match=r"prices\.parquet.*'trial_id'.*none of it"):
        dataset.save(_rows("b", range(1))) if save else dataset.load()
    assert {file.name for file in tmp_path.iterdir()} == {whole.name, "prices.parquet"}


def test_an_empty_ledger_cannot_be_loaded(tmp_path: Path):
    with pytest.raises(DatasetError, match="holds no trial yet"):
        LedgerDataset(filepath=tmp_path / "none").load()


def test_it_is_made_from_a_catalog_entry(tmp_path: Path):
    entry = {
        "type": "regime_nas_pipeline.datasets.ledger.LedgerDataset",
        "filepath": (tmp_path / "trials").as_posix(),
        "key": "trial_id",
    }
    catalog = DataCatalog.from_config({"search_trials": entry})
    assert not catalog.exists("search_trials")
    catalog.save("search_trials", _rows("a", range(2)))
    assert len(catalog.load("search_trials")) == 2
