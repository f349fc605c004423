"""The loss that all networks train on, and the terms that only a gated network has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from regime_nas_pipeline.networks.base import NetworkOutput
from regime_nas_pipeline.networks.windows import Batch

BatchError = Callable[[Any, Batch], Tensor]
"""Mean error over the True entries of a batch's mask, from what a network says of the batch."""


class Loss(Protocol):
    """What training minimises: :class:`Objective` for forecasts."""

    def __call__(self, output: Any, batch: Batch) -> Tensor:
        """Training loss of a batch without :meth:`penalty`, a scalar."""

    def penalty(self, network: nn.Module) -> Tensor:
        """The terms that depend on the weights alone, a scalar."""


@dataclass(frozen=True)
class Objective:
    """Weights of the loss terms; a weight of 0 switches a term off.

    Attributes:
        volatility_weight: Volatility matching: Gaussian likelihood of the forecast volatility
            around the (fixed) mean forecast.
        ranking_weight: Order of the assets at each bar: pairwise logistic loss.
        smoothness_weight: Transition smoothness: squared change of the gate from one bar to the
            next. Gated networks only.
        label_weight: Cross-entropy of the detector against causal regime labels, where there are
            any. Gated networks only.
        lipschitz_weight: Mean squared spectral norm of the weight matrices.
        l1_weight: Sum of absolute weights.
        l2_weight: Sum of squared weights. AdamW's weight decay is another thing: it shrinks every
            weight by the same factor however large its gradients are.
    """

    volatility_weight: float = 0.1
    ranking_weight: float = 0.0
    smoothness_weight: float = 0.0
    label_weight: float = 0.0
    lipschitz_weight: float = 0.0
    l1_weight: float = 0.0
    l2_weight: float = 0.0

    def __call__(
        self, output: NetworkOutput, batch: Batch, network: nn.Module | None = None
    ) -> Tensor:
        """Training loss of a batch without :meth:`penalty`, a scalar."""
        loss = prediction_error(output, batch)
        if self.volatility_weight:
            loss = loss + self.volatility_weight * volatility_mismatch(output, batch)
        if self.ranking_weight:
            loss = loss + self.ranking_weight * ranking_error(output, batch)
        if self.smoothness_weight and output.gate is not None and output.gate_before is not None:
            change = (output.gate - output.gate_before) ** 2
            loss = loss + self.smoothness_weight * change.sum(dim=-1).mean()
        if self.label_weight and output.regime is not None and batch.regimes is not None:
            loss = loss + self.label_weight * label_disagreement(output.regime, batch.regimes)
        return loss

    def penalty(self, network: nn.Module) -> Tensor:
        """The terms that depend on the weights alone, a scalar."""
        total = next(network.parameters()).new_zeros(())
        if self.lipschitz_weight:
            total = total + self.lipschitz_weight * mean_squared_norm(network)
        if self.l1_weight:
            total = total + self.l1_weight * sum(p.abs().sum() for p in network.parameters())
        if self.l2_weight:
            total = total + self.l2_weight * sum((p**2).sum() for p in network.parameters())
        return total


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the True entries of ``mask``; 0 where there is none."""
    weight = mask.to(values.dtype)
    return (values * weight).sum() / weight.sum().clamp_min(1.0)


def prediction_error(output: NetworkOutput, batch: Batch) -> Tensor:
    """Mean squared error of the mean forecast, in units of scaled targets, weighted if asked."""
    square = (output.mean - batch.target) ** 2
    return masked_mean(square if batch.weight is None else batch.weight * square, batch.mask)


def volatility_mismatch(output: NetworkOutput, batch: Batch) -> Tensor:
    """Gaussian negative log-likelihood of the volatility, the mean held fixed."""
    error = (batch.target - output.mean.detach()) ** 2
    likelihood = output.log_volatility + 0.5 * error * torch.exp(-2.0 * output.log_volatility)
    return masked_mean(likelihood, batch.mask)


def ranking_error(output: NetworkOutput, batch: Batch) -> Tensor:
    """Mean of log(1 + exp(-(difference of forecasts))) over pairs, in the order that came.

    Pairs of assets of the same bar; after Burges et al. 2005 (RankNet). Ties do not count.
    """
    higher = batch.target[:, :, None] > batch.target[:, None, :]
    pairs = higher & batch.mask[:, :, None] & batch.mask[:, None, :]
    difference = output.mean[:, :, None] - output.mean[:, None, :]
    return masked_mean(functional.softplus(-difference), pairs)


def label_disagreement(regime: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of regime probabilities (B, K) against soft labels; blank labels skipped."""
    known = torch.isfinite(labels).all(dim=-1)
    entropy = -(torch.nan_to_num(labels) * torch.log(regime)).sum(dim=-1)
    return masked_mean(entropy, known)


def mean_squared_norm(network: nn.Module) -> Tensor:
    """Mean over weight matrices of the squared largest singular value.

    Spectral norm regularisation (Yoshida and Miyato 2017, arXiv 1705.10941). It bounds nothing
    by itself; a limit that holds is set by ``lipschitz_limit``.
    """
    norms = [
        torch.linalg.matrix_norm(weight.flatten(1), ord=2) ** 2
        for weight in network.parameters()
        if weight.ndim >= 2
    ]
    return torch.stack(norms).mean()
