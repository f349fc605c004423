from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted_cases import ONE, planted_case

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.market.synthetic import planted_states
from regime_nas_pipeline.walkforward import tuning
from regime_nas_pipeline.walkforward.planted import cells as module
from regime_nas_pipeline.walkforward.planted.cells import (
    Cell,
    all_cells,
    cell_key,
    cell_piece,
    forecaster_outcome,
    run_cell,
)
from regime_nas_pipeline.walkforward.planted.markets import SimulatedMarket, simulate
from regime_nas_pipeline.walkforward.planted.results import run_cells

NO_CACHE = PieceCache(None)
PLANTED = planted_case()
CELLS = Cell("planted", 3, "raw", "regime_nas")
MLP = Cell("planted", 3, "engineered", "mlp")


def without_times(piece: Bundle) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    figures = {name: value for name, value in piece.facts["figures"].items() if name != "seconds"}
    rows = [
        {key: value for key, value in row.items() if key != "objectives"}  # latency is a time
        for row in piece.facts.get("trials", [])
    ]
    facts = {**piece.facts, "figures": figures, "trials": rows}
    return facts, dict(piece.arrays)


def same(one: Bundle, other: Bundle) -> bool:
    (facts, arrays), (others, other_arrays) = without_times(one), without_times(other)
    return facts == others and all(
        np.array_equal(array, other_arrays[name]) for name, array in arrays.items()
    )


def test_every_market_track_and_forecaster_is_a_cell_and_controls_only_what_they_ask_for() -> None:
    cells = all_cells(PLANTED)
    assert len(set(cells)) == len(cells) == 2 * 2 * 4 + 2 * 1 * 1 * 2
    assert {cell.forecaster for cell in cells if cell.market == "martingale"} == {"mlp", "linear"}
    assert {cell.track for cell in cells if cell.market == "no_regime"} == {"raw"}


def test_the_oracle_knows_the_markets_own_parameters() -> None:
    """With states that never change and are known by their noise, it forecasts φ times return."""
    planted = planted_case(markets={"stay": 0.99999, "n_assets": 8, "seeds": [3]})
    piece = run_cell(Cell("planted", 3, "raw", "oracle"), planted, ONE, NO_CACHE)
    simulated = simulate(planted.markets, "planted", 3)
    assert simulated.states is not None
    phi = planted_states(phi=0.45, volatility=0.01, volatile_ratio=2.5)[0][simulated.states[-1]]
    expected = phi * simulated.market.log_returns[simulated.rows]
    assert piece.arrays["mean"] == pytest.approx(expected, abs=1e-4)
    assert piece.facts["figures"]["agreement"] == 1.0
    assert piece.arrays["weights"].sum(axis=1) == pytest.approx(np.ones(80))


@pytest.mark.parametrize("cell", [CELLS, MLP], ids=str)
def test_a_cell_searches_fits_and_forecasts_the_same_again(cell: Cell) -> None:
    piece, again = (run_cell(cell, PLANTED, ONE, NO_CACHE) for _ in range(2))
    assert same(piece, again)
    assert piece.arrays["mean"].shape == (80, 3)
    assert np.isfinite(piece.arrays["mean"]).all()
    search = piece.facts["search"]
    assert search["trials"] == len(piece.facts["trials"]) == 2
    assert 0 < search["gradient_samples"] <= PLANTED.search.budget
    assert (
        search["last_date_seen"]
        == str(simulate(PLANTED.markets, "planted", 3).known.dates[-1])[:10]
    )
    assert {row["forecaster"] for row in piece.facts["trials"]} == {cell.forecaster}
    assert ("weights" in piece.arrays) == (cell == CELLS)
    assert ("blocks" in piece.facts["parameters"]) == (cell == CELLS)


def altered(simulated: SimulatedMarket) -> SimulatedMarket:
    """Every close after the fitted bars is another one."""
    close = simulated.market.close.copy()
    noise = np.random.default_rng(1).normal(0.0, 0.05, close[simulated.fit_bars :].shape)
    close[simulated.fit_bars :] *= np.exp(noise.cumsum(axis=0))
    return dataclasses.replace(simulated, market=dataclasses.replace(simulated.market, close=close))


@pytest.mark.parametrize("cell", [CELLS, MLP, Cell("planted", 3, "raw", "linear")], ids=str)
def test_scored_bars_change_neither_search_nor_training(cell: Cell) -> None:
    simulated = simulate(PLANTED.markets, "planted", 3)
    piece = forecaster_outcome(cell, simulated, PLANTED, ONE, NO_CACHE)
    other = forecaster_outcome(cell, altered(simulated), PLANTED, ONE, NO_CACHE)
    facts, others = without_times(piece)[0], without_times(other)[0]
    for name in ("parameters", "search", "trials"):
        assert facts.get(name) == others.get(name)
    assert facts["figures"]["gradient_samples"] == others["figures"]["gradient_samples"]
    # The first decision is made at the last bar that both share.
    assert np.array_equal(piece.arrays["mean"][0], other.arrays["mean"][0])
    assert not np.array_equal(piece.arrays["mean"][2:], other.arrays["mean"][2:])


def test_a_key_is_of_the_cells_own_settings() -> None:
    key = cell_key(MLP, PLANTED, ONE)
    kept = (
        {"markets": {"seeds": [3]}},
        {"controls": {"seeds": [1, 2]}},
        {
            "forecasters": {
                "linear": PLANTED.forecasters["linear"].model_copy(update={"params": {}})
            }
        },
    )
    for changes in kept:
        assert cell_key(MLP, planted_case(**changes), ONE) == key, changes
    wanted = (
        {"markets": {"phi": 0.4}},
        {"search": {"budget": 400}},
        {"training": {"n_seeds": 1}},
        {
            "forecasters": {
                "mlp": {
                    **PLANTED.forecasters["mlp"].model_dump(by_alias=True),
                    "params": {"layers": 1},
                }
            }
        },
    )
    for changes in wanted:
        assert cell_key(MLP, planted_case(**changes), ONE) != key, changes
    assert cell_key(MLP, PLANTED, ONE.model_copy(update={"n_jobs": 2})) == key
    assert cell_key(MLP, PLANTED, ONE.model_copy(update={"seed": 6})) != key
    assert cell_key(dataclasses.replace(MLP, seed=4), PLANTED, ONE) != key


def test_finished_cells_survive_a_run_that_is_broken_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = planted_case(markets={"seeds": [3]}, tracks=["raw"])
    cache, made = PieceCache(str(tmp_path)), []
    original = module.run_cell

    def counted(cell: Cell, *arguments: Any) -> Bundle:
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(cell)
        return original(cell, *arguments)

    monkeypatch.setattr(module, "run_cell", counted)
    with pytest.raises(KeyboardInterrupt):
        run_cells(planted, ONE, cache)
    monkeypatch.setattr(
        module, "run_cell", lambda cell, *a: made.append(cell) or original(cell, *a)
    )
    pieces = run_cells(planted, ONE, cache)
    assert made == all_cells(planted)
    again = run_cells(planted, ONE, cache)
    assert made == all_cells(planted)
    assert all(same(pieces[cell], again[cell]) for cell in pieces)


def test_a_broken_off_search_goes_on_from_its_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, tried = PieceCache(str(tmp_path)), []
    original = tuning.evaluate_candidate

    def counted(task: Any, proposal: Any) -> Any:
        tried.append(proposal.number)
        if tried == [0, 1]:
            raise KeyboardInterrupt
        return original(task, proposal)

    monkeypatch.setattr(tuning, "evaluate_candidate", counted)
    with pytest.raises(KeyboardInterrupt):
        cell_piece(MLP, PLANTED, ONE, cache)
    piece = cell_piece(MLP, PLANTED, ONE, cache)
    assert tried == [0, 1, 1]
    assert same(piece, run_cell(MLP, PLANTED, ONE, NO_CACHE))


@pytest.mark.slow
def test_the_number_of_processes_changes_nothing() -> None:
    planted = planted_case(
        markets={"seeds": [3]}, tracks=["raw"], controls={"forecasters": ["linear"]}
    )
    alone = run_cells(planted, ONE, NO_CACHE)
    together = run_cells(planted, ONE.model_copy(update={"n_jobs": 2}), NO_CACHE)
    assert list(alone) == list(together)
    assert all(same(alone[cell], together[cell]) for cell in alone)
