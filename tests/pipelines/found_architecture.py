"""What a search would have found, written down by hand, so that no test has to search first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from project_runs import Case, make_case

from regime_nas_pipeline.networks.regime_net import cell_edges, describe_blocks

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
    own = {"compute": {"n_jobs": 1}, "training": {"n_seeds": 1, "max_samples": 300}, **parameters}
    case = make_case(folder, parameters=own)
    case.run(pipelines=["ingestion", "regime_labelling"])
    catalog = case.catalog()
    catalog.save("architecture", architecture(**found))
    catalog.save("gru.tuned", tuned_gru())
    return case
