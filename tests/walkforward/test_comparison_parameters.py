from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from comparison_settings import CELLS, options, tiny_settings
from pydantic import ValidationError

from regime_nas_pipeline.search.space import space_size
from regime_nas_pipeline.walkforward.comparison_parameters import SearchComparison

BASE = Path(__file__).parents[2] / "conf" / "base" / "parameters_search_comparison.yml"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"shortcuts": {"candidates": 17}}, "candidates is 17 and the space has 16"),
        ({"shortcuts": {"space": {**CELLS, "width": options(4, 8)}}}, "width would change"),
        ({"shortcuts": {"seeds": 1}}, "seeds"),
        ({"contest": {"beds": ["coins"]}}, "planted"),
        (
            {"contest": {"contenders": {"a": {"family": "mlp", "strategy": "random"}}}},
            "'mlp' is none of: gru",
        ),
        (
            {
                "contest": {
                    "contenders": {
                        "a": {"family": "gru", "strategy": "random"},
                        "b": {"family": "gru", "strategy": "random"},
                    }
                }
            },
            "contenders.b is the same as contenders.a",
        ),
        ({"contest": {"seeds": 3}}, "names 2 markets"),
        ({"regret": {"space": {"width": options(*range(1, 202))}}}, "space has 201 candidates"),
        ({"regret": {"space": {"widht": options(4)}}}, "'widht'"),
        ({"regret": {"replays": {"random": 2}}}, "replays"),
        ({"regret": {"replays": {"bayesian": 0}}}, "at least 1"),
    ],
)
def test_what_does_not_fit_is_refused(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        tiny_settings(**parts)


def test_each_contender_has_the_same_budget() -> None:
    contest = tiny_settings().contest
    searches = [contest.search(each, 0.25) for each in contest.contenders.values()]
    assert {(each.budget, each.trials) for each in searches} == {(200, 2)}
    assert [each.strategy for each in searches] == ["evolutionary", "random"]
    changed = contest.contenders["random"].model_copy(update={"cell_method": "random"})
    assert contest.search(changed, 0.25).cell_search.method == "random"


def test_the_default_compares_what_it_says() -> None:
    values = yaml.safe_load(BASE.read_text())["search_comparison"]
    settings = SearchComparison.model_validate(values)
    strategies = {each.strategy for each in settings.contest.contenders.values()}
    assert strategies == {"bayesian", "evolutionary", "reinforce", "random", "differentiable"}
    assert space_size(settings.regret.space) == 144
    assert settings.contest.seeds == settings.regret.landscapes == 5
