"""Who may read what, and what is refused before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from kedro.io import MemoryDataset
from kedro.pipeline import Pipeline, node
from project_runs import make_case

from regime_nas_pipeline import pipeline_registry
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.pipeline_registry import register_pipelines
from regime_nas_pipeline.pipelines.open_holdout import refuse_other_readers

IN_MEMORY_INGESTION = {"audit", "placebo", "power"}
"""Tags of nodes that run the node of ingestion, seal and all, on a source of their own."""


def nothing(*_: object) -> None:
    """A node of a user's own."""


def test_one_node_reads_the_sealed_prices_and_one_reads_the_source() -> None:
    pipelines = register_pipelines()
    nodes = {each for pipeline in pipelines.values() for each in pipeline.nodes}
    assert {each.name for each in nodes if "sealed_prices" in each.inputs} == {"holdout.open"}
    readers = {each for each in nodes if "raw_prices" in each.inputs}
    others = {each.name for each in readers if not each.tags & IN_MEMORY_INGESTION}
    # The last one stops at the seal unless its own parameter lets it pass.
    assert others == {
        "validate_prices", "spx_vix.validate", "attention_guide.validate", "forecast_now.forecast",
    }  # fmt: skip
    assert "holdout_openings" in pipelines["reporting"].inputs()
    made = pipelines["open_holdout"].all_outputs()
    for name, pipeline in pipelines.items():
        if name != "open_holdout":
            assert pipeline.all_inputs() & made <= {"holdout_openings"}, name


def test_another_reader_of_the_sealed_prices_is_refused() -> None:
    own = Pipeline([node(nothing, ["prices", "sealed_prices"], "features", name="my_features")])
    with pytest.raises(ParameterError, match=r"'my_features' reads 'sealed_prices'.*'prices'"):
        refuse_other_readers({"mine": own})


def test_a_session_with_another_reader_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Pipeline([node(nothing, ["prices", "sealed_prices"], "features", name="my_features")])
    registered = {**register_pipelines(), "mine": own}
    monkeypatch.setattr(pipeline_registry, "register_pipelines", lambda: registered)
    with pytest.raises(ParameterError, match="'my_features' reads 'sealed_prices'"):
        make_case(tmp_path).run(pipelines=["ingestion"])
    assert not (tmp_path / "output").exists()


def test_the_joined_prices_are_never_on_disk(tmp_path: Path) -> None:
    catalog = make_case(tmp_path).catalog()
    for name in ("holdout_prices", "holdout_regimes"):
        dataset = catalog.get(name)
        assert dataset is None or isinstance(dataset, MemoryDataset), name
    assert catalog.load("holdout_openings").empty
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize(
    ("sealed_from", "pipeline", "words"),
    [
        ("2015-06-01", "ingestion", ("2015-06-01", "walk_forward.first_oos", "2015-07-01")),
        ("2017-01-02", "ingestion", ("2017-01-02", "lies after end 2016-12-31")),
        ("2012-01-01", "ingestion", ("2012-01-01", "does not lie after start")),
        ("2015-07-10", "ingestion", ("2015-07-10", "6 bars", "needs 23")),
        (None, "open_holdout", ("universe.sealed_from is not set",)),
    ],
)
def test_a_seal_that_makes_no_sense_is_refused_and_nothing_written(
    sealed_from: str | None, pipeline: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    universe = {} if sealed_from is None else {"universe": {"sealed_from": sealed_from}}
    case = make_case(tmp_path, parameters=universe)
    result = case.command(f"--pipelines={pipeline}")
    assert result.exit_code != 0
    message = result.output[result.output.index("Error:") :]
    for word in words:
        assert word in message, message
    assert "Traceback" not in result.output
    assert not case.output.exists()
