"""What is said at the end of an opening."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from regime_nas_pipeline.verdict import claims


def closing_line(summary: Mapping[str, Any]) -> str:
    """One line for the end of an opening: how many there were, and who came first."""
    number = len(summary["openings"])
    opened = "Sealed part opened." if number == 1 else f"Sealed part opened, {number} times so far."
    return f"{opened} {claims.closing_line(summary)}"
