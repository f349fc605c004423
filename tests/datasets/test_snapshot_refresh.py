from __future__ import annotations

import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.datasets.snapshot import Fetched, SnapshotStore
from regime_nas_pipeline.datasets.snapshot_refresh import FreezePolicy, FrozenPrices
from regime_nas_pipeline.datasets.source_error import PriceSourceError
from regime_nas_pipeline.market.raw import make_note

HINT = "A dividend rescales it."


def day(number: int) -> pd.Timestamp:
    return pd.Timestamp("2020-01-01") + pd.Timedelta(days=number)


class Source:
    """Closes by asset, from day 0 on; remembers what it was asked for."""

    def __init__(self, **closes: list[float]) -> None:
        self.closes = closes
        self.asked: list[dict[str, pd.Timestamp | None]] = []

    def fetch(self, since) -> Fetched:
        self.asked.append(dict(since))
        rows = [
            (day(number), name, close)
            for name, first in since.items()
            for number, close in enumerate(self.closes.get(name, []))
            if first is None or day(number) >= first
        ]
        table = pd.DataFrame(rows, columns=["date", "asset", "close"])
        return Fetched(
            table.astype({"date": "datetime64[us]", "asset": "str", "close": float}),
            notes=[make_note("delivered", "So many.", count=len(rows)), make_note("always", "So.")],
            moment_notes=[make_note("moment", f"Fetch {len(self.asked)}.")],
            missing={name: "unknown" for name in since if name not in self.closes},
        )


@pytest.fixture
def load(tmp_path):
    store = SnapshotStore(tmp_path, source="test", query={"assets": "ABC"})

    def load(source, assets=("A", "B"), **policy):
        frozen = FrozenPrices(
            store, source.fetch, policy=FreezePolicy(**policy), name="Test", hint=HINT
        )
        return frozen.load(assets)

    load.store = store
    return load


def closes_of(raw) -> dict[str, list[float]]:
    ordered = raw.table.sort_values(["asset", "date"])
    return {name: rows["close"].tolist() for name, rows in ordered.groupby("asset")}


def kinds(raw) -> list[str]:
    return [note["kind"] for note in raw.notes]


def test_the_first_load_fetches_and_the_next_needs_no_source(load):
    source = Source(A=[1.0, 2.0], B=[3.0])
    first = load(source)
    later = load(Source())
    assert source.asked == [{"A": None, "B": None}]
    pd.testing.assert_frame_equal(later.table, first.table, check_exact=True)
    assert (later.notes, later.source, later.places) == (first.notes, first.source, first.places)
    assert closes_of(first) == source.closes
    assert first.source == f"Test ({load.store.directory.name}/0001.parquet)"
    assert kinds(first) == ["snapshot", "moment", "delivered", "always"]
    assert load.store.latest().facts["sha256"] in first.notes[0]["detail"]


def test_a_refresh_asks_from_the_overlap_on_and_appends(load):
    load(Source(A=[1.0, 2.0, 3.0, 4.0], B=[5.0]))
    source = Source(A=[1.0, 2.0, 3.0, 4.0, 4.5, 4.6], B=[5.0, 5.5])
    raw = load(source, refresh=True, overlap=2)
    assert source.asked == [{"A": day(2), "B": day(0)}]
    assert closes_of(raw) == source.closes
    assert load.store.numbers() == [1, 2]
    assert len(load.store.read(1).fetched.table) == 5
    assert kinds(raw) == ["snapshot", "moment", "delivered", "always", "delivered"]
    assert closes_of(load(Source())) == source.closes


def test_a_refresh_without_news_adds_no_version_and_happens_once(load):
    closes = {"A": [1.0, 2.0], "B": [3.0, 4.0]}
    load(Source(**closes))
    source = Source(**closes)
    frozen = FrozenPrices(load.store, source.fetch, policy=FreezePolicy(refresh=True), name="Test")
    assert closes_of(frozen.load(["A", "B"])) == closes_of(frozen.load(["A", "B"])) == closes
    assert len(source.asked) == 1
    assert load.store.numbers() == [1]


def test_revised_history_stops_the_run_by_default(load):
    load(Source(A=[1.0, 2.0, 3.0], B=[5.0, 6.0, 7.0]))
    revised = Source(A=[1.0, 2.0, 3.0, 4.0], B=[5.0, 6.5, 7.5, 8.0])
    with pytest.raises(PriceSourceError) as caught:
        load(revised, refresh=True)
    assert str(caught.value) == (
        "Test, asset 'B', date 2020-01-02: the source has revised its history: the close stored "
        f"in {load.store.directory.name}/0001.parquet is 6.0 and now is 6.5 (2 of the bars "
        "compared differ). A dividend rescales it. Remedy: set revised: refetch to fetch the "
        "whole history of such assets again (the version before is kept), or refresh: false to "
        "go on with what is stored."
    )
    assert load.store.numbers() == [1]
    assert closes_of(load(Source())) == {"A": [1.0, 2.0, 3.0], "B": [5.0, 6.0, 7.0]}


def test_refetch_replaces_the_whole_history_of_the_revised_asset_alone(load):
    old = {"A": [1.0, 2.0, 3.0, 4.0], "B": [5.0, 6.0, 7.0, 8.0]}
    load(Source(**old))
    new = Source(A=[9.9, 2.0, 3.0, 4.0, 4.5], B=[10.0, 9.0, 14.0, 16.0, 18.0])
    raw = load(new, refresh=True, revised="refetch", overlap=2)
    # A's first close lies before the overlap: its stored history stays as it was frozen.
    assert closes_of(raw) == {"A": [*old["A"], 4.5], "B": new.closes["B"]}
    assert new.asked == [{"A": day(2), "B": day(2)}, {"B": None}]
    note = next(note for note in raw.notes if note["kind"] == "revised_history")
    assert (note["asset"], note["count"], note["first_date"]) == ("B", 4, "2020-01-01")
    assert "the largest by 1 (relative)" in note["detail"]
    assert note["detail"].endswith(HINT)
    assert load.store.numbers() == [1, 2]
    assert closes_of_snapshot(load.store.read(1)) == old
    # The finding is not forgotten by later versions.
    again = Source(A=[*old["A"], 4.5], B=[*new.closes["B"], 19.0])
    assert note in load(again, refresh=True).notes


def closes_of_snapshot(snapshot) -> dict[str, list[float]]:
    return {name: rows["close"].tolist() for name, rows in snapshot.fetched.table.groupby("asset")}


def test_a_revision_that_was_over_when_fetched_again_is_not_reported(load):
    load(Source(A=[1.0, 2.0], B=[3.0, 4.0]))

    class Settling(Source):
        def fetch(self, since):
            fetched = super().fetch(since)
            self.closes = {"A": [1.0, 2.0], "B": [3.0, 4.0]}
            return fetched

    raw = load(Settling(A=[1.0, 2.5], B=[3.0, 4.0]), refresh=True, revised="refetch")
    assert closes_of(raw) == {"A": [1.0, 2.0], "B": [3.0, 4.0]}
    assert "revised_history" not in kinds(raw)


def test_missing_assets_stop_the_run_by_default_and_nothing_is_stored(load):
    with pytest.raises(PriceSourceError) as caught:
        load(Source(B=[1.0]), assets=("A", "B", "C"))
    assert str(caught.value) == (
        "Test: the source has no bar of A, C (A: unknown; C: unknown). Remedy: correct or remove "
        "these names in the catalog entry, or set missing: drop to go on without."
    )
    assert load.store.numbers() == []


def test_drop_goes_on_and_says_so_and_a_stricter_load_still_stops(load):
    raw = load(Source(B=[1.0]), missing="drop")
    assert raw.assets == ("B",)
    dropped = [note for note in raw.notes if note["kind"] == "not_in_source"]
    assert [note["asset"] for note in dropped] == ["A"]
    assert "unknown" in dropped[0]["detail"]
    with pytest.raises(PriceSourceError, match="no bar of A"):
        load(Source(), missing="fail")


def test_nothing_at_all_is_an_error_in_any_case(load):
    with pytest.raises(PriceSourceError, match=r"no bar of A, B .*remove these names in the cat"):
        load(Source(), missing="drop")
    assert load.store.numbers() == []


def test_a_refresh_brings_in_what_was_missing_and_keeps_what_has_gone(load):
    load(Source(A=[1.0, 2.0]), missing="drop")
    source = Source(B=[5.0, 6.0])
    raw = load(source, refresh=True, missing="drop")
    assert source.asked == [{"A": day(0), "B": None}]
    assert closes_of(raw) == {"A": [1.0, 2.0], "B": [5.0, 6.0]}
    gone = [note for note in raw.notes if note["kind"] == "not_served_any_more"]
    assert [(note["asset"], note["count"]) for note in gone] == [("A", 2)]
    assert "not_in_source" not in kinds(raw)
    with pytest.raises(PriceSourceError, match="no bar of A"):
        load(Source(B=[5.0, 6.0]), refresh=True)


def test_a_refetch_that_finds_nothing_stores_nothing(load):
    load(Source(A=[1.0, 2.0], B=[3.0, 4.0]))

    class Vanishing(Source):
        def fetch(self, since):
            fetched = super().fetch(since)
            self.closes.pop("A", None)
            return fetched

    with pytest.raises(PriceSourceError, match="no bar of A"):
        load(Vanishing(A=[1.0, 2.5], B=[3.0, 4.0]), refresh=True, revised="refetch")
    assert load.store.numbers() == [1]


def test_a_source_that_gives_nothing_and_says_nothing_is_missing_too(load):
    with pytest.raises(PriceSourceError, match=r"no bar of B \(B: nothing came\)"):
        load(Source(A=[1.0], B=[]))


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"missing": "ignore"}, "missing must be fail or drop and is 'ignore'"),
        ({"revised": "mix"}, "revised must be fail or refetch and is 'mix'"),
        ({"overlap": 0}, "overlap must be at least 1 bar"),
    ],
)
def test_an_unknown_policy_is_refused(options, shown):
    with pytest.raises(ParameterError, match=shown):
        FreezePolicy(**options)
