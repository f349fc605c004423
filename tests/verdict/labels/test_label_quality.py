from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from label_paths import THREE, chain, labels_of, refits_of, returns_of

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.verdict.labels.quality import LabelQuality, label_quality

N = 1600


@pytest.fixture(scope="module")
def inputs() -> dict[str, object]:
    """Three labellers of a market with two regimes: one right, one late, one of three regimes."""
    states = chain(N, (0.98, 0.95), 1)
    late = np.concatenate([np.zeros(7, dtype=int), states[:-7]])
    three = np.where(states == 1, 2, np.arange(N) // 40 % 2)
    shocks = np.random.default_rng(2).standard_normal(N)
    refits = refits_of((0, False, np.nan), (400, False, 0.01), (800, True, 0.2), n=N)
    return {
        "online": {
            "right": labels_of(states),
            "seven_late": labels_of(late).iloc[50:],
            "in_three": labels_of(three, THREE),
        },
        "hindsight": {"right": labels_of(states), "seven_late": labels_of(states)},
        "refits": {"seven_late": refits},
        "index_return": returns_of(np.where(states == 1, 0.03, 0.006) * shocks),
    }


@pytest.fixture(scope="module")
def quality(inputs: dict[str, object]) -> LabelQuality:
    return label_quality(**inputs, bars_per_year=252)


def test_all_are_judged_on_the_bars_that_all_label(quality: LabelQuality) -> None:
    assert quality.facts["sample"]["n_bars"] == N - 50
    assert (quality.tables["switching"]["n_bars"] == N - 50).all()
    assert quality.facts["sample"]["first"] == "2000-03-13"


def test_the_tables_say_what_was_planted(quality: LabelQuality) -> None:
    delays = quality.tables["delay_summary"].set_index(["labeller", "min_spell"])
    assert delays.loc[("right", 1), "mean_delay"] == 0.0
    assert delays.loc[("seven_late", 21), "median_delay"] == 7.0
    assert delays.loc[("seven_late", 21), "share_missed"] == 0.0
    pairs = quality.tables["agreement"].set_index(["labeller", "other"])
    assert pairs.loc[("right", "seven_late"), "kappa"] > 0.3
    assert np.isnan(pairs.loc[("right", "in_three"), "kappa"])
    refits = quality.tables["refit_stability"]
    assert refits["labeller"].tolist() == ["seven_late"]
    assert refits["n_refits"].tolist() == [2]


def test_the_facts_are_json_and_agree_with_the_tables(quality: LabelQuality) -> None:
    read = json.loads(json.dumps(quality.facts, allow_nan=False))
    assert read == quality.facts
    assert set(read) == {"sample", *quality.tables} - {"switch_delays"}
    rows = read["switching"]
    assert [row["n_switches"] for row in rows] == quality.tables["switching"]["n_switches"].tolist()
    assert read["agreement"][1]["kappa"] is None
    assert read["refit_stability"][0]["worst_refit"] == str(
        quality.tables["refit_stability"]["worst_refit"].iloc[0].date()
    )


def test_the_sentences_say_it_too(quality: LabelQuality) -> None:
    text = "\n".join(quality.sentences)
    assert "the same 1,550 bars, 2000-03-13 to" in quality.sentences[0]
    lasting = "lasted 21 bars or more that a labeller sees with hindsight, its labels of the day "
    assert f"{lasting}found 100 %, half of these within 0 bars (right) to 7 bars" in text
    assert "1 of 2 refits changed the label of their own bar" in text
    assert "20.0 % at most (seven late, on" in text
    times = quality.tables["outcome_contrasts"]
    ratios = times[(times["regime"] == "stressed") & (times["against"] == "calm")]["ratio"].dropna()
    assert f"says stressed volatility was {ratios.min():.2f} (" in text
    assert f"to {ratios.max():.2f} (in three)" in text
    assert "times as high as after calm: more than luck for right" in text
    assert "which way" in text
    assert "nan" not in text
    assert all(line.endswith(".") for line in quality.sentences)


def _one(states: np.ndarray, returns: np.ndarray, **options: object) -> LabelQuality:
    return label_quality(
        {"only": labels_of(states)},
        {"only": labels_of(states)},
        {},
        returns_of(returns),
        bars_per_year=252,
        **options,
    )


def test_returns_that_do_differ_are_called_different() -> None:
    states = chain(2000, (0.95, 0.95), 5)
    shocks = np.random.default_rng(3).standard_normal(2000)
    found = _one(states, 0.005 * shocks + np.where(states == 1, -0.004, 0.004), horizon=5)
    text = "\n".join(found.sentences)
    assert "differ by more than luck would readily explain between these regimes: -" in text
    assert "(only, stressed minus calm" in text
    assert "which way" not in text


def test_a_labeller_that_never_moves_is_described_without_figures_it_has_not() -> None:
    shocks = np.random.default_rng(3).standard_normal(700)
    text = "\n".join(_one(np.zeros(700, dtype=int), 0.01 * shocks).sentences)
    assert "No switch with hindsight is seen by only." in text
    assert "A regime never said, and so nothing to separate: only." in text
    assert "nan" not in text


def test_few_spells_are_said_to_prove_nothing() -> None:
    states = np.zeros(700, dtype=int)
    states[300:400] = 1
    shocks = np.random.default_rng(3).standard_normal(700)
    text = "\n".join(_one(states, 0.01 * shocks).sentences)
    assert "how sure that is cannot be said of only ('calm' has 2 of the 5 spells" in text
    assert "nan" not in text


def test_two_labellers_are_compared_in_one_sentence() -> None:
    states = chain(700, (0.95, 0.95), 5)
    labels = {"one": labels_of(states), "two_of_them": labels_of(1 - states)}
    returns = returns_of(0.01 * np.random.default_rng(3).standard_normal(700))
    found = label_quality(labels, {}, {}, returns, bars_per_year=252).sentences
    pair = [line for line in found if line.startswith("One and two of them: the same regime on")]
    assert len(pair) == 1
    assert "Rand index 1.00" in pair[0]
    assert not any("hindsight" in line or "refit" in line for line in found)


def test_an_order_other_than_by_volatility_is_pointed_out() -> None:
    states = chain(700, (0.95, 0.95), 5)
    shocks = np.random.default_rng(3).standard_normal(700)
    turned = _one(states, np.where(states == 1, 0.002, 0.02) * shocks)
    assert turned.facts["sample"]["calm_first"] == {"only": ["stressed", "calm"]}
    assert any("calmest first, stressed and calm" in line for line in turned.sentences)


def test_returns_change_nothing_that_is_measured_of_the_labels_alone(
    inputs: dict[str, object], quality: LabelQuality
) -> None:
    returns = inputs["index_return"]
    assert isinstance(returns, pd.Series)
    scrambled = returns.copy()
    scrambled.iloc[-300:] = scrambled.iloc[-300:].to_numpy()[::-1] * 0.9
    other = label_quality(**{**inputs, "index_return": scrambled}, bars_per_year=252).tables
    for name in ("switching", "regime_persistence", "delay_summary", "refit_stability"):
        pd.testing.assert_frame_equal(quality.tables[name], other[name])


def test_bad_inputs_are_named(inputs: dict[str, object]) -> None:
    returns = inputs["index_return"]
    assert isinstance(returns, pd.Series)

    def judged(**changes: object) -> LabelQuality:
        return label_quality(**{**inputs, **changes}, bars_per_year=252)

    blank = returns.copy()
    blank.iloc[100] = np.nan
    with pytest.raises(DataError, match="return of the index is blank") as caught:
        judged(index_return=blank)
    assert caught.value.date == returns.index[100]
    with pytest.raises(DataError, match="a label and no return"):
        judged(index_return=returns.drop(returns.index[200]))
    with pytest.raises(DataError, match="must increase"):
        judged(index_return=returns.iloc[::-1])
    short = {"right": labels_of("01")}
    with pytest.raises(DataError, match="no label with hindsight"):
        judged(hindsight=short)
    with pytest.raises(ParameterError, match="at least 1 bar"):
        label_quality(**inputs, bars_per_year=252, lasting=0)
