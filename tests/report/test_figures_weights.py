from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.report.figures_weights import weights_over_time


def tidy(strategy: str, dates: pd.DatetimeIndex, assets: list[str]) -> pd.DataFrame:
    grid = pd.MultiIndex.from_product([dates, assets], names=["date", "asset"])
    share = 1.0 / len(assets)
    return pd.DataFrame({"weight": share}, index=grid).reset_index().assign(strategy=strategy)


def test_menu_shows_one_strategy_at_a_time(weights: pd.DataFrame) -> None:
    figure = weights_over_time(weights)
    buttons = figure.layout.updatemenus[0].buttons
    assert [button.label for button in buttons][:2] == ["RegimeNAS", "GRU"]
    assert len(buttons) == 8
    masks = np.array([button.args[0]["visible"] for button in buttons])
    assert masks.shape == (8, len(figure.data))
    assert (masks.sum(axis=0) == 1).all()
    assert [trace.visible for trace in figure.data] == masks[0].tolist()


def test_last_bar_of_each_month_is_drawn() -> None:
    dates = pd.bdate_range("2020-01-01", "2021-03-10")
    figure = weights_over_time(tidy("gru", dates, ["A", "B"]))
    drawn = list(figure.data[0].x)
    assert drawn[:3] == ["2020-01-31", "2020-02-28", "2020-03-31"]
    assert drawn[-1] == "2021-03-10"
    assert len(drawn) == 15


def test_short_sample_is_drawn_whole() -> None:
    dates = pd.bdate_range("2020-01-01", periods=40)
    assert len(weights_over_time(tidy("gru", dates, ["A", "B"])).data[0].x) == 40


def test_small_assets_are_summed_and_weights_still_add_up() -> None:
    dates = pd.bdate_range("2020-01-01", periods=3)
    assets = [f"asset {number:02d}" for number in range(25)]
    figure = weights_over_time(tidy("gru", dates, assets))
    assert len(figure.data) == 21
    assert figure.data[-1].name == "5 more"
    total = sum(np.array(trace.y) for trace in figure.data)
    assert total == pytest.approx([1.0] * 3, abs=1e-3)


def test_an_asset_keeps_its_colour_in_every_strategy() -> None:
    dates = pd.bdate_range("2020-01-01", periods=3)
    table = pd.concat([tidy("gru", dates, ["A", "B"]), tidy("garch", dates, ["B", "C"])])
    colours: dict[str, set[str]] = {}
    for trace in weights_over_time(table).data:
        colours.setdefault(trace.name, set()).add(trace.fillcolor)
    assert [len(colours[name]) for name in "ABC"] == [1, 1, 1]
    assert len(set.union(*colours.values())) == 3


def test_asset_names_are_escaped() -> None:
    dates = pd.bdate_range("2020-01-01", periods=3)
    (band,) = weights_over_time(tidy("gru", dates, ["<a href='x'>A</a>"])).data
    assert band.name.startswith("&lt;a")


def test_no_weights_is_said() -> None:
    empty = pd.DataFrame(columns=["date", "strategy", "asset", "weight"])
    assert "No weights" in weights_over_time(empty).layout.annotations[0].text
