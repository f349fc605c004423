"""The paper's claims on a tiny run, from found networks to the page."""

from __future__ import annotations

import numpy as np
import pytest
from found_architecture import architecture, case_with_findings, tuned_gru
from project_runs import Case

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def claimed(tmp_path_factory: pytest.TempPathFactory) -> Case:
    case = case_with_findings(tmp_path_factory.mktemp("claimed") / "case", {})
    case.run(pipelines=["claims"])
    return case


def test_errors_follow_from_forecasts_and_prices(claimed: Case) -> None:
    close = claimed.load("prices").pivot(index="date", columns="asset", values="close")
    forecasts = claimed.load("claims_forecasts")
    future = close.shift(-21)
    own = forecasts.query("forecaster == 'regime_nas' and seed == 1")
    errors, still = [], []
    for row in own.itertuples():
        end, start = future.loc[row.date, row.asset], close.loc[row.date, row.asset]
        if np.isfinite(end):
            errors.append(abs(end - start * np.exp(row.mean)))
            still.append(abs(end - start))
    scores = claimed.load("claims_scores").query("scope == 'pooled'")
    found = scores.set_index(["forecaster", "seed"])["mae_levels"]
    assert found["regime_nas", 1] == pytest.approx(np.mean(errors))
    assert found["no_change", -1] == pytest.approx(np.mean(still))


def test_the_table_puts_paper_ours_and_no_change_side_by_side(claimed: Case) -> None:
    table = claimed.load("claims_table")
    assert table["env"] == "case"
    assert table["seeds"] == 2
    rows = {row["claim"]: row for row in table["claims"]}
    ratio = rows["MAE of RegimeNAS ÷ MAE of GRU, returns, pooled"]
    scores = claimed.load("claims_scores").query("scope == 'pooled'")
    mae = scores.set_index(["forecaster", "seed"])["mae_returns"]
    expected = [mae["regime_nas", seed] / mae["gru", seed] for seed in (0, 1)]
    assert ratio["seeds"] == pytest.approx(expected)
    assert ratio["paper"] == 0.197
    assert rows["R² of RegimeNAS, price levels, pooled"]["no_change"] > 0.9


def test_the_search_is_counted(claimed: Case) -> None:
    table, fits = claimed.load("claims_table"), claimed.load("claims_fits")
    rows = {row["claim"]: row["ours"] for row in table["claims"]}
    for name, shown, found in (
        ("regime_nas", "RegimeNAS", architecture()),
        ("gru", "GRU", tuned_gru()),
    ):
        own = fits[fits["forecaster"] == name]
        epoch = own["gradient_samples"].sum() / own["epochs"].sum()
        alone = rows[f"Epochs of one fit of {shown}, search not counted"]
        both = rows[f"Epochs of one fit of {shown}, search counted"]
        assert alone == pytest.approx(own["epochs"].mean())
        assert both - alone == pytest.approx(found["search"]["gradient_samples"] / epoch)
    assert rows["Hours of the search of RegimeNAS"] is None  # no search ran here


def test_the_page_names_the_environment_and_the_limits_of_the_data(claimed: Case) -> None:
    page = claimed.load("claims_report")
    assert claimed.load("claims_table")["headline"].replace("'", "&#39;") in page
    assert "Nothing can be concluded" in page
    assert 'id="figure-claims-data"' in page
    assert len(claimed.load("claims_figure").data) > 0
