"""Does leaving a part out change anything? Paired differences over seeds, and what they allow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student
from statsmodels.stats.multitest import multipletests

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.names import COMPARED_MEASURES

COLUMNS = (
    "metric",
    "variant",
    "mean",
    "full",
    "difference",
    "low",
    "high",
    "p_value",
    "p_holm",
    "n_seeds",
    "effect",
)
"""Columns of :func:`compare_variants`."""


NONE, BETTER, WORSE, UNKNOWN = "none", "better", "worse", "unknown"


@dataclass(frozen=True)
class PairedDifference:
    """Mean difference of paired values, with Student's interval.

    Attributes:
        mean: Mean of value minus reference.
        low, high: Ends of the interval.
        p_value: Two-sided, of no difference.
        n: Pairs.
    """

    mean: float
    low: float
    high: float
    p_value: float
    n: int


def paired_difference(
    values: Sequence[float], reference: Sequence[float], *, level: float = 0.95
) -> PairedDifference:
    """Interval of the mean of ``values`` minus ``reference``, pair by pair.

    Args:
        values: One value per seed.
        reference: The reference's values under the same seeds, in the same order.
        level: Chance that the interval covers the mean difference, if differences are normal.

    Raises:
        DataError: The lengths differ, there are fewer than two pairs, or a value is blank.
        ParameterError: ``level`` is not between 0 and 1.

    Source: Student (1908). The Probable Error of a Mean. Biometrika 6(1).
    """
    if not 0.0 < level < 1.0:
        raise ParameterError(f"level must lie between 0 and 1 and is {level}.")
    first, second = np.asarray(values, dtype=float), np.asarray(reference, dtype=float)
    n = len(first)
    if first.shape != second.shape or n < 2:
        raise DataError(f"paired values need one length of at least 2; got {n} and {len(second)}")
    difference = first - second
    if not np.isfinite(difference).all():
        raise DataError("a paired value is blank", remedy="leave out seeds without a value.")
    mean = float(difference.mean())
    error = float(difference.std(ddof=1)) / math.sqrt(n)
    if np.ptp(difference) == 0.0:
        # The seeds change nothing: the difference is what it is, with nothing to estimate.
        return PairedDifference(mean, mean, mean, 1.0 if mean == 0.0 else 0.0, n)
    half = float(student.ppf(0.5 + level / 2.0, n - 1)) * error
    p_value = 2.0 * float(student.sf(abs(mean / error), n - 1))
    return PairedDifference(mean, mean - half, mean + half, p_value, n)


def compare_variants(
    results: pd.DataFrame,
    *,
    reference: str = "full",
    same: Sequence[str] = (),
    level: float = 0.95,
) -> pd.DataFrame:
    """Every variant against the reference under the same seeds, Holm's correction per measure.

    A variant has an ``effect`` (``better`` or ``worse``) only if its p-value is below 1 - level
    after the correction; else it is ``none``, whatever the size of the difference. Where a
    measure is undefined for some seed of either side, it is ``unknown`` and no test is made.

    Args:
        results: Tidy: variant, seed, metric, value (blank where undefined); metrics that are not
            in :data:`~regime_nas_pipeline.core.names.COMPARED_MEASURES` are passed over.
        reference: The variant that the others are compared with.
        same: Variants that are the reference under another name: there is nothing to compare.
        level: Of the intervals; 1 - level is the size of the tests.

    Returns:
        One row per measure and variant, with the columns :data:`COLUMNS`; differences are variant
        minus reference.

    Raises:
        DataError: The reference is not among the variants, or has other seeds than a variant.

    Source: Holm, S. (1979). A simple sequentially rejective multiple test procedure.
    Scandinavian Journal of Statistics 6(2).
    """
    if reference not in set(results["variant"]):
        raise DataError(f"there are no results of the variant '{reference}'", column="variant")
    tables = []
    compared = results[results["metric"].isin(list(COMPARED_MEASURES))]
    for metric, rows in compared.groupby("metric", sort=False):
        wide = rows.pivot(index="seed", columns="variant", values="value")
        order = [name for name in pd.unique(rows["variant"]) if name not in {reference, *same}]
        measured = [_compare_one(str(metric), wide, name, reference, level) for name in order]
        tables.append(_with_holm(pd.DataFrame(measured, columns=list(COLUMNS)), level))
    return pd.concat(tables, ignore_index=True)


def _compare_one(
    metric: str, wide: pd.DataFrame, variant: str, reference: str, level: float
) -> dict[str, Any]:
    pair = wide[[variant, reference]]
    row: dict[str, Any] = {
        "metric": metric,
        "variant": variant,
        "mean": float(pair[variant].mean()),
        "full": float(pair[reference].mean()),
        "n_seeds": len(pair),
    }
    if not np.isfinite(pair.to_numpy(dtype=float)).all():
        blank = dict.fromkeys(("difference", "low", "high", "p_value"), math.nan)
        return {**row, **blank}
    found = paired_difference(pair[variant].tolist(), pair[reference].tolist(), level=level)
    return {
        **row,
        "difference": found.mean,
        "low": found.low,
        "high": found.high,
        "p_value": found.p_value,
    }


def _with_holm(table: pd.DataFrame, level: float) -> pd.DataFrame:
    """Corrected p-values and what they allow to be said."""
    known = table["p_value"].notna()
    table["p_holm"] = np.nan
    if known.any():
        corrected = multipletests(table.loc[known, "p_value"].to_numpy(float), method="holm")[1]
        table.loc[known, "p_holm"] = corrected
    table["effect"] = [
        _effect(row.metric, row.difference, row.p_holm, level) for row in table.itertuples()
    ]
    return table


def _effect(metric: Any, difference: Any, p_holm: Any, level: float) -> str:
    if math.isnan(p_holm):
        return UNKNOWN
    if not p_holm < 1.0 - level or difference == 0.0:
        return NONE
    return BETTER if difference * COMPARED_MEASURES[str(metric)].side > 0.0 else WORSE


def sentences(
    table: pd.DataFrame, labels: Mapping[str, str], *, level: float = 0.95
) -> dict[str, str]:
    """What the comparison allows to be said of each measure, in words.

    Args:
        table: What :func:`compare_variants` returns.
        labels: Variant to its name in words.
        level: Of the intervals.

    Returns:
        Measure to a sentence or two.
    """
    said = {}
    for metric, rows in table.groupby("metric", sort=False):
        name = COMPARED_MEASURES[str(metric)].label
        parts = [
            f"{name}: '{labels[row['variant']]}' is {row['effect']} than the full network, "
            f"difference {row['difference']:+.4g} ({100 * level:g} % interval {row['low']:+.4g} "
            f"to {row['high']:+.4g}, p = {row['p_holm']:.3f} after Holm's correction)."
            for row in rows[rows["effect"].isin([BETTER, WORSE])].to_dict("records")
        ]
        equal = rows[rows["effect"] == NONE]
        if len(equal) == len(rows):
            parts.append(
                f"{name}: no variant can be told apart from the full network; every difference "
                "may be the luck of the seeds."
            )
        elif len(equal):
            parts.append(
                f"The other {len(equal)} cannot be told apart from it: their differences may be "
                "the luck of the seeds."
            )
        blank = [labels[name] for name in rows.loc[rows["effect"] == UNKNOWN, "variant"]]
        if blank:
            parts.append(f"{name} is undefined for: {', '.join(blank)}.")
        said[str(metric)] = " ".join(parts)
    return said
