from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_networks import BLOCKS
from tuning_tasks import NO_CACHE, SEARCH, tiny_task

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster, cell_dimension
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.search.ledger import LEDGER_COLUMNS
from regime_nas_pipeline.search.space import Options, Space
from regime_nas_pipeline.walkforward.ablation_search import (
    macro_space,
    no_trials,
    search_variant,
)

SPACE: Space = {
    "lookback": Options(options=(6, 10)),
    "nodes": Options(options=(1,)),
    "label_weight": Options(options=(0.0, 0.2)),
}
FOUND: dict[str, Any] = {
    "blocks": BLOCKS,
    "lookback": 10,
    "dropout": 0.3,
    "objective": {"label_weight": 0.2},
}


def task(market: Market) -> Any:
    search = SEARCH.model_copy(update={"trials": 2, "budget": 2 * 600})
    return tiny_task(
        market,
        RegimeNasForecaster,
        search=search,
        trading=None,
    )


def search(market: Market, variant: str, cache: PieceCache = NO_CACHE) -> Any:
    return search_variant(task(market), SPACE, FOUND, variant, seed=3, cache=cache)


def test_without_gradients_macro_choices_stay_and_cells_are_drawn(known: Market) -> None:
    found = search(known, "no_gradient_search")
    assert {name: found.parameters[name] for name in FOUND if name != "blocks"} == {
        name: FOUND[name] for name in FOUND if name != "blocks"
    }
    assert set(found.parameters["blocks"]) == set(BLOCKS)
    assert len(found.parameters["blocks"]["trend"]) == len(BLOCKS["trend"])
    assert found.facts["cells"] == "random"
    assert 0 < found.facts["gradient_samples"] <= 1200
    assert found.trials["parameters"].nunique() == 2  # each trial draws its own cells
    assert found.trials["score"].min() == found.facts["score"]


@pytest.mark.slow
def test_without_bayes_macro_choices_are_the_defaults_and_cells_are_found(
    known: Market, tmp_path: Path
) -> None:
    cache = PieceCache(str(tmp_path))
    found = search(known, "no_bayesian_search", cache)
    assert found.facts["cells"] == "gradient"
    assert found.facts["strategy"] == "differentiable"
    # 63 bars are not among the options, so the middle one stands in; no weight is the default.
    assert found.parameters["lookback"] == 10
    assert found.parameters["objective"] == {"label_weight": 0.0}
    assert found.facts["gradient_samples"] <= 1200
    assert found.trials["choices"].nunique() == 1
    assert search(known, "no_bayesian_search", cache).parameters == found.parameters


def test_operations_of_edges_are_no_macro_choice() -> None:
    edge = cell_dimension("trend", 1, "input")
    operations: Space = {edge: Options(options=("gru", "linear"))}
    assert macro_space({**SPACE, **operations}) == SPACE
    with pytest.raises(ParameterError, match="operations alone"):
        macro_space(operations)


def test_only_searches_that_there_are(known: Market) -> None:
    with pytest.raises(ParameterError, match="needs no search"):
        search(known, "uniform_gate")
    with pytest.raises(ParameterError, match="GRUForecaster has no cells"):
        search_variant(tiny_task(known), SPACE, FOUND, "no_gradient_search", seed=0, cache=NO_CACHE)


def test_an_empty_ledger_has_the_columns_of_a_full_one() -> None:
    assert list(no_trials().columns) == list(LEDGER_COLUMNS)
    assert len(no_trials()) == 0
