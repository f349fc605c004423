"""What the comparison tests mean, in plain sentences, for a win, a loss and neither."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pandas as pd

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.names import display_name, name_in_sentence
from regime_nas_pipeline.verdict.comparison.table import (
    DIEBOLD_MARIANO,
    JOBSON_KORKIE_MEMMEL,
    LEDOIT_WOLF,
)

_TITLES = {
    JOBSON_KORKIE_MEMMEL: "Jobson-Korkie-Memmel",
    LEDOIT_WOLF: "Ledoit-Wolf",
    DIEBOLD_MARIANO: "Diebold-Mariano",
}
SHARPE_TESTS = (JOBSON_KORKIE_MEMMEL, LEDOIT_WOLF)
_AMONG_ALL = {
    "spa": "Hansen's test",
    "stepwise": "The stepwise test",
    "confidence_set": "The model confidence set",
}
_PROBABILITIES = {
    "probabilistic_sharpe": "The probabilistic Sharpe ratio",
    "deflated_sharpe": "The deflated Sharpe ratio",
    "deflated_sharpe_search": "The deflated Sharpe ratio of the searches",
}
_HOLM = "holm"
"""All tests of Sharpe ratios, read together after Holm's correction."""

WITHDRAWABLE_SENTENCES = (
    *_TITLES,
    _HOLM,
    *(f"{kind}_{measure}" for kind in _AMONG_ALL for measure in ("mean", "sharpe")),
)
"""Tests that :func:`comparison_words` speaks of, and can leave out."""
_ASSUMPTIONS = {
    JOBSON_KORKIE_MEMMEL: "Jobson-Korkie-Memmel assumes that returns are normally distributed and "
    "do not depend on those of earlier bars.",
    LEDOIT_WOLF: "Ledoit-Wolf needs neither: it redraws blocks of consecutive bars, so extreme "
    "days and turbulent spells are allowed for, but it assumes that no dependence outlasts a block "
    "and that markets behave alike throughout the sample.",
    DIEBOLD_MARIANO: "Diebold-Mariano assumes that the difference in error keeps its mean and its "
    "spread, and that dates depend on each other only where their targets overlap.",
}


def comparison_words(
    table: pd.DataFrame,
    superior: pd.DataFrame | None = None,
    *,
    subject: str = "regime_nas",
    level: float = 0.05,
    withdrawn: Mapping[str, str] | None = None,
) -> list[str]:
    """Say what the tests of one strategy mean together, which agree, and what each assumes.

    A difference is called more than luck only where every test of it stays below the level
    after Holm's correction; where the tests disagree it counts as open.

    Args:
        table: Rows of :func:`~regime_nas_pipeline.verdict.comparison.table.comparison_table`.
        superior: Rows of
            :func:`~regime_nas_pipeline.verdict.comparison.superior.superior_strategies`, or None.
        subject: The strategy that the question is about.
        level: Below it a corrected p-value counts as more than luck.
        withdrawn: Test to the reason why it may not be used: the names of the table's tests,
            ``holm`` for all of Sharpe ratios, and ``spa_MEASURE``, ``stepwise_MEASURE`` and
            ``confidence_set_MEASURE``, as the placebo names them. What such a test found is not
            said; that it is withdrawn is.

    Returns:
        Sentences in reading order, each on its own.

    Raises:
        DataError: The subject is in no comparison.
    """
    views = _seen_from(table, subject)
    if views.empty:
        raise DataError(f"there is no comparison of {subject}", source="comparison table")
    gone = withdrawn or {}
    dropped = {*gone, *(SHARPE_TESTS if _HOLM in gone else ())}
    views = views[~views["test"].isin(dropped)]
    sharpe = views[views["test"].isin(SHARPE_TESTS)]
    forecasts = views[views["test"] == DIEBOLD_MARIANO]
    lines = [_how_to_read(len(table), level)]
    lines += [
        _sharpe_sentence(rows, subject, str(other), level)
        for other, rows in sharpe.groupby("other", sort=False)
    ]
    lines += _agreement(sharpe, level)
    lines += [
        _forecast_sentence(rows, subject, str(other), level)
        for other, rows in forecasts.groupby("other", sort=False)
    ]
    lines += [_ASSUMPTIONS[test] for test in _TITLES if (views["test"] == test).any()]
    if superior is not None:
        lines += _snooping(superior, subject, gone)
    lines += [f"{_withdrawn_title(test)} is withdrawn: {reason}." for test, reason in gone.items()]
    return lines if views.empty else [*lines, _caution(views, level)]


def _withdrawn_title(test: str) -> str:
    if test == _HOLM:
        return "Every test of Sharpe ratios"
    kind, _, measure = test.rpartition("_")
    if kind in _AMONG_ALL:
        return f"{_AMONG_ALL[kind]} of {'Sharpe ratios' if measure == 'sharpe' else 'mean returns'}"
    return (_TITLES | _PROBABILITIES)[test]


def _seen_from(table: pd.DataFrame, subject: str) -> pd.DataFrame:
    """The subject's rows with ``other`` and ``better`` (1, -1, or 0 where nothing was tested)."""
    own = table[table["subject"] == subject].assign(
        other=lambda rows: rows["against"], better=lambda rows: rows["statistic"]
    )
    turned = table[table["against"] == subject].assign(
        other=lambda rows: rows["subject"], better=lambda rows: -rows["statistic"]
    )
    views = pd.concat([own, turned])
    sign = (views["better"] > 0.0).astype(int) - (views["better"] < 0.0).astype(int)
    return views.assign(better=sign)


def _how_to_read(n_rows: int, level: float) -> str:
    corrected = (
        f"each is raised by Holm's correction because {n_rows} are read side by side; "
        if n_rows > 1
        else ""
    )
    return (
        "A p-value says how often luck alone would give a gap at least as wide as the one seen if "
        "the two were equally good, provided that the test's assumptions hold; "
        f"{corrected}below {_percent(level)} we call a gap more than luck."
    )


def _sharpe_sentence(rows: pd.DataFrame, subject: str, other: str, level: float) -> str:
    name, than = name_in_sentence(subject), name_in_sentence(other)
    tested = rows[rows["better"] != 0]
    if tested.empty:
        return f"The Sharpe ratios of {name} and {than} cannot be compared: {_reason(rows)}."
    way = "higher" if tested["better"].iloc[0] > 0 else "lower"
    start = f"After costs {name} had a {way} Sharpe ratio than {than}"
    below = tested["p_holm"] < level
    figures = _figures(tested)
    if below.all():
        return f"{start}, by more than luck would readily explain ({figures})."
    if not below.any():
        return f"{start}, a gap that cannot be told from luck ({figures})."
    found = _titles(tested[below])
    missed = _titles(tested[~below])
    return (
        f"{start}; {found} calls that more than luck and {missed} does not ({figures}), so the "
        "question stays open."
    )


def _forecast_sentence(rows: pd.DataFrame, subject: str, other: str, level: float) -> str:
    row = rows.iloc[0]
    if row["better"] == 0:
        return (
            f"The forecasts of {name_in_sentence(subject)} and {name_in_sentence(other)} cannot "
            f"be compared: {_reason(rows)}."
        )
    way = "smaller" if row["better"] > 0 else "larger"
    end = (
        "by more than luck would readily explain"
        if row["p_holm"] < level
        else "a gap that cannot be told from luck"
    )
    return (
        f"The forecasts of {name_in_sentence(subject)} had {way} errors than those of "
        f"{name_in_sentence(other)}, {end} ({_figures(rows)})."
    )


def _agreement(sharpe: pd.DataFrame, level: float) -> list[str]:
    """How often the two Sharpe tests say the same, where both could be run."""
    tested = sharpe[sharpe["better"] != 0]
    both = [rows for _, rows in tested.groupby("other", sort=False) if len(rows) > 1]
    if not both:
        return []
    below = [rows["p_holm"] < level for rows in both]
    same = sum(bool(each.all() or not each.any()) for each in below)
    if len(both) == 1:
        return [f"The two tests of Sharpe ratios {'agree' if same else 'disagree'}."]
    if same == len(both):
        return [f"The two tests of Sharpe ratios agree on all {len(both)} comparisons."]
    return [f"The two tests of Sharpe ratios agree on {same} of {len(both)} comparisons."]


def _snooping(superior: pd.DataFrame, subject: str, withdrawn: Collection[str]) -> list[str]:
    """The stepwise test and the confidence set, which see all strategies at once."""
    rows = superior[superior["subject"] == subject]
    if rows.empty:
        raise DataError(f"there is no row of {subject}", source="table of superior strategies")
    row = rows.iloc[0]
    what = "Sharpe ratio" if row["measure"] == "sharpe" else "mean return"
    name, benchmark = name_in_sentence(subject), name_in_sentence(str(row["against"]))
    level = _percent(float(row["level"]))
    said = {
        f"{kind}_{row['measure']}": pd.notna(row[column])
        for kind, column in zip(_AMONG_ALL, ("p_spa", "beats", "in_confidence_set"), strict=True)
    }
    spa, stepwise, confidence_set = (
        known and test not in withdrawn for test, known in said.items()
    )
    lines = []
    if spa:
        lines.append(
            "Hansen's test allows for how many strategies were tried: if none had a higher "
            f"{what} than {benchmark}, the best of them would come out this far ahead by luck with "
            f"{p_words(float(row['p_spa']))}."
        )
    if stepwise:
        verb = "is" if row["beats"] else "is not"
        lines.append(
            f"Among all strategies tried at once, {name} {verb} among those that the stepwise test "
            f"puts ahead of {benchmark} by more than luck at the {level} level."
        )
    if confidence_set:
        n_inside = int(superior["in_confidence_set"].fillna(False).sum())
        n_tested = int(superior["in_confidence_set"].notna().sum())
        lines.append(
            f"{n_inside} of {n_tested} strategies cannot be ruled out as the best by {what} at the "
            f"{level} level, and {name} is {'' if row['in_confidence_set'] else 'not '}one of them "
            f"({p_words(float(row['p_confidence_set']))})."
        )
    if any(said.values()):
        return lines
    return [f"{display_name(subject)} could not be tested among all strategies: {row['note']}."]


def _caution(views: pd.DataFrame, level: float) -> str:
    tested = views[views["better"] != 0]
    returns = views[views["test"] != DIEBOLD_MARIANO]
    size = f"{views['n'].max()} dates" if returns.empty else f"{returns['n'].max()} bars"
    if (tested["p_holm"] < level).any():
        return (
            "All of this is evidence from one sample of "
            f"{size} and under the assumptions above, not certainty, and it says nothing "
            "about other assets, other costs or the years to come."
        )
    return (
        "Finding no difference does not show that they are equally good: a true difference that "
        f"is small next to the ups and downs of {size} would go unnoticed."
    )


def _figures(rows: pd.DataFrame) -> str:
    return ", ".join(
        f"{_TITLES[test]} {p_words(p)}"
        for test, p in zip(rows["test"], rows["p_holm"].astype(float), strict=True)
    )


def _titles(rows: pd.DataFrame) -> str:
    return " and ".join(_TITLES[test] for test in rows["test"])


def _reason(rows: pd.DataFrame) -> str:
    return str(rows["note"].iloc[0]) or "they did exactly the same"


def p_words(value: float) -> str:
    """A p-value inside a sentence."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _percent(level: float) -> str:
    return f"{100.0 * level:g} %"
