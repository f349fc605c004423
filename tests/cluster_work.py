"""Work that tests send to the workers of a cluster, which import it from here."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache, content_hash
from regime_nas_pipeline.core.errors import ClusterError, DataError
from regime_nas_pipeline.core.parallel import parallel_map
from regime_nas_pipeline.datasets.whole_files import WholeParquetDataset


class Weighty:
    """An argument of 80 kilobytes that counts how often this process has packed it."""

    packed = 0

    def __init__(self, seed: int) -> None:
        self.drawn = np.random.default_rng(seed).normal(size=(100, 100))

    def __getstate__(self) -> dict[str, Any]:
        Weighty.packed += 1
        return self.__dict__


def rounded_sums(weighty: Weighty, seed: int, folder: str) -> dict[str, np.ndarray]:
    """Sums whose last bits depend on the order of their terms, kept as a piece."""

    def make() -> Bundle:
        drawn = np.random.default_rng(seed).normal(size=(100, 100))
        return Bundle({"sums": np.linalg.inv(weighty.drawn @ drawn + np.eye(100)).sum(axis=0)})

    return PieceCache(folder).get_or_make(content_hash("sums", seed), make).arrays


def changed_in_place(values: np.ndarray, step: float) -> float:
    """What a piece does to its argument stays with it."""
    values += step
    return float(values.sum())


def own_process() -> int:
    return os.getpid()


def processes_within() -> set[int]:
    """The processes in which the pieces of a piece are done."""
    return {os.getpid(), *parallel_map(own_process, [(), ()], n_jobs=2)}


def faulty(number: int) -> int:
    if number == 2:
        raise DataError("price is not positive", asset="ACME", remedy="mend it.")
    return number


def end_worker_once(folder: str) -> None:
    """End the process that calls this first as a kill does."""
    try:
        (Path(folder) / "ended").touch(exist_ok=False)
    except FileExistsError:
        return
    os._exit(1)


def end_worker(*_: Any) -> None:
    """End every process that calls this."""
    os._exit(1)


def sums_of_a_lost_worker(
    weighty: Weighty, seed: int, folder: str, fatal: bool
) -> dict[str, np.ndarray]:
    found = rounded_sums(weighty, seed, folder)
    if fatal:
        end_worker_once(folder)
    return found


def draw(seed: int) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(60, 40)))


def sums_by_pieces(drawn: pd.DataFrame, folder: str) -> pd.DataFrame:
    """A node whose work is shared by pieces."""
    weighty = Weighty(int(drawn.shape[0]))
    tasks = [(weighty, seed, folder) for seed in range(4)]
    pieces = parallel_map(rounded_sums, tasks, n_jobs=-1)
    return pd.DataFrame({f"piece{n}": piece["sums"] for n, piece in enumerate(pieces)})


def two_halves(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return table[:50], table[50:]


class FatalDataset(WholeParquetDataset):
    """Ends the worker that saves it first: what the node saved before it stays behind."""

    def save(self, data: pd.DataFrame) -> None:
        end_worker_once(str(Path(self._filepath).parent))
        WholeParquetDataset.save.__wrapped__(self, data)


def judge(upper: pd.DataFrame, lower: pd.DataFrame) -> dict[str, Any]:
    return {"total": float(upper.to_numpy().sum() + lower.to_numpy().sum())}


def forbid(table: pd.DataFrame) -> pd.DataFrame:
    raise DataError("a node failed", source="forbidden", remedy="none is needed.")


def slow(folder: str, number: int) -> int:
    (Path(folder) / f"piece{number}").touch()
    time.sleep(0.05)
    return number


def many_pieces(seed: int, folder: str) -> list[int]:
    """A node that says when it was told that its run is over."""
    try:
        return parallel_map(slow, [(folder, number) for number in range(2000)], n_jobs=-1)
    except ClusterError:
        (Path(folder) / "stopped").touch()
        raise
