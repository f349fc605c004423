"""What is wrong with the planted experiment's parameters is said before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from project_runs import PROJECT, make_case, merged

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.pipelines.planted.checks import check_planted
from regime_nas_pipeline.walkforward.parameters import Compute
from regime_nas_pipeline.walkforward.planted.parameters import Planted

COMPUTE = Compute(n_jobs=1, seed=1, device="cpu")


def written(env: str) -> dict[str, Any]:
    base = yaml.safe_load((PROJECT / "conf" / "base" / "parameters_planted.yml").read_text())
    over = yaml.safe_load((PROJECT / "conf" / env / "parameters.yml").read_text()) or {}
    return merged(base["planted"], over.get("planted", {}))


def one_option(value: Any) -> dict[str, Any]:
    return {"kind": "options", "options": [value]}


@pytest.mark.parametrize("env", ["planted", "test"])
def test_what_is_shipped_can_run(env: str) -> None:
    check_planted(Planted.model_validate(written(env)), COMPUTE)


def test_the_shipped_protocol_is_the_declared_one() -> None:
    planted = Planted.model_validate(written("planted"))
    markets = planted.markets
    assert (markets.n_assets, markets.n_bars, markets.fit_bars) == (10, 8000, 6000)
    assert (markets.phi, markets.stay, markets.volatile_ratio) == (0.45, 0.99, 2.5)
    assert len(markets.seeds) == 5
    assert planted.tracks == ("engineered", "raw")
    searched = {name for name, choice in planted.forecasters.items() if choice.space}
    assert set(planted.forecasters) - searched == {"linear"}
    spaces = [planted.forecasters[name].space for name in ("uniform_gate", "random_search")]
    assert spaces == [planted.forecasters["regime_nas"].space] * 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"forecasters": {"gru": {"space": {}}}}, "gru: GRUForecaster needs a space"),
        (
            {"forecasters": {"linear": {"space": {"lookback": one_option(5)}}}},
            "linear: LinearForecaster is not searched",
        ),
        ({"forecasters": {"linear": {"strategy": "random"}}}, "is not searched"),
        ({"forecasters": {"gru": {"space": {"nodes": one_option(1)}}}}, "gru: .*'nodes'"),
        ({"forecasters": {"gru": {"params": {"features": "returns"}}}}, "gru: .*features"),
        (
            {"forecasters": {"regime_nas": {"space": {"label_weight": one_option(0.1)}}}},
            "regime_nas: label_weight must be 0",
        ),
        (
            {"forecasters": {"regime_nas": {"params": {"objective": {"label_weight": 0.1}}}}},
            "regime_nas: label_weight must be 0",
        ),
        (
            {"forecasters": {"regime_nas": {"space": {"attention_heads": one_option(3)}}}},
            "regime_nas: .*attention_heads",
        ),
        ({"forecasters": {"mlp": {"space": {"lookback": one_option(300)}}}}, "mlp: needs 3"),
        ({"training": {"max_samples": 40}}, "planted.training.max_samples is 40"),
        ({"search": {"budget": 100}}, "search.budget is 100"),
    ],
)
def test_what_cannot_run_is_refused(changes: dict[str, Any], message: str) -> None:
    settings = written("test")
    for name, change in changes.get("forecasters", {}).items():
        if change.get("space") == {}:
            settings["forecasters"][name]["space"] = {}
    planted = Planted.model_validate(merged(settings, changes))
    with pytest.raises(ParameterError, match=message):
        check_planted(planted, COMPUTE)


def test_an_unknown_key_stops_a_run_before_it_starts(tmp_path: Path) -> None:
    case = make_case(tmp_path, parameters={"planted": {"markets": {"n_asets": 5}}})
    result = case.command("--pipelines=planted")
    assert result.exit_code != 0
    assert "unknown parameter 'planted.markets.n_asets'" in result.output
    assert not case.written
