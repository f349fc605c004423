"""Tables of the tests between strategies and of the trials behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from regime_nas_pipeline.core.names import name_in_sentence
from regime_nas_pipeline.report.columns import Column, count, percent
from regime_nas_pipeline.report.figures_trials import searches_of
from regime_nas_pipeline.report.tables import Table, make_table
from regime_nas_pipeline.report.theme import in_display_order
from regime_nas_pipeline.report.verdict_section import VERDICT_CAPTIONS

_NORMAL, _ROBUST, _FORECASTS = "jobson_korkie_memmel", "ledoit_wolf", "diebold_mariano"
_SHORT = {_NORMAL: "JKM", _ROBUST: "Ledoit-Wolf"}
_ORIGINS = {"this_run": "this run", "walk_forward_evaluation": "other whole runs"}
_MEASURES = {"mean": "mean return", "sharpe": "Sharpe ratio"}

# "Against" stands under a key of its own: the strategy of a row is the one that is tested.
_PAIR = {"other": Column("Against", "text"), "strategy": Column("Strategy", "text")}
_NOTE = {"note": Column("Note", "text")}


def sharpe_tests(tests: pd.DataFrame) -> Table:
    """One row per pair, both tests of equal Sharpe ratios side by side.

    Args:
        tests: test, subject, against, statistic, p_two_sided, p_holm, block_length, n, note.
    """
    pairs = tests[["against", "subject"]][tests["test"].isin(_SHORT)].drop_duplicates()
    table = pairs.set_axis(["other", "strategy"], axis="columns").reset_index(drop=True)
    keys = pd.MultiIndex.from_frame(table)
    columns = dict(_PAIR)
    for what, label, kind, digits in (
        ("statistic", "z", "number", 2),
        ("p_two_sided", "p", "p_value", 3),
        ("p_holm", "p, Holm", "p_value", 3),
    ):
        for test, name in _SHORT.items():
            own = tests[tests["test"] == test].set_index(["against", "subject"])[what]
            table[f"{what}_{test}"] = own.reindex(keys).to_numpy(dtype=float)
            columns[f"{what}_{test}"] = Column(label, kind, digits, name)
    robust = tests[tests["test"] == _ROBUST].set_index(["against", "subject"])
    for name, column in {
        "block_length": count("Blocks", "bars each"),
        "n": count("Bars"),
        **_NOTE,
    }.items():
        table[name] = robust[name].reindex(keys).to_numpy()
        columns[name] = column
    return chosen_table("sharpe_tests", table, columns, by="other")


def forecast_tests(tests: pd.DataFrame) -> Table:
    """One row per pair of forecasters.

    Args:
        tests: As for :func:`sharpe_tests`.
    """
    columns = {
        **_PAIR,
        "statistic": Column("Statistic", unit="positive: smaller errors"),
        "p_two_sided": Column("p", "p_value", 3, "raw"),
        "p_holm": Column("p", "p_value", 3, "Holm"),
        "n": count("Dates"),
        **_NOTE,
    }
    rows = tests[tests["test"] == _FORECASTS]
    renamed = rows.rename(columns={"against": "other", "subject": "strategy"})
    return chosen_table("forecast_tests", renamed, columns, by="other")


def superior_ability(superior: pd.DataFrame) -> Table:
    """Hansen's p-value, one row per measure: it is the same for every strategy.

    Args:
        superior: subject, against, measure, beats, in_confidence_set, p_confidence_set, p_spa,
            p_spa_lower, p_spa_upper, level, block_length, n_resamples, n, note.
    """
    columns = {
        "measure": Column("Compared by", "text"),
        "against": Column("Benchmark", "text"),
        "p_spa": Column("p", "p_value", 3),
        "p_spa_lower": Column("p", "p_value", 3, "lower bound"),
        "p_spa_upper": Column("p", "p_value", 3, "upper bound"),
        "block_length": count("Blocks", "mean bars each"),
        "n_resamples": count("Resamples"),
        "n": count("Bars"),
    }
    rows = superior.drop_duplicates("measure").replace({"measure": _MEASURES})
    return chosen_table("superior_ability", rows, columns)


def confidence_set(superior: pd.DataFrame) -> Table:
    """One row per strategy: is it ahead of the benchmark, can it still be the best?

    Args:
        superior: As for :func:`superior_ability`.
    """
    names = in_display_order(superior["subject"].astype(str))
    table = pd.DataFrame({"strategy": names})
    columns = {"strategy": Column("Strategy", "text")}
    for measure in superior["measure"].unique():
        rows = superior[superior["measure"] == measure].set_index("subject").reindex(names)
        unit = f"by {_MEASURES.get(measure, measure)}"
        for what, column in (
            ("beats", Column("Ahead of the benchmark", "text", unit=unit)),
            ("in_confidence_set", Column("May be the best", "text", unit=unit)),
            ("p_confidence_set", Column("p of the set", "p_value", 3, unit)),
            ("note", Column("Note", "text", unit=unit)),
        ):
            table[f"{what}_{measure}"] = rows[what].to_numpy()
            columns[f"{what}_{measure}"] = column
    return chosen_table("confidence_set", table, columns)


def deflated_sharpes(deflated: pd.DataFrame) -> Table:
    """One row per strategy and question: its Sharpe ratio beside the best by luck.

    Args:
        deflated: scope, reference, strategy, sharpe_yearly, n, n_trials, n_effective,
            expected_maximum_yearly, psr_against_zero, deflated_probability,
            minimum_track_record_years, passes.
    """
    columns = {
        "question": Column("Returns judged", "text"),
        "strategy": Column("Strategy", "text"),
        "n_trials": count("Trials", "tried"),
        "n_effective": count("Trials", "that differ"),
        "sharpe_yearly": Column("Sharpe", unit="annualised"),
        "expected_maximum_yearly": Column("Best by luck", unit="expected Sharpe"),
        "psr_against_zero": percent("Above 0", unit="probability, %"),
        "deflated_probability": percent("Above luck", unit="probability, %"),
        "minimum_track_record_years": Column("Needed", digits=1, unit="years"),
        "n": count("Seen", "bars"),
        "passes": Column("Passes", "text"),
    }
    questions = [
        _question(str(scope), str(reference))
        for scope, reference in zip(deflated["scope"], deflated["reference"], strict=True)
    ]
    return chosen_table(
        "deflated_sharpes", deflated.assign(question=questions), columns, by="question"
    )


def _question(scope: str, reference: str) -> str:
    place = {"search": "chosen by its search", "out_of_sample": "out of sample"}.get(scope, scope)
    above = "the risk-free rate" if reference == "risk_free" else name_in_sentence(reference)
    return f"{place}, above {above}"


def overfitting(found: Mapping[str, Any]) -> Table:
    """One row for all searches together and one for each.

    Args:
        found: n_trials (distinct), n_copies, n_blocks, logits, probability,
            probability_of_loss, slope and reason (why these are None); and under ``forecasters``
            the same of each search.
    """
    columns = {
        "trials_of": Column("Trials of", "text"),
        "n_trials": count("Trials", "distinct"),
        "n_copies": count("Copies", "not counted"),
        "n_blocks": count("Blocks", "of bars"),
        "n_splits": count("Splits", "ways to halve"),
        "probability": percent("Overfitting", unit="% at or below the median"),
        "probability_of_loss": percent("Loss", unit="% with a negative Sharpe"),
        "slope": Column("Slope", unit="of one half's Sharpe on the other's"),
        "reason": Column("Why blank", "text"),
    }
    rows = [
        {"trials_of": name, "n_splits": len(each["logits"]), **each}
        for name, each in searches_of(found).items()
    ]
    numbers = ["probability", "probability_of_loss", "slope"]
    frame = pd.DataFrame(rows).astype(dict.fromkeys(numbers, float))
    return chosen_table("overfitting", frame, columns)


def evaluated(found: Mapping[str, Any]) -> Table:
    """One row for this run, one for other whole runs, and one for each experiment.

    Args:
        found: ``out_of_sample``: ``origins``: where from to n_in_ledger, n_trials_counted,
            n_copies and left_out (reason to number).
    """
    origins = found["out_of_sample"]["origins"]
    columns = {
        "origin": Column("Traded by", "text"),
        "n_in_ledger": count("Evaluations", "in the ledger"),
        "n_trials_counted": count("Trials", "counted"),
        "n_copies": count("Copies", "of others"),
    }
    rows = []
    for name, own in origins.items():
        columns |= {
            why: count("Left out", why) for why, number in own["left_out"].items() if number
        }
        rows.append({"origin": _ORIGINS.get(name, f"pipeline {name}"), **own, **own["left_out"]})
    return chosen_table("evaluated", pd.DataFrame(rows, columns=list(columns)), columns)


def at_a_glance(verdict: Mapping[str, Any]) -> Table:
    """The answers of all tests about each strategy in one row.

    Args:
        verdict: ``reference``, and ``strategies``: name to psr, deflated_probability,
            minimum_track_record_years, in_confidence_set, beats_stepwise and break_even_bps, None
            where unknown.
    """
    reference = name_in_sentence(str(verdict["reference"]))
    columns = {
        "strategy": Column("Strategy", "text"),
        "psr": percent("Sharpe above 0", unit="probability, %"),
        "deflated_probability": percent("Lead above luck", unit="probability, %"),
        "minimum_track_record_years": Column("Needed for that", digits=1, unit="years"),
        "beats_stepwise": Column(f"Ahead of {reference}", "text", unit="stepwise test"),
        "in_confidence_set": Column("May be the best", "text", unit="by Sharpe ratio"),
        "break_even_bps": Column("Break-even", digits=1, unit="basis points, one way"),
    }
    rows = [{"strategy": name, **facts} for name, facts in verdict["strategies"].items()]
    frame = pd.DataFrame(rows)
    numbers = [key for key in columns if columns[key].numeric]
    return chosen_table("at_a_glance", frame.astype(dict.fromkeys(numbers, float)), columns)


def smallest_edges(verdict: Mapping[str, Any]) -> Table:
    """One row per strategy: what it differed by, and what it had to differ by to be found.

    Args:
        verdict: ``strategies``: name to sharpe_difference, sharpe_difference_error, smallest_edge,
            smallest_edge_holm, tracking_error and smallest_return, None where unknown; strategies
            without a smallest edge have no row.
    """
    columns = {
        "strategy": Column("Strategy", "text"),
        "sharpe_difference": Column("Difference", unit="Sharpe a year"),
        "sharpe_difference_error": Column("Its error", unit="Sharpe a year"),
        "smallest_edge": Column("Found from", unit="Sharpe a year"),
        "smallest_edge_holm": Column("Found from", unit="the same, Holm"),
        "tracking_error": percent("Tracking error", unit="% a year"),
        "smallest_return": percent("Found from", unit="% mean return a year"),
    }
    frame = pd.DataFrame(
        [
            {"strategy": name, **{key: facts.get(key) for key in columns if key != "strategy"}}
            for name, facts in verdict["strategies"].items()
            if facts.get("smallest_edge") is not None
        ],
        columns=list(columns),
    )
    numbers = [key for key in columns if columns[key].numeric]
    return chosen_table("smallest_edges", frame.astype(dict.fromkeys(numbers, float)), columns)


def chosen_table(
    name: str, frame: pd.DataFrame, columns: Mapping[str, Column], *, by: str = ""
) -> Table:
    """A table of these columns alone, strategies in the report's order.

    Args:
        name: Key of the table, which has a caption of the verdict.
        frame: One row per line; columns that are not asked for are left out.
        columns: Key to how it is written, in order; those that the frame lacks are left out, and
            so are notes and reasons where there are none.
        by: Column whose values keep their order and group the rows.
    """
    keys = [key for key in columns if key in frame.columns and not _is_silent(key, frame[key])]
    table = frame[keys]
    orders = {}
    if by in keys:
        orders[by] = list(dict.fromkeys(table[by]))
    if "strategy" in keys:
        orders["strategy"] = in_display_order(table["strategy"])
    ranks = zip(*(table[key].map(order.index) for key, order in orders.items()), strict=True)
    if orders:
        rows = sorted(enumerate(ranks), key=lambda row: row[1])
        table = table.iloc[[place for place, _ in rows]]
    return make_table(name, VERDICT_CAPTIONS[name], table.reset_index(drop=True), columns=columns)


def _is_silent(key: str, values: pd.Series) -> bool:
    """A column of notes in which nothing is noted."""
    noted = any(isinstance(value, str) and value for value in values)
    return key.startswith(("note", "reason")) and not noted
