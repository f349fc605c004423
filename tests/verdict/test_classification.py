from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from classification_samples import NAMES, binary, days, forecast, knows_and_guesses, outcome_of
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    confusion_matrix,
    log_loss,
)

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.verdict.classification import (
    class_losses,
    classification_table,
    common_dates,
    confusion_table,
    reliability_table,
)
from regime_nas_pipeline.verdict.classification_events import (
    event_table,
    event_words,
    precision_recall,
)


@pytest.fixture(scope="module")
def random() -> tuple[dict[str, pd.DataFrame], pd.Series]:
    return knows_and_guesses()


def test_losses_by_hand() -> None:
    losses = class_losses(
        {"a": forecast([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])}, outcome_of(["middle", "stressed"])
    )
    assert losses["log_loss"]["a"].tolist() == pytest.approx([-math.log(0.3), -math.log(0.7)])
    assert losses["brier"]["a"].tolist() == pytest.approx(
        [(0.25 + 0.49 + 0.04) / 2, (0.01 + 0.04 + 0.09) / 2]
    )


def test_scores_are_scikit_learns(random: tuple[dict[str, pd.DataFrame], pd.Series]) -> None:
    forecasts, outcome = random
    row = classification_table(forecasts, outcome).set_index("forecaster").loc["knows"]
    values = forecasts["knows"]
    said = values.idxmax(axis=1)
    assert row["n"] == 600
    assert row["accuracy"] == pytest.approx((said == outcome).mean())
    assert row["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(outcome, said))
    assert row["log_loss"] == pytest.approx(log_loss(outcome, values, labels=NAMES))
    assert row["brier"] == pytest.approx(
        brier_score_loss(outcome, values, labels=NAMES, scale_by_half=True)
    )
    table = confusion_table(forecasts, outcome)
    own = table[table["forecaster"] == "knows"]
    expected = confusion_matrix(outcome, said, labels=NAMES)
    assert own["count"].tolist() == expected.ravel().tolist()
    assert own["share"].tolist() == pytest.approx(
        (expected / expected.sum(axis=1, keepdims=True)).ravel().tolist()
    )


def test_a_certain_error_has_an_infinite_log_loss_and_a_finite_brier_score() -> None:
    table = classification_table(
        {"hard": binary([0, 1, 1])}, outcome_of(["stay", "stay", "switch"])
    )
    row = table.iloc[0]
    assert row["log_loss"] == math.inf
    assert row["brier"] == pytest.approx(1 / 3)
    assert row["balanced_accuracy"] == pytest.approx((1 / 2 + 1) / 2)


def test_reliability_by_hand_with_equal_counts_and_ties_together() -> None:
    chances = [0.1, 0.2, 0.3, 0.4, 0.8, 0.8, 0.8, 0.8]
    truth = ["stay", "stay", "switch", "stay", "switch", "switch", "stay", "switch"]
    table = reliability_table({"a": binary(chances)}, outcome_of(truth), bins=4)
    own = table[table["class"] == "switch"]
    # Two in each of the lower bins; the four equal ones cannot be told apart.
    assert own["count"].tolist() == [2, 2, 4]
    assert own["predicted"].tolist() == pytest.approx([0.15, 0.35, 0.8])
    assert own["realised"].tolist() == [0.0, 0.5, 0.75]
    score = classification_table({"a": binary(chances)}, outcome_of(truth), bins=4)
    # Both classes have the same gaps: 0.15, 0.15 and 0.05.
    expected = (2 * 0.15 + 2 * 0.15 + 4 * 0.05) / 8
    assert score["calibration_error"].item() == pytest.approx(expected)


def test_honest_probabilities_are_reliable(
    random: tuple[dict[str, pd.DataFrame], pd.Series],
) -> None:
    forecasts, outcome = random
    turned = {**forecasts, "wrong": forecasts["knows"].set_axis(NAMES[::-1], axis=1)[NAMES]}
    table = classification_table(turned, outcome).set_index("forecaster")
    assert table.loc["knows", "calibration_error"] < 0.06 < table.loc["wrong", "calibration_error"]
    assert (
        reliability_table(forecasts, outcome).groupby("forecaster")["count"].sum()["knows"] == 1800
    )


def test_only_dates_that_all_have_are_scored() -> None:
    first, second = binary([0.2] * 6).iloc[1:], binary([0.3] * 6).iloc[:5]
    outcome = outcome_of(["stay"] * 6)
    outcome.iloc[3] = None
    forecasts = {"first": first, "second": second}
    assert common_dates(forecasts, outcome).tolist() == [days(6)[row] for row in (1, 2, 4)]
    assert classification_table(forecasts, outcome)["n"].tolist() == [3, 3]


def test_an_event_by_hand_and_by_scikit_learn() -> None:
    chances = np.array([0.1, 0.4, 0.35, 0.8])
    truth = ["stay", "stay", "switch", "switch"]
    forecasts = {"a": binary(chances), "base_rate": binary([0.5] * 4)}
    table = event_table(forecasts, outcome_of(truth), event="switch", reference="base_rate")
    own = table.set_index("forecaster").loc["a"]
    # Hits at ranks 1 and 3: precision 1 and 2/3, each for half of the recall.
    assert own["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert own["average_precision"] == pytest.approx(average_precision_score([0, 0, 1, 1], chances))
    brier = (0.1**2 + 0.4**2 + 0.65**2 + 0.2**2) / 4
    assert own["brier"] == pytest.approx(brier)
    assert own["brier_skill"] == pytest.approx(1 - brier / 0.25)
    nothing = table.set_index("forecaster").loc["base_rate"]
    assert nothing["average_precision"] == nothing["base_rate"] == 0.5
    assert nothing["brier_skill"] == 0.0
    curve = precision_recall(forecasts, outcome_of(truth), event="switch")
    points = curve[curve["forecaster"] == "a"]
    assert (points["recall"].diff().dropna() >= 0).all()
    at = points.set_index("threshold").loc[0.35]
    assert (at["precision"], at["recall"]) == pytest.approx((2 / 3, 1.0))


def test_words_on_an_event() -> None:
    generator = np.random.default_rng(7)
    switch = generator.random(400) < 0.2
    forecasts = {
        "classifier": binary(np.where(switch, 0.5, 0.1)),
        "base_rate": binary(np.full(400, 0.2)),
    }
    outcome = outcome_of(np.where(switch, "switch", "stay"))
    table = event_table(forecasts, outcome, event="switch", reference="base_rate")
    about = {"reference": "base_rate", "what": "a switch within 5 bars"}
    words = event_words(table, subject="classifier", **about)
    share = f"{100 * switch.mean():.1f} %"
    assert f"{share} of 400 dates came before a switch within 5 bars" in words
    assert "of the classifier is 1.000" in words
    skill = table.set_index("forecaster").loc["classifier", "brier_skill"]
    assert f"{100 * skill:.1f} % better than that of the base rate so far." in words
    assert "highest" not in words
    turned = event_words(table, subject="base_rate", **about)
    assert "Brier" not in turned
    assert turned.endswith("The highest average precision is that of the classifier: 1.000.")


def test_what_cannot_be_scored_is_refused() -> None:
    good, outcome = binary([0.2, 0.4]), outcome_of(["stay", "switch"])
    with pytest.raises(DataError, match="no date"):
        classification_table({"a": good}, outcome.set_axis(outcome.index + pd.Timedelta("9D")))
    with pytest.raises(DataError, match="b forecasts switch, stay and others stay, switch"):
        classification_table({"a": good, "b": good[["switch", "stay"]]}, outcome)
    with pytest.raises(DataError, match="'crash' came true"):
        classification_table({"a": good}, outcome_of(["stay", "crash"]))
    with pytest.raises(DataError, match=r"2001-01-01.*do not sum to 1"):
        classification_table({"a": good * 0.9}, outcome)
    with pytest.raises(ParameterError, match="bins"):
        classification_table({"a": good}, outcome, bins=0)
    with pytest.raises(DataError, match="came true on no date"):
        event_table({"a": good}, outcome_of(["stay"] * 2), event="switch", reference="a")
    with pytest.raises(DataError, match="none of the classes"):
        precision_recall({"a": good}, outcome, event="crash")
    with pytest.raises(DataError, match="skill"):
        event_table({"a": good}, outcome, event="switch", reference="b")
