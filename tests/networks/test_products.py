"""Products by oneDNN or by torch's own, against products in double precision."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from regime_nas_pipeline.networks import products
from regime_nas_pipeline.networks.fast_gru import FastGRU, torchs_own
from regime_nas_pipeline.networks.products import add_product, linear, multiply

SMALL, LARGE = (3, 4, 5), (64, 65, 520)
"""Rows, inner size and columns, on either side of what is worth oneDNN's overhead."""

ONEDNN = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="torch was built without oneDNN"
)


def draw(*shape: int, kind: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator).to(kind)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Shapes that oneDNN was called with."""
    seen: list[tuple[int, ...]] = []
    onednn = products._ONEDNN

    def counted(rows: Tensor, *rest: object) -> Tensor:
        seen.append(tuple(rows.shape))
        return onednn(rows, *rest)

    monkeypatch.setattr(products, "_ONEDNN", counted)
    return seen


@ONEDNN
def test_torch_has_what_is_called() -> None:
    assert products._ONEDNN is not None


@ONEDNN
@pytest.mark.parametrize("networks", [1, 3])
@pytest.mark.parametrize(("size", "by_onednn"), [(SMALL, False), (LARGE, True)])
@pytest.mark.parametrize("transposed", [False, True])
def test_products_are_those_of_doubles(
    networks: int,
    size: tuple[int, int, int],
    by_onednn: bool,
    transposed: bool,
    calls: list[tuple[int, ...]],
) -> None:
    rows, inner, columns = size
    # The last factor's rows are part of a longer matrix, as a bar's are.
    left, right = draw(networks, rows, inner), draw(networks, inner + 2, columns)[:, 2:]
    if transposed:
        right = draw(networks, columns, inner).transpose(1, 2)
    exact = left.double() @ right.double()
    out, total = torch.empty(networks, rows, columns), torch.ones(networks, rows, columns)
    multiply(left, right, out)
    add_product(total, left, right)
    torch.testing.assert_close(out.double(), exact, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(total.double(), exact + 1.0, rtol=1e-5, atol=1e-4)
    assert calls == [(rows, inner)] * (2 * networks if by_onednn else 0)


@ONEDNN
def test_other_types_are_left_to_torch(calls: list[tuple[int, ...]]) -> None:
    rows, inner, columns = LARGE
    for kind, out_kind in (
        (torch.float64, torch.float64),
        (torch.bfloat16, torch.float32),
        (torch.bfloat16, torch.bfloat16),
    ):
        left, right = draw(1, rows, inner, kind=kind), draw(1, inner, columns, kind=kind)
        out = torch.empty(1, rows, columns, dtype=out_kind)
        total = torch.zeros(1, rows, columns, dtype=out_kind)
        multiply(left, right, out)
        add_product(total, left, right)
        expected = torch.bmm(left, right).to(out_kind)
        torch.testing.assert_close(out, expected, rtol=0.0, atol=0.0)
        torch.testing.assert_close(total, expected)
    assert not calls


def layer(kind: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs (20, 26, 65), weights (64, 65) and bias of a layer."""
    given = draw(20, 26, 65), draw(64, 65), draw(64)
    return tuple(value.to(kind).requires_grad_() for value in given)  # type: ignore[return-value]


@ONEDNN
def test_a_linear_layer_and_its_gradient_are_torchs(calls: list[tuple[int, ...]]) -> None:
    found, exact = layer(), layer(torch.float64)
    result, expected = linear(*found), functional.linear(*exact)
    for output in (result, expected):
        (output**2).sum().backward()
    torch.testing.assert_close(result.double(), expected, rtol=1e-5, atol=1e-4)
    for mine, theirs in zip(found, exact, strict=True):
        torch.testing.assert_close(mine.grad.double(), theirs.grad, rtol=1e-4, atol=1e-2)
    assert calls == [(520, 65), (520, 64)]


@ONEDNN
def test_no_gradient_is_computed_of_inputs_that_want_none(calls: list[tuple[int, ...]]) -> None:
    inputs, weight, bias = layer()
    inputs = inputs.detach()
    linear(inputs, weight, bias).sum().backward()
    torch.testing.assert_close(
        weight.grad, inputs.sum(dim=(0, 1)).expand(64, -1), atol=1e-3, rtol=0
    )
    assert len(calls) == 1


@ONEDNN
@pytest.mark.parametrize("shared", [False, True])
def test_layers_side_by_side_are_those_one_by_one(shared: bool) -> None:
    inputs, weight, bias = draw(2, 520, 65), draw(2, 64, 65), draw(2, 64)
    weight.requires_grad_()
    given = inputs[0] if shared else inputs
    together = torch.vmap(linear, in_dims=(None if shared else 0, 0, 0))(given, weight, bias)
    (together**2).sum().backward()
    for number in range(2):
        own = weight[number].detach().requires_grad_()
        alone = linear(given if shared else given[number], own, bias[number])
        (alone**2).sum().backward()
        torch.testing.assert_close(together[number], alone)
        torch.testing.assert_close(weight.grad[number], own.grad)


@ONEDNN
def test_second_derivatives_are_refused() -> None:
    inputs, weight, bias = layer()
    (slope,) = torch.autograd.grad(
        (linear(inputs, weight, bias) ** 2).sum(), inputs, create_graph=True
    )
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


def test_mixed_precision_is_left_to_torch(calls: list[tuple[int, ...]]) -> None:
    given = layer()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(linear(*given), functional.linear(*given))
    assert not calls


def test_without_onednn_it_is_torchs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_ONEDNN", None)
    given = layer()
    assert torch.equal(linear(*given), functional.linear(*given))
    left, right = draw(1, *LARGE[:2]), draw(1, *LARGE[1:])
    out = torch.empty(1, LARGE[0], LARGE[2])
    multiply(left, right, out)
    assert torch.equal(out, torch.bmm(left, right))


@ONEDNN
def test_a_gru_on_many_windows_is_torchs(calls: list[tuple[int, ...]]) -> None:
    torch.manual_seed(0)
    gru, windows = FastGRU(24, 64), draw(520, 5, 24)
    found = []
    for own in (False, True):
        gru.zero_grad()
        if own:
            with torchs_own():
                state = gru.last_state(windows)
        else:
            state = gru.last_state(windows)
        (state**2).sum().backward()
        found.append([state.detach(), *[weight.grad for weight in gru.parameters()]])
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)
    # In each bar gates and memory; on the way back the state and both kinds of weights.
    assert len(calls) == 5 * (2 + 3)
