"""What each remedy does to calibration: paired differences over seeds, and what they allow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.names import display_name
from regime_nas_pipeline.core.qualities import QUALITIES, Quality
from regime_nas_pipeline.verdict.ablation import paired_difference

BETTER, WORSE, NONE, SAME, UNKNOWN, UNJUDGED = (
    "better",
    "worse",
    "none",
    "same",
    "unknown",
    "unjudged",
)


COLUMNS = (
    "metric",
    "forecaster",
    "variant",
    "mean",
    "plain",
    "difference",
    "low",
    "high",
    "gain",
    "p_value",
    "p_holm",
    "n_seeds",
    "effect",
)
"""Columns of :func:`compare_remedies`."""


def compare_remedies(
    results: pd.DataFrame, *, reference: str = "plain", level: float = 0.95
) -> pd.DataFrame:
    """Every variant against the plain forecaster under the same seeds, measure by measure.

    ``difference`` is variant minus plain with Student's interval over seeds. Whether that is
    better is another question where a measure has an ideal value: ``gain`` is by how much the
    variant lies nearer to it, or on the better side. The p-value is that of no gain. Holm's
    correction runs over all forecasters and variants of a measure.

    Args:
        results: Tidy: forecaster, variant, seed, metric, value (blank where undefined); metrics
            that are not in :data:`~regime_nas_pipeline.core.qualities.QUALITIES` are passed over.
        reference: The variant that the others are compared with.
        level: Of the intervals; 1 - level is the size of the tests.

    Returns:
        One row per measure, forecaster and variant, with the columns :data:`COLUMNS`. ``effect``
        is ``better`` or ``worse`` where the corrected p-value is below 1 - level, else ``none``;
        ``same`` where all seeds' values are equal (nothing is tested), ``unknown`` where one is
        undefined, ``unjudged`` where the measure has no better side.

    Raises:
        DataError: A forecaster has no reference, or other seeds than a variant.

    Source: Holm, S. (1979). A simple sequentially rejective multiple test procedure.
    Scandinavian Journal of Statistics 6(2).
    """
    tables = []
    for metric, quality in QUALITIES.items():
        rows = []
        of_metric = results[results["metric"] == metric]
        for name, own in of_metric.groupby("forecaster", sort=False):
            wide = own.pivot(index="seed", columns="variant", values="value")
            if reference not in wide:
                raise DataError(f"{name} has no results of the variant '{reference}'")
            variants = [each for each in pd.unique(own["variant"]) if each != reference]
            for variant in variants:
                pair = wide[[variant, reference]].to_numpy(dtype=float)
                row = {"metric": metric, "forecaster": str(name), "variant": str(variant)}
                rows.append({**row, **_compare_one(pair, quality, level)})
        tables.append(_with_holm(pd.DataFrame(rows, columns=list(COLUMNS)), level))
    return pd.concat(tables, ignore_index=True)


def _compare_one(pair: np.ndarray, quality: Quality, level: float) -> dict[str, Any]:
    """Figures of one variant; ``effect`` is left blank where a test has to decide it."""
    row: dict[str, Any] = dict.fromkeys(("difference", "low", "high", "gain", "p_value"), math.nan)
    row |= {"n_seeds": len(pair), "effect": UNKNOWN}
    row |= {"mean": float(pair[:, 0].mean()), "plain": float(pair[:, 1].mean())}
    if not np.isfinite(pair).all():
        return row
    raw = paired_difference(pair[:, 0].tolist(), pair[:, 1].tolist(), level=level)
    row |= {"difference": raw.mean, "low": raw.low, "high": raw.high}
    if np.array_equal(pair[:, 0], pair[:, 1]):
        return {**row, "effect": SAME}
    if not quality.judged:
        return {**row, "effect": UNJUDGED}
    badness = quality.badness(pair)
    gain = paired_difference(badness[:, 1].tolist(), badness[:, 0].tolist(), level=level)
    return {**row, "gain": gain.mean, "p_value": gain.p_value, "effect": None}


def _with_holm(table: pd.DataFrame, level: float) -> pd.DataFrame:
    tested = table["p_value"].notna()
    table["p_holm"] = np.nan
    if tested.any():
        corrected = multipletests(table.loc[tested, "p_value"].to_numpy(float), method="holm")[1]
        table.loc[tested, "p_holm"] = corrected
        table.loc[tested, "effect"] = [
            (BETTER if gain > 0.0 else WORSE) if p_holm < 1.0 - level else NONE
            for gain, p_holm in zip(table.loc[tested, "gain"], corrected, strict=True)
        ]
    return table


def remedy_sentences(
    table: pd.DataFrame, labels: Mapping[str, str], *, level: float = 0.95
) -> dict[str, str]:
    """What the comparison allows to be said of each measure, in words.

    Args:
        table: What :func:`compare_remedies` returns.
        labels: Variant to its name in words.
        level: Of the intervals.

    Returns:
        Measure to a sentence or two; measures without a better side are left out.
    """
    said = {}
    for metric, rows in table.groupby("metric", sort=False):
        quality = QUALITIES[str(metric)]
        tested = rows[rows["effect"].isin([BETTER, WORSE, NONE])]
        parts = [
            f"{quality.label}: {display_name(row['forecaster'])}, {labels[row['variant']].lower()}"
            f" is {row['effect']} than plain, {row['mean']:.3g} after {row['plain']:.3g} "
            f"({100 * level:g} % interval of the difference {row['low']:+.3g} to "
            f"{row['high']:+.3g}, p = {row['p_holm']:.3f} after Holm's correction)."
            for row in tested[tested["effect"] != NONE].to_dict("records")
        ]
        if len(tested) and not parts:
            parts = [f"{quality.label}: no remedy can be told apart from plain."]
        elif (equal := int((tested["effect"] == NONE).sum())) > 0:
            parts.append(f"The other {equal} cannot be told apart from plain.")
        if parts:
            said[str(metric)] = " ".join(parts)
    return said


def remedies_headline(table: pd.DataFrame, *, env: str) -> str:
    """How forecasts are calibrated without a remedy, and whether one mends it.

    Args:
        table: What :func:`compare_remedies` returns.
        env: Environment of the run.
    """
    slopes = table[table["metric"] == "cross_slope"].drop_duplicates("forecaster")
    plain = ", ".join(
        f"{display_name(row['forecaster'])} {row['plain']:.2f}"
        for row in slopes.to_dict("records")
        if math.isfinite(row["plain"])
    )
    start = f"In the environment '{env}'"
    found = f"{start} outcomes move with forecasts across assets at a slope of {plain} (1 is right)"
    if not plain:
        found = f"{start} no slope across assets could be measured"
    counts = {effect: int((table["effect"] == effect).sum()) for effect in (BETTER, WORSE, NONE)}
    total = sum(counts.values())
    return (
        f"{found}. Of {total} comparisons with a remedy, {counts[BETTER]} are better and "
        f"{counts[WORSE]} worse after Holm's correction; the others may be the luck of the seeds."
    )
