"""What a search would have found, written down by hand, so that no test has to search first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from project_runs import Case, make_case

from regime_nas_pipeline.networks.regime_net import cell_edges, describe_blocks
from regime_nas_pipeline.pipelines.common import bars_per_year_of, folds_of, market_of
from regime_nas_pipeline.pipelines.walk_forward_evaluation.nodes import (
    record_evaluations,
    trade_strategies,
)
from regime_nas_pipeline.walkforward.comparable_evaluations import comparable_evaluations
from regime_nas_pipeline.walkforward.evaluation_ledger import hash_of_evaluated_closes

OPERATIONS = {
    "evidence": "squared",
    "volatility": "volatility_scaling",
    "trend": "average_difference",
    "range": "mean_deviation",
}


def architecture(**parameters: Any) -> dict[str, Any]:
    blocks = describe_blocks({edge: OPERATIONS[edge[0]] for edge in cell_edges(1)}, 1)
    found = {"blocks": blocks, "width": 4, "lookback": 21, "attention_heads": 1}
    objective = {"volatility_weight": 0.1, "smoothness_weight": 0.01, "label_weight": 0.1}
    search = {"strategy": "bayesian", "trials": 3, "score": 1.0, "gradient_samples": 4800}
    return {"parameters": {**found, "objective": objective, **parameters}, "search": search}


def tuned_gru() -> dict[str, Any]:
    return {
        "parameters": {"width": 4, "lookback": 21},
        "search": {"strategy": "bayesian", "trials": 3, "score": 1.0, "gradient_samples": 2400},
    }


def case_with_findings(folder: Path, parameters: dict[str, Any], **found: Any) -> Case:
    """The tiny environment with prices, labels and findings, before any experiment."""
    own = {"training": {"n_seeds": 1, "max_samples": 300}, **parameters}
    case = make_case(folder, parameters=own)
    case.run(pipelines=["ingestion", "regime_labelling"])
    catalog = case.catalog()
    catalog.save("architecture", architecture(**found))
    catalog.save("gru.tuned", tuned_gru())
    return case


def assert_recorded(case: Case, results: pd.DataFrame, *, origin: str, label: str) -> None:
    """Each forecaster, variant and seed of an experiment is in the ledger with its returns.

    Args:
        case: Where the experiment ran.
        results: forecaster, variant, seed, metric, value.
        origin: The experiment's pipeline.
        label: Variant in which nothing is changed.
    """
    rows = case.load("evaluations")
    manifests = (case.output / "08_reporting" / "run_manifests").glob("*.json")
    run = json.loads(max(manifests).read_text())
    told = rows[["origin", "env", "run_id"]].drop_duplicates()
    assert told.to_numpy().tolist() == [[origin, "case", run["run_id"]]]
    tried = rows[rows["variant"].notna()].set_index(["strategy", "variant", "seed"])
    assert label in tried.index.get_level_values("variant")
    blocks = {name: case.load(f"params:{name}") for name in ("universe", "walk_forward")}
    prices, portfolio = case.load("prices"), case.load("params:portfolio")
    bars = bars_per_year_of(prices, blocks["universe"])
    sharpes = results[results["metric"] == "sharpe"].set_index(["forecaster", "variant", "seed"])
    assert len(tried) == len(sharpes)
    for (name, variant, seed), returns in tried["returns"].items():
        excess = np.asarray(returns) - ((1.0 + portfolio.risk_free) ** (1.0 / bars) - 1.0)
        sharpe = excess.mean() / excess.std(ddof=1) * np.sqrt(bars)
        assert sharpe == pytest.approx(sharpes.loc[(name, variant, seed - 1), "value"])

    # A whole run on these prices counts them beside its own.
    blocks["portfolio"] = portfolio
    _, strategy_returns, *_ = trade_strategies(prices, **blocks)
    seed_returns, _, own = record_evaluations(
        prices, strategy_returns, run, compute=case.load("params:compute"), **blocks
    )
    market = market_of(prices, blocks["universe"])
    found = comparable_evaluations(
        pd.concat([rows, own], ignore_index=True),
        strategy_returns,
        seed_returns,
        closes_hash=hash_of_evaluated_closes(market, folds_of(market, blocks["walk_forward"])),
    )
    counts = {name: each["n_in_ledger"] for name, each in found.counts["origins"].items()}
    assert counts == {"this_run": 3, origin: len(tried)}
    distinct = {tuple(returns) for returns in tried["returns"]}
    assert found.counts["origins"][origin]["n_trials_counted"] == len(distinct) > len(tried) / 2
