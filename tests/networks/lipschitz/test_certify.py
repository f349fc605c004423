from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jacobians import ROUNDING, jacobian_norm, normal, spread, whole
from searched_networks import MARKET_TIMEFRAMES, random_batch, random_network
from torch import nn

from regime_nas_pipeline.networks.lipschitz.certify import (
    block_slope,
    certified_bound,
    detector_slope,
)
from regime_nas_pipeline.networks.lipschitz.empirical import steepest_seen
from regime_nas_pipeline.networks.lipschitz.linear import spectral_norm
from regime_nas_pipeline.networks.operations import EVIDENCE, clip

seeds = st.integers(0, 2**32 - 1)


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_no_network_is_steeper_than_its_certificate(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    n_assets, length = whole(generator, 1, 3), whole(generator, 6, 10)
    network = random_network(generator, n_assets=n_assets)
    batch = random_batch(generator, n_assets=n_assets, length=length)
    certificate = certified_bound(network, lookback=length, n_assets=n_assets)
    assert math.isfinite(certificate.total)
    assert certificate.unbounded == ()
    seen = steepest_seen(network, [batch], climb=2, clip=math.inf)
    assert seen <= certificate.total * (1 + ROUNDING)


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_cells_detector_and_mixture_one_by_one(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    rows, length = whole(generator, 1, 3), whole(generator, 6, 10)
    network = random_network(generator, n_assets=rows, joint=False, head="linear")
    mask = torch.ones(1, rows, dtype=torch.bool)
    width = network.embed.out_features
    x = spread(generator) * normal(generator, rows, length, width)
    for name, cell in network.cells().items():
        entering = clip if name == EVIDENCE else nn.Identity()

        def states(v: torch.Tensor, cell: nn.Module = cell, entering=entering) -> torch.Tensor:  # type: ignore[no-untyped-def]
            return cell(entering(v)[None], mask)[0]

        def last(v: torch.Tensor, states=states) -> torch.Tensor:  # type: ignore[no-untyped-def]
            return states(v)[:, -1]

        slope = block_slope(name, cell, length)
        assert jacobian_norm(states, x) <= slope.window * (1 + ROUNDING) + 1e-12
        assert jacobian_norm(last, x) <= slope.last * (1 + ROUNDING) + 1e-12

    n_evidence = len(network.evidence.nodes) * width
    steep, steep_market = spread(generator), spread(generator)
    n_market = length * len(MARKET_TIMEFRAMES)

    def logits(v: torch.Tensor) -> torch.Tensor:
        market = steep_market * v[:n_market].reshape(1, length, -1)
        evidence = steep * v[n_market:].reshape(1, length, n_evidence)
        return network.detector.logits(market, evidence)[0]

    inputs = normal(generator, n_market + length * n_evidence)
    bound = detector_slope(network.detector, length, evidence=steep, market=steep_market)
    assert jacobian_norm(logits, inputs) <= bound * (1 + ROUNDING) + 1e-12


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_gate_part_covers_all_rows_at_once(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    n_assets, length = whole(generator, 1, 3), 6
    network = random_network(generator, n_assets=n_assets, joint=False)
    batch = random_batch(generator, n_assets=n_assets, length=length)
    whole_batch = replace(batch, mask=torch.ones_like(batch.mask))

    def gates(v: torch.Tensor) -> torch.Tensor:
        """The gate as every row meets it: the root of their number times one."""
        asset = v[: batch.asset[0].numel()].reshape(1, *batch.asset.shape[1:])
        market = v[batch.asset[0].numel() :].reshape(1, *batch.market.shape[1:])
        one = replace(whole_batch, asset=asset, market=market, mask=whole_batch.mask[:1])
        return math.sqrt(n_assets) * network.detect(one)[0].gate[0]

    x = torch.cat([batch.asset[0].flatten(), batch.market[0].flatten()])
    parts = certified_bound(network, lookback=length, n_assets=n_assets).parts
    assert jacobian_norm(gates, x) <= parts["gate"] * (1 + ROUNDING) + 1e-12


def test_parts_multiply_to_the_total_and_the_output_layer_scales_it() -> None:
    network = random_network(
        torch.Generator().manual_seed(5), n_assets=3, head="gru", switch_off=False
    )
    before = certified_bound(network, lookback=8, n_assets=3)
    parts = before.parts
    assert before.total == pytest.approx(parts["mixture"] * parts["head"] * parts["output"])
    with torch.no_grad():
        network.output.linear.weight.mul_(10.0)
    after = certified_bound(network, lookback=8, n_assets=3)
    assert after.total == pytest.approx(10.0 * before.total)


def test_volatility_weights_of_the_output_layer_do_not_count() -> None:
    network = random_network(
        torch.Generator().manual_seed(6), n_assets=3, joint=False, switch_off=False
    )
    before = certified_bound(network, lookback=8, n_assets=3).total
    with torch.no_grad():
        network.output.linear.weight[network.n_outputs :] *= 100.0
        network.output.linear.bias += 1.0
    assert certified_bound(network, lookback=8, n_assets=3).total == before


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_the_bound_grows_with_the_number_of_assets(seed: int) -> None:
    network = random_network(torch.Generator().manual_seed(seed), n_assets=2, joint=False)
    totals = [certified_bound(network, lookback=6, n_assets=n).total for n in (1, 2, 5, 20)]
    assert totals == sorted(totals)


def test_an_even_gate_leaves_the_mean_of_the_blocks() -> None:
    generator = torch.Generator().manual_seed(7)
    network = random_network(generator, n_assets=2, gate="uniform", head="linear", switch_off=False)
    parts = certified_bound(network, lookback=6, n_assets=2).parts
    blocks = [slope for name, slope in parts.items() if name.startswith("block ")]
    assert parts["mixture"] == pytest.approx(sum(blocks) / 3)
    assert "gate" not in parts


def test_what_has_no_bound_is_named() -> None:
    class Unknown(nn.Module):
        def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return x**3

    network = random_network(torch.Generator().manual_seed(8), n_assets=2, switch_off=False)
    network.blocks["trend"].nodes[0]["input"] = Unknown()
    certificate = certified_bound(network, lookback=6, n_assets=2)
    assert certificate.total == math.inf
    assert certificate.unbounded == ("trend, node 1, edge from input: Unknown",)
    shuffled = random_network(
        torch.Generator().manual_seed(9), n_assets=2, gate="shuffled", switch_off=False
    )
    certificate = certified_bound(shuffled, lookback=6, n_assets=2)
    assert certificate.total == math.inf
    assert certificate.unbounded == ("shuffled gate",)


def test_evidence_without_a_bound_leaves_the_network_without_one() -> None:
    network = random_network(torch.Generator().manual_seed(8), n_assets=2, switch_off=False)
    network.evidence.nodes[0]["input"] = nn.Identity()
    certificate = certified_bound(network, lookback=6, n_assets=2)
    assert certificate.parts["gate"] == math.inf
    assert certificate.unbounded == ("evidence, node 1, edge from input: Identity",)


@pytest.mark.parametrize("gate", ["learned", "uniform"])
def test_evidence_that_is_no_cell_has_no_bound(gate: str) -> None:
    class AllSideBySide(nn.Module):
        def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return x

    network = random_network(
        torch.Generator().manual_seed(8), n_assets=2, gate=gate, switch_off=False
    )
    whole_bound = certified_bound(network, lookback=6, n_assets=2)
    assert math.isfinite(whole_bound.total)
    network.evidence = AllSideBySide()
    certificate = certified_bound(network, lookback=6, n_assets=2)
    assert certificate.unbounded == ("evidence: AllSideBySide",)
    if gate == "uniform":
        assert certificate == replace(whole_bound, unbounded=certificate.unbounded)
    else:
        parts = certificate.parts
        assert parts["evidence"] == parts["gate"] == certificate.total == math.inf


def test_output_norm_is_that_of_the_mean_rows() -> None:
    network = random_network(
        torch.Generator().manual_seed(10), n_assets=3, joint=True, switch_off=False
    )
    parts = certified_bound(network, lookback=6, n_assets=3).parts
    assert parts["output"] == pytest.approx(spectral_norm(network.output.linear.weight[:3]))
