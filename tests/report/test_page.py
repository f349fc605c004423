from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest

from regime_nas_pipeline.report import figures as draw
from regime_nas_pipeline.report.page import render_report
from regime_nas_pipeline.report.text import SECTIONS

EVIL = "<script>alert(1)</script>"


class Reader(HTMLParser):
    """Elements, their attributes, and the text outside scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[tuple[dict[str, str], str]] = []
        self.texts: list[str] = []
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        self._inside = tag
        if tag == "script":
            self.scripts.append((attributes, ""))

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            attributes, before = self.scripts[-1]
            self.scripts[-1] = (attributes, before + data)
        elif self._inside != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def values(self, attribute: str) -> list[str]:
        return [found[attribute] for _, found in self.elements if attribute in found]


@pytest.fixture
def page(report_parts: dict[str, Any]) -> Reader:
    return Reader(render_report(**report_parts))


def test_verdict_comes_first(page: Reader, report_parts: dict[str, Any]) -> None:
    assert report_parts["headline"] in page.text
    assert page.text.index(report_parts["headline"]) < page.text.index("Out-of-sample results")
    assert "trials in this run 60" in page.text
    assert "trials in the ledger 141" in page.text


def test_sections_stand_in_order_with_their_explanations(page: Reader) -> None:
    shown = [section for section in SECTIONS if section.key != "more"]
    anchors = [found["id"] for tag, found in page.elements if tag == "section"]
    assert anchors == [section.key for section in shown]
    for section in shown:
        assert f"#{section.key}" in page.values("href")
        assert section.explanation in page.text


def test_every_figure_is_in_the_page_as_it_was_given(
    page: Reader, report_parts: dict[str, Any]
) -> None:
    data = {found["id"]: text for found, text in page.scripts if "id" in found}
    assert len(data) == len(report_parts["figures"])
    for name, figure in report_parts["figures"].items():
        written = json.loads(data[f"figure-{name}-data"])
        assert written == json.loads(figure.to_json())
        assert f"figure-{name}" in page.values("id")


def test_nothing_is_loaded_from_anywhere(page: Reader) -> None:
    assert page.values("src") == []
    assert page.values("srcset") == []
    assert all(target.startswith("#") for target in page.values("href"))
    assert not {tag for tag, _ in page.elements} & {"link", "iframe", "object", "embed", "img"}


def test_style_sheet_loads_nothing(report_parts: dict[str, Any]) -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", render_report(**report_parts), re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style


def test_policy_allows_the_two_own_scripts_and_no_request(page: Reader) -> None:
    (policy,) = [
        found["content"]
        for _, found in page.elements
        if found.get("http-equiv") == "Content-Security-Policy"
    ]
    code = [text for found, text in page.scripts if found.get("type") != "application/json"]
    assert len(code) == 2
    hashes = {
        "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for text in code
    }
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert set(directives["script-src"].split()) == hashes
    assert directives["default-src"] == "'none'"


def test_figures_cannot_be_uploaded(page: Reader) -> None:
    own = page.scripts[-1][1]
    assert "showSendToCloud: false" in own
    assert 'plotlyServerURL: ""' in own


def test_hostile_names_are_only_text(report_parts: dict[str, Any], verdict: dict[str, Any]) -> None:
    dates = pd.bdate_range("2020-01-01", periods=3)
    weights = pd.DataFrame({"date": dates, "strategy": EVIL, "asset": EVIL, "weight": 1.0})
    report_parts |= {
        "headline": EVIL,
        "summary": report_parts["summary"]
        | {"strategies": {EVIL: {"cagr": 0.1}, "gru": {"cagr": 0.2}}},
        "quality": {"assets": {EVIL: {"rows": 3}}, "totals": {EVIL: EVIL}, "notes": [EVIL]},
        "manifest": {EVIL: EVIL},
        "architecture": {EVIL: EVIL},
        "tables": {"significance": pd.DataFrame({EVIL: [EVIL]})},
        "figures": {
            "weights_over_time": draw.weights_over_time(weights),
            "odd": go.Figure(layout={"title": {"text": f'"{EVIL}'}}),
        },
        "limits": [EVIL],
        "closures": report_parts["closures"].assign(asset=EVIL, reason=EVIL),
        "verdict": {
            **verdict,
            "comparison_words": [EVIL],
            "break_even_costs": verdict["break_even_costs"].assign(reason=EVIL, strategy=EVIL),
            "group_exposures": verdict["group_exposures"].replace("Health", EVIL),
        },
    }
    html = render_report(**report_parts)
    reader = Reader(html)
    assert EVIL not in html
    assert len(reader.scripts) == 2 + len(report_parts["figures"])
    assert reader.text.count(EVIL) >= 8 + 1 + 2 * 7 + 1 + 6
    assert not [name for _, found in reader.elements for name in found if name.startswith("on")]


def test_limits_stand_beside_every_comparison(page: Reader, limits: list[str]) -> None:
    first_sentence = limits[0].split(". ", maxsplit=1)[0] + "."
    compared = sum(section.compares for section in SECTIONS)
    # Once in full in the section on the data.
    assert page.text.count(first_sentence) == compared + 1
    assert limits[0] in page.text


def test_words_open_a_chapter_before_its_tables(page: Reader, verdict: dict[str, Any]) -> None:
    for sentence in verdict["comparison_words"]:
        assert " ".join(sentence.split()) in page.text
    last = " ".join(verdict["comparison_words"][-1].split())
    assert page.text.index(last) < page.text.index("All answers side by side")
    lists = [found for tag, found in page.elements if found.get("class") == "words"]
    # The tests, the trials, what was published, the closures and the bars; capacity is known, so
    # nothing is said of it.
    assert len(lists) == 5


def test_closures_and_bars_are_told(page: Reader) -> None:
    assert "2 positions had to end: 2 because the price ended." in page.text
    assert "RRC price ended GRU 12.5 19.25" in page.text
    assert "so no price was folded forward" in page.text


def test_a_run_without_closures_says_so_and_one_that_knows_of_none_leaves_them_out(
    report_parts: dict[str, Any],
) -> None:
    report_parts["closures"] = report_parts["closures"].iloc[:0]
    assert "No position had to end" in Reader(render_report(**report_parts)).text
    report_parts["closures"] = None
    assert "Positions that had to end" not in Reader(render_report(**report_parts)).text


def test_a_run_without_a_verdict_names_what_is_missing(report_parts: dict[str, Any]) -> None:
    del report_parts["verdict"]
    text = Reader(render_report(**report_parts)).text
    assert "Not part of this run: All answers side by side;" in text
    assert "What the tests mean together" in text
    assert "Published figures" not in text


def test_missing_parts_are_named_and_extra_ones_shown(report_parts: dict[str, Any]) -> None:
    del report_parts["tables"]["significance"]
    del report_parts["figures"]["drawdowns"]
    report_parts["tables"]["block_bootstrap"] = pd.DataFrame({"low": [0.1234]})
    text = Reader(render_report(**report_parts)).text
    assert "Not part of this run: Tests of equal Sharpe ratios." in text
    assert "Not part of this run: Drawdowns." in text
    assert "More from this run" in text
    assert "Block bootstrap" in text
    assert "0.123" in text


def test_a_run_with_nothing_still_gives_a_page() -> None:
    html = render_report(
        headline="Nothing was run.",
        summary={},
        tables={},
        figures={},
        quality={},
        manifest={},
        architecture={},
        search={},
        limits=[],
    )
    reader = Reader(html)
    assert "Nothing was run." in reader.text
    assert "Keep in mind" not in reader.text
    assert "strategies" in [found["id"] for tag, found in reader.elements if tag == "section"]


def test_numbers_are_right_aligned_with_units(report_parts: dict[str, Any]) -> None:
    html = render_report(**report_parts)
    assert '<th scope="col" class="number">Sharpe<span class="unit">annualised</span></th>' in html
    sharpe = report_parts["summary"]["strategies"]["gru"]["sharpe"]
    assert re.search(rf'<td class="number\s*">{sharpe:.2f}</td>', html)


def test_search_table_tells_this_run_from_the_ledger(page: Reader) -> None:
    assert "RegimeNAS bayesian 20 47 11 0.9871 100,000 99,400 2014-12-31" in page.text
    assert "Entropy of the mixtures 0.68 1 means that" in page.text


def test_a_number_and_its_unit_stay_on_one_line(report_parts: dict[str, Any]) -> None:
    report_parts["headline"] = "It earned 19.8 % a year."
    assert "It earned 19.8\u00a0% a year." in render_report(**report_parts)


def test_manifest_lists_versions_and_total_time(page: Reader) -> None:
    for part in ("9c56cc51b374", "2.13.0", "nas_search 141.2", "all 152.3"):
        assert part in page.text
