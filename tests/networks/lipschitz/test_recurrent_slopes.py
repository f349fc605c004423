from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jacobians import ROUNDING, jacobian, normal, onto_ball, spread, uniform, whole
from torch import nn

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.lipschitz.recurrent import gru_slope, lstm_slope
from regime_nas_pipeline.networks.lipschitz.slope import Slope

Layer = nn.GRU | nn.LSTM


def random_layer(kind: type[Layer], generator: torch.Generator) -> Layer:
    layer = kind(whole(generator, 1, 3), whole(generator, 1, 3), bias=bool(whole(generator, 0, 1)))
    layer = layer.double()
    for parameter in layer.parameters():
        size = 10.0 ** uniform(generator, -1.5, 0.7)
        parameter.data = size * normal(generator, *parameter.shape)
    return layer


def slope_of(layer: Layer, length: int, radius: float) -> Slope:
    if isinstance(layer, nn.GRU):
        return gru_slope(layer, length=length, radius=radius)
    return lstm_slope(layer, length=length, radius=radius)


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_recurrent_bounds_hold(kind: type[Layer], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    layer = random_layer(kind, generator)
    length, radius = whole(generator, 1, 7), spread(generator)
    size = layer.hidden_size
    x = radius * 10.0 ** uniform(generator, -2, 0.5) * normal(generator, length, layer.input_size)

    clipped = slope_of(layer, length, radius)
    free = slope_of(layer, length, math.inf)
    for bound, f in (
        (clipped, lambda v: layer(onto_ball(v, radius))[0]),
        (free, lambda v: layer(v)[0]),
    ):
        matrix = jacobian(f, x)
        last = float(torch.linalg.matrix_norm(matrix[-size:], ord=2))
        assert float(torch.linalg.matrix_norm(matrix, ord=2)) <= bound.window * (1 + ROUNDING)
        assert last <= bound.last * (1 + ROUNDING)
    assert clipped.window <= free.window * (1 + ROUNDING)
    assert math.isfinite(free.window)


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
def test_a_contracting_layer_has_a_bound_that_stays_finite_with_length(kind: type[Layer]) -> None:
    layer = kind(4, 4)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(0.2)
    short, long = slope_of(layer, 60, 1.0), slope_of(layer, 240, 1.0)
    assert long.window == pytest.approx(short.window, rel=0.03)
    assert long.last == pytest.approx(short.last, rel=1e-6)


def test_unclipped_inputs_may_freeze_a_gru_and_add_up_every_bar() -> None:
    # The update gate may then be 1 throughout: what enters is never forgotten.
    layer = nn.GRU(2, 2)
    free = [gru_slope(layer, length=length).last for length in (10, 40)]
    assert free[1] > 1.9 * free[0]


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
def test_weights_that_are_not_numbers_and_overflow_have_no_bound(kind: type[Layer]) -> None:
    layer = kind(2, 2)
    with torch.no_grad():
        layer.weight_hh_l0[0, 0] = math.nan
    assert slope_of(layer, 5, 1.0).window == math.inf
    with torch.no_grad():
        layer.weight_hh_l0.fill_(1e20)
    assert slope_of(layer, 60, 1.0).window == math.inf


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
def test_layers_of_another_form_are_refused(kind: type[Layer]) -> None:
    with pytest.raises(ParameterError, match="one layer and one direction"):
        slope_of(kind(2, 2, num_layers=2), 5, 1.0)
    with pytest.raises(ParameterError, match="one layer and one direction"):
        slope_of(kind(2, 2, bidirectional=True), 5, 1.0)
