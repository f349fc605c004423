"""Genomes: a network as a sequence of genes, one per layer, and what such a sequence means.

The encoding follows the NAS chapter's search space (layer type, width, activation, skip target,
dropout). Layer 0 is the input window. A layer reads the one before it:

- ``dense``, ``conv1d``, ``lstm``, ``attention``: dropout(activation(transformation(x))), plus the
  output of the skip target where there is one, through a linear map where widths differ;
- ``identity`` passes its input on, so that a genome can be shallower than it is long;
- ``skip`` copies its skip target in place of its input; without a target it is an identity.

The last two have no weights and ignore their other genes. A layer whose output reaches no
forecast (a later ``skip`` copied an earlier one) is not built. So many genomes mean the same
network; :func:`canonical_genes` gives each network one genome.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.gene_layers import ACTIVATIONS, TRANSFORMATIONS, layer_types

MAX_LAYERS = 6
NO_SKIP = "none"

# What a gene is called in a flat space, and here.
_FIELD_OF = {
    "type": "layer",
    "width": "width",
    "activation": "activation",
    "skip": "skip",
    "dropout": "dropout",
}


@dataclass(frozen=True)
class LayerGene:
    """One layer.

    Attributes:
        layer: One of ``gene_layers.layer_types()``.
        width: Channels of its output.
        activation: One of ``gene_layers.ACTIVATIONS``, after the transformation.
        skip: Number of an earlier layer (0 is the input), or None.
        dropout: Share of the activations that is dropped in training.
    """

    layer: str
    width: int = 32
    activation: str = "relu"
    skip: int | None = None
    dropout: float = 0.0


@dataclass(frozen=True)
class Node:
    """A transformation that the forecast depends on.

    Attributes:
        gene: What it computes; its ``skip`` counts layers and is not to be used here.
        source: Number of the node that it reads; 0 is the input.
        skip: Number of the node that is added to its output; or None.
    """

    gene: LayerGene
    source: int
    skip: int | None


def read_genes(genes: Sequence[Mapping[str, Any]]) -> tuple[LayerGene, ...]:
    """Genes from plain values.

    Raises:
        ParameterError: A gene is unknown or missing, or its value is not possible; the message
            names the layer.
    """
    known = [field.name for field in fields(LayerGene)]
    read = []
    for number, gene in enumerate(genes, start=1):
        unknown = sorted(set(map(str, gene)) - set(known))
        if unknown or "layer" not in gene:
            raise ParameterError(
                f"genes, layer {number}: needs 'layer' and may have {', '.join(known[1:])}; it "
                f"has {', '.join(map(str, gene)) or 'nothing'}."
            )
        read.append(LayerGene(**gene))
        _check(read[-1], number)
    return tuple(read)


def _check(gene: LayerGene, number: int) -> None:
    def refuse(name: str, value: object, allowed: str) -> None:
        raise ParameterError(f"genes, layer {number}: {name} {value!r} is not {allowed}.")

    if gene.layer not in layer_types():
        refuse("layer", gene.layer, f"one of {', '.join(layer_types())}")
    if gene.activation not in tuple(ACTIVATIONS):
        refuse("activation", gene.activation, f"one of {', '.join(ACTIVATIONS)}")
    if type(gene.width) is not int or gene.width < 1:
        refuse("width", gene.width, "a whole number of at least 1")
    if gene.skip is not None and (type(gene.skip) is not int or not 0 <= gene.skip < number):
        refuse("skip", gene.skip, f"null or an earlier layer, 0 (the input) to {number - 1}")
    if type(gene.dropout) not in {int, float} or not 0 <= gene.dropout < 1:
        refuse("dropout", gene.dropout, "a number from 0 up to, but not, 1")


def gene_dimensions(layers: int = MAX_LAYERS) -> tuple[str, ...]:
    """Names of the genes in a flat space: ``layer1_type``, ``layer1_width`` and so on."""
    return tuple(f"layer{n}_{name}" for n in range(1, layers + 1) for name in _FIELD_OF)


def split_choices(
    choices: Mapping[str, Any],
) -> tuple[list[dict[str, Any]] | None, dict[str, Any]]:
    """Genes of flat choices, and the choices that are no gene.

    Every layer up to the last one named needs its type. Another gene that a space leaves out has
    :class:`LayerGene`'s default.

    Returns:
        Genes as plain values, None where no choice is one; the other choices.

    Raises:
        ParameterError: The type of a layer is missing.
    """
    others = dict(choices)
    found: dict[int, dict[str, Any]] = {}
    for name in set(gene_dimensions()) & set(choices):
        layer, _, gene = name.partition("_")
        value = others.pop(name)
        found.setdefault(int(layer.removeprefix("layer")), {})[_FIELD_OF[gene]] = (
            None if gene == "skip" and value == NO_SKIP else value
        )
    if not found:
        return None, others
    for number in range(1, max(found) + 1):
        if "layer" not in found.get(number, {}):
            raise ParameterError(
                f"the space has genes up to layer {max(found)} and no layer{number}_type; every "
                "layer up to the last needs its type."
            )
    defaults = {field.name: field.default for field in fields(LayerGene)}
    return [{**defaults, **found[number]} for number in range(1, max(found) + 1)], others


def flat_choices(genes: Sequence[LayerGene]) -> dict[str, Any]:
    """Genes as choices of a flat space; the inverse of :func:`split_choices`."""
    values = {
        f"layer{number}_{name}": getattr(gene, field)
        for number, gene in enumerate(genes, start=1)
        for name, field in _FIELD_OF.items()
    }
    return {name: NO_SKIP if value is None else value for name, value in values.items()}


def live_nodes(genes: Sequence[LayerGene]) -> tuple[Node, ...]:
    """The transformations that the last layer's output depends on, in their order.

    Returns:
        Nodes, numbered from 1; the last of them is what the last layer gives. None where the
        last layer passes on the input itself.
    """
    # Which layer made what each layer gives: itself, or an earlier one behind copies.
    maker = [0]
    for number, gene in enumerate(genes, start=1):
        if gene.layer in TRANSFORMATIONS:
            maker.append(number)
        elif gene.layer == "skip" and gene.skip is not None:
            maker.append(maker[gene.skip])
        else:
            maker.append(maker[-1])
    wanted, alive = {maker[-1]}, []
    for number in range(len(genes), 0, -1):
        if number in wanted:
            alive.append(number)
            target = genes[number - 1].skip
            wanted |= {maker[number - 1]} | (set() if target is None else {maker[target]})
    place = {0: 0} | {number: k for k, number in enumerate(reversed(alive), start=1)}
    return tuple(
        Node(gene, place[maker[n - 1]], None if gene.skip is None else place[maker[gene.skip]])
        for n, gene in enumerate(genes, start=1)
        if n in place
    )


def canonical_genes(genes: Sequence[LayerGene]) -> tuple[LayerGene, ...]:
    """The one genome, of the same length, that stands for all that build the same network.

    Transformations come first, in the order that needs the fewest copies (of such orders, the
    first by value), then identities. Genomes that differ in the order of branches count as the
    same; networks that agree as functions for some weights alone do not.
    """
    nodes = live_nodes(genes)
    best = min(
        (_encoded(nodes, order) for order in _orders(nodes)),
        key=lambda found: (len(found), [_sortable(gene) for gene in found]),
    )
    return (*best, *[LayerGene("identity")] * (len(genes) - len(best)))


def _orders(nodes: Sequence[Node], placed: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Every order of node numbers in which each comes after what it needs."""
    if len(placed) == len(nodes):
        yield placed
    for number, node in enumerate(nodes, start=1):
        needed = {node.source, node.skip or 0} - {0}
        if number not in placed and needed <= set(placed):
            yield from _orders(nodes, (*placed, number))


def _encoded(nodes: Sequence[Node], order: Sequence[int]) -> list[LayerGene]:
    """Genes that build ``nodes`` in ``order``: a copy wherever a node reads another than the last.

    In the order of the genome that the nodes come from, that takes no more genes than it has:
    there, too, only a copy can make a layer read another one than the last.
    """
    genes: list[LayerGene] = []
    place = {0: 0}
    for number in order:
        node = nodes[number - 1]
        if place[node.source] != len(genes):
            genes.append(LayerGene("skip", skip=place[node.source]))
        target = None if node.skip is None else place[node.skip]
        genes.append(replace(node.gene, skip=target))
        place[number] = len(genes)
    return genes


def _sortable(gene: LayerGene) -> tuple[Any, ...]:
    return tuple(-1 if value is None else value for value in asdict(gene).values())
