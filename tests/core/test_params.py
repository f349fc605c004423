from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import ValidationError

from regime_nas_pipeline.core import params
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.params import (
    ClassChoice,
    allow_modules,
    build,
    check_arguments,
    load_class,
)
from regime_nas_pipeline.core.splits import sample_rows


@dataclass(frozen=True)
class Plan:
    budget: int = 10
    rate: float = 0.5


class Shape(ABC):
    @abstractmethod
    def area(self) -> float: ...


class Square(Shape):
    def __init__(
        self,
        side: float,
        corners: tuple[int, ...] = (1, 2),
        plan: Plan = Plan(),
        seed: int = 0,
    ) -> None:
        self.side, self.corners, self.plan, self.seed = side, corners, plan, seed

    def area(self) -> float:
        return self.side**2


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(params, "_allowed_modules", {"regime_nas_pipeline"})
    allow_modules(__name__)


@pytest.mark.parametrize(
    "path",
    ["os.path.join", "os.system", "builtins.eval", "eval", "", "regime_nas_pipelines.x.Y", ".x.Y"],
)
def test_modules_outside_the_list_are_refused(path: str) -> None:
    with pytest.raises(ParameterError, match="EXTENSION_MODULES"):
        load_class(path, object)


def test_a_module_that_the_user_lists_is_allowed_with_its_submodules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(params, "_allowed_modules", {"regime_nas_pipeline"})
    with pytest.raises(ParameterError, match="not allowed"):
        load_class("email.message.Message", object)
    allow_modules("email")
    assert load_class("email.message.Message", object).__name__ == "Message"
    with pytest.raises(ParameterError, match="not allowed"):
        load_class("email_of_mine.Message", object)


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("regime_nas_pipeline.core.nowhere.Thing", "no module named"),
        ("regime_nas_pipeline.core.params.Strickt", "has no 'Strickt'.*ClassChoice"),
        ("regime_nas_pipeline.core.params.load_class", "is not a BaseModel"),
        ("regime_nas_pipeline.core.bundle.Bundle", "is not a BaseModel"),
        ("regime_nas_pipeline.core.cache.Path", "is not a BaseModel"),
    ],
)
def test_what_is_not_such_a_class_is_refused(path: str, complaint: str) -> None:
    with pytest.raises(ParameterError, match=complaint):
        load_class(path, params.BaseModel)


@pytest.mark.usefixtures("allowed")
def test_an_abstract_class_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"Shape' cannot be used by itself.*area"):
        load_class(f"{__name__}.Shape", Shape)


def test_an_unknown_argument_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(ParameterError, match=r"Square has no parameter 'sied'.*side, corners"):
        check_arguments(Square, {"sied": 1.0})


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"side": "wide"}, r"Square\.side: .*number"),
        ({"corners": [1, "x"]}, r"Square\.corners\.1: "),
        ({"seed": 1.5}, r"Square\.seed: "),
        ({"plan": {"budget": "much"}}, r"Square\.plan\.budget: "),
        ({"plan": {"budgte": 3}}, r"Square\.plan\.budgte: "),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(
    arguments: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ParameterError, match=complaint):
        check_arguments(Square, arguments)


def test_values_are_converted_to_their_annotations() -> None:
    found = check_arguments(Square, {"side": 2, "corners": [3, 4], "plan": {"budget": 7}})
    assert found == {"side": 2.0, "corners": (3, 4), "plan": Plan(7, 0.5)}
    assert isinstance(found["side"], float)
    assert isinstance(found["corners"], tuple)


def test_only_what_was_given_comes_back() -> None:
    assert check_arguments(Square, {"side": 1.0}) == {"side": 1.0}
    assert check_arguments(sample_rows, {}) == {}  # type: ignore[arg-type]


@pytest.mark.usefixtures("allowed")
def test_build_joins_own_and_common_arguments() -> None:
    choice = ClassChoice.model_validate({"class": f"{__name__}.Square", "params": {"side": 3}})
    square = build(choice, Shape, seed=5, device="cpu")
    assert (square.area(), square.seed, square.corners) == (9.0, 5, (1, 2))


@pytest.mark.usefixtures("allowed")
def test_build_refuses_an_argument_that_the_run_sets() -> None:
    choice = ClassChoice(class_path=f"{__name__}.Square", params={"side": 3, "seed": 1})
    with pytest.raises(ParameterError, match=r"Square: seed is set .*for the whole run"):
        build(choice, Shape, seed=5)


def test_an_unknown_key_beside_the_class_is_refused() -> None:
    with pytest.raises(ValidationError, match="parms"):
        ClassChoice.model_validate({"class": "a.B", "parms": {}})
