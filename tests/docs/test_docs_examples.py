"""The examples of the pages on network, search and planted markets can be used as printed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import yaml
from documents import PROJECT, block, blocks
from project_runs import merged
from torch import Tensor

from regime_nas_pipeline.core.params import check_arguments
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster
from regime_nas_pipeline.networks import operations
from regime_nas_pipeline.networks.cells import cell_edges, describe_blocks
from regime_nas_pipeline.networks.lipschitz.certify import certified_bound
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.regime_net import RegimeNet
from regime_nas_pipeline.search.trials import HalvingSettings
from regime_nas_pipeline.walkforward.parameters import Search
from regime_nas_pipeline.walkforward.planted.parameters import Planted

OPERATION = "src/regime_nas_pipeline/networks/operations.py"
PAGES = ("docs/regime_nas.md", "docs/search.md", "docs/planted.md")


def base(name: str) -> dict[str, Any]:
    text = (PROJECT / "conf" / "base" / f"parameters_{name}.yml").read_text()
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def printed(document: str, file: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(block(document, file).body)
    return found


def test_every_example_of_those_pages_is_tried_here() -> None:
    files = {each.file for page in PAGES for each in blocks(page) if each.language == "yaml"}
    assert files == {
        "conf/mine/parameters_loss.yml",
        "conf/mine/parameters_limit.yml",
        "conf/mine/parameters_strategy.yml",
        "conf/mine/parameters_efficiency.yml",
        "conf/mine/parameters_halving.yml",
        "conf/planted/parameters.yml",
    }


def regime_nas(file: str) -> RegimeNasForecaster:
    params = printed("docs/regime_nas.md", file)["regime_nas"]["forecaster"]["params"]
    return RegimeNasForecaster(**check_arguments(RegimeNasForecaster, params))


def test_weights_of_the_loss() -> None:
    expected = Objective(ranking_weight=0.5, volatility_weight=0.1)
    assert regime_nas("conf/mine/parameters_loss.yml").objective == expected


def test_a_limit() -> None:
    limit = regime_nas("conf/mine/parameters_limit.yml").weight_limit(7)
    assert limit is not None
    assert (limit.limit, limit.layer_cap, limit.n_assets) == (1.0, 1.0, 7)


@pytest.mark.parametrize("name", ["strategy", "efficiency"])
def test_settings_of_the_search(name: str) -> None:
    own = printed("docs/search.md", f"conf/mine/parameters_{name}.yml")
    settings = Search.model_validate(merged(base("nas_search"), own)["search"])
    assert settings.strategy == "evolutionary"
    if name == "strategy":
        assert settings.outer().objectives == ("error", "parameters")
    else:
        assert settings.efficiency.proxy is not None
        assert settings.outer().surrogate is not None


def test_halving_as_told() -> None:
    own = printed("docs/search.md", "conf/mine/parameters_halving.yml")
    settings = Search.model_validate(merged(base("nas_search"), own)["search"])
    assert settings.outer().halving == HalvingSettings(rung=0.33, eta=3)
    assert (HalvingSettings().rung, HalvingSettings().eta) == (1 / 3, 3)
    assert settings.cell_search.budget_share == 0.5


def test_a_shorter_planted_experiment() -> None:
    own = printed("docs/planted.md", "conf/planted/parameters.yml")
    shorter = Planted.model_validate(merged(base("planted"), own)["planted"])
    assert shorter.tracks == shorter.controls.tracks == ("raw",)
    assert len(shorter.markets.seeds) < 5
    assert len(shorter.controls.seeds) < 3


@pytest.fixture
def softsign(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[operations.Operation]]:
    """The README's operation under its name, allowed in the trend block."""
    namespace = dict(vars(operations))
    exec(block("README.md", OPERATION).body, namespace)  # noqa: S102
    made = namespace["Softsign"]
    allowed = (*operations.BLOCK_OPERATIONS["trend"], "softsign")
    monkeypatch.setitem(operations.OPERATIONS, "softsign", made)
    monkeypatch.setitem(operations.BLOCK_OPERATIONS, "trend", allowed)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield made


def test_the_new_operation_does_what_it_says(softsign: type[operations.Operation]) -> None:
    x = torch.tensor([[[[-3.0, 0.0], [1.0, 9.0]]]])
    found: Tensor = softsign(2, 1)(x, torch.tensor([[True]]))
    torch.testing.assert_close(found, torch.tensor([[[[-0.75, 0.0], [0.5, 0.9]]]]))


def test_the_new_operation_builds_a_network_without_a_certificate(
    softsign: type[operations.Operation],
) -> None:
    chosen = dict.fromkeys(cell_edges(1), "identity") | {("trend", 1, "input"): "softsign"}
    forecaster = RegimeNasForecaster(
        blocks=describe_blocks(chosen, 1), width=4, attention_heads=2, timeframes=(1,), lookback=5
    )
    sizes = {"n_assets": 2, "n_asset_features": 3, "market_timeframes": (1,)}
    network = forecaster.build_network(sizes)
    assert isinstance(network, RegimeNet)
    certificate = certified_bound(network, lookback=5, n_assets=2)
    assert certificate.total == float("inf")
    assert certificate.unbounded == ("trend, node 1, edge from input: Softsign",)
