"""Names for people: how a strategy is called wherever somebody reads about it."""

from __future__ import annotations

from dataclasses import dataclass

_DISPLAY_NAMES = {
    "regime_nas": "RegimeNAS",
    "gru": "GRU",
    "transformer": "Transformer",
    "garch": "GARCH",
    "momentum": "Momentum",
    "equal_weight": "Equal weight",
    "mvo_flat": "Minimum variance",
    "buy_and_hold": "Buy and hold",
    "no_change": "No-change forecast",
    "mlp": "MLP",
    "linear": "Linear",
    "oracle": "Hamilton filter",
    "uniform_gate": "RegimeNAS with equal blocks",
    "random_search": "RegimeNAS by random search",
    "calm_only": "Calm only",
    "levered": "Levered",
    "probability_weighted": "Probability weighted",
    "volatility_target": "Volatility target",
    "ridge": "Ridge",
    "random_forest": "Random forest",
    "gradient_boosting": "Gradient boosting",
    "kmeans": "K-means",
    "gaussian_mixture": "Gaussian mixture",
    "markov": "Hidden Markov model",
    "jump": "Jump model",
    "volatility_threshold": "Volatility threshold",
    "classifier": "Classifier",
}

_INSIDE_SENTENCES = {
    "momentum": "momentum",
    "equal_weight": "equal weight",
    "mvo_flat": "minimum variance",
    "buy_and_hold": "buy and hold",
    "no_change": "the no-change forecast",
    "calm_only": "calm only",
    "levered": "levered",
    "probability_weighted": "probability weighted",
    "volatility_target": "volatility target",
    "ridge": "ridge",
    "random_forest": "random forest",
    "gradient_boosting": "gradient boosting",
    "gaussian_mixture": "the Gaussian mixture",
    "markov": "the hidden Markov model",
    "jump": "the jump model",
    "volatility_threshold": "the volatility threshold",
    "classifier": "the classifier",
}
"""Names made of plain words, which have no capital inside a sentence."""


def display_name(name: str) -> str:
    """The name of a strategy for people; one that is not known is only freed of underscores."""
    return _DISPLAY_NAMES.get(name, name.replace("_", " "))


def name_in_sentence(name: str) -> str:
    """The name of a strategy for people, as it stands inside a sentence."""
    return _INSIDE_SENTENCES.get(name, display_name(name))


@dataclass(frozen=True)
class Measure:
    """What a measure is called, and the side on which it is better: 1 larger, -1 smaller."""

    label: str
    side: int


COMPARED_MEASURES = {
    "theil_u": Measure("Theil's U", -1),
    "r2_zero": Measure("R² against zero", 1),
    "rank_ic": Measure("Rank IC", 1),
    "sharpe": Measure("Sharpe ratio", 1),
}
"""Measures that variants of one network are compared on."""
