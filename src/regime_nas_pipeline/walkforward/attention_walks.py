"""Attention and importance of the networks of a walk, each on windows that came after its fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache, code_version, content_hash
from regime_nas_pipeline.networks.attention_inspection import AttentionInspection, inspection
from regime_nas_pipeline.networks.attention_maps import AttentionMaps, attention_maps
from regime_nas_pipeline.networks.window_importance import (
    WindowError,
    WindowImportance,
    window_importance,
)
from regime_nas_pipeline.networks.windows import Batch


@dataclass(frozen=True)
class Shuffles:
    """How importance is measured.

    Attributes:
        block: Bars in a stretch that is shuffled.
        n_repeats: Shuffles to average over.
        seed: Of the shuffles, and of the resamples behind intervals.
    """

    block: int = 5
    n_repeats: int = 3
    seed: int = 0


@dataclass(frozen=True, eq=False)
class WalkInspection:
    """What the networks of a walk look at and hang on, outside their training data.

    Attributes:
        pooled: Over the windows of all folds, each seen by its fold's network; intervals are over
            folds. A head is another one in every fold: only averages over heads mean something.
        last: The network of the last whole fold alone; a shorter one at the end has few windows.
        last_number: Its place among the folds that were inspected, from 0.
    """

    pooled: AttentionInspection
    last: AttentionInspection
    last_number: int


def network_piece(
    network: nn.Module,
    batch: Batch,
    error: WindowError,
    *,
    feature_names: Sequence[str],
    shuffles: Shuffles,
    cache: PieceCache,
) -> Bundle:
    """Maps and importance of one network, unless they are kept already.

    Args:
        network: Has a Transformer ``encoder``.
        batch: Its windows, see :func:`~regime_nas_pipeline.networks.window_importance
            .window_importance`.
        error: Loss of every window, a module-level function.
        feature_names: Names of the features of a bar.
        shuffles: How importance is measured.
        cache: Where finished pieces are kept.

    Raises:
        ParameterError: The network has no Transformer encoder, or a setting does not fit.
        DataError: There are fewer than two windows.
    """

    def make() -> Bundle:
        maps = attention_maps(network, batch)
        importance = window_importance(
            network,
            batch,
            error,
            feature_names=feature_names,
            block=shuffles.block,
            n_repeats=shuffles.n_repeats,
            seed=shuffles.seed,
        )
        arrays = {f"maps/{key}": value for key, value in vars(maps).items()}
        for key in ("loss", "features", "blocks"):
            arrays[f"importance/{key}"] = getattr(importance, key)
        facts = {
            "feature_names": list(importance.feature_names),
            "first_lags": list(importance.first_lags),
            "last_lags": list(importance.last_lags),
        }
        return Bundle(arrays, facts)

    state = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
    key = content_hash(
        code_version(),
        ["attention", type(network).__qualname__, getattr(error, "__qualname__", "")],
        sorted(state),
        *(state[name] for name in sorted(state)),
        *(each.cpu().numpy() for each in (batch.asset, batch.market, batch.mask, batch.target)),
        list(feature_names),
        vars(shuffles),
    )
    return cache.get_or_make(key, make)


def walk_inspection(
    pieces: Sequence[Bundle], *, lookback: int, level: float, seed: int
) -> WalkInspection:
    """The pieces of all folds together, and the last whole fold alone.

    Args:
        pieces: One per fold, in time order, see :func:`network_piece`.
        lookback: Bars in a window; so many windows of one fold make a batch.
        level: Coverage of the intervals.
        seed: Of the resamples.

    Raises:
        DataError: There is no piece, or the folds differ in features or layers.
    """
    parts = [_from_piece(piece) for piece in pieces]
    sizes = [len(maps.cls) for maps, _ in parts]
    pooled = inspection(
        AttentionMaps.joined([maps for maps, _ in parts]),
        WindowImportance.joined([importance for _, importance in parts]),
        batch_windows=max(sizes),
        level=level,
        seed=seed,
    )
    number = max(range(len(sizes)), key=lambda fold: (sizes[fold], fold))
    last = inspection(*parts[number], batch_windows=lookback, level=level, seed=seed)
    return WalkInspection(pooled, last, number)


def _from_piece(piece: Bundle) -> tuple[AttentionMaps, WindowImportance]:
    maps, arrays, facts = piece.prefixed("maps"), piece.prefixed("importance"), piece.facts
    return (
        AttentionMaps(maps["mean"], maps["cls"], maps["entropy"]),
        WindowImportance(
            loss=arrays["loss"],
            features=arrays["features"],
            blocks=arrays["blocks"],
            feature_names=tuple(facts["feature_names"]),
            first_lags=tuple(facts["first_lags"]),
            last_lags=tuple(facts["last_lags"]),
        ),
    )
