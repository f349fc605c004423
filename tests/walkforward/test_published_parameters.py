from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.verdict.published import QUANTITIES, PublishedFigure
from regime_nas_pipeline.verdict.published_words import arithmetic_sentences
from regime_nas_pipeline.walkforward.published_parameters import Published

CONF = Path(__file__).parents[2] / "conf"
ONE: dict[str, Any] = {
    "title": "Test",
    "source": "a paper",
    "figures": [{"quantity": "cagr", "of": "gru", "published": 0.1}],
}
KNOWN: dict[str, Any] = {
    "forecasters": ["gru"],
    "references": ["equal_weight"],
    "groups": ["gold"],
}


def with_figure(**changes: Any) -> Published:
    figure = {**ONE["figures"][0], **changes}
    return Published(experiments=[{**ONE, "figures": [figure]}])


def test_lists_of_plain_values_become_an_experiment() -> None:
    (experiment,) = Published(experiments=[ONE]).experiments
    assert experiment.figures == (PublishedFigure("cagr", "gru", 0.1),)
    assert Published().experiments == ()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"titel": "x"}, "experiments.0.titel"),
        ({"figures": [{**ONE["figures"][0], "colour": "red"}]}, "experiments.0.figures.0.colour"),
        ({"figures": [{"quantity": "cagr", "of": "gru"}]}, "experiments.0.figures.0.published"),
        ({"messages": [{"says": "x", "strategies": ["gru"]}]}, "experiments.0.messages.0.referen"),
    ],
)
def test_an_unknown_or_missing_key_is_named(change: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError, match=place):
        Published(experiments=[{**ONE, **change}])


def test_an_unknown_quantity_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ParameterError, match="'sharp'; there are: cagr, "):
        with_figure(quantity="sharp")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"of": "lstm"}, "no strategy is called 'lstm'.*gru, equal_weight"),
        ({"quantity": "mae", "of": "equal_weight"}, "no forecaster is called 'equal_weight'"),
        ({"quantity": "sharpe_test", "beside": "lstm"}, "no strategy is called 'lstm'"),
        ({"quantity": "mean_weight", "beside": "oil"}, "no group is called 'oil'.*: gold"),
    ],
)
def test_names_that_no_run_makes_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        with_figure(**change).refuse_unknown_names(**KNOWN)


def test_names_that_a_run_makes_are_fine() -> None:
    for figure in (
        {"of": "equal_weight"},
        {"quantity": "mae"},
        {"quantity": "sharpe_test", "beside": "equal_weight"},
        {"quantity": "mean_weight", "beside": "gold"},
    ):
        with_figure(**figure).refuse_unknown_names(**KNOWN)


@pytest.fixture(scope="module")
def etf() -> dict[str, Any]:
    return dict(yaml.safe_load((CONF / "etf" / "parameters.yml").read_text()))


def test_the_default_run_has_nothing_published() -> None:
    base = yaml.safe_load((CONF / "base" / "parameters_verdict.yml").read_text())
    assert Published(**base["published"]).experiments == ()


def test_the_published_decomposition_is_whole_and_without_slips(etf: dict[str, Any]) -> None:
    (experiment,) = Published(**etf["published"]).experiments
    five = {"momentum", "transformer", "buy_and_hold", "equal_weight", "mvo_flat"}
    for quantity in ("cagr", "volatility", "sharpe", "max_drawdown", "calmar"):
        assert {each.of for each in experiment.figures if each.quantity == quantity} == five
    # A slip in one of the 25 figures would break one of its own ratios.
    sentences = arithmetic_sentences(experiment)
    assert len(sentences) == 2
    assert all(sentence.startswith("Every published") for sentence in sentences)
    # Every quantity has a reason why ours may differ.
    assert {each.quantity for each in experiment.figures} <= set(experiment.reasons)
    assert set(experiment.reasons) <= set(QUANTITIES)


def test_every_fund_of_the_decomposition_has_a_group(etf: dict[str, Any]) -> None:
    groups = etf["verdict"]["groups"]
    assert len(groups) == 24
    (experiment,) = Published(**etf["published"]).experiments
    named = {name for kind, name in experiment.names() if kind == "group"}
    assert named <= set(groups.values())
