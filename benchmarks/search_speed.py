"""How many gradient samples the default search needs for what random search finds.

Run from the repository: ``python benchmarks/search_speed.py``. On simulated markets whose best
possible forecast is known (``conf/base/parameters_planted.yml``, inputs ``raw``) RegimeNAS is
searched in three ways: by default (Bayesian choices, cells by gradient), the same with halving,
and at random (random choices, random cells), by ``--seeds`` searches each. After every trial three
things are noted: the lowest validation score so far, the oracle efficiency of that candidate on the
returns after all that the search has seen (of its one network, as its trial has trained it), and
the processor's seconds so far: a sample through a supernet takes longer than one through cells.

The quickness of a search is the gradient samples after which its score is as low as random
search's at its end, over random search's samples: one per market and seed, null where it never is.
Prints JSON: every curve, every quickness, their median, and whether it is one fifth at most.

``--markets`` are seeds of markets; those below 10 were used in development. ``--trials`` and
``--samples`` (of one trial) make a quick look: both searches have the same. The file's own budget
is two trials of 200,000, where no quickness under one half can come out. ``--part`` gives the
others that part of random search's trials: with 0.2 they end where the claim ends. ``--ways`` names
those that are searched in, where it is not to be all three. Other options: ``--n-jobs``,
``--output``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import yaml

from regime_nas_pipeline.core.parallel import parallel_map
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.training import derived_seed
from regime_nas_pipeline.search.outer import Outcome, Proposal, best_trial, run_search
from regime_nas_pipeline.search.trials import Trial
from regime_nas_pipeline.verdict.efficiency import r2_zero
from regime_nas_pipeline.walkforward.candidates import Task, evaluate_candidate
from regime_nas_pipeline.walkforward.parameters import Compute, Search
from regime_nas_pipeline.walkforward.planted.cells import cell_arguments, oracle_outcome
from regime_nas_pipeline.walkforward.planted.markets import HORIZON, LAG, simulate
from regime_nas_pipeline.walkforward.planted.parameters import Planted
from regime_nas_pipeline.walkforward.search_parameters import Efficiency, Halving
from regime_nas_pipeline.walkforward.tuning import plan_validation

CONF = Path(__file__).parents[1] / "conf" / "base"
RANDOM, DEFAULT, HALVED = "random", "default", "halved"
WAYS = (DEFAULT, RANDOM, HALVED)
CLAIM = 0.2


class Watched(RegimeNasForecaster):
    """Keeps the candidate that was fitted last, so that it can be asked for more forecasts."""

    last: ClassVar[RegimeNasForecaster | None] = None

    def fit(self, market: Market) -> Self:
        """As its parent does."""
        super().fit(market)
        Watched.last = self
        return self


def read_parameters(**search: int) -> tuple[Planted, Compute]:
    """The planted experiment, its search changed in what is given, for one process without GPU."""
    raw = yaml.safe_load((CONF / "parameters_planted.yml").read_text())["planted"]
    raw["search"] |= search
    compute = yaml.safe_load((CONF / "parameters.yml").read_text())["compute"]
    alone = {**compute, "device": "cpu", "n_jobs": 1}
    return Planted.model_validate(raw), Compute.model_validate(alone)


def arm_search(planted: Planted, arm: str) -> Search:
    """How one of the three ways searches."""
    name = "random_search" if arm == RANDOM else "regime_nas"
    search = planted.forecasters[name].own_search(planted.search)
    if arm == HALVED:
        search = search.model_copy(update={"efficiency": Efficiency(halving=Halving())})
    return search


def trials_of(arm: str, market_seed: int, seed: int, trials: int, samples: int) -> list[Trial]:
    """One search's trials.

    Their facts say what else is known of each: ``efficiency`` after all that the search has seen,
    processor's ``seconds`` since the search began, and the ``course`` of its training, a row per
    epoch.
    """
    planted, compute = read_parameters(trials=trials, budget=trials * samples)
    simulated = simulate(planted.markets, "planted", market_seed)
    choice = planted.forecasters["regime_nas"]
    _, arguments = cell_arguments(choice, planted, "raw", compute, market_seed)
    search, known = arm_search(planted, arm), simulated.known
    validation = plan_validation(
        known,
        fraction=search.validation_fraction,
        rebalance_every=1,
        horizon=HORIZON,
        execution_lag=LAG,
    )
    task = Task(Watched, arguments, known, validation, search, trading=None)
    target = simulated.target
    best_possible = r2_zero(oracle_outcome(planted.markets, simulated).arrays["mean"], target)

    began = time.process_time()

    def evaluate(proposals: Iterator[Proposal]) -> Iterator[Outcome]:
        for proposal in proposals:
            outcome = evaluate_candidate(task, proposal)
            assert Watched.last is not None
            mean = Watched.last.predict(simulated.market, simulated.decisions).mean
            outcome.facts["efficiency"] = r2_zero(mean, target) / best_possible
            outcome.facts["seconds"] = time.process_time() - began
            outcome.facts["course"] = Watched.last.fit_report_.curves[0]
            yield outcome

    return run_search(
        choice.space, evaluate, search.outer(), seed=derived_seed(arguments["seed"], seed)
    )


def searched(
    arm: str, market_seed: int, seed: int, trials: int, samples: int
) -> list[dict[str, float]]:
    """One search: samples, seconds, lowest score and its oracle efficiency after every trial."""
    found = trials_of(arm, market_seed, seed, trials, samples)
    curve, spent = [], 0
    for number, trial in enumerate(found, start=1):
        spent += trial.outcome.gradient_samples
        best = best_trial(found[:number]).outcome
        curve.append(
            {
                "samples": spent,
                "seconds": trial.outcome.facts["seconds"],
                "score": best.score,
                "efficiency": best.facts["efficiency"],
            }
        )
    return curve


def quickness(curve: list[dict[str, float]], other: list[dict[str, float]]) -> float | None:
    """Samples until ``curve`` is as low as the end of ``other``, over the samples of ``other``."""
    end = other[-1]
    reached = [point["samples"] for point in curve if point["score"] <= end["score"]]
    return reached[0] / end["samples"] if reached else None


def median(values: list[float | None]) -> float | None:
    """The median, where what was never reached is infinite; None where the median is."""
    found = float(np.median([np.inf if value is None else value for value in values]))
    return found if np.isfinite(found) else None


def compared(curves: dict[str, list[list[dict[str, float]]]]) -> dict[str, Any]:
    """Quickness of each way beside another, and what each came to."""
    result: dict[str, Any] = {}
    for arm, other in ((DEFAULT, RANDOM), (HALVED, RANDOM), (HALVED, DEFAULT)):
        if arm not in curves or other not in curves:
            continue
        each = [quickness(*pair) for pair in zip(curves[arm], curves[other], strict=True)]
        result[f"{arm} beside {other}"] = {
            "quickness": each,
            "reached": sum(value is not None for value in each),
            "median": median(each),
        }
    claimed = result.get(f"{DEFAULT} beside {RANDOM}")
    if claimed is not None:
        result["one fifth at most"] = (claimed["median"] or 1.0) <= CLAIM
    for arm, found in curves.items():
        ends = [curve[-1] for curve in found]
        result[arm] = {
            name: float(np.median([end[name] for end in ends]))
            for name in ("samples", "seconds", "score", "efficiency")
        }
    return result


def main() -> None:
    """Read the options, search, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markets", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--part", type=float, default=1.0)
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    places = [(market, seed) for market in options.markets for seed in range(options.seeds)]
    ways = list(dict.fromkeys(options.ways))
    few = max(1, round(options.part * options.trials))
    trials = {arm: options.trials if arm == RANDOM else few for arm in ways}
    tasks = [(arm, *place, trials[arm], options.samples) for place in places for arm in ways]
    found = parallel_map(
        searched, tasks, n_jobs=options.n_jobs, description="searches", unit="search"
    )
    curves = {arm: found[place :: len(ways)] for place, arm in enumerate(ways)}
    result = {
        "options": {"markets": options.markets, "seeds": options.seeds}
        | {"trials": trials, "samples": options.samples},
        "curves": [
            {"market": market, "seed": seed, **{arm: curves[arm][number] for arm in ways}}
            for number, (market, seed) in enumerate(places)
        ],
        **compared(curves),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
