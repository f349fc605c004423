from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from evaluated import (
    CLOSES,
    SETTINGS,
    rows_of,
    seeds_of,
    strategies,
    variant_rows_of,
    variants_of,
)

from regime_nas_pipeline.core.cache import content_hash
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.walkforward.evaluation_ledger import (
    EVALUATION_TYPES,
    VariantReturns,
    hash_of_evaluated_closes,
)
from regime_nas_pipeline.walkforward.folds import Fold

RETURNS = strategies(1)
SEEDS = seeds_of(RETURNS, 1)


def test_every_strategy_and_every_seed_has_a_row_with_its_returns():
    rows = rows_of(RETURNS, SEEDS)
    assert list(rows.columns) == [*EVALUATION_TYPES, "dates", "returns"]
    keys = rows[["strategy", "seed"]].to_numpy()
    named = [(name, None if pd.isna(seed) else seed) for name, seed in keys]
    assert named == [
        ("gru", None),
        ("momentum", None),
        ("equal_weight", None),
        ("gru", 1),
        ("gru", 2),
    ]
    assert rows["evaluation_id"].is_unique
    equal_weight = rows.set_index("strategy").loc["equal_weight", "evaluation_id"]
    assert (rows["reference_id"] == equal_weight).all()
    assert rows.loc[1, "returns"] == RETURNS["momentum"].tolist()
    assert rows.loc[4, "returns"] == SEEDS.loc[SEEDS["seed"] == 2, "net"].tolist()
    assert rows.loc[0, ["first", "last"]].tolist() == ["2015-01-01T00:00:00", "2015-02-25T00:00:00"]
    assert rows.loc[0, ["env", "run_id", "cost_bps"]].tolist() == ["base", "first", 5.0]
    assert rows["git_sha"].isna().all()
    assert rows["variant"].isna().all()
    assert (rows["origin"] == "walk_forward_evaluation").all()


def test_rows_keep_the_names_that_they_had_before_there_were_variants():
    dates = [date.isoformat() for date in RETURNS.index]
    identity = ["momentum", None, CLOSES, SETTINGS, dates]
    known = content_hash(identity, RETURNS["momentum"].to_numpy())[:32]
    assert rows_of(RETURNS, SEEDS).loc[1, "evaluation_id"] == known


def test_the_same_evaluation_has_the_same_name_whoever_runs_it():
    again = rows_of(RETURNS, SEEDS, run_facts={"env": "other", "run_id": "second", "git_sha": "a"})
    assert again["evaluation_id"].tolist() == rows_of(RETURNS, SEEDS)["evaluation_id"].tolist()


@pytest.mark.parametrize("changed", ["closes_hash", "settings_hash", "returns", "dates"])
def test_whatever_differs_has_another_name(changed: str):
    before = set(rows_of(RETURNS, SEEDS)["evaluation_id"])
    if changed == "returns":
        after = rows_of(RETURNS + 1e-15, SEEDS.assign(net=SEEDS["net"] + 1e-15))
    elif changed == "dates":
        day = pd.Timedelta(days=1)
        after = rows_of(
            RETURNS.set_axis(RETURNS.index + day), SEEDS.assign(date=SEEDS["date"] + day)
        )
    else:
        after = rows_of(RETURNS, SEEDS, **{changed: "0" * 64})
    assert not before & set(after["evaluation_id"])


def test_without_seeds_there_are_only_strategies():
    rows = rows_of(RETURNS, SEEDS.iloc[:0])
    assert rows["seed"].isna().all()
    assert len(rows) == 3


def test_every_variant_has_a_row_beside_an_equal_weight_that_is_a_whole_runs():
    variants = variants_of(RETURNS, 1)
    rows, whole = variant_rows_of(variants), rows_of(RETURNS, SEEDS)
    assert list(rows.columns) == list(whole.columns)
    assert rows["variant"].fillna("").tolist() == ["", "without_0", "without_1"]
    assert rows["strategy"].tolist() == ["equal_weight", "gru", "gru"]
    assert rows["seed"].fillna(0).tolist() == [0, 1, 1]
    for returns, net in zip(rows["returns"][1:], variants.net.values(), strict=True):
        assert returns == net.tolist()
    assert (rows["origin"] == "ablation").all()
    assert set(rows["evaluation_id"]) & set(whole["evaluation_id"]) == {rows.loc[0, "reference_id"]}
    assert (rows["reference_id"] == whole.loc[0, "reference_id"]).all()


def test_a_variant_is_known_by_its_name_whichever_pipeline_tried_it():
    variants = variants_of(RETURNS, 1)
    rows = variant_rows_of(variants)
    again = variant_rows_of(variants, origin="calibration", run_facts={})
    assert again["evaluation_id"].tolist() == rows["evaluation_id"].tolist()
    same = {whose._replace(variant="plain"): net for whose, net in variants.net.items()}
    renamed = variant_rows_of(VariantReturns(same, variants.equal_weight))
    assert not set(renamed["evaluation_id"][1:]) & set(rows["evaluation_id"])


def test_a_variant_on_other_dates_than_its_equal_weight_is_refused():
    short = {whose: net.iloc[1:] for whose, net in variants_of(RETURNS, 1).net.items()}
    with pytest.raises(DataError, match=r"ablation.*'without_0' of gru.*dates of 'equal_weight'"):
        variant_rows_of(VariantReturns(short, RETURNS["equal_weight"]))


def test_seeds_on_other_dates_and_a_missing_reference_are_refused():
    with pytest.raises(DataError, match=r"seed_returns.*gru.*seed 1"):
        rows_of(RETURNS, SEEDS.iloc[1:])
    with pytest.raises(DataError, match="equal_weight"):
        rows_of(RETURNS.drop(columns="equal_weight"), SEEDS)


def test_prices_are_told_apart_from_the_first_decision_on(market: Market, folds: list[Fold]):
    first = market.position(folds[0].decisions[0])
    own = hash_of_evaluated_closes(market, folds)

    def with_close(row: int) -> str:
        close = market.close.copy()
        close[row, 0] *= 1.01
        return hash_of_evaluated_closes(dataclasses.replace(market, close=close), folds)

    # More or other history is another training sample, and no other out-of-sample return.
    assert with_close(first - 1) == own
    assert with_close(first) != own
    assert with_close(len(market.dates) - 1) != own
    shorter = market.slice(10, len(market.dates))
    assert hash_of_evaluated_closes(shorter, folds) == own
