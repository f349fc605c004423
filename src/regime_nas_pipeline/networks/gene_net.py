"""A network built from a genome: the NAS chapter's search space, with layers that train."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from regime_nas_pipeline.networks.base import ForecastNetwork, GaussianHead, NetworkOutput
from regime_nas_pipeline.networks.gene_layers import ACTIVATIONS, TRANSFORMATIONS
from regime_nas_pipeline.networks.genome import LayerGene, Node, canonical_genes, live_nodes
from regime_nas_pipeline.networks.windows import Batch


class GeneLayer(nn.Module):
    """dropout(activation(transformation(x))) plus the skip target's output.

    Args:
        node: What is built.
        n_inputs: Channels of what it reads.
        n_skipped: Channels of its skip target; None without one. Where they are not the layer's
            width, a linear map without bias joins them.
        attention_heads: Heads of an attention layer.
    """

    def __init__(
        self, node: Node, n_inputs: int, n_skipped: int | None, attention_heads: int
    ) -> None:
        super().__init__()
        width = node.gene.width
        self.transformation = TRANSFORMATIONS[node.gene.layer](n_inputs, width, attention_heads)
        self.activation = ACTIVATIONS[node.gene.activation]
        self.dropout = nn.Dropout(node.gene.dropout)
        self.join: nn.Module = nn.Identity()
        if n_skipped not in {None, width}:
            self.join = nn.Linear(n_skipped or 0, width, bias=False)

    def forward(self, x: Tensor, skipped: Tensor | None, *, last_bar: bool) -> Tensor:
        """Windows (B, M, L, inputs) to (B, M, L, width).

        Args:
            x: What the layer reads.
            skipped: Output of its skip target.
            last_bar: Only the last bar is asked for: (B, M, 1, width).
        """
        if last_bar and not self.transformation.looks_back:
            x = x[:, :, -1:]
        made = self.transformation(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        if last_bar:
            made = made[:, :, -1:]
        state: Tensor = self.dropout(self.activation(made))
        if skipped is not None:
            state = state + self.join(skipped[:, :, -state.shape[2] :])
        return state


class GeneNetwork(ForecastNetwork):
    """Layers as a genome asks for them; the last bar's state gives mean and log-volatility.

    What genes mean is said in :mod:`regime_nas_pipeline.networks.genome`. Only layers that the
    forecast depends on are built, so the network's parameters are the effective ones, and
    genomes with one canonical form are the same network, first weights included.

    Args:
        n_assets: N.
        n_asset_features: F.
        n_market_features: G.
        joint: All assets at once.
        genes: One per layer.
        attention_heads: Heads of every attention layer.

    Raises:
        ParameterError: The heads do not divide the width of an attention layer.
    """

    def __init__(
        self,
        *,
        n_assets: int,
        n_asset_features: int,
        n_market_features: int,
        joint: bool,
        genes: Sequence[LayerGene],
        attention_heads: int,
    ) -> None:
        super().__init__(n_assets=n_assets, n_asset_features=n_asset_features, joint=joint)
        self.nodes = live_nodes(canonical_genes(genes))
        self.last_bar = last_bar_only(self.nodes)
        widths = [self.n_inputs + n_market_features]
        layers = []
        for node in self.nodes:
            skipped = None if node.skip is None else widths[node.skip]
            layers.append(GeneLayer(node, widths[node.source], skipped, attention_heads))
            widths.append(node.gene.width)
        self.layers = nn.ModuleList(layers)
        self.head = GaussianHead(widths[-1], self.n_outputs)

    def forward(self, batch: Batch) -> NetworkOutput:
        """Forecast from the last layer's state at the last bar."""
        states = [self.with_market(batch)]
        for node, layer, last_bar in zip(self.nodes, self.layers, self.last_bar, strict=True):
            skipped = None if node.skip is None else states[node.skip]
            states.append(layer(states[node.source], skipped, last_bar=last_bar))
        mean, log_volatility = self.head(states[-1][:, :, -1])
        return NetworkOutput(mean, log_volatility)


def last_bar_only(nodes: Sequence[Node]) -> tuple[bool, ...]:
    """Of which nodes only the last bar is ever used: the earlier ones need not be computed.

    A layer that looks back needs whole windows of what it reads. Otherwise a layer needs of its
    inputs the bars that are needed of itself, and the forecast needs the last bar.
    """
    whole: set[int] = set()
    for number in range(len(nodes), 0, -1):
        node = nodes[number - 1]
        if number in whole:
            whole |= {node.source} | (set() if node.skip is None else {node.skip})
        elif TRANSFORMATIONS[node.gene.layer].looks_back:
            whole.add(node.source)
    return tuple(number not in whole for number in range(1, len(nodes) + 1))
