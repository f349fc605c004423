"""What every network source of prices is to Kedro: read-only, and read from frozen files."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from regime_nas_pipeline.datasets.snapshot import SnapshotStore
from regime_nas_pipeline.datasets.snapshot_refresh import FrozenPrices
from regime_nas_pipeline.market.raw import RawPrices


class NetworkPricesDataset(AbstractDataset[NoReturn, RawPrices]):
    """Prices that are fetched once, frozen, and read from disk afterwards.

    A source sets ``_assets`` (all that are asked for), ``_store`` and ``_frozen``, and says in
    ``_query`` what decides on the prices that come.
    """

    _assets: Sequence[str]
    _store: SnapshotStore
    _frozen: FrozenPrices

    def load(self) -> RawPrices:
        """The frozen prices; fetched before where there are none or a refresh is due.

        Raises:
            PriceSourceError: The source, its answer or a stored file cannot be used.
        """
        return self._frozen.load(self._assets)

    def save(self, data: NoReturn) -> NoReturn:
        """Refuse: prices come from the source.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError(f"{type(self).__name__} is read-only: prices are never written back.")

    @abstractmethod
    def _query(self) -> dict[str, Any]:
        """What decides on the prices that come: the key of the snapshot."""

    def _exists(self) -> bool:
        return bool(self._store.numbers())

    def _describe(self) -> dict[str, Any]:
        return {"snapshots": self._store.directory.as_posix(), **self._query()}
