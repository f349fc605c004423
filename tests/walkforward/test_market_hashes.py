from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import with_listing
from regime_nas_pipeline.walkforward.market_hashes import (
    closes_identities,
    closes_identity,
    hashes_up_to,
)

STOPS = [40, 25, 40, 31]


def test_a_hash_is_that_of_the_market_cut_there_whatever_others_are_asked_for(
    labelled_market: Market,
):
    found = hashes_up_to(labelled_market, STOPS)
    assert found[0] == found[2]
    assert len(set(found)) == 3
    for stop, known in zip(STOPS, found, strict=True):
        assert hashes_up_to(labelled_market, [stop]) == [known]
        cut = labelled_market.until(labelled_market.dates[stop - 1])
        assert hashes_up_to(cut, [stop]) == [known]


@pytest.mark.parametrize("row", [0, 24, 25, 30, 31, 39])
def test_another_number_in_a_bar_changes_the_hashes_from_that_bar_on(
    labelled_market: Market, row: int
):
    assert labelled_market.regimes is not None
    full: dict[str, Any] = {
        "fields": {"volume": np.ones_like(labelled_market.close)},
        "observed": {"VIX": np.full(len(labelled_market.dates), 20.0)},
        "members": np.ones(labelled_market.close.shape, dtype=bool),
    }
    market = dataclasses.replace(labelled_market, **full)
    before = hashes_up_to(market, STOPS)

    def altered(values: np.ndarray) -> np.ndarray:
        other = values.copy()
        other[row] = ~other[row] if other.dtype == bool else 7.0
        return other

    changed: dict[str, Any] = {
        name: altered(getattr(market, name))
        for name in ("close", "benchmark", "regimes", "members")
    }
    changed |= {
        name: {key: altered(values) for key, values in full[name].items()}
        for name in ("fields", "observed")
    }
    for name, value in changed.items():
        after = hashes_up_to(dataclasses.replace(market, **{name: value}), STOPS)
        differs = [one != other for one, other in zip(before, after, strict=True)]
        assert differs == [row < stop for stop in STOPS], name


def test_facts_without_a_bar_are_in_every_hash(labelled_market: Market):
    before = hashes_up_to(labelled_market, STOPS)
    changed: dict[str, Any] = {
        "assets": tuple(name.lower() for name in labelled_market.assets),
        "min_history": 99,
        "bars_per_year": 365,
        "benchmark_name": "index",
        "regime_names": labelled_market.regime_names[::-1],
        "closes_before": np.full(len(labelled_market.assets), 7),
        "fields": {"volume": np.ones_like(labelled_market.close)},
    }
    for name, value in changed.items():
        after = hashes_up_to(dataclasses.replace(labelled_market, **{name: value}), STOPS)
        assert not set(before) & set(after), name
    volume, opened = ({name: np.ones_like(labelled_market.close)} for name in ("volume", "open"))
    one, other = (
        hashes_up_to(dataclasses.replace(labelled_market, fields=each), STOPS)
        for each in (volume, opened)
    )
    assert not set(one) & set(other)


def test_identities_of_many_stops_are_those_of_each_market_cut_there(labelled_market: Market):
    late = with_listing(
        labelled_market,
        first_bar={labelled_market.assets[1]: 30},
        last_bar={labelled_market.assets[2]: 27},
    )
    found = closes_identities(late, STOPS)
    for stop, known in zip(STOPS, found, strict=True):
        cut = late.until(late.dates[stop - 1])
        assert closes_identity(cut) == known
        assert set(known["assets"]) == set(cut.listed().assets)
    assert late.assets[1] not in found[1]["assets"]  # not listed by its 25th bar
    ended = [each["assets"][late.assets[2]] for each in (found[3], found[0])]
    assert ended[0] == ended[1]
