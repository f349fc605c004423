"""Parameters of the published figures that ours are set against, typed."""

from __future__ import annotations

from collections.abc import Collection

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.params import Strict
from regime_nas_pipeline.verdict.published import Experiment, Kind


class Published(Strict):
    """What others have published and this environment can be set against.

    Attributes:
        experiments: One for each publication; none makes no table.
    """

    experiments: tuple[Experiment, ...] = ()

    def refuse_unknown_names(
        self, *, forecasters: Collection[str], references: Collection[str], groups: Collection[str]
    ) -> None:
        """Refuse a figure of something that no run with these parameters makes.

        Args:
            forecasters: Names of all forecasters; each is a strategy too.
            references: Names of the portfolios that need no forecast.
            groups: Groups of assets.

        Raises:
            ParameterError: Names what is unknown, and what there is.
        """
        known: dict[Kind, list[str]] = {
            "forecaster": list(forecasters),
            "strategy": [*forecasters, *references],
            "group": sorted(set(groups)),
        }
        for experiment in self.experiments:
            for kind, name in experiment.names():
                if name not in known[kind]:
                    raise ParameterError(
                        f"published: no {kind} is called '{name}', which figures of "
                        f"'{experiment.title}' are set against; there are: "
                        f"{', '.join(known[kind])}."
                    )
