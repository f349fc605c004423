"""Kedro's command line, with a ``kedro run`` that shows tracebacks where they are asked for."""

from __future__ import annotations

import copy

import click
from kedro.framework.cli.project import run as kedros_run
from kedro.framework.cli.utils import KedroCliError


def _set_verbose(_: click.Context, __: click.Parameter, value: bool) -> None:
    KedroCliError.VERBOSE_ERROR = value


@click.group(name="regime_nas_pipeline")
def cli() -> None:
    """Commands that take the place of Kedro's own."""


run = copy.copy(kedros_run)
run.params = [
    *kedros_run.params,
    click.Option(
        ["--verbose", "-v"],
        is_flag=True,
        expose_value=False,
        callback=_set_verbose,
        help="Show the traceback of an error, not its message alone.",
    ),
]
cli.add_command(run, name="run")
