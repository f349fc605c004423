"""A comparison of the uses of labels as the page takes it, without any trading."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

LABELLERS = ("kmeans", "markov")
STRATEGIES = ("regime_nas", "momentum", "mvo_flat")
KEYS = ["use", "labels", "way", "strategy"]


def comparison() -> pd.DataFrame:
    keys = [
        *(("overlay", n, w, s) for n in LABELLERS for w in WAYS for s in STRATEGIES),
        *(("overlay", "none", "volatility_target", s) for s in STRATEGIES),
        *(("covariance", n, "by_label", s) for n in LABELLERS for s in STRATEGIES),
        *(("supervision", n, "in_the_loss", "regime_nas") for n in (*LABELLERS, "shuffled")),
    ]
    table = pd.DataFrame(keys, columns=KEYS)
    difference = np.random.default_rng(3).normal(0.0, 0.1, len(table))
    table = table.assign(
        test=np.where(table["use"] == "supervision", "paired_t", "ledoit_wolf"),
        plain=0.8,
        changed=0.8 + difference,
        difference=difference,
        low=difference - 0.2,
        high=difference + 0.3,
        p_value=0.3,
        p_holm=1.0,
        n=np.where(table["use"] == "supervision", 5, 2000),
        effect="none",
    )
    first = (table["use"] == "covariance").idxmax()
    table.loc[first, ["effect", "p_value", "p_holm"]] = ["better", 1e-4, 0.004]
    return table


WAYS = ("by_label", "by_probability")


def table() -> dict[str, Any]:
    rows = comparison()
    measured = [
        {
            "against": against,
            "metric": metric,
            "variant": variant,
            "mean": 1.0,
            "full": 0.9,
            **dict.fromkeys(("difference", "low", "high", "p_value", "p_holm"), 0.1),
            "n_seeds": 5,
            "effect": "none",
        }
        for metric in ("theil_u", "sharpe")
        for against, variants in (("none", (*LABELLERS, "shuffled")), ("shuffled", LABELLERS))
        for variant in variants
    ]
    summary = rows.groupby(KEYS[:3], sort=False).agg(
        n=("difference", "size"), mean=("difference", "mean")
    )
    more = {"lowest": -0.2, "highest": 0.2, "least_p": 0.5, "better": 0, "worse": 0}
    return {
        "env": "tiny",
        "first_decision": "2015-01-02",
        "last_decision": "2022-12-01",
        "level": 0.95,
        "seeds": 5,
        "label_weight": 0.3,
        "prior_bars": 252,
        "risk_free": 0.01,
        "overlay": {
            "calm": ["calm", "trend", "range"],
            "in_calm": 1.0,
            "otherwise": 0.5,
            "volatility_target": {"target": 0.15, "cap": 1.0, "window": 21},
        },
        "labellers": {
            name: {"class": f"a.b.{name.title()}", "regimes": ["calm", "stressed"], "fits": 42}
            for name in LABELLERS
        },
        "headline": "In the environment 'tiny', nothing <helps>.",
        "sentences": {"overlay": ["Said of overlays."], "covariance": [], "supervision": []},
        "summary": summary.reset_index().assign(**more).to_dict("records"),
        "comparison": rows.to_dict("records"),
        "supervision": measured,
        "covariances": [
            {"labels": name, "effective_bars": 1234.5, "share": 0.83} for name in LABELLERS
        ],
    }


def strategies() -> pd.DataFrame:
    rows = comparison()
    kept = rows[rows["use"] != "supervision"][KEYS]
    plain = pd.DataFrame({"use": "plain", "labels": "", "way": "", "strategy": STRATEGIES})
    return pd.concat([plain, kept], ignore_index=True).assign(
        cagr=0.1,
        volatility=0.18,
        sharpe=0.6,
        max_drawdown=-0.3,
        held=0.9,
        traded=4.0,
        cost=0.002,
        n_fallbacks=pd.array([pd.NA] * (len(kept) + len(plain)), dtype="Int64"),
    )
