"""Nodes of the experiment on one index and its volatility index: data, labels, exposure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.observed import volatility_index
from regime_nas_pipeline.market.raw import RawPrices, make_note
from regime_nas_pipeline.pipelines.common import records_of
from regime_nas_pipeline.pipelines.ingestion.nodes import checked_prices
from regime_nas_pipeline.pipelines.spx_vix.building import (
    classifier_of,
    first_judged,
    index_market,
    index_returns,
    labeller_plans,
    rules_of,
    targets_of,
    terms_of,
)
from regime_nas_pipeline.pipelines.spx_vix.parameters import CLASSIFIER, SpxVix
from regime_nas_pipeline.portfolio.exposure.results import decide_all
from regime_nas_pipeline.portfolio.exposure.rules import Known
from regime_nas_pipeline.regimes.classifier_walk import classifier_walk
from regime_nas_pipeline.verdict.labels.quality import label_quality
from regime_nas_pipeline.walkforward.classifier_judged import judge_labels, judge_switches
from regime_nas_pipeline.walkforward.exposure_resemblance import (
    DEEP_REGIME,
    resemblance,
    resemblance_words,
    unpaid_leverage,
)
from regime_nas_pipeline.walkforward.exposure_study import study_exposures, survivors
from regime_nas_pipeline.walkforward.exposures import cheat_ladder
from regime_nas_pipeline.walkforward.label_sets import (
    refit_tables,
    stacked,
    unstacked,
    walk_labellers,
)
from regime_nas_pipeline.walkforward.parameters import Compute, Portfolio, Universe, WalkForward


def validate_index(
    raw: RawPrices, universe: Universe, walk_forward: WalkForward, spx_vix: SpxVix
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any], dict[str, Any]]:
    """Check the index and what is observed beside it; blanks of the latter are counted.

    Returns:
        Tidy prices up to the seal, those from the seal on, data-quality report, data manifest.
    """
    if universe.benchmark not in (universe.assets or [universe.benchmark]):
        raise DataError(
            "the index of this experiment is the benchmark, and it is not among the assets",
            asset=universe.benchmark,
            remedy="run --env=spx_vix, or name it alone in universe.assets.",
        )
    prices, sealed, quality, manifest = checked_prices(
        raw, universe, walk_forward, history=spx_vix.burn_in, least_assets=1
    )
    market = index_market(prices, universe)
    notes = []
    for name in universe.observed:
        blank = volatility_index(market, name).stand_in
        if blank.any():
            detail = "Blank; realised volatility of the index over 21 bars stands in."
            first = market.dates[int(np.argmax(blank))]
            notes.append(
                make_note("stand_in", detail, asset=name, count=int(blank.sum()), first_date=first)
            )
    return prices, sealed, {**quality, "notes": [*quality["notes"], *notes]}, manifest


def label(
    prices: pd.DataFrame, universe: Universe, spx_vix: SpxVix, compute: Compute
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Labels of every labeller: on the day, with hindsight; every refit; what they are."""
    market = index_market(prices, universe)
    found = walk_labellers(
        market,
        labeller_plans(spx_vix, compute.seed),
        burn_in=spx_vix.burn_in,
        refit_every=spx_vix.refit_every,
    )
    _refuse_unfit_rules(found.online, market, spx_vix)
    return found.online, found.hindsight, found.refits, found.facts


def _refuse_unfit_rules(online: pd.DataFrame, market: Market, spx_vix: SpxVix) -> None:
    """Apply every rule to every labeller's labels once, before a classifier is trained on them."""
    rules, returns = rules_of(spx_vix.exposure), index_returns(market)
    for name, labels in unstacked(online).items():
        known = Known(returns, labels, market.bars_per_year)
        try:
            decide_all(rules, known, max_exposure=spx_vix.exposure.max_exposure)
        except ParameterError as error:
            raise ParameterError(
                f"spx_vix.exposure does not fit the labeller '{name}': {error}"
            ) from error


def judge_labellers(
    online: pd.DataFrame,
    hindsight: pd.DataFrame,
    refits: pd.DataFrame,
    prices: pd.DataFrame,
    universe: Universe,
    walk_forward: WalkForward,
    spx_vix: SpxVix,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Steadiness, delay, agreement and separation, out of sample; single switches apart."""
    market = index_market(prices, universe)
    moves = pd.Series(np.log1p(index_returns(market)), index=market.dates)
    judged = label_quality(
        judged_part(online, walk_forward.first_oos_stamp),
        judged_part(hindsight, walk_forward.first_oos_stamp),
        refit_tables(refits),
        moves,
        bars_per_year=market.bars_per_year,
        horizon=spx_vix.horizon,
        level=spx_vix.level,
    )
    facts = {**judged.facts, "sentences": judged.sentences}
    return facts, judged.tables["switch_delays"]


def judged_part(tidy: pd.DataFrame, first_oos: pd.Timestamp) -> dict[str, pd.DataFrame]:
    """Labeller to its labels from the first out-of-sample bar on."""
    return {name: table.loc[first_oos:] for name, table in unstacked(tidy).items()}


def walk_classifier(
    online: pd.DataFrame,
    prices: pd.DataFrame,
    cache: PieceCache,
    universe: Universe,
    walk_forward: WalkForward,
    spx_vix: SpxVix,
    compute: Compute,
) -> tuple[pd.DataFrame, pd.DataFrame, Bundle]:
    """Forecasts of the next label and of switches, what every fit was like, and its models."""
    market = index_market(prices, universe)
    labels = unstacked(online)[spx_vix.classifier.learns]
    walks = {
        name: classifier_walk(
            market,
            labels,
            classifier_of(spx_vix.classifier, compute, target=target, lead=lead),
            burn_in=first_judged(market, walk_forward) + 1,
            refit_every=spx_vix.classifier.refit_every,
            cache=cache,
            n_jobs=compute.n_jobs,
            name=f"classifier, {name.replace('_', ' ')}",
        )
        for name, (target, lead) in targets_of(spx_vix.classifier).items()
    }
    forecasts = stacked({name: walk.forecasts for name, walk in walks.items()})
    fits = [walk.fits.assign(target=name) for name, walk in walks.items()]
    return (
        forecasts.rename(columns={"labeller": "target", "regime": "class"}),
        pd.concat(fits, ignore_index=True),
        walks["label"].checkpoints,
    )


def classifier_tables(forecasts: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Target to date x class."""
    return unstacked(forecasts.rename(columns={"target": "labeller", "class": "regime"}))


def judge_classifier(
    forecasts: pd.DataFrame, online: pd.DataFrame, spx_vix: SpxVix
) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """Scores, tests and words; log loss saved over time; precision and recall of switches."""
    settings = spx_vix.classifier
    labels = unstacked(online)[settings.learns]
    tables = classifier_tables(forecasts)
    judged = judge_labels(tables["label"], labels, lead=settings.lead, level=spx_vix.level)
    switches = {
        bars: judge_switches(tables[f"switch_{bars}"], labels, within=bars)
        for bars in settings.switch_within
    }
    facts = {
        "learns": settings.learns,
        "lead": settings.lead,
        **{name: records_of(table) for name, table in judged.tables.items()},
        "sentences": judged.words,
        "switches": {
            str(bars): {"table": records_of(each.table), "sentence": each.words}
            for bars, each in switches.items()
        },
    }
    curves = [each.curves.assign(within=bars) for bars, each in switches.items()]
    columns = ["forecaster", "threshold", "precision", "recall", "within"]
    found = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=columns)
    return facts, judged.gain, found


def trade_exposures(
    online: pd.DataFrame,
    hindsight: pd.DataFrame,
    forecasts: pd.DataFrame,
    prices: pd.DataFrame,
    universe: Universe,
    walk_forward: WalkForward,
    portfolio: Portfolio,
    spx_vix: SpxVix,
    compute: Compute,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Every strategy on every source of labels, and what each cheat is worth.

    Returns:
        Net returns and exposures (date x ``source.strategy``), figures with tests, the ladder,
        and what the published figures resemble.
    """
    market = index_market(prices, universe)
    returns = index_returns(market)
    terms = terms_of(walk_forward, portfolio, spx_vix.exposure, market.bars_per_year)
    rules = rules_of(spx_vix.exposure)
    said = judged_part(online, walk_forward.first_oos_stamp)
    study = study_exposures(
        returns,
        rules,
        {**said, CLASSIFIER: classifier_tables(forecasts)["label"]},
        terms,
        max_exposure=spx_vix.exposure.max_exposure,
        resamples=spx_vix.resamples,
        seed=compute.seed,
        level=spx_vix.level,
    )
    ladder = cheat_ladder(
        returns,
        rules,
        terms,
        hindsight=judged_part(hindsight, walk_forward.first_oos_stamp),
        online=said,
        max_exposure=spx_vix.exposure.max_exposure,
    )
    near = resemblance(
        ladder.net,
        DEEP_REGIME,
        bars_per_year=market.bars_per_year,
        n_resamples=spx_vix.resamples,
        seed=compute.seed,
    )
    published = {
        "resemblance": records_of(near),
        "words": resemblance_words(near[near["labeller"] == spx_vix.classifier.learns]),
        "unpaid_leverage": unpaid_leverage(DEEP_REGIME),
        "survivors": survivors(study.figures, level=spx_vix.level),
    }
    return study.net, study.exposure, study.figures, ladder.table, published
