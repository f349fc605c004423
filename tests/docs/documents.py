"""The project's documents, taken apart: code blocks, code spans, links and headings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced code block; its first line may name, in a comment, the file that it belongs to."""

    language: str
    code: str

    @property
    def file(self) -> str | None:
        first = re.match(r"# (\S+\.(?:py|yml))\n", self.code)
        return first[1] if first else None

    @property
    def body(self) -> str:
        return self.code.partition("\n")[2] if self.file else self.code


def documents() -> list[Path]:
    top = [PROJECT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")]
    return [*top, *sorted((PROJECT / "docs").glob("*.md"))]


def name_of(document: Path) -> str:
    return document.relative_to(PROJECT).as_posix()


def blocks(document: str) -> list[Block]:
    return [Block(*found) for found in _BLOCK.findall((PROJECT / document).read_text())]


def block(document: str, file: str) -> Block:
    """The one block of a document that belongs to ``file``."""
    (found,) = [each for each in blocks(document) if each.file == file]
    return found


def prose(document: str) -> str:
    """A document without its code blocks."""
    return _BLOCK.sub("", (PROJECT / document).read_text())


def code_spans(document: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", prose(document))


def tables(document: str, heading: str) -> list[list[list[str]]]:
    """Rows of cells of every table whose first heading this is."""
    found = (PROJECT / document).read_text().split(f"\n| {heading} |")[1:]
    lines = [text.partition("\n\n")[0].splitlines()[2:] for text in found]
    # A bar inside a cell is written with a backslash before it.
    return [
        [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]
        for table in lines
    ]


def first_column(document: str, heading: str) -> list[str]:
    """Code spans of the first column of those tables."""
    cells = [row[0] for table in tables(document, heading) for row in table]
    return [span for cell in cells for span in re.findall(r"`([^`]+)`", cell)]


def commands() -> list[tuple[str, str]]:
    """Every ``kedro run`` of the documents, with the document it stands in."""
    found = []
    for path in documents():
        name = name_of(path)
        lines = [line for each in blocks(name) for line in each.code.splitlines()]
        runs = (text for text in (*lines, *code_spans(name)) if text.startswith("kedro run"))
        found += [(name, text.partition("#")[0].strip()) for text in runs]
    return found


def anchors(document: Path) -> set[str]:
    """Anchors of a document's headings, made as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", prose(name_of(document)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
