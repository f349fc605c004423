"""Stepwise test and model confidence set by arch, guarded where its bootstrap cannot work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from regime_nas_pipeline.verdict.comparison.dependence import is_constant

SAME = "the same as"
FIXED = "at a fixed distance from"

# Standard errors per bar below the benchmark: no resample can bring such a column near the top.
_HOPELESS = -1e6


@dataclass(frozen=True)
class Resampling:
    """How the stationary bootstrap is run.

    Attributes:
        level: Level of the stepwise test and of the confidence set.
        block_length: Mean bars per block.
        n_resamples: Resamples.
        seed: Of the blocks drawn.
    """

    level: float
    block_length: int
    n_resamples: int
    seed: int


def fixed_distance(first: np.ndarray, second: np.ndarray) -> str | None:
    """How two series that are always the same distance apart relate; None for all others."""
    gap, scale = first - second, float(max(np.abs(first).max(), np.abs(second).max()))
    if not is_constant(gap, scale):
        return None
    return SAME if is_constant(np.r_[0.0, gap], scale) else FIXED


def stepwise(
    varying: Mapping[str, np.ndarray], setting: Resampling, notes: Mapping[str, list[str]]
) -> tuple[dict[str, float | None], dict[str, bool]]:
    """Hansen's three p-values and the strategies that the stepwise test calls superior.

    Args:
        varying: Strategy to its differences from the benchmark, (T,), in standard errors.
        setting: How to resample.
        notes: Strategy to remarks; a failure is added to them.

    Returns:
        ``p_spa``, ``p_spa_lower`` and ``p_spa_upper``, None where there is nothing to test; and
        whether each strategy is superior, empty where that is not known.
    """
    from arch.bootstrap import SPA, StepM  # noqa: PLC0415 - brings Matplotlib

    spa: dict[str, float | None] = dict.fromkeys(("p_spa", "p_spa_lower", "p_spa_upper"))
    if not varying:
        return spa, {}
    columns = np.column_stack(list(varying.values()))
    n = len(columns)
    # When every strategy is superior, arch 8.0 takes a maximum over none and fails: the last
    # column never is. Losses: a benchmark of 0 minus (-difference) is the difference again.
    guarded = np.column_stack([columns, np.full(n, _HOPELESS)])
    run: dict[str, Any] = {
        "block_size": setting.block_length,
        "reps": setting.n_resamples,
        "seed": setting.seed,
    }
    try:
        test = SPA(np.zeros(n), -columns, **run)
        test.compute()
        steps = StepM(np.zeros(n), -guarded, size=setting.level, **run)
        steps.compute()
    except (ValueError, IndexError) as error:
        for name in varying:
            notes[name].append(f"the stepwise test failed: {error}")
        return spa, {}
    for name, kind in (("p_spa", "consistent"), ("p_spa_lower", "lower"), ("p_spa_upper", "upper")):
        spa[name] = _never_zero(float(test.pvalues[kind]), setting.n_resamples)
    superior = set(steps.superior_models)
    return spa, {name: column in superior for column, name in enumerate(varying)}


def confidence_set(
    values: Mapping[str, np.ndarray], setting: Resampling, notes: Mapping[str, list[str]]
) -> dict[str, float]:
    """P-value of every strategy for the model confidence set, where it has one.

    Of strategies at a fixed distance from each other only the best is resampled, since their
    difference has no variance; those that equal it share its answer.

    Args:
        values: Strategy to what is compared, (T,), larger is better.
        setting: How to resample.
        notes: Strategy to remarks; reasons for a missing p-value are added to them.
    """
    from arch.bootstrap import MCS  # noqa: PLC0415 - brings Matplotlib

    groups = _groups(values)
    kept = list(groups)
    if len(kept) < 2:
        for name in values:
            notes[name].append("no confidence set of fewer than two different strategies")
        return {}
    test = MCS(
        -np.column_stack([values[name] for name in kept]),
        size=setting.level,
        block_size=setting.block_length,
        reps=setting.n_resamples,
        seed=setting.seed,
    )
    try:
        test.compute()
        column: Any = test.pvalues["Pvalue"]
        found = [float(column.loc[at]) for at in range(len(kept))]
    except (ValueError, IndexError, KeyError, TypeError) as error:
        # arch fails on two differences that are the largest to the last bit.
        for name in values:
            notes[name].append(f"the confidence set failed: {error}")
        return {}
    p_values = {}
    for share, best in zip(found, kept, strict=True):
        p_values[best] = _never_zero(share, setting.n_resamples)
        for name in groups[best][1:]:
            if fixed_distance(values[name], values[best]) == SAME:
                p_values[name] = p_values[best]
                notes[name].append(f"the same as {best}, whose confidence-set answer it shares")
            else:
                notes[name].append(f"always below {best} by the same amount: in no confidence set")
    return p_values


def _groups(values: Mapping[str, np.ndarray]) -> dict[str, list[str]]:
    """Best strategy to all those at a fixed distance from it, itself first."""
    groups: dict[str, list[str]] = {}
    for name in sorted(values, key=lambda key: -float(values[key].mean())):
        for best, members in groups.items():
            if fixed_distance(values[name], values[best]) is not None:
                members.append(name)
                break
        else:
            groups[name] = [name]
    return groups


def _never_zero(share: float, n_resamples: int) -> float:
    """The p-value that counts the sample itself as one of the resamples."""
    return (share * n_resamples + 1.0) / (n_resamples + 1.0)
