from __future__ import annotations

import pytest

from regime_nas_pipeline.core.names import display_name


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
