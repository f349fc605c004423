from __future__ import annotations

from collections.abc import Iterator

import attention_reference
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from regime_nas_pipeline.networks.attention import (
    _FASTEST,
    _SLOWEST,
    ClippedSelfAttention,
    LearnedQueryPool,
    clip_tokens,
    keep_size,
    start_silent,
    token_radius,
)

WIDTH, HEADS, LENGTH = 6, 2, 9


@pytest.fixture(autouse=True)
def _own_random_state() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        yield


def tokens(size: float = 1.0, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return size * torch.randn(3, LENGTH, WIDTH, generator=generator, dtype=torch.float64)


def self_attention(*, causal: bool) -> ClippedSelfAttention:
    layer = ClippedSelfAttention(WIDTH, HEADS, causal=causal).double()
    with torch.no_grad():
        for part in (layer.query, layer.key):
            part.weight.mul_(3.0)  # contents that matter: weights far from equal
    return layer


def pooling(*, recency: bool, heads: int = HEADS, width: int = WIDTH) -> LearnedQueryPool:
    layer = LearnedQueryPool(width, heads, recency=recency).double()
    with torch.no_grad():
        layer.query.mul_(10.0)
    return layer


# --- the ball ---------------------------------------------------------------------------------


def test_a_long_token_keeps_its_direction_and_a_short_one_everything() -> None:
    radius = token_radius(4)
    assert radius == 2.0
    found = clip_tokens(torch.tensor([[3.0, 0.0, 0.0, 4.0], [1.0, 1.0, 1.0, 0.5], [0.0] * 4]))
    torch.testing.assert_close(found[0], torch.tensor([1.2, 0.0, 0.0, 1.6]))
    assert torch.equal(found[1:], torch.tensor([[1.0, 1.0, 1.0, 0.5], [0.0] * 4]))


@settings(max_examples=60, deadline=None)
@given(size=st.floats(1e-3, 1e4), distance=st.floats(1e-3, 1e4), seed=st.integers(0, 10**6))
def test_clipping_is_a_projection(size: float, distance: float, seed: int) -> None:
    """Inside the ball afterwards, unchanged by a second clip, and of slope one at most."""
    x = tokens(size, seed)
    y = x + tokens(distance, seed + 1)
    clipped_x, clipped_y = clip_tokens(x), clip_tokens(y)
    assert (clipped_x.norm(dim=-1) <= token_radius(WIDTH) * (1 + 1e-12)).all()
    torch.testing.assert_close(clip_tokens(clipped_x), clipped_x)
    moved = (clipped_x - clipped_y).norm(dim=-1)
    assert (moved <= (x - y).norm(dim=-1) * (1 + 1e-9) + 1e-12).all()


@pytest.mark.parametrize("kind", ["self-attention", "pooling"])
def test_beyond_the_ball_only_the_direction_of_a_token_counts(kind: str) -> None:
    layer: nn.Module = (
        self_attention(causal=True) if kind == "self-attention" else pooling(recency=True)
    )
    x = tokens()
    far = x * (5.0 * token_radius(WIDTH) / x.norm(dim=-1, keepdim=True))
    torch.testing.assert_close(layer(10.0 * far), layer(far))
    assert not torch.allclose(layer(far / 10.0), layer(far))


# --- self-attention ---------------------------------------------------------------------------


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("size", [0.3, 5.0], ids=["inside the ball", "beyond it"])
def test_self_attention_equals_a_plain_loop(causal: bool, size: float) -> None:
    layer, x = self_attention(causal=causal), tokens(size)
    expected = attention_reference.attend(layer, x.numpy())
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, rtol=1e-9, atol=1e-12)


def test_a_causal_token_sees_itself_and_those_before_it() -> None:
    x = tokens()
    changed = x.clone()
    changed[:, 4] += 1.0
    causal, free = self_attention(causal=True), self_attention(causal=False)
    moved = (causal(changed) != causal(x)).any(dim=-1)
    assert not moved[:, :4].any()
    assert moved[:, 4:].all()
    assert (free(changed) != free(x)).any(dim=-1).all()


@pytest.mark.parametrize("kind", ["self-attention", "pooling"])
def test_tokens_of_zero_add_nothing(kind: str) -> None:
    """Neither a key nor a value has a bias: a zero token has logit zero and carries nothing."""
    layer: ClippedSelfAttention | LearnedQueryPool = (
        self_attention(causal=False) if kind == "self-attention" else pooling(recency=False)
    )
    nothing = torch.zeros(1, LENGTH, WIDTH, dtype=torch.float64)
    out = layer(nothing)
    torch.testing.assert_close(out, layer.merge.bias.expand_as(out))
    one = nothing.clone()
    one[0, -1] = tokens()[0, 0]
    value = layer.value(clip_tokens(one[0, -1])).reshape(HEADS, -1)
    if isinstance(layer, ClippedSelfAttention):
        query, key = (
            part(clip_tokens(one[0, -1])).reshape(HEADS, -1) for part in (layer.query, layer.key)
        )
        score = (query * key).sum(dim=-1) / (WIDTH // HEADS) ** 0.5
        out = layer(one)[0, -1]
    else:
        score = layer.query @ clip_tokens(one[0, -1])
        out = layer(one)[0]
    weight = score.exp() / (score.exp() + LENGTH - 1)
    torch.testing.assert_close(out, layer.merge((weight[:, None] * value).flatten()))


# --- pooling ----------------------------------------------------------------------------------


@pytest.mark.parametrize("recency", [False, True])
@pytest.mark.parametrize("size", [0.3, 5.0], ids=["inside the ball", "beyond it"])
def test_pooling_equals_a_plain_loop(recency: bool, size: float) -> None:
    layer, x = pooling(recency=recency), tokens(size)
    if layer.slope_logit is not None:
        with torch.no_grad():
            layer.slope_logit.copy_(torch.tensor([-1.0, 2.0]))
    expected = attention_reference.pool(layer, x.numpy())
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, rtol=1e-9, atol=1e-12)


def test_only_with_recency_does_the_order_of_tokens_matter() -> None:
    x = tokens()
    turned = x[:, torch.tensor([3, 0, 8, 1, 2, 7, 6, 5, 4])]
    without, ordered = pooling(recency=False), pooling(recency=True)
    torch.testing.assert_close(without(turned), without(x))
    assert (ordered(turned) - ordered(x)).abs().max() > 1e-3


def weights_of_equal_tokens(layer: LearnedQueryPool, length: int) -> np.ndarray:
    """Each head's weight on each of ``length`` tokens that the query says nothing about."""
    with torch.no_grad():
        layer.query.zero_()
        for part in (layer.value, layer.merge):
            part.weight.copy_(torch.eye(len(part.weight)))
        size = layer.value.in_features // layer.heads
        # One window per token, in which that token alone is not zero: its weight is the output.
        probes = torch.eye(length, dtype=torch.float64)[:, :, None]
        return layer(probes.expand(-1, -1, size * layer.heads))[:, ::size].T.numpy()


@settings(max_examples=40, deadline=None)
@given(slopes=st.lists(st.floats(-20.0, 20.0), min_size=2, max_size=2))
def test_of_equal_tokens_the_newest_weighs_most(slopes: list[float]) -> None:
    """Whatever slope is learned: a head can forget slowly, and never prefers older tokens."""
    layer = pooling(recency=True)
    assert layer.slope_logit is not None
    with torch.no_grad():
        layer.slope_logit.copy_(torch.tensor(slopes))
    weight = weights_of_equal_tokens(layer, LENGTH)
    np.testing.assert_allclose(weight.sum(axis=1), 1.0)
    assert (np.diff(weight, axis=1) >= 0.0).all()
    assert (weight[:, -1] > weight[:, 0]).all()


@pytest.mark.parametrize("heads", [1, 2, 3])
def test_heads_start_with_half_lives_from_slow_to_fast(heads: int) -> None:
    weight = weights_of_equal_tokens(pooling(recency=True, heads=heads), 30)
    age = np.arange(29, -1, -1)
    half_lives = np.geomspace(_SLOWEST, _FASTEST, heads) if heads > 1 else np.array([_SLOWEST])
    expected = 0.5 ** (age / half_lives[:, None])
    np.testing.assert_allclose(
        weight, expected / expected.sum(axis=1, keepdims=True), rtol=1e-5, atol=1e-12
    )


def test_without_recency_equal_tokens_weigh_the_same() -> None:
    weight = weights_of_equal_tokens(pooling(recency=False), LENGTH)
    np.testing.assert_allclose(weight, 1 / LENGTH)


# --- first weights ----------------------------------------------------------------------------


def test_a_layer_that_keeps_size_maps_vectors_to_vectors_of_the_same_length() -> None:
    layer = nn.Linear(WIDTH, WIDTH)
    keep_size(layer)
    x = torch.randn(20, WIDTH)
    torch.testing.assert_close(layer(x).norm(dim=-1), x.norm(dim=-1))
    without_bias = nn.Linear(WIDTH, WIDTH, bias=False)
    keep_size(without_bias)
    torch.testing.assert_close(without_bias(x).norm(dim=-1), x.norm(dim=-1))


def test_a_silent_layer_says_nothing_and_learns() -> None:
    layer = nn.Linear(WIDTH, 2)
    start_silent(layer)
    said = layer(torch.randn(4, WIDTH))
    assert (said == 0.0).all()
    torch.autograd.backward(((said - 1.0) ** 2).sum())
    assert layer.weight.grad is not None
    assert (layer.weight.grad != 0.0).all()
