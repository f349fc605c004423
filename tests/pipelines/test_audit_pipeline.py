"""The audit of the project's own pipelines, on a tiny run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project
from project_runs import PROJECT, Case, make_case

from regime_nas_pipeline.pipeline_registry import FORECASTERS, SEARCHED
from regime_nas_pipeline.pipelines.audit.declared import declared_for
from regime_nas_pipeline.pipelines.audit.parameters import Audit
from regime_nas_pipeline.pipelines.audit.scope import scope_of
from regime_nas_pipeline.pipelines.regime_labelling import nodes as label_nodes
from regime_nas_pipeline.regimes.schedule import LabelWalk, label_walk

TINY = {
    "universe": {"assets": ["AAPL", "KO", "XOM"], "end": "2015-12-15"},
    "walk_forward": {"first_oos": "2015-09-01", "refit_every": 42},
    "training": {"n_seeds": 1, "max_samples": 150},
    "search": {"budget": 400, "trials": 1, "start_up": 1, "batch": 1},
    "regime_nas": {"space": {"nodes": {"kind": "options", "options": [1]}}},
    "audit": {"dates": ["search_end", 0.5]},
}


def declared_in_base() -> Audit:
    text = (PROJECT / "conf" / "base" / "parameters_audit.yml").read_text()
    return Audit.model_validate(yaml.safe_load(text)["audit"])


def test_what_the_configuration_declares_fits_the_registered_pipelines() -> None:
    bootstrap_project(PROJECT)
    audit = declared_in_base()
    scope = scope_of(pipelines, audit.leave_out)
    declared = declared_for(audit, scope.audited.all_outputs())
    for name in FORECASTERS:
        for kind in ("forecasts", "checkpoints", "training_log"):
            assert f"{name}.{kind}" in declared.rules
    assert set(SEARCHED.values()) < set(declared.rules)
    # All other datasets are rows known at the close of their own date.
    plain = scope.audited.all_outputs() - set(declared.rules) - set(declared.exempt)
    assert plain == {"regimes", "regime_refits", "strategy_returns", "gross_returns"}
    assert {node.name for node in scope.before.nodes} == {"validate_prices"}


@pytest.mark.slow
def test_a_labeller_that_knows_the_next_bar_is_caught_in_the_registered_pipelines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def label_ahead(*args: object, **settings: object) -> LabelWalk:
        walk = label_walk(*args, **settings)
        return replace(walk, labels=walk.labels.shift(-1))

    other = ["nas_search", "baseline_training", "walk_forward_evaluation", "verdict", "reporting"]
    labels_alone = {**TINY, "audit": {"dates": [0.5], "leave_out": other}}
    case = make_case(tmp_path, parameters=labels_alone)
    case.run(pipelines=["audit"])
    assert case.load("audit")["passed"]
    monkeypatch.setattr(label_nodes, "label_walk", label_ahead)
    case.run(pipelines=["audit"])
    leak = case.load("audit")["first_leak"]
    assert (leak["node"], leak["dataset"]) == ("label_regimes", "regimes")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, str]:
    """A finished audit, and the last line that it printed."""
    case = make_case(tmp_path_factory.mktemp("audited") / "case", parameters=TINY)
    return case, case.process("--pipelines=audit").splitlines()[-1]


@pytest.fixture(scope="module")
def audited(run: tuple[Case, str]) -> Case:
    return run[0]


@pytest.mark.slow
def test_the_project_passes_its_own_audit(audited: Case) -> None:
    found = audited.load("audit")
    assert found["first_leak"] is None, json.dumps(found["first_leak"], indent=1)
    assert found["manifest"]["violations"] == []
    assert found["passed"]
    assert found["uncompared"] == []
    decisions = audited.load("fold_manifest").query("role == 'test' and forecaster == 'gru'")
    middle = pd.Timestamp(decisions["date"].sort_values().iloc[len(decisions) // 2])
    checks = [(pd.Timestamp(each["date"]), each["alteration"]) for each in found["checks"]]
    assert checks == [
        (pd.Timestamp("2015-08-31"), "scrambled"),
        (middle, "scrambled"),
        (middle, "cut"),
    ]
    for each in found["checks"][1:]:
        assert all(each["compared"].values()), each
    assert set(found["nodes"]) | set(found["exempt"]) == scope_outputs()


def scope_outputs() -> set[str]:
    bootstrap_project(PROJECT)
    outputs: set[str] = scope_of(pipelines, declared_in_base().leave_out).audited.all_outputs()
    return outputs


@pytest.mark.slow
def test_the_manifest_tells_what_every_forecaster_was_trained_and_tested_on(audited: Case) -> None:
    manifest = audited.load("fold_manifest")
    assert set(manifest["forecaster"]) == set(FORECASTERS)
    networks = manifest[manifest["forecaster"].isin(list(SEARCHED))]
    for (_, fold), samples in networks.groupby(["forecaster", "fold"]):
        roles = dict(list(samples.groupby("role")))
        assert set(roles) == {"training", "validation", "test"}, fold
        assert roles["training"]["target_end"].max() <= roles["validation"]["date"].min()
        assert roles["validation"]["target_end"].max() <= roles["test"]["date"].min()
        assert samples["train_end"].max() < roles["test"]["date"].min()
    first = manifest.query("forecaster == 'gru' and fold == 0")
    # The newest sample's target ends at the close before the first decision.
    assert (first["train_end"] == pd.Timestamp("2015-08-31")).all()
    assert first.query("role == 'validation'")["target_end"].max() == pd.Timestamp("2015-08-31")
    assert first.query("role == 'test'")["date"].min() == pd.Timestamp("2015-09-01")


@pytest.mark.slow
def test_it_ends_with_the_verdict_and_leaves_no_other_trace(run: tuple[Case, str]) -> None:
    audited, last = run
    assert "Causality audit passed:" in last
    assert last.endswith("audit.json")
    written = {path.relative_to(audited.output).parts[:2] for path in audited.written}
    assert {place[0] for place in written} == {"08_reporting", "run_facts.jsonl"}
