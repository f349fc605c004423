from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.report.static import wealth_svg


def elements(svg: str, tag: str) -> list[ET.Element]:
    return list(ET.fromstring(svg).iter(f"{{http://www.w3.org/2000/svg}}{tag}"))  # noqa: S314 - own


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in elements(svg, "text")]


def lines(svg: str) -> list[list[tuple[float, float]]]:
    return [
        [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]  # type: ignore[misc]
        for line in elements(svg, "polyline")
    ]


def test_equal_factors_are_equal_distances() -> None:
    dates = pd.bdate_range("2020-12-28", periods=5)
    returns = pd.DataFrame({"gru": [0.0, 1.0, 1.0, -0.5, 1.0]}, index=dates)
    (line,) = lines(wealth_svg(returns))
    heights = np.array([height for _, height in line])
    doubled = heights[1] - heights[0]
    assert doubled < 0
    np.testing.assert_allclose(np.diff(heights), [doubled, doubled, -doubled, doubled], atol=0.11)
    assert line[0][0] < line[-1][0]


def test_it_stays_small_and_shows_the_last_bar(strategy_returns: pd.DataFrame) -> None:
    svg = wealth_svg(strategy_returns)
    drawn = lines(svg)
    assert len(drawn) == strategy_returns.shape[1]
    assert {len(line) for line in drawn} <= set(range(200, 401))
    final = float((1.0 + strategy_returns["regime_nas"]).prod())
    assert f"RegimeNAS {final:.2f}" in texts(svg)
    assert {"2016", "2022"} <= set(texts(svg))


@pytest.mark.parametrize("name", ["<b>x</b>", "a & b"])
def test_names_are_only_text(name: str) -> None:
    dates = pd.bdate_range("2020-01-01", periods=3)
    svg = wealth_svg(pd.DataFrame({name: [0.0, 0.0, 0.0]}, index=dates))
    assert f"{name} 1.00" in texts(svg)
