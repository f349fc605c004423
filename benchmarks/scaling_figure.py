"""What every stage costs against the number of assets and of years: one figure of two panels."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator
from PIL import Image

AS_THE_DATA, APART = "#2c6fbb", "#c1661b"
GAP = 0.032
"""Least distance of two labels, in parts of the height of a panel."""

DPI = 115


def draw_scaling(result: dict[str, Any], told: str) -> bytes:
    """The figure as PNG.

    Args:
        result: Of ``scaling.py``, with at least two numbers of assets and of years.
        told: Machine and date, below the axes.
    """
    cells = {(c["stage"], c["assets"], c["years"]): c["cpu_seconds"] for c in result["cells"]}
    apart = {*result["by_nature"], *result["every_bar"]}
    most_assets, most_years = max(result["assets"]), max(result["years"])
    figure, (left, right) = plt.subplots(1, 2, figsize=(12.5, 8.2), sharey=True)
    figure.subplots_adjust(left=0.065, right=0.845, wspace=0.62, top=0.9, bottom=0.125)
    for axes, key, sizes in ((left, "assets", result["assets"]), (right, "years", result["years"])):
        ends = []
        for stage in result["exponents"]:
            costs = [
                cells[stage, *((n, most_years) if key == "assets" else (most_assets, n))]
                for n in sizes
            ]
            colour = APART if stage in apart else AS_THE_DATA
            axes.plot(sizes, costs, "o-", color=colour, lw=1.3, ms=3.5, alpha=0.85)
            ends.append((costs[-1], stage, result["exponents"][stage][key], colour))
        _dress(
            axes, sizes, key, f"{most_years} years" if key == "assets" else f"{most_assets} assets"
        )
        _guide(axes, sizes)
        _label(axes, sizes[-1], ends)
    left.set_ylabel("processor seconds on one core")
    figure.suptitle(
        "What a stage costs as the data grow, and the exponent b of cost ~ size^b",
        x=0.065,
        ha="left",
        fontsize=13,
    )
    figure.text(0.065, 0.925, "should grow at most as the data do", color=AS_THE_DATA)
    figure.text(0.30, 0.925, "stated apart, see below", color=APART)
    figure.text(0.46, 0.925, "dashed: as the data, b = 1", color="#666666")
    figure.text(0.065, 0.02, told, fontsize=9, color="#444444")
    drawn, image = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    plt.close(figure)
    # Few colours make a third of the bytes, and nothing in the file tells the time.
    Image.open(drawn).convert("RGB").quantize(48).save(image, format="png", optimize=True)
    return image.getvalue()


def _dress(axes: Axes, sizes: Sequence[int], key: str, fixed: str) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_tick_params(labelleft=True)
    axes.set_xlabel(f"{key} ({fixed})")
    axes.grid(color="#e3e3e3", lw=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _guide(axes: Axes, sizes: Sequence[int]) -> None:
    """A dashed line that grows as the data do, in the upper part of the panel."""
    low, high = axes.get_ylim()
    top = high**0.97 * low**0.03
    costs = [top * size / sizes[-1] for size in sizes]
    axes.plot(sizes, costs, ls="--", color="#666666", lw=1.0)
    axes.set_ylim(low, high)


def _label(axes: Axes, last: int, ends: list[tuple[float, str, float, str]]) -> None:
    """Each stage's name and exponent right of its line, pushed apart where they would meet."""
    low, high = np.log(axes.get_ylim())
    ends = sorted(ends)
    wanted = np.array([(np.log(cost) - low) / (high - low) for cost, *_ in ends])
    heights = spread_out(wanted, min(GAP, 1.0 / max(1, len(ends) - 1)))
    for (cost, stage, exponent, colour), height in zip(ends, heights, strict=True):
        axes.annotate(
            f"{stage}  {exponent:.2f}",
            xy=(last, cost),
            xytext=(1.075, height),
            textcoords="axes fraction",
            va="center",
            fontsize=8.5,
            color=colour,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "lw": 0.6,
                "alpha": 0.5,
                "relpos": (0.0, 0.5),
                "shrinkA": 1.0,
                "shrinkB": 2.0,
            },
        )


def spread_out(wanted: np.ndarray, gap: float) -> np.ndarray:
    """Places from 0 to 1 as near as may be to increasing wanted ones, ``gap`` apart at least.

    The nearest in least squares: what is wanted less the gaps is averaged wherever it would fall.
    """
    steps = gap * np.arange(len(wanted))
    blocks: list[tuple[float, int]] = []
    for value in wanted - steps:
        mean, count = float(value), 1
        while blocks and blocks[-1][0] > mean:
            earlier, size = blocks.pop()
            mean = (earlier * size + mean * count) / (size + count)
            count += size
        blocks.append((mean, count))
    nearest = np.concatenate([np.full(count, mean) for mean, count in blocks])
    places: np.ndarray = np.clip(nearest, 0.0, max(0.0, 1.0 - steps[-1])) + steps
    return places
