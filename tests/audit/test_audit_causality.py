from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from audit_jobs import (
    EXEMPT,
    FIRST_FIT,
    REFIT_EVERY,
    SmallJob,
    bar_prices,
    centred_mean,
    fitted_on_the_test,
    haar_denoised,
    label_fitted_once,
    scaled_on_everything,
    search_on_everything,
    small_rules,
    smoothed_regimes,
    weights_of_the_same_bar,
)

from regime_nas_pipeline.audit.causality import AuditResult, audit
from regime_nas_pipeline.audit.job import Job, Output
from regime_nas_pipeline.core.errors import DataError, ParameterError

PRICES = bar_prices()
BARS = pd.DatetimeIndex(PRICES["date"].unique())
ROW = FIRST_FIT + REFIT_EVERY + 10
DATE = BARS[ROW]


def run_audit(
    job: Job, dates: tuple[pd.Timestamp, ...] = (DATE,), **changes: object
) -> AuditResult:
    given = {"rules": small_rules(PRICES), "exempt": EXEMPT, **changes}
    return audit(job, PRICES, dates, **given)


def test_a_clean_job_passes_with_every_dataset_compared() -> None:
    result = run_audit(SmallJob(), (BARS[ROW - 20], DATE))
    assert result.passed
    assert result.first_leak is None
    assert result.uncompared == ()
    assert result.exempt == EXEMPT
    assert [(check.date, check.alteration) for check in result.checks] == [
        (BARS[ROW - 20], "scrambled"),
        (BARS[ROW - 20], "cut"),
        (DATE, "scrambled"),
        (DATE, "cut"),
    ]


def test_values_compared_are_those_settled_at_the_date() -> None:
    scrambled, cut = (check.comparison.compared for check in run_audit(SmallJob()).checks)
    n_bars, n_forecasts = ROW + 1, ROW + 1 - FIRST_FIT
    # A row counts for being there, and each of its values again.
    assert scrambled["prices"] == 3 * n_bars * (1 + 5)
    assert scrambled["regimes"] == n_bars * (1 + 2)
    assert scrambled["forecasts"] == 3 * n_forecasts * (1 + 1)
    # Weights of the bar after the audit date are settled, returns are not.
    assert scrambled["weights"] == 3 * n_forecasts * (1 + 1)
    assert scrambled["strategy_returns"] == (n_forecasts - 1) * (1 + 1)
    # Where the data ends at the date, nothing is earned after it.
    assert cut["weights"] == 3 * (n_forecasts - 1) * (1 + 1)
    assert cut["strategy_returns"] == scrambled["strategy_returns"]
    # Two folds ended before: date, number and slope of each; and the class that they share.
    assert scrambled["checkpoints"] == 2 * 3 + 1


LEAKS = [
    (SmallJob(features=centred_mean), "make_features", "features"),
    (SmallJob(features=scaled_on_everything), "make_features", "features"),
    (SmallJob(features=haar_denoised), "make_features", "features"),
    (SmallJob(regimes=smoothed_regimes), "label", "regimes"),
    (SmallJob(regimes=label_fitted_once), "label", "regimes"),
    (SmallJob(architecture=search_on_everything), "search", "architecture"),
    (SmallJob(models=fitted_on_the_test), "fit", "checkpoints"),
]


@pytest.mark.parametrize(
    ("job", "node", "dataset"),
    LEAKS,
    ids=["centred", "scaler", "wavelet", "smoothed", "label", "search", "fit"],
)
def test_a_leak_is_caught_by_both_alterations_at_the_node_that_makes_it(
    job: SmallJob, node: str, dataset: str
) -> None:
    result = run_audit(job)
    assert not result.passed
    assert result.first_leak is not None
    assert (result.first_leak.node, result.first_leak.dataset) == (node, dataset)
    order = list(result.nodes)
    for check in result.checks:
        assert check.first is not None
        assert (check.first.node, check.first.dataset) == (node, dataset)
        assert check.first.before != check.first.after
        assert check.first.date <= DATE
        # Whatever comes before the leaky node is clean.
        changed = {order.index(difference.dataset) for difference in check.comparison.differences}
        assert min(changed) == order.index(dataset)


def test_a_centred_window_is_dated_by_the_first_row_that_looks_ahead() -> None:
    scrambled, _ = run_audit(SmallJob(features=centred_mean)).checks
    assert scrambled.first is not None
    assert scrambled.first.column == "mean"
    assert scrambled.first.asset in {"AAA", "BBB", "CCC"}
    # Two bars on either side; the rows of the last two bars see the altered ones: six values.
    assert scrambled.first.date == BARS[ROW - 1]
    assert scrambled.first.count == 6


def test_weights_that_earn_the_bar_they_were_made_from_are_caught() -> None:
    result = run_audit(SmallJob(weights=weights_of_the_same_bar))
    leak = result.first_leak
    assert leak is not None
    assert (leak.node, leak.dataset, leak.column) == ("trade", "weights", "weight")
    assert leak.date == BARS[ROW + 1]
    # Everything else, the returns they earn included, looks as if it were causal.
    assert {d.dataset for check in result.checks for d in check.comparison.differences} == {
        "weights"
    }


def test_the_first_leak_is_first_in_execution_order_over_all_dates() -> None:
    def job(prices: pd.DataFrame) -> list[Output]:
        table = prices[["date", "asset"]]
        last = prices["close"].iloc[-1]
        one_bar = table.assign(value=np.where(table["date"] == DATE, last, 0.0))
        return [Output("one", "one_bar", one_bar), Output("two", "all", table.assign(value=last))]

    result = audit(job, PRICES, (BARS[ROW - 20], DATE))
    firsts = [check.first.node for check in result.checks if check.first is not None]
    assert firsts == ["two", "two", "one", "one"]
    assert result.first_leak is not None
    assert (result.first_leak.node, result.first_leak.date) == ("one", DATE)


def test_the_same_seed_gives_the_same_result_and_the_result_is_json() -> None:
    once, again = (run_audit(SmallJob(features=haar_denoised)).to_facts() for _ in range(2))
    assert json.loads(json.dumps(once, allow_nan=False)) == again
    assert once["first_leak"]["node"] == "make_features"
    other = run_audit(SmallJob(features=haar_denoised), seed=1).to_facts()
    assert other["first_leak"]["after"] != once["first_leak"]["after"]


def dusty(prices: pd.DataFrame, dust: float) -> list[Output]:
    return [Output("round", "sums", prices[["date", "asset"]].assign(value=1.0 + dust))]


def test_rounding_that_depends_on_the_length_passes_a_cut_within_the_tolerance() -> None:
    def job(prices: pd.DataFrame) -> list[Output]:
        return dusty(prices, 1e-10 * len(prices))

    assert audit(job, PRICES, [DATE]).passed
    scrambled, cut = audit(job, PRICES, [DATE], tolerance=0.0).checks
    assert scrambled.first is None
    assert cut.first is not None


def test_no_dependence_on_the_future_is_too_small_for_scrambling() -> None:
    def job(prices: pd.DataFrame) -> list[Output]:
        return dusty(prices, 1e-10 * prices["close"].iloc[-1])

    scrambled, cut = audit(job, PRICES, [DATE]).checks
    assert scrambled.first is not None
    assert (scrambled.first.node, scrambled.first.column) == ("round", "value")
    assert cut.first is None


def test_a_dataset_that_starts_later_is_named_as_uncompared() -> None:
    result = run_audit(SmallJob(), (BARS[FIRST_FIT - 10],))
    assert result.passed
    # The search ended nine bars after this date, and so did the first fit.
    assert result.uncompared == (
        "architecture",
        "checkpoints",
        "forecasts",
        "weights",
        "strategy_returns",
    )


def test_an_undated_dataset_must_be_exempt_by_name() -> None:
    with pytest.raises(DataError, match=r"no dates in 'summary' of node 'summarise'.*exempt"):
        audit(SmallJob(), PRICES, [DATE], rules=small_rules(PRICES))


@pytest.mark.parametrize(
    ("row", "min_history", "message"),
    [
        (3, 10, "too little history for an audit: 4 bars"),
        (0, 2, "too little history"),
        (len(BARS) - 1, 2, "no bar after this audit date"),
        (20, 2, "the job does not run on the prices up to this date"),
    ],
)
def test_an_audit_date_that_shows_nothing_is_an_error(
    row: int, min_history: int, message: str
) -> None:
    def job(prices: pd.DataFrame) -> list[Output]:
        if prices["date"].nunique() < 40:
            raise DataError("not enough bars")
        return SmallJob()(prices)

    with pytest.raises(DataError, match=message):
        run_audit(job, (BARS[row],), min_history=min_history)


def test_as_many_bars_as_are_needed_are_enough() -> None:
    assert run_audit(SmallJob(), (BARS[79],), min_history=80).passed
    with pytest.raises(DataError, match="79 bars up to this date, and 80 are needed"):
        run_audit(SmallJob(), (BARS[78],), min_history=80)


def test_an_audit_date_must_be_a_bar() -> None:
    with pytest.raises(DataError, match="no bar on this audit date"):
        run_audit(SmallJob(), (pd.Timestamp("2020-02-01"),))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dates": ()}, "at least one audit date"),
        ({"tolerance": -1.0}, "tolerance must not be negative"),
        ({"exempt": {"summary": " "}}, "needs a reason"),
        ({"exempt": {**EXEMPT, "sumary": "x"}}, "an exemption for 'sumary'.*It makes: .*summary"),
        ({"exempt": {**EXEMPT, "weights": "x"}}, "'weights' has a rule and is exempt"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        run_audit(SmallJob(), **changes)
