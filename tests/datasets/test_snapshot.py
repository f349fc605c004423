from __future__ import annotations

import hashlib
import json

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.datasets.snapshot import Fetched, SnapshotStore
from regime_nas_pipeline.datasets.source_error import PriceSourceError
from regime_nas_pipeline.market.raw import make_note

QUERY = {"symbols": ["A", "B"], "interval": "D"}


def table(n: int = 4) -> pd.DataFrame:
    days = pd.date_range("2020-01-01", periods=n).astype("datetime64[us]")
    parts = [
        pd.DataFrame({"date": days, "asset": name, "close": scale * np.arange(1.0, n + 1)})
        for name, scale in (("B", 3.3), ("A", 0.1))
    ]
    return pd.concat(parts, ignore_index=True).astype({"asset": "str"})


@pytest.fixture
def store(tmp_path):
    return SnapshotStore(tmp_path, source="bybit", query=QUERY, libraries=["numpy", "no-such"])


def test_what_was_stored_comes_back_to_the_bit(store):
    assert (store.latest(), store.numbers()) == (None, [])
    note = make_note("odd", "An oddity.", asset="A", count=2)
    written = store.write(Fetched(table(), [note], [note | {"kind": "open"}], {"C": "unknown"}))
    again = SnapshotStore(store.directory.parent, source="bybit", query=QUERY).latest()
    for snapshot in (written, again):
        expected = table().sort_values(["asset", "date"], ignore_index=True)
        pd.testing.assert_frame_equal(snapshot.fetched.table, expected, check_exact=True)
        assert snapshot.fetched.notes == [note]
        assert snapshot.fetched.moment_notes == [note | {"kind": "open"}]
        assert snapshot.fetched.missing == {"C": "unknown"}
        assert snapshot.place == f"{store.directory.name}/0001.parquet"


def test_the_facts_beside_the_prices_say_what_they_are(store):
    store.write(Fetched(table()))
    facts = json.loads((store.directory / "0001.json").read_text())
    image = (store.directory / "0001.parquet").read_bytes()
    assert facts["sha256"] == hashlib.sha256(image).hexdigest()
    assert (facts["source"], facts["query"], facts["rows"]) == ("bybit", QUERY, 8)
    assert facts["assets"]["A"] == {"rows": 4, "first": "2020-01-01", "last": "2020-01-04"}
    assert pd.Timestamp(facts["fetched_at"]).tz is not None
    assert facts["libraries"]["numpy"] == np.__version__
    assert facts["libraries"]["no-such"] is None
    names = {path.name for path in store.directory.iterdir()}
    assert names == {"0001.json", "0001.parquet"}


def test_another_query_or_source_is_another_folder(tmp_path, store):
    same = SnapshotStore(tmp_path, source="bybit", query={"interval": "D", "symbols": ["A", "B"]})
    other = SnapshotStore(tmp_path, source="bybit", query={**QUERY, "interval": "60"})
    yahoo = SnapshotStore(tmp_path, source="yahoo", query=QUERY)
    assert same.directory == store.directory
    assert len({store.directory, other.directory, yahoo.directory}) == 3


def test_versions_are_added_and_each_can_be_read(store):
    store.write(Fetched(table(3)))
    store.write(Fetched(table(5)))
    assert store.numbers() == [1, 2]
    assert [len(store.read(number).fetched.table) for number in (1, 2)] == [6, 10]
    assert store.latest().number == 2


def test_a_write_that_was_broken_off_leaves_no_version(store):
    store.write(Fetched(table(3)))
    (store.directory / "0002.parquet").write_bytes(b"half a fi")
    assert store.latest().number == 1
    assert store.write(Fetched(table(5))).number == 2
    assert len(store.latest().fetched.table) == 10


def flip(image: bytes) -> bytes:
    return image[:100] + bytes([image[100] ^ 1]) + image[101:]


@pytest.mark.parametrize(
    ("suffix", "change", "shown"),
    [
        ("parquet", flip, "altered or damaged after it was stored: its sha256 is"),
        ("parquet", lambda image: image[:-1], "altered or damaged"),
        ("parquet", None, "the file of a snapshot is missing"),
        ("json", lambda image: image[:-5], "cannot be read"),
        ("json", lambda image: b"\xff" + image, "cannot be read"),
        ("json", lambda image: b"[]", "does not describe a snapshot"),
        ("json", lambda image: b"{}", "does not describe a snapshot"),
        ("json", lambda image: image.replace(b'"format": 1', b'"format": 9'), "format 9"),
        ("json", lambda image: image.replace(b'"D"', b'"W"'), "altered or damaged"),
        ("json", lambda image: image.replace(b'"notes": []', b'"notes": 7'), "altered or damaged"),
    ],
)
def test_a_damaged_file_is_named_and_not_used(store, suffix, change, shown):
    store.write(Fetched(table()))
    path = store.directory / f"0001.{suffix}"
    if change is None:
        path.unlink()
    else:
        image = path.read_bytes()
        path.write_bytes(change(image))
        assert path.read_bytes() != image
    with pytest.raises(PriceSourceError, match=shown) as caught:
        store.latest()
    assert str(caught.value).startswith(f"{store.directory.name}/0001.{suffix}: ")
    assert "Remedy: bring back the file as it was stored, or remove this version" in str(
        caught.value
    )
    # Doing what the remedy says helps.
    for left in store.directory.glob("0001.*"):
        left.unlink()
    assert store.latest() is None


def test_a_folder_of_another_query_under_this_name_is_refused(tmp_path, store):
    other = SnapshotStore(tmp_path, source="bybit", query={**QUERY, "interval": "60"})
    other.write(Fetched(table()))
    other.directory.rename(store.directory)
    with pytest.raises(PriceSourceError, match="the answer to another query"):
        store.latest()


def test_two_bars_for_one_time_are_refused():
    rows = table()
    rows.loc[1, "date"] = rows.loc[0, "date"]
    with pytest.raises(PriceSourceError, match=r"asset 'B', date 2020-01-01: .*more than one bar"):
        Fetched(rows)
