"""Each benchmark's result as a Markdown table, and as ratios to its peers."""

from __future__ import annotations

from collections.abc import Callable

from benchmark_words import Ratio, Result, called, interval, number, ratio_of, table

# Training -------------------------------------------------------------------------------------


def training_table(result: Result) -> str:
    """Every setting that was measured in full, then the peers that were not there."""
    rows = [
        (
            f"{called(row['network'])}, {called(row['contender'])}"
            + (", mixed precision" if row["mixed"] else ""),
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
    if row["seeds"] > 1:
        parts.append(f"{row['seeds']} seeds")
    if row["series"]:
        parts.append(f"from {row['series']} series")
    if row["alone"]:
        parts.append("one process")
    return ", ".join(parts)


def products_table(result: Result) -> str:
    """Each product with the speed of both, then what a new size costs."""
    rows = [
        (
            f"{row['product']}, " + " x ".join(f"{size:,}" for size in row["shape"]),
            number(row["torch"]),
            number(row["project"]),
            interval(row["ratio"]),
            "oneDNN" if row["by_onednn"] else "torch",
        )
        for row in result["rows"]
    ]
    headings = ("Product", "`torch.bmm`, GFLOP/s", "This project, GFLOP/s", "Ratio", "By")
    first = ", ".join(number(each) for each in result["first_calls_ms"])
    return "\n\n".join([table(headings, rows), f"First calls at a new size: {first} ms."])


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


# GARCH ----------------------------------------------------------------------------------------


def garch_ratios(section: str, result: Result) -> list[Ratio]:
    """Processor time of all fits together; one figure, so no interval."""
    return [
        Ratio(section, f"GARCH fits: {called(name)}", value, value, value)
        for name, value in result["ratio_of_totals"].items()
        if name not in {"project", "arch_tight"}
    ]


def garch_table(result: Result) -> str:
    """Milliseconds of a fit, and how far forecasts lie apart."""
    rows = [
        (
            called(name),
            interval(taken, "_ms"),
            number(result["ratio_of_totals"][name]),
            *(number(result["largest_difference"].get(f"{what}_{name}")) for what in MOMENTS),
        )
        for name, taken in result["processor_time_per_fit"].items()
    ]
    gain = result["log_likelihood_gain"]
    told = (
        f"{result['fits']} fits. The log-likelihood is that of arch plus {number(gain['least'])} "
        f"to {number(gain['largest'])}; by more than 1e-8 of it lower in "
        f"{result['lower_likelihood_than_arch']} fits and higher in "
        f"{result['higher_likelihood_than_arch']}. Fits that fell back on arch: "
        f"{result.get('fallbacks', 0)}; that failed: {result.get('failures', 0)}."
    )
    headings = ("Who", "Processor ms a fit", "Time, ours = 1", "Mean apart", "Volatility apart")
    return f"{table(headings, rows)}\n\n{told}"


MOMENTS = ("mean", "volatility")


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


def options_table(result: Result) -> str:
    """What options of training cost and change."""
    rows = [
        (
            row["network"],
            row["option"],
            number(row["seconds"]),
            f"{row['validation']:.4f}",
            f"{row['r2']:+.4f}",
            " ".join(f"{each:+.4f}" for each in row["r2_of_seeds"]),
        )
        for row in result["rows"]
    ]
    headings = ("Network", "Option", "Seconds", "Validation error", "R²", "R² of each seed")
    return table(headings, rows)


def gpu_table(result: Result) -> str:
    """Networks of several seeds side by side and one by one."""
    rows = [
        (
            f"{row['network']}, {row['networks']} seeds",
            number(row["together_per_second"]),
            number(row["one_by_one_per_second"]),
            number(row["ratio"]),
            number(row["peak_memory_mib"]),
        )
        for row in result["rows"]
    ]
    headings = ("Networks", "Side by side, windows/s", "In turn, windows/s", "Ratio", "MiB")
    return f"{table(headings, rows)}\n\n{result['machine']}; {result['samples']:,} windows each."


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


def _missing(missing: dict[str, str]) -> list[str]:
    return ["; ".join(f"{called(name)}: {why}" for name, why in missing.items()) + "."][
        : len(missing)
    ]


TABLES: dict[str, Callable[[Result], str]] = {
    "training": training_table,
    "training_options": options_table,
    "side_by_side": gpu_table,
    "gpu": gpu_table,
    "garch": garch_table,
    "allocation": allocation_table,
    "products": products_table,
    "proposals": proposals_table,
    "startup": startup_table,
    "scaling": scaling_table,
    "dask_walk": cluster_table,
}

RATIOS: dict[str, Callable[[str, Result], list[Ratio]]] = {
    "allocation": allocation_ratios,
    "garch": garch_ratios,
}
"""Where ratios to peers stand in a result, if not under ``ratios``."""
