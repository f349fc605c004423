"""The top few architectures trained from scratch on several seeds, against the supernet's ranking.

A supernet's scores are only worth having if networks trained on their own rank alike; Kendall's
tau between the two rankings says how far they do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.search.cell_plan import ScoredCells
from regime_nas_pipeline.search.supernet import SKIPS

TrainFromScratch = Callable[[dict[str, Any], int, int], tuple[float, int]]
"""(blocks, seed, largest number of gradient samples) to validation error and samples spent."""


@dataclass(frozen=True)
class RetrainedCells:
    """Cells that were trained from scratch.

    Attributes:
        blocks: Readable architecture.
        supernet_error: Validation error as a sub-network of the supernet.
        errors: Validation error of each network trained from scratch, one per seed.
    """

    blocks: dict[str, Any]
    supernet_error: float
    errors: tuple[float, ...]

    @property
    def error(self) -> float:
        """Mean over seeds."""
        return float(np.mean(self.errors))

    @property
    def spread(self) -> float:
        """Standard deviation over seeds (ddof 1); 0 for one seed."""
        return float(np.std(self.errors, ddof=1)) if len(self.errors) > 1 else 0.0


@dataclass(frozen=True)
class RetrainResult:
    """What retraining says of the supernet's ranking.

    Attributes:
        cells: In the order in which they were given.
        samples: Gradient samples spent.
    """

    cells: tuple[RetrainedCells, ...]
    samples: int

    @property
    def best(self) -> RetrainedCells:
        """Lowest mean error; the earliest of equals."""
        return min(self.cells, key=lambda cells: cells.error)

    @property
    def kendall_tau(self) -> float | None:
        """Kendall's tau-b of supernet errors and mean errors; None where it is not defined."""
        if len(self.cells) < 2:
            return None
        statistic = kendalltau(
            [cells.supernet_error for cells in self.cells],
            [cells.error for cells in self.cells],
        ).statistic
        return float(statistic) if np.isfinite(statistic) else None

    def facts(self) -> dict[str, float]:
        """Figures for the search's report.

        ``retrained`` architectures, ``retrained_error`` (best mean over seeds), ``seed_spread``
        (mean standard deviation over seeds) against ``candidate_spread`` (standard deviation of
        the means: below the seeds' the ranking is mostly luck), ``skip_share`` of the best,
        ``chosen_rank`` of the selected architecture among the retrained (1 is best), and
        ``kendall_tau`` where it is defined.
        """
        errors = np.array([cells.error for cells in self.cells])
        facts: dict[str, float] = {
            "retrained": len(self.cells),
            "retrained_error": self.best.error,
            "seed_spread": float(np.mean([cells.spread for cells in self.cells])),
            "candidate_spread": float(errors.std(ddof=1)) if len(errors) > 1 else 0.0,
            "skip_share": skip_share(self.best.blocks),
            "chosen_rank": 1 + int((errors < errors[0]).sum()),
        }
        tau = self.kendall_tau
        return facts if tau is None else {**facts, "kendall_tau": tau}


def skip_share(blocks: dict[str, Any]) -> float:
    """Share of a readable architecture's edges that are cut off or pass their input on."""
    names = [
        edge["operation"] for nodes in blocks.values() for node in nodes for edge in node["edges"]
    ]
    return float(np.mean([name in SKIPS for name in names]))


def retrain(
    candidates: Sequence[ScoredCells],
    train_from_scratch: TrainFromScratch,
    *,
    seeds: Sequence[int],
    max_samples: int,
) -> RetrainResult:
    """Train every candidate on every seed within one budget, shared out equally.

    Args:
        candidates: The chosen cells first.
        train_from_scratch: Trains one network and scores it on the rows of the supernet's scores.
        seeds: The same for every candidate, so that they differ by their cells alone.
        max_samples: Gradient samples for all networks together.

    Raises:
        ParameterError: There is nothing to train, or a network spent more than its share.
    """
    if not candidates or not seeds:
        raise ParameterError("retraining needs at least one architecture and one seed.")
    share = max_samples // (len(candidates) * len(seeds))
    retrained, spent = [], 0
    for candidate in candidates:
        errors = []
        for seed in seeds:
            error, samples = train_from_scratch(candidate.blocks, seed, share)
            if samples > share:
                raise ParameterError(
                    f"a retrained network spent {samples} gradient samples of {share}; the "
                    "callable must keep to the budget that it is given."
                )
            errors.append(error)
            spent += samples
        retrained.append(RetrainedCells(candidate.blocks, candidate.error, tuple(errors)))
    return RetrainResult(tuple(retrained), spent)
