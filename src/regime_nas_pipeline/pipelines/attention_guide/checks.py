"""Checks of the attention guide's parameters that its block alone cannot make."""

from __future__ import annotations

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.base import Forecaster
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.forecasters.sklearn import ScikitLearnForecaster
from regime_nas_pipeline.forecasters.sklearn_models import make_regressor
from regime_nas_pipeline.pipelines.attention_guide.parameters import GuideExperiment
from regime_nas_pipeline.walkforward.attention_guide import network_of
from regime_nas_pipeline.walkforward.parameters import Compute, WalkForward


def check_guide(guide: GuideExperiment, walk_forward: WalkForward, compute: Compute) -> None:
    """Refuse forecasters that could not be fitted, and a budget too small for one batch.

    Raises:
        ParameterError: Names the parameter.
    """
    training = guide.training
    if training.max_samples < training.batch_dates:
        raise ParameterError(
            f"attention_guide.training.max_samples is {training.max_samples} gradient samples and "
            f"one batch of batch_dates {training.batch_dates} takes as many. Raise it."
        )
    forecasters = guide.build(walk_forward, compute)
    for name, forecaster in forecasters.items():
        try:
            _check(forecaster)
        except ParameterError as error:
            raise ParameterError(f"attention_guide.forecasters.{name}: {error}") from error
        needed = forecaster.required_history()
        if needed >= guide.first_training_bars:
            raise ParameterError(
                f"attention_guide.first_training_bars is {guide.first_training_bars} and {name} "
                f"needs {needed} bars (lookback and warm-up of its features) before its first "
                "window. Raise first_training_bars or shorten the lookback."
            )
    if guide.inspected is not None:
        try:
            network_of(forecasters, guide.inspected)
        except ParameterError as error:
            raise ParameterError(f"attention_guide.inspected: {error}") from error


def _check(forecaster: Forecaster) -> None:
    if isinstance(forecaster, NeuralForecaster):
        forecaster.check_shape()
    if isinstance(forecaster, ScikitLearnForecaster):
        make_regressor(forecaster.regressor, forecaster.arguments or {}, forecaster.seed)
