from __future__ import annotations

import pytest

from regime_nas_pipeline.core.names import display_name, name_in_sentence


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("regime_nas", "RegimeNAS"),
        ("gru", "GRU"),
        ("mvo_flat", "Minimum variance"),
        ("my_own_ridge", "my own ridge"),
    ],
)
def test_people_read_names_and_not_keys(name: str, shown: str) -> None:
    assert display_name(name) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("regime_nas", "RegimeNAS"),
        ("transformer", "Transformer"),
        ("mvo_flat", "minimum variance"),
        ("no_change", "the no-change forecast"),
        ("SPY_hold", "SPY hold"),
    ],
)
def test_plain_words_have_no_capital_inside_a_sentence(name: str, shown: str) -> None:
    assert name_in_sentence(name) == shown
