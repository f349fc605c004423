import re

import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.verdict.claims import closing_line, headline

SHARPES = {
    "regime_nas": 0.45,
    "gru": 0.40,
    "transformer": 0.30,
    "garch": 0.52,
    "momentum": 0.61,
    "equal_weight": 0.58,
    "mvo_flat": 0.55,
    "buy_and_hold": 0.50,
}


def _summary(**changes: float | None) -> dict:
    sharpes = SHARPES | changes
    return {
        "sample": {"first_oos": "2015-01-02", "last_oos": "2022-12-28"},
        "strategies": {
            name: {"sharpe": value, "cagr": None if value is None else 0.02 + 0.15 * value}
            for name, value in sharpes.items()
        },
    }


def _significance(equal_weight: tuple[float, float], momentum: tuple[float, float]):
    return pd.DataFrame(
        {
            "strategy": ["regime_nas", "regime_nas", "gru"],
            "against": ["equal_weight", "momentum", "equal_weight"],
            "difference": [equal_weight[0], momentum[0], -0.18],
            "p_holm": [equal_weight[1], momentum[1], 0.9],
        }
    )


NULL = _significance((-0.13, 0.84), (-0.16, 1.0))


def _sentences(text: str) -> list[str]:
    return re.findall(r"[^.]+(?:\.\d+[^.]*)*\.(?=\s|$)", text)


@pytest.mark.parametrize(
    ("summary", "significance"),
    [
        (_summary(), NULL),
        (_summary(regime_nas=0.9), _significance((0.32, 0.001), (0.29, 0.003))),
        (_summary(regime_nas=None), NULL),
        (_summary(**dict.fromkeys(SHARPES)), NULL),
        (_summary(regime_nas=0.61), NULL),
        (_summary(regime_nas=-0.7), _significance((-1.28, 0.01), (-1.31, 0.2))),
    ],
)
def test_there_are_always_two_sentences_and_no_praise(summary, significance):
    text = headline(summary, significance)
    assert len(_sentences(text)) == 2
    assert "".join(_sentences(text)) == text
    assert not re.search(
        r"impressive|outstanding|superior|best|excellent|only|merely|unfortunately|however", text
    )


def test_a_null_result_in_full():
    assert headline(_summary(), NULL, benchmark="S&P 500") == (
        "Net of costs, from 2015-01-02 to 2022-12-28, momentum (Sharpe 0.61, CAGR 11.2 %) had the "
        "highest Sharpe ratio of five forecasters and RegimeNAS (Sharpe 0.45, CAGR 8.8 %) came "
        "third, below equal weight (Sharpe 0.58) and the S&P 500 buy-and-hold (Sharpe 0.50). At "
        "the 5 % level, with Holm's correction for 3 comparisons, the Sharpe ratio of RegimeNAS "
        "cannot be told apart from that of equal weight (-0.13, p = 0.840) and momentum (-0.16, "
        "p = 1.000): no difference can be claimed."
    )


def test_a_win_in_full():
    summary = _summary(regime_nas=0.9)
    text = headline(summary, _significance((0.32, 0.01), (0.29, 0.03)), benchmark="S&P 500")
    assert text == (
        "Net of costs, from 2015-01-02 to 2022-12-28, RegimeNAS (Sharpe 0.90, CAGR 15.5 %) had "
        "the highest Sharpe ratio of five forecasters, above equal weight (Sharpe 0.58) and the "
        "S&P 500 buy-and-hold (Sharpe 0.50). At the 5 % level, with Holm's correction for 3 "
        "comparisons, the Sharpe ratio of RegimeNAS is significantly higher than that of equal "
        "weight (+0.32, p = 0.010) and momentum (+0.29, p = 0.030)."
    )


@pytest.mark.parametrize(
    ("changes", "standing"),
    [
        ({}, "below equal weight (Sharpe 0.58) and the index buy-and-hold (Sharpe 0.50)."),
        (
            {"regime_nas": 0.55},
            "below equal weight (Sharpe 0.58) and above the index buy-and-hold (Sharpe 0.50).",
        ),
        (
            {"regime_nas": 0.55, "buy_and_hold": 0.9},
            "below equal weight (Sharpe 0.58) and the index buy-and-hold (Sharpe 0.90).",
        ),
        (
            {"equal_weight": 0.4, "buy_and_hold": 0.9},
            "below the index buy-and-hold (Sharpe 0.90) and above equal weight (Sharpe 0.40).",
        ),
        (
            {"equal_weight": 0.4541},
            "below the index buy-and-hold (Sharpe 0.50) and level with equal weight (Sharpe 0.45).",
        ),
        (
            {"equal_weight": 0.4, "buy_and_hold": None},
            "above equal weight (Sharpe 0.40) and beside the index buy-and-hold "
            "(Sharpe undefined).",
        ),
        (
            {"regime_nas": None},
            "beside equal weight (Sharpe 0.58) and the index buy-and-hold (Sharpe 0.50).",
        ),
    ],
)
def test_where_it_stands_beside_no_forecast(changes, standing):
    first = _sentences(headline(_summary(**changes), NULL, benchmark="index"))[0]
    assert first.endswith(", " + standing)


def test_a_reference_that_was_not_traded_is_left_out():
    summary = _summary()
    del summary["strategies"]["equal_weight"], summary["strategies"]["buy_and_hold"]
    text = headline(summary, NULL)
    assert "came third. At the" in text
    assert "equal weight" not in text


def test_without_a_test_nothing_is_claimed():
    summary = _summary()
    for name in ("equal_weight", "momentum"):
        del summary["strategies"][name]
    text = headline(summary, NULL.iloc[:0])
    assert text.endswith(" Nothing was tested against RegimeNAS: no difference can be claimed.")
    assert len(_sentences(text)) == 2


def test_coming_first_without_significance_claims_nothing():
    text = headline(_summary(regime_nas=0.9), _significance((0.32, 0.2), (0.29, 0.3)))
    assert "RegimeNAS (Sharpe 0.90, CAGR 15.5 %) had the highest" in text
    assert "no difference can be claimed" in text
    assert "significantly" not in text


def test_a_significant_loss_is_said_as_plainly_as_a_win():
    text = headline(_summary(), _significance((-0.5, 0.01), (-0.6, 0.02)))
    assert (
        "is significantly lower than that of equal weight (-0.50, p = 0.010) and momentum" in text
    )
    assert "no difference can be claimed" not in text


def test_a_mixed_result_says_both():
    text = headline(_summary(), _significance((-0.13, 0.84), (-0.6, 0.02)))
    assert "is significantly lower than that of momentum (-0.60, p = 0.020) and " in text
    assert "cannot be told apart from that of equal weight (-0.13, p = 0.840)." in text
    assert "no difference can be claimed" not in text


def test_the_level_itself_is_not_significant():
    text = headline(_summary(), _significance((0.5, 0.05), (0.5, 0.0499)))
    assert "significantly higher than that of momentum" in text
    assert "cannot be told apart from that of equal weight" in text


def test_a_comparison_tested_the_other_way_round_keeps_its_meaning():
    turned = NULL.assign(
        strategy=["equal_weight", "momentum", "gru"],
        against=["regime_nas", "regime_nas", "equal_weight"],
        difference=[0.13, 0.16, -0.18],
    )
    assert headline(_summary(), turned) == headline(_summary(), NULL)


def test_what_prints_as_a_tie_is_called_one():
    top = headline(_summary(regime_nas=0.6149, momentum=0.6051), NULL)
    assert "shared the highest Sharpe ratio of five forecasters with momentum" in top
    level = headline(_summary(regime_nas=0.52), NULL)
    assert "came second, level with GARCH" in level
    above = headline(_summary(garch=0.61), NULL)
    assert "GARCH (Sharpe 0.61, CAGR 11.2 %) and momentum (Sharpe 0.61" in above
    assert "shared the highest Sharpe ratio of five forecasters and RegimeNAS" in above
    assert "came third" in above


def test_undefined_figures_are_said_to_be_undefined():
    text = headline(_summary(regime_nas=None), NULL)
    assert "RegimeNAS (Sharpe undefined, CAGR undefined) is unranked" in text
    nobody = headline(_summary(**dict.fromkeys(SHARPES)), NULL)
    assert "no forecaster has a defined Sharpe ratio." in nobody


def test_very_small_p_values_are_not_printed_as_nothing():
    text = headline(_summary(), _significance((0.9, 0.0002), (0.9, 0.0012)))
    assert "(+0.90, p < 0.001) and momentum (+0.90, p = 0.001)" in text


def test_a_difference_that_is_not_defined_is_not_a_claim():
    text = headline(_summary(), _significance((float("nan"), 1.0), (-0.16, 1.0)))
    assert "cannot be told apart from that of equal weight (undefined, p = 1.000)" in text


def test_negative_figures_carry_their_sign():
    text = headline(_summary(regime_nas=-0.7), NULL)
    assert "RegimeNAS (Sharpe -0.70, CAGR -8.5 %) came fifth" in text


def test_a_sixth_forecaster_is_counted():
    text = headline(_summary(lasso=0.7), NULL)
    assert "lasso (Sharpe 0.70, CAGR 12.5 %) had the highest Sharpe ratio of six" in text


def test_missing_parts_are_errors():
    summary = _summary()
    with pytest.raises(DataError, match="regime_nas with momentum"):
        headline(summary, NULL[NULL["against"] != "momentum"])
    del summary["strategies"]["regime_nas"]
    with pytest.raises(DataError, match="'regime_nas'"):
        headline(summary, NULL)


def test_the_closing_line_names_the_best_of_all_and_the_subject():
    assert closing_line(_summary()) == (
        "Highest Sharpe ratio net of costs: momentum (Sharpe 0.61, CAGR 11.2 %); RegimeNAS "
        "(Sharpe 0.45, CAGR 8.8 %)."
    )
    assert closing_line(_summary(regime_nas=0.9)) == (
        "Highest Sharpe ratio net of costs: RegimeNAS (Sharpe 0.90, CAGR 15.5 %)."
    )
    assert closing_line(_summary(equal_weight=0.611, mvo_flat=0.9, gru=0.9)) == (
        "Highest Sharpe ratio net of costs: GRU (Sharpe 0.90, CAGR 15.5 %) and minimum variance "
        "(Sharpe 0.90, CAGR 15.5 %); RegimeNAS (Sharpe 0.45, CAGR 8.8 %)."
    )


def test_the_closing_line_of_undefined_ratios():
    assert closing_line(_summary(**dict.fromkeys(SHARPES))) == (
        "No strategy has a defined Sharpe ratio."
    )
