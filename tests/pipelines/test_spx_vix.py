"""The experiment on one index: from prices to the page."""

from __future__ import annotations

import html
import json

import numpy as np
import pandas as pd
import pytest
from project_runs import Case, csv_case
from spx_vix_samples import (
    BLANKS,
    COMPUTE,
    DATES,
    FIRST_OOS,
    FIT_BARS,
    INDEX,
    NO_CACHE,
    PORTFOLIO,
    UNIVERSE,
    VIX,
    WALK_FORWARD,
    index_and_vix,
    parameters,
    raw_of,
    scrambled_after,
    settings,
)

from regime_nas_pipeline.pipelines.spx_vix.attention import (
    ATTENTION_FIGURES,
    inspect_classifier_attention,
)
from regime_nas_pipeline.pipelines.spx_vix.nodes import (
    label,
    trade_exposures,
    validate_index,
    walk_classifier,
)
from regime_nas_pipeline.pipelines.spx_vix.reporting import (
    CLASSIFIER_FIGURES,
    EXPOSURE_FIGURES,
    LABEL_FIGURES,
)

pytestmark = pytest.mark.slow

AUDIT_BAR = FIT_BARS[-1] + 20
"""After the classifier's last fit, and not on a bar of a fit."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A finished run on a volatility index with two blanks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("REGIME_NAS_SOURCE", raising=False)
        case = csv_case(
            tmp_path_factory.mktemp("spx_vix"),
            index_and_vix(),
            env="spx_vix",
            parameters=parameters(),
        )
        case.run(pipelines=["spx_vix"])
        return case


def test_the_summary_has_what_is_promised(finished: Case) -> None:
    summary = finished.load("spx_vix_summary")
    assert set(summary) == {
        "run", "sample", "labels", "classifier", "strategies", "published", "headline",
    }  # fmt: skip
    sample = summary["sample"]
    assert (sample["first"], sample["n_bars"]) == (str(FIRST_OOS.date()), len(DATES) - 300)
    assert sample["index"] == INDEX
    assert sample["labellers"]["kmeans"]["regimes"] == ["calm", "stressed"]
    assert sample["classifier_learns"] == "kmeans"
    assert set(summary["labels"]) == {"switching", "delay_summary", "refit_stability"}
    assert set(summary["classifier"]["scores"]) == {
        "classifier", "persistence", "hard_persistence", "filter",
    }  # fmt: skip
    assert len(summary["strategies"]) == 2 + 3 * 6  # without labels; five labellers, classifier
    assert set(summary["published"]) == {"resemblance", "unpaid_leverage"}
    assert summary["run"]["data_sha256"] == finished.load("data_manifest")["sha256"]
    assert summary["headline"].startswith("Buy and hold has a Sharpe ratio of")
    json.dumps(summary, allow_nan=False)


def test_blanks_of_the_volatility_index_are_counted_and_the_run_goes_on(finished: Case) -> None:
    notes = finished.load("data_quality")["notes"]
    (note,) = [note for note in notes if note["kind"] == "stand_in"]
    assert (note["asset"], note["count"]) == (VIX, len(BLANKS))
    assert note["first_date"].startswith(str(DATES[BLANKS[0]].date()))


def test_every_bar_is_labelled_forecast_and_traded_from_its_first_on(finished: Case) -> None:
    online = finished.load("online_labels")
    first = online.groupby("labeller")["date"].min()
    assert (first == DATES[149]).all()
    assert (online.groupby("labeller")["date"].nunique() == len(DATES) - 149).all()
    forecasts = finished.load("classifier_forecasts")
    assert set(forecasts["target"]) == {"label", "switch_5"}
    assert forecasts["date"].min() == FIRST_OOS
    assert finished.load("classifier_fits").groupby("target").size().to_dict() == {
        "label": len(FIT_BARS), "switch_5": len(FIT_BARS),
    }  # fmt: skip
    returns = finished.load("exposure_returns")
    # Decided on the first bar, traded at the next close, earned on the one after.
    assert returns.index[0] == DATES[302]
    assert returns.notna().all(axis=None)


def test_the_page_has_every_figure_and_no_keys_of_labellers(finished: Case) -> None:
    page = finished.load("spx_vix_report")
    for name in (*LABEL_FIGURES, *CLASSIFIER_FIGURES, *ATTENTION_FIGURES, *EXPOSURE_FIGURES):
        assert f'id="figure-{name}-data"' in page
    assert "Not part of this run" not in page
    for key in ("gaussian_mixture", "volatility_threshold", "hard_persistence", "kmeans"):
        assert f">{key}<" not in page
    assert "labels of kmeans" not in page


def test_attention_is_read_on_windows_after_each_fit_and_told_on_the_page(finished: Case) -> None:
    attention = finished.load("classifier_attention")
    starts = [DATES[bar] for bar in FIT_BARS]
    lasts = [*(DATES[bar - 1] for bar in FIT_BARS[1:]), DATES[-2]]  # after it no class is known
    for row, start, last in zip(attention["fits"], starts, lasts, strict=True):
        assert row["fitted"] == row["first"] == str(start.date())
        assert row["last"] == str(last.date())
    # The second fit has fewer windows before the sample ends.
    assert [row["shown"] for row in attention["fits"]] == [True, False]
    assert attention["sample"]["n_windows"] == DATES.get_loc(lasts[-1]) - FIT_BARS[0] + 1

    weights = finished.load("classifier_attention_maps").arrays["weights"]
    assert weights.shape == (2, 4, 61, 61)
    np.testing.assert_allclose(weights.sum(axis=-1), 1.0, rtol=1e-5)
    cls = finished.load("classifier_cls_attention").set_index(["layer", "head", "lag"])["weight"]
    assert cls[2, 3, 0] == pytest.approx(weights[1, 2, 0, 60])  # the decision bar is last
    assert cls[1, 4, 59] == pytest.approx(weights[0, 3, 0, 1])
    assert finished.load("classifier_bar_importance")["last_lag"].tolist()[-1] == 59
    assert len(finished.load("classifier_feature_importance")) == 6

    page = html.unescape(finished.load("spx_vix_report"))
    for sentence in attention["sentences"]:
        assert sentence.replace(" %", "\u00a0%") in page
    told = finished.load("spx_vix_summary")["classifier"]["attention"]
    assert f"correlate by {told['correlation']:.2f}" in page
    assert told["n_fits"] == len(FIT_BARS)


def test_scrambling_the_future_leaves_the_past_unchanged_to_the_bit(finished: Case) -> None:
    raw, spx_vix = raw_of(scrambled_after(index_and_vix(), AUDIT_BAR)), settings()
    prices = validate_index(raw, UNIVERSE, WALK_FORWARD, spx_vix)[0]
    online, hindsight, _, _ = label(prices, UNIVERSE, spx_vix, COMPUTE)
    forecasts, fits, checkpoints = walk_classifier(
        online, prices, NO_CACHE, UNIVERSE, WALK_FORWARD, spx_vix, COMPUTE
    )
    held = trade_exposures(
        online, hindsight, forecasts, prices,
        UNIVERSE, WALK_FORWARD, PORTFOLIO, spx_vix, COMPUTE,
    )[1]  # fmt: skip
    tables = {
        "online_labels": online,
        "classifier_forecasts": forecasts,
        "exposures_held": held.reset_index(),
    }
    for name, altered in tables.items():
        whole = finished.load(name)
        whole = whole.reset_index() if name == "exposures_held" else whole
        parts = [table[table["date"] <= DATES[AUDIT_BAR]] for table in (whole, altered)]
        parts = [part.reset_index(drop=True) for part in parts]
        assert len(parts[0]), name
        pd.testing.assert_frame_equal(*parts, check_exact=True, check_dtype=False)
        assert not whole.equals(altered), f"{name} did not look at the future that was altered"
    inspected = inspect_classifier_attention(
        forecasts=forecasts, fits=fits, checkpoints=checkpoints, online=online, prices=prices,
        cache=NO_CACHE, universe=UNIVERSE, spx_vix=spx_vix, compute=COMPUTE,
    )  # fmt: skip
    # The network shown is the first, all of whose windows lie before the altered bars.
    weights = finished.load("classifier_attention_maps").arrays["weights"]
    np.testing.assert_array_equal(inspected.maps.arrays["weights"], weights)
    pd.testing.assert_frame_equal(
        inspected.cls, finished.load("classifier_cls_attention"), check_exact=True
    )
    assert not inspected.features.equals(finished.load("classifier_feature_importance"))


def test_a_second_run_reuses_the_fits_of_the_classifier_and_their_inspection(
    finished: Case,
) -> None:
    nodes = ["spx_vix.walk_classifier", "spx_vix.inspect_classifier"]
    finished.run(pipelines=["spx_vix"], from_nodes=nodes[:1], to_nodes=nodes[1:])
    lines = (finished.output / "run_facts.jsonl").read_text().splitlines()
    facts = [json.loads(line) for line in lines]
    for node, n in zip(nodes, (2 * len(FIT_BARS), len(FIT_BARS)), strict=True):
        own = [(each["reused"], each["made"]) for each in facts if each.get("node") == node]
        assert own == [(0, n), (n, 0)], node
    first, second = sorted(finished.output.rglob("classifier_forecasts.parquet/*/*.parquet"))
    assert first.read_bytes() == second.read_bytes()
