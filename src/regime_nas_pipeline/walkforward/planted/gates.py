"""What a gated network's detector says of every bar, beside the states that were planted."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import torch

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.forecasters.prediction import asked_batches
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.regime_net import RegimeNet
from regime_nas_pipeline.networks.training import resolve_device, single_threaded


def detected_gates(
    forecaster: NeuralForecaster, market: Market, dates: pd.DatetimeIndex
) -> np.ndarray | None:
    """Weight of each block at each date, (D, K) in the order of ``GATED_BLOCKS``.

    They are those of the first network alone: nobody tells a network which block is for which
    regime, so that an average over networks would mix different orders.

    Args:
        forecaster: Fitted, pooled.
        market: Holds the dates; nothing after a date is used for it.
        dates: Decision dates, (D,).

    Returns:
        Weights that sum to 1; None where the network has no gate that it learned.

    Raises:
        DataError: A date has no whole window.
    """
    network = forecaster.networks_[0]
    if not isinstance(network, RegimeNet) or network.gate != "learned":
        return None
    everyone = np.ones(len(market.assets), dtype=bool)
    device = resolve_device(forecaster.device)
    asked_for = asked_batches(
        market, dates, forecaster.input_spec(), forecaster.scaling_, everyone, device
    )
    gates = []
    with single_threaded(0), torch.no_grad():
        for asked in asked_for:
            detection, _ = network.detect(asked.batch)
            # Batches are filled up to one size: the first so many dates were asked for.
            n_dates = int(asked.seen.any(axis=1).sum())
            gates.append(detection.gate[:n_dates].double().cpu().numpy())
    found = np.concatenate(gates) if gates else np.empty((0, 0))
    if len(found) != len(dates):
        raise DataError(f"the detector saw {len(found)} of {len(dates)} dates")
    return found


def agreement(weights: np.ndarray, states: np.ndarray, *, in_order: bool = False) -> float:
    """Share of bars at which the largest weight stands at the true state.

    Blocks have no names that the network knows, so the order that fits best counts. With K
    states that is the best of K! orders, and a gate that never moves reaches the share of the
    commonest state.

    Args:
        weights: (D, K).
        states: True states, (D,) of 0 to K - 1.
        in_order: Column k is state k: no other order is tried.
    """
    strongest = weights.argmax(axis=1)
    n_states = weights.shape[1]
    counts = np.zeros((n_states, n_states))
    np.add.at(counts, (strongest, states), 1.0)
    orders = [tuple(range(n_states))] if in_order else list(permutations(range(n_states)))
    best = max(sum(counts[k, order[k]] for k in range(n_states)) for order in orders)
    return float(best / len(states))
