"""Parameters, datasets, pipelines, files and classes that the documents name exist."""

from __future__ import annotations

import importlib
import inspect
import re
import shlex
from collections.abc import Mapping
from typing import Any, get_args

import pytest
import yaml
from documents import (
    PROJECT,
    blocks,
    code_spans,
    commands,
    documents,
    first_column,
    name_of,
    prose,
)
from kedro.runner import AbstractRunner
from kedro.utils import load_obj
from pydantic import BaseModel

from regime_nas_pipeline.dask_runner import DaskRunner
from regime_nas_pipeline.pipeline_registry import FORECASTERS, register_pipelines
from regime_nas_pipeline.pipelines.attention_guide.parameters import GuideExperiment
from regime_nas_pipeline.pipelines.audit.parameters import Audit
from regime_nas_pipeline.pipelines.placebo.parameters import Placebo, Power
from regime_nas_pipeline.pipelines.regime_uses.parameters import RegimeUses
from regime_nas_pipeline.report.text import SECTIONS
from regime_nas_pipeline.walkforward.ablation_parameters import Ablation
from regime_nas_pipeline.walkforward.calibration_parameters import CalibrationTrial
from regime_nas_pipeline.walkforward.claims_check import Claims
from regime_nas_pipeline.walkforward.comparison_parameters import SearchComparison
from regime_nas_pipeline.walkforward.parameters import (
    Compute,
    Evaluation,
    Portfolio,
    Regimes,
    Search,
    Training,
    Universe,
    WalkForward,
)
from regime_nas_pipeline.walkforward.planted.parameters import Planted
from regime_nas_pipeline.walkforward.published_parameters import Published
from regime_nas_pipeline.walkforward.verdict_parameters import Verdict

DOCUMENTS = [name_of(path) for path in documents()]
BLOCKS: dict[str, type[BaseModel]] = {
    "audit": Audit,
    "ablation": Ablation,
    "attention_guide": GuideExperiment,
    "calibration": CalibrationTrial,
    "claims": Claims,
    "compute": Compute,
    "evaluation": Evaluation,
    "placebo": Placebo,
    "planted": Planted,
    "power": Power,
    "published": Published,
    "portfolio": Portfolio,
    "regimes": Regimes,
    "regime_uses": RegimeUses,
    "search": Search,
    "search_comparison": SearchComparison,
    "training": Training,
    "universe": Universe,
    "verdict": Verdict,
    "walk_forward": WalkForward,
}
PACKAGE = PROJECT / "src" / "regime_nas_pipeline"


def model_paths(model: type[BaseModel], prefix: str) -> set[str]:
    paths = set()
    for name, field in model.model_fields.items():
        paths.add(f"{prefix}.{field.alias or name}")
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                paths |= model_paths(kind, f"{prefix}.{field.alias or name}")
    return paths


def written_paths(values: Mapping[str, Any], prefix: str = "") -> set[str]:
    paths = set()
    for key, value in values.items():
        paths.add(f"{prefix}{key}")
        if isinstance(value, Mapping):
            paths |= written_paths(value, f"{prefix}{key}.")
    return paths


@pytest.fixture(scope="module")
def parameters() -> set[str]:
    paths = set().union(*(model_paths(model, name) for name, model in BLOCKS.items()))
    for file in (PROJECT / "conf" / "base").glob("parameters*.yml"):
        paths |= written_paths(yaml.safe_load(file.read_text()))
    return paths


@pytest.fixture(scope="module")
def datasets() -> set[str]:
    return set().union(*(pipeline.datasets() for pipeline in register_pipelines().values()))


@pytest.fixture(scope="module")
def nodes() -> set[str]:
    return {node.name for pipeline in register_pipelines().values() for node in pipeline.nodes}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_dotted_names_are_parameters_or_datasets(
    document: str, parameters: set[str], datasets: set[str], nodes: set[str]
) -> None:
    first = "|".join((*BLOCKS, *FORECASTERS))
    dotted = re.compile(rf"(?:{first})(?:\.[a-z_0-9]+)+")
    files = re.compile(r".*\.(py|md|yml|json|html|toml)")
    named = {
        span for span in code_spans(document) if dotted.fullmatch(span) and not files.match(span)
    }
    assert named <= parameters | datasets | nodes, named - parameters - datasets - nodes


def test_the_check_of_dotted_names_sees_some() -> None:
    spans = {span for document in DOCUMENTS for span in code_spans(document)}
    assert {"universe.min_history", "search.cell_search.alpha_fraction", "gru.tuned"} <= spans


def test_datasets_of_the_readme_exist(datasets: set[str]) -> None:
    named = first_column("README.md", "Dataset")
    assert len(named) > 25
    assert set(named) <= datasets, set(named) - datasets


def test_the_table_of_pipelines_is_complete_and_its_datasets_exist(datasets: set[str]) -> None:
    pipelines = register_pipelines()
    assert first_column("docs/architecture.md", "Pipeline") == [
        name for name in pipelines if name != "__default__"
    ]
    rows = (PROJECT / "docs/architecture.md").read_text().splitlines()
    for name, pipeline in pipelines.items():
        for row in (row for row in rows if row.startswith(f"| `{name}` |")):
            _, _, read, written, _ = row.split("|")
            assert set(re.findall(r"`([^`]+)`", written)) <= pipeline.all_outputs()
            assert set(re.findall(r"`([^`]+)`", read)) <= pipeline.all_inputs()


def test_chapters_of_the_report_are_called_what_the_readme_calls_them() -> None:
    text = prose("README.md").partition("## How to read the report")[2].partition("##")[0]
    named = {" ".join(title.split()) for title in re.findall(r"\*([^*]+)\*", text)}
    assert len(named) > 4
    assert named <= {section.title for section in SECTIONS}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_and_folders_exist(document: str) -> None:
    examples = {each.file for name in DOCUMENTS for each in blocks(name) if each.file}
    for span in code_spans(document):
        if re.fullmatch(r"[\w/.-]+(\.py|\.yml|\.toml|\.lock|\.md|/)", span) and "/" in span:
            known = [root / span for root in (PROJECT, PACKAGE)]
            written = span.startswith("data/") or any(each.startswith(span) for each in examples)
            assert written or any(path.exists() for path in known), f"{document}: {span}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_class_paths_can_be_imported(document: str) -> None:
    texts = [*code_spans(document), *(each.code for each in blocks(document))]
    for path in set(re.findall(r"regime_nas_pipeline(?:\.\w+)+\.[A-Z]\w+", " ".join(texts))):
        module, _, name = path.rpartition(".")
        if module != "regime_nas_pipeline.forecasters.trend":  # the README's own example
            assert hasattr(importlib.import_module(module), name), path


def test_commands_name_what_exists(parameters: set[str], nodes: set[str]) -> None:
    pipelines, seen = register_pipelines(), set()
    for document, command in commands():
        for word in shlex.split(command)[2:]:
            option, _, value = word.partition("=")
            seen.add(option)
            names = value.split(",")
            where = f"{document}: {command}"
            if option == "--pipelines":
                assert set(names) <= set(pipelines), where
            elif option == "--from-nodes":
                assert set(names) <= nodes, where
            elif option == "--namespaces":
                assert set(names) <= set(FORECASTERS), where
            elif option == "--params":
                assert {name.partition("=")[0] for name in names} <= parameters, where
            elif option == "--env":
                known = {path.name for path in (PROJECT / "conf").iterdir()}
                assert value in known | {"mine"}, where
            elif option == "--runner":
                assert issubclass(load_obj(value, "kedro.runner"), AbstractRunner), where
            elif option == "--runner-params":
                known = set(inspect.signature(DaskRunner).parameters)
                assert {name.partition("=")[0] for name in names} <= known, where
            else:
                assert word in {"--verbose", "--help"}, where
    assert {"--pipelines", "--from-nodes", "--namespaces", "--params", "--env"} <= seen


def test_every_pipeline_beside_the_default_has_a_command() -> None:
    pipelines = register_pipelines()
    beside = {
        name
        for name, pipeline in pipelines.items()
        if not set(pipeline.nodes) <= set(pipelines["__default__"].nodes)
    }
    told = {option for _, command in commands() for option in shlex.split(command)[2:]}
    assert beside
    assert {f"--pipelines={name}" for name in beside} <= told


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    named = set()
    for document in DOCUMENTS:
        lines = [line for each in blocks(document) for line in each.code.splitlines()]
        for text in (*lines, *code_spans(document)):
            named |= set(re.findall(r"^(?:\S+=\S+ )?make ([a-z-]+)", text))
    assert {"run", "test", "clean-cache"} <= named <= targets
