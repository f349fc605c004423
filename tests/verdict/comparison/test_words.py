import math
import re

import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.verdict.comparison.table import COLUMNS
from regime_nas_pipeline.verdict.comparison.words import comparison_words
from regime_nas_pipeline.verdict.withdrawal import WITHDRAWABLE

JKM, LW, DM = "jobson_korkie_memmel", "ledoit_wolf", "diebold_mariano"


def _row(test, against, statistic, p_holm, *, subject="regime_nas", n=2000, note=""):
    row = dict.fromkeys(COLUMNS, math.nan)
    return row | {
        "test": test,
        "subject": subject,
        "against": against,
        "statistic": statistic,
        "p_holm": p_holm,
        "n": n,
        "note": note,
    }


def _table(*rows):
    return pd.DataFrame(list(rows), columns=list(COLUMNS))


def _superior(beats, inside, *, p_spa=0.01, note=""):
    answers = pd.array([beats, None], dtype="boolean")
    sets = pd.array([inside, True], dtype="boolean")
    return pd.DataFrame(
        {
            "subject": ["regime_nas", "equal_weight"],
            "against": "equal_weight",
            "measure": "sharpe",
            "beats": answers,
            "in_confidence_set": sets,
            "p_confidence_set": [{None: math.nan, True: 0.2, False: 0.01}[inside], 1.0],
            "p_spa": p_spa,
            "level": 0.05,
            "note": [note, ""],
        }
    )


WIN = _table(
    _row(JKM, "equal_weight", 4.0, 0.0002), _row(LW, "equal_weight", 3.9, 0.012),
    _row(JKM, "momentum", 3.0, 0.01), _row(LW, "momentum", 2.9, 0.02),
    _row(DM, "no_change", 3.0, 0.03, n=95),
)  # fmt: skip
LOSS = _table(
    _row(JKM, "equal_weight", -4.0, 0.001), _row(LW, "equal_weight", -3.9, 0.012),
    _row(DM, "no_change", -3.0, 0.03, n=95),
)  # fmt: skip
NULL = _table(
    _row(JKM, "equal_weight", 0.4, 0.9), _row(LW, "equal_weight", 0.4, 1.0),
    _row(DM, "no_change", -0.2, 1.0, n=95),
)  # fmt: skip
SPLIT = _table(_row(JKM, "equal_weight", 2.5, 0.02), _row(LW, "equal_weight", 2.1, 0.08))

STRONG = "more than luck would readily explain"
WEAK = "a gap that cannot be told from luck"


def _about(lines, *phrases):
    found = [line for line in lines if all(phrase in line for phrase in phrases)]
    assert len(found) == 1, (phrases, lines)
    return found[0]


def test_a_win():
    lines = comparison_words(WIN, _superior(True, True))
    line = _about(lines, "After costs", "than equal weight")
    assert "RegimeNAS had a higher Sharpe ratio" in line
    assert STRONG in line
    assert "Jobson-Korkie-Memmel p < 0.001, Ledoit-Wolf p = 0.012" in line
    assert STRONG in _about(lines, "smaller errors than those of the no-change forecast")
    assert "agree on all 2 comparisons" in " ".join(lines)
    assert "RegimeNAS is among those that the stepwise test" in " ".join(lines)
    assert "2000 bars" in lines[-1]
    assert "not certainty" in lines[-1]


def test_a_loss():
    lines = comparison_words(LOSS, _superior(False, False))
    line = _about(lines, "After costs", "than equal weight")
    assert "RegimeNAS had a lower Sharpe ratio" in line
    assert STRONG in line
    assert STRONG in _about(lines, "larger errors")
    assert "The two tests of Sharpe ratios agree." in lines
    assert "RegimeNAS is not among those that the stepwise test" in " ".join(lines)
    assert "1 of 2 strategies cannot be ruled out as the best by Sharpe ratio" in " ".join(lines)
    assert "RegimeNAS is not one of them (p = 0.010)" in " ".join(lines)


def test_neither():
    lines = comparison_words(NULL, _superior(False, True, p_spa=0.6))
    assert WEAK in _about(lines, "After costs", "than equal weight")
    assert WEAK in _about(lines, "errors than those")
    assert not any(STRONG in line for line in lines)
    assert "does not show that they are equally good" in lines[-1]
    assert "ahead by luck with p = 0.600." in " ".join(lines)


def test_tests_that_disagree_leave_the_question_open():
    lines = comparison_words(SPLIT)
    line = _about(lines, "After costs", "than equal weight")
    assert "Jobson-Korkie-Memmel calls that more than luck and Ledoit-Wolf does not" in line
    assert "stays open" in line
    assert "The two tests of Sharpe ratios disagree." in lines


def test_agreement_is_counted_over_comparisons():
    other = _table(_row(JKM, "momentum", 3.0, 0.01), _row(LW, "momentum", 3.0, 0.01))
    lines = comparison_words(pd.concat([SPLIT, other]))
    assert "The two tests of Sharpe ratios agree on 1 of 2 comparisons." in lines


@pytest.mark.parametrize("table", [WIN, LOSS, NULL, SPLIT])
@pytest.mark.parametrize("level", [0.05, 0.001, 0.5])
def test_no_sentence_claims_more_than_its_p_values(table, level):
    lines = comparison_words(table, _superior(False, True), level=level)
    text = " ".join(lines)
    assert not re.search(r"\bprov(es?|en|ed)\b|\bcertain\b|\bguarantee", text)
    for line in lines:
        if STRONG in line:
            printed = re.findall(r"p [=<] ([0-9.]+)", line)
            assert printed
            assert max(map(float, printed)) <= max(level, 0.001)
    for against, rows in table.groupby("against"):
        if (rows["p_holm"] >= level).any():
            named = {"equal_weight": "equal weight", "momentum": "momentum"}.get(
                against, "no-change forecast"
            )
            assert not any(named in line and STRONG in line for line in lines)


def test_only_the_tests_that_were_run_are_explained():
    text = " ".join(comparison_words(SPLIT))
    assert "Jobson-Korkie-Memmel assumes" in text
    assert "blocks of consecutive bars" in text
    assert "Diebold-Mariano" not in text
    forecasts = " ".join(comparison_words(_table(_row(DM, "no_change", 1.0, 0.4, n=95))))
    assert "Diebold-Mariano assumes" in forecasts
    assert "Sharpe" not in forecasts
    assert "95 dates" in forecasts
    assert "Holm" not in forecasts


def test_a_pair_tested_the_other_way_round_is_turned():
    turned = _table(
        _row(JKM, "regime_nas", 4.0, 0.001, subject="momentum"),
        _row(LW, "regime_nas", 4.0, 0.001, subject="momentum"),
    )
    line = _about(comparison_words(turned), "than momentum")
    assert "RegimeNAS had a lower Sharpe ratio" in line


def test_names_made_of_words_have_a_capital_only_where_a_sentence_starts():
    about_momentum = _table(
        _row(JKM, "equal_weight", 1.0, 0.4, subject="momentum"),
        _row(LW, "mvo_flat", math.nan, 1.0, subject="momentum"),
        _row(DM, "no_change", 1.0, 0.4, subject="momentum", n=95),
        _row(JKM, "gru", 1.0, 0.4, subject="momentum"),
    )
    untested = _superior(None, None, p_spa=math.nan, note="is a twin").replace(
        {"regime_nas": "momentum"}
    )
    lines = comparison_words(about_momentum, untested, subject="momentum")
    text = " ".join(lines)
    assert "After costs momentum had a higher Sharpe ratio than equal weight" in text
    assert "of momentum and minimum variance cannot be compared" in text
    assert "of momentum had smaller errors than those of the no-change forecast" in text
    assert "than GRU" in text
    assert "Momentum could not be tested among all strategies: is a twin." in lines
    assert not re.search(r"[^.:] (Momentum|Equal|Minimum|Buy|No-change)", text)


def test_what_could_not_be_tested_is_said_with_the_reason():
    table = _table(
        _row(JKM, "cash", math.nan, 1.0, note="one of the two never moves"),
        _row(LW, "cash", math.nan, 1.0, note="one of the two never moves"),
        _row(DM, "no_change", math.nan, 1.0, note="the losses are the same"),
    )
    lines = comparison_words(table, _superior(None, None, p_spa=math.nan, note="is a twin"))
    text = " ".join(lines)
    assert "Sharpe ratios of RegimeNAS and cash cannot be compared: one of the two" in text
    assert "cannot be compared: the losses are the same" in text
    assert "RegimeNAS could not be tested among all strategies: is a twin." in lines
    assert "agree" not in text


def test_a_missing_subject_is_an_error():
    with pytest.raises(DataError, match="no comparison of gru"):
        comparison_words(NULL, subject="gru")
    without = _superior(True, True).iloc[1:]
    with pytest.raises(DataError, match="no row of regime_nas"):
        comparison_words(NULL, without)


def test_a_withdrawn_test_is_not_used_and_named():
    reason = "it said 'beats' on 12 % of placebo panels"
    lines = comparison_words(WIN, _superior(True, True), withdrawn={LW: reason})
    assert f"Ledoit-Wolf is withdrawn: {reason}." in lines
    kept = [line for line in lines if reason not in line]
    assert not any("Ledoit-Wolf" in line for line in kept)
    assert STRONG in _about(kept, "RegimeNAS", "than equal weight")
    # Where the kept test alone finds nothing, nothing is claimed: SPLIT without the bold one.
    split = comparison_words(SPLIT, withdrawn={JKM: reason})
    assert WEAK in _about(split, "than equal weight")


def test_withdrawing_holm_leaves_no_word_on_sharpe_ratios():
    lines = comparison_words(WIN, withdrawn={"holm": "a reason"})
    assert "Every test of Sharpe ratios is withdrawn: a reason." in lines
    assert not any("Sharpe ratio than" in line or "two tests of" in line for line in lines)
    assert _about(lines, "errors than those of")


@pytest.mark.parametrize(
    ("test", "phrase", "said"),
    [
        ("spa_sharpe", "Hansen's test allows", "Hansen's test of Sharpe ratios is withdrawn: x."),
        ("stepwise_sharpe", "stepwise test puts", "The stepwise test of Sharpe ratios"),
        ("confidence_set_sharpe", "ruled out as the best", "The model confidence set of Sharpe"),
    ],
)
def test_each_test_among_all_strategies_can_be_withdrawn(test, phrase, said):
    before = comparison_words(NULL, _superior(False, True))
    after = comparison_words(NULL, _superior(False, True), withdrawn={test: "x"})
    assert any(phrase in line for line in before)
    assert not any(phrase in line for line in after)
    assert any(line.startswith(said) for line in after)
    assert test in WITHDRAWABLE


def test_of_other_measures_is_nothing_withdrawn():
    with_all = comparison_words(NULL, _superior(False, True))
    mean = comparison_words(NULL, _superior(False, True), withdrawn={"spa_mean": "x"})
    assert [line for line in mean if "withdrawn" not in line] == with_all
