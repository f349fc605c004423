from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from regime_nas_pipeline.datasets.source_error import PriceSourceError
from regime_nas_pipeline.datasets.table_cells import read_table_cells


def test_both_kinds_give_the_same_cells(tmp_path: Path) -> None:
    table = pd.DataFrame({"Asset": ["A", "NA"], " Note ": ["x", ""]})
    table.to_csv(tmp_path / "one.csv", index=False)
    table.to_parquet(tmp_path / "one.parquet", index=False)
    found = [read_table_cells(tmp_path / f"one.{kind}", "tables") for kind in ("csv", "parquet")]
    assert [cells.index.name for cells in found] == ["line", "row"]
    for cells in found:
        assert cells.columns.tolist() == ["asset", "note"]
        assert cells.to_numpy().tolist() == [["A", "x"], ["NA", ""]]


def test_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PriceSourceError, match=r"one.xlsx: tables are read from.*\.csv"):
        read_table_cells(tmp_path / "one.xlsx", "tables")
