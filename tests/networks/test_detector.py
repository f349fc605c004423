from __future__ import annotations

import numpy as np
import pytest
import torch

from regime_nas_pipeline.networks.detector import RegimeDetector, TimeframeEncoder

TIMEFRAMES = (1, 5, 21, 5)
LENGTH = 63


@pytest.fixture
def detector() -> RegimeDetector:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return RegimeDetector(timeframes=TIMEFRAMES, width=8, attention_heads=2).eval()


def market(seed: int = 0) -> torch.Tensor:
    return torch.randn(5, LENGTH, len(TIMEFRAMES), generator=torch.Generator().manual_seed(seed))


def set_evidence(detector: RegimeDetector, evidence: list[float]) -> None:
    """Let the detector find this evidence whatever it reads: the inverse of softplus as bias."""
    with torch.no_grad():
        detector.evidence.weight.zero_()
        detector.evidence.bias.copy_(torch.tensor(evidence).expm1().log())


def test_probabilities_and_gates_are_probabilities(detector: RegimeDetector) -> None:
    for answer in detector(market()):
        assert answer.shape == (5, 3)
        assert (answer > 0).all()
        torch.testing.assert_close(answer.sum(dim=-1), torch.ones(5))


def test_probability_and_gate_by_hand(detector: RegimeDetector) -> None:
    set_evidence(detector, [3.0, 1.0, 0.5])
    # Sum of e + 1 is 7.5: p = (4, 2, 1.5) / 7.5 and u = 3 / 7.5 = 0.4.
    probability, gate = detector(market()[:1])
    np.testing.assert_allclose(probability[0].detach(), [8 / 15, 4 / 15, 3 / 15], rtol=1e-5)
    expected = [0.6 * 8 / 15 + 0.4 / 3, 0.6 * 4 / 15 + 0.4 / 3, 0.6 * 3 / 15 + 0.4 / 3]
    np.testing.assert_allclose(gate[0].detach(), expected, rtol=1e-5)


def test_without_evidence_all_blocks_weigh_the_same(detector: RegimeDetector) -> None:
    with torch.no_grad():
        detector.evidence.bias.fill_(-200.0)
        detector.evidence.weight.zero_()
    for answer in detector(market()):
        torch.testing.assert_close(answer, torch.full((5, 3), 1 / 3))


def test_overwhelming_evidence_opens_one_gate(detector: RegimeDetector) -> None:
    with torch.no_grad():
        detector.evidence.weight.zero_()
        detector.evidence.bias.copy_(torch.tensor([0.0, 1e6, 0.0]))
    _, gate = detector(market())
    torch.testing.assert_close(
        gate, torch.tensor([[0.0, 1.0, 0.0]]).expand(5, 3), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("number", [0, 1, 2])
def test_an_encoder_reads_its_own_columns_at_its_own_bars(
    detector: RegimeDetector, number: int
) -> None:
    encoder = detector.encoders[number]
    assert isinstance(encoder, TimeframeEncoder)
    every, columns = [(1, [0]), (5, [1, 3]), (21, [2])][number]
    assert encoder.every == every
    windows = market().requires_grad_(True)
    torch.autograd.backward((encoder(windows) ** 2).sum())
    assert windows.grad is not None
    moved = (windows.grad != 0).any(dim=0)
    read = {(int(bar), int(column)) for bar, column in moved.nonzero()}
    # Counted back from the decision bar, which is the window's last.
    bars = range(LENGTH - 1, -1, -every)
    assert read == {(bar, column) for bar in bars for column in columns}


def test_every_timeframe_moves_the_answer(detector: RegimeDetector) -> None:
    before, _ = detector(market())
    for column in range(len(TIMEFRAMES)):
        changed = market()
        changed[:, -1, column] += 2.0
        after, _ = detector(changed)
        assert not torch.equal(after, before)


def test_one_window_does_not_move_another(detector: RegimeDetector) -> None:
    before, _ = detector(market())
    changed = market()
    changed[1] += 5.0
    after, _ = detector(changed)
    others = [0, 2, 3, 4]
    torch.testing.assert_close(after[others], before[others], rtol=0, atol=1e-7)
    assert not torch.equal(after[1], before[1])
