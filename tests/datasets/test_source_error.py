from __future__ import annotations

import pickle

import pytest
from kedro.io import AbstractDataset, DatasetError

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.datasets.source_error import PriceSourceError


class FaultyDataset(AbstractDataset):
    def load(self):
        raise PriceSourceError("the price is odd", source="a.csv", remedy="mend it.")

    def save(self, data):
        raise NotImplementedError

    def _describe(self):
        return {}


def test_kedro_passes_the_message_on_as_written():
    with pytest.raises(DatasetError) as caught:
        FaultyDataset().load()
    assert isinstance(caught.value, DataError)
    assert str(caught.value) == "a.csv: the price is odd. Remedy: mend it."


def test_the_message_survives_a_process_boundary():
    error = PriceSourceError("the price is odd", source="a.csv", date="2020-01-01")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert isinstance(copy, DataError)
    assert str(copy) == str(error)
