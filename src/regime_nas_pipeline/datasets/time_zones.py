"""Time stamps as the bar dates of one place: a stated time zone, or else UTC."""

from __future__ import annotations

import zoneinfo

import pandas as pd

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.datasets.price_cells import as_text, row_name
from regime_nas_pipeline.datasets.source_error import PriceSourceError


def check_time_zone(timezone: str | None) -> None:
    """Check that a time zone is known.

    Raises:
        ParameterError: It is not in the IANA database.
    """
    if timezone is None:
        return
    try:
        zoneinfo.ZoneInfo(timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ParameterError(
            f"timezone '{timezone}' is not known: write a name of the IANA database, such as "
            "'America/New_York'."
        ) from error


def local_times(
    stamps: pd.Series[pd.Timestamp],
    cells: pd.Series,
    *,
    timezone: str,
    source: str,
    column: str,
) -> pd.Series[pd.Timestamp]:
    """Convert instants to the clock of a time zone.

    Args:
        stamps: Instants in UTC, without a time zone.
        cells: The same as they stand in the file, for messages.
        timezone: Name in the IANA database.
        source: File name, for messages.
        column: Column name, for messages.

    Raises:
        PriceSourceError: The clock is put back between two stamps, and by it they are equal or in
            the wrong order.
    """
    local = stamps.dt.tz_localize("UTC").dt.tz_convert(timezone).dt.tz_localize(None)
    elapsed = stamps.diff()
    shown = local.diff()
    none = pd.Timedelta(0)
    turned = ((elapsed > none) & (shown <= none)) | ((elapsed < none) & (shown >= none))
    if turned.any():
        row = int(turned.to_numpy().argmax())
        raise PriceSourceError(
            f"the clock in {timezone} is put back, so that this stamp is not after the one before "
            f"it ({row_name(cells, row)})",
            source=source,
            column=column,
            date=as_text(cells.iloc[[row]]).iloc[0],
            remedy="remove timezone from the catalog entry: UTC is never put back.",
        )
    return local


def check_local_times(
    stamps: pd.Series[pd.Timestamp],
    cells: pd.Series,
    *,
    timezone: str,
    source: str,
    column: str,
) -> None:
    """Check that times on the clock of a time zone exist there and are unambiguous.

    A column of days has no times, so that nothing is checked.

    Args:
        stamps: Local times, without a time zone.
        cells: The same as they stand in the file, for messages.
        timezone: Name in the IANA database.
        source: File name, for messages.
        column: Column name, for messages.

    Raises:
        PriceSourceError: A time is left out when the clock is put forward, or comes twice when it
            is put back.
    """
    if (stamps == stamps.dt.normalize()).all():
        return
    unknown = stamps.dt.tz_localize(timezone, ambiguous="NaT", nonexistent="NaT").isna().to_numpy()
    if not unknown.any():
        return
    row = int(unknown.argmax())
    stamp = stamps.iloc[row]
    shown = stamp.tz_localize(timezone, ambiguous=True, nonexistent="shift_forward")
    exists = shown.tz_localize(None) == stamp
    raise PriceSourceError(
        (
            f"the time comes twice in {timezone}, where the clock is put back"
            if exists
            else f"there is no such time in {timezone}, where the clock is put forward"
        )
        + f" ({row_name(cells, row)})",
        source=source,
        column=column,
        date=as_text(cells.iloc[[row]]).iloc[0],
        remedy="write time stamps with their offset to UTC (such as -05:00), or correct timezone.",
    )
