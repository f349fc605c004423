"""Bayesian optimisation by Optuna's Gaussian process (expected improvement or hypervolume).

Each proposal asks a fresh sampler about a fresh in-memory study that holds the trials so far, so
it depends on them and the seed alone. No convergence rate is documented for the sampler and none
is claimed; mixed with uniform exploration, every candidate of a finite space is tried in the end.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import GPSampler
from optuna.trial import TrialState, create_trial
from threadpoolctl import threadpool_limits

from regime_nas_pipeline.networks.training import single_threaded
from regime_nas_pipeline.search.random_search import tried_so_far
from regime_nas_pipeline.search.space import Interval, Options, Space
from regime_nas_pipeline.search.trials import (
    OuterSettings,
    Proposal,
    Trial,
    objective_values,
    own_generator,
    trial_seed,
)
from regime_nas_pipeline.search.tried import Candidates


class BayesianProposer:
    """Proposes where a Gaussian process expects the largest improvement.

    Trials without an outcome yet are known to it as running, so a batch spreads out. Where it
    proposes a candidate of a finite space that was tried already, the nearest one that was not
    is proposed instead.

    Args:
        candidates: Of the space.
        settings: Objectives.
        seed: Of the search.
    """

    def __init__(self, candidates: Candidates, settings: OuterSettings, seed: int) -> None:
        self._candidates, self._settings, self._seed = candidates, settings, seed
        self._surrogate = _Surrogate(candidates.space)

    def propose(
        self, number: int, history: Sequence[Trial], pending: Sequence[Proposal]
    ) -> dict[str, Any]:
        """See ``trials.Proposer``."""
        generator = own_generator(self._seed, number, 0)
        tried = tried_so_far(self._candidates, history, pending)
        if not history or not self._surrogate.distributions:
            return tried.random(generator)
        objectives = self._settings.objectives
        costs = learnable(objective_values(history, objectives), objectives)
        study = optuna.create_study(
            directions=["minimize"] * costs.shape[1],
            sampler=GPSampler(seed=trial_seed(self._seed, number), n_startup_trials=1),
        )
        for trial, values in zip(history, costs, strict=True):
            study.add_trial(self._surrogate.finished(trial.proposal.choices, values))
        for proposal in pending:
            study.add_trial(self._surrogate.running(proposal.choices))
        # One thread: several only wait for each other on matrices of this size, they would take the
        # cores on which other trials train, and their sums round differently.
        with warnings.catch_warnings(), threadpool_limits(limits=1), single_threaded(0):
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            asked = study.ask(self._surrogate.distributions)
        return tried.nearest(self._surrogate.choices(asked.params), generator)


def learnable(costs: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Costs as the Gaussian process can learn them, trials × objectives called ``names``.

    What is infinite becomes the worst that is known. Every objective but the error that is
    positive throughout enters as its logarithm: sizes and constants differ by powers of ten. Both
    keep the order, and with it the Pareto front.
    """
    table = costs.copy()
    for name, values in zip(names, table.T, strict=True):
        known = np.isfinite(values)
        worst = values[known].max() if known.any() else 0.0
        values[~known] = worst
        if name != "error" and values.min() > 0:
            np.log(values, out=values)
    return table


class _Surrogate:
    """The space as the Gaussian process sees it: ordered options are steps of a scale."""

    def __init__(self, space: Space) -> None:
        self._space = space
        free = {name: dimension for name, dimension in space.items() if dimension.size() > 1}
        self.distributions = {name: _distribution(each) for name, each in free.items()}

    def finished(self, choices: Mapping[str, Any], values: np.ndarray) -> optuna.trial.FrozenTrial:
        return create_trial(
            state=TrialState.COMPLETE,
            values=values.tolist(),
            params=self._params(choices),
            distributions=self.distributions,
        )

    def running(self, choices: Mapping[str, Any]) -> optuna.trial.FrozenTrial:
        return create_trial(
            state=TrialState.RUNNING,
            params=self._params(choices),
            distributions=self.distributions,
        )

    def choices(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Params of the surrogate as choices of the space."""
        found = {}
        for name, dimension in self._space.items():
            if name not in params:
                found[name] = dimension.values()[0]
            elif _is_scale(dimension):
                found[name] = dimension.values()[params[name]]
            else:
                found[name] = params[name]
        return found

    def _params(self, choices: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: self._space[name].values().index(choices[name])
            if _is_scale(self._space[name])
            else choices[name]
            for name in self.distributions
        }


def _is_scale(dimension: Options | Interval) -> bool:
    return isinstance(dimension, Options) and dimension.ordered


def _distribution(dimension: Options | Interval) -> BaseDistribution:
    if _is_scale(dimension):
        return IntDistribution(0, len(dimension.values()) - 1)
    return dimension.distribution()
