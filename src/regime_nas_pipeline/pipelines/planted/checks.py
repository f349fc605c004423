"""What is refused about the planted experiment's parameters before anything runs."""

from __future__ import annotations

from typing import Any

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.params import check_arguments
from regime_nas_pipeline.forecasters.base import Forecaster
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.pipelines.checks import most_demanding
from regime_nas_pipeline.walkforward.candidates import build_candidate
from regime_nas_pipeline.walkforward.feasibility import (
    check_budget,
    check_combinations,
    finds_cells,
)
from regime_nas_pipeline.walkforward.parameters import Compute
from regime_nas_pipeline.walkforward.planted.cells import cell_arguments
from regime_nas_pipeline.walkforward.planted.parameters import Planted, PlantedForecaster
from regime_nas_pipeline.walkforward.tuning import check_space


def check_planted(planted: Planted, compute: Compute) -> None:
    """Check what depends on more than one block: arguments, spaces, budgets and history.

    Raises:
        ParameterError: Names the parameter.
    """
    _check_training(planted)
    for name, choice in planted.forecasters.items():
        for track in planted.tracks:
            try:
                cls, arguments = cell_arguments(choice, planted, track, compute, seed=0)
                _check_search(cls, arguments, choice, planted)
                _check_built(_built(cls, {**arguments, **most_demanding(choice.space)}), planted)
            except ParameterError as error:
                raise ParameterError(f"planted.forecasters.{name}: {error}") from error


def _check_search(
    cls: type[Forecaster], arguments: dict[str, Any], choice: PlantedForecaster, planted: Planted
) -> None:
    """A network has a space that can be searched within the budget; nothing else has one."""
    if not issubclass(cls, NeuralForecaster):
        if choice.space or choice.strategy or choice.cell_method:
            raise ParameterError(
                f"{cls.__name__} is not searched; leave out space, strategy and cell_method."
            )
        return
    if not choice.space:
        raise ParameterError(
            f"{cls.__name__} needs a space, since all networks are tuned at equal budget."
        )
    check_space(cls, choice.space)
    check_combinations(cls, arguments, choice.space)
    search = choice.own_search(planted.search)
    check_budget(
        search,
        planted.training.batch_dates,
        planted.markets.n_assets,
        cells=finds_cells(cls, choice.space),
    )


def _built(cls: type[Forecaster], arguments: dict[str, Any]) -> Forecaster:
    if issubclass(cls, NeuralForecaster):
        forecaster: Forecaster = build_candidate(cls, arguments, {})
        return forecaster
    return cls(**check_arguments(cls, arguments))


def _check_built(forecaster: Forecaster, planted: Planted) -> None:
    if forecaster.required_regimes():
        raise ParameterError("label_weight must be 0: nobody is told the planted regimes.")
    search, training = planted.search, planted.training
    held_back = max(training.validation_fraction, search.cell_search.alpha_fraction)
    fitted = planted.markets.fit_bars * (1.0 - search.validation_fraction)
    needed, shortest = forecaster.required_history(), int(fitted * (1.0 - held_back))
    if needed + 1 >= shortest:
        raise ParameterError(
            f"needs {needed} bars before its first forecast, and the shortest training part that "
            f"planted.markets.fit_bars leaves has {shortest}. Raise fit_bars or shorten the "
            "lookback."
        )


def _check_training(planted: Planted) -> None:
    training, n_assets = planted.training, planted.markets.n_assets
    batch = training.batch_dates * n_assets
    if training.max_samples < batch:
        raise ParameterError(
            f"planted.training.max_samples is {training.max_samples} gradient samples and one "
            f"batch of batch_dates {training.batch_dates} on {n_assets} assets takes {batch}. "
            "Raise it."
        )
