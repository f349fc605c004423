"""How cells are searched for, and what such a search leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.operations import BLOCK_OPERATIONS, EVIDENCE

Selection = Literal["perturbation", "magnitude", "subnetwork"]
Path = Literal["mixture", "single"]
EvidenceForm = Literal["edges", "side_by_side"]


@dataclass(frozen=True)
class CellSearchPlan:
    """How a supernet is trained and one operation per edge is chosen.

    Attributes:
        max_samples: Budget in gradient samples: weight steps, architecture steps, curvature,
            fine-tuning and retraining together.
        path: ``mixture``: weights learn with all operations of an edge at once, and architecture
            weights are learned (DARTS). ``single``: each weight step trains one architecture,
            drawn uniformly; there are no architecture weights, and ``selection`` must be
            ``subnetwork``.
        evidence: ``edges``: the evidence cell is searched like the others. ``side_by_side``: the
            supernet holds all its operations in channels of their own and removes the least
            missed one by one.
        evidence_nodes: Operations that ``side_by_side`` keeps.
        alpha_learning_rate: Adam's, for the architecture weights.
        alpha_every: Weight steps between two architecture steps.
        warm_up: Part of the supernet's budget before the first architecture step.
        final_temperature: Softmax temperature at the end; it starts at 1 and falls geometrically.
            1 for no annealing, as the paper of perturbation has it: a cold softmax has already
            decided.
        entropy_weight: Weight of the mixtures' mean entropy (1 undecided, 0 decided) in the loss
            of architecture steps; it grows in proportion to the budget spent.
        skip_dropout: Dropout on identities at the start; it falls linearly to 0.
        auxiliary_skip: Weight of an additional skip beside each mixture at the start; it falls
            linearly to 0. 1 in DARTS-.
        curvature_every: Architecture steps between two measurements of the dominant eigenvalue;
            0 for never.
        curvature_window: Measurements averaged, and the distance of the averages compared.
        curvature_ratio: Rise of the averaged eigenvalue at which architecture steps end.
        curvature_products: Hessian-vector products per measurement; each costs a batch.
        selection: ``perturbation``: keep what is missed most when removed. ``magnitude``: keep
            what weighs most, other than ``none``. ``subnetwork``: local search on the scores of
            sub-networks.
        selection_share: Part of the supernet's budget for fine-tuning between the edges that
            ``perturbation`` fixes.
        selection_dates: At most so many validation dates, evenly spread, score a removal or a
            sub-network. They cost time, not budget.
        top_k: Architectures that are scored and retrained from scratch; 1 for the chosen alone,
            which is then not retrained here.
        retrain_share: Part of the budget for that, where ``top_k`` > 1.
        retrain_seeds: Networks trained of each.
    """

    max_samples: int
    path: Path = "mixture"
    evidence: EvidenceForm = "edges"
    evidence_nodes: int = 2
    alpha_learning_rate: float = 0.05
    alpha_every: int = 1
    warm_up: float = 0.2
    final_temperature: float = 1.0
    entropy_weight: float = 0.0
    skip_dropout: float = 0.0
    auxiliary_skip: float = 0.0
    curvature_every: int = 0
    curvature_window: int = 5
    curvature_ratio: float = 4 / 3
    curvature_products: int = 8
    selection: Selection = "perturbation"
    selection_share: float = 0.2
    selection_dates: int = 16
    top_k: int = 1
    retrain_share: float = 0.5
    retrain_seeds: int = 2

    def __post_init__(self) -> None:
        """Refuse settings that cannot have an effect together.

        Raises:
            ParameterError: Names them.
        """
        if self.path == "single" and self.selection != "subnetwork":
            raise ParameterError(
                f"cell_search: path 'single' learns no architecture weights, so selection "
                f"'{self.selection}' has nothing to go by; set selection to 'subnetwork'."
            )
        kinds = len(BLOCK_OPERATIONS[EVIDENCE]) - 1
        if not 1 <= self.evidence_nodes <= kinds:
            raise ParameterError(
                f"cell_search: evidence_nodes is {self.evidence_nodes} and there are {kinds} kinds "
                "of evidence."
            )
        needing = {
            "entropy_weight": self.entropy_weight,
            "auxiliary_skip": self.auxiliary_skip,
            "curvature_every": self.curvature_every,
        }
        idle = [name for name, value in needing.items() if value]
        if self.path == "single" and idle:
            raise ParameterError(
                f"cell_search: {', '.join(idle)} works on mixtures, of which path 'single' has "
                "none; set it to 0 or path to 'mixture'."
            )

    @property
    def supernet_samples(self) -> int:
        """Part of the budget without retraining."""
        kept = 1.0 - self.retrain_share if self.top_k > 1 else 1.0
        return int(kept * self.max_samples)

    @property
    def training_samples(self) -> int:
        """Part of the budget in which the supernet is trained as a whole."""
        kept = 1.0 - self.selection_share if self.selection == "perturbation" else 1.0
        return int(kept * self.supernet_samples)


@dataclass(frozen=True)
class ScoredCells:
    """Cells and their validation error as a sub-network of the supernet that found them."""

    blocks: dict[str, Any]
    error: float


@dataclass(frozen=True)
class CellSearchResult:
    """The cells that were found.

    Attributes:
        blocks: Readable architecture, see ``regime_net.describe_blocks``.
        samples: Gradient samples spent.
        facts: ``alpha_steps``; ``entropy`` of the mixtures before the choice (1 undecided, 0
            decided); validation error of the mixture and of the discretised supernet on all
            validation dates and their difference (``mixture_error``, ``discrete_error``,
            ``discretisation_gap``); ``skip_share`` and ``none_share`` of the edges;
            ``validation_windows`` passed through without gradient. With curvature also the
            number of measurements, the last one and whether it ended the search.
        candidates: With ``top_k`` > 1, the chosen cells first, then the runners-up.
    """

    blocks: dict[str, Any]
    samples: int
    facts: dict[str, float]
    candidates: tuple[ScoredCells, ...] = field(default=())
