"""Links inside the documents lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from documents import PROJECT, anchors, documents, name_of, prose


def relative_links() -> list[tuple[str, str]]:
    found = []
    for path in documents():
        targets = re.findall(r"\]\(([^)\s]+)\)", prose(name_of(path)))
        found += [(name_of(path), each) for each in targets if not re.match(r"[a-z]+:", each)]
    return found


@pytest.mark.parametrize(("document", "target"), relative_links())
def test_relative_links_resolve(document: str, target: str) -> None:
    file, _, anchor = target.partition("#")
    here = PROJECT / document
    there = (here.parent / file).resolve() if file else here
    assert there.is_file(), f"{document} links to {target}"
    if anchor:
        assert anchor in anchors(Path(there)), f"{document} links to {target}"


def test_every_document_is_reachable_from_the_readme() -> None:
    linked = {
        target.partition("#")[0] for document, target in relative_links() if "/" not in document
    }
    for path in documents():
        assert name_of(path) in {*linked, "README.md"}
