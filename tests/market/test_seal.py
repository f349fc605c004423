"""The last part of the sample under seal."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.audit.scramble import scramble
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.prepare import prepare_prices, price_sha256
from regime_nas_pipeline.market.raw import RawPrices
from regime_nas_pipeline.market.schema import PriceTable
from regime_nas_pipeline.market.seal import (
    SealedSample,
    join_sealed,
    prepare_sample,
    refuse_sealed_bars,
)

DATES = pd.bdate_range("2020-01-01", periods=60)
FIRST_OOS = DATES[15].date()
SETTINGS = {
    "assets": None,
    "benchmark": "M",
    "start": None,
    "max_gap": 3,
    "needed_bars": 8,
}


def make_raw(seed: int = 0) -> RawPrices:
    """Four assets: B listed late, C with gaps and an early end, D listed near the end."""
    generator = np.random.default_rng(seed)
    rows = []
    for asset in "ABCDM":
        close = 100 * np.exp(np.cumsum(0.01 * generator.standard_normal(len(DATES))))
        for bar, date in enumerate(DATES):
            late = (asset == "B" and bar < 8) or (asset == "D" and bar < 50)
            gone = asset == "C" and (bar in (5, 11, 12, 33, 41) or bar > 45)
            if not (late or gone):
                rows.append((date, asset, close[bar], float(bar)))
    table = pd.DataFrame(rows, columns=["date", "asset", "close", "volume"])
    return RawPrices(table=table, source="source", places=dict.fromkeys("ABCDM", "source"))


def sample(raw: RawPrices, seal: dt.date | None, **changes) -> SealedSample:
    arguments = {"end": None, "first_oos": FIRST_OOS, "period": 3, **SETTINGS, **changes}
    return prepare_sample(raw, sealed_from=seal, **arguments)


def whole(raw: RawPrices) -> pd.DataFrame:
    return prepare_prices(raw, end=None, first_oos=FIRST_OOS, **SETTINGS).prices


def test_without_a_seal_everything_is_as_it_was() -> None:
    raw = make_raw()
    plain = prepare_prices(raw, end=None, first_oos=FIRST_OOS, **SETTINGS)
    made = sample(raw, None)
    pd.testing.assert_frame_equal(made.known.prices, plain.prices)
    assert (made.known.quality, made.known.manifest) == (plain.quality, plain.manifest)
    assert made.sealed.empty
    PriceTable.validate(made.sealed, lazy=True)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 50), bar=st.integers(18, 59))
def test_both_parts_are_the_sample_and_neither_reaches_over_the_seal(seed: int, bar: int) -> None:
    raw, boundary = make_raw(seed), DATES[bar]
    made = sample(raw, boundary.date())
    assert made.known.prices["date"].max() < boundary <= made.sealed["date"].min()
    both = pd.concat([made.known.prices, made.sealed], ignore_index=True)
    pd.testing.assert_frame_equal(both, whole(raw))
    seal = made.known.manifest["sealed"]
    assert seal["n_dates"] == len(DATES) - bar
    assert seal["rows"] == len(made.sealed)
    assert seal["sha256"] == price_sha256(made.sealed)
    assert made.known.manifest["sha256"] == price_sha256(made.known.prices)


def test_an_altered_sealed_price_changes_one_hash_and_nothing_else() -> None:
    raw, seal = make_raw(), DATES[40].date()
    altered = dataclasses.replace(raw, table=scramble(raw.table, DATES[39], seed=3))
    first, second = sample(raw, seal), sample(altered, seal)
    pd.testing.assert_frame_equal(first.known.prices, second.known.prices, check_exact=True)
    assert first.known.quality == second.known.quality
    hashes = [made.known.manifest["sealed"].pop("sha256") for made in (first, second)]
    assert hashes[0] != hashes[1]
    assert first.known.manifest == second.known.manifest
    assert not np.allclose(first.sealed["close"], second.sealed["close"])


def test_the_report_counts_sealed_rows_apart_from_those_after_the_end() -> None:
    raw, seal, end = make_raw(), DATES[40].date(), DATES[55].date()
    made = sample(raw, seal, end=end)
    dates = raw.table["date"]
    assert made.known.quality["rows_after_end"] == int((dates > pd.Timestamp(end)).sum())
    assert made.known.quality["sealed"] == {
        "from": "2020-02-26",
        "rows": len(made.sealed),
        "n_dates": 16,
        "last_date": "2020-03-18",
    }
    (note,) = [note for note in made.known.quality["notes"] if note["kind"] == "sealed"]
    assert (note["count"], note["first_date"]) == (len(made.sealed), "2020-02-26")
    # An asset that is listed after the seal is not described, only said to be absent.
    assert "D" not in made.known.quality["assets"]
    assert "D" in set(made.sealed["asset"])


@pytest.mark.parametrize(
    ("seal", "words"),
    [
        (dt.date(2020, 4, 1), ("2020-04-01", "2020-03-24")),
        (dt.date(2020, 1, 1), ("2020-01-01", "inside the sample")),
        (DATES[17].date(), ("2 bars", "needs 3", "first_oos")),
    ],
)
def test_a_seal_in_the_wrong_place_is_refused(seal: dt.date, words: tuple[str, ...]) -> None:
    with pytest.raises(DataError) as error:
        sample(make_raw(), seal)
    for word in ("universe.sealed_from", *words):
        assert word in str(error.value)


def test_a_fault_in_the_sealed_part_is_found_before_it_is_opened() -> None:
    raw = make_raw()
    table = raw.table.copy()
    table.loc[(table["asset"] == "A") & (table["date"] == DATES[50]), "close"] = -1.0
    with pytest.raises(DataError, match="asset 'A', date 2020-03-11"):
        sample(dataclasses.replace(raw, table=table), DATES[40].date())


def test_prices_that_reach_past_the_seal_are_refused() -> None:
    prices = whole(make_raw())
    refuse_sealed_bars(prices, None)
    refuse_sealed_bars(prices.iloc[:0], DATES[40].date())
    refuse_sealed_bars(prices[prices["date"] < DATES[40]], DATES[40].date())
    with pytest.raises(DataError, match=r"from 2020-02-26 on are sealed .*ingestion"):
        refuse_sealed_bars(prices[prices["date"] <= DATES[40]], DATES[40].date())


def test_the_parts_join_again_only_as_they_were_sealed() -> None:
    raw, seal = make_raw(), DATES[40].date()
    made = sample(raw, seal)
    known, sealed = made.known.prices, made.sealed
    hashes = [made.known.manifest["sha256"], made.known.manifest["sealed"]["sha256"]]
    joined = join_sealed(known, sealed, sealed_from=seal, hashes=hashes)
    pd.testing.assert_frame_equal(joined, whole(raw))
    other = sealed.assign(close=sealed["close"] * 1.001)
    for parts, words in (
        ((known, other), "sealed_prices: .*not those"),
        ((known.iloc[:-1], sealed), "prices: .*not those"),
        ((known, sealed.iloc[:0]), "does not hold the bars"),
        ((known, joined), "does not hold the bars"),
        ((joined, sealed), "are sealed"),
    ):
        with pytest.raises(DataError, match=words):
            join_sealed(*parts, sealed_from=seal, hashes=hashes)
