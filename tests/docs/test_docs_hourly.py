"""The environment of the page on hourly bars passes every check that is made before a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from documents import block
from project_runs import Case, make_case

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.datasets.bybit import BybitPricesDataset

DAY = 24


def printed(file: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(block("docs/hourly.md", f"conf/mine/{file}").body)
    return found


def environment(folder: Path, **changes: Any) -> Case:
    """The page's environment, in a folder of its own."""
    catalog = printed("catalog.yml")
    catalog["raw_prices"]["filepath"] = str(folder / "snapshots")
    parameters = printed("parameters.yml")
    for block_name, values in changes.items():
        parameters[block_name] |= values
    return make_case(folder, env="mine", parameters=parameters, catalog=catalog)


def test_every_parameter_is_known_and_fits_the_others(tmp_path: Path) -> None:
    source = environment(tmp_path).catalog()["raw_prices"]
    assert isinstance(source, BybitPricesDataset)
    described = source._describe()
    assert (described["interval"], described["category"]) == ("60", "spot")
    assert printed("parameters.yml")["universe"]["benchmark"] in described["symbols"]


def test_a_history_too_short_for_the_longest_window_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="min_history"):
        environment(tmp_path, universe={"min_history": 150}).catalog()


def test_the_rhythm_is_one_of_whole_days() -> None:
    walk = printed("parameters.yml")["walk_forward"]
    assert all(walk[name] % DAY == 0 for name in ("horizon", "rebalance_every", "refit_every"))
    assert walk["refit_every"] % walk["rebalance_every"] == 0
