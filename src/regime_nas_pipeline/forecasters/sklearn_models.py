"""Regressors of scikit-learn: made by class path, counted, kept without pickle, and checked."""

from __future__ import annotations

import inspect
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.tree._tree import Tree

from regime_nas_pipeline.core.errors import DataError, ParameterError, in_one_line
from regime_nas_pipeline.core.params import allow_modules, check_arguments, load_class, with_common

LIBRARY = "sklearn"
"""The one installed module that class paths of regressors may point into."""

TRUSTED = (
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.DotProduct",
    "sklearn.gaussian_process.kernels.Matern",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
    "sklearn.gaussian_process.kernels.Sum",
    "sklearn.gaussian_process.kernels.WhiteKernel",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
)
"""Types that a kept regressor may hold beside those that skops trusts by itself. Loading one of
them runs no code from the file. The two kinds of trees follow the numbers in the file without
looking at their range, so these are looked at here before anything is predicted."""

_REMEDY = (
    "It can be fitted and used in one process only; choose another regressor, or other arguments, "
    "for a run that keeps its models."
)
_EPOCH = (1980, 1, 1, 0, 0, 0)
_SCHEMA = "schema.json"


def check_path(path: str) -> str:
    """A class path that is one of scikit-learn's regressors.

    Raises:
        ParameterError: It is none.
    """
    regressor_class(path)
    return path


def regressor_class(path: str) -> type:
    """The regressor at a dotted class path.

    Raises:
        ParameterError: The path lies outside scikit-learn, or leads to no regressor.
    """
    if not path.startswith(LIBRARY + "."):
        raise ParameterError(
            f"regressor '{path}' is not a class of scikit-learn, such as "
            "sklearn.linear_model.Ridge."
        )
    allow_modules(LIBRARY)
    load_class(path, BaseEstimator)
    return load_class(path, RegressorMixin)


def make_regressor(path: str, arguments: Mapping[str, Any], random_state: int) -> Any:
    """An unfitted regressor on one process, seeded if it takes a seed and is given none.

    Raises:
        ParameterError: The path leads to no regressor, or an argument is not one of its own.
    """
    cls = regressor_class(path)
    common = {"n_jobs": 1}
    chosen = dict(arguments)
    if chosen.get("random_state") is None:
        chosen.pop("random_state", None)
        common["random_state"] = random_state
    try:
        return cls(**check_arguments(cls, with_common(cls, chosen, common)))
    except TypeError as error:  # an argument without a default is missing
        raise ParameterError(f"regressor '{path}': {error}.") from error


def is_drawn(path: str, arguments: Mapping[str, Any]) -> bool:
    """Whether fits depend on a seed: the regressor takes one, and the arguments fix none.

    Raises:
        ParameterError: The path leads to no regressor.
    """
    takes = "random_state" in inspect.signature(regressor_class(path)).parameters
    return takes and arguments.get("random_state") is None


def n_numbers(regressor: Any) -> int:
    """Numbers that a fitted regressor has estimated: in its arrays, and nodes of its trees."""
    count = 0
    for part in _parts(regressor):
        if isinstance(part, Tree):
            count += part.node_count
        elif isinstance(part, TreePredictor):
            count += len(part.nodes)
        elif isinstance(part, np.ndarray | np.floating) and part.dtype.kind == "f":
            count += int(part.size)
    return max(count, 1)


def regressor_to_array(regressor: Any) -> np.ndarray:
    """A fitted regressor as the bytes of a skops file, (n,) uint8; equal ones give equal bytes.

    Raises:
        ParameterError: It holds a type that is not trusted, or that skops cannot keep.
    """
    from skops.io import dumps, get_untrusted_types  # noqa: PLC0415 - imports every estimator

    name = type(regressor).__name__
    try:
        image = dumps(regressor)
        untrusted = sorted(set(get_untrusted_types(data=image)) - set(TRUSTED))
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{name} cannot be kept: {in_one_line(error)}. {_REMEDY}") from error
    if untrusted or not _trees_are_sound(regressor):
        why = "trees that see other inputs than it does, which cannot be checked on reading"
        if untrusted:
            why = f"types that are not trusted on reading: {', '.join(untrusted)}"
        raise ParameterError(f"{name} cannot be kept, since it holds {why}. {_REMEDY}")
    return np.frombuffer(_canonical(image), dtype=np.uint8)


def regressor_from_array(kept: np.ndarray, path: str) -> Any:
    """Restore what :func:`regressor_to_array` kept; no code from the file is run.

    Args:
        kept: (n,) uint8.
        path: Class path that the regressor must have.

    Raises:
        DataError: The bytes hold another class, a type that is not trusted, or a broken tree.
    """
    from skops.io import loads  # noqa: PLC0415 - imports every estimator, which takes seconds

    try:
        regressor = loads(np.asarray(kept).tobytes(), trusted=list(TRUSTED))
    except (TypeError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"the kept regressor cannot be read: {error}") from error
    if type(regressor) is not regressor_class(path):
        raise DataError(
            f"the checkpoint holds a {type(regressor).__name__}, and the parameters ask for {path}",
            remedy="fit again with the present parameters.",
        )
    if not _trees_are_sound(regressor):
        raise DataError("a tree of the kept regressor leads outside itself or its inputs")
    return regressor


def _parts(value: Any) -> Iterator[Any]:
    """Trees, arrays and numbers inside a fitted regressor, in the order of its attributes."""
    if isinstance(value, Tree | TreePredictor):
        yield value
    elif isinstance(value, BaseEstimator):
        for name, inner in vars(value).items():
            # Constructor arguments have no underscore at either end and are nothing estimated.
            if name.endswith("_") or name.startswith("_"):
                yield from _parts(inner)
    elif isinstance(value, np.ndarray) and value.dtype == object:
        for inner in value.ravel().tolist():
            yield from _parts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _parts(inner)
    elif isinstance(value, np.ndarray | np.generic):
        yield value


def _trees_are_sound(regressor: Any) -> bool:
    n_features = int(getattr(regressor, "n_features_in_", 0))
    trees = (part for part in _parts(regressor) if isinstance(part, Tree | TreePredictor))
    return all(_is_sound(tree, n_features) for tree in trees)


def _is_sound(tree: Tree | TreePredictor, n_features: int) -> bool:
    """Whether every inner node leads to two later nodes, and asks for a feature that exists."""
    if isinstance(tree, Tree):
        left, right, feature = tree.children_left, tree.children_right, tree.feature
        inner = left != -1
        sound = tree.n_features == n_features
    else:
        nodes = tree.nodes
        left, right = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
        feature, inner = nodes["feature_idx"], nodes["is_leaf"] == 0
        sound = not nodes["is_categorical"].any()
    at = np.arange(len(left))[inner]
    for child in (left[inner], right[inner]):
        # Later than the parent: a path through the tree must end.
        sound &= bool(((child > at) & (child < len(left))).all())
    sound &= bool(((feature[inner] >= 0) & (feature[inner] < n_features)).all())
    return bool(sound) and len(left) > 0


def _canonical(image: bytes) -> bytes:
    """The same skops file without addresses, times and padding, which differ from run to run."""
    with zipfile.ZipFile(io.BytesIO(image)) as archive:
        schema = json.loads(archive.read(_SCHEMA))
        files: dict[str, str] = {}
        _renumber(schema, {}, files)
        contents = {new: _without_padding(archive.read(old)) for old, new in files.items()}
    contents[_SCHEMA] = json.dumps(schema).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            archive.writestr(entry, content, compress_type=zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _without_padding(content: bytes) -> bytes:
    """An array's file with zeros in the bytes between the fields of its records."""
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except ValueError:  # another kind of file, such as a sparse matrix
        return content
    if not isinstance(array, np.ndarray) or array.dtype.names is None:
        return content
    clean = np.zeros(array.shape, dtype=array.dtype)
    for name in array.dtype.names:
        clean[name] = array[name]
    buffer = io.BytesIO()
    np.save(buffer, clean, allow_pickle=False)
    return buffer.getvalue()


def _renumber(node: Any, numbers: dict[int, int], files: dict[str, str]) -> None:
    """Number objects and files in the order in which the schema names them, in place."""
    if isinstance(node, list):
        for inner in node:
            _renumber(inner, numbers, files)
        return
    if not isinstance(node, dict):
        return
    for key, inner in node.items():
        if key == "__id__":
            # Whether two equal plain values are one object is chance, and of no consequence.
            address = -len(numbers) - 1 if node.get("is_json") else inner
            node[key] = numbers.setdefault(address, len(numbers))
        elif key == "file" and isinstance(inner, str):
            suffix = inner.rpartition(".")[2]
            node[key] = files.setdefault(inner, f"{len(files)}.{suffix}")
        else:
            _renumber(inner, numbers, files)
