"""Does a classifier beat its controls by more than chance? Tests on losses, and sentences."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.verdict.classification import class_losses, in_sentence
from regime_nas_pipeline.verdict.comparison import diebold_mariano
from regime_nas_pipeline.verdict.comparison.dependence import long_run_variance
from regime_nas_pipeline.verdict.comparison.words import p_words

IMPOSSIBLE_NOTE = "one of the two held impossible what came true: its log loss is infinite"

_LOSS_NAMES = {"log_loss": "log loss", "brier": "Brier score"}


def loss_comparison(
    forecasts: Mapping[str, pd.DataFrame],
    outcome: pd.Series,
    *,
    subject: str,
    horizon: int,
    level: float = 0.05,
) -> pd.DataFrame:
    """Test the subject's losses against those of every other forecaster, date by date.

    Diebold and Mariano's test allows for targets that overlap. Labels come in spells, though, so
    that losses may be related for longer: a second p-value uses the long-run variance of the
    differences. The larger of the two counts, after Holm's correction over all rows.

    Args:
        forecasts: Forecaster to its probabilities, decision date x class, one for every bar.
        outcome: Decision date to the class that came true.
        subject: The forecaster that the question is about.
        horizon: Bars ahead that are forecast; targets overlap on one bar less.
        level: Below it a corrected p-value counts as more than chance.

    Returns:
        One row per loss (``log_loss``, ``brier``) and control: loss; subject; against;
        subject_loss and control_loss, means per date; difference, control less subject, positive
        where the subject is better; statistic, p_two_sided and p_beats (small where the subject
        is better) of Diebold-Mariano; p_long_run, two-sided; p_holm; effect (``better``,
        ``worse`` or ``open``); lags; n; note. Where a log loss is infinite nothing is tested.

    Raises:
        DataError: The subject is not among the forecasters or stands alone; see
            :func:`~.classification.class_losses` and :func:`~.comparison.diebold_mariano`, too.
    """
    if subject not in forecasts or len(forecasts) < 2:
        raise DataError(f"there is no forecast of '{subject}' to compare with another")
    losses = class_losses(forecasts, outcome)
    rows = [
        _tested(losses[loss], loss, subject, other, horizon)
        for loss in _LOSS_NAMES
        for other in forecasts
        if other != subject
    ]
    table = pd.DataFrame(rows)
    tested = table["p_two_sided"].notna().to_numpy()
    larger = table.loc[tested, ["p_two_sided", "p_long_run"]].max(axis=1).to_numpy()
    table["p_holm"] = np.nan
    if tested.any():
        table.loc[tested, "p_holm"] = multipletests(larger, method="holm")[1]
    sure = table["p_holm"] < level
    side = np.where(table["difference"] > 0.0, "better", "worse")
    table["effect"] = np.where(sure, side, "open")
    return table


def _tested(
    losses: pd.DataFrame, loss: str, subject: str, other: str, horizon: int
) -> dict[str, object]:
    own, control = losses[subject].to_numpy(), losses[other].to_numpy()
    row: dict[str, object] = {
        "loss": loss,
        "subject": subject,
        "against": other,
        "subject_loss": float(own.mean()),
        "control_loss": float(control.mean()),
        "n": len(own),
    }
    if not (np.isfinite(own).all() and np.isfinite(control).all()):
        blanks = ("statistic", "p_two_sided", "p_beats", "p_long_run")
        gap = dict.fromkeys(("difference", *blanks), np.nan)
        return {**row, **gap, "lags": horizon - 1, "note": IMPOSSIBLE_NOTE}
    test = diebold_mariano(own, control, horizon=horizon, every=1)
    variance = long_run_variance(control - own)
    error = np.sqrt(variance / len(own))
    return {
        **row,
        "difference": test.difference,
        "statistic": test.statistic,
        "p_two_sided": test.p_two_sided,
        "p_beats": test.p_beats,
        "p_long_run": float(2.0 * norm.sf(abs(test.difference) / error)) if error > 0.0 else 1.0,
        "lags": test.lags,
        "note": test.note,
    }


def cumulative_gain(
    forecasts: Mapping[str, pd.DataFrame], outcome: pd.Series, *, subject: str
) -> pd.DataFrame:
    """Log loss that the subject has saved so far against each control, in nats.

    Returns:
        Date x control, rising where the subject was better. Controls that held impossible what
        came true have an infinite loss and are left out.

    Raises:
        DataError: See :func:`loss_comparison`.
    """
    if subject not in forecasts:
        raise DataError(f"there is no forecast of '{subject}' to compare with another")
    losses = class_losses(forecasts, outcome)["log_loss"]
    gains = {
        str(name): (losses[name] - losses[subject]).cumsum()
        for name in losses.columns
        if name != subject and bool(np.isfinite(losses[name]).all())
    }
    return pd.DataFrame(gains, index=losses.index)


def classification_words(
    table: pd.DataFrame, comparison: pd.DataFrame, *, what: str, level: float = 0.05
) -> list[str]:
    """Say in plain words who forecasts better, and whether that is more than chance.

    Args:
        table: Rows of :func:`~.classification.classification_table`.
        comparison: Rows of :func:`loss_comparison`.
        what: What is forecast, as it stands inside a sentence: ``"tomorrow's label"``.
        level: That of the comparison.

    Returns:
        Sentences in reading order: who has the lowest log loss, one on each test of log losses
        and, for controls without a log loss, of Brier scores, and what follows.

    Raises:
        DataError: The comparison's subject is not in the table.
    """
    subject = str(comparison["subject"].iloc[0])
    by_name = table.set_index("forecaster")
    if subject not in by_name.index:
        raise DataError(f"the table has no row of '{subject}'")
    best = str(by_name["log_loss"].idxmin())
    lines = [
        f"Of {len(table)} forecasts of {what} on the same {int(by_name['n'].iloc[0]):,} dates, "
        f"all out of sample, {in_sentence(best)} has the lowest log loss: "
        f"{by_name['log_loss'][best]:.4f} nats a date, at an accuracy of "
        f"{100.0 * by_name['accuracy'][best]:.1f} %."
    ]
    tests = [_decisive(rows) for _, rows in comparison.groupby("against", sort=False)]
    lines += [_sentence(test, level) for test in tests]
    return [*lines, _conclusion(tests, subject, what)]


def _decisive(rows: pd.DataFrame) -> pd.Series:
    """The test of log losses, or of Brier scores where a log loss is infinite."""
    tested = rows[rows["p_holm"].notna()]
    first = tested[tested["loss"] == "log_loss"]
    return (first if len(first) else tested).iloc[0]


def _sentence(test: pd.Series, level: float) -> str:
    subject, control = in_sentence(str(test["subject"])), in_sentence(str(test["against"]))
    side = "lower" if test["difference"] > 0.0 else "higher"
    chance = "more than chance explains" if test["effect"] != "open" else "which may well be chance"
    reason = (
        " (a control that is certain of everything has an infinite log loss once it errs)"
        if test["loss"] == "brier"
        else ""
    )
    return (
        f"Against {control} the {_LOSS_NAMES[str(test['loss'])]} of {subject} is {side} by "
        f"{abs(test['difference']):.4f} a date{reason}, {chance} ({p_words(test['p_holm'])} after "
        f"Holm's correction, {'below' if test['p_holm'] < level else 'not below'} {level:g})."
    )


def _conclusion(tests: list[pd.Series], subject: str, what: str) -> str:
    by_effect: dict[str, list[str]] = {"better": [], "worse": [], "open": []}
    for test in tests:
        by_effect[str(test["effect"])].append(in_sentence(str(test["against"])))
    name = in_sentence(subject)
    title = name[0].upper() + name[1:]
    if len(by_effect["better"]) == len(tests):
        return f"{title} beats every control: it knows something of {what} that they do not."
    if len(by_effect["worse"]) == len(tests):
        return f"Every control beats {name}: for {what} it is not worth its training."
    if len(by_effect["open"]) == len(tests):
        return f"{title} cannot be told from any of its controls: for {what} they do as well."
    verbs = {"better": "beats", "worse": "is beaten by", "open": "cannot be told from"}
    parts = [f"{verbs[side]} {_listed(names)}" for side, names in by_effect.items() if names]
    return f"{title} {_listed(parts)}."


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
