"""Labels as an overlay over every strategy, and as what an allocator's covariance depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.parallel import parallel_map
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.backtest import Backtest
from regime_nas_pipeline.portfolio.covariance import with_volatility
from regime_nas_pipeline.portfolio.covariance_by_regime import regime_covariance
from regime_nas_pipeline.portfolio.exposure.overlay import overlay
from regime_nas_pipeline.walkforward.deciding import Choices
from regime_nas_pipeline.walkforward.evaluation_ledger import REFERENCE, VariantReturns, Whose
from regime_nas_pipeline.walkforward.regime_uses.base import (
    COVARIANCE,
    OVERLAY,
    Base,
    Used,
    use_figures,
)
from regime_nas_pipeline.walkforward.regime_uses.labels import BY_LABEL
from regime_nas_pipeline.walkforward.trading import market_returns, trade

PLAIN = "plain"
"""Use of the strategies as they were."""

RETURN_COLUMNS = ("use", "labels", "way", "strategy", "date", "net")
BLEND_COLUMNS = ("labels", "date", "regime", "effective_bars", "share")


@dataclass(frozen=True, eq=False)
class UsesTraded:
    """What was traded with labels.

    Attributes:
        paths: What it is to its backtest.
        fallbacks: What it is to the decisions at which its allocator fell back, where it has one
            of its own.
        blends: One row per labeller and decision, :data:`BLEND_COLUMNS`: the regime at the
            decision, the bars behind its covariance, and the weight of that covariance.
    """

    paths: dict[Used, Backtest]
    fallbacks: dict[Used, int]
    blends: pd.DataFrame


def overlay_all(base: Base, exposures: Mapping[tuple[str, str], pd.Series]) -> dict[Used, Backtest]:
    """Lay every exposure over every strategy.

    Args:
        base: The strategies.
        exposures: Labels and way to exposure by decision date, from 0 to 1.

    Raises:
        DataError: An exposure is missing on a bar that needs it.
    """
    returns = market_returns(base.market)
    made = {}
    for (labels, way), exposure in exposures.items():
        for strategy, path in base.paths.items():
            made[Used(OVERLAY, labels, way, strategy)] = overlay(
                returns[list(path.weights.columns)],
                path,
                exposure,
                execution_lag=base.rules.execution_lag,
                cost_bps=base.rules.cost_bps,
            )
    return made


def choices_by_regime(
    market: Market,
    choices: Mapping[pd.Timestamp, Choices],
    labels: pd.DataFrame,
    *,
    horizon: int,
    prior_bars: float,
    volatility: np.ndarray | None = None,
) -> tuple[dict[pd.Timestamp, Choices], pd.DataFrame]:
    """The same universe at every decision, with the covariance of the regime of that decision.

    The regime is the most probable one at the decision, of equally probable ones the first. Bars
    count as far as they were said to be in it at the time; nothing after the decision is read.

    Args:
        market: Prices.
        choices: Universe and Ledoit-Wolf covariance of every decision.
        labels: Date x regime, as known on the day.
        horizon: Bars of the covariance.
        prior_bars: Bars that the covariance of all bars is worth, see
            :func:`~regime_nas_pipeline.portfolio.covariance_by_regime.regime_covariance`.
        volatility: (D, N) forecasts that rescale the covariance, as in ``deciding.choices_at``.

    Returns:
        Choices by decision date, and :data:`BLEND_COLUMNS` without the first.

    Raises:
        DataError: There is no label at a decision.
    """
    found, rows = {}, []
    for i, (date, choice) in enumerate(choices.items()):
        known = market.until(date)
        said = labels.reindex(known.dates).to_numpy(dtype=float)
        if not np.isfinite(said[-1]).all():
            raise DataError(
                "there is no regime label on this decision date",
                source="regime_uses_labels",
                date=date,
                remedy="shorten regime_uses.burn_in, or start the prices earlier.",
            )
        regime = int(said[-1].argmax())
        blend = regime_covariance(
            known.log_returns[1:, choice.assets],
            said[1:, regime],
            choice.covariance,
            horizon=horizon,
            prior_bars=prior_bars,
        )
        covariance = blend.covariance
        if volatility is not None:
            forecast = volatility[i, choice.assets]
            own = np.sqrt(np.diag(covariance))
            wanted = np.where(np.isfinite(forecast), forecast, own)
            covariance = with_volatility(covariance, wanted)
        found[date] = Choices(choice.assets, covariance)
        rows.append((date, str(labels.columns[regime]), blend.effective_bars, blend.share))
    return found, pd.DataFrame(rows, columns=list(BLEND_COLUMNS[1:]))


def _trade_by_regime(
    base: Base, name: str, labels: pd.DataFrame, prior_bars: float
) -> tuple[dict[Used, Backtest], dict[Used, int], pd.DataFrame]:
    choices, blends = choices_by_regime(
        base.market,
        base.choices,
        labels,
        horizon=base.rules.horizon,
        prior_bars=prior_bars,
        volatility=base.volatility,
    )
    paths, fallbacks = {}, {}
    for strategy, (allocator, mean) in base.plans.items():
        if strategy == REFERENCE:  # reads no covariance
            continue
        used = Used(COVARIANCE, name, BY_LABEL, strategy)
        traded = trade(base.market, choices, allocator, base.rules, mean)
        paths[used] = traded.backtest
        fallbacks[used] = int(traded.decisions["fallback"].sum())
    return paths, fallbacks, blends.assign(labels=name)[list(BLEND_COLUMNS)]


def trade_uses(
    base: Base,
    labels: Mapping[str, pd.DataFrame],
    exposures: Mapping[tuple[str, str], pd.Series],
    *,
    prior_bars: float,
    n_jobs: int = 1,
) -> UsesTraded:
    """Trade every strategy under every overlay, and those that read a covariance under each of it.

    Args:
        base: The strategies.
        labels: Labeller to date x regime, as known on the day.
        exposures: See :func:`overlay_all`.
        prior_bars: See :func:`choices_by_regime`.
        n_jobs: Processes.

    Raises:
        DataError: A label or an exposure is missing where it is needed.
    """
    overlaid = parallel_map(
        overlay_all,
        [(base, {key: exposure}) for key, exposure in exposures.items()],
        n_jobs=n_jobs,
        description="regime uses: overlays",
        unit="rule",
    )
    chosen = parallel_map(
        _trade_by_regime,
        [(base, name, table, prior_bars) for name, table in labels.items()],
        n_jobs=n_jobs,
        description="regime uses: covariances",
        unit="labeller",
    )
    paths: dict[Used, Backtest] = {}
    fallbacks: dict[Used, int] = {}
    for part in overlaid:
        paths |= part
    for own, own_fallbacks, _ in chosen:
        paths |= own
        fallbacks |= own_fallbacks
    return UsesTraded(paths, fallbacks, pd.concat([b for *_, b in chosen], ignore_index=True))


def returns_table(traded: UsesTraded) -> pd.DataFrame:
    """Net returns of all that was traded, tidy, :data:`RETURN_COLUMNS`."""
    tables = [
        pd.DataFrame({**used._asdict(), "date": path.net.index, "net": path.net.to_numpy()})
        for used, path in traded.paths.items()
    ]
    return pd.concat(tables, ignore_index=True)[list(RETURN_COLUMNS)]


def figures_table(base: Base, traded: UsesTraded) -> pd.DataFrame:
    """One row per strategy as it was (:data:`PLAIN`), then one per use of labels.

    Returns:
        use, labels, way, strategy, the figures of :func:`~.base.use_figures`, and n_fallbacks,
        blank where there is no allocator.
    """
    plain = {Used(PLAIN, "", "", name): path for name, path in base.paths.items()}
    fallbacks = {Used(PLAIN, "", "", name): count for name, count in base.fallbacks.items()}
    fallbacks |= traded.fallbacks
    rows = [
        {
            **used._asdict(),
            **use_figures(
                path,
                bars_per_year=base.market.bars_per_year,
                risk_free=base.rules.risk_free,
            ),
            "n_fallbacks": fallbacks.get(used),
        }
        for used, path in {**plain, **traded.paths}.items()
    ]
    return pd.DataFrame(rows).astype({"n_fallbacks": "Int64"})


def variant_returns(base: Base, traded: UsesTraded) -> VariantReturns:
    """What was traded, as the ledger of evaluations takes it."""
    return VariantReturns(
        {Whose(used.strategy, None, used.variant): path.net for used, path in traded.paths.items()},
        base.paths[REFERENCE].net,
    )
