"""Typed parameters of how and where the work is done."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from regime_nas_pipeline.core.params import Strict


class ClusterChoice(Strict):
    """A Dask cluster that does folds, seeds, trials and panels; see ``docs/clusters.md``.

    Attributes:
        address: Of its scheduler, such as ``tcp://host:8786``.
        workers: How many must be there before work starts.
        timeout: Seconds to wait for the scheduler, and for the workers.
    """

    address: str = Field(min_length=1)
    workers: PositiveInt = 1
    timeout: float = Field(30.0, gt=0)


class Compute(Strict):
    """How the work is done; ``seed`` changes results, a GPU may round them differently.

    Attributes:
        n_jobs: Processes for folds and search trials; -1 for all cores. On a cluster, pieces of
            work under way at once, -1 for all of its workers; 1 leaves them in this process.
        seed: Seed of everything random.
        device: ``auto``, ``cpu`` or ``cuda``.
        cluster: Where that work is done; None for this machine.
    """

    n_jobs: Literal[-1] | PositiveInt = -1
    seed: int = Field(ge=0)
    device: str = "auto"
    # Where work is done is no part of what it is: nothing that is hashed or shown holds it.
    cluster: ClusterChoice | None = Field(None, exclude=True)
