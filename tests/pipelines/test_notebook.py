from __future__ import annotations

import json
import logging
import re
from functools import partial
from typing import Any

import IPython.display
import pytest
from kedro.framework.session import KedroSession
from project_runs import PROJECT, Case

NOTEBOOK = PROJECT / "notebooks" / "results.ipynb"


@pytest.fixture(scope="module")
def cells() -> list[dict[str, Any]]:
    return [
        cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"
    ]


def test_it_is_kept_with_its_outputs_in_order(cells: list[dict[str, Any]]) -> None:
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {kind for cell in cells for output in cell["outputs"] for kind in output["data"]}
    assert {"image/svg+xml", "text/html", "text/markdown"} <= kinds
    assert NOTEBOOK.stat().st_size < 300_000


def test_nothing_in_it_names_a_machine() -> None:
    text = NOTEBOOK.read_text()
    assert not re.search(r"(?<![\w:/<.])/(home|root|Users|tmp|work|usr|opt|var)/", text)
    assert "site-packages" not in text
    assert str(PROJECT) not in text


@pytest.mark.slow
@pytest.mark.xdist_group("finished")
def test_it_shows_the_results_of_any_run(
    finished: Case, cells: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(IPython.display, "display", shown.append)
    conf = str(finished.folder / "conf")
    here = partial(KedroSession.create, env="case", conf_source=conf)
    monkeypatch.setattr(KedroSession, "create", here)
    monkeypatch.chdir(NOTEBOOK.parent)
    names: dict[str, Any] = {}
    try:
        for cell in cells:
            exec("".join(cell["source"]), names)  # noqa: S102 - the notebook's own code
    finally:
        logging.disable(logging.NOTSET)
    assert names["summary"] == finished.load("summary")
    (verdict,) = shown
    assert "RegimeNAS" in verdict.data
    assert len(names["strategies"]) == len(finished.load("strategy_returns").columns)
