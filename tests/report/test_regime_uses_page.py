from __future__ import annotations

import re

import plotly.graph_objects as go
from regime_uses_fixtures import strategies, table

from regime_nas_pipeline.report.regime_uses_page import render_regime_uses


def words(page: str) -> str:
    without = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", without).split())


def page(**changes: object) -> str:
    given = {**table(), **changes}
    return render_regime_uses(given, strategies(), go.Figure(), limits=["Few stocks. And more."])


def test_the_page_says_what_was_found_and_how_it_was_tested() -> None:
    said = words(page())
    assert "nothing &lt;helps&gt;." in said
    assert "Said of overlays." in said
    assert "stays below 0.05 after Holm&#39;s correction for all 24 tests" in said
    assert "the backtest credits cash with nothing" in said
    assert "risk-free rate of 1.00" in said
    assert "counts as 252 bars beside them" in said
    assert "cross-entropy of weight 0.3" in said
    assert "Student&#39;s over 5 seeds" in said
    assert "Few stocks." in said
    assert "Not part of this run" not in said


def test_names_stand_where_keys_stood() -> None:
    said = words(page())
    for name in ("Hidden Markov model", "probability", "Shuffled labels", "No labels"):
        assert name in said
    assert "by_label" not in said
    assert "in_the_loss" not in said
    assert "volatility_target" not in said


def test_only_what_was_named_better_is_called_better() -> None:
    made = page()
    chapter = made.partition('id="covariance"')[2].partition("</section>")[0]
    verdicts = re.findall(r">\s*(better|open)\s*<", chapter)
    assert sorted(verdicts) == ["better", *["open"] * 5]
