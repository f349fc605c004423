"""Slopes of the evidence gate and of a mixture of blocks that it weighs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from regime_nas_pipeline.networks.lipschitz.slope import times

# With e = exp(logits), S = Σe + 3 and q = e/S, the gate g = (e + 1)/S has the derivative
# (1 - g 1') diag(q), and q <= g. (The softmax is the case q = g.) For a pattern s of signs, of
# which the positive ones have the gates' share π, entry j of s' times the derivative is
# q_j (s_j - (2π - 1)): 2 (1 - π) q_j or -2 π q_j. Their squares add up to at most
# 4 ((1 - π)² π² + π² (1 - π)²) = 8 π² (1 - π)² <= 1/2. Two regimes with all the evidence, half
# each, come as close as one likes.
GATE_SLOPE_TO_SUM = math.sqrt(0.5)
"""Slope from logits to the gate, whose changes are added up in size; softened by doubt or not."""


def mixture_slope(blocks: Sequence[float], *, output_norm: float, gate: float) -> float:
    """Slope of Σ_k g_k(x) f_k(x), with weights g that are positive and sum to one.

    Its derivative is Σ g_k df_k + Σ dg_k f_k: at most the largest block's slope, plus |dg|_1
    times the largest norm of a block's output.

    Args:
        blocks: Slope of each block.
        output_norm: Largest Euclidean norm of a block's output; infinite without a clip. Outputs
            of n values clipped one by one to ±c give c sqrt(n); M assets whose states are clipped
            onto a ball of radius R give R sqrt(M).
        gate: Slope of the gate in the same input, its changes added up in size (ℓ1).
    """
    return max(blocks) + times(output_norm, gate)
