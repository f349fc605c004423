"""What is said of each report at the end of the run that wrote it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from regime_nas_pipeline.pipelines.attention_guide import reporting as guide_reporting
from regime_nas_pipeline.pipelines.audit import facts as audit_facts
from regime_nas_pipeline.pipelines.forecast_now import facts as now_facts
from regime_nas_pipeline.pipelines.open_holdout import facts as holdout_facts
from regime_nas_pipeline.pipelines.spx_vix import reporting as spx_vix_reporting
from regime_nas_pipeline.report import placebo_words, planted_words
from regime_nas_pipeline.verdict import claims, regime_uses

CLOSING_LINES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "report": ("summary", claims.closing_line),
    "planted_report": ("planted_summary", planted_words.closing_line),
    "audit": ("audit", audit_facts.closing_line),
    "placebo_report": ("placebo_verdicts", placebo_words.placebo_closing_line),
    "power_report": ("smallest_edges", placebo_words.power_closing_line),
    "holdout_report": ("holdout_summary", holdout_facts.closing_line),
    "guide_report": ("guide_summary", guide_reporting.closing_line),
    "spx_vix_report": ("spx_vix_summary", spx_vix_reporting.closing_line),
    "regime_uses_report": ("regime_uses_table", regime_uses.closing_line),
    "forecast_now": ("forecast_now", now_facts.closing_line),
}
"""Report to the summary that it is about, and what is said of it at the end of a run."""
