"""From evidence to the gate of a regime network, and the two controls without a gate that knows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from network_samples import random_batch, random_windows
from regime_net_samples import WIDTH, make, some_blocks, with_evidence

from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.operations import CLIP
from regime_nas_pipeline.networks.regime_net import GATE_BANK, RegimeNet
from regime_nas_pipeline.networks.windows import Batch


def rows_of(batch: Batch, rows: list[int]) -> Batch:
    """Some windows of a batch."""
    return Batch(batch.asset[rows], batch.market[rows], batch.mask[rows], batch.target[rows])


def without_last_bar(batch: Batch) -> Batch:
    """The same windows as they were one bar earlier, as far as they are known."""
    return replace(batch, asset=batch.asset[:, :, :-1], market=batch.market[:, :-1])


# --- evidence ---------------------------------------------------------------------------------


def test_evidence_is_the_mean_over_the_assets_that_are_there() -> None:
    network, batch = make(with_evidence(evidence="squared")), random_batch()
    assert (~batch.mask).any()
    embedded = network.evidence_embed(batch.asset).clamp(-CLIP, CLIP) ** 2
    expected = torch.stack(
        [
            embedded[row][batch.mask[row]].clamp(-CLIP, CLIP).mean(dim=0)
            for row in range(len(embedded))
        ]
    )
    found = network.market_evidence(batch)
    assert found.shape == (3, 24, WIDTH)
    torch.testing.assert_close(found, expected)


def test_evidence_of_an_empty_market_is_nothing() -> None:
    network, batch = make(some_blocks()), random_batch()
    nobody = replace(batch, mask=torch.zeros_like(batch.mask))
    assert (network.market_evidence(nobody) == 0.0).all()
    assert torch.isfinite(network(nobody).gate).all()


@pytest.mark.parametrize("joint", [False, True])
def test_one_assets_evidence_reaches_the_gate_of_all(joint: bool) -> None:
    network = make(with_evidence(evidence="squared"), joint=joint)
    batch = random_batch()
    batch.mask[:] = torch.tensor([True, True, False, True])
    moved, ignored = batch.asset.clone(), batch.asset.clone()
    moved[1, 3] += 1.0
    ignored[1, 2] += 1.0
    before = network(batch)
    after = network(replace(batch, asset=moved))
    assert (after.gate[1] != before.gate[1]).any()
    torch.testing.assert_close(after.gate[[0, 2]], before.gate[[0, 2]])
    # The others' own windows are the same: only the gate can have told them.
    assert (after.mean[1] != before.mean[1]).all()
    if not joint:  # a joint network knows no mask for single assets: their features are zero then
        same = network(replace(batch, asset=ignored))
        torch.testing.assert_close(same.gate, before.gate)
        torch.testing.assert_close(same.mean[:, [0, 1, 3]], before.mean[:, [0, 1, 3]])


def test_the_gate_learns_from_its_evidence() -> None:
    network, batch = make(with_evidence(evidence="lag_product")), random_batch()
    torch.autograd.backward((network(batch).mean ** 2).sum())
    gradient = network.evidence_embed.weight.grad
    assert gradient is not None
    assert (gradient != 0.0).any()


def test_the_two_gates_are_those_of_neighbouring_bars() -> None:
    network, batch = make(some_blocks()), random_batch()
    output = network(batch)
    now, before = network.detect(batch)
    torch.testing.assert_close(output.gate, now.gate)
    torch.testing.assert_close(output.regime, now.probability)
    torch.testing.assert_close(output.gate_before, before)
    torch.testing.assert_close(before, network(without_last_bar(batch)).gate)
    assert (before != now.gate).any(dim=-1).all()


def test_without_uncertainty_the_gate_is_the_regime() -> None:
    batch = random_batch()
    sure = make(some_blocks(), uncertainty=False)(batch)
    assert torch.equal(sure.gate, sure.regime)
    doubting = make(some_blocks())(batch)
    assert torch.equal(doubting.regime, sure.regime)
    assert (doubting.gate != sure.gate).any()


# --- the uniform control ----------------------------------------------------------------------


def test_the_uniform_control_is_the_mean_of_the_blocks() -> None:
    network, batch = make(some_blocks(), gate="uniform"), random_batch()
    output = network(batch)
    x = network.embed(network.with_market(batch))
    blocks = [block(x, batch.mask)[:, :, -1] for block in network.blocks.values()]
    torch.testing.assert_close(output.mean, network.output(sum(blocks) / 3)[0])
    torch.testing.assert_close(output.gate, torch.full((3, 3), 1 / 3))
    assert output.gate_before is None
    assert output.regime is None


def test_the_uniform_control_teaches_its_detector_nothing() -> None:
    network, batch = make(some_blocks(), gate="uniform"), random_batch(regimes=True)
    objective = Objective(smoothness_weight=1.0, label_weight=1.0)
    plain = replace(objective, smoothness_weight=0.0, label_weight=0.0)
    loss = objective(network(batch), batch)
    assert torch.equal(loss, plain(network(batch), batch))
    torch.autograd.backward(loss)
    silent = {"detector", "evidence", "evidence_embed"}
    for name, parameter in network.named_parameters():
        assert (parameter.grad is None) == (name.split(".")[0] in silent), name


# --- the shuffled control ---------------------------------------------------------------------


def trained_once(size: int) -> tuple[RegimeNet, Batch]:
    """A shuffled network that has seen one training batch, in evaluation mode again."""
    network, batch = make(some_blocks(), gate="shuffled"), random_batch(size=size)
    network.train()
    network(batch)
    return network.eval(), batch


def test_in_training_a_window_is_gated_by_another_one() -> None:
    network, batch = make(some_blocks(), gate="shuffled"), random_batch(size=5)
    own = network.detect(batch)[0].gate
    network.train()
    gate = network(batch).gate
    for row in range(5):
        matches = [other for other in range(5) if torch.allclose(gate[row], own[other])]
        assert len(matches) == 1
        assert matches != [row]
    torch.testing.assert_close(gate.sum(dim=0), own.sum(dim=0))


def test_the_shuffled_gate_reaches_the_blocks() -> None:
    batch = random_batch(size=5)
    shuffled, learned = make(some_blocks(), gate="shuffled"), make(some_blocks())
    shuffled.train()
    x = shuffled.embed(shuffled.with_market(batch))
    blocks = [block(x, batch.mask)[:, :, -1] for block in shuffled.blocks.values()]
    output = shuffled(batch)
    mixed = sum(output.gate[:, None, n, None] * block for n, block in enumerate(blocks))
    torch.testing.assert_close(output.mean, shuffled.output(mixed)[0])
    assert (output.mean != learned(batch).mean).any()


def test_the_bank_keeps_the_last_gates_of_training() -> None:
    network = make(some_blocks(), gate="shuffled")
    torch.testing.assert_close(network.gate_bank, torch.full((GATE_BANK, 3), 1 / 3))
    first, second = random_batch(size=5, seed=1), random_batch(size=3, seed=2)
    expected = [network.detect(batch)[0].gate for batch in (second, first)]
    before = network(first)
    assert torch.equal(network(first).mean, before.mean)  # evaluation leaves the bank alone
    network.train()
    for batch in (first, second):
        network(batch)
    torch.testing.assert_close(network.gate_bank[:8], torch.cat(expected))
    torch.testing.assert_close(network.gate_bank[8:], torch.full((GATE_BANK - 8, 3), 1 / 3))
    assert not network.gate_bank.requires_grad


def test_a_batch_larger_than_the_bank_fills_it() -> None:
    network, batch = trained_once(GATE_BANK + 6)
    torch.testing.assert_close(network.gate_bank, network.detect(batch)[0].gate[:GATE_BANK])


def test_in_evaluation_gates_come_from_the_bank_and_not_from_the_window() -> None:
    network, _ = trained_once(GATE_BANK)
    batch = random_batch(size=40, seed=9)
    gate, own = network(batch).gate, network.detect(batch)[0].gate
    drawn = {
        int((network.gate_bank - row).abs().sum(dim=-1).argmin())
        for row in gate
        if (network.gate_bank == row).all(dim=-1).any()
    }
    assert all((network.gate_bank == row).all(dim=-1).any() for row in gate)
    assert len(drawn) > 10  # gates that vary, as those of a gate that knows
    assert (gate != own).any(dim=-1).all()


@pytest.mark.parametrize("rows", [[0], [7, 3], [39, *range(20)]])
def test_in_evaluation_no_other_window_of_the_batch_counts(rows: list[int]) -> None:
    network, _ = trained_once(GATE_BANK)
    batch = random_batch(size=40, seed=9)
    together = network(batch)
    some = network(rows_of(batch, rows))
    assert torch.equal(some.gate, together.gate[rows])
    torch.testing.assert_close(some.mean, together.mean[rows])


def test_large_batches_of_real_windows_draw_what_each_window_draws_alone() -> None:
    """To the bit, however the windows lie in memory: a sum that rounds otherwise would show."""
    network, _ = trained_once(GATE_BANK)
    data, rows = random_windows(n_bars=150, n_assets=4, lookback=24), np.arange(30, 140)
    with torch.no_grad():
        together = network(data.batch(rows, need_target=False)).gate
        alone = [network(data.batch(rows[[n]], need_target=False)).gate for n in range(len(rows))]
    assert torch.equal(together, torch.cat(alone))


def test_the_bank_is_saved_with_the_weights_of_the_control_alone() -> None:
    network, _ = trained_once(GATE_BANK)
    restored = make(some_blocks(), gate="shuffled")
    batch = random_batch(seed=9)
    assert not torch.equal(restored(batch).gate, network(batch).gate)
    restored.load_state_dict(network.state_dict())
    assert torch.equal(restored(batch).gate, network(batch).gate)
    assert torch.equal(restored(batch).mean, network(batch).mean)
    for gate in ("learned", "uniform"):
        assert "gate_bank" not in make(some_blocks(), gate=gate).state_dict()
