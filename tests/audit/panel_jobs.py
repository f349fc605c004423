"""Fake jobs on panels: a t-test of one group of assets against the other, and jobs that fail."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from regime_nas_pipeline.audit.garch_shocks import GarchShocks
from regime_nas_pipeline.audit.panel_runs import PanelOutcome

SHOCKS = GarchShocks(
    assets=("AAA", "BBB", "CCC", "DDD"),
    volatilities=(0.01, 0.012, 0.02, 0.015),
    alpha=0.05,
    beta=0.9,
    nu=8.0,
    correlation=0.4,
)


def dates(n_bars: int) -> pd.DatetimeIndex:
    return pd.bdate_range("2010-01-04", periods=n_bars)


def group_test(prices: pd.DataFrame) -> PanelOutcome:
    """Even against odd assets: is the mean return of the first group higher?"""
    close = prices.pivot(index="date", columns="asset", values="close")
    returns = close.pct_change().dropna()
    groups = pd.DataFrame(
        {"even": returns.iloc[:, ::2].mean(axis=1), "odd": returns.iloc[:, 1::2].mean(axis=1)}
    )
    gap = groups["even"] - groups["odd"]
    z = float(gap.mean() / (gap.std() / np.sqrt(len(gap))))
    tests = pd.DataFrame(
        [
            ["t_test", "even", "odd", float(norm.sf(z))],
            ["same_test", "odd", "odd", np.nan],
        ],
        columns=["test", "subject", "against", "p_beats"],
    )
    return PanelOutcome(groups, tests, {"z": z})


@dataclass(frozen=True)
class Recorded:
    """The same test; leaves a file per call and fails on one panel until it is told to go on."""

    folder: Path
    fails_at: str = ""
    error: type[BaseException] = RuntimeError

    def __call__(self, prices: pd.DataFrame) -> PanelOutcome:
        name = f"{prices['close'].iloc[-1]:.12f}"
        if name == self.fails_at and not (self.folder / "go_on").exists():
            raise self.error("out of luck")
        (self.folder / f"{name}-{len(list(self.folder.iterdir()))}").touch()
        return group_test(prices)
