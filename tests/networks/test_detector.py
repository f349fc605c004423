from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.networks.detector import (
    LOGIT_GAIN,
    LOGIT_LIMIT,
    Detection,
    RegimeDetector,
    TimeframeEncoder,
)

COLUMNS = (1, 5, 21, 5)
"""Timeframe of each market feature."""
N_EVIDENCE = 3
LENGTH = 63


def make(*, uncertainty: bool = True, timeframes: tuple[int, ...] = (1, 5, 21)) -> RegimeDetector:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return RegimeDetector(
            market_timeframes=COLUMNS,
            timeframes=timeframes,
            n_evidence=N_EVIDENCE,
            width=8,
            attention_heads=2,
            uncertainty=uncertainty,
        ).eval()


@pytest.fixture
def detector() -> RegimeDetector:
    return make()


def windows(length: int = LENGTH, size: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    """Market features and evidence of ``size`` windows."""
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(size, length, len(COLUMNS), generator=generator),
        torch.randn(size, length, N_EVIDENCE, generator=generator),
    )


def told(detector: RegimeDetector, logits: list[float]) -> Detection:
    """What the detector says of one window when it finds these logits, whatever it reads."""
    with torch.no_grad():
        detector.evidence.weight.zero_()
        detector.evidence.bias.copy_(torch.tensor(logits) / LOGIT_GAIN)
        detection: Detection = detector(*windows(size=1))
    return detection


# --- from evidence to the gate ----------------------------------------------------------------


def test_probability_uncertainty_and_gate_by_hand(detector: RegimeDetector) -> None:
    found = told(detector, np.log([3.0, 1.0, 0.5]).tolist())
    # S = 3 + 1 + 0.5 + 3 = 7.5, so u = 3 / 7.5 = 0.4 and the gate is (4, 2, 1.5) / 7.5.
    np.testing.assert_allclose(found.probability[0], [3 / 4.5, 1 / 4.5, 0.5 / 4.5], rtol=1e-5)
    np.testing.assert_allclose(found.uncertainty[0], [0.4], rtol=1e-5)
    np.testing.assert_allclose(found.gate[0], [4 / 7.5, 2 / 7.5, 1.5 / 7.5], rtol=1e-5)


@settings(max_examples=60, deadline=None)
@given(logits=st.lists(st.floats(-30.0, 30.0), min_size=3, max_size=3))
def test_the_gate_is_the_mean_of_the_dirichlet_distribution(logits: list[float]) -> None:
    found = told(make(), logits)
    evidence = np.exp(np.clip(logits, -LOGIT_LIMIT, LOGIT_LIMIT))
    total = evidence.sum() + 3
    np.testing.assert_allclose(found.gate[0], (evidence + 1) / total, rtol=1e-4)
    np.testing.assert_allclose(found.probability[0], evidence / evidence.sum(), rtol=1e-4)
    np.testing.assert_allclose(found.uncertainty[0], 3 / total, rtol=1e-4)


@settings(max_examples=30, deadline=None)
@given(logits=st.lists(st.floats(-30.0, 30.0), min_size=3, max_size=3))
def test_without_uncertainty_the_gate_is_the_probabilities(logits: list[float]) -> None:
    found = told(make(uncertainty=False), logits)
    assert torch.equal(found.gate, found.probability)
    doubted = told(make(), logits)
    assert torch.equal(found.probability, doubted.probability)
    assert torch.equal(found.uncertainty, doubted.uncertainty)


def test_without_evidence_all_blocks_weigh_the_same(detector: RegimeDetector) -> None:
    found = told(detector, [-1e6] * 3)
    torch.testing.assert_close(found.gate, torch.full((1, 3), 1 / 3))
    assert found.uncertainty.item() > 0.99


def test_doubt_softens_the_gate_and_keeps_its_order(detector: RegimeDetector) -> None:
    market, evidence = windows()
    found = detector(market, evidence)
    for answer in (found.probability, found.gate):
        assert answer.shape == (5, 3)
        assert (answer > 0).all()
        torch.testing.assert_close(answer.sum(dim=-1), torch.ones(5))
    assert found.uncertainty.shape == (5, 1)
    assert ((found.uncertainty > 0) & (found.uncertainty < 1)).all()
    assert torch.equal(found.gate.argsort(), found.probability.argsort())
    assert ((found.gate - 1 / 3).abs() < (found.probability - 1 / 3).abs()).all()


def test_overwhelming_evidence_opens_one_gate_and_stays_finite(detector: RegimeDetector) -> None:
    found = told(detector, [-1e6, 1e6, -1e6])
    assert torch.isfinite(found.gate).all()
    assert found.gate[0, 1] > 0.99
    assert found.uncertainty.item() < 0.01


# --- what an encoder reads --------------------------------------------------------------------


def encoder_of(detector: RegimeDetector, number: int) -> TimeframeEncoder:
    encoder = detector.encoders[number]
    assert isinstance(encoder, TimeframeEncoder)
    return encoder


@pytest.mark.parametrize(("every", "length"), [(1, 8), (5, 12), (5, 10), (21, 8)])
def test_a_token_holds_its_bars_features_and_the_mean_evidence_of_its_bars(
    every: int, length: int
) -> None:
    columns = [2, 0]
    encoder = TimeframeEncoder(columns, every, N_EVIDENCE, 8, 2)
    market, evidence = windows(length)
    expected = []
    end = length
    # Counted back from the decision bar; a window shorter than the timeframe is one token.
    while end >= min(every, length):
        first = end - min(every, length)
        mean = sum(evidence[:, bar] for bar in range(first, end)) / (end - first)
        expected.append(torch.cat([market[:, end - 1, columns], mean], dim=-1))
        end = first
    torch.testing.assert_close(
        encoder.tokens(market, evidence), torch.stack(expected[::-1], dim=1), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("number", [0, 1, 2])
def test_an_encoder_reads_its_own_columns_and_all_evidence(
    detector: RegimeDetector, number: int
) -> None:
    encoder = encoder_of(detector, number)
    every, columns = [(1, [0]), (5, [1, 3]), (21, [2])][number]
    assert (encoder.every, encoder.columns) == (every, columns)
    market, evidence = (x.double().requires_grad_(True) for x in windows())
    torch.autograd.backward((encoder.double()(market, evidence) ** 2).sum())
    assert market.grad is not None
    assert evidence.grad is not None
    moved = (market.grad != 0).any(dim=0)
    read = {(int(bar), int(column)) for bar, column in moved.nonzero()}
    # Counted back from the decision bar, which is the window's last; what is left over is not read.
    first = LENGTH % every
    assert read == {
        (bar, column) for bar in range(first + every - 1, LENGTH, every) for column in columns
    }
    weighed = (evidence.grad != 0).any(dim=0).all(dim=-1)
    assert weighed.tolist() == [bar >= first for bar in range(LENGTH)]


def test_there_is_an_encoder_for_every_timeframe_even_without_features() -> None:
    detector = make(timeframes=(3, 21))
    found = [(encoder_of(detector, n).every, encoder_of(detector, n).columns) for n in range(4)]
    assert len(detector.encoders) == 4
    assert found == [(1, [0]), (3, []), (5, [1, 3]), (21, [2])]
    torch.testing.assert_close(detector(*windows()).gate.sum(dim=-1), torch.ones(5))


def test_every_feature_and_every_kind_of_evidence_moves_the_answer(
    detector: RegimeDetector,
) -> None:
    before = detector(*windows()).gate
    for part, columns in enumerate((len(COLUMNS), N_EVIDENCE)):
        for column in range(columns):
            changed = windows()
            changed[part][:, -1, column] += 2.0
            assert (detector(*changed).gate != before).any(dim=-1).all()


def test_one_window_does_not_move_another(detector: RegimeDetector) -> None:
    before = detector(*windows()).gate
    market, evidence = windows()
    market[1] += 5.0
    evidence[1] -= 5.0
    after = detector(market, evidence).gate
    others = [0, 2, 3, 4]
    torch.testing.assert_close(after[others], before[others], rtol=0, atol=1e-6)
    assert not torch.equal(after[1], before[1])


def test_at_first_the_attention_beside_the_direct_paths_is_silent(
    detector: RegimeDetector,
) -> None:
    """The untrained detector is one linear map of exponential averages of its inputs."""
    market, evidence = windows()
    pooled = []
    for number in range(3):
        encoder = encoder_of(detector, number)
        pooled.append(encoder.pool(encoder.embed(encoder.tokens(market, evidence))))
    mean = torch.stack(pooled).mean(dim=0)
    torch.testing.assert_close(
        detector.logits(market, evidence), LOGIT_GAIN * detector.evidence(mean)
    )
