"""The project's own errors: one message that says what is wrong, where, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regime_nas_pipeline.core.dates import date_text

if TYPE_CHECKING:
    import pandas as pd


class RegimeNasError(Exception):
    """Base of every error that this project raises on purpose."""


class ParameterError(RegimeNasError):
    """A parameter is unknown, of the wrong kind, or contradicts another one."""


class FileError(RegimeNasError, OSError):
    """A file cannot be written: the disk is full, or the right to write there is missing."""


class FolderInUseError(RegimeNasError):
    """Another process is writing to the folder."""


class ClusterError(RegimeNasError):
    """A cluster cannot do the work: it does not answer, or its workers are unlike this process."""


class DataError(RegimeNasError):
    """The data cannot be used as it is.

    Args:
        problem: What is wrong, as a short statement ("price is not positive: -3").
        source: File or dataset that holds the fault.
        column: Column name.
        asset: Asset name.
        date: Date of the first faulty row.
        remedy: What the user can do about it.
    """

    def __init__(
        self,
        problem: str,
        *,
        source: str | None = None,
        column: str | None = None,
        asset: str | None = None,
        date: pd.Timestamp | str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem = problem
        self.source = source
        self.column = column
        self.asset = asset
        self.date = date
        self.remedy = remedy
        super().__init__(self._message())

    def _message(self) -> str:
        place = [self.source] if self.source else []
        if self.column:
            place.append(f"column '{self.column}'")
        if self.asset:
            place.append(f"asset '{self.asset}'")
        if self.date is not None:
            import pandas as pd  # noqa: PLC0415 - read for every command

            stamp = date_text(self.date) if isinstance(self.date, pd.Timestamp) else self.date
            place.append(f"date {stamp}")
        message = f"{', '.join(place)}: {self.problem}" if place else self.problem
        if not message.endswith("."):
            message += "."
        if self.remedy:
            message += f" Remedy: {self.remedy}"
        return message

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the place when the error crosses a process boundary."""
        return (_rebuild_data_error, (self.problem, dict(self.__dict__)))


def _rebuild_data_error(problem: str, fields: dict[str, object]) -> DataError:
    error = DataError(problem)
    error.__dict__.update(fields)
    error.args = (error._message(),)
    return error


def in_one_line(error: BaseException) -> str:
    """The text of any error without line breaks; that of a missing key says that it is one."""
    text = " ".join(str(error).split())
    if isinstance(error, KeyError) and error.args:
        text = str(error.args[0])
        return text if " " in text else f"there is no '{text}'"
    return text
