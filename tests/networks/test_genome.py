from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import asdict, replace
from typing import Any

import pytest
from genome_samples import COMPUTING, genomes, plain, signature
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.genome import (
    LayerGene,
    Node,
    canonical_genes,
    flat_choices,
    gene_dimensions,
    live_nodes,
    read_genes,
    split_choices,
)

quick = settings(max_examples=100, deadline=None, derandomize=True)


def links(*genes: Any) -> list[tuple[str, int, int | None]]:
    return [(n.gene.layer, n.source, n.skip) for n in live_nodes(plain(*genes))]


@pytest.mark.parametrize(
    ("gene", "complaint"),
    [
        ({"layer": "gru"}, r"layer 2: layer 'gru' is not one of dense, conv1d, lstm, attention"),
        ({"layer": ["dense"]}, "layer 2: layer"),
        ({"layer": "dense", "activation": "elu"}, "layer 2: activation 'elu' is not one of relu"),
        ({"layer": "dense", "activation": ["relu"]}, "layer 2: activation"),
        ({"layer": "dense", "width": 0}, "layer 2: width 0"),
        ({"layer": "dense", "width": 16.0}, "layer 2: width 16.0"),
        ({"layer": "dense", "width": True}, "layer 2: width True"),
        ({"layer": "dense", "skip": 2}, r"layer 2: skip 2 is not null or .* 0 \(the input\) to 1"),
        ({"layer": "dense", "skip": -1}, "layer 2: skip -1"),
        ({"layer": "identity", "skip": "none"}, "layer 2: skip 'none'"),
        ({"layer": "dense", "dropout": 1.0}, "layer 2: dropout 1.0"),
        ({"layer": "dense", "dropout": "half"}, "layer 2: dropout 'half'"),
        ({"layer": "dense", "dropout": float("nan")}, "layer 2: dropout nan"),
        ({"width": 16}, "layer 2: needs 'layer'"),
        ({"layer": "dense", "wide": 16}, "layer 2: needs 'layer' and may have width, .*has.*wide"),
    ],
)
def test_an_impossible_gene_is_refused_by_name(gene: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ParameterError, match=complaint):
        read_genes([{"layer": "dense"}, gene])


@quick
@given(genomes())
def test_genes_survive_plain_values_and_flat_choices(genes: tuple[LayerGene, ...]) -> None:
    assert read_genes([asdict(gene) for gene in genes]) == genes
    flat = flat_choices(genes)
    assert tuple(flat) == gene_dimensions()
    found, others = split_choices({"lookback": 21, **flat})
    assert others == {"lookback": 21}
    assert found is not None
    assert read_genes(found) == genes


def test_flat_choices_by_hand() -> None:
    found, others = split_choices(
        {
            "layer2_type": "lstm",
            "learning_rate": 0.01,
            "layer1_type": "dense",
            "layer1_skip": 0,
            "layer2_skip": "none",
            "layer2_dropout": 0.3,
            "layers": 7,
            "layer7_type": "dense",
        }
    )
    # There are six layers: what looks like a seventh is somebody else's argument.
    assert others == {"learning_rate": 0.01, "layers": 7, "layer7_type": "dense"}
    assert found == [
        {"layer": "dense", "width": 32, "activation": "relu", "skip": 0, "dropout": 0.0},
        {"layer": "lstm", "width": 32, "activation": "relu", "skip": None, "dropout": 0.3},
    ]


def test_choices_without_genes() -> None:
    assert split_choices({"width": 8}) == (None, {"width": 8})


@pytest.mark.parametrize(
    "choices", [{"layer1_width": 16}, {"layer2_type": "dense"}, {"layer3_skip": "none"}]
)
def test_a_layer_without_a_type_is_refused(choices: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="no layer1_type"):
        split_choices(choices)


def test_live_nodes_by_hand() -> None:
    assert links("dense", "identity", "lstm") == [("dense", 0, None), ("lstm", 1, None)]
    # An identity ignores its skip target; a skip layer without one is an identity.
    assert links("dense", {"layer": "identity", "skip": 0}) == [("dense", 0, None)]
    assert links("dense", "skip", "conv1d") == [("dense", 0, None), ("conv1d", 1, None)]
    # A copy of the input leaves the first layer unused; its copy leaves the second unused.
    assert links("dense", {"layer": "skip", "skip": 0}, "lstm") == [("lstm", 0, None)]
    assert links("dense", "lstm", {"layer": "skip", "skip": 1}) == [("dense", 0, None)]
    assert links("dense", "lstm", {"layer": "skip", "skip": 0}) == []
    # ... unless another layer adds it.
    assert links("dense", {"layer": "skip", "skip": 0}, {"layer": "lstm", "skip": 1}) == [
        ("dense", 0, None),
        ("lstm", 0, 1),
    ]
    # A skip target that is a copy stands for what it copies.
    assert links("dense", "identity", "conv1d", {"layer": "lstm", "skip": 2}) == [
        ("dense", 0, None),
        ("conv1d", 1, None),
        ("lstm", 2, 1),
    ]


def test_a_node_keeps_its_genes() -> None:
    gene = LayerGene("dense", 8, "tanh", 0, 0.1)
    assert live_nodes([gene]) == (Node(gene, 0, 0),)


def test_canonical_form_by_hand() -> None:
    identity = LayerGene("identity")
    genes = plain(
        {"layer": "identity", "width": 64, "activation": "tanh", "dropout": 0.5},
        "dense",
        {"layer": "skip", "skip": 2},
        {"layer": "lstm", "skip": 0},
    )
    expected = (*plain("dense", {"layer": "lstm", "skip": 0}), identity, identity)
    assert canonical_genes(genes) == expected
    # Two branches that are written down in either order.
    one = plain("dense", {"layer": "skip", "skip": 0}, "lstm", {"layer": "conv1d", "skip": 1})
    other = plain(
        "lstm",
        {"layer": "skip", "skip": 0},
        "dense",
        {"layer": "skip", "skip": 1},
        {"layer": "conv1d", "skip": 3},
    )
    assert canonical_genes((*one, identity)) == canonical_genes(other)


def test_one_layer_used_twice_is_not_two_alike() -> None:
    used_twice = plain("dense", "identity", {"layer": "lstm", "skip": 1})
    alike = plain("dense", {"layer": "skip", "skip": 0}, "dense", {"layer": "lstm", "skip": 1})
    assert canonical_genes((*used_twice, *plain("identity"))) != canonical_genes(alike)


@quick
@given(genomes())
def test_the_canonical_form_builds_the_same_network(genes: tuple[LayerGene, ...]) -> None:
    found = canonical_genes(genes)
    assert len(found) == len(genes)
    assert signature(found) == signature(genes)
    assert canonical_genes(found) == found
    assert read_genes([asdict(gene) for gene in found]) == found


@quick
@given(genomes(widths=(4,)), st.integers(0, 5), st.sampled_from([8, 16]))
def test_a_width_matters_where_it_is_used(
    genes: tuple[LayerGene, ...], place: int, width: int
) -> None:
    other = (*genes[:place], replace(genes[place], width=width), *genes[place + 1 :])
    used = signature(other) != signature(genes)
    assert (canonical_genes(other) != canonical_genes(genes)) == used
    if genes[place].layer not in COMPUTING:
        assert not used


def test_networks_and_canonical_forms_are_one_to_one() -> None:
    """All 9,720 genomes of four layers of one kind."""
    forms: defaultdict[Any, set[Any]] = defaultdict(set)
    for layers in itertools.product(("dense", "skip", "identity"), repeat=4):
        for skips in itertools.product(*([None, *range(n)] for n in range(1, 5))):
            genes = tuple(
                LayerGene(layer, skip=skip) for layer, skip in zip(layers, skips, strict=True)
            )
            forms[signature(genes)].add(canonical_genes(genes))
    assert {len(found) for found in forms.values()} == {1}
    assert len(set().union(*forms.values())) == len(forms)
