"""Classes chosen by a dotted path in the parameters, checked before anything runs."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from regime_nas_pipeline.core.errors import ParameterError

_PACKAGE = "regime_nas_pipeline"
_allowed_modules: set[str] = {_PACKAGE}


def allow_modules(*modules: str) -> None:
    """Let class paths in the parameters point into these installed modules.

    Only this package is allowed at first: a parameters file must not be able to import whatever
    it names. ``settings.py`` calls this with the modules that the user lists there.
    """
    _allowed_modules.update(modules)


class Strict(BaseModel):
    """A block of parameters in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ClassChoice(Strict):
    """A class by its dotted path, and the arguments for its constructor."""

    class_path: str = Field(alias="class")
    params: dict[str, Any] = {}


def load_class(path: str, base: type) -> type:
    """Import the class at a dotted ``path`` and check that it is a ``base``.

    Raises:
        ParameterError: The module is not allowed, does not exist, has no such class, or the
            class does not implement the contract or is abstract.
    """
    module_name, _, class_name = path.rpartition(".")
    root_allowed = any(
        module_name == allowed or module_name.startswith(allowed + ".")
        for allowed in _allowed_modules
    )
    if not root_allowed:
        raise ParameterError(
            f"class '{path}': module '{module_name}' is not allowed. Add it to EXTENSION_MODULES "
            f"in src/{_PACKAGE}/settings.py if you trust it."
        )
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ParameterError(f"class '{path}': no module named '{error.name}'.") from error
    found = getattr(module, class_name, None)
    if found is None:
        known = sorted(
            name
            for name, value in vars(module).items()
            if inspect.isclass(value) and issubclass(value, base) and value is not base
        )
        raise ParameterError(
            f"class '{path}': module '{module_name}' has no '{class_name}'. "
            f"It has: {', '.join(known) or 'no class of that kind'}."
        )
    if not (inspect.isclass(found) and issubclass(found, base)):
        raise ParameterError(f"class '{path}' is not a {base.__name__}.")
    if inspect.isabstract(found):
        missing = ", ".join(sorted(getattr(found, "__abstractmethods__", ())))
        raise ParameterError(f"class '{path}' cannot be used by itself; it lacks: {missing}.")
    return found


def check_arguments(cls: type, arguments: dict[str, Any]) -> dict[str, Any]:
    """Check names and types of constructor arguments against the signature of ``cls``.

    Returns:
        The arguments, converted to the annotated types (lists to tuples, for instance).

    Raises:
        ParameterError: An argument is unknown or its value does not fit the annotation.
    """
    model = _argument_model(cls)
    unknown = sorted(set(arguments) - set(model.model_fields))
    if unknown:
        raise ParameterError(
            f"{cls.__name__} has no parameter {', '.join(map(repr, unknown))}. "
            f"It has: {', '.join(model.model_fields)}."
        )
    try:
        checked = model(**arguments)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ParameterError(f"{cls.__name__}.{place}: {first['msg']}.") from error
    return {name: getattr(checked, name) for name in arguments}


@lru_cache(maxsize=256)
def _argument_model(cls: type) -> type[BaseModel]:
    """Model of the constructor's arguments; kept, because searches check thousands of times."""
    signature = inspect.signature(cls, eval_str=True)
    fields: dict[str, Any] = {
        name: (
            Any if parameter.annotation is inspect.Parameter.empty else parameter.annotation,
            None,
        )
        for name, parameter in signature.parameters.items()
    }
    # "forbid" reaches into nested dataclasses, which would drop an unknown key unseen.
    config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")
    return create_model(cls.__name__, __config__=config, **fields)


def with_common(cls: type, chosen: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    """Constructor arguments: the ``chosen`` ones and those ``common`` ones that ``cls`` knows.

    Raises:
        ParameterError: A common argument is chosen for this class alone.
    """
    accepted = inspect.signature(cls).parameters
    clash = sorted(set(common) & set(chosen))
    if clash:
        raise ParameterError(
            f"{cls.__name__}: {', '.join(clash)} is set once for the whole run, not per class."
        )
    return {**chosen, **{name: value for name, value in common.items() if name in accepted}}


def build(choice: ClassChoice, base: type, **common: Any) -> Any:
    """Make the chosen object from its own parameters and the ``common`` ones that it accepts."""
    cls = load_class(choice.class_path, base)
    return cls(**check_arguments(cls, with_common(cls, choice.params, common)))
