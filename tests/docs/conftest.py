"""The README's sixth forecaster, installed as the README says, and a tiny run that includes it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]
# Helpers of other folders, which pytest puts on the path only for its own folder's tests.
FOLDERS = ("pipelines", "forecasters", "walkforward/planted")
sys.path[:0] = [str(TESTS / folder) for folder in FOLDERS]
pytest.register_assert_rewrite("forecaster_checks")

from documents import PROJECT, block  # noqa: E402
from finished_run import FinishedRun  # noqa: E402
from kedro.framework.startup import bootstrap_project  # noqa: E402
from project_runs import make_case  # noqa: E402

from regime_nas_pipeline import forecasters, pipeline_registry  # noqa: E402

TREND = "regime_nas_pipeline.forecasters.trend"

TINY = {
    "compute": {"n_jobs": 1},
    "universe": {"end": "2015-12-31"},
    "walk_forward": {"first_oos": "2015-09-01", "refit_every": 42},
    "training": {"n_seeds": 1, "max_samples": 150},
    "search": {"budget": 400, "trials": 1, "start_up": 1, "batch": 1},
    "regime_nas": {"space": {"nodes": {"kind": "options", "options": [1]}}},
}


@pytest.fixture(scope="session")
def trend_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The README's forecaster under the name that it would have inside the package."""
    folder = tmp_path_factory.mktemp("forecasters")
    file = "src/regime_nas_pipeline/forecasters/trend.py"
    (folder / "trend.py").write_text(block("README.md", file).body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forecasters, "__path__", [*forecasters.__path__, str(folder)])
        yield TREND
        sys.modules.pop(TREND, None)
        if hasattr(forecasters, "trend"):
            del forecasters.trend


@pytest.fixture(scope="session")
def trend_run(trend_module: str, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """A run of everything with six forecasters, set up by the README's blocks alone."""
    case = make_case(tmp_path_factory.mktemp("trend"), parameters=TINY)
    parameters = block("README.md", "conf/base/parameters_trend.yml")
    (case.folder / "conf" / "base" / "parameters_trend.yml").write_text(parameters.body)
    registry: dict[str, Any] = {}
    exec(block("README.md", "src/regime_nas_pipeline/pipeline_registry.py").code, registry)  # noqa: S102
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline_registry, "FORECASTERS", registry["FORECASTERS"])
        case.run()
    bootstrap_project(PROJECT)  # forget the pipelines of six forecasters
    return FinishedRun(case.output)
