"""Which declared rule or exemption holds for which dataset."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from regime_nas_pipeline.audit.rules import Rule
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.pipelines.audit.parameters import Audit, Clock, RuleChoice

_RULES, _EXEMPT = "audit.rules", "audit.exempt"


@dataclass
class Declared:
    """What is declared of the audited datasets.

    Attributes:
        rules: Dataset to what its dates mean.
        exempt: Dataset to the reason why it is not compared.
    """

    rules: dict[str, RuleChoice] = field(default_factory=dict)
    exempt: dict[str, str] = field(default_factory=dict)

    def rules_at(self, clock: Clock) -> dict[str, Rule]:
        """The rules with numbers of bars.

        Raises:
            ParameterError: A rule contradicts itself; names its dataset.
        """
        made = {}
        for dataset, choice in self.rules.items():
            try:
                made[dataset] = choice.rule(clock)
            except ParameterError as error:
                raise ParameterError(f"{_RULES}.{dataset}: {error}") from error
        return made


def declared_for(
    audit: Audit, datasets: Collection[str], left_out: Collection[str] = ()
) -> Declared:
    """Give every dataset the rule or the exemption that is declared for it, if any.

    Its own name goes before patterns; null under its own name takes it out of a pattern.

    Args:
        audit: Parameters.
        datasets: All that the audited nodes make.
        left_out: What other registered nodes make; what is declared of them waits for another
            audit.

    Raises:
        ParameterError: A name is that of no dataset, a dataset has a rule and an exemption, or
            two patterns fit it.
    """
    for place, names in ((_RULES, audit.rules), (_EXEMPT, audit.exempt)):
        _refuse_unknown(place, names, {*datasets, *left_out})
    found = Declared()
    for dataset in datasets:
        entries: list[tuple[str, str, Any]] = [
            (place, name, value)
            for place, names in ((_RULES, audit.rules), (_EXEMPT, audit.exempt))
            for name, value in names.items()
            if name == dataset or ("*" in name and fnmatchcase(dataset, name))
        ]
        own = [entry for entry in entries if entry[1] == dataset]
        meant = [entry for entry in own or entries if entry[2] is not None]
        if len(meant) > 1:
            places = " and ".join(f"{place}.{name}" for place, name, _ in meant)
            raise ParameterError(
                f"dataset '{dataset}' is meant by {places}. Give it one rule or one exemption "
                "under its own name, and null for the other."
            )
        for place, _, value in meant:
            (found.rules if place == _RULES else found.exempt)[dataset] = value
    return found


def _refuse_unknown(place: str, names: Mapping[str, Any], datasets: Collection[str]) -> None:
    """Refuse a full name that no registered node makes; a pattern may fit none."""
    for name, value in names.items():
        if value is None or "*" in name or name in datasets:
            continue
        near = difflib.get_close_matches(name, datasets, n=1)
        hint = (
            f"did you mean '{near[0]}'?" if near else f"they make: {', '.join(sorted(datasets))}."
        )
        raise ParameterError(f"{place}: no registered node makes a dataset '{name}'; {hint}")
