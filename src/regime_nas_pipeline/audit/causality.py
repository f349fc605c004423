"""Does anything dated up to t depend on what came after t? Run the job on other futures and see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from regime_nas_pipeline.audit.compare import Window, compare, dated_units
from regime_nas_pipeline.audit.job import Comparison, Difference, Job, Output
from regime_nas_pipeline.audit.rules import Rule
from regime_nas_pipeline.audit.scramble import cut, scramble
from regime_nas_pipeline.core.errors import DataError, ParameterError

Alteration = Literal["scrambled", "cut"]
"""What was done to the prices after the audit date: replaced by others, or taken away."""


@dataclass(frozen=True)
class Check:
    """One run on altered prices, compared with the run on the original ones.

    Attributes:
        date: Audit date: prices up to it are as they were.
        alteration: What was done to the prices after it.
        comparison: What was compared, and what changed.
    """

    date: pd.Timestamp
    alteration: Alteration
    comparison: Comparison

    @property
    def first(self) -> Difference | None:
        """The earliest difference of the first dataset, in execution order, that changed."""
        return self.comparison.differences[0] if self.comparison.differences else None


@dataclass(frozen=True)
class AuditResult:
    """What an audit found.

    Attributes:
        checks: For each audit date the scrambled run, then the cut run where there is one.
        nodes: Compared dataset to its node, in execution order.
        exempt: Dataset left out to the reason that was given.
    """

    checks: tuple[Check, ...]
    nodes: dict[str, str]
    exempt: dict[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether nothing changed that should not; read it together with ``uncompared``."""
        return all(check.first is None for check in self.checks)

    @property
    def first_leak(self) -> Difference | None:
        """The leak that is first in execution order over all checks: where to start looking."""
        order = list(self.nodes)
        leaks = [check.first for check in self.checks if check.first is not None]
        if not leaks:
            return None
        places = {name: at for at, name in enumerate(order)}
        return min(leaks, key=lambda leak: places[leak.dataset.partition("[")[0]])

    @property
    def values_compared(self) -> int:
        """Values compared over all checks."""
        return sum(sum(check.comparison.compared.values()) for check in self.checks)

    @property
    def uncompared(self) -> tuple[str, ...]:
        """Datasets of which no value was dated early enough in any check: nothing is shown of them.

        An audit date later in the sample reaches them.
        """
        return tuple(
            name
            for name in self.nodes
            if not any(check.comparison.compared.get(name) for check in self.checks)
        )

    def to_facts(self) -> dict[str, Any]:
        """The whole result as JSON can hold it."""
        first = self.first_leak
        return {
            "passed": self.passed,
            "values_compared": self.values_compared,
            "first_leak": None if first is None else _as_facts(first),
            "uncompared": list(self.uncompared),
            "exempt": dict(self.exempt),
            "checks": [
                {
                    "date": check.date.isoformat(),
                    "alteration": check.alteration,
                    "compared": dict(check.comparison.compared),
                    "differences": [_as_facts(each) for each in check.comparison.differences],
                }
                for check in self.checks
            ],
        }


def audit(
    job: Job,
    prices: pd.DataFrame,
    dates: Sequence[pd.Timestamp],
    *,
    tolerance: float = 1e-6,
    exempt: Mapping[str, str] | None = None,
    rules: Mapping[str, Rule] | None = None,
    min_history: int = 2,
    cut_from: pd.Timestamp | None = None,
    seed: int = 0,
) -> AuditResult:
    """Run a job on the prices, and for each audit date on prices with another and with no future.

    Scrambling what comes after the date must leave everything dated up to it the same to the bit.
    Cutting it off may change the order of additions where arrays become shorter, so there a
    tolerance applies. The job must be deterministic: the same prices, the same outputs.

    Args:
        job: Runs everything on a tidy price table and returns its outputs in execution order.
        prices: Tidy table: date, asset, close and optional open, high, low, volume.
        dates: Audit dates, each a bar of the prices and none the last one.
        tolerance: Largest difference on cut prices that does not count, x max(1, |value|).
        exempt: Dataset without dates to the reason why it may be left out.
        rules: Dataset to what its dates mean, where the dates alone do not say it. Weights
            indexed by the bar that they earn need :data:`~.rules.EARNED`.
        min_history: Bars up to and including an audit date that the job needs.
        cut_from: First audit date at which the job can run on cut prices; at earlier ones it runs
            on scrambled prices alone. None for all of them.
        seed: Seed of the scrambling.

    Raises:
        ParameterError: There is no audit date, the tolerance is negative, an exemption has no
            reason, or a rule or an exemption names a dataset that the job does not make.
        DataError: An audit date is no bar, is the last bar or has too little history; or a
            dataset has no dates and is not exempt.

    Source: Kapoor, S., Narayanan, A. (2023). Leakage and the Reproducibility Crisis in
    Machine-Learning-Based Science. Patterns 4(9); this looks for what they call temporal leakage.
    """
    rules, exempt = dict(rules or {}), dict(exempt or {})
    _check_parameters(dates, tolerance, exempt)
    bars = pd.DatetimeIndex(prices["date"].unique()).sort_values()
    rows = [_audit_row(bars, pd.Timestamp(date), min_history) for date in dates]
    outputs = list(job(prices.copy()))
    _check_names(outputs, rules, exempt)
    original = dated_units(outputs, rules=rules, exempt=exempt)
    checks: list[Check] = []
    for row in rows:
        date = pd.Timestamp(bars[row])
        scrambled = job(scramble(prices, date, seed=seed))
        runs: list[tuple[Alteration, Sequence[Output], float | None]]
        runs = [("scrambled", scrambled, None)]
        if cut_from is None or date >= cut_from:
            runs.append(("cut", _run_cut(job, cut(prices, date), date), tolerance))
        for alteration, made, room in runs:
            other = dated_units(made, rules=rules, exempt=exempt, original=original)
            window = Window(bars, row, shortened=alteration == "cut")
            comparison = compare(original, other, window, tolerance=room)
            checks.append(Check(date, alteration, comparison))
    return AuditResult(tuple(checks), original.nodes, exempt)


def _check_parameters(
    dates: Sequence[pd.Timestamp], tolerance: float, exempt: Mapping[str, str]
) -> None:
    if len(dates) == 0:
        raise ParameterError("the audit needs at least one audit date.")
    if not tolerance >= 0.0:
        raise ParameterError(f"tolerance must not be negative and is {tolerance}.")
    for name, reason in exempt.items():
        if not reason.strip():
            raise ParameterError(f"the exemption of dataset '{name}' needs a reason.")


def _check_names(
    outputs: Sequence[Output], rules: Mapping[str, Rule], exempt: Mapping[str, str]
) -> None:
    made = {dataset for _, dataset, _ in outputs}
    for kind, names in (("a rule", rules), ("an exemption", exempt)):
        unknown = sorted(set(names) - made)
        if unknown:
            raise ParameterError(
                f"there is {kind} for '{unknown[0]}', which the job does not make. "
                f"It makes: {', '.join(sorted(made)) or 'nothing'}."
            )
    both = sorted(set(rules) & set(exempt))
    if both:
        raise ParameterError(f"dataset '{both[0]}' has a rule and is exempt; drop one of them.")


def _audit_row(bars: pd.DatetimeIndex, date: pd.Timestamp, min_history: int) -> int:
    row = int(bars.get_indexer(pd.DatetimeIndex([date]))[0])
    if row < 0:
        raise DataError(
            "there is no bar on this audit date",
            source="prices",
            date=date,
            remedy="choose an audit date with prices.",
        )
    if row + 1 < min_history:
        raise DataError(
            f"too little history for an audit: {row + 1} bars up to this date, and "
            f"{min_history} are needed",
            source="prices",
            date=date,
            remedy="choose a later audit date.",
        )
    if row == len(bars) - 1:
        raise DataError(
            "there is no bar after this audit date, so nothing can be altered",
            source="prices",
            date=date,
            remedy="choose an earlier audit date.",
        )
    return row


def _run_cut(job: Job, prices: pd.DataFrame, date: pd.Timestamp) -> Sequence[Output]:
    try:
        return job(prices)
    except DataError as error:
        raise DataError(
            "too little history for an audit: the job does not run on the prices up to this "
            f"date ({error})",
            source="prices",
            date=date,
            remedy="choose a later audit date.",
        ) from error


def _as_facts(difference: Difference) -> dict[str, Any]:
    return {**vars(difference), "date": difference.date.isoformat()}
