"""Labels of every labeller on the environment's own market."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.parallel import parallel_map
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.exposure.rules import (
    ExposureRule,
    Known,
    Levered,
    ProbabilityWeighted,
    VolatilityTarget,
    decide,
)
from regime_nas_pipeline.regimes.schedule import label_walk
from regime_nas_pipeline.verdict.regime_uses import NO_LABELS
from regime_nas_pipeline.walkforward.label_sets import LabellerPlan

BY_LABEL = "by_label"
BY_PROBABILITY = "by_probability"


def label_all(
    market: Market,
    plans: Mapping[str, LabellerPlan],
    *,
    burn_in: int,
    refit_every: int,
    n_jobs: int = 1,
) -> tuple[dict[str, pd.DataFrame], dict[str, int]]:
    """Let every labeller label the market online.

    Args:
        market: Prices; what labellers read of them is the mean return over the universe.
        plans: Name to labeller.
        burn_in: Bars before the first fit of each.
        refit_every: Bars from one fit to the next.
        n_jobs: Processes.

    Returns:
        Labeller to date x regime, each row from what was known at its close; labeller to the
        number of its fits.

    Raises:
        ParameterError: See :func:`~regime_nas_pipeline.regimes.schedule.label_walk`.
        DataError: Likewise.
    """
    found = parallel_map(
        _label,
        [(market, plan, burn_in, refit_every) for plan in plans.values()],
        n_jobs=n_jobs,
        description="regime uses: label",
        unit="labeller",
    )
    named = dict(zip(plans, found, strict=True))
    labels = {name: table for name, (table, _) in named.items()}
    return labels, {name: fits for name, (_, fits) in named.items()}


def _label(
    market: Market, plan: LabellerPlan, burn_in: int, refit_every: int
) -> tuple[pd.DataFrame, int]:
    walk = label_walk(
        market,
        plan.labeller,
        burn_in=burn_in,
        refit_every=refit_every,
        n_regimes=plan.n_regimes,
    )
    return walk.labels, len(walk.refits)


def refuse_late_labels(labels: Mapping[str, pd.DataFrame], first: pd.Timestamp) -> None:
    """Refuse labels that begin after the first decision.

    Raises:
        DataError: Names the labeller.
    """
    for name, table in labels.items():
        if table.index[0] > first:
            bars = [table.index[0], first]
            raise DataError(
                f"the labels of {name} begin on {date_text(table.index[0], bars)}, after the "
                f"first decision on {date_text(first, bars)}",
                source="regime_uses",
                remedy="shorten regime_uses.burn_in, or start the prices earlier.",
            )


def market_moves(market: Market) -> pd.Series:
    """Simple return of the equal-weight market per bar, by date, from the first known one on."""
    moves = pd.Series(np.expm1(market.market_return), index=market.dates, name="market")
    return moves.loc[moves.first_valid_index() :]


def label_exposures(
    name: str,
    labels: pd.DataFrame,
    market: Market,
    *,
    calm: tuple[str, ...],
    in_calm: float,
    otherwise: float,
) -> dict[str, pd.Series]:
    """Exposures that labels ask for, by the most probable regime and by the probabilities.

    Args:
        name: Of the labeller, for error messages.
        labels: Date x regime.
        market: Gives bars and returns; neither way reads the returns.
        calm: Names of regimes that count as calm, wherever they occur.
        in_calm: Exposure in a calm regime, at most 1.
        otherwise: In any other, at most 1.

    Returns:
        :data:`BY_LABEL` and :data:`BY_PROBABILITY` to exposure by decision date.

    Raises:
        ParameterError: None or all of the regimes count as calm, or an exposure is not from 0
            to 1.
        DataError: The labels are no probabilities.
    """
    names = [str(column) for column in labels.columns]
    own = tuple(regime for regime in names if regime in calm)
    if not 0 < len(own) < len(names):
        raise ParameterError(
            f"regime_uses.overlay.calm must name some of the regimes of {name}, and not all: they "
            f"are {', '.join(names)}, and calm is {', '.join(calm)}."
        )
    shares = {regime: in_calm if regime in own else otherwise for regime in names}
    rules: dict[str, ExposureRule] = {
        BY_LABEL: Levered(in_calm=in_calm, otherwise=otherwise, calm=own),
        BY_PROBABILITY: ProbabilityWeighted(by_regime=shares),
    }
    known = Known(market_moves(market), labels, market.bars_per_year)
    return {way: decide(rule, known, max_exposure=1.0).exposure for way, rule in rules.items()}


def all_exposures(
    market: Market,
    labels: Mapping[str, pd.DataFrame],
    control: VolatilityTarget,
    *,
    calm: tuple[str, ...],
    in_calm: float,
    otherwise: float,
) -> dict[tuple[str, str], pd.Series]:
    """Labels and way to exposure: :func:`label_exposures` of every labeller, then the control.

    Args:
        market: Prices; the control targets the volatility of the mean return over the universe.
        labels: Labeller to date x regime.
        control: Volatility targeting, which needs no labels.
        calm: See :func:`label_exposures`, as for the next two.
        in_calm: Exposure in a calm regime.
        otherwise: In any other.

    Raises:
        ParameterError: See :func:`label_exposures`; or the control wants more than 1.
        DataError: Labels are no probabilities, or the market has no return on some bar.
    """
    found = {
        (name, way): exposure
        for name, table in labels.items()
        for way, exposure in label_exposures(
            name, table, market, calm=calm, in_calm=in_calm, otherwise=otherwise
        ).items()
    }
    known = Known(market_moves(market), None, market.bars_per_year)
    found[NO_LABELS, control.name] = decide(control, known, max_exposure=1.0).exposure
    return found
