"""What the experiment on one index refuses, and where its prices and labellers come from."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from project_runs import PROJECT, csv_case
from pydantic import ValidationError
from spx_vix_samples import (
    COMPUTE,
    DATES,
    FIRST_OOS,
    NO_CACHE,
    UNIVERSE,
    VIX,
    WALK_FORWARD,
    index_and_vix,
    parameters,
    raw_of,
    settings,
)

from regime_nas_pipeline.core import params
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.pipelines import ingestion
from regime_nas_pipeline.pipelines.ingestion.nodes import refuse_one_asset
from regime_nas_pipeline.pipelines.spx_vix.building import index_market, labeller_plans
from regime_nas_pipeline.pipelines.spx_vix.nodes import label, validate_index, walk_classifier
from regime_nas_pipeline.walkforward.label_sets import unstacked, walk_labellers

pytestmark = pytest.mark.slow

KMEANS = "regime_nas_pipeline.regimes.kmeans.KMeansLabeller"


def ingest(prices: pd.DataFrame, **changes: Any) -> pd.DataFrame:
    """Validated prices, or the error of the first node."""
    return validate_index(raw_of(prices), UNIVERSE, WALK_FORWARD, settings(**changes))[0]


def with_blanks(prices: pd.DataFrame) -> pd.DataFrame:
    table = prices.copy()
    table.iloc[100:120:2, 1] = np.nan
    return table


Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_blanks, (VIX, "12 of 430 bars", "at most 1%", str(DATES[100].date()), "Remedy")),
        (lambda p: p.iloc[160:], ("bars before first_oos", "are needed", "Remedy")),
        (lambda p: p.drop(columns=VIX), (VIX, "Remedy")),
        (lambda p: p.assign(VIX=p[VIX].abs() * 0.0 - 1.0), (VIX, "Remedy")),
    ],
    ids=["blanks", "short", "no volatility index", "negative"],
)
def test_unfit_prices_are_refused_at_the_first_node(change: Change, words: tuple[str, ...]) -> None:
    with pytest.raises(DataError) as caught:
        ingest(change(index_and_vix()))
    for word in words:
        assert word in str(caught.value)


def test_an_experiment_without_an_observed_series_is_refused() -> None:
    blind = UNIVERSE.model_copy(update={"observed": []})
    prices = validate_index(raw_of(index_and_vix()), blind, WALK_FORWARD, settings())[0]
    with pytest.raises(DataError) as caught:
        label(prices, blind, settings(), COMPUTE)
    for word in ("'vix'", "there are 0", "Remedy: set universe.observed"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classifier": {"learns": "kmean"}}, "learns is 'kmean'; name one of the labellers: kme"),
        ({"exposure": {"in_calm": 2.0}}, "in_calm is 2 and max_exposure 1.5; lower the one or"),
        ({"exposure": {"by_regime": {"calm": 1.8}}}, "by_regime.calm is 1.8 and max_exposure 1.5"),
        ({"exposure": {"max_exposure": 1.2, "in_calm": 1.0}}, "volatility_target.cap is 1.5 and"),
        (
            {"labellers": {"classifier": {"class": KMEANS}}},
            "cannot be called 'classifier'; give it another name",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        settings(**changes)


def test_the_command_names_the_parameter_in_one_line(tmp_path: Path) -> None:
    case = csv_case(
        tmp_path,
        index_and_vix(),
        env="spx_vix",
        parameters=parameters(exposure={"in_calm": 2.0}),
    )
    result = case.command("--pipelines=spx_vix")
    (line,) = [line for line in result.output.splitlines() if line.startswith("Error:")]
    assert "parameter 'spx_vix.exposure': in_calm is 2 and max_exposure 1.5" in line
    assert "input" not in line
    assert len(line) < 160
    assert result.exit_code != 0
    assert not case.output.exists()


def test_the_default_pipelines_say_which_one_is_for_one_index(tmp_path: Path) -> None:
    case = csv_case(tmp_path, index_and_vix(), env="spx_vix", parameters=parameters())
    result = case.command()
    (line,) = [line for line in result.output.splitlines() if line.startswith("Error:")]
    assert "one index (S&P 500)" in line
    assert "--pipelines=spx_vix" in line
    assert result.exit_code != 0
    assert not case.output.exists()


def test_exposures_of_regimes_that_a_labeller_has_not_are_refused_before_training() -> None:
    spx_vix = settings(exposure={"calm": ["quiet"]})
    with pytest.raises(ParameterError, match=r"labeller 'kmeans': calm: 'quiet' is none of"):
        label(ingest(index_and_vix()), UNIVERSE, spx_vix, COMPUTE)


def test_a_labeller_without_probabilities_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(params, "_allowed_modules", {*params._allowed_modules, "crooked_labellers"})
    spx_vix = settings(labellers={"own": {"class": "crooked_labellers.HalfCertain"}})
    with pytest.raises(DataError) as caught:
        label(ingest(index_and_vix()), UNIVERSE, spx_vix, COMPUTE)
    for word in ("HalfCertain", "do not sum to 1", str(DATES[149].date()), "Remedy"):
        assert word in str(caught.value)


def test_the_labeller_of_the_documentation_can_be_used_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = (PROJECT / "docs" / "regimes.md").read_text()
    code, stated = (
        re.search(rf"^```{kind}\n(# .*?)^```$", texts, re.MULTILINE | re.DOTALL)[1]
        for kind in ("python", "yaml")
    )
    (tmp_path / "my_regimes.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(params, "_allowed_modules", {*params._allowed_modules, "my_regimes"})
    spx_vix = settings(**yaml.safe_load(stated)["spx_vix"])
    entry = {"labellers": {"implied": spx_vix.labellers["implied"]}}
    market = index_market(ingest(index_and_vix()), UNIVERSE)
    plans = labeller_plans(spx_vix.model_copy(update=entry), COMPUTE.seed)
    labels = unstacked(walk_labellers(market, plans, burn_in=150, refit_every=130).online)
    known = market.observed[VIX][:150]  # its blanks come later
    assert labels["implied"]["stressed"].iloc[0] == float(known[-1] > np.quantile(known, 0.9))
    assert 0.0 < labels["implied"]["stressed"].mean() < 0.3
    sys.modules.pop("my_regimes")


def test_a_training_window_with_one_regime_is_refused() -> None:
    prices = ingest(index_and_vix())
    dates = DATES[149:].rename("date")
    certain = pd.DataFrame({"calm": 1.0, "stressed": 0.0}, index=dates)
    online = certain.reset_index().melt("date", var_name="regime", value_name="probability")
    with pytest.raises(DataError) as caught:
        walk_classifier(
            online.assign(labeller="kmeans"), prices, NO_CACHE,
            UNIVERSE, WALK_FORWARD, settings(), COMPUTE,
        )  # fmt: skip
    for word in ("'calm'", str(FIRST_OOS.date()), "Remedy"):
        assert word in str(caught.value)


def test_a_labeller_that_finds_one_regime_alone_is_refused() -> None:
    prices = index_and_vix()
    steady = 1800.0 * np.exp(0.001 * (np.arange(len(DATES)) % 2))
    prices.iloc[:170, 0] = steady[:170]
    with pytest.raises(DataError) as caught:
        label(ingest(prices), UNIVERSE, settings(), COMPUTE)
    assert "Labeller" in str(caught.value)
    assert "Remedy" in str(caught.value)


@pytest.mark.parametrize(
    ("source", "dataset", "names"),
    [
        (None, "BundledPricesDataset", ("S&P 500", "VIX")),
        ("files", "CsvPricesDataset", ("SPX_close", "VIX_close")),
        ("yahoo", "YahooPricesDataset", ("^GSPC", "^VIX")),
    ],
)
def test_one_word_chooses_the_source(
    source: str | None, dataset: str, names: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REGIME_NAS_SOURCE", raising=False)
    if source is not None:
        monkeypatch.setenv("REGIME_NAS_SOURCE", source)
    bootstrap_project(PROJECT)
    with KedroSession.create(project_path=PROJECT, env="spx_vix") as session:
        context = session.load_context()
        entry = context.catalog["raw_prices"]
        universe = context.params["universe"]
        assert type(entry).__name__ == dataset
        assert (universe.benchmark, *universe.observed) == names
        assert universe.assets == [names[0]]
        if source == "yahoo":
            assert entry._describe()["tickers"] == list(names)
        elif source is None or (
            "REGIME_NAS_SHARED_DATA" in os.environ and Path(entry._describe()["filepath"]).exists()
        ):
            assert set(names) <= set(entry.load().table["asset"])


@pytest.mark.parametrize(
    "universe",
    [
        {"assets": None, "benchmark": "A"},
        {"assets": ["A", "B"], "benchmark": "A"},
        {"assets": ["B"], "benchmark": "A", "benchmark_tradable": True},
    ],
)
def test_a_choice_between_two_is_not_refused(universe: dict[str, Any]) -> None:
    pipeline = ingestion.create_pipeline()
    refuse_one_asset(pipeline, {"universe": universe})
    alone = {**universe, "assets": ["B"], "benchmark_tradable": False}
    with pytest.raises(ParameterError, match=r"one index \(B\)"):
        refuse_one_asset(pipeline, {"universe": alone})
