"""What came of the attention guide, in sentences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.names import display_name, name_in_sentence
from regime_nas_pipeline.networks.attention_inspection import AttentionInspection
from regime_nas_pipeline.portfolio.exposure.rules import BUY_AND_HOLD
from regime_nas_pipeline.verdict.comparison.words import p_words
from regime_nas_pipeline.walkforward.attention_guide import GuideResults
from regime_nas_pipeline.walkforward.guide_published import PUBLISHED, PUBLISHED_TRADED_BARS
from regime_nas_pipeline.walkforward.guide_scores import effect_table, skill_table

_EFFECTS = {
    "better": "better than buy and hold",
    "worse": "worse than buy and hold",
    "open": "not told from buy and hold",
}


def guide_words(
    results: GuideResults, *, threshold: float, level: float = 0.05
) -> dict[str, list[str]]:
    """Sentences by subject: skill, strategies, folds, costs and, where it was read, attention.

    Args:
        results: What came of the guide.
        threshold: Of the strategy.
        level: Below it a corrected p-value counts as more than luck.
    """
    said = {
        "skill": _skill(results.folds),
        "strategies": _earned(results, threshold, level),
        "folds": _spread(results.ranges),
        "costs": _costs(results),
    }
    if results.attention is not None:
        said["attention"] = _attention(results.attention.pooled)
    return said


def guide_headline(results: GuideResults, *, level: float = 0.05) -> str:
    """The answer in three sentences: money, skill, and how far apart folds lie.

    Args:
        results: What came of the guide.
        level: Below it a corrected p-value counts as more than luck.
    """
    return " ".join(
        [_money(results, level), _skill_in_short(results.folds), _range(results.ranges, level)]
    )


def _names(results: GuideResults) -> list[str]:
    return [str(name) for name in results.break_even["model"]]


def _ratio(value: float) -> str:
    return "none" if np.isnan(value) else f"{value:.2f}"


def _money(results: GuideResults, level: float) -> str:
    sharpe = results.figures.set_index("strategy")["sharpe"].to_dict()
    effects = effect_table(results.tests, level)
    told = {
        kind: [name_in_sentence(name) for name in effects.loc[effects["effect"] == kind, "model"]]
        for kind in ("better", "worse")
    }
    named = {name: sharpe[name] for name in _names(results) if not np.isnan(sharpe[name])}
    held = f"buy and hold (Sharpe ratio {_ratio(sharpe[BUY_AND_HOLD])})"
    if told["better"]:
        said = f"{' and '.join(told['better'])} beat {held} by more than chance explains"
    else:
        said = f"no forecaster beats {held} by more than chance explains"
    if named:
        best = max(named, key=lambda name: named[name])
        said += f"; the highest ratio is {_ratio(named[best])} ({name_in_sentence(best)})"
    if told["worse"]:
        said += f", and {' and '.join(told['worse'])} lost by more than chance explains"
    return f"Traded long or flat and net of costs, {said}."


def _skill_in_short(folds: pd.DataFrame) -> str:
    table = skill_table(folds)
    best = table.sort_values("n_better", kind="stable").iloc[-1]
    return (
        "Forecasts of the next bar were better than expecting no change in at most "
        f"{best['n_better']} of {best['n_folds']} folds ({name_in_sentence(str(best['model']))})."
    )


def _range(ranges: pd.DataFrame, level: float) -> str:
    known = ranges.dropna(subset=["range"])
    own = known[~known["model"].isin([PUBLISHED, BUY_AND_HOLD])]
    published = known[known["model"] == PUBLISHED].iloc[0]
    theirs = f"the published {_span(published)}"
    wider = own[own["p_value"] < level]
    if own.empty:
        return f"No model held anything in two folds, so nothing stands beside {theirs}."
    if len(wider):
        names = " and ".join(name_in_sentence(str(name)) for name in wider["model"])
        return (
            f"Sharpe ratios of single folds lie further apart than chance puts them for {names}; "
            f"beside them stands {theirs}."
        )
    also = "as is" if published["p_value"] >= level else "beside"
    return (
        "How far the Sharpe ratios of single folds lie apart is what chance alone gives "
        f"({p_words(own['p_value'].min())} or more), {also} {theirs}."
    )


def _span(row: pd.Series) -> str:
    return f"{row['lowest']:.2f} to {row['highest']:.2f} ({p_words(row['p_value'])})"


def _skill(folds: pd.DataFrame) -> list[str]:
    table = skill_table(folds)
    said = [
        f"{display_name(str(row['model']))}: better than expecting no change in {row['n_better']} "
        f"of {row['n_folds']} folds, sign right on {row['hit_rate']:.1%} of bars."
        for _, row in table.iterrows()
    ]
    return [*said, f"The asset rose on {table['up_share'].iloc[0]:.1%} of bars."]


def _earned(results: GuideResults, threshold: float, level: float) -> list[str]:
    by_strategy = results.figures.set_index("strategy")
    sharpe, exposure = by_strategy["sharpe"].to_dict(), by_strategy["mean_exposure"].to_dict()
    effects = effect_table(results.tests, level).set_index("model")["effect"].to_dict()
    parts = []
    for name in _names(results):
        ratio = "no Sharpe ratio" if np.isnan(sharpe[name]) else f"Sharpe ratio {sharpe[name]:.2f}"
        verdict = _EFFECTS[effects.get(name, "open")]
        parts.append(
            f"{display_name(name)}, held {exposure[name]:.0%} of the time: {ratio}, {verdict}."
        )
    return [
        *parts,
        f"Buy and hold: Sharpe ratio {sharpe[BUY_AND_HOLD]:.2f}. Others are held where the "
        f"forecast lies above {threshold:.2%}. Differences count where every test of Sharpe ratios "
        f"is below {level:.0%} after Holm's correction.",
    ]


def _spread(ranges: pd.DataFrame) -> list[str]:
    said = []
    for _, row in ranges.dropna(subset=["range"]).iterrows():
        name = str(row["model"])
        whose = "The published Transformer" if name == PUBLISHED else display_name(name)
        said.append(
            f"{whose}: {row['lowest']:.2f} to {row['highest']:.2f} over {row['n_folds']} folds of "
            f"{row['fold_bars']:.0f} bars. Chance gives a range of {row['chance_range']:.2f} "
            f"on average and one of at least {row['range']:.2f} in {row['p_value']:.0%} of cases."
        )
    return [
        *said,
        "Chance means that every fold had the same true ratio and independent returns; a range "
        "that it gives often says nothing about regimes. Of each published fold, "
        f"{PUBLISHED_TRADED_BARS} bars were traded.",
    ]


def _attention(pooled: AttentionInspection) -> list[str]:
    known = pooled.features.dropna(subset=["low"])
    if known.empty:
        return [pooled.caution]
    above = int((known["low"] > 0.0).sum())
    return [
        pooled.caution,
        "Shuffling a whole feature adds a loss whose interval lies above zero for "
        f"{above} of {len(known)} features.",
    ]


def _costs(results: GuideResults) -> list[str]:
    said = []
    for _, row in results.break_even.iterrows():
        name = display_name(str(row["model"]))
        if np.isfinite(row["break_even_bps"]):
            said.append(
                f"{name} ends where buy and hold ends at {row['break_even_bps']:.1f} basis points "
                f"a trade ({row['trades']} trades)."
            )
        elif row["log_wealth"] <= row["log_wealth_held"]:
            said.append(f"{name} ends below buy and hold even without costs.")
        else:
            said.append(f"{name} ends above buy and hold at any cost of a trade.")
    crossed = results.curve[results.curve["crosses"]]
    if crossed.empty:
        return [*said, "At no threshold that was tried does any of them change sides."]
    places = [
        f"{name_in_sentence(str(name))} at {', '.join(f'{at:.2%}' for at in own['threshold'])}"
        for name, own in crossed.groupby("model", sort=False)
    ]
    return [
        *said,
        f"Thresholds at which the lead over buy and hold changes sides: {'; '.join(places)}. "
        "Which threshold would have been best is known afterwards only.",
    ]
