"""A Kedro pipeline as a job of the audit: prices in, every dataset out, nothing on disk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

import pandas as pd
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from regime_nas_pipeline.audit.job import Output
from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.pipelines.audit.scope import PRICES

logger = logging.getLogger(__name__)


class KeptDataset(MemoryDataset):
    """Data in memory that stay after the last node has read them."""

    def _release(self) -> None:
        """Keep the data: they are compared after the run."""


class _NotThereError(Exception):
    """A piece is not in the cache that is only read."""


def _refuse() -> NoReturn:
    raise _NotThereError


@dataclass(frozen=True)
class BorrowingCache(PieceCache):
    """Looks into another cache first and never writes to it.

    Attributes:
        lender: The other cache.
    """

    lender: PieceCache = field(kw_only=True)

    def get_or_make(self, key: str, make: Callable[[], Bundle]) -> Bundle:
        """The piece under ``key``: the lender's, this cache's own, or made and kept here."""
        with suppress(_NotThereError):
            return self.lender.get_or_make(key, _refuse)
        return super().get_or_make(key, make)


def borrowed(given: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """The same inputs with every cache of pieces read only, and new pieces kept in ``folder``."""
    return {
        name: BorrowingCache(folder, lender=value) if isinstance(value, PieceCache) else value
        for name, value in given.items()
    }


def run_in_memory(pipeline: Pipeline, given: Mapping[str, Any]) -> list[Output]:
    """Run all nodes one after the other without the catalog.

    Args:
        pipeline: What to run.
        given: Dataset or parameter to its value; more than the pipeline reads may be in it.

    Returns:
        Every output of every node, in the order in which the nodes ran.
    """
    catalog = DataCatalog(
        {
            **{name: MemoryDataset(given[name]) for name in pipeline.inputs()},
            **{name: KeptDataset() for name in pipeline.all_outputs()},
        }
    )
    SequentialRunner().run(pipeline, catalog)
    return [
        Output(node.name, name, catalog.load(name))
        for node in pipeline.nodes
        for name in node.outputs
    ]


class PipelineJob:
    """A pipeline from prices on.

    Args:
        pipeline: What to run.
        given: All that it reads; ``prices`` are replaced by those of the call.
        runs: How often it will be called, for the log.

    Attributes:
        first_outputs: What the first call made.
    """

    def __init__(self, pipeline: Pipeline, given: Mapping[str, Any], *, runs: int) -> None:
        self._pipeline, self._given, self._runs = pipeline, given, runs
        self._number = 0
        self.first_outputs: list[Output] = []

    def __call__(self, prices: pd.DataFrame) -> list[Output]:
        """Every dataset that the pipeline makes of these prices."""
        self._number += 1
        logger.info("audit run %d of %d: prices to %s", self._number, self._runs, _last(prices))
        outputs = run_in_memory(self._pipeline, {**self._given, PRICES: prices})
        if self._number == 1:
            self.first_outputs = outputs
        return outputs


def _last(prices: pd.DataFrame) -> str:
    return date_text(prices["date"].max(), prices["date"])
