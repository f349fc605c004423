"""Results of the benchmarks as Markdown tables, and as ratios to peers.

Everything here is arithmetic on ``results.json``: no figure is made anew. A benchmark with a key
``ratios`` (a list of ``group``, ``peer``, ``of``, ``median``, ``p5`` and ``p95``; above 1 this
project is the faster one) stands in the figure, and one without a table of its own is shown figure
by figure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

NAMES = {
    "project": "this project",
    "torch": "plain torch",
    "neuralforecast": "neuralforecast",
    "gru": "GRU",
    "transformer": "Transformer",
    "bayesian": "Bayesian proposal",
    "skfolio": "skfolio, same program",
    "skfolio_loop": "plain loop of skfolio",
    "slsqp": "SciPy SLSQP",
    "cvxpy": "parametrised CVXPY",
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


# Training -------------------------------------------------------------------------------------


def training_table(result: Result) -> str:
    """Every setting that was measured in full, then the peers that were not there."""
    rows = [
        (
            f"{called(row['network'])}, {called(row['contender'])}",
            _setting(row),
            interval(row["windows_per_second"]),
            number(row["windows_per_processor_second"]["median"]),
            interval(row["validation_error"]),
            number(row["parameters"]),
        )
        for row in result["rows"]
    ]
    work = result["work"]
    headings = ("Who", "Windows a step", "Windows/s", "Windows/processor s", "Error", "Weights")
    told = (
        f"{work['windows']:,} windows, {work['repeats']} rounds, {work['jobs']} cores. Forecasting "
        f"no change has an error of {number(work['error_of_no_change'])}."
    )
    return "\n\n".join([table(headings, rows), told, *_missing(result["missing"])])


def _setting(row: Result) -> str:
    parts = [number(row["batch"])]
    if row["series"]:
        parts.append(f"from {row['series']} series")
    if row["alone"]:
        parts.append("one process")
    return ", ".join(parts)


# Allocation -----------------------------------------------------------------------------------


def allocation_ratios(section: str, result: Result) -> list[Ratio]:
    """Processor time of a highest Sharpe ratio, and of whole decisions."""
    found = []
    for compared in result["solvers"]:
        for peer, each in compared["maximum_sharpe"]["times_daqp"].items():
            if peer != "nnls":  # one of this project's own
                about = f"weights of {compared['assets']}"
                found.append(ratio_of(section, about, {"peer": peer, **each}))
    for peer, each in result["decisions"]["times_project"].items():
        found.append(ratio_of(section, "whole decisions", {"peer": peer, **each}))
    return found


def allocation_table(result: Result) -> str:
    """Solvers by number of assets, whole decisions, covariances."""
    rows = [
        (
            f"{compared['assets']} assets, {called(solver)}",
            *(interval(compared[each]["seconds"][solver], "_ms") for each in OBJECTIVES),
            number(compared["maximum_sharpe"]["largest_distance"].get(f"daqp_{solver}")),
        )
        for compared in result["solvers"]
        for solver in compared["maximum_sharpe"]["seconds"]
    ]
    made = result["decisions"]
    decisions = [(called(name), interval(each, "_ms")) for name, each in made["seconds"].items()]
    covariances = [
        (
            f"{each['decisions']} decisions of {each['assets']} assets",
            number(each["total_ms"]["updated"]),
            number(each["total_ms"]["recomputed"]),
        )
        for each in result["covariances"]
    ]
    missing = {
        f"{called(name)}, {compared['assets']} assets": why
        for compared in result["solvers"]
        for name, why in compared["missing"].items()
    }
    by_solver = ("Solver", "Highest Sharpe, ms", "Least variance, ms", "Farthest weight from daqp")
    about = f"Whole decision, {made['decisions']} of {made['assets']} assets"
    parts = [
        table(by_solver, rows),
        *_missing(missing),
        table((about, "ms"), decisions),
        f"Weights of the two lie at most {number(made['largest_distance'])} apart.",
        table(("Covariances", "Updated, ms", "Recomputed, ms"), covariances),
    ]
    return "\n\n".join(parts)


OBJECTIVES = ("maximum_sharpe", "minimum_variance")


# Search, start-up, cluster, scaling -----------------------------------------------------------


def proposals_table(result: Result) -> str:
    """Milliseconds of a trial."""
    rows = [
        (
            f"this project, `{row['searcher']}`" if row["own"] else called(row["searcher"]),
            interval(row["milliseconds"]),
            number(row["last_milliseconds"]["median"]),
            number(row["lowest_error"]),
        )
        for row in result["rows"]
    ]
    told = (
        f"{result['trials']} trials, {result['start_up']} of them uniform, {result['seeds']} seeds."
    )
    headings = ("Who proposes", "Processor ms a trial", "Of the last ten", "Lowest error")
    return f"{table(headings, rows)}\n\n{told}"


def startup_table(result: Result) -> str:
    """Seconds of every command."""
    rows = [
        (f"`{row['command']}`", number(row["processor_seconds"]), number(row["wall_seconds"]))
        for row in result["rows"]
    ]
    return table(("Command", "Processor s", "Wall s"), rows)


def cluster_table(result: Result) -> str:
    """Seconds and efficiency of every way to share a walk forward."""
    rows = [
        (row["way"], number(row["seconds"]), f"{row['efficiency']:.0%}") for row in result["rows"]
    ]
    told = f"{result['folds']} folds of {result['samples']:,} gradient samples."
    return f"{table(('Shared by', 'Seconds', 'Efficiency'), rows)}\n\n{told}"


def scaling_table(result: Result) -> str:
    """Exponents of every stage, and what the largest size takes."""
    largest = (max(result["assets"]), max(result["years"]))
    cost = {
        cell["stage"]: cell["cpu_seconds"]
        for cell in result["cells"]
        if (cell["assets"], cell["years"]) == largest
    }
    apart = {*result["by_nature"], *result["every_bar"]}
    rows = [
        (
            f"{stage}*" if stage in apart else stage,
            number(cost[stage]),
            *(number(found[key]) for key in ("assets", "years", "last_assets", "last_years")),
        )
        for stage, found in result["exponents"].items()
    ]
    seconds = f"Processor s, {largest[0]} assets x {largest[1]} years"
    headings = ("Stage", seconds, "Assets", "Years", "Assets, last two", "Years, last two")
    told = "\\* grows faster by its nature, or reads all bars so far at every refit or decision."
    return f"{table(headings, rows)}\n\n{told}"


# Whatever else --------------------------------------------------------------------------------


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


def _missing(missing: dict[str, str]) -> list[str]:
    return ["; ".join(f"{called(name)}: {why}" for name, why in missing.items()) + "."][
        : len(missing)
    ]


TABLES: dict[str, Callable[[Result], str]] = {
    "training": training_table,
    "gpu": training_table,
    "allocation": allocation_table,
    "proposals": proposals_table,
    "startup": startup_table,
    "scaling": scaling_table,
    "dask_walk": cluster_table,
}

RATIOS: dict[str, Callable[[str, Result], list[Ratio]]] = {"allocation": allocation_ratios}
"""Where ratios to peers stand in a result, if not under ``ratios``."""
