from __future__ import annotations

from regime_nas_pipeline.report import figures
from regime_nas_pipeline.report.text import SECTIONS, TABLE_CAPTIONS


def test_sections_have_unique_anchors_and_an_explanation() -> None:
    keys = [section.key for section in SECTIONS]
    assert len(set(keys)) == len(keys)
    assert all(section.title and section.explanation for section in SECTIONS)


def test_every_figure_has_its_place() -> None:
    placed = [name for section in SECTIONS for name in section.figures]
    assert sorted(placed) == sorted(figures.__all__)


def test_every_table_has_a_caption_and_one_place() -> None:
    placed = [name for section in SECTIONS for name in section.tables]
    assert sorted(placed) == sorted(TABLE_CAPTIONS)
