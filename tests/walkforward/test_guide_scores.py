from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from guide_samples import LAG, decisions, folds_of, one_asset

from regime_nas_pipeline.portfolio.exposure.engine import Terms
from regime_nas_pipeline.walkforward.guide_published import (
    PUBLISHED_FOLDS,
    chance_of_range,
    chance_range,
    published_range,
    published_table,
)
from regime_nas_pipeline.walkforward.guide_scores import (
    effect_table,
    fold_table,
    range_table,
    sharpe_interval,
    skill_table,
)
from regime_nas_pipeline.walkforward.guide_strategy import long_or_flat

MARKET = one_asset()
FOLDS = folds_of(MARKET)
DATES = decisions(MARKET)
TERMS = Terms(execution_lag=LAG, cost_bps=5.0, cash_rate=0.02)
TARGET = pd.Series(MARKET.target(1, LAG)[:, 0], index=MARKET.dates).loc[DATES]
MEANS = {
    "knows": TARGET,
    "wrong": -TARGET,
    "never": pd.Series(0.0, index=DATES),
}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    results = long_or_flat(MARKET, MEANS, TERMS, 0.001)
    return fold_table(MARKET, FOLDS, MEANS, results, TERMS, level=0.9)


def test_every_bar_is_in_one_fold(table: pd.DataFrame) -> None:
    assert table.groupby("model")["n"].sum().tolist() == [len(DATES)] * 4
    assert table.groupby("model")["fold"].apply(list).tolist() == [[0, 1, 2, 3]] * 4
    own = table[table["model"] == "knows"].set_index("fold")
    for fold in FOLDS:
        row = own.loc[fold.number]
        assert (row["train_start"], row["train_end"]) == (fold.train_start, fold.train_end)
        first = MARKET.position(fold.decisions[0]) + LAG + 1
        assert (row["first_bar"], row["n"]) == (MARKET.dates[first], len(fold.decisions))


def test_skill_is_that_of_the_forecasts(table: pd.DataFrame) -> None:
    first = table[table["fold"] == 0].set_index("model")
    assert first.loc["knows", ["r2_zero", "hit_rate"]].tolist() == [1.0, 1.0]
    assert first.loc["wrong", ["r2_zero", "hit_rate"]].tolist() == [-3.0, 0.0]
    assert first.loc["never", "r2_zero"] == 0.0
    assert np.isnan(first.loc["never", "hit_rate"])
    assert first.loc["buy_and_hold", ["r2_zero", "hit_rate"]].isna().all()
    rose = (TARGET.loc[FOLDS[0].decisions] > 0).mean()
    assert first["up_share"].tolist() == pytest.approx([rose] * 4)


def test_earnings_are_those_of_the_folds_bars(table: pd.DataFrame) -> None:
    results = long_or_flat(MARKET, MEANS, TERMS, 0.001)
    cash = 1.02 ** (1 / 252) - 1.0
    row = table[(table["model"] == "knows") & (table["fold"] == 1)].iloc[0]
    bars = results.paths["knows"].bars.loc[row["first_bar"] : row["last_bar"]]
    excess = bars["net"] - cash
    assert row["sharpe_net"] == pytest.approx(excess.mean() / excess.std() * np.sqrt(252))
    gross = bars["gross"] - cash
    assert row["sharpe_gross"] == pytest.approx(gross.mean() / gross.std() * np.sqrt(252))
    assert row["sharpe_gross"] > row["sharpe_net"]
    assert row["low"] < row["sharpe_net"] < row["high"]
    assert row["total_return"] == pytest.approx((1 + bars["net"]).prod() - 1)
    assert row["exposure"] == bars["exposure"].mean()
    before = results.paths["knows"].bars["exposure"].shift(1).loc[bars.index]
    assert row["trades"] == int((bars["exposure"] != before).sum())


def test_where_nothing_is_held_there_is_no_ratio(table: pd.DataFrame) -> None:
    never = table[table["model"] == "never"]
    assert never[["sharpe_gross", "sharpe_net", "low", "high"]].isna().all(axis=None)
    assert (never["trades"] == 0).all()
    ranges = range_table(table, 252).set_index("model")
    assert ranges.loc["never", "n_folds"] == 0
    assert np.isnan(ranges.loc["never", "range"])


def test_the_sale_at_the_start_of_a_fold_is_no_strategy_of_it() -> None:
    inside = pd.Series(DATES.isin(FOLDS[0].decisions).astype(float), index=DATES)
    results = long_or_flat(MARKET, {"a": inside}, TERMS, 0.5)
    own = fold_table(MARKET, FOLDS, {"a": inside}, results, TERMS, level=0.9)
    second = own[(own["model"] == "a") & (own["fold"] == 1)].iloc[0]
    assert (second["trades"], second["exposure"]) == (1, 0.0)
    assert np.isnan(second["sharpe_net"])


def test_intervals_cover_the_true_ratio() -> None:
    generator = np.random.default_rng(5)
    year = np.sqrt(252)
    covered = []
    for _ in range(300):
        low, high = sharpe_interval(pd.Series(generator.normal(5e-4, 0.01, 126)), 252, 0.9)[1:]
        covered.append(low <= 0.05 * year <= high)
    # 0.9 plus or minus three binomial standard errors.
    assert 0.85 < np.mean(covered) < 0.95
    assert np.isnan(sharpe_interval(pd.Series(np.zeros(50)), 252, 0.9)).all()


def test_ranges_are_over_whole_folds_and_beside_chance(table: pd.DataFrame) -> None:
    ranges = range_table(table, 252).set_index("model")
    whole = table[(table["model"] == "wrong") & (table["fold"] < 3)]["sharpe_net"]
    row = ranges.loc["wrong"]
    assert row["n_folds"] == 3
    assert (row["lowest"], row["highest"]) == (whole.min(), whole.max())
    assert row["range"] == pytest.approx(np.ptp(whole))
    assert ranges.index[-1] == "published"


def test_the_range_by_chance_is_that_of_normal_numbers() -> None:
    drawn = np.random.default_rng(0).standard_normal((200_000, 5)) * np.sqrt(252 / 126)
    widths = np.ptp(drawn, axis=1)
    assert chance_range(5, 126, 252) == pytest.approx(widths.mean(), rel=0.01)
    assert chance_of_range(4.0, 5, 126, 252) == pytest.approx((widths >= 4.0).mean(), abs=0.005)


def test_the_published_folds_are_what_was_published() -> None:
    row = published_range()
    # The article's own summary of its table.
    assert (row["lowest"], row["highest"]) == (-1.63, 1.77)
    assert round(float(str(row["mean"])), 2) == 0.62
    assert row["median"] == 1.01
    assert len(published_table()) == len(PUBLISHED_FOLDS) == 5
    assert round(np.mean([fold.annual_return for fold in PUBLISHED_FOLDS]), 3) == 0.131


def test_skill_is_summed_up_over_all_bars(table: pd.DataFrame) -> None:
    skill = skill_table(table).set_index("model")
    assert list(skill.index) == list(MEANS)
    assert skill.loc["knows", ["n_folds", "n_better", "hit_rate"]].tolist() == [4, 4, 1.0]
    assert skill.loc["wrong", ["n_better", "median_r2_zero", "hit_rate"]].tolist() == [0, -3, 0]
    assert skill.loc["never", "n_better"] == 0
    assert np.isnan(skill.loc["never", "hit_rate"])
    assert skill.loc["knows", "up_share"] == pytest.approx(float((TARGET > 0).mean()))


@pytest.mark.parametrize(
    ("difference", "p_values", "effect"),
    [
        (0.5, (0.01, 0.04), "better"),
        (-0.5, (0.01, 0.04), "worse"),
        (0.5, (0.01, 0.06), "open"),
        (0.0, (np.nan, 0.01), "open"),
    ],
)
def test_every_test_must_tell_a_model_from_buy_and_hold(
    difference: float, p_values: tuple[float, float], effect: str
) -> None:
    tests = pd.DataFrame({"subject": "ridge", "difference": difference, "p_holm": p_values})
    row = effect_table(tests, 0.05).iloc[0]
    assert (row["model"], row["effect"], row["difference"]) == ("ridge", effect, difference)
    np.testing.assert_equal(row["p_holm"], np.nan if np.isnan(p_values[0]) else max(p_values))
