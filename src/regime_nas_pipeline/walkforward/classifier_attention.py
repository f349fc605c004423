"""Attention of a walked regime classifier, each fit's network on the windows until the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.parallel import parallel_map
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.attention_maps import one_asset_each
from regime_nas_pipeline.networks.regime_classifier import class_windows
from regime_nas_pipeline.networks.training import resolve_device
from regime_nas_pipeline.networks.window_importance import class_log_loss
from regime_nas_pipeline.networks.windows import Batch
from regime_nas_pipeline.regimes.base import positions
from regime_nas_pipeline.regimes.classifier import RegimeClassifier
from regime_nas_pipeline.regimes.classifier_targets import labelled_regimes, outcomes
from regime_nas_pipeline.regimes.classifier_walk import ClassifierWalk, restored
from regime_nas_pipeline.regimes.features import feature_matrix
from regime_nas_pipeline.walkforward.attention_walks import (
    Shuffles,
    WalkInspection,
    network_piece,
    walk_inspection,
)

_LEAST_WINDOWS = 2


@dataclass(frozen=True, eq=False)
class ClassifierAttention:
    """What the classifier's networks look at and hang on, outside their training data.

    Attributes:
        walk: Over the windows of all fits, and of the last whole one alone.
        fits: One row per fit that was inspected: fitted (the close at which its network was
            fitted), first and last decision, n_windows, shown (whether ``walk.last`` is its
            network's).
    """

    walk: WalkInspection
    fits: pd.DataFrame

    def heads(self) -> pd.DataFrame:
        """How evenly heads look, and whether what they look at is what counts.

        Returns:
            fits (how many are averaged), layer and head (0 where averaged), entropy (of the CLS
            token's weights, as a share of the most that it could be), correlation (of ranks of
            attention and importance over stretches of bars), low, high. The first row averages
            over fits, layers and heads, the second over layers and heads of the network shown.
        """
        keys = ["layer", "head"]
        shown = self.walk.last.agreement.merge(
            self.walk.last.entropy[[*keys, "share"]], on=keys, how="left"
        )
        shown["share"] = shown["share"].fillna(self.walk.last.entropy["share"].mean())
        every = self.walk.pooled.agreement.iloc[:1].assign(
            share=self.walk.pooled.entropy["share"].mean()
        )
        table = pd.concat([every.assign(fits=len(self.fits)), shown.assign(fits=1)])
        columns = ["fits", *keys, "share", "correlation", "low", "high"]
        return table[columns].rename(columns={"share": "entropy"}).reset_index(drop=True)


def inspect_classifier(
    prototype: RegimeClassifier,
    walk: ClassifierWalk,
    market: Market,
    labels: pd.DataFrame,
    *,
    shuffles: Shuffles,
    level: float,
    cache: PieceCache,
    n_jobs: int = 1,
    name: str = "",
) -> ClassifierAttention:
    """Read the attention of every fit's first network on the windows that it forecast from.

    The answer to every such window came after the network was fitted. Importance is the log loss
    that shuffling adds, in nats, before the temperature.

    Args:
        prototype: The classifier that was walked, unfitted.
        walk: What came of it.
        market: Prices to the end of the sample.
        labels: Date x regime, those that it learned from and is judged by.
        shuffles: How importance is measured.
        level: Coverage of the intervals.
        cache: Where finished fits are kept.
        n_jobs: Processes.
        name: What the progress bar says; no bar where empty.

    Raises:
        DataError: No fit forecast two dates whose class came true.
    """
    labelled = market.with_regimes(labels)
    spans = _inspected(walk, labelled, prototype.lead)
    tasks = [
        (restored(walk, prototype, number), labelled, dates, shuffles, cache)
        for number, dates in spans.items()
    ]
    pieces = parallel_map(_fit_piece, tasks, n_jobs=n_jobs, description=name, unit="fit")
    found = walk_inspection(pieces, lookback=prototype.lookback, level=level, seed=shuffles.seed)
    fits = pd.DataFrame(
        {
            "fitted": [pd.Timestamp(walk.checkpoints.facts["dates"][number]) for number in spans],
            "first": [dates[0] for dates in spans.values()],
            "last": [dates[-1] for dates in spans.values()],
            "n_windows": [len(piece.arrays["importance/loss"]) for piece in pieces],
        }
    )
    return ClassifierAttention(found, fits.assign(shown=fits.index == found.last_number))


def _inspected(walk: ClassifierWalk, labelled: Market, lead: int) -> dict[int, pd.DatetimeIndex]:
    """Number of a fit to its decision dates whose class came true.

    Raises:
        DataError: No fit has two of them.
    """
    starts = [pd.Timestamp(date) for date in walk.checkpoints.facts["dates"]]
    dates = pd.DatetimeIndex(walk.forecasts.index)
    places = [int(dates.searchsorted(start)) for start in starts]
    known = dates[dates.isin(labelled.dates[: len(labelled.dates) - lead])]
    spans = {
        number: dates[begin:end].intersection(known)
        for number, (begin, end) in enumerate(zip(places, [*places[1:], len(dates)], strict=True))
    }
    spans = {number: own for number, own in spans.items() if len(own) >= _LEAST_WINDOWS}
    if not spans:
        raise DataError(
            "no fit of the regime classifier forecast two dates whose class came true",
            source="regimes",
            date=starts[0],
            remedy="bring more bars after the burn-in.",
        )
    return spans


def classifier_attention_words(found: ClassifierAttention) -> list[str]:
    """What was read, what counts, and whether attention and importance agree, in sentences.

    Args:
        found: What was found.

    Returns:
        What was read; the caution with the rank correlation; whether it is an agreement; which
        bars and which feature count most.
    """
    pooled = found.walk.pooled
    shown = found.fits[found.fits["shown"]].iloc[0]
    few = "" if found.walk.last.cls["low"].notna().any() else ", too few for intervals"
    return [
        f"Read off the first network of each of {len(found.fits)} fits, over the "
        f"{pooled.n_windows:,} windows that they forecast from, each before the next fit. None of "
        "these windows had its answer when its network was fitted. Single heads, their lines and "
        f"their maps are those of the fit of {date_text(shown['fitted'])} and its "
        f"{shown['n_windows']} windows{few}.",
        pooled.caution,
        _agreement(pooled.agreement.iloc[0]),
        _bars(pooled.blocks),
        _feature(pooled.features, pooled.loss),
    ]


def _agreement(overall: pd.Series) -> str:
    """Whether the rank correlation over stretches of bars is more than noise."""
    if not np.isfinite(overall["correlation"]):
        return (
            "Attention and importance cannot be compared here: one of them is the same for every "
            "stretch."
        )
    if not np.isfinite(overall["low"]):
        return (
            "Whether attention and importance agree here is open: there are too few fits for an "
            "interval."
        )
    if overall["low"] > 0.0:
        return (
            "So the two agree here on the order of the bars, by more than differs from fit to "
            "fit: what is looked at more is missed more when it is shuffled."
        )
    if overall["high"] < 0.0:
        return (
            "So the two contradict each other here: what is looked at more is missed less when it "
            "is shuffled, by more than differs from fit to fit."
        )
    return (
        "So over all stretches the two cannot be said to agree here, since the interval holds "
        "zero: a map does not tell in which order bars count."
    )


def _bars(blocks: pd.DataFrame) -> str:
    """Which stretch is looked at most, and which is missed most."""
    n_bars = blocks["last_lag"] - blocks["first_lag"] + 1
    places = (blocks["first_lag"].astype(str) + " to " + blocks["last_lag"].astype(str)).tolist()
    looked, needed = (int(blocks[column].argmax()) for column in ("attention", "importance"))
    weight = 100.0 * (n_bars * blocks["attention"]).iloc[looked]
    added = (n_bars * blocks["importance"]).iloc[needed]
    if looked == needed:
        return (
            f"Both put the same stretch first: the bars {places[looked]} before the decision bar "
            f"have {weight:.0f} % of the CLS token's weight, and shuffling them adds {added:.3f} "
            "nats."
        )
    return (
        f"They do not put the same stretch first: the bars {places[looked]} before the decision "
        f"bar have most of the CLS token's weight, {weight:.0f} %, and shuffling costs most for "
        f"the bars {places[needed]}, {added:.3f} nats."
    )


def _feature(features: pd.DataFrame, loss: float) -> str:
    """Which feature is missed most, and how sure that any is missed."""
    most = features.iloc[int(features["importance"].argmax())]
    span = ""
    if np.isfinite(most["low"]):
        above = int((features["low"] > 0.0).sum())
        span = (
            f" (interval {most['low']:.3f} to {most['high']:.3f}); of {len(features)} features "
            f"{above or 'none'} {'have' if above > 1 else 'has'} an interval above zero"
        )
    name = str(most["feature"]).replace("_", " ")
    return (
        f"Of the features, {name} counts most: shuffled, it adds {most['importance']:.3f} nats to "
        f"a log loss of {loss:.3f}{span}. Features that say the same stand in for each other, so "
        "that each alone looks less important than both."
    )


def windows_with_classes(
    fitted: RegimeClassifier, labelled: Market, dates: pd.DatetimeIndex
) -> Batch:
    """Windows that end at ``dates``, as the fitted networks see them, with what came true.

    Args:
        fitted: The classifier.
        labelled: Market with the labels that say what came true.
        dates: Decision dates.

    Returns:
        Windows whose targets are numbers of classes; those without a known class are left out.

    Raises:
        DataError: No window has a known class, or a date is no bar.
    """
    answers = outcomes(labelled_regimes(labelled), fitted.target, fitted.lead)
    features = feature_matrix(labelled, fitted.features)
    scaled = (features - fitted.feature_mean_) / fitted.feature_scale_
    data = class_windows(scaled, answers, fitted.lookback, resolve_device(fitted.device))
    rows: np.ndarray = positions(labelled, dates)
    return one_asset_each(data.batch(rows[rows >= fitted.lookback], need_target=True))


def _fit_piece(
    fitted: RegimeClassifier,
    labelled: Market,
    dates: pd.DatetimeIndex,
    shuffles: Shuffles,
    cache: PieceCache,
) -> Bundle:
    return network_piece(
        fitted.networks_[0],
        windows_with_classes(fitted, labelled, dates),
        class_log_loss,
        feature_names=fitted.features,
        shuffles=shuffles,
        cache=cache,
    )
