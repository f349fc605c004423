"""An experiment's trades are in the ledger before any result of them can be looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from kedro.io import AbstractDataset, DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline, node
from kedro.runner import SequentialRunner
from project_runs import PROJECT

from regime_nas_pipeline.datasets.ledger import LedgerDataset
from regime_nas_pipeline.pipeline_registry import register_pipelines


class Killed(AbstractDataset[None, Any]):
    """Where a result should go when the run is killed."""

    def load(self) -> None:
        raise AssertionError

    def save(self, data: Any) -> None:
        raise KeyboardInterrupt

    def _describe(self) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize(
    "name", ["ablation.run", "calibration.walk", "regime_uses.trade", "regime_uses.supervise"]
)
def test_a_run_that_is_killed_before_its_results_has_lost_no_trial_and_doubles_none(
    name: str, tmp_path: Path
) -> None:
    trading = register_pipelines()[name.split(".", maxsplit=1)[0]].only_nodes(name).nodes[0]
    rows = pd.DataFrame({"evaluation_id": ["a", "b"], "net": [0.1, 0.2]})
    made = dict.fromkeys(trading.outputs, rows)
    same = node(lambda _: tuple(made.values()), inputs="prices", outputs=trading.outputs)
    ledger = LedgerDataset(filepath=tmp_path, key="evaluation_id")
    (written,) = (output for output in trading.outputs if output.endswith("_evaluations"))
    results = set(trading.outputs) - {written}

    def run(result: type[AbstractDataset[Any, Any]]) -> None:
        catalog = {"prices": MemoryDataset(0), written: ledger, **{r: result() for r in results}}
        SequentialRunner().run(Pipeline([same]), DataCatalog(catalog))

    with pytest.raises(KeyboardInterrupt):
        run(Killed)
    pd.testing.assert_frame_equal(ledger.load(), rows)
    files = list(tmp_path.iterdir())
    run(MemoryDataset)
    assert list(tmp_path.iterdir()) == files
    assert len(ledger.load()) == 2


def test_experiments_can_be_run_together_and_with_a_whole_run() -> None:
    # Each has a dataset of its own on the ledger's folder: Kedro refuses to write to one twice.
    pipelines = register_pipelines()
    experiments = ("ablation", "calibration", "regime_uses")
    whole = sum((pipelines[name] for name in experiments), pipelines["__default__"])
    names = {"evaluations", "regime_uses_supervised_evaluations"}
    names |= {f"{name}_evaluations" for name in experiments}
    assert names <= whole.all_outputs()
    entries: dict[str, Any] = {}
    for file in (PROJECT / "conf" / "base").glob("catalog*.yml"):
        entries |= yaml.safe_load(file.read_text())
    written = [{**entries[name], "metadata": None} for name in sorted(names)]
    assert written[0]["key"] == "evaluation_id"
    assert written[1:] == written[:-1]
