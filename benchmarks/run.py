"""Runs the benchmarks and writes what they found into ``docs/performance.md``.

``make bench``, or from the repository ``python benchmarks/run.py``: every benchmark of
``benchmark_list.py`` in a process of its own, one after the other, then the tables and figures
of the page from all that is known. Results are kept in ``benchmarks/results.json``; those of
benchmarks that were not asked for stay as they are. Ends with an error that names those that
failed. Options: ``--only training garch`` for some of them, ``--tables`` for none (tables and
figures from what is kept), ``--quick`` for a try of a few minutes that goes to ``build/benchmarks``
and not to the page.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark_figure import draw
from benchmark_list import BENCHMARKS, run_benchmark
from benchmark_page import ratios, written
from scaling_figure import draw_scaling

from regime_nas_pipeline.core.files import write_whole

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "docs" / "performance.md"
IMAGES = {"figure": "images/performance.png", "scaling_figure": "images/scaling.png"}
"""Where each of the page's figures lies, below the page's folder."""


@dataclass(frozen=True)
class Place:
    """Where results and page go; figures lie below the page's folder."""

    results: Path
    page: Path

    def figure(self, name: str) -> Path:
        """The image of this name."""
        return self.page.parent / IMAGES[name]


PUBLISHED = Place(Path(__file__).parent / "results.json", PAGE)
TRIED = Place(REPOSITORY / "build/benchmarks/results.json", REPOSITORY / "build/benchmarks/page.md")


def known(place: Place) -> dict[str, Any]:
    """What was found so far, by benchmark."""
    if not place.results.is_file():
        return {}
    found: dict[str, Any] = json.loads(place.results.read_text())
    return found


def tell(place: Place, results: dict[str, Any]) -> None:
    """Write results, figures and page."""
    write_whole(place.results, (json.dumps(results, indent=1) + "\n").encode())
    images = drawn(results)
    for name, image in images.items():
        write_whole(place.figure(name), image)
    page = written(PAGE.read_text(), results, {name: IMAGES[name] for name in images})
    write_whole(place.page, page.encode())


def drawn(results: dict[str, Any]) -> dict[str, bytes]:
    """Every figure that there are results for, as PNG by name."""
    found = {}
    compared = ratios(results)
    if compared:
        found["figure"] = draw(compared, machines(results))
    grown = results.get("scaling", {})
    if "result" in grown:
        found["scaling_figure"] = draw_scaling(grown["result"], machines({"scaling": grown}))
    return found


def machines(results: dict[str, Any]) -> str:
    """Processors and days of everything that was measured."""
    made = [entry["made"] for entry in results.values() if "result" in entry]
    cpus = sorted({f"{each['cpu']}, {each['cores']} cores" for each in made})
    days = sorted({each["date"][:10] for each in made})
    return "; ".join([*cpus, " to ".join(dict.fromkeys((days[0], days[-1])))])


def main() -> None:
    """Read the options, run, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [each.name for each in BENCHMARKS]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--tables", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    place = TRIED if options.quick else PUBLISHED
    results = known(place)
    asked = [] if options.tables else [each for each in BENCHMARKS if each.name in options.only]
    for benchmark in asked:
        print(f"{benchmark.name} ...", flush=True)
        entry = run_benchmark(benchmark, quick=options.quick)
        results[benchmark.name] = entry
        said = entry.get("missing") or entry.get("failed")
        print(f"{benchmark.name}: {said or 'measured'} ({entry['made'].get('seconds', 0)} s)")
        # Kept one by one: whatever comes after may fail, or be broken off.
        tell(place, results)
    if not asked:
        tell(place, results)
    print(f"tables in {place.page.relative_to(REPOSITORY)}")
    failed = [each.name for each in asked if "failed" in results[each.name]]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
