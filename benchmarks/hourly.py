"""Hourly bars of two coins over five years through the whole default pipeline.

Run from the repository: ``python benchmarks/hourly.py``. Two correlated coins are simulated, with
clustered volatility and the rhythms of day and week, and served on loopback in the words of
Bybit's market data. A temporary environment made of the blocks in ``docs/hourly.md`` fetches,
freezes and runs them. Prints seconds per pipeline and node, peak memory, sizes and checks, and ends
with an error if a check fails. Options: ``--source`` (bybit or parquet), ``--quick`` (the budgets
of ``conf/test``), ``--folder`` (keep everything there).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from scipy.signal import lfilter

PROJECT = Path(__file__).parents[1]
COINS = (("BTCUSDT", 30_000.0, 1.0), ("ETHUSDT", 1_000.0, 1.3))
"""Name, first price, and volatility as a multiple of what both share."""

ENV = "mine"
PARQUET = "regime_nas_pipeline.datasets.parquet_prices.ParquetPricesDataset"
FIRST, END = "2021-01-01", "2026-01-01"
NOT_CAPPED = "buy_and_hold"
"""Holds the benchmark and nothing else, whatever the largest weight is."""

Bars = dict[str, pd.DataFrame]


def simulated_bars(seed: int = 0) -> Bars:
    """Hourly bars of two coins: date, open, high, low, close, volume.

    Log volatility is an AR(1) with a half-life of two days, common to both; it is lower at night
    and at weekends, and volume follows it. Shocks are Student t with 4 degrees of freedom, and
    their correlation is 0.7.

    Args:
        seed: Of all that is drawn.
    """
    rng = np.random.default_rng(seed)
    dates = pd.date_range(FIRST, END, freq="h", inclusive="left")
    n = len(dates)
    decay = 0.5 ** (1 / 48)
    clusters = lfilter([1.0], [1.0, -decay], rng.normal(0.0, 0.07, n))
    day = 0.25 * np.sin(2 * np.pi * (dates.hour.to_numpy() - 8) / 24)
    week = np.where(dates.day_of_week >= 5, -0.3, 0.0)
    volatility = 0.006 * np.exp(clusters + day + week)
    gaussian = rng.multivariate_normal([0.0, 0.0], [[1.0, 0.7], [0.7, 1.0]], n)
    shocks = gaussian / np.sqrt(rng.chisquare(4, n) / 4)[:, None] / np.sqrt(2.0)
    found = {}
    for column, (coin, price, share) in enumerate(COINS):
        steps = share * volatility * shocks[:, column]
        close = price * np.exp(np.cumsum(steps))
        opened = np.concatenate([[price], close[:-1]])
        beyond = np.abs(rng.normal(0.0, 0.5, (2, n))) * share * volatility
        volume = np.exp(rng.normal(0.0, 0.4, n)) * volatility / 0.006 * 1e7 / price
        values = {
            "open": opened,
            "high": np.maximum(opened, close) * np.exp(beyond[0]),
            "low": np.minimum(opened, close) * np.exp(-beyond[1]),
            "close": close,
            "volume": volume,
        }
        found[coin] = pd.DataFrame({"date": dates, **values})
    return found


@contextmanager
def bybit(bars: Bars) -> Iterator[dict[str, Any]]:
    """Serve bars as Bybit does, on loopback; gives what the catalog entry must know of it."""
    path = PROJECT / "tests" / "datasets" / "kline_server.py"
    spec = importlib.util.spec_from_file_location("kline_server", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["kline_server"] = module
    spec.loader.exec_module(module)
    with module.serving() as state:
        for coin, table in bars.items():
            starts = table["date"].to_numpy().astype("datetime64[ms]").astype("int64").tolist()
            prices = table[["open", "high", "low", "close", "volume"]].to_numpy().tolist()
            state.bars["spot", coin] = [
                (start, *row) for start, row in zip(starts, prices, strict=True)
            ]
        yield {"endpoint": state.endpoint, "requests_per_second": 500.0}
        print(f"requests: {len(state.queries)}")


def write_parquet(bars: Bars, folder: Path) -> dict[str, Any]:
    """Write bars as one tidy file; gives the catalog entry that reads it."""
    path = folder / "bars.parquet"
    tidy = pd.concat([table.assign(asset=coin) for coin, table in bars.items()])
    tidy.to_parquet(path, index=False)
    return {"type": PARQUET, "filepath": str(path)}


def printed(file: str) -> dict[str, Any]:
    """The block of ``docs/hourly.md`` whose first line names this file of the environment."""
    text = (PROJECT / "docs" / "hourly.md").read_text()
    (body,) = re.findall(rf"^```yaml\n# conf/{ENV}/{file}\n(.*?)^```$", text, re.M | re.S)
    found: dict[str, Any] = yaml.safe_load(body)
    return found


def make_environment(folder: Path, source: dict[str, Any], *, quick: bool) -> Path:
    """Write the environment of ``docs/hourly.md`` under ``folder``; where its results will lie."""
    shutil.copytree(PROJECT / "conf", folder / "conf")
    own = folder / "conf" / ENV
    own.mkdir()
    fetched = {**printed("catalog.yml")["raw_prices"], "filepath": str(folder / "snapshots")}
    raw = source if "type" in source else {**fetched, **source}
    parameters = printed("parameters.yml")
    if quick:
        test = yaml.safe_load((PROJECT / "conf" / "test" / "parameters.yml").read_text())
        for name in ("training", "search", "verdict"):
            parameters[name] = {**parameters.get(name, {}), **test[name]}
    output = folder / "output"
    (own / "catalog.yml").write_text(yaml.safe_dump({"raw_prices": raw}))
    (own / "parameters.yml").write_text(yaml.safe_dump(parameters))
    (own / "globals.yml").write_text(yaml.safe_dump({"root": str(output)}))
    return output


class Watch(threading.Thread):
    """Watches all processes of a run (Linux): their memory, and whose work they do.

    A page that several processes map is shared out between them (PSS), so that nothing counts
    twice. Processor time is put down to the node that ends next.

    Attributes:
        peak: Largest memory of all processes together, bytes.
        processor_seconds: Of each node in the order in which they ended; the last entry is what
            came after.
    """

    def __init__(self, session: int, facts: Path) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self.processor_seconds: dict[int, float] = defaultdict(float)
        self._session, self._facts = session, facts
        self._ticks: dict[str, int] = {}

    def run(self) -> None:
        """Look once a second until no process of the session is left."""
        while processes := dict(filter(None, map(self._ticks_of, Path("/proc").glob("[0-9]*")))):
            self.peak = max(self.peak, sum(map(_share, processes)))
            spent = sum(ticks - self._ticks.get(pid, 0) for pid, ticks in processes.items())
            ended = self._facts.read_bytes().count(b"\n") if self._facts.exists() else 0
            self.processor_seconds[ended] += spent / os.sysconf("SC_CLK_TCK")
            self._ticks |= processes
            time.sleep(1.0)

    def _ticks_of(self, process: Path) -> tuple[str, int] | None:
        """Number and processor time of a living process of the session."""
        with suppress(OSError):
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if fields[0] != "Z" and int(fields[3]) == self._session:
                return process.name, int(fields[11]) + int(fields[12])
        return None


def _share(pid: str) -> int:
    """Memory of a process in bytes; nothing once it has ended."""
    with suppress(OSError):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss: +(\d+) kB", text, re.M)
        return int(found[1]) * 1024 if found else 0
    return 0


def run(folder: Path, output: Path) -> Watch:
    """Run everything in a process of its own; prints what it took."""
    command = [sys.executable, "-m", "kedro", "run", f"--env={ENV}"]
    command += [f"--conf-source={folder / 'conf'}"]
    started = time.perf_counter()
    with (folder / "run.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            command, cwd=PROJECT, stdout=log, stderr=log, start_new_session=True
        )
        watch = Watch(process.pid, output / "run_facts.jsonl")
        watch.start()
        code = process.wait()
        watch.join()
    print(f"seconds from start to end: {time.perf_counter() - started:.0f}")
    print(f"processor seconds: {sum(watch.processor_seconds.values()):.0f}")
    print(f"peak memory of all processes: {watch.peak / 1e9:.2f} GB")
    if code != 0:
        print((folder / "run.log").read_text()[-3000:])
        sys.exit(f"kedro run ended with {code}")
    return watch


def print_stages(output: Path, watch: Watch, most: int = 12) -> None:
    """Seconds and processor seconds of every pipeline, and of the nodes that took most."""
    lines = [json.loads(line) for line in (output / "run_facts.jsonl").read_text().splitlines()]
    rows = [
        (line["pipeline"], line["node"], line["seconds"], watch.processor_seconds[place])
        for place, line in enumerate(lines)
    ]
    table = pd.DataFrame(rows, columns=["pipeline", "node", "seconds", "processor"])
    stages = table.groupby("pipeline", sort=False)[["seconds", "processor"]].sum()
    longest = table.set_index("node")[["seconds", "processor"]].nlargest(most, "processor")
    print(stages.round(1).to_string(), longest.round(1).to_string(), sep="\n")


def latest(output: Path, name: str) -> Path:
    """The newest version of a file."""
    return sorted(path for path in output.rglob(name) if path.is_file())[-1]


def print_sizes(output: Path) -> None:
    """The report and the largest files beside it."""
    print(f"report: {latest(output, 'report.html').stat().st_size / 1e6:.1f} MB")
    kept = [path for path in output.rglob("*.*") if path.is_file() and "cache" not in path.parts]
    for path in sorted(kept, key=lambda each: -each.stat().st_size)[:6]:
        print(f"  {path.name:<40}{path.stat().st_size / 1e6:8.1f} MB")


def check(output: Path, n_bars: int) -> list[str]:
    """What is wrong with the results; nothing, one hopes."""
    prices = pd.read_parquet(output / "02_intermediate" / "prices.parquet")
    weights = pd.read_parquet(latest(output, "weights.parquet"))
    returns = pd.read_parquet(latest(output, "strategy_returns.parquet"))
    regimes = pd.read_parquet(latest(output, "regimes.parquet"))
    summary = json.loads(latest(output, "summary.json").read_text())
    sums = weights.groupby(["strategy", "date"])["weight"].sum()
    chosen = weights[weights["rebalanced"] & (weights["strategy"] != NOT_CAPPED)]
    tables = {"prices": prices, "weights": weights, "returns": returns, "regimes": regimes}
    forecasts = [path for path in output.rglob("*_forecasts.parquet") if path.is_file()]
    tables |= {path.stem: pd.read_parquet(path) for path in forecasts}
    blank = [name for name, table in tables.items() if _blanks(table)]
    sample = summary["sample"]
    print(f"bars: {prices['date'].nunique()}, out of sample {len(returns)}; sample: {sample}")
    print(f"weights from {chosen['weight'].min():.6f} to {chosen['weight'].max():.6f} at trades")
    found = {
        f"{n_bars} bars were made": prices["date"].nunique() == n_bars,
        "8760 bars in a year": sample["bars_per_year"] == 24 * 365,
        "weights of at most 1/2 at trades": chosen["weight"].max() <= 0.5 + 1e-9,
        "weights of every bar sum to 1": float((sums - 1.0).abs().max()) < 1e-9,
        "weights on every bar": len(sums) == returns.size,
        "returns on consecutive hours": set(np.diff(returns.index.to_numpy()))
        == {np.timedelta64(1, "h")},
        "forecasts of five": len(forecasts) == 5,
        f"no blanks ({', '.join(blank)})": not blank,
    }
    return [what for what, holds in found.items() if not holds]


def _blanks(table: pd.DataFrame) -> int:
    """Blank numbers; forecasters without a volatility or without seeds have blank columns."""
    whole = table.dropna(axis="columns", how="all")
    return int(whole.select_dtypes("number").isna().to_numpy().sum())


def main() -> None:
    """Read the options, run, print, check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", choices=("bybit", "parquet"), default="bybit")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    bars = simulated_bars()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if options.source == "bybit":
            with bybit(bars) as source:
                output = make_environment(folder, source, quick=options.quick)
                watch = run(folder, output)
        else:
            output = make_environment(folder, write_parquet(bars, folder), quick=options.quick)
            watch = run(folder, output)
        print_stages(output, watch)
        print_sizes(output)
        faults = check(output, len(bars[COINS[0][0]]))
    print("failed: " + "; ".join(faults) if faults else "every check holds")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
