from __future__ import annotations

from typing import Any

import pytest
from tuning_tasks import SEARCH, SPACE, tiny_task

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.genes import GeneForecaster
from regime_nas_pipeline.forecasters.gru import GRUForecaster
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster
from regime_nas_pipeline.forecasters.transformer import TransformerForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.search.gene_space import gene_space
from regime_nas_pipeline.search.outer import Proposal
from regime_nas_pipeline.search.space import Interval, Options, Space
from regime_nas_pipeline.walkforward.candidates import build_candidate, evaluate_candidate
from regime_nas_pipeline.walkforward.feasibility import (
    check_budget,
    check_combinations,
    finds_cells,
)
from regime_nas_pipeline.walkforward.parameters import CellSearch, Search
from regime_nas_pipeline.walkforward.search_parameters import Efficiency, Proxy
from regime_nas_pipeline.walkforward.tuning import default_choices


def _options(*values: Any) -> Options:
    return Options(options=values)


@pytest.mark.parametrize(
    ("forecaster", "space"),
    [
        (RegimeNasForecaster, {"width": _options(8, 16), "attention_heads": _options(1, 2, 4)}),
        (RegimeNasForecaster, {"nodes": _options(1, 3), "trend.1.input": _options("gru", "none")}),
        (RegimeNasForecaster, {"timeframes": _options("1", "1-5-21"), "label_weight": _options(1)}),
        (TransformerForecaster, {"width": _options(8, 12), "attention_heads": _options(2, 4)}),
        (GRUForecaster, SPACE),
        (GeneForecaster, gene_space(2)),
    ],
)
def test_a_space_of_which_everything_builds_is_accepted(
    forecaster: type[NeuralForecaster], space: Space
):
    check_combinations(forecaster, {}, space)


@pytest.mark.parametrize(
    ("forecaster", "space", "complaint"),
    [
        (
            RegimeNasForecaster,
            {"attention_heads": _options(2, 3), "width": _options(12, 8), "nodes": _options(1, 2)},
            r"allows attention_heads 3, which builds no network: .*width 8 must be divisible",
        ),
        (
            RegimeNasForecaster,
            # Neither value is impossible by itself: 10 goes with 1, and 3 with 9.
            {"attention_heads": _options(1, 3), "width": _options(9, 10), "nodes": _options(1, 2)},
            r"allows attention_heads 3, width 10, which builds no network",
        ),
        (
            RegimeNasForecaster,
            {"width": Interval(low=8, high=10, integer=True)},
            r"allows width 9, which .*divisible by attention_heads 2",
        ),
        (RegimeNasForecaster, {"head": _options("gru", "mlp")}, "head 'mlp' is none of linear"),
        (
            RegimeNasForecaster,
            {"nodes": _options(1), "trend.1.input": _options("gru", "squared")},
            "trend.1.input 'squared', which .*operation 'squared'; it can be one of",
        ),
        (RegimeNasForecaster, {"timeframes": _options("1-5", "daily")}, "option 'daily' is not"),
        (RegimeNasForecaster, {"width": _options(8, "wide")}, "width 'wide'.*width: Input should"),
        (TransformerForecaster, {"width": _options(8, 9)}, "width 9 must be even"),
        (
            GeneForecaster,
            {"layer1_type": _options("dense", "attention"), "layer1_width": _options(16, 18)},
            "attention layer of width 18 cannot be divided",
        ),
    ],
)
def test_a_combination_that_builds_nothing_is_named(
    forecaster: type[NeuralForecaster], space: Space, complaint: str
):
    with pytest.raises(ParameterError, match=complaint):
        check_combinations(forecaster, {"attention_heads": 2} if "width" in space else {}, space)


def test_what_is_not_searched_counts_too():
    with pytest.raises(ParameterError, match="width 6 must be even and divisible"):
        check_combinations(TransformerForecaster, {"attention_heads": 4}, {"width": _options(8, 6)})


def test_cells_are_looked_for_where_the_space_does_not_name_their_operations():
    assert finds_cells(RegimeNasForecaster, {"nodes": _options(1, 2)})
    assert not finds_cells(RegimeNasForecaster, {"trend.1.input": _options("gru")})
    assert not finds_cells(GRUForecaster, SPACE)


CELL_SEARCHES = {
    "perturbation": CellSearch(),
    "long warm-up": CellSearch(warm_up=0.6),
    "few architecture steps": CellSearch(alpha_every=3),
    "one path": CellSearch(path="single", selection="subnetwork"),
    "retraining": CellSearch(top_k=2, retrain_share=0.5),
    "random": CellSearch(method="random"),
}


@pytest.mark.parametrize("name", CELL_SEARCHES)
def test_the_smallest_budget_accepted_pays_for_a_trial(name: str, known: Market):
    def search(budget: int) -> Search:
        return SEARCH.model_copy(
            update={"budget": budget, "trials": 1, "cell_search": CELL_SEARCHES[name]}
        )

    def accepted(budget: int) -> bool:
        try:
            check_budget(search(budget), 2, len(known.assets), cells=True)
        except ParameterError:
            return False
        return True

    smallest = next(budget for budget in range(1, 2000) if accepted(budget))
    task = tiny_task(known, RegimeNasForecaster, search=search(smallest))
    task.arguments["attention_heads"] = 1
    outcome = evaluate_candidate(task, Proposal(0, 5, {"lookback": 4, "nodes": 1}))
    assert 0 < outcome.gradient_samples <= smallest


def test_a_budget_that_is_too_small_is_told_where_it_is_missing():
    search = SEARCH.model_copy(update={"budget": 300, "trials": 5})
    check_budget(search, 2, 5, cells=False)
    with pytest.raises(ParameterError, match=r"is 300 .* 5 trials; that leaves 24 for training "):
        check_budget(search, 4, 5, cells=True)
    proxied = search.model_copy(update={"efficiency": Efficiency(proxy=Proxy(budget=0.1))})
    with pytest.raises(ParameterError, match="leaves 6 for training the candidate"):
        check_budget(proxied, 2, 5, cells=False)


def test_a_found_weight_of_the_objective_leaves_the_chosen_ones_alone():
    found = RegimeNasForecaster.from_choices({"label_weight": 0.3})
    for chosen in ({"volatility_weight": 0.5}, Objective(volatility_weight=0.5)):
        built = build_candidate(RegimeNasForecaster, {"objective": chosen}, found)
        assert built.objective == Objective(volatility_weight=0.5, label_weight=0.3)


def test_the_default_choices_are_the_forecasters_own_where_the_space_has_them(known: Market):
    task = tiny_task(known, RegimeNasForecaster)
    task.arguments["objective"] = {"label_weight": 0.3}
    space: Space = {
        "timeframes": _options("1", "1-5"),
        "label_weight": _options(0.0, 0.1, 0.3),
        "smoothness_weight": _options(0.1, 0.0),
        "attention_heads": _options(1, 4, 8),
        "learning_rate": Interval(low=3e-3, high=1e-2, log=True),
    }
    assert default_choices(task, space) == {
        "timeframes": "1-5",
        "label_weight": 0.3,
        "smoothness_weight": 0.0,
        "attention_heads": 4,
        "learning_rate": 3e-3,
    }
