"""Kedro's command line, with a ``kedro run`` that says in one message what is wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.project import run as kedros_run
from kedro.framework.cli.utils import KedroCliError
from kedro.framework.project import settings

from regime_nas_pipeline.command_errors import one_message
from regime_nas_pipeline.conf_faults import ConfFolders, conf_folders
from regime_nas_pipeline.core.errors import in_one_line
from regime_nas_pipeline.run_names import refuse_unknown_names

_Callback = Callable[[click.Context, click.Parameter, Any], Any]


class RunCommand(click.Command):
    """``kedro run``: unknown names are refused first, and any error is one message.

    Exit code 2 says that the command was typed wrong, 1 that it failed.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run the pipeline.

        Raises:
            RunStoppedError: It failed; the message is all that is shown.
            click.UsageError: An option names something that there is not.
        """
        folders = _folders(ctx)
        with one_message(folders):
            refuse_unknown_names(ctx, folders)
            return super().invoke(ctx)


def _folders(context: click.Context) -> ConfFolders:
    """Where the configuration of the run lies."""
    project = getattr(context.obj, "project_path", Path.cwd())
    root = context.params["conf_source"] or project / settings.CONF_SOURCE
    return conf_folders(Path(root), context.params["env"])


def _set_verbose(_: click.Context, __: click.Parameter, value: bool) -> None:
    KedroCliError.VERBOSE_ERROR = value


def _refusing(parse: _Callback) -> _Callback:
    """Say of an option that cannot be read which one it is."""

    def callback(context: click.Context, option: click.Parameter, value: Any) -> Any:
        try:
            return parse(context, option, value)
        except KedroCliError as error:
            text = " ".join(error.message.split())
            raise click.BadParameter(text, context, option) from error
        except click.ClickException:
            raise
        except Exception as error:
            # What YAML says of a value is in its problem; the rest points at places in it.
            text = getattr(error, "problem", None) or in_one_line(error)
            raise click.BadParameter(f"{text}.", context, option) from error

    return callback


def _as_here(option: click.Parameter) -> click.Parameter:
    """One of Kedro's options, whose faults are faults of usage."""
    own = copy.copy(option)
    if option.callback is not None:
        own.callback = _refusing(option.callback)
    return own


@click.group(name="regime_nas_pipeline")
def cli() -> None:
    """Commands that take the place of Kedro's own."""


run = RunCommand(
    "run",
    params=[
        *map(_as_here, kedros_run.params),
        click.Option(
            ["--verbose", "-v"],
            is_flag=True,
            expose_value=False,
            callback=_set_verbose,
            help="Show the traceback of an error, not its message alone.",
        ),
    ],
    callback=kedros_run.callback,
    help=kedros_run.help,
    context_settings=kedros_run.context_settings,
)
cli.add_command(run)
