"""Everything in a report that can call a strategy better, as one-sided tests of one panel."""

from __future__ import annotations

import numpy as np
import pandas as pd

from regime_nas_pipeline.audit.panel_runs import TEST_COLUMNS, one_sided_tests
from regime_nas_pipeline.verdict.comparison.table import DIEBOLD_MARIANO
from regime_nas_pipeline.verdict.withdrawal import SHARPE_PROBABILITIES

ANY_STRATEGY = "any strategy"
ANY_REFERENCE = "any reference"
THE_BEST = "the best"
NO_CHANGE = "no_change"

HOLM = "holm"
SPA = "spa"
STEPWISE = "stepwise"
CONFIDENCE_SET = "confidence_set"

_P = "p_beats"
_COLUMNS = [*TEST_COLUMNS, _P]


def report_tests(
    comparison: pd.DataFrame,
    superior: pd.DataFrame,
    deflated: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """All tests of a report that can declare a winner, as the placebo counts them.

    Each is turned into a p-value that is small where the report would say "better", under a
    hypothesis that holds on a martingale without costs and with a risk-free rate of zero:

    - the pairwise tests, of forecasts those against no change alone: a shrunken forecast truly
      has smaller errors than a bold one, so that a rejection between two forecasters is no error;
    - ``holm``: the smallest Holm-corrected p-value of all tests of Sharpe ratios, in either
      direction, which is how the sentences of the report choose among them;
    - ``spa_*``, Hansen's p-value that nothing beats the reference; ``stepwise_*``, whether the
      stepwise test puts anything ahead of it (a decision at one level: p is that level or 1);
      ``confidence_set_*``, the smallest p-value of a strategy in the model confidence set, which
      on a martingale holds all of them;
    - one minus the probabilistic and the deflated Sharpe ratio.

    Args:
        comparison: Result of
            :func:`~regime_nas_pipeline.verdict.comparison.table.comparison_table`.
        superior: Rows of
            :func:`~regime_nas_pipeline.verdict.comparison.superior.superior_strategies`, of one
            or more measures.
        deflated: Result of :func:`~regime_nas_pipeline.verdict.trials.counted.deflate_all`; None
            where nothing was searched.

    Returns:
        test, subject, against, p_beats; blank where a test could not be made.
    """
    between = (comparison["test"] == DIEBOLD_MARIANO) & (comparison["against"] != NO_CHANGE)
    pairs = comparison[~between]
    parts = [one_sided_tests(pairs), _holm(pairs), _among_all(superior)]
    if deflated is not None:
        parts.append(_sharpe_probabilities(deflated))
    known = [part for part in parts if len(part)]
    if not known:
        return pd.DataFrame({name: [] for name in _COLUMNS}).astype({_P: "float64"})
    return pd.concat(known, ignore_index=True)[_COLUMNS]


def at_one_level(test: str) -> bool:
    """Whether a test is a decision at the report's own level and says nothing at others."""
    return test.startswith(STEPWISE)


def _holm(pairs: pd.DataFrame) -> pd.DataFrame:
    rows = pairs[pairs["test"] != DIEBOLD_MARIANO]
    if rows.empty:
        return _table([])
    tested = rows.loc[rows["statistic"].notna(), "p_holm"]
    return _table([(HOLM, ANY_STRATEGY, ANY_REFERENCE, tested.min())])


def _among_all(superior: pd.DataFrame) -> pd.DataFrame:
    rows: list[tuple[str, str, str, float]] = []
    for (measure, against), own in superior.groupby(["measure", "against"], sort=False):
        decided = own["beats"].dropna()
        step = np.nan
        if len(decided):
            step = float(own["level"].iloc[0]) if decided.any() else 1.0
        rows += [
            (f"{SPA}_{measure}", ANY_STRATEGY, str(against), own["p_spa"].min()),
            (f"{STEPWISE}_{measure}", ANY_STRATEGY, str(against), step),
            (f"{CONFIDENCE_SET}_{measure}", ANY_STRATEGY, THE_BEST, own["p_confidence_set"].min()),
        ]
    return _table(rows)


def _sharpe_probabilities(deflated: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for test, (scope, column) in SHARPE_PROBABILITIES.items():
        rows = deflated[deflated["scope"] == scope]
        parts.append(
            pd.DataFrame(
                {
                    "test": test,
                    "subject": rows["strategy"],
                    "against": rows["reference"],
                    _P: (1.0 - rows[column].astype(float)).clip(0.0, 1.0),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _table(rows: list[tuple[str, str, str, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=_COLUMNS).astype({_P: "float64"})
