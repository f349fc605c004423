from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from omegaconf import OmegaConf
from pydantic import ValidationError

from regime_nas_pipeline.market.calendars import UNION
from regime_nas_pipeline.walkforward.parameters import SubPeriod, Universe

PLAIN = {"benchmark": "SPY", "min_history": 10, "bars_per_year": 252}


def test_without_a_word_nothing_changes() -> None:
    universe = Universe(**PLAIN)
    assert (universe.calendar, universe.late_closes, universe.membership) == (UNION, [], None)
    assert universe == Universe(**PLAIN, calendar="union", late_closes=[], membership=None)


def test_an_environment_can_put_a_rule_in_the_place_of_a_word() -> None:
    base = OmegaConf.create({"universe": {**PLAIN, "calendar": "union"}})
    own = OmegaConf.create({"universe": {"calendar": {"kind": "asset", "asset": "SPY"}}})
    stated = OmegaConf.to_container(OmegaConf.merge(base, own))
    universe = Universe(**stated["universe"])
    assert (universe.calendar.kind, universe.calendar.asset) == ("asset", "SPY")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bars_per_year": 0}, "greater than 0"),
        ({"bars_per_year": "often"}, "auto"),
        ({"late_closes": ["BTC", "BTC"]}, "late_closes names BTC more than once"),
        (
            {"calendar": {"kind": "asset", "asset": "SPY"}, "late_closes": ["SPY"]},
            "'SPY' gives the calendar and cannot close late on it",
        ),
        ({"calendar": {"kind": "asset"}}, "'asset' belongs to kind: asset"),
        ({"calendar": "exchange"}, "'name' belongs to kind: exchange"),
    ],
)
def test_a_universe_that_contradicts_itself_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Universe(**{**PLAIN, **changes})


def test_bars_can_be_counted() -> None:
    assert Universe(**{**PLAIN, "bars_per_year": "auto"}).bars_per_year == "auto"


def test_a_part_of_the_sample_has_all_bars_of_its_last_day() -> None:
    part = SubPeriod(name="March", first="2020-03-01", last="2020-03-31")
    assert pd.Timestamp("2020-03-31 23:59") < part.last_moment < pd.Timestamp("2020-04-01")
