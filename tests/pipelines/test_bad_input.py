"""Bad input: one clear error on the command line, exit code not 0, nothing written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from project_runs import CSV_TYPE, Case, csv_case, make_case

DAY = pd.Timestamp("2014-06-10")


def assert_refused(case: Case, *words: str, arguments: tuple[str, ...] = ()) -> None:
    """The command fails with one message that holds every word, and leaves no file behind."""
    result = case.command(*arguments)
    assert result.exit_code != 0
    lines = [line for line in result.output.splitlines() if line.startswith("Error:")]
    assert len(lines) == 1, result.output
    message = result.output[result.output.index("Error:") :]
    for word in words:
        assert word in message, message
    assert "Traceback" not in result.output
    assert not case.output.exists()


def altered(prices: pd.DataFrame, asset: str, value: Any) -> pd.DataFrame:
    table = prices.astype(object)
    table.loc[DAY, asset] = value
    return table


def with_duplicate(prices: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([prices.loc[:DAY], prices.loc[DAY:]])


def back_and_forth(prices: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([prices.loc[DAY:], prices.loc[: DAY - pd.Timedelta(days=1)]])


def with_gap(prices: pd.DataFrame) -> pd.DataFrame:
    table = prices.copy()
    first = table.index.get_loc(DAY)
    table.iloc[first : first + 6, table.columns.get_loc("KO")] = np.nan
    return table


Change = Callable[[pd.DataFrame], pd.DataFrame]

FAULTS: dict[str, tuple[Change, tuple[str, ...]]] = {
    "zero price": (lambda p: altered(p, "KO", 0.0), ("prices.csv", "KO", "2014-06-10")),
    "negative price": (lambda p: altered(p, "KO", -3.0), ("prices.csv", "KO", "2014-06-10")),
    "infinite price": (lambda p: altered(p, "KO", np.inf), ("prices.csv", "KO", "2014-06-10")),
    "text in number": (lambda p: altered(p, "KO", "n/a?"), ("prices.csv", "KO", "2014-06-10")),
    "duplicate date": (with_duplicate, ("prices.csv", "2014-06-10", "Remedy")),
    "dates back and forth": (back_and_forth, ("prices.csv", "Remedy")),
    "long gap": (with_gap, ("prices.csv", "KO", "2014-06-1", "max_gap")),
    "one asset": (lambda p: p[["S&P 500"]], ("prices", "two assets")),
    "too few bars": (lambda p: p.loc["2015-03":], ("bars", "Remedy")),
    "no out-of-sample day": (lambda p: p.loc[:"2015-06"], ("no out-of-sample day", "2015-07-01")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_wide_file_is_refused(
    fault: str, bundled_prices: pd.DataFrame, tmp_path: Path
) -> None:
    change, words = FAULTS[fault]
    complete = bundled_prices.ffill().bfill()
    case = csv_case(tmp_path, change(complete), parameters={"universe": {"assets": None}})
    assert_refused(case, *words)


def test_an_unreadable_date_is_refused(bundled_prices: pd.DataFrame, tmp_path: Path) -> None:
    case = csv_case(tmp_path, bundled_prices)
    path = tmp_path / "prices.csv"
    path.write_text(path.read_text().replace("2014-06-10", "10th of June"))
    assert_refused(case, "prices.csv", "Date", "10th of June")


def test_a_missing_date_column_is_refused(bundled_prices: pd.DataFrame, tmp_path: Path) -> None:
    case = csv_case(tmp_path, bundled_prices)
    path = tmp_path / "prices.csv"
    path.write_text(path.read_text().replace("Date,", "When,", 1))
    assert_refused(case, "prices.csv", "Date")


def test_an_empty_file_is_refused(bundled_prices: pd.DataFrame, tmp_path: Path) -> None:
    case = csv_case(tmp_path, bundled_prices)
    (tmp_path / "prices.csv").write_text("")
    assert_refused(case, "prices.csv", "empty")


def test_a_missing_file_is_refused(bundled_prices: pd.DataFrame, tmp_path: Path) -> None:
    case = csv_case(tmp_path, bundled_prices)
    (tmp_path / "prices.csv").unlink()
    assert_refused(case, "prices.csv", "Remedy")


def folder_case(tmp_path: Path, prices: pd.DataFrame, rows: Callable[[pd.DataFrame], Any]) -> Case:
    """One file per asset with open, high, low and close; ``rows`` alters KO's table."""
    folder = tmp_path / "prices"
    folder.mkdir()
    for asset in prices:
        close = prices[asset].dropna()
        table = pd.DataFrame({"Open": close, "High": close, "Low": close, "Close": close})
        table = table.rename_axis(index="Date").reset_index()
        if asset == "KO":
            table = rows(table)
        table.to_csv(folder / f"{asset}.csv", index=False)
    source = {"type": CSV_TYPE, "filepath": str(folder)}
    return make_case(tmp_path / "project", catalog={"raw_prices": source})


def test_high_below_low_is_refused(bundled_prices: pd.DataFrame, tmp_path: Path) -> None:
    def turn(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(High=table["High"].where(table["Date"] != DAY, table["Low"] / 2))

    case = folder_case(tmp_path, bundled_prices, turn)
    assert_refused(case, "KO.csv", "2014-06-10", "High")


def test_a_blank_price_cell_is_refused(bundled_prices: pd.DataFrame, tmp_path: Path) -> None:
    def blank(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(Close=table["Close"].where(table["Date"] != DAY))

    case = folder_case(tmp_path, bundled_prices, blank)
    assert_refused(case, "KO.csv", "2014-06-10", "Close")


def test_a_missing_close_column_is_refused(bundled_prices: pd.DataFrame, tmp_path: Path) -> None:
    case = folder_case(tmp_path, bundled_prices, lambda table: table.drop(columns="Close"))
    assert_refused(case, "KO.csv", "Close")


PARAMETER_FAULTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "top level": (("--params=unheard=1",), ("unheard",)),
    "below a forecaster": (("--params=gru.forecastr.params.width=3",), ("gru.forecastr",)),
    "in a block": (("--params=walk_forward.horizn=3",), ("walk_forward", "horizn")),
    "in a nested block": (("--params=search.cell_search.warmup=3",), ("search", "warmup")),
    "of a class": (("--params=gru.forecaster.params.widht=3",), ("GRUForecaster", "widht")),
    "of a search space": (
        ("--params=gru.space.widht.kind=interval,gru.space.widht.low=1,gru.space.widht.high=2",),
        ("GRUForecaster", "widht"),
    ),
    "wrong type": (("--params=walk_forward.horizon=soon",), ("horizon", "integer")),
    "out of range": (("--params=portfolio.max_weight=2",), ("max_weight",)),
    "unknown class": (
        ("--params=garch.forecaster.class=regime_nas_pipeline.forecasters.garch.Garch",),
        ("Garch", "GarchForecaster"),
    ),
    "class that is not allowed": (
        ("--params=garch.forecaster.class=os.system",),
        ("os.system", "not allowed"),
    ),
    "budget of nothing": (("--params=search.budget=2",), ("search.budget", "batch_dates")),
    "budget that leaves nothing for the supernet": (
        ("--params=search.cell_search.budget_share=0.01",),
        ("regime_nas", "search.budget", "training the supernet"),
    ),
    "budget that leaves nothing for retraining": (
        ("--params=search.cell_search.top_k=10",),
        ("regime_nas", "search.budget", "retraining"),
    ),
    "unknown strategy": (("--params=search.strategy=grid",), ("search.strategy", "'evolutionary'")),
    "unknown objective": (("--params=search.objectives=[profit]",), ("objectives", "'lipschitz'")),
    "heads that do not divide a width": (
        ("--params=transformer.space.attention_heads.options=[3]",),
        ("transformer", "attention_heads 3", "width 8"),
    ),
    "timeframes that are none": (
        ("--params=gru.space.timeframes.options=[daily]",),
        ("gru", "timeframes", "'daily'", "1-5-21"),
    ),
    "weight that has no effect on a network": (
        (
            "--params=gru.space.label_weight.kind=interval,gru.space.label_weight.low=0,"
            "gru.space.label_weight.high=1",
        ),
        ("GRUForecaster", "label_weight", "volatility_weight"),
    ),
    "unknown weight of the objective": (
        ("--params=regime_nas.forecaster.params.objective.label_wait=0.1",),
        ("RegimeNasForecaster", "objective.label_wait"),
    ),
    "dimension without options": (
        ("--params=gru.space.width.options=[]",),
        ("'gru.space.width.options'", "at least 1 item"),
    ),
    "window of nothing": (
        ("--params=walk_forward.window=rolling,walk_forward.window_bars=10",),
        ("walk_forward.window_bars", "min_history"),
    ),
    "freeze before the burn-in": (
        ("--params=regimes.freeze_after=2012-02-01",),
        ("freeze_after", "2012-02-01"),
    ),
    "too short a history": (("--params=universe.min_history=30",), ("min_history", "regime_nas")),
    "no such forecaster's volatility": (
        ("--params=portfolio.volatility_from=garhc",),
        ("volatility_from", "garhc", "gru"),
    ),
    "volatility of a forecaster without one": (
        ("--params=portfolio.volatility_from=momentum",),
        ("volatility_from", "momentum", "garch"),
    ),
    "regimes that cannot supervise": (
        ("--params=regimes.labeller.params.n_regimes=2",),
        ("regime_nas", "label_weight", "volatility_1"),
    ),
    "unknown device": (("--params=compute.device=banana",), ("banana", "cuda")),
    "unknown benchmark": (("--params=universe.benchmark=DAX",), ("DAX", "benchmark")),
    "first_oos too late": (("--params=walk_forward.first_oos=2031-01-01",), ("2031-01-01",)),
}


@pytest.mark.parametrize("fault", PARAMETER_FAULTS)
def test_a_faulty_parameter_is_refused(fault: str, tmp_path: Path) -> None:
    arguments, words = PARAMETER_FAULTS[fault]
    assert_refused(make_case(tmp_path), *words, arguments=arguments)


def test_a_faulty_parameter_in_a_file_is_refused(tmp_path: Path) -> None:
    case = make_case(tmp_path, parameters={"portfolio": {"allocator": {"clas": "x"}}})
    assert_refused(case, "portfolio", "clas")


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        ({"quantity": "alpha"}, ("'published'", "'alpha'", "cagr")),
        ({"of": "lstm"}, ("published", "'lstm'", "'Test'", "gru")),
        ({"published": "much"}, ("published.experiments.0.figures.0.published", "much")),
    ],
)
def test_a_published_figure_of_nothing_is_refused(
    figure: dict[str, Any], words: tuple[str, ...], tmp_path: Path
) -> None:
    given = {"quantity": "cagr", "of": "gru", "published": 0.1, **figure}
    experiment = {"title": "Test", "source": "a paper", "figures": [given]}
    case = make_case(tmp_path, parameters={"published": {"experiments": [experiment]}})
    assert_refused(case, *words)


def test_a_space_without_dimensions_is_refused(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    for file in (tmp_path / "conf").rglob("parameters*.yml"):
        blocks = yaml.safe_load(file.read_text()) or {}
        blocks.get("gru", {}).pop("space", None)
        file.write_text(yaml.safe_dump(blocks))
    own = tmp_path / "conf" / "case" / "parameters.yml"
    own.write_text(own.read_text().replace("gru: {}", "gru: {space: {}}"))
    assert_refused(case, "gru.space", "no dimension")


def test_an_unknown_asset_is_refused(tmp_path: Path) -> None:
    case = make_case(tmp_path, parameters={"universe": {"assets": ["KO", "XOM", "IBM2"]}})
    assert_refused(case, "IBM2", "XOM")


def test_a_second_run_in_one_environment_is_refused_by_name(tmp_path: Path) -> None:
    from filelock import FileLock

    case = make_case(tmp_path)
    case.output.mkdir()
    with FileLock(case.output / ".lock"):
        result = case.command()
    assert result.exit_code != 0
    assert "Another run is writing" in result.output
    assert str(case.output) in result.output
