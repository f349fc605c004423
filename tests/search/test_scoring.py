from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from evidence_samples import supernet_with_all_evidence
from search_samples import N_ASSETS, noise, small_supernet

from regime_nas_pipeline.networks.training import validation_error
from regime_nas_pipeline.search.scoring import Scorer, spread
from regime_nas_pipeline.search.subnetworks import random_architecture, score_subnetworks
from regime_nas_pipeline.search.supernet import MixedOperation, mixed_edges

ROWS = np.arange(20, 190, 10)


@pytest.mark.parametrize(("n", "expected"), [(3, [4, 10, 16]), (16, None), (17, None), (99, None)])
def test_few_rows_are_spread_evenly_and_hold_the_last(n: int, expected: list[int] | None) -> None:
    rows = np.arange(17)
    chosen = spread(rows, n)
    assert len(chosen) <= n
    assert chosen[-1] == 16
    assert len(set(np.diff(chosen))) == 1
    if expected is not None:
        assert chosen.tolist() == expected


def test_every_look_at_the_validation_windows_is_counted() -> None:
    network, data = small_supernet(), noise()
    scorer = Scorer(network, data, ROWS, batch_dates=4, selection_dates=6)
    few = spread(ROWS, 6)
    assert scorer.error() == validation_error(network, data, ROWS, 4)
    assert scorer.windows == N_ASSETS * len(ROWS)
    cells = [random_architecture(network, np.random.default_rng(n)) for n in range(5)]
    expected = score_subnetworks(network, cells, data, few, len(few))
    np.testing.assert_array_equal(scorer.subnetworks(cells), expected)
    assert scorer.windows == N_ASSETS * (len(ROWS) + 5 * len(few))
    edge = next(mixed_edges(network))[1]
    assert len(scorer.without_each(edge)) == len(edge.names)
    # One pass of the whole mixture and one without each operation other than none.
    passes = 5 + 1 + len(edge.names) - 1
    assert scorer.windows == N_ASSETS * (len(ROWS) + passes * len(few))


def test_states_of_the_evidence_share_what_the_blocks_make(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network, data = supernet_with_all_evidence(), noise()
    scorer = Scorer(network, data, ROWS, batch_dates=4, selection_dates=6)
    few, evidence = spread(ROWS, 6), network.evidence

    def keep(*positions: int) -> None:
        evidence.kept = set(positions)

    states = [partial(keep, 0, 1), partial(keep, 2, 5, 6), partial(keep, 7)]
    expected = []
    for enter in states:
        enter()
        expected.append(validation_error(network, data, few, len(few)))
    assert len(set(expected)) == 3
    worked: list[MixedOperation] = []
    original = MixedOperation._results
    monkeypatch.setattr(
        MixedOperation,
        "_results",
        lambda edge, *given: worked.append(edge) or original(edge, *given),
    )
    np.testing.assert_array_equal(scorer.states(states), expected)
    assert worked == [edge for _, edge in mixed_edges(network)]
    assert scorer.windows == N_ASSETS * 3 * len(few)
