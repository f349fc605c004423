"""Prices from the user's own files of one format: what all formats have in common."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.datasets.date_parsing import check_date_format, to_bar_dates
from regime_nas_pipeline.datasets.price_cells import field_columns, find_asset_column, is_wide
from regime_nas_pipeline.datasets.price_parsing import (
    ParsedFile,
    read_asset_names,
    read_one_asset,
    read_tidy,
    read_wide,
)
from regime_nas_pipeline.datasets.source_error import PriceSourceError
from regime_nas_pipeline.datasets.time_zones import check_time_zone
from regime_nas_pipeline.market.raw import TABLE_COLUMNS, RawPrices, make_note

_NAMES_SHOWN = 30


class FilePricesDataset(AbstractDataset[NoReturn, RawPrices]):
    """Prices from files; nothing is guessed, and everything changed is noted.

    The path is one of:

    - a *wide* file: ``Date`` and one column of closes for each asset; blank cells are missing bars;
    - a *tidy* file: ``Date``, ``Asset`` (or the column ``asset_column``) and any of Open, High,
      Low, Close, Adj Close, Volume; one row for each bar of each asset;
    - a folder with one file per asset, each with the columns of a tidy file without the asset;
      hidden files and those of other formats are passed over;
    - one such file.

    Time stamps with at most one bar per asset and calendar day become that day; otherwise they
    keep their time. A format is a subclass that says how one file is read.

    Args:
        filepath: File or folder.
        asset_pattern: Regular expression with a group ``asset`` that a file's name without its
            suffix must match, where files are of one asset; None: that name is the asset.
        asset_column: Column of a tidy file that says which asset a row is about; None: the
            column ``asset``, in any case, if there is one.
        exclude: Assets to leave out.
        date_format: strptime format of the dates, where they cannot be recognised.
        timezone: Place whose calendar the bars follow, as a name in the IANA database such as
            ``America/New_York``. Time stamps with a time zone are converted to its clock; those
            without one are taken to be on it and must exist there. None: UTC.
        metadata: Free for plugins such as Kedro-Viz; not read here.

    Raises:
        ParameterError: ``asset_pattern`` is not a regular expression with a group ``asset``,
            ``date_format`` no strptime format, or ``timezone`` not known.
    """

    _kind: ClassVar[str]
    _suffixes: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        *,
        filepath: str,
        asset_pattern: str | None = None,
        asset_column: str | None = None,
        exclude: Sequence[str] | None = None,
        date_format: str | None = None,
        timezone: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._path = Path(filepath)
        self._asset_pattern = asset_pattern
        self._asset_column = asset_column
        self._exclude = tuple(exclude or ())
        self._date_format = date_format
        self._timezone = timezone
        self.metadata = metadata
        self._pattern = _compile(asset_pattern)
        check_date_format(date_format)
        check_time_zone(timezone)

    @abstractmethod
    def _read(self, path: Path) -> pd.DataFrame:
        """Read the cells of one file."""

    def load(self) -> RawPrices:
        """Read everything.

        Raises:
            PriceSourceError: With file, column, asset, date and remedy.
        """
        if self._path.is_dir():
            self._refuse("asset_column", self._asset_column, "a folder with one file per asset")
            return self._load_one_file_per_asset(self._files())
        if not self._path.exists():
            raise PriceSourceError(
                f"there is no file or folder '{self._path}'",
                remedy="correct filepath in the catalog entry.",
            )
        name = self._path.name
        cells = self._read(self._path)
        asset_column = find_asset_column(cells, self._asset_column, name)
        if asset_column is not None:
            return self._load_tidy(cells, asset_column)
        if is_wide(field_columns(cells, name), len(cells.columns)):
            return self._load_wide(cells)
        return self._load_one_file_per_asset([self._path])

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
            "asset_column": self._asset_column,
            "exclude": list(self._exclude) or None,
            "date_format": self._date_format,
            "timezone": self._timezone,
        }

    def _files(self) -> list[Path]:
        files = sorted(
            path
            for path in self._path.iterdir()
            if path.name.lower().endswith(self._suffixes) and not path.name.startswith(".")
        )
        if not files:
            raise PriceSourceError(
                f"there is no {self._kind} file in the folder '{self._path}'",
                remedy="put one file per asset into it, or correct filepath in the catalog entry.",
            )
        return files

    def _refuse(self, option: str, value: object, where: str) -> None:
        """Refuse an option that nothing would read."""
        if value is not None:
            raise PriceSourceError(
                f"{option} has no meaning for {where}",
                source=self._path.name,
                remedy=f"remove {option} from the catalog entry.",
            )

    def _load_wide(self, cells: pd.DataFrame) -> RawPrices:
        name = self._path.name
        self._refuse("asset_pattern", self._asset_pattern, "a file with one column per asset")
        date_column = field_columns(cells, name)["date"]
        known = [str(column) for column in cells.columns if column != date_column]
        self._check_exclude(known)
        parsed = read_wide(cells, name, self._exclude, self._date_format, self._timezone)
        return self._assemble([parsed], dict.fromkeys(parsed.columns, name), known)

    def _load_tidy(self, cells: pd.DataFrame, asset_column: str) -> RawPrices:
        name = self._path.name
        self._refuse("asset_pattern", self._asset_pattern, "a file with a column of assets")
        assets = read_asset_names(cells, asset_column, name)
        known = [str(asset) for asset in assets.unique()]
        self._check_exclude(known)
        if self._exclude:
            kept = ~assets.isin(self._exclude)
            cells, assets = cells[kept], assets[kept]
        parsed = read_tidy(cells, name, assets, asset_column, self._date_format, self._timezone)
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
            read_one_asset(self._read(path), path.name, asset, self._date_format, self._timezone)
            for asset, path in places.items()
        ]
        return self._assemble(
            parsed, {asset: path.name for asset, path in places.items()}, list(assets)
        )

    def _asset_of(self, path: Path) -> str:
        known = [end for end in self._suffixes if path.name.lower().endswith(end)]
        stem = path.name[: -len(known[0])] if known else path.stem
        if self._pattern is None:
            return stem
        match = self._pattern.fullmatch(stem)
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
                remedy=f"choose among: {_listed(known)}.",
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


def _listed(names: list[str]) -> str:
    shown = sorted(names)[:_NAMES_SHOWN]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


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
