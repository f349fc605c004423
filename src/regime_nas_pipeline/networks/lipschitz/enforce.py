"""A limit on the certified Lipschitz constant, kept by changing the weights after each step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import torch

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.base import ForecastNetwork
from regime_nas_pipeline.networks.lipschitz.certify import (
    certified_bound,
    mean_weight,
)
from regime_nas_pipeline.networks.lipschitz.linear import spectral_norm
from regime_nas_pipeline.networks.lipschitz.shrinking import Layer, shrink, shrinkable_layers
from regime_nas_pipeline.networks.regime_net import RegimeNet


@dataclass(frozen=True)
class LipschitzLimit:
    """Puts weights back under a limit: called with a network after each optimiser step.

    First every layer is brought under ``layer_cap``: a linear one by W min(1, cap / σ), attention
    and recurrent layers by shrinking all their weights by one factor. Then the weights of the
    mean forecast, which come last, are scaled so that the certificate of the whole network is at
    most ``limit``. Without the first step the product over the layers would grow without end
    while the last layer shrinks.

    Attributes:
        limit: Largest certified constant, above 0.
        lookback: Bars in a window, L.
        n_assets: Largest number of assets, N.
        layer_cap: Largest slope of one layer, above 0; infinite for none.
    """

    limit: float
    lookback: int
    n_assets: int
    layer_cap: float = 1.0

    def __post_init__(self) -> None:
        """Refuse limits that are not positive."""
        for name in ("limit", "layer_cap"):
            value = getattr(self, name)
            if not value > 0.0:
                raise ParameterError(f"{name} must be above 0 and is {value}.")

    @torch.no_grad()
    def __call__(self, network: ForecastNetwork) -> None:
        """Change ``network`` in place so that its certificate is at most the limit.

        Raises:
            ParameterError: The network is no RegimeNet or holds a part without a bound.
        """
        if not isinstance(network, RegimeNet):
            raise ParameterError(
                f"a Lipschitz limit is known for RegimeNet and not for {type(network).__name__}; "
                "leave lipschitz_limit out."
            )
        for layer in shrinkable_layers(network, self.lookback):
            shrink(layer, self.layer_cap)
        certificate = certified_bound(network, lookback=self.lookback, n_assets=self.n_assets)
        if not math.isfinite(certificate.total):
            found = "; ".join(certificate.unbounded) or "weights that are not finite numbers"
            raise ParameterError(
                f"no Lipschitz limit can be kept, because these have no bound: {found}. Search "
                "without them, or leave lipschitz_limit out."
            )
        before_output = certificate.parts["mixture"] * certificate.parts["head"]
        if certificate.total > self.limit:
            weight = mean_weight(network)
            shrink(
                Layer([weight], partial(spectral_norm, weight), proportional=True),
                self.limit / before_output,
            )
