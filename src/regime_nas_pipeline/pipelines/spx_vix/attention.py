"""Nodes on the classifier's attention: where it looks, and what its forecasts hang on."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.pipelines.common import records_of
from regime_nas_pipeline.pipelines.spx_vix.building import (
    classifier_of,
    index_market,
    targets_of,
)
from regime_nas_pipeline.pipelines.spx_vix.nodes import classifier_tables
from regime_nas_pipeline.pipelines.spx_vix.parameters import SpxVix
from regime_nas_pipeline.regimes.classifier_walk import ClassifierWalk
from regime_nas_pipeline.report.figures_attention import (
    attention_beside_importance,
    attention_heat_maps,
    cls_attention,
    feature_importance,
)
from regime_nas_pipeline.walkforward.attention_walks import Shuffles
from regime_nas_pipeline.walkforward.classifier_attention import (
    classifier_attention_words,
    inspect_classifier,
)
from regime_nas_pipeline.walkforward.label_sets import unstacked
from regime_nas_pipeline.walkforward.parameters import Compute, Universe

ATTENTION_FIGURES = (
    "classifier_attention_maps",
    "classifier_cls_attention",
    "classifier_attention_and_importance",
    "classifier_feature_importance",
)


class Inspected(NamedTuple):
    """Datasets of the classifier's attention.

    Attributes:
        facts: ``sample``, ``agreement``, ``heads``, ``fits`` and ``sentences``.
        maps: ``weights`` (layers, heads, S, S) of the network shown, averaged over windows.
        cls: The CLS token's row of the same, per layer, head and lag, with intervals.
        features: Importance of features over all fits.
        bars: Importance and attention of stretches of bars over all fits.
    """

    facts: dict[str, Any]
    maps: Bundle
    cls: pd.DataFrame
    features: pd.DataFrame
    bars: pd.DataFrame


def inspect_classifier_attention(
    *,
    forecasts: pd.DataFrame,
    fits: pd.DataFrame,
    checkpoints: Bundle,
    online: pd.DataFrame,
    prices: pd.DataFrame,
    cache: PieceCache,
    universe: Universe,
    spx_vix: SpxVix,
    compute: Compute,
) -> Inspected:
    """Read the attention of the networks that forecast labels, on windows after each fit."""
    settings = spx_vix.classifier
    target, lead = targets_of(settings)["label"]
    found = inspect_classifier(
        classifier_of(settings, compute, target=target, lead=lead),
        ClassifierWalk(
            classifier_tables(forecasts)["label"], fits[fits["target"] == "label"], checkpoints
        ),
        index_market(prices, universe),
        unstacked(online)[settings.learns],
        shuffles=Shuffles(settings.inspection.block, settings.inspection.n_repeats, compute.seed),
        level=1.0 - spx_vix.level,
        cache=cache,
        n_jobs=compute.n_jobs,
        name="classifier, attention",
    )
    spans = found.fits.assign(
        **{name: found.fits[name].map(date_text) for name in ("fitted", "first", "last")}
    )
    (shown,) = records_of(spans[spans["shown"]].drop(columns="shown"))
    pooled, heads = found.walk.pooled, records_of(found.heads())
    facts = {
        "sample": {
            "n_fits": len(spans),
            "n_windows": pooled.n_windows,
            "log_loss": pooled.loss,
            "shown": shown,
            **settings.inspection.model_dump(),
        },
        "agreement": {key: heads[0][key] for key in ("correlation", "low", "high")},
        "heads": heads,
        "fits": records_of(spans),
        "sentences": classifier_attention_words(found),
    }
    return Inspected(
        facts,
        Bundle({"weights": found.walk.last.weights}, shown),
        found.walk.last.cls,
        pooled.features,
        pooled.blocks,
    )


def draw_attention(
    facts: dict[str, Any],
    maps: Bundle,
    cls: pd.DataFrame,
    features: pd.DataFrame,
    bars: pd.DataFrame,
) -> tuple[go.Figure, ...]:
    """Figures of ATTENTION_FIGURES, in order."""
    return (
        attention_heat_maps(maps.arrays["weights"]),
        cls_attention(cls),
        attention_beside_importance(bars),
        feature_importance(features, facts["sample"]["log_loss"]),
    )
