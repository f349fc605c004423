"""The placebo of pipelines that a user registered: what is run, counted, kept and refused."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from panel_registry import (
    BARS,
    boast,
    compare,
    fail,
    given,
    placebo_block,
    raw_prices,
    registry,
    run_placebo,
)

from regime_nas_pipeline.audit.panels import make_panels
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.pipelines.audit.scope import typed
from regime_nas_pipeline.pipelines.placebo.job import (
    job_identity,
    panel_job,
    quietly,
    refuse_false_null,
    whole_job,
)
from regime_nas_pipeline.pipelines.placebo.parameters import PanelSet, Placebo, Power
from regime_nas_pipeline.pipelines.placebo.source import edges_of, shocks_of
from regime_nas_pipeline.report.placebo_words import placebo_closing_line
from regime_nas_pipeline.walkforward.parameters import Universe, WalkForward

UNIVERSE = Universe(benchmark="IND", min_history=20, bars_per_year=252)
WALK = WalkForward(
    first_oos="2019-01-01", horizon=5, execution_lag=1, refit_every=20, rebalance_every=10
)


def test_p_values_are_those_of_the_registered_nodes_on_the_panels_own_out_of_sample_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = run_placebo(monkeypatch)
    table = made["placebo_p_values"]
    assert table.groupby("set")["panel"].nunique().to_dict() == {"drawn": 3, "fitted": 2}
    # By hand: the second panel, traded and tested without Kedro.
    shocks = shocks_of(PanelSet(source="bootstrap", n_panels=3, seed=3), raw_prices(), UNIVERSE)
    panels = make_panels(shocks, dates=BARS[-200:], n_panels=3, seed=3, benchmark="IND")
    close = panels[1].prices().pivot(index="date", columns="asset", values="close")
    own = close.drop(columns="IND").pct_change().iloc[100:]
    returns = pd.DataFrame(
        {
            "regime_nas": own.iloc[:, :1].mean(axis=1),
            "gru": own.iloc[:, 1:3].mean(axis=1),
            "equal_weight": own.mean(axis=1),
        }
    )
    pairs, superior = compare(returns, given(PieceCache(None))["params:verdict"])
    second = table[(table["set"] == "drawn") & (table["panel"] == 1)].set_index(["test", "subject"])
    for row in pairs.to_dict("records"):
        assert second.loc[(row["test"], row["subject"]), "p_beats"] == row["p_beats"]
    spa = second.loc[("spa_mean", "any strategy"), "p_beats"]
    assert spa == superior["p_spa"].iloc[0]
    source = made["placebo_source"]
    assert source["data_sha256"] == "abc"
    assert (source["first"], source["last"]) == (str(BARS[-200].date()), str(BARS[-1].date()))
    assert source["shocks"]["drawn"]["assets"] == ["AAA", "BBB", "CCC", "DDD"]


def test_honest_tests_are_kept_and_boasting_ones_withdrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = run_placebo(monkeypatch, n_panels=16)
    verdicts = honest["placebo_verdicts"]
    assert verdicts["withdrawn"] == []
    assert verdicts["tests"]["ledoit_wolf"]["verdict"] == "kept"
    assert verdicts["sample"]["oos_bars"] == 100
    assert json.loads(json.dumps(verdicts)) == verdicts
    assert "none is withdrawn" in placebo_closing_line(verdicts)
    assert "<html" in honest["placebo_report"]
    boasting = run_placebo(monkeypatch, boast, n_panels=16)["placebo_verdicts"]
    assert boasting["withdrawn"] == ["jobson_korkie_memmel", "ledoit_wolf"]
    assert "Ledoit-Wolf" in placebo_closing_line(boasting)
    assert boasting["tests"]["spa_mean"] == verdicts["tests"]["spa_mean"]


def test_finished_panels_are_kept_and_made_anew_where_a_parameter_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = run_placebo(monkeypatch, folder=tmp_path)
    n_pieces = len(list(tmp_path.rglob("*.safetensors")))
    assert n_pieces == 5
    again = run_placebo(monkeypatch, folder=tmp_path)
    pd.testing.assert_frame_equal(
        first["placebo_p_values"], again["placebo_p_values"], check_exact=True
    )
    assert len(list(tmp_path.rglob("*.safetensors"))) == n_pieces
    other = run_placebo(monkeypatch, folder=tmp_path, resamples=49)
    assert len(list(tmp_path.rglob("*.safetensors"))) == 2 * n_pieces
    assert not other["placebo_p_values"].equals(first["placebo_p_values"])


def test_the_identity_knows_parameters_nodes_and_chosen_classes() -> None:
    stages = whole_job(registry()["__default__"])
    read = typed(given(PieceCache("somewhere"), n_jobs=-1), stages.before + stages.job)
    job = panel_job(stages.job, read, oos_share=0.5)
    # All cores are at work on panels; inside, one process and no pieces of its own.
    assert job.given["params:compute"].n_jobs == 1
    assert job.given["finished_pieces"].directory is None
    identity = job_identity(job)
    assert json.loads(json.dumps(identity)) == identity
    assert "prices" not in identity["read"]
    names = {name.partition(":")[0] for name, _ in identity["nodes"]}
    assert names == {"trade", "compare", "deflate"}  # nothing is drawn, nothing ingested
    boasting = whole_job(registry(boast)["__default__"])
    assert job_identity(panel_job(boasting.job, read, oos_share=0.5)) != identity
    assert job_identity(panel_job(stages.job, read, oos_share=0.4)) != identity


@pytest.mark.parametrize(
    ("changes", "name"),
    [({"cost_bps": 5.0}, r"portfolio\.cost_bps is 5"), ({"risk_free": 0.01}, r"risk_free is 0.01")],
)
def test_costs_and_interest_are_refused_before_any_panel(
    changes: dict[str, float], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ParameterError, match=f"{name} and must be 0"):
        run_placebo(monkeypatch, fail, portfolio=changes)
    with pytest.raises(ParameterError, match="--env=placebo"):
        refuse_false_null(given(PieceCache(None), portfolio=changes)["params:portfolio"])


def test_a_panel_on_which_the_job_fails_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"panel 0 of seed 3 \(200 bars\): .*a node ran"):
        run_placebo(monkeypatch, fail)


def test_a_registry_without_the_reports_tests_is_refused() -> None:
    whole = registry()["__default__"]
    lacking = whole.only_nodes("take", "trade")
    with pytest.raises(ParameterError, match="needs the dataset 'comparison_tests'"):
        whole_job(lacking)


def test_panels_longer_than_the_prices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    block = placebo_block() | {"n_bars": 500}
    monkeypatch.setattr("panel_registry.placebo_block", lambda n_panels: block)
    with pytest.raises(DataError, match="panels of 500 bars are asked for and the prices have 420"):
        run_placebo(monkeypatch)


def test_inner_nodes_are_silent_and_warnings_are_not(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("inner")
    with caplog.at_level(logging.INFO), quietly():
        sys.stderr.write("a bar")
        logger.info("a node")
        logger.warning("a fallback")
    logger.warning("after")
    assert "a bar" not in capsys.readouterr().err
    assert [record.message for record in caplog.records] == ["a fallback", "after"]
    assert logging.root.manager.disable == 0


POWER = {
    "panels": {"source": "bootstrap", "n_panels": 4, "seed": 1},
    "n_bars": [200, 400],
    "oos_share": 0.5,
    "edges": {"momentum": [0.05, 0.1], "regime_drift": [0.1], "regime_autocorrelation": [0.2]},
    "forecasters": {
        "momentum": {
            "class": "regime_nas_pipeline.forecasters.momentum.MomentumForecaster",
            "params": {"lookback": 20},
        }
    },
}


def test_edges_are_those_asked_for_beside_none() -> None:
    edges = edges_of(Power.model_validate(POWER), WALK)
    assert edges[0] is None
    named = [(edge.name, edge.size) for edge in edges[1:]]
    assert named == [
        ("momentum", 0.05),
        ("momentum", 0.1),
        ("regime_drift", 0.1),
        ("regime_autocorrelation", 0.2),
    ]
    assert (edges[1].horizon, edges[1].execution_lag) == (5, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_bars": [400, 200]}, "n_bars must increase"),
        ({"edges": {"momentum": [0.1, 0.1]}}, r"edges\.momentum must increase"),
        ({"edges": {"reversal": [0.1]}}, "reversal"),
        ({"full": {"n_bars": 300, "n_panels": 2}}, "300 is not one of n_bars"),
        ({"full": {"n_bars": 200, "n_panels": 5}}, "cannot be more than panels"),
        ({"panels": {"source": "garch", "n_panels": 1, "seed": 1, "block_length": 5}}, "bootstrap"),
    ],
)
def test_contradictions_in_the_power_block_are_refused(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Power.model_validate({**POWER, **changes})


def test_two_sets_of_the_same_panels_are_refused() -> None:
    block = placebo_block()
    block["sets"]["again"] = {"source": "bootstrap", "n_panels": 9, "seed": 3}
    with pytest.raises(ValueError, match="again has the panels of drawn"):
        Placebo.model_validate(block)


def test_the_panels_of_a_set_are_martingales_of_the_environments_assets() -> None:
    for source in ("bootstrap", "garch"):
        shocks = shocks_of(PanelSet(source=source, n_panels=1, seed=1), raw_prices(), UNIVERSE)
        assert shocks.assets == ("AAA", "BBB", "CCC", "DDD")
        assert shocks.symmetric
        assert shocks.scale == pytest.approx(0.01, rel=0.3)
        assert np.isfinite(shocks.scale).all()
