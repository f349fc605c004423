"""What is kept and said of an audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from regime_nas_pipeline.audit.causality import AuditResult
from regime_nas_pipeline.core.dates import date_text


def audit_facts(
    result: AuditResult, manifest: Mapping[str, Any], leave_out: list[str]
) -> dict[str, Any]:
    """Everything that was found, as JSON can hold it.

    Args:
        result: Of the runs on altered prices.
        manifest: ``forecasters``, ``rows`` and ``violations`` of the fold manifest.
        leave_out: Pipelines that were not audited.

    Returns:
        As :meth:`~regime_nas_pipeline.audit.causality.AuditResult.to_facts`; ``passed`` needs an
        honest manifest, too; ``nodes`` is each compared dataset's node, in execution order.
    """
    facts = result.to_facts()
    return {
        **facts,
        "passed": facts["passed"] and not manifest["violations"],
        "nodes": dict(result.nodes),
        "left_out": list(leave_out),
        "manifest": dict(manifest),
    }


def closing_line(facts: Mapping[str, Any]) -> str:
    """One sentence: passed, or the first node that leaks."""
    leak, broken = facts["first_leak"], facts["manifest"]["violations"]
    if leak is not None:
        asset = f" of {leak['asset']}" if leak["asset"] else ""
        return (
            f"Causality audit FAILED. First leak: node '{leak['node']}' makes '{leak['dataset']}', "
            f"whose {leak['column']}{asset} on {date_text(leak['date'])} depends on later prices: "
            f"{leak['before']} became {leak['after']}."
        )
    if broken:
        first = broken[0]
        return (
            f"Causality audit FAILED. Fold {first['fold']} of {first['forecaster']} breaks the "
            f"rule '{first['rule']}' on {date_text(first['date'])}: {first['detail']}."
        )
    dates = {check["date"] for check in facts["checks"]}
    unseen = facts["uncompared"]
    rest = f" Nothing was compared of: {', '.join(unseen)}." if unseen else ""
    return (
        f"Causality audit passed: {facts['values_compared']:,} values dated up to "
        f"{len(dates)} audit dates do not depend on later prices.{rest}"
    )
