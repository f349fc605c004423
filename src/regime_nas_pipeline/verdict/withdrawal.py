"""Tests that a placebo found to say "better" too often, and what is left without them."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from regime_nas_pipeline.verdict.comparison.table import DIEBOLD_MARIANO
from regime_nas_pipeline.verdict.comparison.words import SHARPE_TESTS, WITHDRAWABLE_SENTENCES
from regime_nas_pipeline.verdict.trials.counted import IN_SEARCH, OUT_OF_SAMPLE

PROBABILISTIC = "probabilistic_sharpe"
DEFLATED = "deflated_sharpe"
DEFLATED_IN_SEARCH = "deflated_sharpe_search"

SHARPE_PROBABILITIES = {
    DEFLATED_IN_SEARCH: (IN_SEARCH, "deflated_probability"),
    DEFLATED: (OUT_OF_SAMPLE, "deflated_probability"),
    PROBABILISTIC: (OUT_OF_SAMPLE, "psr_against_zero"),
}
"""Test to the rows (scope) and the column of the deflated Sharpe ratios that it reads."""

WITHDRAWABLE = (*WITHDRAWABLE_SENTENCES, *SHARPE_PROBABILITIES)
"""Every test that can call a strategy better, by the name that the placebo gives it."""

_AMONG_ALL = {
    "spa": ["p_spa"],
    "stepwise": ["beats"],
    "confidence_set": ["in_confidence_set", "p_confidence_set"],
}


def without_pairwise(table: pd.DataFrame, withdrawn: Collection[str]) -> pd.DataFrame:
    """The comparison tests without the rows of withdrawn ones; ``holm`` is all of Sharpe ratios."""
    gone = {*withdrawn, *(SHARPE_TESTS if "holm" in withdrawn else ())}
    return table[~table["test"].isin(gone & {*SHARPE_TESTS, DIEBOLD_MARIANO})]


def without_among_all(table: pd.DataFrame, withdrawn: Collection[str]) -> pd.DataFrame:
    """The tests of all strategies at once, with the answers of withdrawn ones blank."""
    left = table.copy()
    for kind, columns in _AMONG_ALL.items():
        gone = left["measure"].map(lambda measure, kind=kind: f"{kind}_{measure}" in withdrawn)
        for column in left.columns.intersection(columns):
            left[column] = left[column].mask(gone.astype(bool))
    return left


def without_probabilities(table: pd.DataFrame, withdrawn: Collection[str]) -> pd.DataFrame:
    """The deflated Sharpe ratios, with the answers of withdrawn tests blank."""
    left = table.copy()
    for test, (scope, column) in SHARPE_PROBABILITIES.items():
        if test in withdrawn:
            left[column] = left[column].mask(left["scope"] == scope)
    return left
