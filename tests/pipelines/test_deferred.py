"""A pipeline that is made when it is looked into is otherwise like any other."""

from __future__ import annotations

import copy

import pytest
from kedro.pipeline import Pipeline, node
from kedro.validation.type_extractor import TypeExtractor

from regime_nas_pipeline.core.params import Strict
from regime_nas_pipeline.pipelines.deferred import DeferredPipeline


class Block(Strict):
    """A block of parameters."""


def read(_: Block) -> None:
    """A node with a typed parameter."""


def keep(value: object) -> object:
    """A node without."""
    return value


class Maker:
    """Counts how often it was asked."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.calls = list(errors), 0

    def __call__(self) -> Pipeline:
        self.calls += 1
        if self.errors:
            raise self.errors.pop()
        return Pipeline(
            [node(keep, "made", "kept", name="second"), node(keep, "raw", "made", name="first")]
        )


def test_it_is_made_once_and_only_when_looked_into() -> None:
    make = Maker()
    deferred = DeferredPipeline(make)
    named = {"mine": deferred}
    assert sorted(named) == ["mine"]
    assert isinstance(deferred, Pipeline)
    assert make.calls == 0
    assert [each.name for each in deferred.nodes] == ["first", "second"]
    assert (deferred.inputs(), deferred.outputs()) == ({"raw"}, {"kept"})
    assert make.calls == 1


def test_it_does_what_the_pipeline_does() -> None:
    plain = Maker()()
    assert DeferredPipeline(Maker()).describe() == plain.describe()
    assert DeferredPipeline(Maker()).to_json() == plain.to_json()
    assert DeferredPipeline(Maker()).filter(tags=None, to_nodes=["first"]).nodes == plain.nodes[:1]
    assert (DeferredPipeline(Maker()) + Pipeline([])).nodes == plain.nodes
    assert sum([DeferredPipeline(Maker())], Pipeline([])).nodes == plain.nodes
    assert Pipeline(DeferredPipeline(Maker()), namespace="own").inputs() == {"own.raw"}
    assert not (plain - DeferredPipeline(Maker())).nodes


@pytest.mark.parametrize("looked_into", [False, True])
def test_a_copy_is_the_same(looked_into: bool) -> None:
    deferred = DeferredPipeline(Maker())
    if looked_into:
        assert deferred.nodes
    assert copy.copy(deferred).nodes == Maker()().nodes


def test_what_no_pipeline_has_it_has_not_either() -> None:
    with pytest.raises(AttributeError, match="'colour'"):
        DeferredPipeline(Maker()).colour  # noqa: B018


def test_an_error_in_making_it_is_not_taken_for_a_pipeline_without_nodes() -> None:
    # Kedro reads nodes with a default, which an AttributeError would select: nothing checked.
    broken = DeferredPipeline(Maker(AttributeError("module has no 'fit'")))
    with pytest.raises(RuntimeError, match="could not be made: module has no 'fit'"):
        TypeExtractor({"mine": broken}).extract_types_from_pipelines()
    assert len(broken.nodes) == 2


def test_typed_parameters_of_its_nodes_are_found() -> None:
    deferred = DeferredPipeline(lambda: Pipeline([node(read, "params:block", None, name="read")]))
    assert TypeExtractor({"mine": deferred}).extract_types_from_pipelines() == {"block": Block}
