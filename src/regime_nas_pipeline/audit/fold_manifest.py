"""Which dates each fold trained on, validated on and was tested on, and proof of their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.splits import purged_tail, sample_rows

TRAINING, VALIDATION, TEST = "training", "validation", "test"
COLUMNS = ("fold", "role", "date", "target_end", "train_start", "train_end")


class FoldLike(Protocol):
    """What a manifest needs of a fold; see :class:`~.walkforward.folds.Fold`."""

    @property
    def number(self) -> int:
        """From 0."""

    @property
    def train_start(self) -> pd.Timestamp:
        """First bar of the training window."""

    @property
    def train_end(self) -> pd.Timestamp:
        """Last bar of the training window."""

    @property
    def decisions(self) -> pd.DatetimeIndex:
        """Decision dates."""


Split = Callable[[FoldLike, int], tuple[np.ndarray, np.ndarray]]
"""A fold and the bars in its window to training and validation rows, counted from its start."""


@dataclass(frozen=True)
class Violation:
    """One broken rule of one fold.

    Attributes:
        fold: Its number.
        rule: Name of the rule, see :func:`violations`.
        date: First sample that breaks it.
        detail: What is wrong, with dates.
        count: Samples that break it.
    """

    fold: int
    rule: str
    date: pd.Timestamp
    detail: str
    count: int


def purged_split(
    *, history: int, execution_lag: int, horizon: int, fraction: float | None, embargo: int = 0
) -> Split:
    """The project's own split of a training window, as it is made for networks.

    Args:
        history: Bars that a sample looks back over, itself included.
        execution_lag: Bars between decision and trade.
        horizon: Bars of the target return.
        fraction: Part of the samples held back for validation; None where nothing is.
        embargo: Extra bars between training and validation.
    """

    def split(_fold: FoldLike, n_bars: int) -> tuple[np.ndarray, np.ndarray]:
        rows = sample_rows(n_bars, history=history, execution_lag=execution_lag, horizon=horizon)
        if fraction is None:
            return rows, rows[:0]
        return purged_tail(
            rows, fraction=fraction, execution_lag=execution_lag, horizon=horizon, embargo=embargo
        )

    return split


def manifest_of(
    folds: Sequence[FoldLike],
    dates: pd.DatetimeIndex,
    *,
    split: Split,
    execution_lag: int,
    horizon: int,
) -> pd.DataFrame:
    """One row for every sample that a fold used.

    Args:
        folds: Who is trained when.
        dates: All bars of the market.
        split: Training and validation rows of a training window; :func:`purged_split`, or what a
            model really used.
        execution_lag: Bars between decision and trade.
        horizon: Bars of the target return.

    Returns:
        ``fold``, ``role`` (training, validation or test), ``date`` of the sample, ``target_end``
        (last bar of its target; blank where the data ends before), ``train_start`` and
        ``train_end`` of the fold.

    Raises:
        DataError: A fold's date is no bar.
        ParameterError: The lag is negative, the horizon is not positive, or the split gives rows
            outside the window.
    """
    if execution_lag < 0 or horizon < 1:
        raise ParameterError(
            "execution_lag must not be negative and horizon must be positive; they are "
            f"{execution_lag} and {horizon}."
        )
    tables = []
    for fold in folds:
        first, last = _rows(dates, pd.DatetimeIndex([fold.train_start, fold.train_end]), "folds")
        parts = split(fold, int(last - first + 1))
        inside = all((part >= 0).all() and (part <= last - first).all() for part in parts)
        if not inside:
            raise ParameterError(f"the split of fold {fold.number} gives rows outside its window.")
        chosen = (first + parts[0], first + parts[1], _rows(dates, fold.decisions, "folds"))
        for role, rows in zip((TRAINING, VALIDATION, TEST), chosen, strict=True):
            ends = rows + execution_lag + horizon
            known = ends < len(dates)
            table = pd.DataFrame({"date": dates[rows]})
            # Positions beyond the data are replaced before the look-up and blanked after it.
            table["target_end"] = dates[np.where(known, ends, 0)]
            table["target_end"] = table["target_end"].where(known)
            table.insert(0, "fold", fold.number)
            table.insert(1, "role", role)
            tables.append(table.assign(train_start=fold.train_start, train_end=fold.train_end))
    if not tables:
        raise DataError("there are no folds to make a manifest of", source="folds")
    return pd.concat(tables, ignore_index=True)


def violations(
    manifest: pd.DataFrame, dates: pd.DatetimeIndex, *, embargo: int = 0
) -> list[Violation]:
    """Everything in a manifest that breaks the order of time; empty for an honest one.

    For each fold: ``outside_window``, a training or validation sample before train_start or after
    train_end; ``unknown_target``, one whose target is not known at train_end; ``order``, a
    training sample that is not before every validation sample (shuffled validation);
    ``purge``, a training target that ends, with the embargo, after the first validation sample;
    ``test_in_training``, a test date not after train_end or used in training. Over folds, in
    order of their number: ``test_order``, a test date not after all earlier folds' test dates;
    ``fold_order``, a training window that does not end after the one before.

    Args:
        manifest: From :func:`manifest_of`.
        dates: All bars of the market, in which the embargo is counted.
        embargo: Bars that must lie between a training target's end and the first validation
            sample.

    Raises:
        DataError: The manifest has other columns or roles, or a date is no bar.
        ParameterError: The embargo is negative.
    """
    _check(manifest, embargo)
    found: list[Violation] = []
    tested: pd.Timestamp | None = None
    ended: pd.Timestamp | None = None
    for number, samples in manifest.groupby("fold", sort=True):
        fold = _FoldSamples(int(str(number)), samples, dates, embargo)
        found += fold.window() + fold.split() + fold.testing()
        if ended is not None:
            early = samples[samples["train_end"] <= ended]
            last = f"train_end is not after {date_text(ended, dates)}"
            found += fold.broken("fold_order", early, last)
        test = fold.part(TEST)
        if tested is not None:
            early = test[test["date"] <= tested]
            last = f"an earlier fold was tested until {date_text(tested, dates)}"
            found += fold.broken("test_order", early, last)
        ended = samples["train_end"].max()
        tested = max([*test["date"], *([] if tested is None else [tested])], default=None)
    return found


@dataclass(frozen=True)
class _FoldSamples:
    """The samples of one fold and the rules that they have to keep."""

    number: int
    samples: pd.DataFrame
    dates: pd.DatetimeIndex
    embargo: int

    def part(self, *roles: str) -> pd.DataFrame:
        """Samples in these roles."""
        return self.samples[self.samples["role"].isin(roles)]

    def window(self) -> list[Violation]:
        """Training and validation lie in the window, and so do their targets."""
        used = self.part(TRAINING, VALIDATION)
        end = used["train_end"]
        outside = used[(used["date"] < used["train_start"]) | (used["date"] > end)]
        late = used[~(used["target_end"] <= end) | (used["target_end"] <= used["date"])]
        return self.broken(
            "outside_window", outside, "a sample lies outside the training window"
        ) + self.broken(
            "unknown_target", late, "a target does not end after its sample and by train_end"
        )

    def split(self) -> list[Violation]:
        """Validation comes after training, with the purge and the embargo between them."""
        training, validation = self.part(TRAINING), self.part(VALIDATION)
        if training.empty or validation.empty:
            return []
        first = validation["date"].min()
        ends = training["target_end"].fillna(training["date"])
        room = _rows(self.dates, pd.DatetimeIndex(ends), "manifest") + self.embargo
        start = _rows(self.dates, pd.DatetimeIndex([first]), "manifest")[0]
        mixed = training["date"] >= first
        said = f"validation starts on {date_text(first, self.dates)}"
        return self.broken(
            "order", training[mixed], f"{said}, and training goes on from there"
        ) + self.broken(
            "purge",
            training[~mixed.to_numpy() & (room > start)],
            f"{said}, before a training target and {self.embargo} bars of embargo have ended",
        )

    def testing(self) -> list[Violation]:
        """Nothing that is tested on was trained on."""
        test, used = self.part(TEST), self.part(TRAINING, VALIDATION)
        seen = test[(test["date"] <= test["train_end"]) | test["date"].isin(used["date"])]
        return self.broken("test_in_training", seen, "a test date lies in the training window")

    def broken(self, rule: str, rows: pd.DataFrame, detail: str) -> list[Violation]:
        """The violation by these samples; none where there are no such samples."""
        if rows.empty:
            return []
        return [Violation(self.number, rule, rows["date"].min(), detail, len(rows))]


def _rows(dates: pd.DatetimeIndex, wanted: pd.DatetimeIndex, source: str) -> np.ndarray:
    found = np.asarray(dates.get_indexer(wanted))
    if (found < 0).any():
        raise DataError(
            "there is no bar on this date",
            source=source,
            date=pd.Timestamp(wanted[int(np.argmax(found < 0))]),
            remedy="hand over all bars of the market that the folds were made from.",
        )
    return found


def _check(manifest: pd.DataFrame, embargo: int) -> None:
    if embargo < 0:
        raise ParameterError(f"embargo must not be negative and is {embargo}.")
    missing = [name for name in COLUMNS if name not in manifest.columns]
    if missing or manifest.empty:
        raise DataError(
            "a fold manifest needs rows with " + ", ".join(COLUMNS),
            source="manifest",
            column=missing[0] if missing else None,
        )
    strange: list[Any] = sorted(set(manifest["role"]) - {TRAINING, VALIDATION, TEST})
    if strange:
        raise DataError(
            f"'{strange[0]}' is none of the roles {TRAINING}, {VALIDATION}, {TEST}",
            source="manifest",
            column="role",
        )
