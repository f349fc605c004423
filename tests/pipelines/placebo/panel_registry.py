"""A small default pipeline whose job on a panel is two groups of assets, and what a run takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline, node
from kedro.runner import SequentialRunner
from scipy.stats import norm

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.pipelines.placebo import create_pipeline, nodes
from regime_nas_pipeline.pipelines.placebo.parameters import Placebo
from regime_nas_pipeline.verdict.comparison import superior_strategies
from regime_nas_pipeline.walkforward.parameters import Compute, Portfolio, Universe, WalkForward
from regime_nas_pipeline.walkforward.verdict_parameters import Verdict

BARS = pd.bdate_range("2018-01-01", periods=420)
ALLOCATOR = {"class": "regime_nas_pipeline.portfolio.allocate.MaximumSharpe"}


def raw_prices() -> pd.DataFrame:
    generator = np.random.default_rng(5)
    close = 100.0 * np.exp(np.cumsum(0.01 * generator.standard_normal((len(BARS), 5)), axis=0))
    wide = pd.DataFrame(close, index=BARS, columns=["AAA", "BBB", "CCC", "DDD", "IND"])
    tidy = wide.rename_axis(index="date").reset_index().melt("date", var_name="asset")
    return tidy.rename(columns={"value": "close"}).sort_values(["date", "asset"], ignore_index=True)


def take(raw: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    return raw.copy(), {"sha256": "abc"}


def trade(
    prices: pd.DataFrame, walk_forward: WalkForward, compute: Compute, cache: PieceCache
) -> pd.DataFrame:
    """One group of assets, the other, and all of them, out of sample."""
    assert compute.n_jobs == 1
    assert cache.directory is None
    close = prices.pivot(index="date", columns="asset", values="close")
    returns = close.pct_change().loc[walk_forward.first_oos_stamp :]
    own = returns.drop(columns="IND")
    return pd.DataFrame(
        {
            "regime_nas": own.iloc[:, :1].mean(axis=1),
            "gru": own.iloc[:, 1:3].mean(axis=1),
            "equal_weight": own.mean(axis=1),
        }
    )


def compare(returns: pd.DataFrame, verdict: Verdict) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tests of the mean difference from equal weight, under the names of the report's tests."""
    rows = []
    for name in ("regime_nas", "gru"):
        gap = returns[name] - returns["equal_weight"]
        t = float(np.sqrt(len(gap)) * gap.mean() / gap.std())
        rows += [
            {
                "test": test,
                "subject": name,
                "against": "equal_weight",
                "statistic": t,
                "p_beats": float(norm.sf(t)),
                "p_holm": 1.0,
            }
            for test in ("jobson_korkie_memmel", "ledoit_wolf")
        ]
    superior = superior_strategies(returns, "equal_weight", n_resamples=verdict.resamples)
    return pd.DataFrame(rows), superior


def boast(returns: pd.DataFrame, verdict: Verdict) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tests that find something far too often."""
    pairs, superior = compare(returns, verdict)
    return pairs.assign(p_beats=pairs["p_beats"] / 20.0), superior


def deflate(returns: pd.DataFrame) -> pd.DataFrame:
    """Probabilities of a Sharpe ratio above zero, and half of them."""
    t = np.sqrt(len(returns)) * returns.mean() / returns.std()
    table = pd.DataFrame({"strategy": returns.columns, "psr_against_zero": norm.cdf(t)})
    return table.assign(
        scope="out_of_sample",
        reference="risk_free",
        deflated_probability=0.5 * table["psr_against_zero"],
    )


def draw(returns: pd.DataFrame) -> str:
    raise AssertionError("nothing is drawn of a panel")


def fail(returns: pd.DataFrame, verdict: Verdict) -> tuple[pd.DataFrame, pd.DataFrame]:
    raise RuntimeError("a node ran")


def registry(tests: Callable[..., Any] = compare) -> dict[str, Pipeline]:
    whole = Pipeline(
        [
            node(take, "raw_prices", ["prices", "data_manifest"], name="take"),
            node(
                trade,
                ["prices", "params:walk_forward", "params:compute", "finished_pieces"],
                "strategy_returns",
                name="trade",
            ),
            node(
                tests,
                ["strategy_returns", "params:verdict"],
                ["comparison_tests", "superior_strategies"],
                name="compare",
            ),
            node(deflate, "strategy_returns", "deflated_sharpes", name="deflate"),
            node(draw, "strategy_returns", "report", name="draw"),
        ]
    )
    return {"__default__": whole}


def placebo_block(n_panels: int = 3) -> dict[str, Any]:
    return {
        "sets": {
            "drawn": {"source": "bootstrap", "n_panels": n_panels, "seed": 3},
            "fitted": {"source": "garch", "n_panels": 2, "seed": 4},
        },
        "n_bars": 200,
        "oos_share": 0.5,
    }


def given(cache: PieceCache, n_panels: int = 3, **changes: Any) -> dict[str, Any]:
    portfolio = {"allocator": ALLOCATOR, "max_weight": 0.5, "cost_bps": 0.0, "risk_free": 0.0}
    facts = dict.fromkeys(("env", "git_sha", "started"), "x") | {"seconds": {}, "versions": {}}
    return {
        "raw_prices": raw_prices(),
        "finished_pieces": cache,
        "run_facts": facts,
        "params:placebo": Placebo.model_validate(placebo_block(n_panels)),
        "params:universe": Universe(benchmark="IND", min_history=20, bars_per_year=252),
        "params:portfolio": Portfolio.model_validate(portfolio | changes.pop("portfolio", {})),
        "params:compute": Compute(n_jobs=changes.pop("n_jobs", 1), seed=1),
        "params:verdict": Verdict.model_validate(
            {"resamples": 99, "costs_bps": [1.0], "capacity": {"portfolio_value": 1.0}} | changes
        ),
        "params:walk_forward": {
            "first_oos": "2019-01-01",
            "horizon": 2,
            "execution_lag": 1,
            "refit_every": 20,
            "rebalance_every": 10,
        },
    }


def run_placebo(
    monkeypatch: pytest.MonkeyPatch,
    tests: Callable[..., Any] = compare,
    folder: Path | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Run the placebo's own pipeline as Kedro does; gives everything it makes."""
    pipelines = registry(tests)
    monkeypatch.setattr(nodes, "pipelines", pipelines)
    read = given(PieceCache(None if folder is None else str(folder)), **changes)
    catalog = DataCatalog({name: MemoryDataset(value) for name, value in read.items()})
    kept = ("placebo_p_values", "placebo_source", "placebo_rates", "placebo_verdicts")
    pipeline = create_pipeline(pipelines["__default__"])
    for name in kept:
        catalog[name] = Kept()
    made = SequentialRunner().run(pipeline, catalog)
    return {
        **{name: catalog.load(name) for name in kept},
        **{name: dataset.load() for name, dataset in made.items()},
    }


class Kept(MemoryDataset):
    """Data that stay after the last node has read them."""

    def _release(self) -> None:
        """Keep them."""
