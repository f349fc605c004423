"""Wiring of the attention guide."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline, node

from regime_nas_pipeline.pipelines.attention_guide.nodes import validate_asset, walk_and_trade
from regime_nas_pipeline.pipelines.attention_guide.reporting import (
    ATTENTION_FIGURES,
    RESULT_FIGURES,
    draw_attention,
    draw_results,
    summarise,
    write_guide_report,
)

_GUIDE = {"guide": "params:attention_guide"}
_BLOCKS = {name: f"params:{name}" for name in ("universe", "walk_forward", "portfolio", "compute")}


def _params(*names: str) -> dict[str, str]:
    return {name: _BLOCKS[name] for name in names} | _GUIDE


def create_pipeline() -> Pipeline:
    """Raw prices in; forecasts, strategies, attention and the page out."""
    return Pipeline([*_results(), *_page()], tags="attention_guide")


def _results() -> list[Node]:
    return [
        node(
            validate_asset,
            inputs={"raw": "raw_prices", **_params("universe", "walk_forward")},
            outputs=["prices", "sealed_prices", "data_quality", "data_manifest"],
            name="attention_guide.validate",
        ),
        node(
            walk_and_trade,
            inputs={
                "prices": "prices",
                "cache": "finished_pieces",
                **_params("universe", "walk_forward", "portfolio", "compute"),
            },
            outputs=[
                "guide_forecasts",
                "guide_returns",
                "guide_folds",
                "guide_ranges",
                "guide_thresholds",
                "guide_break_even",
                "guide_strategies",
                "guide_findings",
                "guide_attention",
                "guide_attention_weights",
            ],
            name="attention_guide.walk",
        ),
    ]


def _page() -> list[Node]:
    tables = {
        "findings": "guide_findings",
        "strategies": "guide_strategies",
        "folds": "guide_folds",
        "ranges": "guide_ranges",
        "break_even": "guide_break_even",
        "attention": "guide_attention",
    }
    return [
        node(
            summarise,
            inputs={
                **tables,
                "manifest": "data_manifest",
                "run_facts": "run_facts",
                **_params("walk_forward", "portfolio", "compute"),
            },
            outputs="guide_summary",
            name="attention_guide.summarise",
        ),
        node(
            draw_results,
            inputs={
                "net": "guide_returns",
                "folds": "guide_folds",
                "curve": "guide_thresholds",
                **_GUIDE,
            },
            outputs=[f"{name}_figure" for name in RESULT_FIGURES],
            name="attention_guide.draw_results",
        ),
        node(
            draw_attention,
            inputs={"attention": "guide_attention", "weights": "guide_attention_weights"},
            outputs=[f"{name}_figure" for name in ATTENTION_FIGURES],
            name="attention_guide.draw_attention",
        ),
        node(
            write_guide_report,
            inputs={
                "summary": "guide_summary",
                **tables,
                "curve": "guide_thresholds",
                "data_quality": "data_quality",
                "data_manifest": "data_manifest",
                "evaluation": "params:evaluation",
                **{name: f"{name}_figure" for name in (*RESULT_FIGURES, *ATTENTION_FIGURES)},
            },
            outputs="guide_report",
            name="attention_guide.write_report",
        ),
    ]
