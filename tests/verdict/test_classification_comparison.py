from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from classification_samples import binary, knows_and_guesses, outcome_of

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.verdict.classification import class_losses, classification_table
from regime_nas_pipeline.verdict.classification_comparison import (
    IMPOSSIBLE_NOTE,
    classification_words,
    cumulative_gain,
    loss_comparison,
)
from regime_nas_pipeline.verdict.comparison import diebold_mariano


def test_the_better_forecaster_is_better_in_the_test() -> None:
    forecasts, outcome = knows_and_guesses()
    table = loss_comparison(forecasts, outcome, subject="knows", horizon=1)
    row = table.set_index("loss").loc["log_loss"]
    assert row["difference"] > 0
    assert row["difference"] == pytest.approx(row["control_loss"] - row["subject_loss"])
    assert row["statistic"] > 2
    assert row["p_beats"] < 0.01
    assert set(table["effect"]) == {"better"}
    other = loss_comparison(forecasts, outcome, subject="guesses", horizon=1)
    turned = other.set_index("loss").loc["log_loss"]
    assert turned["statistic"] == pytest.approx(-row["statistic"])
    assert set(other["effect"]) == {"worse"}


def test_the_test_is_the_projects_own_with_overlapping_targets() -> None:
    generator = np.random.default_rng(8)
    first, second = (binary(generator.uniform(0.1, 0.9, 200)) for _ in range(2))
    outcome = outcome_of(np.where(generator.random(200) < 0.4, "switch", "stay"))
    forecasts = {"a": first, "b": second}
    found = loss_comparison(forecasts, outcome, subject="a", horizon=5).set_index("loss")
    losses = class_losses(forecasts, outcome)
    for loss in ("log_loss", "brier"):
        expected = diebold_mariano(
            losses[loss]["a"].to_numpy(), losses[loss]["b"].to_numpy(), horizon=5, every=1
        )
        assert found.loc[loss, "statistic"] == pytest.approx(expected.statistic)
        assert found.loc[loss, "lags"] == 4
    larger = found[["p_two_sided", "p_long_run"]].max(axis=1)
    assert found["p_holm"].max() == pytest.approx(min(1.0, max(larger.max(), 2 * larger.min())))


def test_spells_count_through_the_long_run_variance() -> None:
    # Forecasts take turns in being better for fifty bars: far fewer than 2,000 independent dates.
    generator = np.random.default_rng(3)
    ahead = np.repeat(generator.random(40) < 0.62, 50)
    forecasts = {"a": binary(np.where(ahead, 0.7, 0.5)), "b": binary(np.where(ahead, 0.5, 0.7))}
    found = loss_comparison(forecasts, outcome_of(["switch"] * 2000), subject="a", horizon=1)
    row = found.set_index("loss").loc["log_loss"]
    assert row["p_two_sided"] < 1e-6 < row["p_long_run"]
    assert row["p_holm"] >= row["p_long_run"]


def test_a_certain_control_is_tested_by_its_brier_score() -> None:
    generator = np.random.default_rng(5)
    switch = generator.random(300) < 0.3
    forecasts = {
        "classifier": binary(np.where(switch, 0.6, 0.2)),
        "hard_persistence": binary((generator.random(300) < 0.3).astype(float)),
    }
    outcome = outcome_of(np.where(switch, "switch", "stay"))
    table = loss_comparison(forecasts, outcome, subject="classifier", horizon=1)
    log_row, brier_row = (table[table["loss"] == loss].iloc[0] for loss in ("log_loss", "brier"))
    assert log_row["note"] == IMPOSSIBLE_NOTE
    assert np.isnan(log_row["p_holm"])
    assert log_row["effect"] == "open"
    assert brier_row["effect"] == "better"
    assert cumulative_gain(forecasts, outcome, subject="classifier").columns.tolist() == []
    words = classification_words(
        classification_table(forecasts, outcome), table, what="the next label"
    )
    assert "the classifier has the lowest log loss" in words[0]
    assert "the Brier score of the classifier is lower" in words[1]
    assert words[-1].startswith("The classifier beats every control")


def test_gain_adds_up_to_the_difference() -> None:
    forecasts, outcome = knows_and_guesses()
    gain = cumulative_gain(forecasts, outcome, subject="knows")
    table = loss_comparison(forecasts, outcome, subject="knows", horizon=1)
    row = table.set_index("loss").loc["log_loss"]
    assert gain["guesses"].iloc[-1] == pytest.approx(600 * row["difference"])


@pytest.mark.parametrize(
    ("quality", "conclusion"),
    [
        ({"persistence": 0.9, "filter": 0.8}, "Every control beats the classifier"),
        ({"persistence": 0.55, "filter": 0.5}, "The classifier beats every control"),
        (
            {"persistence": 0.9, "filter": 0.5},
            "The classifier beats the filter and is beaten by the last label moved",
        ),
        ({"persistence": 0.7, "filter": 0.7}, "The classifier cannot be told from any"),
    ],
)
def test_words_say_who_wins(quality: dict[str, float], conclusion: str) -> None:
    generator = np.random.default_rng(6)
    switch = generator.random(500) < 0.5

    def with_chance(hit: float) -> pd.DataFrame:
        noise = generator.uniform(-0.05, 0.05, 500)
        return binary(np.where(switch, hit, 1.0 - hit) + noise)

    forecasts = {"classifier": with_chance(0.7)}
    forecasts |= {name: with_chance(hit) for name, hit in quality.items()}
    outcome = outcome_of(np.where(switch, "switch", "stay"))
    comparison = loss_comparison(forecasts, outcome, subject="classifier", horizon=1)
    words = classification_words(
        classification_table(forecasts, outcome), comparison, what="the next label"
    )
    assert words[-1].startswith(conclusion)
    assert len(words) == 4


def test_a_subject_without_a_rival_is_refused() -> None:
    good, outcome = binary([0.2, 0.4]), outcome_of(["stay", "switch"])
    for forecasts in ({"a": good}, {"b": good, "c": good}):
        with pytest.raises(DataError, match="no forecast of 'a'"):
            loss_comparison(forecasts, outcome, subject="a", horizon=1)
