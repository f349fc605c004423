"""One number that makes a classifier as sure as it is right: temperature scaling."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar

LIMIT = 4.0
"""The temperature is kept between 1/4 and 4: a tail of few spells must not decide everything."""


def log_loss(probabilities: np.ndarray, classes: np.ndarray) -> float:
    """Mean of -log of the probabilities (D, K) that came true, (D,) int."""
    chosen = probabilities[np.arange(len(classes)), classes]
    return float(-np.log(np.maximum(chosen, np.finfo(float).tiny)).mean())


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities (D, K) in proportion to p^(1 / temperature); above 1 they are less sure."""
    logarithms = np.log(np.maximum(probabilities, np.finfo(float).tiny)) / temperature
    weights = np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def fit_temperature(probabilities: np.ndarray, classes: np.ndarray) -> float:
    """The temperature with the lowest log loss, from 1/4 to 4.

    Where only one class came true nothing says how sure to be of the others: it is then 1.

    Args:
        probabilities: Of each class, (D, K); of several networks, their mean.
        classes: Number of the class that came true, (D,) int.

    Source: Guo, C., Pleiss, G., Sun, Y. and Weinberger, K. Q. (2017). On Calibration of Modern
    Neural Networks. ICML. Averaged before scaled, as in Rahaman, R. and Thiery, A. H. (2021).
    Uncertainty Quantification and Deep Ensembles. NeurIPS.
    """
    if len(np.unique(classes)) < 2:
        return 1.0
    bound = np.log(LIMIT)
    found = minimize_scalar(
        lambda logarithm: log_loss(tempered(probabilities, float(np.exp(logarithm))), classes),
        bounds=(-bound, bound),
        method="bounded",
    )
    return float(np.exp(found.x))
