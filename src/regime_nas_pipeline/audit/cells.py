"""Which values differ: to the bit, or by more than a tolerance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.bundle import Bundle

_NUMBERS = "biuf"
_TIMES = "mM"


def differing(before: np.ndarray, after: np.ndarray, tolerance: float | None) -> np.ndarray:
    """Where two arrays of one shape differ, as booleans of that shape.

    Blanks equal blanks. Without a tolerance numbers must agree to the bit (0.0 and -0.0 differ);
    with one, numbers may differ by ``tolerance`` x max(1, |before|).

    Args:
        before: Any dtype; objects may be strings, dates, lists, arrays or dictionaries.
        after: Same shape.
        tolerance: Largest difference that does not count; None for none at all.
    """
    kinds = before.dtype.kind + after.dtype.kind
    if all(kind in _NUMBERS for kind in kinds):
        return _numbers_differ(before, after, tolerance)
    if all(kind in _TIMES for kind in kinds):
        found: np.ndarray = (before != after) & ~(np.isnat(before) & np.isnat(after))
        return found
    pairs = zip(before.astype(object).ravel(), after.astype(object).ravel(), strict=True)
    different = [not _same(left, right, tolerance) for left, right in pairs]
    return np.array(different, dtype=bool).reshape(before.shape)


def leaves(value: Any, *, ignore: frozenset[str], path: str = "") -> dict[str, np.ndarray]:
    """Everything in a nested value as named arrays, at least one-dimensional.

    Args:
        value: Table, bundle, dictionary, list, array or single value, nested in any way.
        ignore: Columns and keys to leave out, at any depth.
        path: Where ``value`` stands, put before every name.

    Returns:
        Dotted path to array, in the order found.
    """
    if isinstance(value, Bundle):
        value = {**value.arrays, **value.facts}
    if isinstance(value, pd.Series):
        value = value.to_frame("value" if value.name is None else value.name)
    if isinstance(value, pd.DataFrame):
        value = _columns(value)
    if isinstance(value, list | tuple) and any(_nested(item) for item in value):
        value = {f"[{i}]": item for i, item in enumerate(value)}
    if isinstance(value, Mapping):
        return _named(value, ignore, path)
    if isinstance(value, np.ndarray):
        return {path: np.atleast_1d(value)}
    return {path: _flat(value if isinstance(value, list | tuple) else [value])}


def shown(value: Any) -> str | float | int | bool | None:
    """A value as JSON can hold it: numbers stay numbers, anything else becomes short text."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if np.isfinite(value) else None if np.isnan(value) else str(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return str(value)[:200]


def _named(entries: Mapping[Any, Any], ignore: frozenset[str], path: str) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name, item in entries.items():
        if str(name) not in ignore:
            below = f"{path}.{name}" if path else str(name)
            found |= leaves(item, ignore=ignore, path=below)
    return found


def _columns(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Every level of the index and every column by name."""
    found = {
        str(name or "index"): np.asarray(table.index.get_level_values(level))
        for level, name in enumerate(table.index.names)
    }
    for at, name in enumerate(table.columns):
        found[str(name)] = np.asarray(table.iloc[:, at])
    return found


def _nested(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple | np.ndarray | pd.DataFrame | pd.Series)


def _flat(values: Iterable[Any]) -> np.ndarray:
    """A one-dimensional array; of numbers where all values are numbers, else of objects."""
    items = list(values)
    if items and all(_is_number(item) for item in items):
        return np.asarray(items)
    result = np.empty(len(items), dtype=object)
    result[:] = items
    return result


def _numbers_differ(before: np.ndarray, after: np.ndarray, tolerance: float | None) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        equal = before == after
        if "f" in (before.dtype.kind, after.dtype.kind):
            left, right = before.astype(float), after.astype(float)
            blank = np.isnan(left) & np.isnan(right)
            if tolerance is None:
                close = equal & (np.signbit(left) == np.signbit(right))
            else:
                room = tolerance * np.maximum(1.0, np.abs(left))
                finite = np.isfinite(left) & np.isfinite(right)
                close = equal | (finite & (np.abs(left - right) <= room))
            equal = close | blank
    different: np.ndarray = ~equal
    return different


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool)


def _is_blank(value: Any) -> bool:
    return bool(pd.isna(value))


def _same(left: Any, right: Any, tolerance: float | None) -> bool:
    """Whether two values of an object array are the same, looking into containers."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(
            _same(left[key], right[key], tolerance) for key in left
        )
    lists = (list, tuple, np.ndarray)
    if isinstance(left, lists) and isinstance(right, lists):
        return len(left) == len(right) and all(
            _same(one, other, tolerance) for one, other in zip(left, right, strict=True)
        )
    if isinstance(left, (*lists, Mapping)) or isinstance(right, (*lists, Mapping)):
        return False
    if _is_number(left) and _is_number(right):
        return not _numbers_differ(np.asarray(left), np.asarray(right), tolerance).any()
    if _is_blank(left) or _is_blank(right):
        return _is_blank(left) and _is_blank(right)
    return bool(left == right)
