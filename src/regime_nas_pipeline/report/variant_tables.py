"""Tables of variants beside what they are variants of, under the same seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from regime_nas_pipeline.core.names import display_name
from regime_nas_pipeline.report.columns import Column
from regime_nas_pipeline.report.tables import BLANK, Table, make_table

_NAMES = ("forecaster", "variant")
_NUMBERS = ("mean", "difference", "low", "high", "gain", "p_value", "p_holm")
_VERDICTS = {
    "none": "no difference",
    "same": "the same",
    "unknown": "undefined",
    "unjudged": "neither side is better",
}


def variant_tables(
    comparison: pd.DataFrame,
    measures: Mapping[str, str],
    labels: Mapping[str, str],
    *,
    key: str,
    reference: str,
    called: str,
) -> dict[str, Table]:
    """One table per measure: each variant's mean, difference, interval, p-values and verdict.

    What the variants are compared with is the same in all rows of a forecaster, so its value
    stands in the caption and leaves the room to the columns.

    Args:
        comparison: One row per measure and variant: metric, variant, mean, the column
            ``reference``, difference, low, high, p_value, p_holm and effect; forecaster and gain
            are shown where they are there.
        measures: Measure to its name in words, in order; those without a row are left out.
        labels: Variant to its name in words.
        key: Start of the tables' keys.
        reference: Column with the reference's mean, and the word for it above the differences.
        called: What the caption calls the reference.
    """
    columns = {
        "variant": Column("Variant", "text"),
        "mean": Column("Variant", digits=4, unit="mean over seeds"),
        "difference": Column("Difference", digits=4, unit=f"variant less {reference}"),
        "low": Column("From", digits=4, unit="interval"),
        "high": Column("To", digits=4, unit="interval"),
        "gain": Column("Gain", digits=4, unit="nearer to right"),
        "verdict": Column("Verdict", "text"),
    }
    shown = [name for name in (*_NAMES, *_NUMBERS, "verdict") if name in {*comparison, "verdict"}]
    numbers = [name for name in shown if name in _NUMBERS]
    made = {}
    for metric, label in measures.items():
        rows = comparison[comparison["metric"] == metric] if len(comparison) else comparison
        if rows.empty:
            continue
        frame = rows.assign(
            variant=[labels[name] for name in rows["variant"]],
            verdict=[_VERDICTS.get(effect, effect) for effect in rows["effect"]],
        )[shown].reset_index(drop=True)
        frame[numbers] = frame[numbers].astype(float)
        caption = f"{label} ({called}: {_reference_values(rows, reference)})"
        made[f"{key}_{metric}"] = make_table(f"{key}_{metric}", caption, frame, columns=columns)
    return made


def _reference_values(rows: pd.DataFrame, reference: str) -> str:
    """The reference's mean, forecaster by forecaster where there are several."""
    if "forecaster" not in rows:
        return _in_digits(rows[reference].iloc[0])
    firsts = rows.drop_duplicates("forecaster")
    return ", ".join(
        f"{display_name(str(name))} {_in_digits(value)}"
        for name, value in zip(firsts["forecaster"], firsts[reference], strict=True)
    )


def _in_digits(value: float | None) -> str:
    """As the cells have it."""
    if value is None or not math.isfinite(value):
        return BLANK
    return f"{value:.4f}".replace("-", "\N{MINUS SIGN}")
