"""Numbers, tables and ratios to peers, as the page on performance shows them.

Everything here is arithmetic on ``results.json``: no figure is made anew. A benchmark with a key
``ratios`` (a list of ``group``, ``peer``, ``of``, ``median``, ``p5`` and ``p95``; above 1 this
project is the faster one) stands in the figure, and one without a table of its own is shown figure
by figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

NAMES = {
    "project": "this project",
    "torch": "plain torch",
    "neuralforecast": "neuralforecast",
    "gru": "GRU",
    "transformer": "Transformer",
    "gru, mixed precision": "GRU, mixed precision",
    "transformer, mixed precision": "Transformer, mixed precision",
    "bayesian": "Bayesian proposal",
    "skfolio": "skfolio, same program",
    "skfolio_loop": "plain loop of skfolio",
    "slsqp": "SciPy SLSQP",
    "cvxpy": "parametrised CVXPY",
    "arch_tight": "arch, tight tolerance",
    "statsforecast": "statsforecast (smaller model)",
    "optuna_gp": "Optuna GP",
    "optuna_tpe": "Optuna TPE",
    "daqp": "this project (`daqp`)",
    "nnls": "this project (`nnls`)",
}
"""How what the results name is called in a table."""

Result = dict[str, Any]


@dataclass(frozen=True)
class Ratio:
    """How many times as fast this project is as a peer.

    Attributes:
        section: Benchmark.
        label: What was compared, and with whom.
        median, p5, p95: Over rounds or problems; above 1 this project is the faster one.
    """

    section: str
    label: str
    median: float
    p5: float
    p95: float


def called(name: str) -> str:
    """A name as a reader knows it."""
    return NAMES.get(name, name.replace("_", " "))


def number(value: float | None) -> str:
    """Three significant digits, no exponent where it can be helped."""
    if value is None:
        return ""
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        digits = f"{value:.3g}"
        return f"{float(digits):,.0f}" if abs(value) >= 100 else digits
    return f"{value:.1e}"


def interval(found: dict[str, float], unit: str = "") -> str:
    """Median and, in brackets, 5th and 95th percentile."""
    keys = [f"{name}{unit}" for name in ("median", "p5", "p95")]
    middle, low, high = (number(found[key]) for key in keys)
    return f"{middle} ({low} to {high})"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    lines = [headings, ["---"] + ["--:"] * (len(headings) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def flat_table(result: Result) -> str:
    """Every figure of a result under its dotted name."""

    def leaves(prefix: str, value: Any) -> Iterable[tuple[str, str]]:
        if isinstance(value, dict):
            for key, each in value.items():
                yield from leaves(f"{prefix}.{key}" if prefix else str(key), each)
        elif isinstance(value, list):
            for place, each in enumerate(value):
                yield from leaves(f"{prefix}.{place}", each)
        else:
            plain = isinstance(value, float) and not isinstance(value, bool)
            yield f"`{prefix}`", number(value) if plain else str(value)

    return table(("Figure", "Value"), leaves("", result))


def given_ratios(section: str, result: Result) -> list[Ratio]:
    """The ratios that a result brings along, if any."""
    return [ratio_of(section, called(each["group"]), each) for each in result.get("ratios", [])]


def ratio_of(section: str, about: str, found: Result) -> Ratio:
    """A ratio from its median, percentiles and peer."""
    label = f"{about}: {called(found['peer'])}"
    return Ratio(section, label, found["median"], found["p5"], found["p95"])
