"""Run one job on every panel of a set: kept piece by piece, on several processes, none dropped."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.audit.panels import Panel
from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache, code_version, content_hash
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.parallel import parallel_map
from regime_nas_pipeline.core.statistics import finite_or_none

TEST_COLUMNS = ("test", "subject", "against")
"""What names one test of one pair."""

P_VALUE_COLUMNS = ("panel", "seed", "edge", "edge_size", "n_bars", *TEST_COLUMNS, "p_beats")
"""Columns of :func:`p_value_table`."""


@dataclass(frozen=True, eq=False)
class PanelOutcome:
    """What a job found on one panel.

    Attributes:
        strategy_returns: Date x strategy, simple returns per bar net of costs, in decimals.
        tests: One row per test and pair: test, subject, against, p_beats. The last is the
            one-sided p-value of "the subject beats the other", and blank where the test could
            not be made.
        facts: Anything else that JSON can hold.
    """

    strategy_returns: pd.DataFrame
    tests: pd.DataFrame
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the p-values.

        Raises:
            DataError: A column is missing, a pair is tested twice by one test, or a p-value is
                not in [0, 1].
        """
        _check_tests(self.tests)

    def to_bundle(self) -> Bundle:
        """As arrays and facts, to be kept."""
        dates = pd.DatetimeIndex(self.strategy_returns.index)
        tests = [
            [str(test), str(subject), str(against), finite_or_none(p)]
            for test, subject, against, p in self.tests[[*TEST_COLUMNS, "p_beats"]].to_numpy()
        ]
        return Bundle(
            arrays={
                "dates": dates.to_numpy().astype("datetime64[us]").astype("int64"),
                "returns": self.strategy_returns.to_numpy(dtype=float),
            },
            facts={
                "strategies": [str(name) for name in self.strategy_returns.columns],
                "tests": tests,
                "facts": dict(self.facts),
            },
        )

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> PanelOutcome:
        """Back from what :meth:`to_bundle` made."""
        index = pd.DatetimeIndex(bundle.arrays["dates"].astype("datetime64[us]"), name="date")
        returns = pd.DataFrame(
            bundle.arrays["returns"], index=index, columns=bundle.facts["strategies"]
        )
        tests = pd.DataFrame(bundle.facts["tests"], columns=[*TEST_COLUMNS, "p_beats"])
        return cls(returns, tests.astype({"p_beats": "float64"}), bundle.facts["facts"])


PanelJob = Callable[[pd.DataFrame], PanelOutcome]
"""Everything that is done on one panel: tidy prices (date, asset, close) to an outcome."""


def run_panels(
    job: PanelJob,
    panels: Sequence[Panel],
    *,
    parameters: Mapping[str, Any],
    cache: PieceCache,
    n_jobs: int = 1,
    description: str = "",
) -> list[PanelOutcome]:
    """Run the job on every panel and return the outcomes in the panels' order.

    Each outcome is kept as soon as it is there, under the code's version, the job's name and
    parameters and the panel's prices: a run that was broken off goes on where it stopped, and a
    change of any of them makes the outcome anew. Every outcome, new or kept, is what was read
    back, so that a resumed run has the same bits as one that was never broken off.

    Args:
        job: Module-level function, or an object that can be sent to another process. It must be
            deterministic and not depend on anything but the prices and ``parameters``.
        panels: What to run it on, each once.
        parameters: JSON values of everything that the job's outcome depends on beside prices and
            this package's code; for classes of the user's own, their source or a hash of it.
        cache: Where finished outcomes are kept.
        n_jobs: Processes; -1 for all cores. Results do not depend on it.
        description: What the progress bar says; no bar where empty.

    Raises:
        ParameterError: A panel is there twice.
        DataError: The job failed on a panel; the message names it. Nothing is dropped, for a job
            that fails where it finds nothing would make the others look better.
    """
    names = [str(panel) for panel in panels]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ParameterError(f"each panel is run once; this one is there twice: {twice[0]}.")
    identity = content_hash(code_version(), _name_of(job), dict(parameters))
    tasks = [(job, panel, identity, cache) for panel in panels]
    pieces = parallel_map(_run_panel, tasks, n_jobs=n_jobs, description=description, unit="panel")
    return [PanelOutcome.from_bundle(piece) for piece in pieces]


def _run_panel(job: PanelJob, panel: Panel, identity: str, cache: PieceCache) -> Bundle:
    prices = panel.prices()
    key = content_hash(identity, *_price_content(prices))
    try:
        return cache.get_or_make(key, lambda: job(prices).to_bundle())
    except Exception as error:
        raise DataError(
            f"the job failed on {panel}: {type(error).__name__}: {error}",
            remedy="mend the cause and run again; finished panels are kept.",
        ) from error


def _price_content(prices: pd.DataFrame) -> list[Any]:
    return [
        prices["asset"].tolist(),
        prices["date"].to_numpy().astype("datetime64[us]").astype("int64"),
        prices["close"].to_numpy(),
    ]


def _name_of(job: PanelJob) -> list[str]:
    named = job if inspect.isroutine(job) else type(job)
    return [named.__module__, named.__qualname__]


def _check_tests(tests: pd.DataFrame) -> None:
    missing = [name for name in (*TEST_COLUMNS, "p_beats") if name not in tests.columns]
    if missing:
        raise DataError("this column is missing", source="tests of a panel", column=missing[0])
    doubled = tests.duplicated(list(TEST_COLUMNS))
    if doubled.any():
        row = tests[doubled].iloc[0]
        raise DataError(
            f"{row['test']} of {row['subject']} against {row['against']} is there twice",
            source="tests of a panel",
        )
    p_values = tests["p_beats"].to_numpy(dtype=float)
    if not (np.isnan(p_values) | ((p_values >= 0.0) & (p_values <= 1.0))).all():
        raise DataError(
            "a p-value must lie in [0, 1] or be blank", source="tests of a panel", column="p_beats"
        )


def one_sided_tests(comparison: pd.DataFrame) -> pd.DataFrame:
    """The rows of a comparison table as a panel's tests, blank where nothing was tested.

    Args:
        comparison: Result of
            :func:`~regime_nas_pipeline.verdict.comparison.table.comparison_table`, which has a
            p-value of 1 and no statistic where two strategies cannot be told apart.

    Returns:
        test, subject, against, p_beats.
    """
    tests = comparison[[*TEST_COLUMNS, "p_beats"]].reset_index(drop=True)
    tests["p_beats"] = tests["p_beats"].where(comparison["statistic"].notna().to_numpy())
    return tests


def p_value_table(panels: Sequence[Panel], outcomes: Sequence[PanelOutcome]) -> pd.DataFrame:
    """All p-values of all panels in one tidy table.

    Args:
        panels: The panels.
        outcomes: What came of each, in the same order.

    Returns:
        One row per panel, test and pair: panel, seed, edge ("none" for a martingale), edge_size,
        n_bars, test, subject, against, p_beats. A test that a panel lacks and others of the same
        kind have is there with a blank.

    Raises:
        DataError: There is not one outcome for each panel, or none has a test.
    """
    if len(panels) != len(outcomes) or not panels:
        raise DataError(f"there are {len(panels)} panels and {len(outcomes)} outcomes")
    known = pd.concat([outcome.tests[list(TEST_COLUMNS)] for outcome in outcomes])
    known = known.drop_duplicates(ignore_index=True)
    if known.empty:
        raise DataError("no panel was tested for anything", source="tests of the panels")
    parts = []
    for panel, outcome in zip(panels, outcomes, strict=True):
        part = known.merge(
            outcome.tests[[*TEST_COLUMNS, "p_beats"]], on=list(TEST_COLUMNS), how="left"
        )
        parts.append(
            part.assign(
                panel=panel.number,
                seed=panel.seed,
                edge=panel.edge_name,
                edge_size=panel.edge_size,
                n_bars=len(panel.dates),
            )
        )
    return pd.concat(parts, ignore_index=True)[list(P_VALUE_COLUMNS)]
