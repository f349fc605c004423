"""What the report of the planted experiment says, whoever wins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from regime_nas_pipeline.core.names import display_name
from regime_nas_pipeline.report.figures_planted import ORACLE, SUBJECT
from regime_nas_pipeline.report.section import Section

INPUTS = {"engineered": "engineered features", "raw": "returns alone"}
_COMPONENTS = {
    "uniform_gate": "the gate",
    "random_search": "the search",
}

SECTIONS = (
    Section(
        "efficiency",
        "How much of the best possible forecast",
        "The Hamilton filter knows every parameter of the simulated markets and only has to find "
        "the hidden state, so no causal forecast has a higher R² in expectation. Each dot is one "
        "market: R² of a forecaster over that of the filter on the same bars; the bar is the "
        "median, and the headline gives that of RegimeNAS and of the best other forecaster. "
        "Below 0 a forecaster is worse than expecting nothing. Margins are RegimeNAS minus the "
        "other on the same market.",
        tables=("planted_efficiency", "planted_margins"),
        figures=("planted_efficiency",),
        figures_first=True,
        compares=True,
    ),
    Section(
        "regimes",
        "The regimes it found",
        "Above, the states that were planted; below them what the Hamilton filter makes of the "
        "returns up to each bar, and how much weight the detector of RegimeNAS gives to each "
        "block. Nobody told the detector what a regime is, nor which block is for which: blocks "
        "may stand for other states than their names say, and agreement is counted in the order "
        "that fits best. A gate that never moves agrees as often as the commonest state occurs.",
        tables=("planted_recovery",),
        figures=("planted_regimes",),
        figures_first=True,
    ),
    Section(
        "architecture",
        "The architectures found",
        "Read from left to right; each drawing is what the search found on the first market. The "
        "table counts the operations over all markets: lag products, squares and averages over "
        "time and assets are what makes regimes visible.",
        tables=("planted_operations",),
        figures=("planted_architecture_engineered", "planted_architecture_raw"),
        figures_first=True,
    ),
    Section(
        "forecasts",
        "Accuracy and cost",
        "Medians over the markets. R² is against a forecast of zero, which is the mean of every "
        "simulated return. Training is what the networks that forecast took, the search comes on "
        "top of it.",
        tables=("planted_forecasts", "planted_cost"),
        compares=True,
    ),
    Section(
        "search",
        "The searches",
        "Every searched forecaster has the same number of gradient samples in each market and "
        "track. Scores come from the end of the bars that are fitted on; no scored bar is among "
        "them.",
        figures=("planted_search",),
    ),
    Section(
        "controls",
        "Where there is nothing to find",
        "Without regimes the autocorrelation is the same at every bar, so a linear forecast is "
        "all that there is to know; on a martingale nothing is. A pale bar is the range that "
        "chance alone gives to forecasts of that size, over all markets: a dot inside it shows no "
        "knowledge, and left of the dashed line a forecast does harm.",
        tables=("planted_no_regime", "planted_martingale"),
        figures=("planted_controls",),
        figures_first=True,
    ),
    Section(
        "data",
        "The protocol and its limits",
        "Declared before any result was seen.",
        tables=("planted_protocol",),
    ),
    Section(
        "manifest",
        "How to get these numbers again",
        "The same code, seed and versions give the same results; another kind of processor may "
        "round differently.",
        tables=("manifest", "seconds", "versions"),
        optional=("seconds", "versions"),
    ),
    Section("more", "More from this run", "Tables and figures that belong to no chapter above."),
)


def headline(summary: Mapping[str, Any]) -> str:
    """What was reached, beside the best of the others, in two lines; the chapters say the rest."""
    parts = []
    for track, table in summary["oracle_efficiency"].items():
        reached = [f"{display_name(SUBJECT)} {_number(table[SUBJECT]['median'])}"]
        best = _best_of_others(table)
        if best is not None:
            reached.append(f"{display_name(best)} {_number(table[best]['median'])}")
        parts.append(f"from {INPUTS[track]} {', '.join(reached)}")
    return f"Share of the best possible R²: {'; '.join(parts)}."


def closing_line(summary: Mapping[str, Any]) -> str:
    """One line for the end of a run."""
    parts = [
        f"{_number(table[SUBJECT]['median'])} from {INPUTS[track]} ({_best_other(table)})"
        for track, table in summary["oracle_efficiency"].items()
    ]
    return f"{display_name(SUBJECT)} reached this share of the best possible R²: {_list(parts)}."


def sections(summary: Mapping[str, Any]) -> tuple[Section, ...]:
    """The chapters, with what these results mean written into them."""
    said = {
        "efficiency": " ".join([*_placings(summary), *_component_words(summary)]),
        "regimes": _recovery(summary),
        "controls": _controls(summary),
    }
    return tuple(
        replace(section, explanation=f"{section.explanation} {said[section.key]}".strip())
        if section.key in said
        else section
        for section in SECTIONS
    )


def limits(summary: Mapping[str, Any]) -> list[str]:
    """What the experiment cannot show."""
    n_markets = len(summary["sample"]["seeds"])
    return [
        f"There are {n_markets} simulated markets, and one that comes out ahead on every one of "
        f"them would do so by luck alone with a probability of {2.0 ** (1 - n_markets):.2g} "
        "(two-sided sign test). Smaller agreement shows nothing.",
        "The planted regimes are stronger, more stable and more equal across assets than "
        "anything that a real market is known for. Finding them is necessary for the method to "
        "work elsewhere and not sufficient.",
        "Everything is fitted once, and forecasts are scored as forecasts: nothing is traded and "
        "nothing costs anything.",
        "RegimeNAS is a declared reconstruction: the paper's own code and equations were not "
        "available.",
    ]


def _placings(summary: Mapping[str, Any]) -> Iterator[str]:
    """Where the subject stood beside the others, in each track."""
    for track, margins in summary["paired_margins"].items():
        yield f"From {INPUTS[track]}, {_placing(margins)}."


def _placing(margins: Mapping[str, Any]) -> str:
    """Beside whom the subject was ahead on every market, behind on every one, or neither."""
    ahead: list[str] = []
    behind: list[str] = []
    mixed: list[str] = []
    for name, margin in margins.items():
        low, high = margin["range"] or (0.0, 0.0)
        group = ahead if low > 0.0 else behind if high < 0.0 else mixed
        group.append(display_name(name))
    always = [
        f"{place} {_list(names)}"
        for place, names in (("ahead of", ahead), ("behind", behind))
        if names
    ]
    name = display_name(SUBJECT)
    parts = [f"{name} was {_list(always)} on every market"] if always else []
    if mixed:
        who = "it" if always else name
        parts.append(f"beside {_list(mixed)} {who} was now ahead, now behind")
    return "; ".join(parts)


def _best_of_others(table: Mapping[str, Any]) -> str | None:
    """The best forecaster that is no RegimeNAS of another kind; None where none is defined."""
    own_kinds = {SUBJECT, ORACLE, *_COMPONENTS}
    medians = {
        name: entry["median"]
        for name, entry in table.items()
        if name not in own_kinds and entry["median"] is not None
    }
    return max(medians, key=lambda each: medians[each]) if medians else None


def _best_other(table: Mapping[str, Any]) -> str:
    name = _best_of_others(table)
    if name is None:
        return "nothing else was defined"
    return f"best other: {display_name(name)} with {_number(table[name]['median'])}"


def _component_words(summary: Mapping[str, Any]) -> Iterator[str]:
    """What the gate and the search added, in each track."""
    for name, part in _COMPONENTS.items():
        for track, margins in summary["paired_margins"].items():
            if name not in margins or margins[name]["range"] is None:
                continue
            margin = margins[name]
            low, high = margin["range"]
            effect = "made no difference that all markets share"
            if low > 0.0 or high < 0.0:
                effect = f"{'helped' if low > 0.0 else 'did harm'} on every market"
            yield (
                f"From {INPUTS[track]}, {part} {effect}: {_signed(margin['median'])} of the "
                f"best possible R² ({_signed(low)} to {_signed(high)})."
            )


def _recovery(summary: Mapping[str, Any]) -> str:
    words = []
    for track, table in summary["regime_recovery"].items():
        own, oracle = table[SUBJECT]["median"], table[ORACLE]["median"]
        if own is None:
            continue
        chance = table["commonest_state"]["median"]
        words.append(
            f"From {INPUTS[track]}, its strongest gate agreed with the true state at "
            f"{100 * own:.0f} % of the bars; the Hamilton filter at {100 * oracle:.0f} %, a gate "
            f"that never moves at {100 * chance:.0f} %."
        )
    return " ".join(words)


def _controls(summary: Mapping[str, Any]) -> str:
    """How many control forecasts lie above what chance gives, of how many."""
    parts = []
    for market, words in (("no_regime", "without regimes"), ("martingale", "on martingales")):
        bands = [
            entry["chance_band"]
            for table in summary[market].values()
            for entry in table.values()
            if "chance_band" in entry
        ]
        pairs = [pair for band in bands for pair in zip(band["r2"], band["high"], strict=True)]
        above = sum(r2 > high for r2, high in pairs)
        parts.append(f"{above} of {len(pairs)} {words}")
    return (
        f"Of the control forecasts, where there is nothing to find, {_list(parts)} lay above what "
        "chance gives (about one in forty would)."
    )


def _number(value: float | None) -> str:
    return "an undefined share" if value is None else f"{value:.2f}"


def _signed(value: float) -> str:
    return f"{value:+.2f}"


def _list(names: list[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
