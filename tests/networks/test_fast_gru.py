"""The written-out gradient of the GRU against torch's own, one network or several at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from regime_nas_pipeline.networks import recurrence
from regime_nas_pipeline.networks.fast_gru import FastGRU, torchs_own


def torchs_states(layer: FastGRU, windows: Tensor) -> Tensor:
    states: Tensor = nn.GRU.forward(layer, windows)[0]
    return states


def gradients(layer: FastGRU, windows: Tensor, run: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """Output, and gradients of inputs and weights of a loss that weighs each output differently."""
    layer.zero_grad()
    asked = windows.clone().requires_grad_()
    output = run(asked)
    weight = torch.linspace(-1.0, 2.0, output.numel(), dtype=output.dtype).reshape(output.shape)
    (output * weight).sum().backward()
    return [output.detach(), asked.grad, *[p.grad for p in layer.parameters()]]


@given(
    size=st.integers(1, 5),
    length=st.integers(1, 7),
    inputs=st.integers(1, 4),
    width=st.integers(1, 6),
    layers=st.integers(1, 3),
    spread=st.sampled_from([0.1, 1.0, 30.0]),
)
@settings(max_examples=40, deadline=None)
def test_states_and_gradients_are_torchs(
    size: int, length: int, inputs: int, width: int, layers: int, spread: float
) -> None:
    torch.manual_seed(length)
    layer = FastGRU(inputs, width, layers).double()
    windows = spread * torch.randn(size, length, inputs, dtype=torch.float64)
    of_all = gradients(layer, windows, layer.all_states)
    for ours, torchs in zip(
        of_all, gradients(layer, windows, lambda x: torchs_states(layer, x)), strict=True
    ):
        torch.testing.assert_close(ours, torchs, rtol=1e-9, atol=1e-11)
    of_last = gradients(layer, windows, layer.last_state)
    for ours, torchs in zip(
        of_last, gradients(layer, windows, lambda x: torchs_states(layer, x)[:, -1]), strict=True
    ):
        torch.testing.assert_close(ours, torchs, rtol=1e-9, atol=1e-11)


def test_gradient_is_that_of_finite_differences() -> None:
    torch.manual_seed(1)
    layer = FastGRU(2, 3).double()
    names = [name for name, _ in layer.named_parameters()]

    def states(windows: Tensor, *weights: Tensor) -> Tensor:
        given = dict(zip(names, weights, strict=True))
        return functional_call(_Alone(layer), {f"gru.{k}": v for k, v in given.items()}, (windows,))

    windows = torch.randn(2, 4, 2, dtype=torch.float64, requires_grad=True)
    weights = [p.detach().clone().requires_grad_() for p in layer.parameters()]
    assert torch.autograd.gradcheck(states, (windows, *weights))


class _Alone(nn.Module):
    def __init__(self, gru: FastGRU) -> None:
        super().__init__()
        self.gru = gru

    def forward(self, windows: Tensor) -> Tensor:
        return self.gru.all_states(windows)


@pytest.mark.parametrize("layers", [1, 2])
def test_networks_side_by_side_are_those_one_by_one(layers: int) -> None:
    torch.manual_seed(2)
    alone = [_Alone(FastGRU(3, 5, layers).double()) for _ in range(3)]
    windows = torch.randn(3, 4, 6, 3, dtype=torch.float64)
    weights, _ = stack_module_state(alone)
    together = torch.vmap(lambda w, x: functional_call(alone[0], w, (x,)))(weights, windows)
    (together**2).sum().backward()
    for number, network in enumerate(alone):
        states = torchs_states(network.gru, windows[number])
        (states**2).sum().backward()
        torch.testing.assert_close(together[number], states)
        for name, weight in network.named_parameters():
            torch.testing.assert_close(weights[name].grad[number], weight.grad)


def test_one_window_seen_by_several_networks() -> None:
    torch.manual_seed(3)
    alone = [_Alone(FastGRU(3, 4)) for _ in range(2)]
    windows = torch.randn(5, 6, 3)
    weights, _ = stack_module_state(alone)
    together = torch.vmap(lambda w: functional_call(alone[0], w, (windows,)))(weights)
    for number, network in enumerate(alone):
        torch.testing.assert_close(together[number], torchs_states(network.gru, windows))


def test_dropout_between_layers_is_on_in_training_only() -> None:
    torch.manual_seed(4)
    layer = FastGRU(3, 4, 2, dropout=0.5)
    windows = torch.randn(5, 6, 3)
    assert not torch.equal(layer.last_state(windows), layer.last_state(windows))
    layer.eval()
    assert torch.equal(layer.last_state(windows), layer.last_state(windows))
    torch.testing.assert_close(layer.last_state(windows), torchs_states(layer, windows)[:, -1])


def test_without_gradient_it_is_torchs_own_to_the_bit() -> None:
    torch.manual_seed(5)
    layer = FastGRU(3, 4, 2).eval()
    windows = torch.randn(5, 6, 3)
    with torch.no_grad():
        assert torch.equal(layer.all_states(windows), torchs_states(layer, windows))
        assert torch.equal(layer.last_state(windows), torchs_states(layer, windows)[:, -1])


def test_second_derivatives_are_torchs_and_else_refused() -> None:
    torch.manual_seed(6)
    layer = FastGRU(2, 3).double()
    windows = torch.randn(4, 5, 2, dtype=torch.float64)

    def curvature() -> Tensor:
        loss = (layer.last_state(windows) ** 2).sum()
        (slope,) = torch.autograd.grad(loss, [layer.weight_hh_l0], create_graph=True)
        (second,) = torch.autograd.grad((slope**2).sum(), [layer.weight_hh_l0])
        return second

    with torchs_own():
        assert float(curvature().abs().max()) > 0
    with pytest.raises(RuntimeError, match="torchs_own"):
        curvature()


def test_weights_go_by_torchs_names() -> None:
    torch.manual_seed(7)
    ours = FastGRU(3, 4, 2)
    torch.manual_seed(7)
    torchs = nn.GRU(3, 4, 2, batch_first=True)
    assert list(ours.state_dict()) == list(torchs.state_dict())
    for name, weight in torchs.state_dict().items():
        assert torch.equal(weight, ours.state_dict()[name])


def test_products_in_bfloat16_change_states_and_gradients_by_their_rounding() -> None:
    torch.manual_seed(8)
    layer = FastGRU(3, 16, 2)
    windows = torch.randn(40, 12, 3)

    def mixed(x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return layer.all_states(x)

    exact = gradients(layer, windows, layer.all_states)
    rounded = gradients(layer, windows, mixed)
    assert rounded[0].dtype == torch.float32
    assert not torch.equal(exact[0], rounded[0])
    for one, other in zip(exact, rounded, strict=True):
        # A bfloat16 has 8 bits.
        assert float((one - other).norm() / one.norm()) < 2**-6


def test_a_graph_can_be_gone_through_again_after_other_steps() -> None:
    torch.manual_seed(9)
    layer = FastGRU(3, 4)
    windows = torch.randn(5, 6, 3)
    found = []
    state = layer.last_state(windows).sum()
    for _ in range(2):
        layer.zero_grad()
        torch.autograd.backward(state, retain_graph=True)
        found.append(layer.weight_hh_l0.grad.clone())  # type: ignore[union-attr]
        layer.last_state(windows + 1.0).sum().backward()
    assert torch.equal(*found)


def test_memory_of_a_step_is_used_by_a_later_one() -> None:
    layer = FastGRU(7, 11)
    windows = torch.randn(13, 5, 7)
    places = []
    for _ in range(4):
        layer.last_state(windows).sum().backward()
        kept = recurrence.WORKSPACE.take((5, 1, 22, 13), like=windows)
        places.append(kept.data_ptr())
        recurrence.WORKSPACE.give_back(kept)
    assert len(set(places)) == 1


def test_steps_that_overlap_do_not_share_memory() -> None:
    torch.manual_seed(10)
    layer = FastGRU(3, 4)
    batches = [torch.randn(5, 6, 3) for _ in range(3)]
    alone = []
    for windows in batches:
        layer.zero_grad()
        layer.last_state(windows).sum().backward()
        alone.append(layer.weight_hh_l0.grad.clone())  # type: ignore[union-attr]
    waiting = [layer.last_state(windows).sum() for windows in batches]
    for loss, expected in zip(waiting, alone, strict=True):
        layer.zero_grad()
        loss.backward()
        assert torch.equal(layer.weight_hh_l0.grad, expected)  # type: ignore[arg-type]
