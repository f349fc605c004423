from __future__ import annotations

import re

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.report.claims_page import render_claims

MEASURES = ("mae_returns", "r2_returns", "r2_zero_returns", "mae_levels", "r2_levels")


def test_published_ours_and_no_change_stand_side_by_side() -> None:
    claim = {
        "claim": "R² of RegimeNAS, price levels, pooled",
        "paper": 0.993,
        "paper_says": "R² above 0.993",
        "ours": 0.9951,
        "low": 0.9941,
        "high": 0.9961,
        "seeds": [0.9941, 0.9951, 0.9961],
        "no_change": 0.9981,
        "note": "Against the mean.",
    }
    unknown = {**claim, "claim": "Hours", "ours": None, "low": None, "high": None, "seeds": []}
    table = {
        "env": "crypto",
        "source": "arXiv 2508.11338",
        "horizon": 1,
        "seeds": 3,
        "fits": 13,
        "max_samples": 10_000,
        "first_decision": "2015-01-01",
        "last_decision": "2021-07-05",
        "headline": "In the environment 'crypto' nothing is better than <nothing>.",
        "claims": [claim, unknown],
    }
    scores = pd.DataFrame(
        [
            {"scope": scope, "group": group, "forecaster": name, "seed": seed, "n": 7}
            | dict.fromkeys(MEASURES, 0.1 * (seed + 2))
            for scope, group in (("asset", "Bitcoin"), ("regime", "volatile"))
            for name, seed in (("gru", 0), ("gru", 1), ("gru", 2), ("no_change", -1))
        ]
    )
    page = render_claims(
        table, scores, {"claims": go.Figure()}, baseline="gru", limits=["Coins that failed."]
    )
    said = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)
    for text in ("0.993", "0.9951", "0.9981", "Bitcoin", "volatile", "Coins that failed."):
        assert text in said
    assert "&lt;nothing&gt;" in said
    # The median of the three seeds, not their mean or the first.
    assert "0.30000" in said
    assert "Not part of this run" not in said
