"""Prices from the user's own CSV files: one wide file, or a folder with one file per asset."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.datasets.csv_cells import field_columns, is_wide, read_cells
from regime_nas_pipeline.datasets.csv_parsing import ParsedFile, read_one_asset, read_wide
from regime_nas_pipeline.datasets.date_parsing import to_bar_dates
from regime_nas_pipeline.datasets.source_error import PriceSourceError
from regime_nas_pipeline.market.raw import TABLE_COLUMNS, RawPrices, make_note


class CsvPricesDataset(AbstractDataset[NoReturn, RawPrices]):
    """Prices from CSV files; nothing is guessed, and everything changed is noted.

    The path is either one wide file (``Date,<asset>,<asset>,...``, closes) or a folder with one
    file per asset (``Date`` and any of Open, High, Low, Close, Adj Close, Volume, in any case). A
    single file with a Close or Adj Close is a file of one asset. Blank cells of a wide file are
    missing bars; hidden files in a folder are passed over.

    Time stamps with at most one bar per asset and calendar day become that day; otherwise they
    keep their time.

    Example catalog entry::

        raw_prices:
          type: regime_nas_pipeline.datasets.csv_prices.CsvPricesDataset
          filepath: data/01_raw/coins
          asset_pattern: coin_(?P<asset>.+)
          exclude: [Tether, USDCoin]

    Args:
        filepath: File or folder.
        asset_pattern: Regular expression with a group ``asset`` that a file's name without
            ``.csv`` must match; None: that name is the asset.
        exclude: Assets to leave out.
        date_format: strptime format of the dates, where they cannot be recognised.
        metadata: Free for plugins such as Kedro-Viz; not read here.

    Raises:
        ParameterError: ``asset_pattern`` is not a regular expression with a group ``asset``.
    """

    def __init__(
        self,
        *,
        filepath: str,
        asset_pattern: str | None = None,
        exclude: Sequence[str] | None = None,
        date_format: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._path = Path(filepath)
        self._asset_pattern = asset_pattern
        self._exclude = tuple(exclude or ())
        self._date_format = date_format
        self.metadata = metadata
        self._pattern = _compile(asset_pattern)

    def load(self) -> RawPrices:
        """Read everything.

        Raises:
            PriceSourceError: With file, column, asset, date and remedy.
        """
        files = self._files()
        first = read_cells(files[0])
        fields = field_columns(first, files[0].name)
        if not self._path.is_dir() and is_wide(fields, len(first.columns)):
            return self._load_wide(first)
        return self._load_one_file_per_asset(files)

    def save(self, data: NoReturn) -> NoReturn:
        """Refuse: the files are the user's.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError(f"{type(self).__name__} is read-only: prices are never written back.")

    def _exists(self) -> bool:
        return self._path.exists()

    def _describe(self) -> dict[str, Any]:
        return {
            "filepath": self._path.as_posix(),
            "asset_pattern": self._asset_pattern,
            "exclude": list(self._exclude) or None,
            "date_format": self._date_format,
        }

    def _files(self) -> list[Path]:
        if not self._path.exists():
            raise PriceSourceError(
                f"there is no file or folder '{self._path}'",
                remedy="correct filepath in the catalog entry.",
            )
        if not self._path.is_dir():
            return [self._path]
        files = sorted(
            path
            for path in self._path.iterdir()
            if path.suffix.lower() == ".csv" and not path.name.startswith(".")
        )
        if not files:
            raise PriceSourceError(
                f"there is no CSV file in the folder '{self._path}'",
                remedy="put one file per asset into it, or correct filepath in the catalog entry.",
            )
        return files

    def _load_wide(self, cells: pd.DataFrame) -> RawPrices:
        name = self._path.name
        if self._pattern is not None:
            raise PriceSourceError(
                "asset_pattern has no meaning for a file with one column per asset",
                source=name,
                remedy="remove asset_pattern from the catalog entry.",
            )
        date_column = field_columns(cells, name)["date"]
        known = [str(column) for column in cells.columns if column != date_column]
        self._check_exclude(known)
        parsed = read_wide(cells, name, self._exclude, self._date_format)
        return self._assemble([parsed], dict.fromkeys(parsed.columns, name), known)

    def _load_one_file_per_asset(self, files: list[Path]) -> RawPrices:
        assets: dict[str, Path] = {}
        for path in files:
            asset = self._asset_of(path)
            if asset in assets:
                raise PriceSourceError(
                    f"files '{assets[asset].name}' and '{path.name}' are of the same asset",
                    source=self._path.name,
                    asset=asset,
                    remedy="keep one of them, or correct asset_pattern.",
                )
            assets[asset] = path
        self._check_exclude(list(assets))
        places = {asset: path for asset, path in assets.items() if asset not in self._exclude}
        parsed = [
            read_one_asset(read_cells(path), path.name, asset, self._date_format)
            for asset, path in places.items()
        ]
        return self._assemble(
            parsed, {asset: path.name for asset, path in places.items()}, list(assets)
        )

    def _asset_of(self, path: Path) -> str:
        if self._pattern is None:
            return path.stem
        match = self._pattern.fullmatch(path.stem)
        if match is None or not match["asset"]:
            raise PriceSourceError(
                f"the file name does not match asset_pattern '{self._asset_pattern}'",
                source=path.name,
                remedy="rename the file, move it elsewhere, or correct asset_pattern.",
            )
        return match["asset"]

    def _check_exclude(self, known: list[str]) -> None:
        unknown = [name for name in self._exclude if name not in known]
        if unknown:
            raise PriceSourceError(
                f"exclude names {', '.join(map(repr, unknown))}, which the source does not have",
                source=self._path.name,
                remedy=f"choose among: {', '.join(sorted(known))}.",
            )
        if set(known) <= set(self._exclude):
            raise PriceSourceError(
                "no asset is left after exclude",
                source=self._path.name,
                remedy="shorten exclude in the catalog entry.",
            )

    def _assemble(
        self, parsed: list[ParsedFile], places: dict[str, str], known: list[str]
    ) -> RawPrices:
        """Join the files to one table and their notes to one list."""
        joined = pd.concat([each.table for each in parsed], ignore_index=True)
        table, intraday = to_bar_dates(joined)
        notes = [
            make_note("excluded", "Left out by exclude in the catalog entry.", asset=name)
            for name in sorted(set(known) & set(self._exclude))
        ]
        notes += [note for each in parsed for note in each.notes]
        ignored = sorted({name for each in parsed for name in each.ignored})
        if ignored:
            notes.append(
                make_note(
                    "columns_ignored",
                    f"Columns that are not prices were not read: {', '.join(ignored)}.",
                    count=len(ignored),
                )
            )
        if intraday:
            notes.append(
                make_note(
                    "intraday",
                    "Some asset has several bars on one day, so that dates keep their time.",
                    count=len(table),
                    first_date=table["date"].min(),
                )
            )
        return RawPrices(
            table=table[[name for name in TABLE_COLUMNS if name in table.columns]],
            source=self._path.name,
            places=places,
            columns={asset: names for each in parsed for asset, names in each.columns.items()},
            notes=notes,
        )


def _compile(asset_pattern: str | None) -> re.Pattern[str] | None:
    if asset_pattern is None:
        return None
    try:
        pattern = re.compile(asset_pattern)
    except re.error as error:
        raise ParameterError(f"asset_pattern '{asset_pattern}': {error}.") from error
    if "asset" not in pattern.groupindex:
        raise ParameterError(
            f"asset_pattern '{asset_pattern}' has no group 'asset': write (?P<asset>...)."
        )
    return pattern
