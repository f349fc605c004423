"""Forecasts from a network that is given gene by gene."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.inputs import FeatureSet, TargetScale
from regime_nas_pipeline.forecasters.neural import Mode, NeuralForecaster
from regime_nas_pipeline.networks.base import ForecastNetwork
from regime_nas_pipeline.networks.gene_net import GeneNetwork
from regime_nas_pipeline.networks.genome import (
    canonical_genes,
    gene_dimensions,
    live_nodes,
    read_genes,
    split_choices,
)
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.training import TrainingPlan


class GeneForecaster(NeuralForecaster):
    """A network of up to six layers, each of any type: the NAS chapter's search space.

    The genes come from a search over a space with dimensions ``layer1_type``, ``layer1_width``
    and so on; every fit trains the network's weights from scratch. What genes mean is said in
    :mod:`regime_nas_pipeline.networks.genome`. The other arguments are those of
    :class:`NeuralForecaster`.

    Args:
        genes: One per layer, with ``layer`` (its type) and, where they differ from the defaults,
            ``width``, ``activation``, ``skip`` and ``dropout``.
        attention_heads: Heads of every attention layer; they must divide its width.
    """

    def __init__(
        self,
        *,
        horizon: int = 21,
        execution_lag: int = 1,
        mode: Mode = "pooled",
        lookback: int = 63,
        timeframes: tuple[int, ...] = (1, 5, 21),
        features: FeatureSet = "engineered",
        target_scale: TargetScale = "trailing",
        genes: list[dict[str, Any]] | None = None,
        attention_heads: int = 4,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        objective: Objective = Objective(),  # noqa: B008 - frozen
        training: TrainingPlan = TrainingPlan(),  # noqa: B008 - frozen
        n_seeds: int = 3,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        super().__init__(
            horizon=horizon,
            execution_lag=execution_lag,
            mode=mode,
            lookback=lookback,
            timeframes=timeframes,
            features=features,
            target_scale=target_scale,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            objective=objective,
            training=training,
            n_seeds=n_seeds,
            seed=seed,
            device=device,
        )
        self.genes = genes
        self.attention_heads = attention_heads

    @classmethod
    def search_dimensions(cls) -> frozenset[str]:
        """Names that a search space may have beside constructor arguments."""
        return super().search_dimensions() | frozenset(gene_dimensions())

    @classmethod
    def from_choices(cls, choices: Mapping[str, Any]) -> dict[str, Any]:
        """Constructor arguments from a proposal's flat choices.

        Raises:
            ParameterError: The type of a layer is missing, or a gene has an impossible value.
        """
        genes, arguments = split_choices(super().from_choices(choices))
        if genes is not None:
            read_genes(genes)
            arguments["genes"] = genes
        return arguments

    def check_shape(self) -> None:
        """Refuse genes that are none, or heads that do not divide an attention layer's width.

        Raises:
            ParameterError: Names the width and the heads.
        """
        for node in live_nodes(canonical_genes(read_genes(self.genes or []))):
            gene = node.gene
            heads = self.attention_heads
            if gene.layer == "attention" and (heads < 1 or gene.width % heads):
                raise ParameterError(
                    f"genes: an attention layer of width {gene.width} cannot be divided among "
                    f"attention_heads {heads}."
                )

    def build_network(self, sizes: Mapping[str, Any]) -> ForecastNetwork:
        """An untrained network.

        Raises:
            ParameterError: There are no genes, or they do not make a network.
        """
        if self.genes is None:
            raise ParameterError(
                "genes: no network has been found yet; search for one or give 'genes'."
            )
        return GeneNetwork(
            n_assets=sizes["n_assets"],
            n_asset_features=sizes["n_asset_features"],
            n_market_features=len(sizes["market_timeframes"]),
            joint=self.mode == "joint",
            genes=read_genes(self.genes),
            attention_heads=self.attention_heads,
        )
