"""Slopes of attention over tokens that lie in a ball, without biases on queries and keys.

Dot-product attention has no bound on all of space (Kim, Papamakarios and Mnih 2021, arXiv
2006.04710): tokens must first be clipped onto a ball of radius R, which adds no slope. A bias on
the values, or a constant added to the logits (a mask, a preference for recent bars), changes no
derivative's bound below, since none uses more of the weights p than that they sum to one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from regime_nas_pipeline.networks.lipschitz.linear import Array, as_array, spectral_norm
from regime_nas_pipeline.networks.lipschitz.slope import Slope, times


def self_attention_slope(
    query: Tensor | Array,
    key: Tensor | Array,
    value: Tensor | Array,
    output: Tensor | Array,
    *,
    heads: int,
    length: int,
    radius: float,
) -> Slope:
    """Slope of multi-head self-attention, causal or not; ``last`` holds at every token.

    With A = W_q' W_k / sqrt(d), logits s_ij = x_i' A x_j and m_i the mean of the tokens under
    p_i, a head's derivative at token i is V times the sum of
    (1) sum_j p_ij dx_j,
    (2) sum_j p_ij (x_j - m_i) x_i' A dx_j,
    (3) Cov_i A' dx_i with the covariance of the tokens under p_i, at most R^2.
    By Cauchy-Schwarz (1) and (2) are at most (1 + |A| R^2) sqrt(sum_j p_ij |dx_j|^2), where
    sum_j p_ij |x_j - m_i|^2 <= R^2 is used. Summed over i, the weights of one token sum to n at
    most: |V| (sqrt(n) (1 + |A| R^2) + |A| R^2) over all tokens and |V| (1 + 2 |A| R^2) at one.
    Heads stand side by side before ``output``: |W_o| sqrt(sum of squares). See
    :func:`_side_by_side` for what (1) adds up to over the heads.

    Args:
        query: (W, D) weights; head h owns the rows h d ... (h + 1) d, d = W / heads.
        key: Likewise.
        value: Likewise.
        output: (D, W) weights applied to the heads side by side.
        heads: Number of heads.
        length: Tokens, n.
        radius: Of the ball that tokens are clipped onto, R.
    """
    bends = [
        times(spectral_norm(q.T @ k) / math.sqrt(len(q)), radius**2)
        for q, k in zip(_heads(query, heads), _heads(key, heads), strict=True)
    ]
    root, after = math.sqrt(length), spectral_norm(output)
    window = _side_by_side(value, root, [(root + 1.0) * bend for bend in bends])
    at_one = _side_by_side(value, 1.0, [2.0 * bend for bend in bends])
    return Slope(times(after, window), times(after, at_one), local=length == 1)


@dataclass(frozen=True)
class PoolSlope:
    """Bounds on the pooled token's change.

    Attributes:
        of_all: Over the changes of all tokens as one vector.
        of_largest: Over the largest change of a token.
    """

    of_all: float
    of_largest: float

    def after(self, inner: Slope) -> float:
        """Slope of pooling what ``inner`` makes, whose ``last`` must hold at every token."""
        return min(times(self.of_all, inner.window), times(self.of_largest, inner.last))


def pooled_attention_slope(
    logits: Tensor | Array, value: Tensor | Array, output: Tensor | Array, *, radius: float
) -> PoolSlope:
    """Slope of attention by a learned query, one per head, from all tokens to the pooled one.

    Logits are a' x_j: terms (1) and (2) of :func:`self_attention_slope` with ``a`` in the place
    of A' x_i and no term (3), |V| (1 + |a| R) for a head. Both are averages under p, so that this
    bounds the change by the largest |dx_j|, too.

    Args:
        logits: (heads, W) the vector a of each head: W_k' q / sqrt(d).
        value: (D, W) weights; head h owns the rows h d ... (h + 1) d.
        output: (W, D) weights applied to the heads side by side.
        radius: Of the ball that tokens are clipped onto, R.
    """
    bends = [times(spectral_norm(a[None]), radius) for a in as_array(logits)]
    after = spectral_norm(output)
    together = _side_by_side(value, 1.0, bends)
    return PoolSlope(times(after, together), times(after, _head_by_head(value, 1.0, bends)))


def _head_by_head(value: Tensor | Array, plain: float, bends: list[float]) -> float:
    """sqrt(sum_h |V_h|^2 (plain + bend_h)^2): ``plain`` from (1), ``bends`` from the rest."""
    pairs = zip(_heads(value, len(bends)), bends, strict=True)
    return math.hypot(*(times(spectral_norm(head), plain + bend) for head, bend in pairs))


def _side_by_side(value: Tensor | Array, plain: float, bends: list[float]) -> float:
    """Bound of all heads before the output layer, against the changes of all tokens.

    The heads' terms (1) together are no larger than plain |V|: with what the weights of all
    heads make of dx, their Gram matrix is the entrywise product of V V' and the weights' own Gram
    matrix, whose diagonal is at most one, and such a product with a positive semi-definite matrix
    has no larger norm (Schur). Over n tokens the first factor is repeated n times n, hence
    sqrt(n). The smaller of this and the bound head by head is taken.
    """
    together = plain * spectral_norm(value) + _head_by_head(value, 0.0, bends)
    return min(together, _head_by_head(value, plain, bends))


def _heads(matrix: Tensor | Array, heads: int) -> Array:
    array = as_array(matrix)
    return array.reshape(heads, array.shape[0] // heads, array.shape[1])
