from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import (
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import HuberRegressor, Ridge, TweedieRegressor
from sklearn.neural_network import MLPRegressor

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.forecasters.sklearn_models import (
    n_numbers,
    regressor_from_array,
    regressor_to_array,
)

X = np.random.default_rng(0).standard_normal((40, 3))
Y = X[:, 0] + 0.1 * np.random.default_rng(1).standard_normal(40)

MODELS = (
    Ridge(),
    HuberRegressor(),
    TweedieRegressor(power=0),
    RandomForestRegressor(n_estimators=3, random_state=0),
    ExtraTreesRegressor(n_estimators=2, random_state=0),
    GradientBoostingRegressor(n_estimators=3, random_state=0),
    HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=5, random_state=0),
    BaggingRegressor(n_estimators=2, random_state=0),
    MLPRegressor(hidden_layer_sizes=(4,), tol=1.0, random_state=0),
    GaussianProcessRegressor(),
)


def path_of(model: Any) -> str:
    return f"{type(model).__module__}.{type(model).__name__}"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_what_is_kept_comes_back_and_is_the_same_to_the_byte(model: Any) -> None:
    fitted, again = type(model)(**model.get_params()), type(model)(**model.get_params())
    kept = regressor_to_array(fitted.fit(X, Y))
    assert kept.dtype == np.uint8
    np.testing.assert_array_equal(regressor_to_array(again.fit(X, Y)), kept)
    restored = regressor_from_array(kept, path_of(model))
    np.testing.assert_array_equal(restored.predict(X), fitted.predict(X))
    np.testing.assert_array_equal(regressor_to_array(restored), kept)


def test_numbers_are_counted() -> None:
    assert n_numbers(Ridge().fit(X, Y)) == 3 + 1
    forest = RandomForestRegressor(n_estimators=3, random_state=0).fit(X, Y)
    assert n_numbers(forest) == sum(tree.tree_.node_count for tree in forest.estimators_)


def altered(kept: np.ndarray, change: Any) -> np.ndarray:
    """The same file with its schema or its arrays changed."""
    with zipfile.ZipFile(io.BytesIO(kept.tobytes())) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, change(name, content))
    return np.frombuffer(buffer.getvalue(), dtype=np.uint8)


@pytest.mark.parametrize("field", ["left_child", "feature"])
@pytest.mark.parametrize("value", [0, 10**6])
def test_a_tree_that_leads_outside_itself_is_refused(field: str, value: int) -> None:
    """Scikit-learn follows these numbers without looking at their range."""
    model = RandomForestRegressor(n_estimators=1, max_depth=2, random_state=0).fit(X, Y)
    if field == "feature" and value == 0:
        value = -7

    def change(name: str, content: bytes) -> bytes:
        if name == "schema.json":
            return content
        array = np.load(io.BytesIO(content), allow_pickle=False)
        if array.dtype.names is None or field not in array.dtype.names:
            return content
        array = array.copy()
        array[field][0] = value
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        return buffer.getvalue()

    with pytest.raises(DataError, match="leads outside"):
        regressor_from_array(altered(regressor_to_array(model), change), path_of(model))


def test_a_type_that_is_not_trusted_is_not_read() -> None:
    kept = regressor_to_array(Ridge().fit(X, Y))

    def change(name: str, content: bytes) -> bytes:
        if name != "schema.json":
            return content
        schema = json.loads(content)
        schema["__class__"], schema["__module__"] = "Popen", "subprocess"
        return json.dumps(schema).encode()

    with pytest.raises(DataError, match="cannot be read"):
        regressor_from_array(altered(kept, change), "sklearn.linear_model.Ridge")


def test_bytes_that_are_no_file_are_refused() -> None:
    with pytest.raises(DataError, match="cannot be read"):
        regressor_from_array(np.zeros(10, dtype=np.uint8), "sklearn.linear_model.Ridge")


def test_trees_on_some_inputs_cannot_be_kept() -> None:
    bagging = BaggingRegressor(n_estimators=2, max_features=2, random_state=0).fit(X, Y)
    with pytest.raises(ParameterError, match="see other inputs"):
        regressor_to_array(bagging)
