from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.portfolio.exposure.rules import (
    BuyAndHold,
    CalmOnly,
    ExposureRule,
    Known,
    Levered,
    ProbabilityWeighted,
    VolatilityTarget,
    decide,
)

BLANK = np.nan
DAYS = pd.date_range("2020-01-01", periods=6, name="date")
RETURNS = pd.Series([BLANK, 0.01, -0.02, 0.0, 0.04, -0.01], index=DAYS)
REGIMES = pd.DataFrame(
    [[BLANK, BLANK], [BLANK, BLANK], [0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.0, 1.0]],
    index=DAYS,
    columns=["calm", "stressed"],
)
KNOWN = Known(RETURNS, REGIMES, 252)
ALL_RULES = (
    BuyAndHold(),
    CalmOnly(),
    Levered(),
    ProbabilityWeighted(),
    VolatilityTarget(target=0.2, window=2),
    VolatilityTarget(target=0.2, window=2, decay=0.94),
)


def exposures(rule: ExposureRule, known: Known = KNOWN) -> list[float]:
    return decide(rule, known, max_exposure=2.0).exposure.tolist()


def test_rules_by_hand() -> None:
    assert exposures(BuyAndHold()) == [1.0] * 6
    # Labels begin on the third day; at equal probabilities the first, calmer regime counts.
    assert exposures(CalmOnly()) == [1.0, 1.0, 0.0, 0.0]
    assert exposures(Levered()) == [1.5, 1.5, 0.3, 0.3]
    weighted = ProbabilityWeighted(by_regime={"stressed": 0.5, "calm": 1.5, "never": 9.0})
    assert exposures(weighted) == pytest.approx([1.4, 1.0, 0.7, 0.5])
    assert decide(CalmOnly(), KNOWN, max_exposure=1.0).exposure.index[0] == DAYS[2]


def test_several_regimes_may_count_as_calm() -> None:
    regimes = pd.DataFrame(
        [[0.5, 0.4, 0.1], [0.1, 0.6, 0.3], [0.1, 0.3, 0.6]],
        index=DAYS[:3],
        columns=["trend", "range", "volatile"],
    )
    known = Known(RETURNS, regimes, 252)
    assert exposures(CalmOnly(calm=("trend", "range")), known) == [1.0, 1.0, 0.0]
    assert exposures(Levered(1.2, 0.1, calm=("range",)), known) == [0.1, 1.2, 0.1]


def test_volatility_target_by_hand() -> None:
    wanted = decide(VolatilityTarget(target=0.2, cap=1.5, window=2), KNOWN, max_exposure=1.5)
    windows = [(0.01, 0.02), (0.02, 0.0), (0.0, 0.04), (0.04, 0.01)]
    volatility = [math.sqrt((a * a + b * b) / 2 * 252) for a, b in windows]
    np.testing.assert_allclose(
        wanted.exposure, [min(1.5, 0.2 / each) for each in volatility], rtol=1e-14
    )
    assert list(wanted.exposure.index) == list(DAYS[2:])
    assert not wanted.capped.any()
    tight = decide(VolatilityTarget(target=0.2, cap=0.8, window=2), KNOWN, max_exposure=1.5)
    assert tight.capped.tolist() == [0.2 / each >= 0.8 for each in volatility]
    assert tight.capped.sum() == 1
    assert tight.exposure.max() == 0.8


def test_decaying_volatility_by_hand() -> None:
    wanted = decide(VolatilityTarget(0.05, 3.0, 2, decay=0.5), KNOWN, max_exposure=3.0)
    squares = [0.01**2, 0.02**2, 0.0, 0.04**2, 0.01**2]
    for bar in range(1, 5):
        weights = [0.5 ** (bar - past) for past in range(bar + 1)]
        variance = float(np.average(squares[: bar + 1], weights=weights))
        expected = min(3.0, 0.05 / math.sqrt(252 * variance))
        assert wanted.exposure.iloc[bar - 1] == pytest.approx(expected, rel=1e-12)


def test_a_market_that_stands_still_is_held_up_to_the_cap() -> None:
    still = Known(pd.Series(0.0, index=DAYS), None, 252)
    wanted = decide(VolatilityTarget(target=0.1, cap=1.2, window=3), still, max_exposure=1.5)
    assert wanted.exposure.tolist() == [1.2] * 4
    assert wanted.capped.all()


def test_more_than_the_cap_is_an_error_that_names_rule_date_and_value() -> None:
    with pytest.raises(ParameterError, match=r"levered .* 1\.5 on 2020-01-03.* 0 to 1\.2"):
        decide(Levered(), KNOWN, max_exposure=1.2)
    with pytest.raises(ParameterError, match=r"volatility_target .* on 2020-01-"):
        decide(VolatilityTarget(target=5.0, cap=3.0, window=2), KNOWN, max_exposure=2.0)
    with pytest.raises(ParameterError, match=r"levered wants an exposure of -0\.5 on 2020-01-05"):
        decide(Levered(otherwise=-0.5), KNOWN, max_exposure=2.0)


def test_unknown_regimes_are_refused() -> None:
    with pytest.raises(ParameterError, match="'quiet' is none of the regimes"):
        decide(CalmOnly(calm=("quiet",)), KNOWN, max_exposure=1.0)
    with pytest.raises(ParameterError, match="regime 'stressed' has no exposure"):
        decide(ProbabilityWeighted(by_regime={"calm": 1.0}), KNOWN, max_exposure=1.0)
    with pytest.raises(ParameterError, match="calm_only needs regimes"):
        decide(CalmOnly(), Known(RETURNS, None, 252), max_exposure=1.0)


@pytest.mark.parametrize("row", [[BLANK, BLANK], [0.6, 0.6], [1.5, -0.5]])
def test_labels_that_are_no_probabilities_are_refused_with_their_date(row: list[float]) -> None:
    broken = REGIMES.copy()
    broken.iloc[4] = row
    with pytest.raises(DataError, match="2020-01-05"):
        decide(CalmOnly(), Known(RETURNS, broken, 252), max_exposure=1.0)


def test_a_blank_return_is_refused_by_the_volatility_target() -> None:
    holes = RETURNS.copy()
    holes.iloc[3] = BLANK
    with pytest.raises(DataError, match="2020-01-04"):
        decide(VolatilityTarget(window=2), Known(holes, None, 252), max_exposure=2.0)


@pytest.mark.parametrize(
    "settings", [{"target": 0.0}, {"cap": -1.0}, {"window": 1}, {"decay": 1.0}, {"decay": 0.0}]
)
def test_impossible_volatility_targets_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ParameterError):
        VolatilityTarget(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", ALL_RULES, ids=repr)
def test_the_past_does_not_depend_on_the_future(rule: ExposureRule) -> None:
    generator = np.random.default_rng(3)
    dates = pd.date_range("2020-01-01", periods=80, name="date")

    def draw() -> tuple[np.ndarray, np.ndarray]:
        calm = generator.uniform(0, 1, len(dates))
        return generator.normal(0, 0.01, len(dates)), np.column_stack([calm, 1 - calm])

    (moves, labels), (other_moves, other_labels) = draw(), draw()
    names = ["calm", "stressed"]
    kept = 50

    def wanted(moves: np.ndarray, labels: np.ndarray, n: int) -> pd.Series:
        regimes = pd.DataFrame(labels[:n], index=dates[:n], columns=names)
        known = Known(pd.Series(moves[:n], index=dates[:n]), regimes, 252)
        return decide(rule, known, max_exposure=1.5).exposure

    before = wanted(moves, labels, len(dates)).loc[: dates[kept - 1]]
    moves[kept:], labels[kept:] = other_moves[kept:], other_labels[kept:]
    pd.testing.assert_series_equal(
        wanted(moves, labels, len(dates)).loc[: dates[kept - 1]], before, check_exact=True
    )
    pd.testing.assert_series_equal(
        wanted(moves, labels, kept), before, check_exact=True, check_freq=False
    )
