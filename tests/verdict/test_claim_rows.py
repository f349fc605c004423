from __future__ import annotations

import numpy as np
import pytest

from regime_nas_pipeline.verdict.claim_rows import claim_rows, claims_headline
from regime_nas_pipeline.verdict.paper_claims import claim_scores

COSTS = {
    "regime_nas": {
        "epochs": 4.0,
        "samples_per_fit": 800.0,
        "samples_per_epoch": 200.0,
        "search_samples": 10_000,
        "search_hours": 0.5,
    },
    "gru": {
        "epochs": 8.0,
        "samples_per_fit": 800.0,
        "samples_per_epoch": 100.0,
        "search_samples": 10_000,
        "search_hours": None,
    },
}


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(0)
    returns = generator.normal(0, 0.04, (200, 3))
    last = 100 * np.exp(np.cumsum(returns, axis=0) - returns)
    error = generator.normal(0, 0.02, (2, 200, 3))
    # The subject is right but for a tenth of the return; the baseline adds noise to nothing.
    scores = claim_scores(
        {"regime_nas": [0.9 * returns, 0.8 * returns], "gru": list(error)},
        returns,
        last,
        assets=["A", "B", "C"],
        regimes=np.full(200, "trend"),
    )
    return {row["claim"]: row for row in claim_rows(scores, COSTS, baseline="gru")}, returns, error


def test_the_ratio_of_errors_is_taken_seed_by_seed(rows) -> None:
    found, returns, error = rows
    row = found["MAE of RegimeNAS ÷ MAE of GRU, returns, pooled"]
    expected = [
        left * np.abs(returns).mean() / np.abs(noise - returns).mean()
        for left, noise in zip((0.1, 0.2), error, strict=True)
    ]
    assert row["seeds"] == pytest.approx(expected)
    assert row["ours"] == pytest.approx(np.mean(expected))
    assert (row["low"], row["high"]) == pytest.approx((min(expected), max(expected)))
    assert row["paper"] == 0.197
    still = [np.abs(returns).mean() / np.abs(noise - returns).mean() for noise in error]
    assert row["no_change"] == pytest.approx(np.median(still))


def test_levels_stand_beside_the_last_price(rows) -> None:
    found, _, _ = rows
    row = found["R² of RegimeNAS, price levels, pooled"]
    assert row["paper"] == 0.993
    assert row["ours"] > row["no_change"] > 0.9
    better = found["MAE of RegimeNAS ÷ MAE of no change, price levels, median asset"]
    assert better["ours"] < 0.3
    assert better["no_change"] == 1.0


def test_epochs_are_given_with_and_without_the_search(rows) -> None:
    found, _, _ = rows
    assert found["Epochs of one fit of RegimeNAS, search not counted"]["ours"] == 4.0
    assert found["Epochs of one fit of RegimeNAS, search counted"]["ours"] == 4.0 + 50.0
    assert found["Epochs of one fit of GRU, search counted"]["ours"] == 8.0 + 100.0
    assert found["Gradient samples of the search of GRU ÷ those of one fit"]["ours"] == 12.5
    assert found["Hours of the search of RegimeNAS"]["ours"] == 0.5


def test_an_unknown_search_time_stays_unknown(rows) -> None:
    _, returns, error = rows
    scores = claim_scores(
        {"regime_nas": list(error), "gru": list(error)},
        returns,
        np.ones_like(returns),
        assets=["A", "B", "C"],
        regimes=np.full(200, "trend"),
    )
    costs = {**COSTS, "regime_nas": {**COSTS["regime_nas"], "search_hours": None}}
    last = claim_rows(scores, costs, baseline="gru")[-1]
    assert last["ours"] is None
    assert last["paper"] == 3.0


def test_the_headline_names_env_paper_ours_and_no_change(rows) -> None:
    found, _, _ = rows
    said = claims_headline(list(found.values()), env="crypto", baseline="gru")
    levels = found["R² of RegimeNAS, price levels, pooled"]
    for text in ("'crypto'", "0.197", "0.993", f"{levels['ours']:.4f}"):
        assert text in said
    assert f"{levels['no_change']:.4f}" in said
