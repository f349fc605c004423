"""What Kedro's commands take before they do anything, and which imports take it.

Run from the repository: ``python benchmarks/startup.py``. Processor seconds are those of the whole
command, which a busy machine hardly changes; wall seconds are for an idle one. Both are the least
of ``--repeats`` runs (default 3). The last line is the first table as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
KEDRO = ("-m", "kedro")
COMMANDS: dict[str, tuple[str, ...]] = {
    "python": ("-c", "pass"),
    "kedro --version": (*KEDRO, "--version"),
    "kedro registry list": (*KEDRO, "registry", "list"),
    "kedro run --help": (*KEDRO, "run", "--help"),
    "kedro registry describe ingestion": (*KEDRO, "registry", "describe", "ingestion"),
    "kedro catalog list-patterns": (*KEDRO, "catalog", "list-patterns"),
}
"""What is typed, and how this interpreter is told to do it. The last begins a session."""

ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
"""Without compiled files every command compiles the whole package anew, which nobody's does."""

LOOKED_INTO = ("kedro registry list", "kedro catalog list-patterns")
HEAVIEST = 10


def seconds_of(arguments: tuple[str, ...]) -> tuple[float, float]:
    """Processor and wall seconds of one command, its children included.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, *arguments]
    subprocess.run(command, cwd=REPOSITORY, env=ENVIRONMENT, check=True, capture_output=True)  # noqa: S603
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime), wall


def import_seconds(arguments: tuple[str, ...]) -> Counter[str]:
    """Package to the wall seconds that its own modules took to import."""
    command = [sys.executable, "-X", "importtime", *arguments]
    run = subprocess.run(command, cwd=REPOSITORY, env=ENVIRONMENT, check=True, capture_output=True)  # noqa: S603
    seconds: Counter[str] = Counter()
    for line in run.stderr.decode().splitlines():
        own, *_, name = line.removeprefix("import time:").split("|")
        # The first line is a header, and warnings may stand between the others.
        if line.startswith("import time:") and own.strip().isdigit():
            seconds[name.strip().split(".")[0]] += int(own) / 1e6
    return seconds


def main() -> None:
    """Read the options, measure every command, and look into the imports of two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    print(f"{'command':<36}{'processor s':>12}{'wall s':>9}")
    rows = []
    for name, arguments in COMMANDS.items():
        taken = [seconds_of(arguments) for _ in range(repeats)]
        cpu, wall = min(cpu for cpu, _ in taken), min(wall for _, wall in taken)
        rows.append({"command": name, "processor_seconds": cpu, "wall_seconds": wall})
        print(f"{name:<36}{cpu:12.2f}{wall:9.2f}")
    for name in LOOKED_INTO:
        seconds = import_seconds(COMMANDS[name])
        print(f"\n{name}: {sum(seconds.values()):.2f} s in imports, most of it in")
        for package, own in seconds.most_common(HEAVIEST):
            print(f"  {package:<34}{own:12.2f}")
    print(json.dumps({"repeats": repeats, "rows": rows}))


if __name__ == "__main__":
    main()
