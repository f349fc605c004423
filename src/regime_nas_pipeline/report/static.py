"""A picture of the strategies' wealth without a script, for a notebook or a web page."""

from __future__ import annotations

import numpy as np
import pandas as pd

from regime_nas_pipeline.report.theme import GRID, in_display_order, strategy_style

_WIDTH, _HEIGHT = 900, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, _WIDTH - 176, 14, _HEIGHT - 26
_MOST_POINTS = 400
_LEVELS = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0, 64.0)


def wealth_svg(strategy_returns: pd.DataFrame) -> str:
    """Draw growth of 1 on a logarithmic scale, as SVG.

    Args:
        strategy_returns: Date x strategy, simple returns per bar, no blanks; wealth stays
            positive.

    Returns:
        SVG of some 400 points a line at most, the last bar among them; the legend names each
        strategy and its final wealth.
    """
    wealth = (1.0 + strategy_returns).cumprod()
    step = -(-len(wealth) // _MOST_POINTS)
    lines = wealth.iloc[::-1].iloc[::step].iloc[::-1]
    low, high = float(lines.min().min()), float(lines.max().max())
    heights = _heights(lines.to_numpy(), low, high)
    names = list(lines.columns)
    parts = [*_levels(low, high), *_years(pd.DatetimeIndex(lines.index))]
    # What comes first in the legend is drawn last, on top.
    for row, name in reversed(list(enumerate(in_display_order(names)))):
        drawn = heights[:, names.index(name)]
        parts += _line(str(name), drawn, float(lines[name].iloc[-1]), row)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" font-family="sans-serif" font-size="12">'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>{"".join(parts)}</svg>'
    )


def _heights(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Pixels from the top, on a logarithmic scale."""
    span = np.log(high / low) or 1.0
    heights: np.ndarray = _TOP + np.log(high / values) / span * (_BOTTOM - _TOP)
    return heights


def _levels(low: float, high: float) -> list[str]:
    parts = []
    for level in _LEVELS:
        if low <= level <= high:
            height = float(_heights(np.array(level), low, high))
            parts.append(
                f'<path d="M{_LEFT} {height:.1f}H{_RIGHT}" stroke="{GRID}"/>'
                f'<text x="{_LEFT - 8}" y="{height + 4:.1f}" text-anchor="end">{level:g}</text>'
            )
    return parts


def _years(dates: pd.DatetimeIndex) -> list[str]:
    """The number of each year where it begins."""
    across = np.linspace(_LEFT, _RIGHT, len(dates))
    years = dates.year.to_numpy()
    begins = np.flatnonzero(years[1:] != years[:-1]) + 1
    middle = f'y="{_HEIGHT - 6}" text-anchor="middle"'
    return [f'<text x="{across[place]:.0f}" {middle}>{years[place]}</text>' for place in begins]


def _line(name: str, heights: np.ndarray, final: float, row: int) -> list[str]:
    style = strategy_style(name)
    dash = ' stroke-dasharray="5 3"' if style.reference else ""
    stroke = f'fill="none" stroke="{style.colour}" stroke-width="{style.width}"{dash}'
    across = np.linspace(_LEFT, _RIGHT, len(heights))
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, heights, strict=True))
    height = _TOP + 14 + 22 * row
    return [
        f'<polyline points="{points}" {stroke}/>',
        f'<path d="M{_RIGHT + 12} {height}h24" {stroke}/>',
        f'<text x="{_RIGHT + 42}" y="{height + 4}">{style.label} {final:.2f}</text>',
    ]
