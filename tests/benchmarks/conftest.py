"""The scripts of ``benchmarks/`` as modules."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from training_work import Work, make_work


@pytest.fixture(scope="session")
def work() -> Work:
    return make_work()
