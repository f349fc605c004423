"""How much memory a complete run over many assets and years needs, and how long it takes.

Run from the repository: ``python benchmarks/whole_run.py``. It simulates daily bars, runs the
default job on them in a temporary copy of the project, with small budgets of training and search,
and prints JSON: the largest memory of all processes together (shared pages counted once), processor
seconds and wall time. Options: ``--assets``, ``--years``, ``--jobs`` (processes).
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import yaml
from project_copy import Copy
from scaling_cell import BARS_PER_YEAR, INDEX, simulated_bars

EVERY_SECONDS = 2.0


def parameters(n_assets: int, n_years: int) -> dict[str, Any]:
    """What differs from the default run: sizes, and budgets of a few batches of all assets."""
    dates = pd.bdate_range("2000-01-03", periods=n_years * BARS_PER_YEAR)
    layers = {
        "width": {"kind": "options", "options": [8, 16]},
        "lookback": {"kind": "options", "options": [21]},
    }
    cells = {
        **layers,
        "width": {"kind": "options", "options": [8]},
        "nodes": {"kind": "options", "options": [1, 2]},
        "attention_heads": {"kind": "options", "options": [1, 2]},
    }
    return {
        "universe": {"benchmark": INDEX, "start": None},
        "walk_forward": {
            "first_oos": dates[len(dates) // 2].date(),
            "refit_every": 252,
            "rebalance_every": 42,
        },
        "regimes": {"refit_every": 252},
        "training": {"n_seeds": 2, "max_samples": 6 * n_assets, "batch_dates": 1},
        "search": {"budget": 48 * n_assets, "trials": 3, "start_up": 2, "batch": 2},
        "regime_nas": {"space": cells},
        "gru": {"space": layers},
        "transformer": {"space": layers},
        "evaluation": {"sub_periods": [], "limits": ["The prices are simulated."]},
        "verdict": {"resamples": 199, "n_blocks": 8},
    }


def memory_of(process: psutil.Process) -> int:
    """Bytes of a process and all that it started, each shared page counted once."""
    total = 0
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for member in family:
        try:
            total += member.memory_full_info().pss
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue  # ended meanwhile
    return total


def measure(folder: Path, n_assets: int, n_years: int, n_jobs: int) -> dict[str, Any]:
    """Run the job in ``folder`` and look at its memory every two seconds.

    Raises:
        RuntimeError: The run failed.
    """
    copy = Copy(folder, None, n_jobs)
    bars = folder / "bars.parquet"
    simulated_bars(n_assets, n_years).to_parquet(bars, index=False)
    kind = "regime_nas_pipeline.datasets.parquet_prices.ParquetPricesDataset"
    catalog = {"raw_prices": {"type": kind, "filepath": str(bars)}}
    local = folder / "conf" / "local"
    (local / "catalog.yml").write_text(yaml.safe_dump(catalog))
    (local / "parameters.yml").write_text(yaml.safe_dump(parameters(n_assets, n_years)))
    started, peak = time.perf_counter(), 0
    run = copy.start()
    process = psutil.Process(run.pid)
    while run.poll() is None:
        peak = max(peak, memory_of(process))
        time.sleep(EVERY_SECONDS)
    if run.returncode != 0:
        raise RuntimeError(f"failed: {(folder / 'said.txt').read_text()[-3000:]}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "assets": n_assets,
        "years": n_years,
        "jobs": n_jobs,
        "peak_gb": round(peak / 1e9, 2),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "wall_seconds": round(time.perf_counter() - started, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=500)
    parser.add_argument("--years", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder) / "copy", chosen.assets, chosen.years, chosen.jobs)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
