"""What was found about labels, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.names import display_name, name_in_sentence
from regime_nas_pipeline.verdict.labels.outcomes import RETURN, VOLATILITY

_NOT_THE_TRUTH = (
    "Hindsight is each labeller's own answer once it has seen every bar, not the truth: one that "
    "says the same wrong thing early and late has no delay."
)


def quality_words(tables: Mapping[str, pd.DataFrame], sample: Mapping[str, Any]) -> list[str]:
    """Say what the tables on the quality of labels mean.

    Args:
        tables: Those of :class:`~regime_nas_pipeline.verdict.labels.quality.LabelQuality`.
        sample: ``first``, ``last``, ``n_bars``, ``years``, ``horizon``, ``level`` and
            ``calm_first``, labeller to its regimes by the volatility seen.

    Returns:
        Sentences in reading order, each on its own.
    """
    lines = [
        f"Every labeller is judged on the same {sample['n_bars']:,} bars, {sample['first']} to "
        f"{sample['last']} ({sample['years']:.1f} years), by what it said on the day."
    ]
    lines += _steadiness(tables["switching"], tables["regime_persistence"])
    lines += _order(tables["regime_persistence"], sample["calm_first"])
    lines += _agreement(tables["agreement"])
    lines += _delays(tables["delay_summary"])
    lines += _refits(tables["refit_stability"], tables["switching"])
    return lines + _separation(tables["outcome_by_regime"], tables["outcome_contrasts"], sample)


def _steadiness(switching: pd.DataFrame, persistence: pd.DataFrame) -> list[str]:
    lines = []
    for row in switching.to_dict(orient="records"):
        own = persistence[persistence["labeller"] == row["labeller"]]
        shares = [
            f"{regime} on {_percent(share, 0)}"
            for regime, share in zip(own["regime"], own["share"], strict=True)
        ]
        lines.append(
            f"{_start(row['labeller'])} switches {row['switches_per_year']:.1f} times a year and "
            f"stays in a regime for {row['mean_spell']:.0f} bars on average; it says "
            f"{_listed(shares)} of the bars."
        )
    return lines


def _order(persistence: pd.DataFrame, calm_first: Mapping[str, list[str]]) -> list[str]:
    lines = []
    for labeller, seen in calm_first.items():
        declared = persistence.loc[persistence["labeller"] == labeller, "regime"].tolist()
        if seen != declared:
            lines.append(
                f"By the index's moves on the bars so labelled, the regimes of "
                f"{name_in_sentence(labeller)} are, calmest first, {_listed(seen)}; they are "
                "matched with those of the others in that order."
            )
    return lines


def _agreement(pairs: pd.DataFrame) -> list[str]:
    if pairs.empty:
        return []
    ordered = pairs.sort_values("adjusted_rand", kind="stable")
    if len(pairs) == 1:
        row = ordered.iloc[0]
        return [f"{_start(row['labeller'])} and {name_in_sentence(row['other'])}: {_alike(row)}."]
    return [f"Most alike are {_pair(ordered.iloc[-1])}; least alike are {_pair(ordered.iloc[0])}."]


def _pair(row: pd.Series) -> str:
    both = f"{name_in_sentence(row['labeller'])} and {name_in_sentence(row['other'])}"
    return f"{both} ({_alike(row)})"


def _alike(row: pd.Series) -> str:
    rand = f"adjusted Rand index {row['adjusted_rand']:.2f}"
    if pd.isna(row["same"]):
        return f"different numbers of regimes, {rand}"
    kappa = "" if pd.isna(row["kappa"]) else f"kappa {row['kappa']:.2f}, "
    return f"the same regime on {_percent(row['same'], 0)} of the bars, {kappa}{rand}"


def _delays(summary: pd.DataFrame) -> list[str]:
    lines = []
    for labeller, rows in summary.groupby("labeller", sort=False):
        kinds = rows.to_dict(orient="records")
        counted = [kind for kind in kinds if kind["n_switches"]]
        start = _start(str(labeller))
        alarms = f"{kinds[0]['false_alarms_per_year']:.1f} false alarms a year"
        if not counted:
            lines.append(f"{start} sees no switch with hindsight; on the day it raised {alarms}.")
            continue
        found = _listed([_found(kind) for kind in counted])
        lines.append(
            f"Of the switches that {name_in_sentence(str(labeller))} sees with hindsight, its "
            f"labels of the day found {found}; they raised {alarms}."
        )
    return [*lines, _NOT_THE_TRUTH] if lines else []


def _found(kind: Mapping[Any, Any]) -> str:
    which = "" if kind["min_spell"] == 1 else f" that lasted {kind['min_spell']} bars or more"
    line = f"{kind['n_found']:,} of {kind['n_switches']:,}{which}"
    if not kind["n_found"]:
        return line
    half = f"within {kind['median_delay']:g} bars" if kind["median_delay"] else "at once"
    return f"{line} (half of these {half}, {kind['mean_delay']:.1f} bars late on average)"


def _refits(stability: pd.DataFrame, switching: pd.DataFrame) -> list[str]:
    switches = switching.set_index("labeller")["n_switches"]
    lines = []
    for row in stability.to_dict(orient="records"):
        if not row["n_refits"]:
            lines.append(f"{_start(row['labeller'])} was not fitted again on the bars judged.")
            continue
        line = (
            f"{_count(row['n_changed'])} of the {row['n_refits']} refits of "
            f"{name_in_sentence(row['labeller'])} changed the label of their own bar, and "
            f"{_count(row['n_switches_at_refit']).lower()} of its "
            f"{switches[row['labeller']]:,} switches came from that"
        )
        if pd.notna(row["max_relabelled"]):
            worst = date_text(row["worst_refit"], stability["worst_refit"])
            line += (
                f"; a refit would have relabelled {_percent(row['mean_relabelled'])} of the bars "
                f"before it on average, and {_percent(row['max_relabelled'])} at most, on {worst}"
            )
        lines.append(f"{line}.")
    return lines


def _count(number: int) -> str:
    return f"{number:,}" if number else "None"


def _separation(
    means: pd.DataFrame, contrasts: pd.DataFrame, sample: Mapping[str, Any]
) -> list[str]:
    level, horizon = float(sample["level"]), int(sample["horizon"])
    lines, told = [], 0
    for name, rows in means[means["outcome"] == VOLATILITY].groupby("labeller", sort=False):
        labeller = str(name)
        calm, stressed = rows.iloc[0], rows.iloc[-1]
        pair = contrasts[
            (contrasts["labeller"] == labeller)
            & (contrasts["outcome"] == VOLATILITY)
            & (contrasts["against"] == calm["regime"])
            & (contrasts["regime"] == stressed["regime"])
        ]
        if pair.empty:
            lines.append(f"{_start(labeller)} has one regime, so it separates nothing.")
            continue
        told += int(pair["p_holm"].iloc[0] < level)
        lines.append(_of_volatility(pair.iloc[0], calm, stressed, horizon, level))
    returns = contrasts[(contrasts["outcome"] == RETURN) & contrasts["p_value"].notna()]
    lines += _of_return(returns, horizon, level, told)
    n_tests = int(contrasts["p_value"].notna().sum())
    if n_tests:
        lines.append(
            "These intervals allow for overlapping outcomes and for how long volatility lasts, and "
            "assume that the market behaves alike throughout the sample; each p-value is raised by "
            f"Holm's correction because {n_tests} are read side by side, and below "
            f"{100.0 * level:g} % we call a gap more than luck."
        )
    return lines


def _of_volatility(
    pair: pd.Series, calm: pd.Series, stressed: pd.Series, horizon: int, level: float
) -> str:
    name = name_in_sentence(pair["labeller"])
    if pd.isna(pair["difference"]):
        never = stressed if pd.isna(stressed["mean"]) else calm
        return f"{_start(pair['labeller'])} never says {never['regime']}, so it separates nothing."
    figures = (
        f"{_percent(stressed['mean'])} a year against {_percent(calm['mean'])} after "
        f"{calm['regime']}"
    )
    start = f"In the {horizon} bars after {name} says {stressed['regime']} volatility was {figures}"
    if pd.isna(pair["p_holm"]):
        return f"{start}; how sure that is cannot be said: {pair['note']}."
    found = "more than luck" if pair["p_holm"] < level else "not to be told from luck"
    return (
        f"{start}, {pair['ratio']:.2f} times as high ({100.0 * (1.0 - level):g} % interval "
        f"{pair['ratio_low']:.2f} to {pair['ratio_high']:.2f}): {found}."
    )


def _of_return(returns: pd.DataFrame, horizon: int, level: float, told: int) -> list[str]:
    """``returns`` are the contrasts that were tested; ``told`` labellers separate volatility."""
    if returns.empty:
        return []
    different = returns[returns["p_holm"] < level]
    if different.empty:
        widest = returns.iloc[int(returns["difference"].abs().to_numpy().argmax())]
        line = (
            f"Mean returns of the next {horizon} bars differ between regimes of no labeller by "
            f"more than luck would readily explain; the widest gap is {_gap(widest, level)}, and "
            f"there a true gap below {_percent(widest['smallest_found'])} would often go unnoticed."
        )
        direction = "What these labels tell is how much the index is going to move, not which way."
        return [line, direction] if told else [line]
    gaps = _listed([_gap(row, level) for _, row in different.iterrows()])
    return [
        f"Mean returns of the next {horizon} bars differ by more than luck would readily explain "
        f"between these regimes: {gaps}."
    ]


def _gap(row: pd.Series, level: float) -> str:
    return (
        f"{_percent(row['difference'])} ({name_in_sentence(row['labeller'])}, {row['regime']} "
        f"minus {row['against']}, {100.0 * (1.0 - level):g} % interval {_percent(row['low'])} to "
        f"{_percent(row['high'])})"
    )


def _start(labeller: str) -> str:
    name = display_name(labeller)
    return name[:1].upper() + name[1:]


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _percent(share: float, digits: int = 1) -> str:
    return f"{100.0 * share:.{digits}f} %"
