"""Everything that the page is made of."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from trading_fixtures import ASSETS

from regime_nas_pipeline.report import figures as draw


@pytest.fixture(scope="session")
def quality() -> dict[str, Any]:
    def asset(number: int) -> dict[str, Any]:
        return {
            "rows": 8313,
            "first": "1990-01-02",
            "last": "2022-12-28",
            "filled_gaps": {"count": number % 3, "longest": number % 3, "bars": number % 3},
            "stale_runs": {"count": number % 2, "longest": 5 * (number % 2), "first_date": None},
            "jumps": {"count": 0, "dates": []},
            "zero_volume_bars": None,
        }

    return {
        "source": "skfolio",
        "assets": {name: asset(number) for number, name in enumerate(ASSETS)},
        "totals": {"assets": 20, "rows": 166260, "first": "1990-01-02", "last": "2022-12-28"},
        "notes": [
            {
                "kind": "zero_volume",
                "message": "No volume in this source.",
                "asset": "RRC",
                "count": 3,
            }
        ],
    }


@pytest.fixture(scope="session")
def manifest() -> dict[str, Any]:
    return {
        "git_sha": "3f1c9d2a7b",
        "data_sha256": "9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab",
        "seed": 42,
        "env": "base",
        "versions": {"python": "3.11.9", "torch": "2.13.0", "pandas": "3.1.0", "optuna": "5.0.1"},
        "seconds": {"ingestion": 1.3, "regime_labelling": 9.8, "nas_search": 141.2},
    }


@pytest.fixture(scope="session")
def closures(dates: pd.DatetimeIndex) -> pd.DataFrame:
    """RRC's price ended while two strategies held it."""
    return pd.DataFrame(
        {
            "date": dates[40],
            "strategy": ["gru", "equal_weight"],
            "asset": "RRC",
            "reason": "price ended",
            "weight": [0.125, 0.05],
            "price": 19.25,
        }
    )


@pytest.fixture(scope="session")
def limits() -> list[str]:
    return [
        "The assets were chosen because they exist today, so all results are survivor-biased. "
        "Every strategy gains from this, and equal weight no less than the others.",
        "There are only shares, and no bonds or commodities, to hide in.",
        "The benchmark is a price index without dividends. Holders earned some 2 % a year more.",
    ]


@pytest.fixture(scope="session")
def all_figures(
    *,
    strategy_returns: pd.DataFrame,
    regimes: pd.DataFrame,
    weights: pd.DataFrame,
    forecasts: dict[str, dict[str, Any]],
    spreads: pd.DataFrame,
    bins: pd.DataFrame,
    seed_spreads: pd.DataFrame,
    found: dict[str, Any],
    trials: pd.DataFrame,
    front: pd.DataFrame,
    verdict: dict[str, Any],
) -> dict[str, Any]:
    level = 2058.2 * (1.0 + strategy_returns["buy_and_hold"]).cumprod().rename("S&P 500")
    return {
        "equity_curves": draw.equity_curves(strategy_returns),
        "drawdowns": draw.drawdowns(strategy_returns),
        "rolling_sharpe": draw.rolling_sharpe(strategy_returns, regimes, 252, 0.015),
        "regime_history": draw.regime_history(level, regimes),
        "weights_over_time": draw.weights_over_time(weights),
        "forecast_accuracy": draw.forecast_accuracy(forecasts),
        "spread_calibration": draw.spread_calibration(spreads),
        "reliability": draw.reliability(bins),
        "seed_spread": draw.seed_spread(seed_spreads),
        "architecture": draw.architecture(found),
        "search_progress": draw.search_progress(trials),
        "pareto_front": draw.pareto_front(front),
        "overfitting_logits": draw.overfitting_logits(verdict["overfitting"]),
        "sharpe_by_cost": draw.sharpe_by_cost(
            verdict["cost_curve"], verdict["break_even_costs"], cost_bps=5.0
        ),
        "attribution_steps": draw.attribution_steps(verdict["attribution"]),
    }


@pytest.fixture
def report_parts(
    *,
    summary: dict[str, Any],
    tables: dict[str, pd.DataFrame],
    all_figures: dict[str, Any],
    quality: dict[str, Any],
    manifest: dict[str, Any],
    found: dict[str, Any],
    search: dict[str, Any],
    limits: list[str],
    verdict: dict[str, Any],
    closures: pd.DataFrame,
) -> dict[str, Any]:
    """Keyword arguments of ``render_report``; a test may change its copy."""
    headline = (
        "RegimeNAS did not earn more than momentum after costs: Sharpe 0.51 against 0.55, Holm "
        "p = 0.81. Its forecasts beat no change by a hair, which after 60 trials may be luck."
    )
    return {
        "headline": headline,
        "summary": summary,
        "tables": dict(tables),
        "figures": dict(all_figures),
        "quality": quality,
        "manifest": manifest,
        "architecture": found,
        "search": search,
        "limits": limits,
        "verdict": dict(verdict),
        "closures": closures,
    }
