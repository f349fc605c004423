from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from pydantic import ValidationError

from regime_nas_pipeline.networks.operations import BLOCK_OPERATIONS, EVIDENCE
from regime_nas_pipeline.search.cell_plan import CellSearchPlan
from regime_nas_pipeline.walkforward.search_parameters import CellSearch


def test_every_setting_of_the_plan_can_be_set_and_has_its_default() -> None:
    own = {"method", "budget_share", "alpha_fraction"}
    assert set(CellSearch.model_fields) - own == {f.name for f in fields(CellSearchPlan)} - {
        "max_samples"
    }
    assert CellSearch().plan(7) == CellSearchPlan(max_samples=7)


def test_all_the_evidence_there_is_may_be_kept() -> None:
    working = len(set(BLOCK_OPERATIONS[EVIDENCE]) - {"none"})
    plan = CellSearch(evidence="side_by_side", evidence_nodes=working).plan(1)
    assert (plan.evidence, plan.evidence_nodes) == ("side_by_side", working)
    with pytest.raises(ValidationError, match="evidence_nodes"):
        CellSearch(evidence_nodes=working + 1)


@pytest.mark.parametrize("change", [{"evidence": "stacked"}, {"evidence_nodes": 0}])
def test_evidence_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(change))):
        CellSearch(**change)
