"""Tables about the classifier's attention on the page on one index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from regime_nas_pipeline.report.columns import Column, percent
from regime_nas_pipeline.report.tables import Table, make_table

_AVERAGED = "averaged"

_HEADS = {
    "fits": Column("Network", "text"),
    "layer": Column("Layer", "text"),
    "head": Column("Head", "text"),
    "entropy": percent("Evenness", unit="entropy, % of the most"),
    "correlation": Column("Agreement", unit="correlation of ranks"),
    "low": Column("From"),
    "high": Column("To"),
}


def attention_heads(attention: Mapping[str, Any]) -> Table:
    """How evenly each head looks, and whether what it looks at is what counts.

    Args:
        attention: ``heads``: fits, layer, head (0 where averaged), entropy (a share), correlation,
            low, high; ``sample`` with ``shown.fitted``.
    """
    fitted = attention["sample"]["shown"]["fitted"]
    rows = pd.DataFrame(attention["heads"])
    several = rows["fits"] > 1
    named = rows["fits"].map("average of {} fits".format).where(several, f"fit of {fitted}")
    return make_table(
        "classifier_heads",
        "Evenness of attention, and its agreement with what counts",
        rows.assign(fits=named, layer=rows["layer"].map(_number), head=rows["head"].map(_number)),
        columns=_HEADS,
        grouped=True,
    )


def _number(value: int) -> str:
    """A layer or a head; 0 stands for the mean over all of them."""
    return str(value) if value else _AVERAGED
