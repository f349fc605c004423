from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from planted_cases import pieces_of, planted_case

from regime_nas_pipeline.verdict.efficiency import chance_band, r2_zero
from regime_nas_pipeline.walkforward.planted.cells import Cell
from regime_nas_pipeline.walkforward.planted.markets import simulate
from regime_nas_pipeline.walkforward.planted.results import PlantedResults, collect
from regime_nas_pipeline.walkforward.planted.summary import paired_margins, planted_verdict

PLANTED = planted_case()
SHARES = {"regime_nas": 0.3, "mlp": 0.2, "linear": 0.1, "oracle": 0.4}


def explained(share: float) -> float:
    return 1.0 - (1.0 - share) ** 2


@pytest.fixture(scope="module")
def results() -> PlantedResults:
    return collect(pieces_of(PLANTED, SHARES), PLANTED, seed=9)


def test_the_oracle_reaches_itself_and_the_others_their_share(results: PlantedResults) -> None:
    verdict = planted_verdict(results.cells, PLANTED)
    for table in verdict["oracle_efficiency"].values():
        assert table["oracle"] == {"median": 1.0, "seeds": [1.0, 1.0]}
        for name in ("regime_nas", "mlp", "linear"):
            expected = explained(SHARES[name]) / explained(0.4)
            assert table[name]["seeds"] == pytest.approx([expected] * 2)


def test_medians_are_over_the_markets_and_no_change_stands_beside(results: PlantedResults) -> None:
    forecasts = planted_verdict(results.cells, PLANTED)["forecasts"]["raw"]
    assert forecasts["mlp"]["r2"] == pytest.approx(explained(0.2))
    assert forecasts["mlp"]["gradient_samples"] == 103.5  # of 103 and 104
    assert forecasts["mlp"]["search_samples"] == 50
    assert forecasts["linear"]["search_samples"] == 0
    sizes = [
        np.sqrt(np.mean(simulate(PLANTED.markets, "planted", seed).target ** 2)) for seed in (3, 4)
    ]
    assert forecasts["no_change"]["rmse"] == pytest.approx(np.mean(sizes))
    assert forecasts["no_change"]["theil_u"] == 1.0
    assert set(forecasts) == {"regime_nas", "mlp", "linear", "oracle", "no_change"}


def test_margins_are_paired_market_by_market() -> None:
    efficiency = {
        "regime_nas": {"seeds": [0.5, 0.8, None]},
        "mlp": {"seeds": [0.6, 0.5, 0.9]},
        "oracle": {"seeds": [1.0, 1.0, 1.0]},
    }
    margins = paired_margins(efficiency)
    assert set(margins) == {"mlp"}
    assert margins["mlp"]["seeds"] == [pytest.approx(-0.1), pytest.approx(0.3), None]
    assert margins["mlp"]["median"] == pytest.approx(0.1)
    assert margins["mlp"]["range"] == [pytest.approx(-0.1), pytest.approx(0.3)]
    assert margins["mlp"]["n_better"] == 1


def test_control_bands_are_of_r2_and_of_what_linear_leaves(results: PlantedResults) -> None:
    verdict = planted_verdict(results.cells, PLANTED)
    walk = simulate(PLANTED.markets, "martingale", 7).target
    band = chance_band(0.2 * walk, walk, seed=9)
    entry = verdict["martingale"]["raw"]["mlp"]
    assert entry["chance_band"]["low"] == [pytest.approx(band.low)]
    assert entry["chance_band"]["high"] == [pytest.approx(band.high)]
    assert entry["r2"]["seeds"] == [pytest.approx(explained(0.2))]
    assert entry["minus_linear"]["median"] == pytest.approx(explained(0.2) - explained(0.1))
    target = simulate(PLANTED.markets, "no_regime", 7).target
    beyond = verdict["no_regime"]["raw"]["mlp"]["chance_band"]
    assert beyond["r2"] == [pytest.approx(r2_zero(0.1 * target, 0.9 * target))]
    assert "chance_band" not in verdict["no_regime"]["raw"]["linear"]
    assert "minus_linear" not in verdict["no_regime"]["raw"]["linear"]
    assert "engineered" not in verdict["martingale"]


def test_trials_say_where_they_were_made_and_found_is_of_planted_markets(
    results: PlantedResults,
) -> None:
    trials = results.trials
    assert trials["trial_id"].is_unique
    assert len(trials) == 2 * 2 * 2 + 2
    row = trials[trials["search_id"] == "martingale-7-raw-mlp"].iloc[0]
    assert json.loads(row["facts"]) == {
        "epochs": 1,
        "market": "martingale",
        "market_seed": 7,
        "track": "raw",
    }
    assert set(results.found["raw"]["mlp"]) == {"3", "4"}
    assert "linear" not in results.found["raw"]


def test_regimes_over_time_are_those_of_the_first_market(results: PlantedResults) -> None:
    states = simulate(PLANTED.markets, "planted", 3).states
    assert states is not None
    table = results.regimes
    assert list(table["track"].unique()) == ["engineered", "raw"]
    raw = table[table["track"] == "raw"]
    assert raw["bar"].tolist() == list(range(219, 299))
    assert raw["state"].tolist() == states[219:299].tolist()
    assert (raw["oracle.volatile"] == 0.5).all()
    assert (raw["gate.range"] == 0.5).all()


def test_a_subject_without_a_gate_leaves_blanks() -> None:
    pieces = pieces_of(PLANTED, SHARES)
    for track in PLANTED.tracks:
        piece = pieces[Cell("planted", 3, track, "regime_nas")]
        piece.arrays.pop("weights")
    table = collect(pieces, PLANTED, seed=9).regimes
    assert table["gate.trend"].isna().all()
    assert table["oracle.trend"].notna().all()


def test_the_summary_can_be_written_as_json(results: PlantedResults) -> None:
    verdict = planted_verdict(results.cells, PLANTED)
    assert json.loads(json.dumps(verdict, allow_nan=False)) == verdict
    assert verdict["sample"]["scored_bars"] == 80
    assert verdict["regime_recovery"]["raw"]["oracle"]["median"] == 0.5
    assert isinstance(results.cells, pd.DataFrame)
