"""The pages on network, search and planted markets name all that there is, with its figures."""

from __future__ import annotations

import re
from dataclasses import fields
from math import factorial, prod
from typing import Any, get_args

import pytest
import yaml
from documents import PROJECT, code_spans, first_column, prose, tables

from regime_nas_pipeline.networks.genome import gene_dimensions
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.operations import (
    BLOCK_OPERATIONS,
    COMMON_OPERATIONS,
    EVIDENCE,
    GATED_BLOCKS,
)
from regime_nas_pipeline.report.cell_facts import CELL_FACTS
from regime_nas_pipeline.report.planted_words import SECTIONS
from regime_nas_pipeline.search.differentiable import EVIDENCE_PART
from regime_nas_pipeline.search.gene_space import gene_space
from regime_nas_pipeline.search.outer import Strategy
from regime_nas_pipeline.search.space import Interval, Options
from regime_nas_pipeline.search.tried import Candidates
from regime_nas_pipeline.walkforward.parameters import CellSearch, SearchSpace
from regime_nas_pipeline.walkforward.planted.parameters import ORACLE, Planted
from regime_nas_pipeline.walkforward.search_parameters import Efficiency

NETWORK, SEARCH, PLANTED = "docs/regime_nas.md", "docs/search.md", "docs/planted.md"


def parameters(name: str) -> dict[str, Any]:
    text = (PROJECT / "conf" / "base" / f"parameters_{name}.yml").read_text()
    found: dict[str, Any] = yaml.safe_load(text)
    return found


@pytest.fixture(scope="module")
def planted() -> Planted:
    return Planted.model_validate(parameters("planted")["planted"])


def spans(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


def test_the_table_of_blocks_lists_their_operations() -> None:
    [table] = tables(NETWORK, "Block")
    told = {next(iter(spans(name))): spans(operations) for name, operations in table}
    own = {block: set(BLOCK_OPERATIONS[block]) - set(COMMON_OPERATIONS) for block in GATED_BLOCKS}
    assert told == {**own, EVIDENCE: set(BLOCK_OPERATIONS[EVIDENCE])}
    [shared] = re.findall(r"gated blocks share:\s+(.*?)\n\n", prose(NETWORK), re.DOTALL)
    assert spans(shared) == set(COMMON_OPERATIONS)


def test_the_table_of_the_loss_lists_every_weight() -> None:
    assert set(first_column(NETWORK, "Weight")) == {weight.name for weight in fields(Objective)}


def test_the_weights_that_are_searched_by_default_are_those_told() -> None:
    space = SearchSpace.model_validate(parameters("nas_search")["regime_nas"]["space"]).root
    searched = {weight.name for weight in fields(Objective)} & set(space)
    assert searched == {"smoothness_weight", "label_weight"}
    set_above_zero = {w.name for w in fields(Objective) if w.default} | searched
    assert set_above_zero == searched | {"volatility_weight"}


def test_every_strategy_has_a_row() -> None:
    assert set(first_column(SEARCH, "Strategy")) == set(get_args(Strategy))


def test_every_setting_of_the_cell_search_and_every_fact_is_named() -> None:
    named = set(code_spans(SEARCH))
    told = {span.rpartition(".")[2] for span in named} | {span.partition(":")[0] for span in named}
    # Rates and schedules of plain DARTS are explained where they are set.
    plain = {"alpha_learning_rate", "alpha_every", "warm_up"}
    assert set(CellSearch.model_fields) - plain <= told
    assert set(CELL_FACTS) - {"epochs", "parameters"} <= named
    assert {f"search.efficiency.{name}" for name in Efficiency.model_fields} <= named


def test_remedies_that_are_called_off_by_default_are_off() -> None:
    settings = CellSearch.model_validate(parameters("nas_search")["search"]["cell_search"])
    assert (settings.selection, settings.final_temperature) == ("perturbation", 1.0)
    assert (settings.path, settings.top_k) == ("mixture", 1)
    assert settings.evidence == "side_by_side"
    off = ("entropy_weight", "skip_dropout", "auxiliary_skip", "curvature_every")
    assert not any(getattr(settings, name) for name in off)


def test_the_evidence_is_chosen_as_told() -> None:
    text = " ".join(prose(SEARCH).split())
    assert f"on {EVIDENCE_PART:.0%} of the part".replace("%", " %") in text
    working = set(BLOCK_OPERATIONS[EVIDENCE]) - {"none"}
    assert (len(working), "adds them to seven others" in text) == (8, True)


def test_genes_are_counted_and_called_as_told() -> None:
    sizes = [
        prod(d.size() for name, d in gene_space().items() if name.startswith(f"layer{n}_"))
        for n in range(1, 7)
    ]
    # The chapter's formula has n skip targets in layer n and not, as here, n + 1.
    assert prod(sizes) == 750**6 * factorial(7)
    assert f"{750**6 * factorial(6):.1e}" == "1.3e+20"
    assert "750⁶ · 6!, about 1.3 · 10²⁰ genomes" in prose(SEARCH)
    assert {name for name in gene_dimensions() if name.startswith("layer1_")} <= set(
        code_spans(SEARCH)
    )


@pytest.mark.parametrize("more", [0, 1])
def test_spaces_are_listed_up_to_the_size_that_is_told(more: int) -> None:
    stated = re.search(r"up to ([\d,]+) candidates is listed", prose(SEARCH))
    assert stated is not None
    size = int(stated[1].replace(",", "")) + more
    candidates = Candidates({"number": Interval(kind="interval", low=1, high=size, integer=True)})
    assert (candidates.listed is None) == bool(more)


def test_the_comparison_is_of_the_size_that_is_told() -> None:
    settings = parameters("search_comparison")["search_comparison"]
    shortcuts, contest, regret = (settings[key] for key in ("shortcuts", "contest", "regret"))
    assert f"{shortcuts['candidates']} random cells" in prose(SEARCH)
    assert (shortcuts["seeds"], len(shortcuts["proxies"]), contest["seeds"]) == (3, 4, 5)
    sizes = prod(len(Options.model_validate(each).options) for each in regret["space"].values())
    assert f"all {sizes} candidates" in prose(SEARCH)
    assert (regret["landscapes"], regret["fraction"]) == (5, 0.25)
    families = [each["family"] for each in contest["contenders"].values()]
    assert (families.count("regime_nas"), families.count("genes")) == (6, 2)


def test_the_ablation_is_of_the_size_that_is_told() -> None:
    ablation = parameters("ablation")["ablation"]
    assert (len(ablation["variants"]), ablation["seeds"]) == (13, 5)
    assert ablation["lipschitz_limit"] == 1.0
    assert (ablation["folds"], ablation["curve"]["seeds"]) == (2, 3)
    claims = parameters("claims")["claims"]
    assert (claims["seeds"], claims["execution_lag"]) == (5, 0)


def test_the_planted_markets_are_those_told(planted: Planted) -> None:
    markets, text = planted.markets, prose(PLANTED)
    assert f"N = {markets.n_assets} assets" in text
    assert f"T = {markets.n_bars:,} bars" in text
    assert f"probability {markets.stay}" in text
    assert f"on the first {markets.fit_bars:,} bars" in " ".join(text.split())
    assert f"other {markets.n_bars - markets.fit_bars:,} returns" in text
    [rows] = tables(PLANTED, "State")
    told = {
        name: (float(phi.replace("\N{MINUS SIGN}", "-")), float(size)) for name, phi, size in rows
    }
    calm, wild = markets.volatility, markets.volatility * markets.volatile_ratio
    assert told == {
        "trend": (markets.phi, calm),
        "range": (-markets.phi, calm),
        "volatile": (0.0, wild),
    }
    assert (len(markets.seeds), 2 * 0.5 ** len(markets.seeds)) == (5, 1 / 16)
    assert f"`planted.markets.seeds`, {markets.seeds[0]} to {markets.seeds[-1]}" in text
    # Development used seeds 0 to 2.
    assert not {0, 1, 2} & {*markets.seeds, *planted.controls.seeds}
    assert planted.tracks == ("engineered", "raw")


def test_everybody_of_the_planted_experiment_has_a_row(planted: Planted) -> None:
    assert set(first_column(PLANTED, "Name")) == {*planted.forecasters, ORACLE}
    subject = planted.forecasters["regime_nas"].own_search(planted.search).cell_search
    assert (subject.path, subject.selection) == ("mixture", "perturbation")
    assert (subject.evidence, subject.evidence_nodes) == ("side_by_side", 4)
    assert planted.forecasters["random_search"].space["nodes"].options == (1,)
    blind = planted.forecasters["random_search"].own_search(planted.search)
    assert (blind.strategy, blind.cell_search.method) == ("random", "random")
    assert planted.forecasters["uniform_gate"].params["gate"] == "uniform"


def test_the_planted_searches_are_counted(planted: Planted) -> None:
    searched = [name for name, choice in planted.forecasters.items() if choice.space]
    of_controls = [name for name in planted.controls.forecasters if name in searched]
    n_controls = 2 * len(planted.controls.seeds)
    assert (len(searched), len(of_controls), n_controls) == (6, 1, 4)
    assert (planted.controls.seeds, planted.training.n_seeds) == ((11, 12), 6)
    assert planted.controls.forecasters == ("regime_nas", "linear")
    on_planted = len(searched) * len(planted.markets.seeds) * len(planted.tracks)
    on_controls = len(of_controls) * n_controls * len(planted.controls.tracks)
    assert f"there are {on_planted + on_controls} searches" in prose(PLANTED)


def test_a_place_is_kept_for_the_planted_results() -> None:
    text = (PROJECT / PLANTED).read_text()
    assert text.count("<!-- planted:start -->") == text.count("<!-- planted:end -->") == 1
    assert text.partition("<!-- planted:start -->")[2].partition("<!-- planted:end -->")[0].strip()


def test_chapters_of_the_planted_report_are_called_what_the_page_calls_them() -> None:
    text = prose(PLANTED).partition("## How to read the report")[2].partition("##")[0]
    named = re.findall(r"^\d\. \*([^*]+)\*", text, re.MULTILINE)
    assert len(named) == 4
    assert set(named) <= {section.title for section in SECTIONS}
