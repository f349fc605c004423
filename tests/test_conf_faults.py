"""A fault in the configuration is told with the file that it lies in."""

from __future__ import annotations

from pathlib import Path

import pytest
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog

from regime_nas_pipeline.conf_faults import ConfFolders, conf_folders

CSV = "regime_nas_pipeline.datasets.csv_prices.CsvPricesDataset"


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    for name, text in (
        ("base/catalog.yml", f"prices: {{type: {CSV}, filepath: prices.csv}}\n"),
        ("base/parameters.yml", "search: {budget: 1}\n"),
        ("base/globals.yml", "root: data\n"),
        ("own/parameters_search.yml", "search: {budget: 2}\n"),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def told(conf: Path) -> str | None:
    """What is said of the error that reading this configuration ends with."""
    try:
        loader = OmegaConfigLoader(str(conf), env="own", base_env="base", default_run_env="local")
        assert loader["parameters"]["search"]
        DataCatalog.from_config(loader["catalog"], credentials={}).get("more")
    except Exception as error:
        return ConfFolders(conf, "own").fault(error)
    raise AssertionError("the configuration is sound")


UNREADABLE = {
    "tab": (b"search:\n\tbudget: 3\n", "line 2, column 1: found character '\\t'"),
    "same key twice": (b"a: 1\na: 2\n", "line 2, column 1: found duplicate key a"),
    "unknown alias": (b"a: *b\n", "line 1, column 4: found undefined alias 'b'"),
    "open bracket": (b"a: 1\nb: [1\n", "(while parsing a flow sequence from line 2 on)"),
    "bytes": (b"a: \xff\n", "is no YAML file: 'utf-8' codec"),
    "number": (b"5\n", "is no YAML file: "),
    "list": (b"- a\n- b\n", "holds a list; 'name: value' is needed."),
}


@pytest.mark.parametrize("file", ["parameters_search.yml", "catalog_own.yml", "globals.yml"])
@pytest.mark.parametrize("fault", UNREADABLE)
def test_a_file_that_cannot_be_read_is_named(fault: str, file: str, conf: Path) -> None:
    content, words = UNREADABLE[fault]
    path = conf / "own" / file
    path.write_bytes(content)
    message = told(conf)
    assert message is not None
    assert str(path) in message
    assert words in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("search: {budget: '${nope}'}", ("'search.budget'", "Interpolation key 'nope' not found")),
        ("search: {budget: '${globals:nope}'}", ("'search.budget'", "Globals key 'nope'")),
        ("search: {budget: '${nosuch:1}'}", ("'search.budget'", "nosuch")),
    ],
)
def test_a_reference_to_nothing_is_named(text: str, words: tuple[str, ...], conf: Path) -> None:
    path = conf / "own" / "parameters_search.yml"
    path.write_text(text)
    message = told(conf)
    assert message is not None
    for word in (*words, str(path)):
        assert word in message
    assert "\n" not in message


ENTRIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "class": (
        f"{{type: {CSV[:-3]}}}",
        ("'CsvPricesData' not found", f"Did you mean '{CSV}'?"),
    ),
    "class of another library": (
        "{type: pandas.ParquetDatset, filepath: x}",
        ("'ParquetDatset' not found", "Did you mean 'pandas.ParquetDataset'?"),
    ),
    "module": ("{type: nosuch.Thing}", ("No module named 'nosuch'",)),
    "no dataset": ("{type: pathlib.Path}", ("'pathlib.Path' is invalid",)),
    "missing argument": (f"{{type: {CSV}}}", ("missing", "'filepath'", CSV)),
    "unknown argument": (f"{{type: {CSV}, filepath: x, filpath: y}}", ("unexpected", "'filpath'")),
    "no class": ("{filepath: x}", ("'type' is missing",)),
    "no block": ("5", ("not a valid dataset configuration",)),
}


@pytest.mark.parametrize("fault", ENTRIES)
def test_a_faulty_entry_of_the_catalog_is_named(fault: str, conf: Path) -> None:
    entry, words = ENTRIES[fault]
    path = conf / "own" / "catalog_own.yml"
    path.write_text(f"more: {entry}\n")
    message = told(conf)
    assert message is not None
    assert message.startswith(f"the catalog entry 'more' in {path}: ")
    for word in words:
        assert word in message
    assert "\n" not in message
    assert "Hint" not in message


def test_missing_credentials_are_named(conf: Path) -> None:
    path = conf / "own" / "catalog_own.yml"
    path.write_text(f"more: {{type: {CSV}, filepath: x, credentials: nope}}\n")
    message = told(conf)
    assert message is not None
    assert message.startswith("Unable to find credentials 'nope'")


def test_what_lies_elsewhere_is_not_blamed_on_the_configuration(conf: Path) -> None:
    # A file that Kedro does not read, and another environment's.
    (conf / "own" / "notes.yml").write_text("a: [\n")
    (conf / "other").mkdir()
    (conf / "other" / "parameters.yml").write_text("a: [\n")
    assert ConfFolders(conf, "own").fault(ZeroDivisionError("division by zero")) is None


def test_the_environment_is_found_as_kedro_finds_it(
    conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    assert conf_folders(conf, None).env == "local"
    monkeypatch.setenv("KEDRO_ENV", "own")
    assert conf_folders(conf, None).env == "own"
    assert conf_folders(conf, "base").env == "base"
    assert conf_folders(conf, None).environments == ["base", "own"]
    assert conf_folders(Path("s3://bucket/conf"), "own").environments == []
