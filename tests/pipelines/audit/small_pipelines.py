"""A small registry of pipelines without networks, and what a run of its audit takes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline, node
from kedro.runner import SequentialRunner
from pydantic import BaseModel
from tiny_parameters import COMPUTE, TRAINING

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache, content_hash
from regime_nas_pipeline.pipelines.audit import create_pipeline, nodes
from regime_nas_pipeline.pipelines.audit.parameters import Audit
from regime_nas_pipeline.walkforward.parameters import (
    Regimes,
    Universe,
    WalkForward,
)

N_BARS, FIRST_OOS_ROW = 160, 100
BARS = pd.bdate_range("2020-01-01", periods=N_BARS)
EXEMPT = {"summary": "one number about the whole sample"}
RULES: dict[str, Any] = {"*.forecasts": {"kind": "rows", "needs_after": "lag+1"}}


class Window(BaseModel):
    """Parameters of the user's own node."""

    bars: int


def raw_prices() -> pd.DataFrame:
    generator = np.random.default_rng(5)
    close = 100.0 * np.exp(np.cumsum(0.01 * generator.standard_normal((N_BARS, 3)), axis=0))
    wide = pd.DataFrame(close, index=BARS, columns=["AAA", "BBB", "IND"])
    tidy = wide.rename_axis(index="date").reset_index().melt("date", var_name="asset")
    return tidy.rename(columns={"value": "close"}).sort_values(["date", "asset"], ignore_index=True)


def returns_of(prices: pd.DataFrame) -> pd.DataFrame:
    close = prices.pivot(index="date", columns="asset", values="close")
    return np.log(close).diff().fillna(0.0)


def take(raw: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    return raw.copy(), {"rows": len(raw)}


def trailing(prices: pd.DataFrame, window: Window) -> pd.DataFrame:
    return returns_of(prices).rolling(window.bars, min_periods=1).mean()


def centred(prices: pd.DataFrame, window: Window) -> pd.DataFrame:
    """The leak: a window that reaches into the future."""
    return returns_of(prices).rolling(window.bars, min_periods=1, center=True).mean()


def forecast(features: pd.DataFrame, cache: PieceCache) -> pd.DataFrame:
    """A tidy table on every tenth bar that can be traded; kept in the cache of pieces."""
    decided = features.iloc[FIRST_OOS_ROW : len(features) - 2 : 10]
    key = content_hash("forecast", decided.to_numpy())
    piece = cache.get_or_make(key, lambda: Bundle({"mean": 2.0 * decided.to_numpy()}))
    wide = pd.DataFrame(piece.arrays["mean"], index=decided.index, columns=decided.columns)
    return wide.reset_index().melt("date", var_name="asset", value_name="mean")


def summarise(forecasts: pd.DataFrame, manifest: dict[str, Any]) -> dict[str, Any]:
    return {"mean": float(forecasts["mean"].mean()), "rows": manifest["rows"]}


def draw(summary: dict[str, Any]) -> str:
    return str(summary)


def registry(features: Callable[..., pd.DataFrame] = trailing, *added: Any) -> dict[str, Pipeline]:
    """What ``register_pipelines`` would give, with ``features`` and ``added`` by the user."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One or more dataset names contain '.'")
        return _registry(features, added)


def _registry(features: Callable[..., pd.DataFrame], added: tuple[Any, ...]) -> dict[str, Pipeline]:
    main = Pipeline(
        [
            node(take, "raw_prices", ["prices", "data_manifest"], name="take"),
            node(features, ["prices", "params:own.window"], "features", name="own_features"),
            node(forecast, ["features", "finished_pieces"], "own.forecasts", name="forecast"),
            node(summarise, ["own.forecasts", "data_manifest"], "summary", name="summarise"),
            *added,
        ]
    )
    reporting = Pipeline([node(draw, "summary", "report", name="draw")])
    return {"main": main, "reporting": reporting, "__default__": main + reporting}


def given(cache: PieceCache, **audit: Any) -> dict[str, Any]:
    block = {"dates": [0.5], "leave_out": ["reporting"], "rules": RULES, "exempt": EXEMPT}
    labeller = {"class": "regime_nas_pipeline.regimes.kmeans.KMeansLabeller"}
    return {
        "raw_prices": raw_prices(),
        "finished_pieces": cache,
        "params:own.window": {"bars": 5},
        "params:audit": Audit.model_validate({**block, **audit}),
        "params:universe": Universe(benchmark="IND", min_history=20, bars_per_year=252),
        "params:walk_forward": WalkForward(
            first_oos=BARS[FIRST_OOS_ROW].date(),
            horizon=2,
            execution_lag=1,
            refit_every=20,
            rebalance_every=10,
        ),
        "params:regimes": Regimes.model_validate(
            {"labeller": labeller, "burn_in": 30, "refit_every": 10}
        ),
        "params:training": TRAINING,
        "params:compute": COMPUTE,
    }


def run_audit(
    monkeypatch: pytest.MonkeyPatch,
    pipelines: dict[str, Pipeline],
    cache: PieceCache | None = None,
    **audit: Any,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Run the audit's own pipeline as Kedro does; gives the audit and the manifest."""
    monkeypatch.setattr(nodes, "pipelines", pipelines)
    read = given(cache or PieceCache(None), **audit)
    catalog = DataCatalog({name: MemoryDataset(value) for name, value in read.items()})
    pipeline = create_pipeline(pipelines["__default__"])
    made = SequentialRunner().run(pipeline, catalog)
    return made["audit"].load(), made["fold_manifest"].load()
