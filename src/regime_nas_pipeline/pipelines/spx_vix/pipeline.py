"""Wiring of the experiment on one index and its volatility index."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline, node

from regime_nas_pipeline.pipelines.spx_vix.attention import (
    ATTENTION_FIGURES,
    draw_attention,
    inspect_classifier_attention,
)
from regime_nas_pipeline.pipelines.spx_vix.nodes import (
    judge_classifier,
    judge_labellers,
    label,
    trade_exposures,
    validate_index,
    walk_classifier,
)
from regime_nas_pipeline.pipelines.spx_vix.reporting import (
    CLASSIFIER_FIGURES,
    EXPOSURE_FIGURES,
    LABEL_FIGURES,
    draw_classifier,
    draw_exposures,
    draw_labels,
    summarise,
    write_spx_vix_report,
)

_BLOCKS = ("universe", "walk_forward", "spx_vix", "portfolio", "compute", "evaluation")


def _params(*names: str) -> dict[str, str]:
    return {name: f"params:{name}" for name in _BLOCKS if name in names}


def create_pipeline() -> Pipeline:
    """Raw prices in; labels, classifier, strategies and the page out."""
    return Pipeline([*_labels(), *_classifier(), *_exposures(), *_page()], tags="spx_vix")


def _labels() -> list[Node]:
    market = {"prices": "prices", **_params("universe")}
    return [
        node(
            validate_index,
            inputs={"raw": "raw_prices", **_params("universe", "walk_forward", "spx_vix")},
            outputs=["prices", "sealed_prices", "data_quality", "data_manifest"],
            name="spx_vix.validate",
        ),
        node(
            label,
            inputs={**market, **_params("spx_vix", "compute")},
            outputs=["online_labels", "hindsight_labels", "label_refits", "label_facts"],
            name="spx_vix.label",
        ),
        node(
            judge_labellers,
            inputs={
                "online": "online_labels",
                "hindsight": "hindsight_labels",
                "refits": "label_refits",
                **market,
                **_params("walk_forward", "spx_vix"),
            },
            outputs=["label_quality", "label_switch_delays"],
            name="spx_vix.judge_labels",
        ),
    ]


def _classifier() -> list[Node]:
    return [
        node(
            walk_classifier,
            inputs={
                "online": "online_labels",
                "prices": "prices",
                "cache": "finished_pieces",
                **_params("universe", "walk_forward", "spx_vix", "compute"),
            },
            outputs=["classifier_forecasts", "classifier_fits", "regime_classifier_checkpoints"],
            name="spx_vix.walk_classifier",
        ),
        node(
            judge_classifier,
            inputs={
                "forecasts": "classifier_forecasts",
                "online": "online_labels",
                **_params("spx_vix"),
            },
            outputs=["classification", "classification_gain", "switch_curves"],
            name="spx_vix.judge_classifier",
        ),
        node(
            inspect_classifier_attention,
            inputs={
                "forecasts": "classifier_forecasts",
                "fits": "classifier_fits",
                "checkpoints": "regime_classifier_checkpoints",
                "online": "online_labels",
                "prices": "prices",
                "cache": "finished_pieces",
                **_params("universe", "spx_vix", "compute"),
            },
            outputs=[
                "classifier_attention",
                "classifier_attention_maps",
                "classifier_cls_attention",
                "classifier_feature_importance",
                "classifier_bar_importance",
            ],
            name="spx_vix.inspect_classifier",
        ),
    ]


def _exposures() -> list[Node]:
    return [
        node(
            trade_exposures,
            inputs={
                "online": "online_labels",
                "hindsight": "hindsight_labels",
                "forecasts": "classifier_forecasts",
                "prices": "prices",
                **_params("universe", "walk_forward", "portfolio", "spx_vix", "compute"),
            },
            outputs=[
                "exposure_returns",
                "exposures_held",
                "exposure_strategies",
                "exposure_cheats",
                "exposure_published",
            ],
            name="spx_vix.trade",
        )
    ]


def _page() -> list[Node]:
    judged = {
        "quality": "label_quality",
        "classification": "classification",
        "attention": "classifier_attention",
    }
    traded = {"figures": "exposure_strategies", "published": "exposure_published"}
    figures = (*LABEL_FIGURES, *CLASSIFIER_FIGURES, *ATTENTION_FIGURES, *EXPOSURE_FIGURES)
    return [
        node(
            summarise,
            inputs={
                **judged,
                **traded,
                "facts": "label_facts",
                "manifest": "data_manifest",
                "run_facts": "run_facts",
                **_params("portfolio", "spx_vix", "compute"),
            },
            outputs="spx_vix_summary",
            name="spx_vix.summarise",
        ),
        node(
            draw_labels,
            inputs={
                "online": "online_labels",
                "quality": "label_quality",
                "delays": "label_switch_delays",
                "prices": "prices",
                **_params("universe", "walk_forward", "spx_vix"),
            },
            outputs=[f"{name}_figure" for name in LABEL_FIGURES],
            name="spx_vix.draw_labels",
        ),
        node(
            draw_classifier,
            inputs={
                "forecasts": "classifier_forecasts",
                "online": "online_labels",
                "classification": "classification",
                "gain": "classification_gain",
                "curves": "switch_curves",
                **_params("spx_vix"),
            },
            outputs=[f"{name}_figure" for name in CLASSIFIER_FIGURES],
            name="spx_vix.draw_classifier",
        ),
        node(
            draw_attention,
            inputs={
                "facts": "classifier_attention",
                "maps": "classifier_attention_maps",
                "cls": "classifier_cls_attention",
                "features": "classifier_feature_importance",
                "bars": "classifier_bar_importance",
            },
            outputs=[f"{name}_figure" for name in ATTENTION_FIGURES],
            name="spx_vix.draw_attention",
        ),
        node(
            draw_exposures,
            inputs={
                "net": "exposure_returns",
                "exposure": "exposures_held",
                "ladder": "exposure_cheats",
                **_params("spx_vix"),
            },
            outputs=[f"{name}_figure" for name in EXPOSURE_FIGURES],
            name="spx_vix.draw_exposures",
        ),
        node(
            write_spx_vix_report,
            inputs={
                "summary": "spx_vix_summary",
                **judged,
                **traded,
                "ladder": "exposure_cheats",
                "data_quality": "data_quality",
                "data_manifest": "data_manifest",
                **_params("evaluation"),
                **{name: f"{name}_figure" for name in figures},
            },
            outputs="spx_vix_report",
            name="spx_vix.write_report",
        ),
    ]
