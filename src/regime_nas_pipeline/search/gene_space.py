"""The NAS chapter's gene space as data, for every strategy that needs no gradient.

Six layers, each with a type, a width, an activation, a skip target and a dropout rate. What the
genes mean is said in :mod:`regime_nas_pipeline.networks.genome`; all of them build.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.gene_layers import ACTIVATIONS, layer_types
from regime_nas_pipeline.networks.genome import (
    MAX_LAYERS,
    NO_SKIP,
    canonical_genes,
    flat_choices,
    gene_dimensions,
    read_genes,
    split_choices,
)
from regime_nas_pipeline.search.space import Options, Space

WIDTHS = (16, 32, 64, 128, 256)
DROPOUTS = (0.0, 0.1, 0.2, 0.3, 0.5)


def gene_space(layers: int = MAX_LAYERS, *, widths: tuple[int, ...] = WIDTHS) -> Space:
    """The flat space of all genomes: ``layer1_type``, ``layer1_width`` … ``layer6_dropout``.

    The chapter counts i skip targets for layer i (0 to i - 1) and lets a layer go without one;
    here "none" is a value beside them. So the space has Π |T|·|H|·|Σ|·(i + 1)·|D| genomes, of
    which Π |T|·|H|·|Σ|·i·|D| have a skip target in every layer.

    Args:
        layers: Length of a genome, 1 to 6.
        widths: Widths that a layer may have.

    Raises:
        ParameterError: The length is not possible.
    """
    if not 1 <= layers <= MAX_LAYERS:
        raise ParameterError(f"a genome has 1 to {MAX_LAYERS} layers, not {layers}.")
    dimensions = [
        dimension
        for number in range(1, layers + 1)
        for dimension in (
            Options(options=layer_types()),
            Options(options=widths),
            Options(options=tuple(ACTIVATIONS)),
            Options(options=(NO_SKIP, *range(number))),
            Options(options=DROPOUTS),
        )
    ]
    return dict(zip(gene_dimensions(layers), dimensions, strict=True))


def canonical(choices: Mapping[str, Any]) -> dict[str, Any]:
    """The same choices, with the genes replaced by the one genome that builds the same network.

    Two candidates of a search are the same if and only if this is equal for both: genes without
    effect (the width of an identity), layers that reach no forecast and the place of identities
    no longer tell them apart. Choices that are no genes are kept; without any gene the choices
    are returned as they are.

    Raises:
        ParameterError: A gene is missing or its value is not possible.
    """
    genes, others = split_choices(choices)
    if genes is None:
        return others
    return {**others, **flat_choices(canonical_genes(read_genes(genes)))}
