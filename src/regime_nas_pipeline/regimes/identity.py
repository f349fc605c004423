"""Which regime of a refit is which regime of the fit before."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from regime_nas_pipeline.core.errors import ParameterError


def match_regimes(
    reference: np.ndarray, candidate: np.ndarray, *, scale: np.ndarray
) -> tuple[int, ...]:
    """Match regimes one to one so that their parameters differ least in total.

    The cost of a pair is the squared distance of its parameters, each in units of ``scale``; the
    assignment with the smallest sum is found by the Hungarian method.

    Args:
        reference: Parameters of the K known regimes, (K, D).
        candidate: Parameters of the K regimes of another fit, (K, D).
        scale: Unit of each parameter, (D,), positive.

    Returns:
        For each known regime the row of ``candidate`` that is the same one, (K,).

    Raises:
        ParameterError: The shapes differ, a number is not finite, or a unit is not positive.

    Source: Kuhn, H. W. (1955). The Hungarian Method for the Assignment Problem. Naval Research
    Logistics Quarterly 2.
    """
    if reference.shape != candidate.shape or scale.shape != reference.shape[1:]:
        raise ParameterError(
            f"regimes with parameters {reference.shape} cannot be matched with "
            f"{candidate.shape} in units {scale.shape}."
        )
    if not (np.isfinite(reference).all() and np.isfinite(candidate).all() and (scale > 0).all()):
        raise ParameterError("regimes need finite parameters and positive units to be matched.")
    offsets = (reference[:, None, :] - candidate[None, :, :]) / scale
    _, columns = linear_sum_assignment((offsets**2).sum(axis=2))
    return tuple(int(column) for column in columns)
