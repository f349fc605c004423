"""What labels are worth, from a tiny finished run to the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import ValidationError
from tiny_parameters import BARS
from uses_pipelines import USES, given, run, uses, whole_run

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.pipelines.regime_uses.nodes import label, trade_with_labels
from regime_nas_pipeline.pipelines.regime_uses.parameters import RegimeUses
from regime_nas_pipeline.verdict.regime_uses import closing_line

pytestmark = pytest.mark.slow

CONF = Path(__file__).parents[3] / "conf" / "base"
LABELLERS = list(USES["labellers"])
STRATEGIES = ["regime_nas", "momentum", "equal_weight", "mvo_flat", "buy_and_hold"]


@pytest.fixture(scope="module")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pieces")


@pytest.fixture(scope="module")
def finished(cache_folder: Path) -> dict[str, Any]:
    return run(uses(), run(whole_run(), given(PieceCache(cache_folder))))


def changed(**blocks: Any) -> RegimeUses:
    return RegimeUses.model_validate({**USES, **blocks})


def test_every_use_of_every_labeller_is_traded_beside_its_controls(
    finished: dict[str, Any],
) -> None:
    table = pd.DataFrame(finished["regime_uses_table"]["comparison"])
    keys = ["use", "labels", "way", "strategy"]
    found = {tuple(row) for row in table[keys].to_numpy()}
    readers = [name for name in STRATEGIES if name not in {"equal_weight", "buy_and_hold"}]
    expected = (
        {
            ("overlay", labels, way, name)
            for labels in LABELLERS
            for way in ("by_label", "by_probability")
            for name in STRATEGIES
        }
        | {("overlay", "none", "volatility_target", name) for name in STRATEGIES}
        | {("covariance", labels, "by_label", name) for labels in LABELLERS for name in readers}
        | {
            ("supervision", labels, "in_the_loss", "regime_nas")
            for labels in [*LABELLERS, "shuffled"]
        }
    )
    assert found == expected
    assert len(table) == len(expected)
    returns = finished["regime_uses_returns"]
    dates = finished["strategy_returns"].index
    assert len(returns) == len(dates) * (len(expected) - 3)
    assert np.isfinite(returns["net"]).all()
    # Momentum is that of the run; labels decide only how much of it is held.
    sharpes = {name: row["sharpe"] for name, row in finished["strategy_figures"].items()}
    plain = table[table["use"] != "supervision"].set_index("strategy")["plain"]
    for name in STRATEGIES:
        assert plain[name].to_numpy() == pytest.approx(sharpes[name])


def test_everything_is_in_the_ledger_with_its_returns(finished: dict[str, Any]) -> None:
    traded = finished["regime_uses_evaluations"]
    trained = finished["regime_uses_supervised_evaluations"]
    rows = pd.concat([traded, trained], ignore_index=True)
    assert set(rows["origin"]) == {"regime_uses"}
    own = finished["evaluations"]
    reference = own.loc[own["strategy"] == "equal_weight", "evaluation_id"].item()
    assert set(rows["reference_id"]) == {reference}
    variants = rows[rows["variant"].notna()]
    n_traded = finished["regime_uses_returns"].groupby(["use", "labels", "way", "strategy"]).ngroups
    assert len(variants) == n_traded + 2 * (len(LABELLERS) + 2)
    assert variants["evaluation_id"].is_unique
    returns = finished["regime_uses_returns"]
    series = returns[(returns["labels"] == "kmeans") & (returns["strategy"] == "momentum")]
    net = series[(series["use"] == "covariance")]["net"]
    kept = variants[
        (variants["variant"] == "covariance.kmeans.by_label") & (variants["strategy"] == "momentum")
    ]
    assert list(kept["returns"].item()) == net.tolist()
    assert variants.loc[variants["variant"].str.startswith("supervision"), "seed"].notna().all()


def test_the_ledger_is_the_first_thing_that_is_written() -> None:
    for node in uses().nodes:
        ledgers = [name for name in node.outputs if name.endswith("evaluations")]
        assert node.outputs[: len(ledgers)] == ledgers
    assert {"regime_uses_evaluations", "regime_uses_supervised_evaluations"} <= (
        uses().all_outputs()
    )


def test_networks_depend_on_the_labels_that_teach_them(
    finished: dict[str, Any],
) -> None:
    results = finished["regime_uses_supervised"]
    wide = results[results["metric"] == "theil_u"].pivot(
        index="seed", columns="variant", values="value"
    )
    assert set(wide.columns) == {"none", *LABELLERS, "shuffled"}
    assert not np.allclose(wide["none"], wide["kmeans"], rtol=1e-9)
    assert not np.allclose(wide["kmeans"], wide["shuffled"], rtol=1e-9)


def test_another_run_trains_nothing_again_and_says_the_same(
    finished: dict[str, Any], cache_folder: Path
) -> None:
    pieces = sorted(cache_folder.rglob("*.safetensors"))
    written = [path.stat().st_mtime_ns for path in pieces]
    again = run(uses().only_nodes("regime_uses.supervise"), finished)
    assert sorted(cache_folder.rglob("*.safetensors")) == pieces
    assert [path.stat().st_mtime_ns for path in pieces] == written
    pd.testing.assert_frame_equal(
        again["regime_uses_supervised_evaluations"], finished["regime_uses_supervised_evaluations"]
    )


def test_labels_know_nothing_of_later_prices(finished: dict[str, Any]) -> None:
    cut = BARS[205]
    prices = finished["prices"].copy()
    later = prices["date"] > cut
    prices.loc[later, "close"] *= np.random.default_rng(1).uniform(0.5, 1.5, later.sum())
    blocks = {name: finished[f"params:{name}"] for name in ("universe", "walk_forward")}
    labels, _ = label(
        prices,
        blocks["universe"],
        blocks["walk_forward"],
        finished["params:regime_uses"],
        finished["params:compute"],
    )
    own = finished["regime_uses_labels"]
    pd.testing.assert_frame_equal(
        labels[labels["date"] <= cut].reset_index(drop=True),
        own[own["date"] <= cut].reset_index(drop=True),
        check_exact=True,
    )
    assert not labels[labels["date"] > cut].equals(own[own["date"] > cut])


def test_a_run_that_was_traded_otherwise_is_refused(finished: dict[str, Any]) -> None:
    names = ("universe", "walk_forward", "portfolio", "compute", "regime_uses")
    blocks = {name: finished[f"params:{name}"] for name in names}
    blocks["portfolio"] = blocks["portfolio"].model_copy(update={"cost_bps": 6.0})
    with pytest.raises(DataError, match="run walk_forward_evaluation again"):
        trade_with_labels(
            prices=finished["prices"],
            labels=finished["regime_uses_labels"],
            strategy_returns=finished["strategy_returns"],
            gross_returns=finished["gross_returns"],
            run_facts=finished["run_facts"],
            **blocks,
            regime_nas=finished["regime_nas.forecasts"],
            momentum=finished["momentum.forecasts"],
        )


def test_labels_that_begin_after_the_first_decision_are_refused(finished: dict[str, Any]) -> None:
    late = {**finished, "params:regime_uses": changed(burn_in=190)}
    with pytest.raises(DataError, match="burn_in"):
        run(uses().only_nodes("regime_uses.label"), late)


def test_a_forecaster_without_a_detector_is_refused(finished: dict[str, Any]) -> None:
    other = {
        **finished,
        "params:regime_nas.forecaster": finished["params:momentum.forecaster"],
        "architecture": {"parameters": {}},
    }
    with pytest.raises(ParameterError, match="MomentumForecaster"):
        run(uses().only_nodes("regime_uses.supervise"), other)
    uniform = {
        **finished,
        "architecture": {
            "parameters": {**finished["architecture"]["parameters"], "gate": "uniform"}
        },
    }
    with pytest.raises(ParameterError, match="gate 'uniform'"):
        run(uses().only_nodes("regime_uses.supervise"), uniform)


def test_the_page_says_what_was_found_and_what_cash_earns(finished: dict[str, Any]) -> None:
    page, table = finished["regime_uses_report"], finished["regime_uses_table"]
    assert 'id="figure-regime_uses-data"' in page
    assert "Few assets." in page
    assert "Not part of this run" not in page
    assert "credits cash with nothing" in page
    assert closing_line(table) == table["headline"]
    assert table["headline"].startswith("In the environment 'tiny'")
    assert set(table["sentences"]) == {"overlay", "covariance", "supervision"}


def test_everything_can_be_written_and_comes_back(finished: dict[str, Any], tmp_path: Path) -> None:
    for name in ("table", "facts", "label_facts"):
        made = finished[f"regime_uses_{name}"]
        assert json.loads(json.dumps(made, allow_nan=False)) == made
    for name in ("labels", "returns", "figures", "blends", "supervised"):
        made = finished[f"regime_uses_{name}"]
        made.to_parquet(tmp_path / name)
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / name), made)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"overlay": {**USES["overlay"], "otherwise": 1.0}}, "labels decide nothing"),
        ({"overlay": {**USES["overlay"], "in_calm": 1.5}}, "less than or equal to 1"),
        (
            {
                "overlay": {
                    **USES["overlay"],
                    "volatility_target": {"target": 0.1, "cap": 2.0, "window": 10},
                }
            },
            "an overlay holds at most 1",
        ),
        ({"labellers": {"shuffled": USES["labellers"]["kmeans"]}}, "is a control"),
        ({"labellers": {}}, "at least 1"),
        ({"supervision": {**USES["supervision"], "label_weight": 0.0}}, "greater than 0"),
        ({"supervision": {**USES["supervision"], "seeds": 1}}, "greater than or equal to 2"),
        ({"covariances": {}}, "Extra inputs"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(block: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        changed(**block)


def test_the_base_environment_has_the_parameters_and_a_file_for_every_output() -> None:
    parameters = yaml.safe_load((CONF / "parameters_regime_uses.yml").read_text())
    base = RegimeUses.model_validate(parameters["regime_uses"])
    assert list(base.labellers) == [
        "kmeans",
        "gaussian_mixture",
        "markov",
        "jump",
        "volatility_threshold",
    ]
    catalog = yaml.safe_load((CONF / "catalog_regime_uses.yml").read_text())
    assert set(catalog) | {"regime_uses_figure"} == uses().all_outputs()
    for name, entry in catalog.items():
        room = "ledger" if name.endswith("evaluations") else "whole_files"
        assert entry["type"].startswith(f"regime_nas_pipeline.datasets.{room}."), name
