"""What the command line says of an error: one message, and the traceback where it is asked for."""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click
from kedro.config import MissingConfigException
from kedro.framework.cli.utils import KedroCliError
from kedro.validation.exceptions import ParameterValidationError

from regime_nas_pipeline.conf_faults import ConfFolders, from_here
from regime_nas_pipeline.core.errors import RegimeNasError, in_one_line

GOES_ON = " What is finished is kept: the same command goes on from there."

_READABLE = (RegimeNasError, ParameterValidationError, MissingConfigException)
"""Errors whose message says all that a user needs; the last is an unknown environment."""

_WHERE = " 'kedro run --verbose' with the same options shows the traceback."


class RunStoppedError(KedroCliError):
    """What the command line shows of an error: the message, in red, alone."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message; with ``kedro run --verbose`` the traceback before it."""
        if self.VERBOSE_ERROR:
            click.echo("".join(traceback.format_exception(self)), file=file, err=True)
        click.secho(f"Error: {self.message}", file=file, err=True, fg="red")


@contextmanager
def readable_errors() -> Iterator[None]:
    """On the command line, show the project's own errors as one message without a traceback."""
    try:
        yield
    except Exception as error:
        if _is_readable(error):
            raise readable(error) from error
        raise


def readable(error: BaseException) -> BaseException:
    """The project's own error behind ``error``, in the form that Kedro's command line prints."""
    cause: BaseException | None = error
    while cause is not None and not _is_readable(cause):
        cause = cause.__cause__ or cause.__context__
    if cause is None or click.get_current_context(silent=True) is None:
        return cause or error
    return RunStoppedError(f"{cause}.{GOES_ON}" if _is_full_disk(cause) else str(cause))


@contextmanager
def one_message(folders: ConfFolders) -> Iterator[None]:
    """Turn whatever ends a command into one message; nothing is lost to ``--verbose``.

    Args:
        folders: Where the configuration lies, to say in which file a fault is.

    Raises:
        RunStoppedError: Instead of every error that is none of click's own.
    """
    try:
        yield
    except (RunStoppedError, click.exceptions.Exit, click.Abort):
        raise
    except KedroCliError as error:
        raise RunStoppedError(error.message) from error
    except click.ClickException:
        raise
    except Exception as error:
        known = readable(error)
        if isinstance(known, RunStoppedError):
            raise known from error
        raise RunStoppedError(folders.fault(error) or _unforeseen(error)) from error


def _unforeseen(error: BaseException) -> str:
    """Kind, text and place of an error that nobody thought of."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_own(Path(frame.filename))]
    place = own[-1] if own else frames[-1]
    where = f"{from_here(Path(place.filename))}, line {place.lineno}"
    return f"{type(error).__name__}: {in_one_line(error)} ({where}).{_WHERE}"


def _is_own(path: Path) -> bool:
    """Whether a file is the user's or the project's, and not its command line's."""
    library = "site-packages" in path.parts or path.is_relative_to(sys.base_prefix)
    return not library and path.parent != Path(__file__).parent


def _is_readable(error: BaseException) -> bool:
    return isinstance(error, _READABLE) or _is_full_disk(error)


def _is_full_disk(error: BaseException) -> bool:
    """Whether some library met a full disk; the project's own errors speak for themselves."""
    full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
    return full and not isinstance(error, RegimeNasError)
