"""Results are kept with what made them, and tables and figure come from them alone."""

from __future__ import annotations

import json
import struct
import subprocess
from pathlib import Path
from typing import Any

import benchmark_list
import numpy as np
import pytest
from benchmark_figure import SECTIONS, draw
from benchmark_list import BENCHMARKS, Benchmark, last_json, run_benchmark
from benchmark_page import FIGURES, NOT_YET, named, ratios, replaced, written
from benchmark_tables import TABLES
from benchmark_words import Ratio, flat_table, number, table
from hypothesis import given
from hypothesis import strategies as st
from run import IMAGES, PAGE, PUBLISHED, Place, drawn, known, machines, tell
from scaling_figure import draw_scaling, spread_out

RATIO = {"group": "gru", "peer": "torch", "of": "x", "median": 2.0, "p5": 1.5, "p95": 2.5}
MADE = {
    "command": "python benchmarks/garch.py",
    "date": "2026-01-02T03:04+00:00",
    "git_sha": "0123456789abcdef-dirty",
    "cpu": "A processor",
    "cores": 3,
    "system": "Linux x86_64",
    "versions": {"numpy": "9.9"},
}
GROWN = {
    "assets": [20, 100],
    "years": [5, 20],
    "cells": [
        {"stage": stage, "assets": assets, "years": years, "cpu_seconds": assets * years / 200}
        for stage in ("features", "covariance")
        for assets in (20, 100)
        for years in (5, 20)
    ],
    "exponents": {
        stage: {"assets": 1.0, "years": 0.5, "last_assets": 1.25, "last_years": None}
        for stage in ("features", "covariance")
    },
    "by_nature": ["covariance"],
    "every_bar": [],
}


def entry(**found: Any) -> dict[str, Any]:
    return {"made": MADE, **found}


def script(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> Benchmark:
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks" / "one.py").write_text(body)
    monkeypatch.setattr(benchmark_list, "FOLDER", folder / "benchmarks")
    return Benchmark("one", "one.py", options=("5",))


@given(st.dictionaries(st.text(), st.integers() | st.text()), st.sampled_from([None, 1]))
def test_the_last_json_is_found_behind_anything(found: dict[str, Any], indent: int | None) -> None:
    text = 'warming up {"a": 1}\n{"not": "the last"}\n' + json.dumps(found, indent=indent) + "\n"
    assert last_json(text) == found


def test_output_without_json_is_refused() -> None:
    with pytest.raises(ValueError, match="does not end with a JSON object"):
        last_json('{"a": 1}\ndone')


def test_a_benchmark_is_kept_with_what_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = (
        "import json, sys\nprint('table')\nprint(json.dumps({'asked': sys.argv[1:]}))\nsys.exit(3)"
    )
    kept = run_benchmark(script(tmp_path, body, monkeypatch), quick=False)
    assert kept["result"] == {"asked": ["5"]}
    assert kept["made"]["command"] == "python benchmarks/one.py 5"
    assert kept["made"]["exit_code"] == 3
    assert kept["made"]["versions"]["torch"]
    assert kept["made"]["cores"] >= 1


def test_a_crash_and_an_absent_peer_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing = script(tmp_path, "raise SystemExit(7)", monkeypatch)
    assert "exit code 7" in run_benchmark(crashing, quick=False)["failed"]
    lacking = Benchmark("two", "one.py", needs=("a_module_that_is_not_there",))
    assert "a_module_that_is_not_there" in run_benchmark(lacking, quick=False)["missing"]
    assert "benchmarks/none.py" in str(Benchmark("three", "none.py").obstacle())


def test_every_benchmark_has_one_place_on_the_page() -> None:
    places = named(PAGE.read_text())
    assert sorted(places) == sorted([*FIGURES, *(each.name for each in BENCHMARKS)])


def test_the_page_says_what_the_results_say() -> None:
    results = known(PUBLISHED)
    there = {name: link for name, link in IMAGES.items() if PUBLISHED.figure(name).is_file()}
    assert written(PAGE.read_text(), results, there) == PAGE.read_text()
    assert there.keys() == drawn(results).keys()


def test_only_what_stands_between_the_comments_changes() -> None:
    page = "before\n<!-- one:start -->\nold\n<!-- one:end -->\nafter\n"
    once = replaced(page, "one", "new")
    assert once == "before\n<!-- one:start -->\n\nnew\n\n<!-- one:end -->\nafter\n"
    assert replaced(once, "one", "new") == once
    with pytest.raises(ValueError, match="two:start"):
        replaced(page, "two", "new")


def test_what_is_absent_or_broken_is_said_in_the_table() -> None:
    page = "".join(f"<!-- {n}:start --><!-- {n}:end -->\n" for n in ("a", "b", "other", "figure"))
    results = {
        "a": entry(missing="it is not installed"),
        "b": entry(failed="exit code 1"),
        "other": entry(result={"fits": 3, "ratios": [RATIO]}),
    }
    new = written(page, results, {})
    assert "Not measured on 2026-01-02: it is not installed." in new
    assert "Failed on 2026-01-02: exit code 1." in new
    assert "| `fits` | 3 |" in new
    assert "commit 0123456789 with changes; A processor, 3 cores" in new
    assert NOT_YET in new
    (ratio,) = ratios(results)
    assert (ratio.section, ratio.label, ratio.median) == ("other", "GRU: plain torch", 2.0)


def test_results_page_and_figure_are_written_together(tmp_path: Path) -> None:
    place = Place(tmp_path / "results.json", tmp_path / "docs" / "page.md")
    fits = {
        "fits": 40,
        "processor_time_per_fit": {
            name: {"median_ms": 5.0, "p5_ms": 4.0, "p95_ms": 6.0} for name in ("project", "arch")
        },
        "ratio_of_totals": {"project": 1.0, "arch": 3.25},
        "largest_difference": {"mean_arch": 1e-7, "volatility_arch": 2e-7},
        "log_likelihood_gain": {"least": 0.0, "largest": 0.5},
        "lower_likelihood_than_arch": 0,
        "higher_likelihood_than_arch": 7,
    }
    results = {"garch": entry(result=fits)}
    tell(place, results)
    assert known(place) == results
    assert "(images/performance.png)" in place.page.read_text()
    assert "| arch | 5 (4 to 6) | 3.25 | 1.0e-07 | 2.0e-07 |" in place.page.read_text()
    assert "higher in 7." in place.page.read_text()
    assert [(each.label, each.median) for each in ratios(results)] == [("GARCH fits: arch", 3.25)]
    assert place.figure("figure").read_bytes().startswith(b"\x89PNG")
    assert not place.figure("scaling_figure").exists()
    assert machines(results) == "A processor, 3 cores; 2026-01-02"


def test_the_figure_is_small_and_repeats_itself() -> None:
    compared = [
        Ratio(section, f"{section} {place}", 2.0 + place, 1.0, 3.0 + place)
        for section in SECTIONS
        for place in range(6)
    ]
    image = draw(compared, "a machine")
    width, height = struct.unpack(">II", image[16:24])
    assert width > 1000
    assert 500 < height < 3000
    assert len(image) < 300_000
    assert draw(compared, "a machine") == image


def test_growth_is_drawn_beside_its_table(tmp_path: Path) -> None:
    place = Place(tmp_path / "results.json", tmp_path / "page.md")
    tell(place, {"scaling": entry(result=GROWN)})
    image = place.figure("scaling_figure").read_bytes()
    assert image.startswith(b"\x89PNG")
    assert len(image) < 300_000
    assert draw_scaling(GROWN, machines({"scaling": entry(result=GROWN)})) == image
    assert "(images/scaling.png)" in place.page.read_text()


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20), st.floats(0.0, 0.05))
def test_labels_stand_apart_in_order_and_no_farther_off_than_they_must(
    heights: list[float], gap: float
) -> None:
    wanted = np.sort(heights)
    placed = spread_out(wanted, gap)
    assert placed[0] >= 0.0
    assert placed[-1] <= 1.0 + 1e-12
    assert (np.diff(placed) >= gap - 1e-12).all()
    if (np.diff(wanted) >= gap).all():
        assert placed == pytest.approx(wanted)
    assert spread_out(placed, gap) == pytest.approx(placed)


@given(st.floats(min_value=-1e9, max_value=1e9))
def test_numbers_stay_what_they_were_to_two_digits_at_least(value: float) -> None:
    assert float(number(value).replace(",", "")) == pytest.approx(value, rel=0.05, abs=1e-300)


def test_numbers_and_tables_by_hand() -> None:
    assert [number(each) for each in (1234.5, 0.12345, 0, 12.0, None, 2.5e-7)] == [
        "1,230",
        "0.123",
        "0",
        "12",
        "",
        "2.5e-07",
    ]
    assert table(("A", "B"), [("x", "1")]) == "| A | B |\n| --- | --: |\n| x | 1 |"
    assert "| `a.0.b` | 1.5 |" in flat_table({"a": [{"b": 1.5}]})


def test_tables_of_the_smaller_benchmarks() -> None:
    started = {"rows": [{"command": "python", "processor_seconds": 0.5, "wall_seconds": 1.25}]}
    assert "| `python` | 0.5 | 1.25 |" in TABLES["startup"](started)
    joined = {
        "machine": "a GPU",
        "samples": 10_000,
        "rows": [
            {
                "network": "GRU",
                "networks": 3,
                "together_per_second": 900,
                "one_by_one_per_second": 300,
                "ratio": 3.0,
                "peak_memory_mib": None,
            }
        ],
    }
    assert "| GRU, 3 seeds | 900 | 300 | 3 |  |" in TABLES["gpu"](joined)
    shared = {
        "folds": 16,
        "samples": 10_000,
        "rows": [{"way": "workers 2", "seconds": 3.0, "efficiency": 0.874}],
    }
    assert "| workers 2 | 3 | 87% |" in TABLES["dask_walk"](shared)
    multiplied = {
        "rows": [
            {
                "product": "gates",
                "shape": [128, 89, 1020],
                "by_onednn": True,
                "torch": 100.0,
                "project": 200.0,
                "ratio": {"median": 2.0, "p5": 1.9, "p95": 2.1},
            }
        ],
        "first_calls_ms": [1.5, 0.5, 0.25],
    }
    told = TABLES["products"](multiplied)
    assert "| gates, 128 x 89 x 1,020 | 100 | 200 | 2 (1.9 to 2.1) | oneDNN |" in told
    assert "1.5, 0.5, 0.25 ms" in told
    told = TABLES["scaling"](GROWN)
    assert "| features | 10 | 1 | 0.5 | 1.25 |  |" in told
    assert "| covariance* | 10 |" in told


def test_make_installs_the_peers_at_the_versions_of_the_lock() -> None:
    told = subprocess.run(
        ["make", "--dry-run", "bench", "BENCH=--only startup"],
        cwd=PAGE.parents[1],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "-c requirements.lock" in told
    assert "[bench]" in told
    assert "benchmarks/run.py --only startup" in told
