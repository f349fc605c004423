"""The report page is handed what the verdict writes."""

from __future__ import annotations

import inspect

from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project
from project_runs import PROJECT

from regime_nas_pipeline.pipelines.reporting.pipeline import VERDICT_FIGURES, VERDICT_RESULTS
from regime_nas_pipeline.report import figures, verdict_parts


def test_the_verdict_writes_what_the_page_shows() -> None:
    bootstrap_project(PROJECT)
    assert set(VERDICT_RESULTS) <= pipelines["verdict"].all_outputs()
    assert set(VERDICT_FIGURES) <= set(figures.__all__)


def test_the_page_is_handed_all_that_it_can_show() -> None:
    assert set(VERDICT_RESULTS) == set(verdict_parts.SHOWN)


def test_no_result_of_the_verdict_is_taken_for_another_part_of_the_page() -> None:
    bootstrap_project(PROJECT)
    (node,) = [node for node in pipelines["reporting"].nodes if node.name.endswith("write_report")]
    own = set(inspect.signature(node.func).parameters) - {"others"}
    assert not own & {*VERDICT_RESULTS, *VERDICT_FIGURES}
