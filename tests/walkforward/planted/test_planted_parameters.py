from __future__ import annotations

from typing import Any

import pytest
from planted_cases import FORECASTERS, MLP_SPACE, SETTINGS, planted_case, settings
from pydantic import ValidationError

from regime_nas_pipeline.walkforward.planted.parameters import Planted

LINEAR = SETTINGS["forecasters"]["linear"]
REGIME_NAS = SETTINGS["forecasters"]["regime_nas"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"markets": {"fit_bars": 300}}, "leave none of the 300 n_bars"),
        ({"markets": {"seeds": [1, 1]}}, "seeds must differ"),
        ({"markets": {"seeds": []}}, "at least 1 item"),
        ({"markets": {"phi": 1.0}}, "less than 1"),
        ({"markets": {"n_asets": 3}}, "n_asets"),
        ({"tracks": ["raw", "raw"]}, "tracks must differ"),
        ({"tracks": ["prices"]}, "'engineered' or 'raw'"),
        ({"tracks": ["engineered"]}, "controls.tracks: raw is not one of tracks"),
        ({"forecasters": {"linear": LINEAR}, "controls": {}}, "regime_nas is missing"),
        ({"forecasters": {**SETTINGS["forecasters"], "oracle": LINEAR}}, "oracle is taken"),
        (
            {"forecasters": {**SETTINGS["forecasters"], "second": LINEAR}},
            "second is the same as linear",
        ),
        ({"controls": {"forecasters": ["mlp"]}}, "linear is missing"),
        ({"controls": {"forecasters": ["linear", "lstm"]}}, "no forecaster lstm"),
        ({"controls": {"seeds": [7, 7]}}, "seeds must differ"),
        ({"search": {"strategy": "guessing"}}, "strategy"),
        ({"budget": 3}, "budget"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    merged = settings(**changes)
    if "forecasters" in changes:
        merged["forecasters"] = changes["forecasters"]
    with pytest.raises(ValidationError, match=message):
        Planted.model_validate(merged)


def test_an_unknown_key_of_a_forecaster_is_refused() -> None:
    wrong = {**REGIME_NAS, "budget": 9}
    with pytest.raises(ValidationError, match="budget"):
        planted_case(forecasters={"regime_nas": wrong})


def test_a_forecaster_may_have_its_own_strategy_and_cell_search_and_nothing_else_changes() -> None:
    planted = planted_case(
        forecasters={
            "mlp": {
                "class": f"{FORECASTERS}.mlp.MLPForecaster",
                "space": MLP_SPACE,
                "strategy": "random",
            }
        }
    )
    shared = planted.search
    own = planted.forecasters["regime_nas"].own_search(shared)
    assert own.cell_search.method == "random"
    assert own.model_copy(update={"cell_search": shared.cell_search}) == shared
    other = planted.forecasters["mlp"].own_search(shared)
    assert other == shared.model_copy(update={"strategy": "random"})
    assert planted.forecasters["linear"].own_search(shared) == shared
