from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest
import torch
from pydantic import RootModel

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.gene_layers import TRANSFORMATIONS, DenseLayer
from regime_nas_pipeline.networks.gene_net import GeneNetwork
from regime_nas_pipeline.networks.genome import live_nodes, read_genes, split_choices
from regime_nas_pipeline.networks.windows import Batch
from regime_nas_pipeline.search.gene_space import canonical, gene_space
from regime_nas_pipeline.search.space import Options, Space


def options(space: Space) -> dict[str, tuple[Any, ...]]:
    assert all(isinstance(dimension, Options) for dimension in space.values())
    return {name: dimension.options for name, dimension in space.items()}  # type: ignore[union-attr]


def proposals(n: int, seed: int = 0) -> list[dict[str, Any]]:
    generator, choices = random.Random(seed), options(gene_space())  # noqa: S311 - no secret
    return [{name: generator.choice(values) for name, values in choices.items()} for _ in range(n)]


def test_a_layer_of_the_space() -> None:
    found = options(gene_space())
    assert len(found) == 30
    assert list(found)[-5:] == [
        "layer6_type",
        "layer6_width",
        "layer6_activation",
        "layer6_skip",
        "layer6_dropout",
    ]
    assert found["layer3_type"] == ("dense", "conv1d", "lstm", "attention", "skip", "identity")
    assert found["layer3_width"] == (16, 32, 64, 128, 256)
    assert found["layer3_activation"] == ("relu", "tanh", "sigmoid", "gelu", "leaky_relu")
    assert found["layer3_skip"] == ("none", 0, 1, 2)
    assert found["layer3_dropout"] == (0.0, 0.1, 0.2, 0.3, 0.5)


def test_the_size_is_that_of_the_formula() -> None:
    # Type, width, activation and dropout; then the skip targets of layer i, and none of them.
    formula = math.prod(6 * 5 * 5 * i * 5 for i in range(1, 7))
    targets = [
        [value for value in values if not (name.endswith("skip") and value == "none")]
        for name, values in options(gene_space()).items()
    ]
    assert math.prod(map(len, targets)) == formula == 750**6 * 720
    assert formula > 1e10
    size = math.prod(dimension.size() for dimension in gene_space().values())
    assert size == formula * 7  # Π (i + 1) / i


def test_fewer_layers_and_other_widths() -> None:
    found = options(gene_space(2, widths=(4, 8)))
    assert len(found) == 10
    assert found["layer2_width"] == (4, 8)
    for layers in (0, 7):
        with pytest.raises(ParameterError, match=f"1 to 6 layers, not {layers}"):
            gene_space(layers)


def test_the_space_is_data() -> None:
    space = gene_space()
    text = json.dumps({name: dimension.model_dump() for name, dimension in space.items()})
    assert RootModel[Space].model_validate(json.loads(text)).root == space


def test_a_new_layer_type_is_one_class_and_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Another(DenseLayer):
        pass

    monkeypatch.setitem(TRANSFORMATIONS, "another", Another)
    assert "another" in options(gene_space(1))["layer1_type"]
    assert canonical({"layer1_type": "another"})["layer1_type"] == "another"
    assert len(live_nodes(read_genes([{"layer": "another"}]))) == 1


def test_the_canonical_form_of_a_proposal_is_a_candidate_for_the_same_network() -> None:
    allowed = options(gene_space())
    changed = 0
    for choices in proposals(200):
        found = canonical({"lookback": 21, **choices})
        assert found.pop("lookback") == 21
        # Identities have a default width and activation; those, too, are in the space.
        assert all(found[name] in allowed[name] for name in choices)
        assert set(found) == set(choices)
        assert canonical(found) == found
        changed += found != choices
    # Six layers of which a third compute nothing: hardly a proposal is canonical.
    assert changed > 100


def test_proposals_build_and_forecast() -> None:
    windows, nothing = torch.randn(2, 3, 8, 5), torch.zeros(2, 3)
    batch = Batch(windows, torch.randn(2, 9, 2), torch.ones(2, 3, dtype=torch.bool), nothing)
    for choices in proposals(15):
        genes, _ = split_choices(choices)
        assert genes is not None
        network = GeneNetwork(
            n_assets=3,
            n_asset_features=5,
            n_market_features=2,
            joint=False,
            genes=read_genes(genes),
            attention_heads=4,
        )
        output = network.eval()(batch)
        assert output.mean.shape == output.log_volatility.shape == (2, 3)
        assert torch.isfinite(output.mean).all()
        assert torch.isfinite(output.log_volatility).all()


def test_genes_without_effect_do_not_tell_candidates_apart() -> None:
    common = {"layer1_type": "dense", "layer1_width": 16, "learning_rate": 0.01}
    one = {**common, "layer2_type": "identity", "layer2_width": 64, "layer2_dropout": 0.5}
    other = {**common, "layer2_type": "skip", "layer2_width": 16, "layer2_skip": 1}
    assert canonical(one) == canonical(other)
    assert canonical(one) != canonical({**one, "layer1_width": 32})
    assert canonical(one) != canonical({**one, "learning_rate": 0.02})
    genes, _ = split_choices(canonical(one))
    assert genes is not None
    assert [gene["layer"] for gene in genes] == ["dense", "identity"]


def test_choices_without_genes_are_their_own_canonical_form() -> None:
    assert canonical({"width": 8, "head": "gru"}) == {"width": 8, "head": "gru"}


def test_an_impossible_gene_is_refused() -> None:
    with pytest.raises(ParameterError, match="layer 1: skip 3"):
        canonical({"layer1_type": "dense", "layer1_skip": 3})
