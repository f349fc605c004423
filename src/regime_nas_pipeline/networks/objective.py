"""The loss that all networks train on, and the terms that only a gated network has."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from regime_nas_pipeline.networks.base import NetworkOutput
from regime_nas_pipeline.networks.windows import Batch


@dataclass(frozen=True)
class Objective:
    """Weights of the loss terms; a weight of 0 switches a term off.

    Attributes:
        volatility_weight: Volatility matching: Gaussian likelihood of the forecast volatility
            around the (fixed) mean forecast.
        smoothness_weight: Transition smoothness: squared change of the gate from one bar to the
            next. Gated networks only.
        label_weight: Cross-entropy of the detector against causal regime labels, where there are
            any. Gated networks only.
    """

    volatility_weight: float = 0.1
    smoothness_weight: float = 0.0
    label_weight: float = 0.0

    def __call__(self, output: NetworkOutput, batch: Batch) -> Tensor:
        """Training loss of a batch, a scalar."""
        loss = prediction_error(output, batch)
        if self.volatility_weight:
            loss = loss + self.volatility_weight * volatility_mismatch(output, batch)
        if self.smoothness_weight and output.gate is not None and output.gate_before is not None:
            change = (output.gate - output.gate_before) ** 2
            loss = loss + self.smoothness_weight * change.sum(dim=-1).mean()
        if self.label_weight and output.regime is not None and batch.regimes is not None:
            loss = loss + self.label_weight * label_disagreement(output.regime, batch.regimes)
        return loss


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the True entries of ``mask``; 0 where there is none."""
    weight = mask.to(values.dtype)
    return (values * weight).sum() / weight.sum().clamp_min(1.0)


def prediction_error(output: NetworkOutput, batch: Batch) -> Tensor:
    """Mean squared error of the mean forecast, in units of scaled targets."""
    return masked_mean((output.mean - batch.target) ** 2, batch.mask)


def volatility_mismatch(output: NetworkOutput, batch: Batch) -> Tensor:
    """Gaussian negative log-likelihood of the volatility, the mean held fixed."""
    error = (batch.target - output.mean.detach()) ** 2
    likelihood = output.log_volatility + 0.5 * error * torch.exp(-2.0 * output.log_volatility)
    return masked_mean(likelihood, batch.mask)


def label_disagreement(regime: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of regime probabilities (B, K) against soft labels; blank labels skipped."""
    known = torch.isfinite(labels).all(dim=-1)
    entropy = -(torch.nan_to_num(labels) * torch.log(regime)).sum(dim=-1)
    return masked_mean(entropy, known)
