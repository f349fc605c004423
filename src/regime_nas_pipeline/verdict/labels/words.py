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
    """Say what the tables on the quality of labels mean, one sentence per question.

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
    lines.append(_steadiness(tables["switching"]))
    lines += _order(tables["regime_persistence"], sample["calm_first"])
    lines += _agreement(tables["agreement"])
    lines += _delays(tables["delay_summary"])
    lines += _refits(tables["refit_stability"])
    return lines + _separation(tables["outcome_by_regime"], tables["outcome_contrasts"], sample)


def _steadiness(switching: pd.DataFrame) -> str:
    return (
        f"Switches a year: {_span(switching, 'switches_per_year', '{:.1f}')}; bars in a regime on "
        f"average: {_span(switching, 'mean_spell', '{:.0f}')}."
    )


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
    for least, rows in summary.groupby("min_spell"):
        seen = rows[rows["n_switches"] > 0]
        if seen.empty:
            continue
        shares = seen.assign(found=seen["n_found"] / seen["n_switches"])
        which = "" if least == 1 else f" to regimes that lasted {least} bars or more"
        line = (
            f"Of the switches{which} that a labeller sees with hindsight, its labels of the day "
            f"found {_span(shares, 'found', '{:.0%}')}"
        )
        found = seen[seen["n_found"] > 0]
        if len(found):
            line += f", half of these within {_span(found, 'median_delay', '{:g} bars')}"
        lines.append(f"{line}.")
    shortest = summary[summary["min_spell"] == summary["min_spell"].min()]
    still = shortest.loc[shortest["n_switches"] == 0, "labeller"].tolist()
    if still:
        lines.append(f"No switch with hindsight is seen by {_names(still)}.")
    if len(shortest):
        alarms = _span(shortest, "false_alarms_per_year", "{:.1f}")
        lines.append(f"False alarms a year: {alarms}. {_NOT_THE_TRUTH}")
    return lines


def _refits(stability: pd.DataFrame) -> list[str]:
    lines = []
    never = stability.loc[stability["n_refits"] == 0, "labeller"].tolist()
    if never:
        lines.append(f"Not fitted again on the bars judged: {_names(never)}.")
    refitted = stability[stability["n_refits"] > 0]
    if refitted.empty:
        return lines
    line = (
        f"{_count(int(refitted['n_changed'].sum()))} of {refitted['n_refits'].sum():,} refits "
        "changed the label of their own bar"
    )
    if refitted["n_changed"].any():
        line += f", {_count(int(refitted['n_switches_at_refit'].sum())).lower()} with a switch"
    measured = refitted[refitted["max_relabelled"].notna()]
    if len(measured):
        worst = measured.iloc[int(measured["max_relabelled"].to_numpy().argmax())]
        date = date_text(worst["worst_refit"], stability["worst_refit"])
        line += (
            f"; a refit would have relabelled {_span(measured, 'mean_relabelled', '{:.1%}')} of "
            f"the bars before it on average, and {_percent(worst['max_relabelled'])} at most "
            f"({name_in_sentence(str(worst['labeller']))}, on {date})"
        )
    return [*lines, f"{line}."]


def _count(number: int) -> str:
    return f"{number:,}" if number else "None"


def _separation(
    means: pd.DataFrame, contrasts: pd.DataFrame, sample: Mapping[str, Any]
) -> list[str]:
    level, horizon = float(sample["level"]), int(sample["horizon"])
    lines = []
    pairs = _extremes(means, contrasts)
    one = [name for name, pair in pairs.items() if pair is None]
    silent = [
        name for name, pair in pairs.items() if pair is not None and pair.isna()["difference"]
    ]
    if one:
        lines.append(f"One regime, and so nothing to separate: {_names(one)}.")
    if silent:
        lines.append(f"A regime never said, and so nothing to separate: {_names(silent)}.")
    rows = [pair for pair in pairs.values() if pair is not None and pd.notna(pair["difference"])]
    told = 0
    if rows:
        table = pd.DataFrame(rows)
        told = int((table["p_holm"] < level).sum())
        lines.append(_of_volatility(table, horizon, level))
    returns = contrasts[(contrasts["outcome"] == RETURN) & contrasts["p_value"].notna()]
    lines += _of_return(returns, horizon, level, told)
    n_tests = int(contrasts["p_value"].notna().sum())
    if n_tests:
        lines.append(
            "These tests allow for overlapping outcomes and for how long volatility lasts, and "
            "assume that the market behaves alike throughout the sample; each p-value is raised by "
            f"Holm's correction because {n_tests} are read side by side, and below "
            f"{100.0 * level:g} % we call a gap more than luck."
        )
    return lines


def _extremes(means: pd.DataFrame, contrasts: pd.DataFrame) -> dict[str, pd.Series | None]:
    """Labeller to the contrast of its last regime with its first, with both mean volatilities."""
    pairs: dict[str, pd.Series | None] = {}
    for name, rows in means[means["outcome"] == VOLATILITY].groupby("labeller", sort=False):
        calm, stressed = rows.iloc[0], rows.iloc[-1]
        pair = contrasts[
            (contrasts["labeller"] == name)
            & (contrasts["outcome"] == VOLATILITY)
            & (contrasts["against"] == calm["regime"])
            & (contrasts["regime"] == stressed["regime"])
        ]
        times = pair.assign(times=stressed["mean"] / calm["mean"])
        pairs[str(name)] = None if pair.empty else times.iloc[0]
    return pairs


def _of_volatility(pairs: pd.DataFrame, horizon: int, level: float) -> str:
    """``pairs`` is one row per labeller: its last regime against its first."""
    first, last = _shared(pairs["against"], "its first"), _shared(pairs["regime"], "its last")
    line = (
        f"In the {horizon} bars after a labeller says {last} volatility was "
        f"{_span(pairs, 'times', '{:.2f}')} times as high as after {first}"
    )
    verdicts = {
        "more than luck": pairs[pairs["p_holm"] < level],
        "not to be told from luck": pairs[pairs["p_holm"] >= level],
    }
    parts = [f"{what} for {_names(rows)}" for what, rows in verdicts.items() if len(rows)]
    parts += [
        f"how sure that is cannot be said of {_names(rows)} ({note})"
        for note, rows in pairs[pairs["p_holm"].isna()].groupby("note", sort=False)
    ]
    return f"{line}: {'; '.join(parts)}."


def _shared(names: pd.Series, otherwise: str) -> str:
    return str(names.iloc[0]) if (names == names.iloc[0]).all() else f"{otherwise} regime"


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


def _span(rows: pd.DataFrame, column: str, form: str) -> str:
    """From the smallest to the largest value, and whose they are; one value where all are alike."""
    texts = rows[column].map(lambda value: form.format(value).replace("%", " %"))
    ordered = texts[rows[column].sort_values(kind="stable").index]
    low, high = ordered.iloc[0], ordered.iloc[-1]
    if low == high:
        return str(low)
    return f"{low} ({_names(rows[texts == low])}) to {high} ({_names(rows[texts == high])})"


def _names(labellers: pd.DataFrame | list[str]) -> str:
    """Labellers as they stand inside a sentence."""
    names = labellers if isinstance(labellers, list) else labellers["labeller"].tolist()
    return _listed([name_in_sentence(str(name)) for name in names])


def _start(labeller: str) -> str:
    name = display_name(labeller)
    return name[:1].upper() + name[1:]


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _percent(share: float, digits: int = 1) -> str:
    return f"{100.0 * share:.{digits}f} %"
