"""Pipelines that are made when they are first looked into, so that their names cost nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kedro.pipeline import Pipeline


class DeferredPipeline(Pipeline):
    """A pipeline whose nodes, and all that they import, are loaded when it is first used.

    Kedro asks for every registered pipeline even where it needs no more than names, and the
    functions of this project's nodes bring torch and the statistical libraries with them. Once
    used it is no other than the pipeline that was made.

    Args:
        make: Makes the pipeline; called once.
    """

    def __init__(self, make: Callable[[], Pipeline]) -> None:
        # Not the parent's: that would need the nodes. All it sets is asked for below.
        self._make = make

    def __getattr__(self, name: str) -> Any:
        """What the pipeline has once it is made; only asked for what is missing before that.

        Raises:
            AttributeError: A pipeline has no such attribute.
            RuntimeError: Making it failed with an ``AttributeError``, which Kedro would take for
                a pipeline without nodes and pass over.
        """
        make = self.__dict__.get("_make")
        if make is None:
            raise AttributeError(f"a pipeline has no attribute '{name}'")
        try:
            made = make()
        except AttributeError as error:
            raise RuntimeError(f"a pipeline could not be made: {error}") from error
        self.__dict__.update(vars(made))
        self.__dict__.pop("_make", None)
        return getattr(self, name)
