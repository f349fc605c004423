"""What one proposal of a search costs: this package's strategies beside Optuna's samplers.

Run from the repository: ``python benchmarks/proposals.py``. Everybody searches the configured space
of RegimeNAS for the lowest value of a cheap made-up error, with the same number of uniform trials
first; trial for trial they take turns, so that a busy machine slows all of them. Optuna's samplers
(TPE, Gaussian process) ask and tell one study in memory; the package's ``bayesian`` strategy asks
the same Gaussian process about a study that it builds anew each time, so that a search which was
broken off proposes the same. Prints JSON: processor milliseconds of a trial after the uniform ones,
and of the last ten; ratios; the lowest error found. Options: ``--trials``, ``--start-up``,
``--seeds``.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import optuna
import torch
import yaml
from optuna.distributions import IntDistribution
from optuna.samplers import BaseSampler, GPSampler, TPESampler
from pydantic import TypeAdapter
from threadpoolctl import threadpool_limits

from regime_nas_pipeline.search.outer import make_proposer
from regime_nas_pipeline.search.space import Options, Space, encode, sample
from regime_nas_pipeline.search.trials import (
    Outcome,
    OuterSettings,
    Proposal,
    Strategy,
    Trial,
    trial_seed,
)

CONFIGURED = Path(__file__).parents[1] / "conf" / "base" / "parameters_nas_search.yml"
OWN: tuple[Strategy, ...] = ("bayesian", "evolutionary", "random")
LAST = 10

Error = Callable[[dict[str, Any]], float]


class Searcher(Protocol):
    """Whoever proposes."""

    def trial(self, error: Error) -> float:
        """Propose the next candidate, take note of its error and return it."""


class Sampler:
    """Optuna as everybody uses it: a study in memory, ask and tell.

    Args:
        space: What may be chosen; ordered options are steps of a scale, as in the package.
        sampler: Which.
    """

    def __init__(self, space: Space, sampler: BaseSampler) -> None:
        self._space = space
        self._study = optuna.create_study(sampler=sampler)
        self._distributions = {
            name: IntDistribution(0, len(each.options) - 1)
            if isinstance(each, Options) and each.ordered
            else each.distribution()
            for name, each in space.items()
        }

    def trial(self, error: Error) -> float:
        """See :class:`Searcher`."""
        asked = self._study.ask(self._distributions)
        choices = {
            name: each.values()[asked.params[name]]
            if isinstance(each, Options) and each.ordered
            else asked.params[name]
            for name, each in self._space.items()
        }
        found = error(choices)
        self._study.tell(asked, found)
        return found


class Own:
    """A strategy of the package.

    Args:
        space: What may be chosen.
        strategy: Which.
        start_up: Uniform trials.
        seed: Of all proposals.
    """

    def __init__(self, space: Space, strategy: Strategy, start_up: int, seed: int) -> None:
        settings = OuterSettings(
            strategy=strategy, trials=10_000, start_up=start_up, exploration=0.0, batch=1
        )
        self._proposer = make_proposer(space, settings, seed=seed)
        self._seed, self._history = seed, list[Trial]()

    def trial(self, error: Error) -> float:
        """See :class:`Searcher`."""
        number = len(self._history)
        choices = self._proposer.propose(number, self._history, [])
        found = error(choices)
        outcome = Outcome(found, {}, 0, np.zeros(0))
        proposal = Proposal(number, trial_seed(self._seed, number), choices)
        self._history.append(Trial(proposal, outcome))
        return found


def make_searchers(space: Space, start_up: int, seed: int) -> dict[str, Searcher]:
    """All of them, from one seed."""
    searchers: dict[str, Searcher] = {
        "optuna_gp": Sampler(space, GPSampler(seed=seed, n_startup_trials=start_up)),
        "optuna_tpe": Sampler(space, TPESampler(seed=seed, n_startup_trials=start_up)),
    }
    return {name: Own(space, name, start_up, seed) for name in OWN} | searchers


def made_up_error(space: Space, seed: int) -> Error:
    """Squared distance to a hidden candidate in the unit cube, with ripples beside it."""
    generator = np.random.default_rng(seed)
    hidden = generator.random(len(encode(space, sample(space, generator))))

    def error(choices: dict[str, Any]) -> float:
        away = encode(space, choices) - hidden
        return float(away @ away + 0.1 * np.sum(1.0 - np.cos(6.0 * np.pi * away)))

    return error


def measured(space: Space, trials: int, start_up: int, seeds: int) -> dict[str, Any]:
    """Everybody on every seed, trial for trial in turn."""
    seconds: dict[str, list[np.ndarray]] = defaultdict(list)
    lowest: dict[str, list[float]] = defaultdict(list)
    for seed in range(seeds):
        searchers, error = make_searchers(space, start_up, seed), made_up_error(space, seed)
        taken: dict[str, list[float]] = defaultdict(list)
        found: dict[str, list[float]] = defaultdict(list)
        for _ in range(trials):
            for name, searcher in searchers.items():
                started = time.process_time()
                found[name].append(searcher.trial(error))
                taken[name].append(time.process_time() - started)
        for name in searchers:
            seconds[name].append(np.array(taken[name][start_up:]))
            lowest[name].append(min(found[name]))
    rows = [
        {
            "searcher": name,
            "own": name in OWN,
            "milliseconds": spread(np.concatenate(each) * 1e3),
            "last_milliseconds": spread(np.concatenate([one[-LAST:] for one in each]) * 1e3),
            "lowest_error": float(np.median(lowest[name])),
        }
        for name, each in seconds.items()
    ]
    ours = np.concatenate(seconds["bayesian"])
    ratios = [
        {
            "group": "bayesian",
            "peer": peer,
            "of": "processor time of a trial",
            **spread(np.concatenate(seconds[peer]) / ours),
        }
        for peer in ("optuna_gp", "optuna_tpe")
    ]
    return {"rows": rows, "ratios": ratios}


def spread(values: np.ndarray) -> dict[str, float]:
    """Median and percentiles."""
    low, middle, high = np.percentile(values, [5, 50, 95])
    return {"median": float(middle), "p5": float(low), "p95": float(high)}


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--start-up", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    configured = yaml.safe_load(CONFIGURED.read_text())["regime_nas"]["space"]
    space: Space = TypeAdapter(Space).validate_python(configured)
    torch.set_num_threads(1)
    with threadpool_limits(1):
        # A first search each, so that imports are not measured.
        measured(space, options.start_up + 2, options.start_up, 1)
        found = measured(space, options.trials, options.start_up, options.seeds)
    told = {"dimensions": len(space), **vars(options)}
    print(json.dumps({**told, **found}, indent=1))


if __name__ == "__main__":
    main()
