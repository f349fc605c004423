"""Nothing that a file can hold ends in anything but one clear error, or a repair that is noted."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus import CORPUS, Malformed
from hypothesis import given, settings
from hypothesis import strategies as st
from price_files import asset_text, wide_text
from price_layouts import bars, ingest_source

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.datasets.csv_prices import CsvPricesDataset
from regime_nas_pipeline.datasets.file_prices import FilePricesDataset
from regime_nas_pipeline.datasets.parquet_prices import ParquetPricesDataset
from regime_nas_pipeline.market.schema import PriceTable


def write_files(folder: Path, case: Malformed) -> FilePricesDataset:
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    first = next(iter(case.files))
    dataset = ParquetPricesDataset if first.endswith(".parquet") else CsvPricesDataset
    return dataset(filepath=str(folder / first.split("/")[0]), **case.options)


@pytest.mark.parametrize("name", [name for name, case in CORPUS.items() if case.error])
def test_a_malformed_file_gives_one_clear_error(tmp_path, name):
    case = CORPUS[name]
    source = write_files(tmp_path, case)
    with pytest.raises(DataError) as caught:
        ingest_source(source)
    message = str(caught.value)
    assert [part for part in case.error if part not in message] == []
    assert " Remedy: " in message
    assert "\n" not in message
    if "in the folder" not in message:
        assert message.startswith(("A.csv", *(Path(file).name for file in case.files)))


@pytest.mark.parametrize("name", [name for name, case in CORPUS.items() if case.note])
def test_a_repairable_file_is_noted(tmp_path, name):
    case = CORPUS[name]
    prepared = ingest_source(write_files(tmp_path, case))
    notes = [note for note in prepared.quality["notes"] if note["kind"] == case.note]
    assert len(notes) >= 1
    assert notes[0]["count"] >= 1


def test_the_corpus_is_large_and_states_what_to_expect():
    assert len(CORPUS) >= 60
    assert [name for name, case in CORPUS.items() if bool(case.error) == bool(case.note)] == []


TEXTS = [wide_text(), asset_text(), bars().to_csv(index=False)]
FRAGMENTS = [
    "",
    ",",
    '"',
    "\n",
    "\r",
    "\0",
    "é",
    "NaN",
    "-",
    "1e400",
    "inf",
    "Date",
    "Asset",
    "Close",
]
FRAGMENTS += [
    "2020-02-30",
    "2020-01-05T10:00+01:00",
    "01/02/2020",
    "9999-12-31",
    "²",
    "\ufeff",
    " ",
]


@st.composite
def damaged_texts(draw) -> str:
    """A good file, some pieces of which are replaced by others."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        stop = start + draw(st.integers(0, 12))
        text = text[:start] + draw(st.sampled_from(FRAGMENTS)) + text[stop:]
    return text


@settings(max_examples=100, deadline=None)
@given(damaged_texts() | st.text("0123,.\n\"'DateClose-: \r\0", max_size=60))
def test_no_text_ends_in_a_foreign_error(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(text.encode())
    try:
        PriceTable.validate(ingest_source(CsvPricesDataset(filepath=str(path))).prices)
    except DataError as error:
        assert error.remedy  # noqa: PT017 (some of the texts are fine)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=40), st.sampled_from(["fuzz.csv", "fuzz.csv.gz", "fuzz.parquet"]))
def test_no_bytes_end_in_a_foreign_error(tmp_path_factory, content, name):
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    dataset = ParquetPricesDataset if name.endswith("parquet") else CsvPricesDataset
    with pytest.raises(DataError, match="Remedy: "):
        dataset(filepath=str(path)).load()
