"""Kedro's own file datasets, but written whole or not at all.

Kedro opens the file itself and writes into it, so that a run that is killed, or a full disk, leaves
half a file under the name that the next run reads. Here it is written under another name, and
renamed when it is complete. Of a versioned dataset Kedro takes the newest version whose file
exists, so a folder of a version that was never completed is not looked at.

All arguments, formats and previews are those of Kedro. Files on other machines, whose stores take
whole objects, are written as Kedro does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import ParquetDataset
from kedro_datasets.plotly import JSONDataset as PlotlyDataset
from kedro_datasets.text import TextDataset

from regime_nas_pipeline.core.files import whole_file


class _WholeFile:
    """Goes before a dataset of Kedro that writes one file, at ``_get_save_path()``."""

    _protocol: str
    _get_save_path: Callable[[], PurePosixPath]
    _copy: Callable[..., Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Kedro wraps the constructor to note its arguments. Around one that is inherited, and
        # wrapped already, it would note them as "args" and "kwargs".
        del cls.__init__

    def save(self, data: Any) -> None:
        """Write the file, or a new version of it."""
        # Kedro wraps every save, this one too; the second wrapper would only say things twice.
        write = super().save.__wrapped__  # type: ignore[misc]
        if self._protocol != "file":
            write(self, data)
            return
        with whole_file(Path(self._get_save_path())) as temporary:
            write(self._copy(_filepath=PurePosixPath(temporary), _version=None), data)


class WholeParquetDataset(_WholeFile, ParquetDataset):
    """A table in a Parquet file: ``pandas.ParquetDataset``, written whole."""


class WholeJSONDataset(_WholeFile, JSONDataset):
    """JSON values in a file: ``json.JSONDataset``, written whole."""


class WholeTextDataset(_WholeFile, TextDataset):
    """A text file, such as a report in HTML: ``text.TextDataset``, written whole."""


class WholeFigureDataset(_WholeFile, PlotlyDataset):
    """A Plotly figure as JSON: ``plotly.JSONDataset``, written whole."""
