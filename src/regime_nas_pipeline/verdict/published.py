"""Published figures as data, and the rows that put ours beside them.

A publication reports a quantity, such as a Sharpe ratio, and does not always say how it was
reckoned. So each quantity has one or more definitions here; one of them is declared to be the
publication's, and ours by the others stand beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from regime_nas_pipeline.core.errors import DataError, ParameterError

Kind = Literal["strategy", "forecaster", "pair", "group"]

Measured = Mapping[tuple[str, str, str], float | None]
"""Definition, strategy or forecaster, and what stands beside it ("" for nothing), to our figure."""


@dataclass(frozen=True)
class Quantity:
    """Something that publications report.

    Attributes:
        kind: What it belongs to: a strategy, a forecaster, a pair of strategies, or a strategy
            and a group of assets.
        definitions: Ways to reckon it, the usual one first.
    """

    kind: Kind
    definitions: tuple[str, ...]


QUANTITIES = {
    "cagr": Quantity("strategy", ("cagr",)),
    "total_return": Quantity("strategy", ("total_return",)),
    "volatility": Quantity("strategy", ("volatility", "volatility_monthly")),
    "sharpe": Quantity(
        "strategy", ("sharpe", "sharpe_cagr", "sharpe_monthly", "sharpe_cagr_monthly")
    ),
    "max_drawdown": Quantity("strategy", ("max_drawdown", "max_drawdown_monthly")),
    "calmar": Quantity("strategy", ("calmar", "calmar_monthly")),
    "turnover": Quantity("strategy", ("turnover",)),
    "mean_weight": Quantity("group", ("mean_weight",)),
    "sharpe_test": Quantity("pair", ("jobson_korkie_memmel", "ledoit_wolf")),
    "predicted_spread": Quantity("forecaster", ("predicted_spread",)),
    "realised_spread": Quantity("forecaster", ("realised_spread",)),
    "mae": Quantity("forecaster", ("mae",)),
    "rmse": Quantity("forecaster", ("rmse",)),
    "r2": Quantity("forecaster", ("r2", "r2_zero")),
    "rank_ic": Quantity("forecaster", ("rank_ic",)),
}
"""Name of a quantity to its kind and definitions. Returns, volatilities, weights, spreads and
errors are decimals (0.01 = 1 %); ``sharpe_test`` is the z statistic of a test of equal Sharpe
ratios, positive where the first of the pair has the higher one."""

_BESIDE: dict[Kind, str] = {"pair": "the other strategy", "group": "the group of assets"}


@dataclass(frozen=True)
class PublishedFigure:
    """One published figure.

    Attributes:
        quantity: A key of :data:`QUANTITIES`.
        of: The strategy or forecaster of ours that it is set against.
        published: The figure, in the unit of the quantity.
        beside: The other strategy of a pair, or a group of assets; empty for other kinds.
        reason: Why ours may differ, where that is particular to this figure.

    Raises:
        ParameterError: The quantity is unknown, the figure is no finite number, or ``beside`` is
            missing or has no place.
    """

    quantity: str
    of: str
    published: float
    beside: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        _refuse_unknown_quantity(self.quantity)
        if not math.isfinite(self.published):
            raise ParameterError(
                f"the published {self.quantity} of '{self.of}' is {self.published}; give a number."
            )
        beside = _BESIDE.get(QUANTITIES[self.quantity].kind)
        if bool(self.beside) != (beside is not None):
            fault = f"needs 'beside': {beside}" if beside else f"has no '{self.beside}' beside it"
            raise ParameterError(f"the published {self.quantity} of '{self.of}' {fault}.")


@dataclass(frozen=True)
class Message:
    """A statement of the publication: none of these strategies beats the reference.

    Attributes:
        says: The statement, as the second half of "it says that ...".
        strategies: Those that do not beat the reference.
        reference: What they do not beat, by Sharpe ratio.
    """

    says: str
    strategies: tuple[str, ...]
    reference: str


@dataclass(frozen=True)
class Experiment:
    """What one publication reports.

    Attributes:
        title: What it is about.
        source: Where it was published.
        figures: Its figures, in the order of the table.
        first: First out-of-sample day, where it says so.
        last: Last out-of-sample day.
        risk_free: Simple yearly rate of its Sharpe ratios, where it says so.
        ours_as: Quantity to the definition that is held to be the publication's; the usual one
            for quantities that are left out.
        reasons: Quantity to the reason why ours may differ.
        doubts: What is doubtful in the publication itself, a sentence each.
        messages: What it concludes about strategies.

    Raises:
        ParameterError: A quantity or definition is unknown, a figure is there twice, the dates are
            in the wrong order, or only one of them is given.
    """

    title: str
    source: str
    figures: tuple[PublishedFigure, ...]
    first: date | None = None
    last: date | None = None
    risk_free: float | None = None
    ours_as: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()

    def __post_init__(self) -> None:
        for name in (*self.ours_as, *self.reasons):
            _refuse_unknown_quantity(name)
        for name, definition in self.ours_as.items():
            known = QUANTITIES[name].definitions
            if definition not in known:
                raise ParameterError(
                    f"'{definition}' is no definition of {name}; there are: {', '.join(known)}."
                )
        places = [(each.quantity, each.of, each.beside) for each in self.figures]
        twice = next((place for place in places if places.count(place) > 1), None)
        if twice is not None:
            raise ParameterError(f"the published {twice[0]} of '{twice[1]}' is given twice.")
        if (self.first is None) != (self.last is None):
            raise ParameterError(f"'{self.title}' needs both 'first' and 'last', or neither.")
        if self.first is not None and self.last is not None and self.first >= self.last:
            raise ParameterError(f"'{self.title}' ends on {self.last}, before it starts.")

    def names(self) -> Iterator[tuple[Kind, str]]:
        """(kind, name) of everything of ours that must be there: groups, strategies, forecasters.

        The other strategy of a pair and those of messages count as strategies.
        """
        for each in self.figures:
            kind = QUANTITIES[each.quantity].kind
            yield "forecaster" if kind == "forecaster" else "strategy", each.of
            if kind in _BESIDE:
                yield "group" if kind == "group" else "strategy", each.beside
        for message in self.messages:
            yield from (("strategy", name) for name in (*message.strategies, message.reference))

    def definition(self, quantity: str) -> str:
        """The definition that is held to be the publication's."""
        return self.ours_as.get(quantity, QUANTITIES[quantity].definitions[0])


def published_rows(experiment: Experiment, measured: Measured) -> list[dict[str, Any]]:
    """One row per published figure, JSON-ready.

    Args:
        experiment: What was published.
        measured: Our figures by every definition.

    Returns:
        Rows with ``quantity``, ``of``, ``beside``, ``published``, ``ours`` (by the publication's
        definition; None where undefined or not measured), ``definition``, ``others`` (every other
        definition to our figure), ``difference`` (ours - published) and ``reasons`` (why
        ours may differ: of the quantity, then of this figure).

    Raises:
        DataError: There is no such strategy, forecaster, pair or group among our figures.
    """
    rows = []
    for figure in experiment.figures:
        values = {
            definition: _find(measured, definition, figure)
            for definition in QUANTITIES[figure.quantity].definitions
        }
        definition = experiment.definition(figure.quantity)
        ours = values.pop(definition)
        reasons = (experiment.reasons.get(figure.quantity), figure.reason)
        rows.append(
            {
                "quantity": figure.quantity,
                "of": figure.of,
                "beside": figure.beside,
                "published": figure.published,
                "ours": ours,
                "definition": definition,
                "others": values,
                "difference": None if ours is None else ours - figure.published,
                "reasons": [reason for reason in reasons if reason],
            }
        )
    return rows


def _find(measured: Measured, definition: str, figure: PublishedFigure) -> float | None:
    """Our figure; None where nothing at all is measured by this definition."""
    key = (definition, figure.of, figure.beside)
    if key in measured:
        return measured[key]
    places = [(of, beside) for name, of, beside in measured if name == definition]
    if not places:
        return None
    owners = list(dict.fromkeys(of for of, _ in places))
    if figure.of not in owners:
        raise DataError(
            f"a published {figure.quantity} is set against '{figure.of}', which has none here",
            source="published figures",
            remedy=f"choose one of: {', '.join(owners)}.",
        )
    known = [beside for of, beside in places if of == figure.of]
    raise DataError(
        f"a published {figure.quantity} of '{figure.of}' is set beside '{figure.beside}', which is "
        "not known here",
        source="published figures",
        remedy=f"choose one of: {', '.join(known)}.",
    )


def _refuse_unknown_quantity(name: str) -> None:
    if name not in QUANTITIES:
        raise ParameterError(f"no quantity is called '{name}'; there are: {', '.join(QUANTITIES)}.")
