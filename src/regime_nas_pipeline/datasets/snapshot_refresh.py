"""When to read frozen prices, when to fetch, and what to do where history has changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.datasets.revisions import TOLERANCE, Revision, find_revision
from regime_nas_pipeline.datasets.snapshot import Fetched, Snapshot, SnapshotStore
from regime_nas_pipeline.datasets.source_error import PriceSourceError
from regime_nas_pipeline.market.raw import RawPrices, make_note

Fetch = Callable[[Mapping[str, "pd.Timestamp | None"]], Fetched]
"""Fetches the assets named, each from the bar of that date on (None: from the query's start)."""


@dataclass(frozen=True)
class FreezePolicy:
    """What a network source does with what it fetches.

    Attributes:
        missing: ``fail``, or ``drop`` to go on without assets of which the source has nothing.
        refresh: Fetch what is new since the last stored bars, once per dataset object.
        revised: ``fail``, or ``refetch`` to fetch the whole history of an asset again whose
            stored closes the source has changed.
        overlap: Stored bars of each asset that a refresh fetches again to compare; a revision
            before them is not seen.
        tolerance: Relative difference of two closes of a bar up to which they are the same.

    Raises:
        ParameterError: A value is not one of these.
    """

    missing: str = "fail"
    refresh: bool = False
    revised: str = "fail"
    overlap: int = 5
    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        for name, known in (("missing", ("fail", "drop")), ("revised", ("fail", "refetch"))):
            if getattr(self, name) not in known:
                raise ParameterError(
                    f"{name} must be {' or '.join(known)} and is '{getattr(self, name)}'."
                )
        if self.overlap < 1:
            raise ParameterError(f"overlap must be at least 1 bar and is {self.overlap}.")


class FrozenPrices:
    """Prices of a network source, fetched once and read from disk afterwards.

    Args:
        store: Where this query's versions lie.
        fetch: Fetches from the network; called only when there is nothing stored or a refresh is
            asked for.
        policy: What to do with what comes.
        name: The source in words ("Bybit spot, interval D"), for messages and the manifest.
        hint: Sentence on why this source's history may change, added to what is said of it.
    """

    def __init__(
        self,
        store: SnapshotStore,
        fetch: Fetch,
        *,
        policy: FreezePolicy,
        name: str,
        hint: str = "",
    ) -> None:
        self._store = store
        self._fetch = fetch
        self._policy = policy
        self._name = name
        self._hint = f" {hint}" if hint else ""
        self._stale = policy.refresh

    def load(self, assets: Sequence[str]) -> RawPrices:
        """The frozen prices; fetched before where there are none or a refresh is due.

        Args:
            assets: All assets of the query.

        Raises:
            PriceSourceError: The source, its answer or a stored file cannot be used.
        """
        snapshot = self._store.latest()
        if snapshot is None or self._stale:
            with self._store.lock():
                snapshot = self._store.latest()
                snapshot = self._first(assets) if snapshot is None else self._newer(snapshot)
        self._stale = False
        self._check_missing(snapshot.fetched)
        return self._raw(snapshot)

    def _ask(self, since: Mapping[str, pd.Timestamp | None]) -> Fetched:
        """Fetch; an asset of which nothing came is missing, whether or not the source says so."""
        fetched = self._fetch(since)
        silent = set(since) - set(fetched.table["asset"]) - set(fetched.missing)
        missing = {**dict.fromkeys(sorted(silent), "nothing came"), **fetched.missing}
        return replace(fetched, missing=missing)

    def _first(self, assets: Sequence[str]) -> Snapshot:
        fetched = self._ask(dict.fromkeys(assets))
        self._check_missing(fetched)
        return self._store.write(fetched)

    def _newer(self, snapshot: Snapshot) -> Snapshot:
        """Fetch from the last stored bars on, compare, and store what that makes."""
        old = snapshot.fetched
        histories = _by_asset(old.table)
        overlaps = {name: rows.iloc[-self._policy.overlap :] for name, rows in histories.items()}
        since = {name: rows["date"].iloc[0] for name, rows in overlaps.items()}
        fetched = self._ask({**since, **dict.fromkeys(old.missing)})
        self._check_missing(fetched)
        news = _by_asset(fetched.table)
        revised = {}
        for name in set(histories) - set(fetched.missing):
            revision = find_revision(
                overlaps[name],
                news.get(name, fetched.table.iloc[:0]),
                tolerance=self._policy.tolerance,
            )
            if revision is not None:
                revised[name] = revision
        again = self._fetch_again(snapshot, revised) if revised else Fetched(old.table.iloc[:0])
        whole = _by_asset(again.table)
        table = _merged(histories, news, whole)
        missing = {name: why for name, why in fetched.missing.items() if name not in histories}
        unserved = _unserved_notes(fetched, histories)
        if (
            not whole
            and len(table) == len(old.table)
            and missing == old.missing
            and all(note in old.moment_notes for note in unserved)
        ):
            return snapshot
        notes = [n for n in old.notes if n["asset"] not in whole or n["kind"] == "revised_history"]
        news_notes = [n for n in fetched.notes if n["asset"] not in whole]
        for note in (*news_notes, *again.notes, *self._revision_notes(snapshot, histories, whole)):
            if note not in notes:  # what is true of every fetch is said once
                notes.append(note)
        return self._store.write(Fetched(table, notes, [*fetched.moment_notes, *unserved], missing))

    def _fetch_again(self, snapshot: Snapshot, revised: Mapping[str, Revision]) -> Fetched:
        """Fetch the whole history of the revised assets, where the policy allows it."""
        if self._policy.revised == "fail":
            raise self._revised_fault(snapshot, revised)
        again = self._ask(dict.fromkeys(sorted(revised)))
        if again.missing:
            raise self._missing_fault(again.missing)
        return again

    def _revised_fault(
        self, snapshot: Snapshot, revised: Mapping[str, Revision]
    ) -> PriceSourceError:
        name, found = min(revised.items(), key=lambda item: (item[1].first_date, item[0]))
        others = [other for other in revised if other != name]
        also = f"; the same for {', '.join(others)}" if others else ""
        return PriceSourceError(
            f"the source has revised its history: the close stored in {snapshot.place} is "
            f"{_value(found.old)} and now is {_value(found.new)} ({found.count} of the bars "
            f"compared differ{also}).{self._hint}",
            source=self._name,
            asset=name,
            date=found.first_date,
            remedy="set revised: refetch to fetch the whole history of such assets again (the "
            "version before is kept), or refresh: false to go on with what is stored.",
        )

    def _revision_notes(
        self,
        snapshot: Snapshot,
        histories: Mapping[str, pd.DataFrame],
        whole: Mapping[str, pd.DataFrame],
    ) -> list[dict[str, Any]]:
        notes = []
        for name, rows in whole.items():
            found = find_revision(histories[name], rows, tolerance=self._policy.tolerance)
            if found is None:  # revised for a moment only
                continue
            largest = "" if found.largest is None else f", the largest by {found.largest:.3g}"
            notes.append(
                make_note(
                    "revised_history",
                    f"Closes differ from those stored in {snapshot.place}{largest} (relative); "
                    f"the whole history was fetched again.{self._hint}",
                    asset=name,
                    count=found.count,
                    first_date=found.first_date,
                )
            )
        return notes

    def _check_missing(self, fetched: Fetched) -> None:
        if fetched.missing and (self._policy.missing == "fail" or fetched.table.empty):
            raise self._missing_fault(fetched.missing)

    def _missing_fault(self, missing: Mapping[str, str]) -> PriceSourceError:
        said = "; ".join(f"{name}: {why}" for name, why in sorted(missing.items()))
        drop = "" if self._policy.missing == "drop" else ", or set missing: drop to go on without"
        return PriceSourceError(
            f"the source has no bar of {', '.join(sorted(missing))} ({said})",
            source=self._name,
            remedy=f"correct or remove these names in the catalog entry{drop}.",
        )

    def _raw(self, snapshot: Snapshot) -> RawPrices:
        fetched = snapshot.fetched
        dropped = [
            make_note(
                "not_in_source", f"Left out: the source has no bar of it ({why}).", asset=name
            )
            for name, why in sorted(fetched.missing.items())
        ]
        frozen = make_note(
            "snapshot",
            f"Fetched at {snapshot.facts['fetched_at']} and frozen; sha256 "
            f"{snapshot.facts['sha256']}.",
            file=snapshot.place,
            count=len(fetched.table),
            first_date=fetched.table["date"].min(),
        )
        return RawPrices(
            table=fetched.table,
            source=f"{self._name} ({snapshot.place})",
            places=dict.fromkeys(map(str, fetched.table["asset"].unique()), snapshot.place),
            notes=[frozen, *dropped, *fetched.moment_notes, *fetched.notes],
        )


def _by_asset(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each asset, sorted by date."""
    ordered = table.sort_values("date", kind="stable")
    return {str(name): rows for name, rows in ordered.groupby("asset", sort=True)}


def _merged(
    histories: Mapping[str, pd.DataFrame],
    news: Mapping[str, pd.DataFrame],
    whole: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:
    """Each asset's history: fetched again, or stored and what is later than that, or new."""
    parts = []
    for name in sorted({*histories, *news}):
        if name in whole:
            parts.append(whole[name])
        elif name not in histories:
            parts.append(news[name])
        else:
            parts.append(histories[name])
            if name in news:
                added = news[name]
                parts.append(added[added["date"] > histories[name]["date"].iloc[-1]])
    return pd.concat(parts, ignore_index=True)


def _unserved_notes(
    fetched: Fetched, histories: Mapping[str, pd.DataFrame]
) -> list[dict[str, Any]]:
    return [
        make_note(
            "not_served_any_more",
            f"The source gives no bar of it any more ({why}); what was stored is kept.",
            asset=name,
            count=len(histories[name]),
            first_date=histories[name]["date"].iloc[0],
        )
        for name, why in fetched.missing.items()
        if name in histories
    ]


def _value(close: float | None) -> str:
    return "no bar" if close is None else repr(close)
