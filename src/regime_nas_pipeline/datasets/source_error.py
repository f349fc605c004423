"""A fault in a price source, in a form that Kedro passes on as it is."""

from __future__ import annotations

from kedro.io import DatasetError

from regime_nas_pipeline.core.errors import DataError


class PriceSourceError(DataError, DatasetError):
    """A :class:`DataError` found while a dataset is loaded.

    Kedro wraps every error that is not its own into one that opens with the dataset's
    description; being both, this one reaches the user as written.
    """
