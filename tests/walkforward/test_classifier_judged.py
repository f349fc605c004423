from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.walkforward.classifier_judged import judge_labels, judge_switches

N, FIRST = 600, 200
DATES = pd.bdate_range("2015-01-01", periods=N, name="date")


@pytest.fixture(scope="module")
def labels() -> pd.DataFrame:
    """A chain that leaves calm with probability 0.1 and stressed with 0.2, said with doubt."""
    moves = np.random.default_rng(5).random(N)
    stressed = np.zeros(N, dtype=bool)
    for bar in range(1, N):
        stressed[bar] = stressed[bar - 1] ^ (moves[bar] < (0.2 if stressed[bar - 1] else 0.1))
    sure = np.where(stressed, 0.05, 0.95)
    return pd.DataFrame({"calm": sure, "stressed": 1.0 - sure}, index=DATES)


def knowing(labels: pd.DataFrame, *, lead: int, hit: float) -> pd.DataFrame:
    """A forecaster who gives what comes true the probability ``hit``."""
    later = labels["stressed"].shift(-lead).to_numpy() > 0.5
    chance = np.where(later, hit, 1.0 - hit)
    table = pd.DataFrame({"calm": 1.0 - chance, "stressed": chance}, index=DATES)
    return table.iloc[FIRST:]


def test_all_forecasts_are_judged_on_the_dates_of_the_classifier(labels: pd.DataFrame) -> None:
    judged = judge_labels(knowing(labels, lead=1, hit=0.99), labels, lead=1, level=0.05)
    table = judged.tables["classification"].set_index("forecaster")
    assert table.index.tolist() == ["classifier", "persistence", "hard_persistence", "filter"]
    assert (table["n"] == N - FIRST - 1).all()  # of the last date the outcome is not known
    said = labels["stressed"].to_numpy() > 0.5
    same = (said[FIRST + 1 :] == said[FIRST:-1]).mean()
    assert table.loc["hard_persistence", "accuracy"] == pytest.approx(same)
    assert table.loc["classifier", "log_loss"] == pytest.approx(-np.log(0.99))
    assert set(judged.tables["comparison"]["subject"]) == {"classifier"}
    assert judged.gain.columns.tolist() == ["persistence", "filter"]  # a certain one errs


@pytest.mark.parametrize(
    ("hit", "conclusion"),
    [
        (0.99, "The classifier beats every control: it knows something of the next bar's label"),
        (0.3, "Every control beats the classifier: for the next bar's label it is not worth"),
    ],
)
def test_the_last_sentence_is_the_verdict(
    labels: pd.DataFrame, hit: float, conclusion: str
) -> None:
    words = judge_labels(knowing(labels, lead=1, hit=hit), labels, lead=1, level=0.05).words
    assert words[-1].startswith(conclusion)
    assert "the last label moved ahead by its transitions" in words[1]
    assert "the last label held to be certain" in words[2]


def test_a_longer_lead_is_another_outcome(labels: pd.DataFrame) -> None:
    judged = judge_labels(knowing(labels, lead=5, hit=0.9), labels, lead=5, level=0.05)
    assert judged.tables["classification"]["n"].iloc[0] == N - FIRST - 5
    assert "the label 5 bars ahead" in judged.words[0]
    later = np.where(labels["stressed"].shift(-5) > 0.5, "stressed", "calm")
    assert (judged.outcome.to_numpy() == later[: len(judged.outcome)]).all()


def test_the_controls_know_nothing_later(labels: pd.DataFrame) -> None:
    row = 400
    altered = labels.copy()
    altered.iloc[row + 1 :] = labels.iloc[row + 1 :].to_numpy()[:, ::-1]
    forecasts = knowing(labels, lead=1, hit=0.8)
    before, after = (
        judge_labels(forecasts, each, lead=1, level=0.05).forecasts for each in (labels, altered)
    )
    for name in ("persistence", "hard_persistence", "filter"):
        pd.testing.assert_frame_equal(
            before[name].loc[: DATES[row]], after[name].loc[: DATES[row]], check_exact=True
        )
        assert not before[name].equals(after[name])


def switching(labels: pd.DataFrame, within: int) -> np.ndarray:
    said = labels["stressed"].to_numpy() > 0.5
    changes = [(said[t + 1 : t + 1 + within] != said[t]).any() for t in range(N - within)]
    return np.array(changes)


def test_switches_are_held_against_the_base_rate(labels: pd.DataFrame) -> None:
    comes = switching(labels, 5)
    chance = np.append(np.where(comes, 0.8, 0.1), np.full(5, 0.5))
    forecasts = pd.DataFrame({"stay": 1.0 - chance, "switch": chance}, index=DATES).iloc[FIRST:]
    judged = judge_switches(forecasts, labels, within=5)
    table = judged.table.set_index("forecaster")
    assert table.index.tolist() == ["classifier", "transitions", "base_rate"]
    assert table.loc["classifier", "base_rate"] == pytest.approx(comes[FIRST:].mean())
    assert table.loc["classifier", "average_precision"] == pytest.approx(1.0)
    assert table.loc["base_rate", "brier_skill"] == 0.0
    assert set(judged.curves["forecaster"]) == set(table.index)
    assert "came before a switch within 5 bars" in judged.words
    assert "better than that of the base rate so far" in judged.words


def test_labels_that_never_change_cannot_be_judged_on_switches() -> None:
    still = pd.DataFrame({"calm": 0.9, "stressed": 0.1}, index=DATES)
    forecasts = pd.DataFrame({"stay": 0.9, "switch": 0.1}, index=DATES).iloc[FIRST:]
    with pytest.raises(DataError, match="no date"):
        judge_switches(forecasts, still, within=5)
