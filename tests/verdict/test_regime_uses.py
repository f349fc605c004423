from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.statistics import per_bar_rate
from regime_nas_pipeline.verdict.comparison.ledoit_wolf import ledoit_wolf
from regime_nas_pipeline.verdict.regime_uses import (
    compare_supervision,
    compare_uses,
    refuse_too_few_resamples,
    summarise_uses,
)
from regime_nas_pipeline.verdict.regime_uses_words import headline, sentences

DATES = pd.bdate_range("2020-01-01", periods=400)
GENERATOR = np.random.default_rng(8)
PLAIN = pd.DataFrame(
    0.01 * GENERATOR.standard_normal((400, 2)), index=DATES, columns=["gru", "momentum"]
)


def tidy(
    labels: str, way: str, strategy: str, net: pd.Series, use: str = "overlay"
) -> pd.DataFrame:
    keys = {"use": use, "labels": labels, "way": way, "strategy": strategy}
    return pd.DataFrame({**keys, "date": DATES, "net": net.to_numpy()})


def trained(**means: float) -> pd.DataFrame:
    """Sharpe ratios and Theil's U of three seeds per variant, around these means."""
    noise = np.array([-0.01, 0.0, 0.012])
    rows = [
        {"variant": name, "seed": seed, "metric": metric, "value": side * (mean + noise[seed] * k)}
        for k, (name, mean) in enumerate(means.items(), start=1)
        for seed in range(3)
        for metric, side in (("sharpe", 1.0), ("theil_u", -1.0))
    ]
    return pd.DataFrame(rows)


def compared(returns: pd.DataFrame, supervised: pd.DataFrame, **changes: Any) -> pd.DataFrame:
    settings: dict[str, Any] = {
        "supervision": ("supervision", "in_the_loss", "regime_nas"),
        "risk_free": 0.01,
        "bars_per_year": 252,
        "level": 0.95,
        "n_resamples": 999,
        "seed": 1,
        **changes,
    }
    return compare_uses(returns, PLAIN, supervised, **settings)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    nearly = 0.9 * PLAIN["gru"] + 0.002 * GENERATOR.standard_normal(400)
    steps = np.where(np.arange(400) % 3, 0.5, 1.0)
    returns = pd.concat(
        [
            tidy("kmeans", "by_label", "gru", nearly),
            tidy("none", "volatility_target", "gru", PLAIN["gru"] * steps),
            tidy("markov", "by_label", "momentum", PLAIN["momentum"] + 0.004, "covariance"),
        ],
        ignore_index=True,
    )
    return compared(returns, trained(none=0.5, kmeans=0.5, shuffled=0.4))


@pytest.fixture(scope="module")
def supervision() -> pd.DataFrame:
    results = trained(none=0.5, kmeans=0.9, shuffled=0.6)
    return compare_supervision(results[results["metric"] == "sharpe"], level=0.95)


def test_differences_are_tested_by_the_tests_that_are_named(table: pd.DataFrame) -> None:
    row = table.set_index("use").loc["covariance"]
    rate = per_bar_rate(0.01, 252)
    test = ledoit_wolf(PLAIN["momentum"] + 0.004, PLAIN["momentum"], rate, n_resamples=999, seed=1)
    excess = PLAIN["momentum"] - rate
    ratio = excess.mean() / excess.std(ddof=1) * np.sqrt(252)
    assert row["test"] == "ledoit_wolf"
    assert row["plain"] == pytest.approx(ratio)
    assert row["difference"] == pytest.approx(test.difference * np.sqrt(252))
    assert row["high"] - row["difference"] == pytest.approx(
        1.959964 * test.standard_error * np.sqrt(252)
    )
    assert row["p_value"] == test.p_two_sided
    assert row["n"] == 400


def test_networks_trained_again_are_tested_over_seeds(table: pd.DataFrame) -> None:
    rows = table[table["use"] == "supervision"].set_index("labels")
    assert list(rows.index) == ["kmeans", "shuffled"]
    # Seeds differ from those of no labels by 1 x and 2 x the noise.
    noise = np.array([-0.01, 0.0, 0.012])
    assert rows.loc["kmeans", "difference"] == pytest.approx(noise.mean())
    assert rows.loc["kmeans", "n"] == 3
    assert (rows["test"] == "paired_t").all()
    assert (rows["way"] == "in_the_loss").all()


def test_holm_is_over_all_uses(table: pd.DataFrame) -> None:
    p_values = table["p_value"].to_numpy()
    order = np.argsort(p_values)
    corrected, running = np.empty(len(p_values)), 0.0
    for place, number in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - place) * p_values[number]))
        corrected[number] = running
    np.testing.assert_allclose(table["p_holm"], corrected, rtol=1e-12)
    effects = table.set_index(["use", "labels"])["effect"]
    assert effects["covariance", "markov"] == "better"
    assert effects["overlay", "kmeans"] == "none"
    assert effects["supervision", "kmeans"] == "none"


def test_a_loss_is_worse_and_a_copy_is_nothing() -> None:
    returns = pd.concat(
        [
            tidy("kmeans", "by_label", "gru", PLAIN["gru"] - 0.006),
            tidy("markov", "by_label", "gru", PLAIN["gru"]),
        ],
        ignore_index=True,
    )
    found = compared(returns, trained(none=0.5, shuffled=0.5)).set_index("labels")
    assert found.loc["kmeans", "effect"] == "worse"
    assert found.loc["markov", "effect"] == "none"
    assert (found.loc["markov", "difference"], found.loc["markov", "p_value"]) == (0.0, 1.0)


def test_too_few_resamples_and_unknown_strategies_are_refused() -> None:
    refuse_too_few_resamples(49, 999, 0.95)
    with pytest.raises(ParameterError, match="Set at least 1020"):
        refuse_too_few_resamples(51, 999, 0.95)
    refuse_too_few_resamples(51, 1020, 0.95)
    with pytest.raises(DataError, match="garch"):
        compared(tidy("kmeans", "by_label", "garch", PLAIN["gru"]), trained(none=0.5, shuffled=0.4))
    one = tidy("kmeans", "by_label", "gru", PLAIN["gru"])
    with pytest.raises(ParameterError, match="resamples"):
        compared(one, trained(none=0.5, shuffled=0.5), n_resamples=30)


def test_supervision_is_set_against_no_labels_and_against_shuffled_ones(
    supervision: pd.DataFrame,
) -> None:
    pairs = supervision[["against", "variant", "effect"]]
    assert pairs.to_numpy().tolist() == [
        ["none", "kmeans", "better"],
        ["none", "shuffled", "better"],
        ["shuffled", "kmeans", "better"],
    ]


def test_the_summary_counts_what_is_in_the_table(table: pd.DataFrame) -> None:
    rows = summarise_uses(table).set_index(["use", "labels"])
    assert rows["n"].sum() == len(table)
    assert rows.loc[("covariance", "markov"), "better"] == 1
    assert rows["worse"].sum() == 0


def test_gains_are_named_in_words(table: pd.DataFrame, supervision: pd.DataFrame) -> None:
    said = sentences(table, supervision)
    assert "Better by more than chance: momentum with labels of the hidden Markov model" in (
        " ".join(said["covariance"])
    )
    assert "The control, trailing volatility without labels" in " ".join(said["overlay"])
    taught = " ".join(said["supervision"])
    assert "The control, shuffled labels" in taught
    assert "Against networks taught by shuffled labels: K-means is better on Sharpe" in taught
    line = headline(table, env="tiny")
    assert line.startswith(
        "In the environment 'tiny', of 3 differences in Sharpe ratio 1 is a gain"
    )
    assert "and none is a loss." in line
    assert "which bars an allocator's covariance is made of (1)" in line


def test_nothing_is_said_plainly(table: pd.DataFrame, supervision: pd.DataFrame) -> None:
    nothing = table.assign(effect="none", p_holm=1.0)
    line = headline(nothing, env="tiny")
    assert "no use of regime labels helps more than chance" in line
    assert line.endswith(
        "none of 3 differences in Sharpe ratio is a gain after Holm's correction, "
        "and none is a loss."
    )
    said = sentences(nothing, supervision.assign(effect="none"))
    assert "None is more than chance" in " ".join(said["overlay"])
    assert "may be the luck of the seeds" in " ".join(said["supervision"])
    worse = nothing.assign(effect=["worse", "none", "none", "none", "none"])
    assert headline(worse, env="tiny").endswith("and 1 is a loss.")
