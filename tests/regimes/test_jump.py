from __future__ import annotations

import subprocess
import sys
from itertools import pairwise, product

import numpy as np
import pytest
from jumpmodels.jump import JumpModel
from two_states import TRUTH, simulate

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.regimes.features import feature_matrix
from regime_nas_pipeline.regimes.jump import JumpModelLabeller

NAMES = ("log_volatility_5", "return_5")


@pytest.fixture(scope="module")
def index() -> Market:
    return simulate(TRUTH, n_bars=900, seed=10)[0]


def scaled_features(labeller: JumpModelLabeller, market: Market) -> np.ndarray:
    features = feature_matrix(market, NAMES)[5:]
    return (features - labeller.feature_mean_) / labeller.feature_scale_


@pytest.mark.parametrize("share_steps", [1, 10])
def test_labels_are_those_of_the_library(index: Market, share_steps: int) -> None:
    labeller = JumpModelLabeller(features=NAMES, share_steps=share_steps, n_starts=2).fit(index)
    theirs = JumpModel(
        jump_penalty=5.0, cont=share_steps > 1, grid_size=0.1, n_init=2, random_state=0
    )
    rows = scaled_features(labeller, index)
    theirs.fit(rows)
    order = np.argsort(theirs.centers_[:, 0])
    online = labeller.predict_online(index, index.dates)
    np.testing.assert_allclose(online, theirs.predict_proba_online(rows)[:, order], atol=1e-9)
    hindsight = labeller.predict_hindsight(index)
    np.testing.assert_allclose(hindsight, theirs.predict_proba(rows)[:, order], atol=1e-9)
    np.testing.assert_allclose(labeller.centres_, theirs.centers_[order], atol=1e-9)


def test_the_label_is_where_the_cheapest_path_ends(index: Market) -> None:
    labeller = JumpModelLabeller(features=NAMES, jump_penalty=1.0).fit(index)
    short = index.slice(300, 314)
    rows = scaled_features(labeller, short)
    labels = labeller.predict_online(short, short.dates)
    for bar in range(len(rows)):
        best, end = np.inf, -1
        for path in product(range(2), repeat=bar + 1):
            cost = sum(
                0.5 * ((row - labeller.centres_[state]) ** 2).sum()
                for row, state in zip(rows, path, strict=False)
            )
            cost += sum(before != after for before, after in pairwise(path))
            if cost < best:
                best, end = cost, path[-1]
        assert labels.to_numpy()[bar].argmax() == end


def test_a_higher_penalty_means_fewer_turns(index: Market) -> None:
    turns = []
    for penalty in (0.0, 3.0, 20.0):
        labeller = JumpModelLabeller(features=NAMES, jump_penalty=penalty, n_starts=2).fit(index)
        labels = labeller.predict_online(index, index.dates).to_numpy().argmax(axis=1)
        turns.append(int((np.diff(labels) != 0).sum()))
    assert turns[0] > turns[1] > turns[2]


def test_without_penalty_the_nearest_centre_counts(index: Market) -> None:
    labeller = JumpModelLabeller(features=NAMES, jump_penalty=0.0).fit(index)
    rows = scaled_features(labeller, index)
    distances = np.linalg.norm(rows[:, None, :] - labeller.centres_, axis=2)
    labels = labeller.predict_online(index, index.dates)
    np.testing.assert_array_equal(labels.to_numpy().argmax(axis=1), distances.argmin(axis=1))


def test_shares_lie_on_the_grid(index: Market) -> None:
    labeller = JumpModelLabeller(features=NAMES, share_steps=20, n_starts=2).fit(index)
    stressed = labeller.predict_online(index, index.dates)["stressed"]
    np.testing.assert_allclose(stressed * 20, np.round(stressed * 20), atol=1e-9)
    assert stressed.between(0.1, 0.9).sum() > 10
    assert labeller.states_.shape == (21, 2)


def test_a_penalty_that_leaves_one_regime_is_refused(index: Market) -> None:
    with pytest.raises(DataError, match=r"one of 2 regimes holds 0\.0 of 895"):
        JumpModelLabeller(features=NAMES, jump_penalty=1e6).fit(index)


@pytest.mark.parametrize("wrong", [{"n_regimes": 1}, {"n_starts": 0}, {"share_steps": 0}])
def test_impossible_parameters_are_refused(index: Market, wrong: dict[str, int]) -> None:
    with pytest.raises(ParameterError, match="JumpModelLabeller needs"):
        JumpModelLabeller(**wrong).fit(index)


@pytest.mark.parametrize("penalty", [-1.0, np.inf, np.nan])
def test_a_penalty_that_is_no_number_is_refused(index: Market, penalty: float) -> None:
    with pytest.raises(ParameterError, match="jump_penalty must be a number"):
        JumpModelLabeller(jump_penalty=penalty).fit(index)


def test_the_library_leaves_numpy_and_pandas_alone() -> None:
    """It silences NumPy for the whole process, and widens pandas' display, on import."""
    code = (
        "import numpy as np, pandas as pd\n"
        "before = np.geterr(), pd.get_option('display.width')\n"
        "import regime_nas_pipeline.regimes.jump, sys\n"
        "assert (np.geterr(), pd.get_option('display.width')) == before\n"
        "assert 'jumpmodels.jump' in sys.modules\n"
        "assert not any(name.startswith('matplotlib') for name in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
