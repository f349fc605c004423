"""How many times as fast as each peer: one figure of everything that has one."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
from benchmark_words import Ratio
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator

SECTIONS = {
    "training": ("Training, windows a second", "#2c6fbb"),
    "garch": ("GARCH, processor time of a fit", "#c1661b"),
    "allocation": ("Allocation, processor time", "#2f8f5b"),
    "proposals": ("Search, processor time of a proposal", "#b03a5b"),
}
"""Title and colour of each section, in the order of the figure."""

DPI = 130


def draw(ratios: Sequence[Ratio], told: str) -> bytes:
    """The figure as PNG.

    Args:
        ratios: At least one.
        told: Machine and date, below the axis.
    """
    order = list(SECTIONS)
    drawn = sorted(ratios, key=lambda each: order.index(each.section))
    figure, axes = plt.subplots(figsize=(9.5, 1.9 + 0.34 * len(drawn)), layout="constrained")
    for place, each in enumerate(drawn):
        title, colour = SECTIONS[each.section]
        first = place == 0 or drawn[place - 1].section != each.section
        axes.plot([each.p5, each.p95], [place, place], color=colour, lw=2.5, alpha=0.45)
        axes.plot(each.median, place, "o", color=colour, ms=7, label=title if first else None)
        axes.annotate(
            f"{each.median:.3g}x",
            (max(each.p95, each.median), place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    _dress(axes, [each.label for each in drawn], told)
    image = io.BytesIO()
    # Without the date that Matplotlib writes into a file, the same results give the same bytes.
    figure.savefig(image, format="png", dpi=DPI, metadata={"Software": None})
    plt.close(figure)
    return image.getvalue()


def _dress(axes: Axes, labels: list[str], told: str) -> None:
    axes.axvline(1.0, color="#444444", lw=1.0, ls="--")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
    axes.minorticks_off()
    axes.margins(x=0.12)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.grid(axis="x", color="#dddddd", lw=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"times as fast as the peer (right of 1x: this project is faster)\n{told}")
    axes.set_title("Speed beside peers: median, 5th to 95th percentile", loc="left")
