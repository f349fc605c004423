from __future__ import annotations

from typing import Any

import pytest

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.search.cell_plan import CellSearchPlan


@pytest.mark.parametrize(
    ("settings", "supernet", "training"),
    [
        ({}, 1000, 800),
        ({"selection_share": 0.25}, 1000, 750),
        ({"selection": "magnitude"}, 1000, 1000),
        ({"selection": "subnetwork", "path": "single"}, 1000, 1000),
        ({"top_k": 3}, 500, 400),
        ({"top_k": 3, "retrain_share": 0.2, "selection": "magnitude"}, 800, 800),
    ],
)
def test_the_budget_is_shared_out(settings: dict[str, Any], supernet: int, training: int) -> None:
    plan = CellSearchPlan(max_samples=1000, **settings)
    assert (plan.supernet_samples, plan.training_samples) == (supernet, training)


@pytest.mark.parametrize("selection", ["perturbation", "magnitude"])
def test_a_single_path_has_no_architecture_weights_to_choose_by(selection: Any) -> None:
    with pytest.raises(ParameterError, match=f"selection '{selection}' has nothing to go by"):
        CellSearchPlan(max_samples=1, path="single", selection=selection)


@pytest.mark.parametrize("name", ["entropy_weight", "auxiliary_skip", "curvature_every"])
def test_what_needs_a_mixture_is_refused_on_a_single_path(name: str) -> None:
    settings: dict[str, Any] = {name: 1}
    with pytest.raises(ParameterError, match=f"{name} works on mixtures"):
        CellSearchPlan(max_samples=1, path="single", selection="subnetwork", **settings)
    assert CellSearchPlan(max_samples=1, **settings)
