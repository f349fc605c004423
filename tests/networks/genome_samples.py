"""Genomes that the gene network's tests share, and what a genome means, spelled out again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from regime_nas_pipeline.networks.gene_layers import ACTIVATIONS
from regime_nas_pipeline.networks.genome import LayerGene

COMPUTING = ("dense", "conv1d", "lstm", "attention")


def genomes(
    *, layers: int = 6, widths: Sequence[int] = (4, 8), activations: Sequence[str] | None = None
) -> st.SearchStrategy[tuple[LayerGene, ...]]:
    """Random genomes of six layers; widths divide by four."""
    return st.tuples(
        *[
            st.builds(
                LayerGene,
                layer=st.sampled_from((*COMPUTING, "skip", "identity")),
                width=st.sampled_from(widths),
                activation=st.sampled_from(tuple(activations or ACTIVATIONS)),
                skip=st.sampled_from([None, *range(number)]),
                dropout=st.sampled_from([0.0, 0.5]),
            )
            for number in range(1, layers + 1)
        ]
    )


def signature(genes: Sequence[LayerGene]) -> Any:
    """What the last layer computes, as a nested tuple, the same for the same network alone.

    Transformations carry the number of their first visit, so that one that is used twice is told
    from two alike. It walks from the output to the input, unlike the code that is tested.
    """
    visited: dict[int, int] = {}

    def output(number: int) -> Any:
        if number == 0:
            return "input"
        gene = genes[number - 1]
        if gene.layer == "identity":
            return output(number - 1)
        if gene.layer == "skip":
            return output(number - 1 if gene.skip is None else gene.skip)
        reads = output(number - 1)
        adds = None if gene.skip is None else output(gene.skip)
        name = visited.setdefault(number, len(visited))
        return (name, gene.layer, gene.width, gene.activation, gene.dropout, reads, adds)

    return output(len(genes))


def plain(*genes: Mapping[str, Any] | str) -> tuple[LayerGene, ...]:
    """Genes from short descriptions: a layer type, or its genes; four channels by default."""
    made = [{"layer": gene} if isinstance(gene, str) else dict(gene) for gene in genes]
    return tuple(LayerGene(**{"width": 4, **gene}) for gene in made)
