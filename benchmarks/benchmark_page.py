"""Writes what the benchmarks found between the comments of a page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from benchmark_tables import RATIOS, TABLES
from benchmark_words import Ratio, flat_table, given_ratios

NOT_YET = "Not measured yet; `make bench` fills this in."
FIGURES = {
    "figure": "How many times as fast as each peer, log axis",
    "scaling_figure": "What each stage costs against assets and years, log axes",
}
"""Pictures that the page has places for, and what they are for who cannot see them."""


def marks(name: str) -> tuple[str, str]:
    """The comments that a benchmark's table stands between."""
    return f"<!-- {name}:start -->", f"<!-- {name}:end -->"


def replaced(page: str, name: str, body: str) -> str:
    """The page with something else between two of its comments.

    Raises:
        ValueError: It lacks one of them, or has one twice.
    """
    start, end = marks(name)
    if page.count(start) != 1 or page.count(end) != 1 or page.index(start) > page.index(end):
        raise ValueError(f"the page needs '{start}' and after it '{end}', each once.")
    before, _, rest = page.partition(start)
    return f"{before}{start}\n\n{body.strip()}\n\n{end}{rest.partition(end)[2]}"


def named(page: str) -> list[str]:
    """What the page has places for."""
    return re.findall(r"<!-- (\w+):start -->", page)


def section(name: str, entry: dict[str, Any] | None) -> str:
    """What is said of one benchmark: its table and where that comes from, or why there is none."""
    if entry is None:
        return NOT_YET
    if "missing" in entry:
        return f"Not measured on {day(entry)}: {entry['missing']}."
    if "failed" in entry:
        return f"Failed on {day(entry)}: {entry['failed']}."
    return f"{TABLES.get(name, flat_table)(entry['result'])}\n\n{origin(entry['made'])}"


def day(entry: dict[str, Any]) -> str:
    """The date of an entry."""
    return str(entry["made"]["date"])[:10]


def origin(made: dict[str, Any]) -> str:
    """Command, date, code, machine and libraries of a result."""
    sha, _, dirty = str(made["git_sha"] or "unknown").partition("-")
    code = f"commit {sha[:10]}{' with changes' if dirty else ''}"
    libraries = ", ".join(f"{name} {number}" for name, number in made["versions"].items())
    return (
        f"`{made['command']}`, {str(made['date'])[:10]}, {code}; {made['cpu']}, {made['cores']} "
        f"cores, {made['system']}; {libraries}."
    )


def ratios(results: dict[str, dict[str, Any]]) -> list[Ratio]:
    """Every ratio to a peer that was measured."""
    return [
        ratio
        for name, entry in results.items()
        if "result" in entry
        for ratio in RATIOS.get(name, given_ratios)(name, entry["result"])
    ]


def written(page: str, results: dict[str, dict[str, Any]], links: Mapping[str, str]) -> str:
    """The page with every table anew.

    Args:
        page: As it is.
        results: Entries by benchmark.
        links: To the :data:`FIGURES` that there are, from the page.

    Raises:
        ValueError: The page has a place for something that there is not, or lacks a comment.
    """
    for name in named(page):
        if name in FIGURES:
            body = f"![{FIGURES[name]}]({links[name]})" if name in links else NOT_YET
        else:
            body = section(name, results.get(name))
        page = replaced(page, name, body)
    return page
