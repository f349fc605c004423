"""The examples of the README work as they are printed."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from documents import PROJECT, block, blocks, prose
from finished_run import FinishedRun
from kedro.io import AbstractDataset
from project_runs import Case

from regime_nas_pipeline.core import params
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.params import allow_modules, load_class
from regime_nas_pipeline.forecasters.base import Forecaster
from regime_nas_pipeline.market.market import Market

README = "README.md"
FORECASTER = "src/regime_nas_pipeline/forecasters/trend.py"

pytestmark = pytest.mark.xdist_group("docs")


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=["check", "format"])
def test_the_sixth_forecaster_is_as_tidy_as_the_project(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--stdin-filename", FORECASTER, "-"],
        input=block(README, FORECASTER).body,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_sixth_forecaster_keeps_the_contract(trend_module: str, small_market: Market) -> None:
    example: dict[str, object] = {}
    exec(block(README, "tests/forecasters/test_trend.py").code, example)  # noqa: S102
    tests = [value for name, value in example.items() if name.startswith("test_")]
    assert tests
    for test in tests:
        test(small_market)  # type: ignore[operator]


def test_the_sixth_forecaster_learns_the_slope(trend_module: str, small_market: Market) -> None:
    forecaster = importlib.import_module(trend_module).TrendForecaster(
        horizon=5, execution_lag=1, lookback=20
    )
    close = small_market.close
    past, target = [], []
    for row in range(20, len(close) - 6):
        past.append(np.log(close[row] / close[row - 20]))
        target.append(np.log(close[row + 6] / close[row + 1]))
    slope = np.linalg.lstsq(np.concatenate(past)[:, None], np.concatenate(target), rcond=None)[0]
    assert forecaster.fit(small_market).slope_ == pytest.approx(slope[0], rel=1e-9)


@pytest.mark.slow
def test_the_sixth_forecaster_runs_through_everything(trend_run: FinishedRun) -> None:
    assert trend_run.summary["strategies"]["trend"]["sharpe"] is not None
    assert trend_run.summary["forecasts"]["trend"]["parameters"] == 1
    assert "trend" in trend_run.table("strategy_returns")
    assert "trend" in set(trend_run.table("significance")["strategy"])
    assert re.search(r"\btrend\b", trend_run.report, re.IGNORECASE)


def own_environment(folder: Path, name: str, n_before: int) -> Case:
    """The README's environment, its two paths replaced, with prices that it would find."""
    dates = pd.bdate_range(end="2014-12-31", periods=n_before)
    dates = dates.append(pd.bdate_range("2015-01-01", "2015-12-31"))
    generator = np.random.default_rng(1)
    prices = np.exp(np.cumsum(0.01 * generator.standard_normal((len(dates), 3)), axis=0))
    panel = pd.DataFrame(prices, index=dates.rename("Date"), columns=["SPY", "TLT", "GLD"])
    panel.iloc[:40, 2] = np.nan
    folder.mkdir(parents=True, exist_ok=True)
    panel.to_csv(folder / "panel.csv")
    base = PROJECT / "conf" / "base"
    for source in base.iterdir():
        target = folder / "conf" / "base" / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source.read_text())
    (folder / "conf" / "local").mkdir()
    (folder / "conf" / "case").mkdir()
    for example in blocks(README):
        if example.file and example.file.startswith(f"conf/{name}/"):
            text = example.body.replace("prices/panel.csv", str(folder / "panel.csv"))
            text = text.replace("data/mine", str(folder / "output"))
            (folder / "conf" / "case" / Path(example.file).name).write_text(text)
    return Case(folder)


def test_own_prices_in_an_environment_of_their_own(tmp_path: Path) -> None:
    case = own_environment(tmp_path, "mine", n_before=600)
    written = {path.name for path in (tmp_path / "conf" / "case").iterdir()}
    assert written == {"globals.yml", "catalog.yml", "parameters.yml", "parameters_classes.yml"}
    case.run(pipelines=["ingestion", "regime_labelling"])
    prices = case.load("prices")
    assert sorted(prices["asset"].unique()) == ["GLD", "SPY", "TLT"]
    assert prices["date"].min() < pd.Timestamp("2013-01-01")  # start: null took effect
    assert case.load("data_manifest")["benchmark"] == "SPY"
    assert (tmp_path / "output" / "03_primary" / "regimes.parquet").exists()


def test_as_many_bars_are_needed_as_the_readme_says(tmp_path: Path) -> None:
    stated = re.search(r"(\d+) bars\s+are needed before", prose(README))
    assert stated is not None
    needed = int(stated[1])
    own_environment(tmp_path / "enough", "mine", needed).run(pipelines=["ingestion"])
    with pytest.raises(DataError, match=rf"{needed - 1} bars before .*{needed} are needed"):
        own_environment(tmp_path / "short", "mine", needed - 1).run(pipelines=["ingestion"])


def test_a_folder_of_files(tmp_path: Path) -> None:
    for asset in ("Bitcoin", "Tether", "Ethereum"):
        rows = ["Date,Close,Volume", "05/01/2015,10.0,3", "06/01/2015,11.0,4"]
        (tmp_path / f"coin_{asset}.csv").write_text("\n".join(rows) + "\n")
    entry = yaml.safe_load(block(README, "conf/coins/catalog.yml").code)["raw_prices"]
    dataset = AbstractDataset.from_config("raw_prices", {**entry, "filepath": str(tmp_path)})
    raw = dataset.load()
    assert raw.assets == ("Bitcoin", "Ethereum")
    assert raw.table["date"].min() == pd.Timestamp("2015-01-05")


def test_classes_of_ones_own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "from regime_nas_pipeline.forecasters.momentum import MomentumForecaster as Mine\n"
    (tmp_path / "my_models.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(params, "_allowed_modules", set(params._allowed_modules))
    with pytest.raises(ParameterError, match="EXTENSION_MODULES"):
        load_class("my_models.Mine", Forecaster)
    settings: dict[str, tuple[str, ...]] = {}
    exec(block(README, "src/regime_nas_pipeline/settings.py").code, settings)  # noqa: S102
    allow_modules(*settings["EXTENSION_MODULES"])
    assert load_class("my_models.Mine", Forecaster).__name__ == "MomentumForecaster"
    sys.modules.pop("my_models")


def results_table() -> pd.DataFrame:
    text = (PROJECT / README).read_text()
    inside = text.partition("<!-- results:start -->")[2].partition("<!-- results:end -->")[0]
    lines = [line for line in inside.splitlines() if line.startswith("|")]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    table = pd.DataFrame(rows, columns=head).set_index("Strategy")
    numbers = table.apply(lambda column: column.str.replace(" %", ""))
    return numbers.apply(pd.to_numeric, errors="raise")


def test_what_the_readme_says_of_the_results_is_what_its_table_says() -> None:
    table = results_table()
    assert len(table) == 8
    assert table["Sharpe"].idxmax() == "Equal weight"
    assert table["CAGR"].idxmax() == "Transformer"
    assert table["Volatility"].idxmax() == "Transformer"
    assert (table["Sharpe"]["RegimeNAS"], table["Sharpe"]["GRU"]) == (0.70, 0.54)
    p_values = table["p against equal weight"]
    forecasters = ["RegimeNAS", "GRU", "Transformer", "GARCH", "Momentum"]
    assert (p_values[forecasters] >= 0.05).all()
    assert list(p_values.index[p_values < 0.05]) == ["S&P 500, buy and hold"]
