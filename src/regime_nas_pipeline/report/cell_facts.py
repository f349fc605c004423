"""What the numbers mean that the search for cells leaves behind."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CellFact:
    """One number that the search for cells leaves behind.

    Attributes:
        name: Heading.
        form: How the number is written.
        meaning: What it says, in a sentence.
    """

    name: str
    form: str
    meaning: str


CELL_FACTS = {
    "alpha_steps": CellFact(
        "Architecture steps",
        "{:,.0f}",
        "Gradient steps that moved the weights of the operations; few steps decide little.",
    ),
    "entropy": CellFact(
        "Entropy of the mixtures",
        "{:.2f}",
        "1 means that all operations still weighed the same at the end, 0 that one had taken "
        "over; near 1, the choice between them was close to arbitrary.",
    ),
    "mixture_error": CellFact(
        "Error before the choice",
        "{:.4f}",
        "Mean squared error of the mixture on held-back dates, targets scaled by volatility.",
    ),
    "discrete_error": CellFact(
        "Error after the choice",
        "{:.4f}",
        "The same with one operation left on each edge; a jump means that the choice threw away "
        "what the search had learned.",
    ),
    "discretisation_gap": CellFact(
        "Rise of the error by the choice",
        "{:+.4f}",
        "Error after the choice minus error before it; what one operation per edge costs before "
        "the cells are trained anew.",
    ),
    "skip_share": CellFact(
        "Edges without work",
        "{:.0%}",
        "Share of edges that are switched off or pass their input on unchanged; a share near "
        "100 % is the collapse that this kind of search is known for. The edges between kinds of "
        "evidence that were chosen side by side are always off and count here, too.",
    ),
    "none_share": CellFact(
        "Edges switched off",
        "{:.0%}",
        "Share of edges whose operation is none, the edges between kinds of evidence that were "
        "chosen side by side included.",
    ),
    "validation_windows": CellFact(
        "Windows scored without learning",
        "{:,.0f}",
        "Windows on which mixtures, removals and sub-networks were scored; they cost time but no "
        "gradient samples.",
    ),
    "curvature_measurements": CellFact(
        "Measurements of the curvature",
        "{:,.0f}",
        "How often the dominant eigenvalue of the validation loss in the architecture weights was "
        "estimated.",
    ),
    "curvature": CellFact(
        "Curvature at the end",
        "{:.3g}",
        "The last of these eigenvalues; a steep rise warns of a choice that will not last.",
    ),
    "stopped_early": CellFact(
        "Ended by the curvature",
        "{:.0f}",
        "1 where architecture steps ended because the curvature rose too far, 0 where the budget "
        "ended them.",
    ),
    "retrained": CellFact(
        "Architectures trained from scratch",
        "{:,.0f}",
        "The chosen one and its runners-up in the supernet, each trained on the same seeds.",
    ),
    "retrained_error": CellFact(
        "Error of the best, trained from scratch",
        "{:.4f}",
        "Mean over seeds, on the dates that scored the supernet.",
    ),
    "seed_spread": CellFact(
        "Spread over seeds",
        "{:.4f}",
        "Standard deviation of the error over seeds, the mean over architectures.",
    ),
    "candidate_spread": CellFact(
        "Spread over architectures",
        "{:.4f}",
        "Standard deviation of the mean errors; below the spread over seeds, which architecture "
        "came first is mostly luck.",
    ),
    "chosen_rank": CellFact(
        "Rank of the supernet's choice",
        "{:.0f}",
        "Its place among those trained from scratch; 1 means that the supernet was right.",
    ),
    "kendall_tau": CellFact(
        "Agreement of the two rankings",
        "{:+.2f}",
        "Kendall's tau between the supernet's errors and those after training from scratch: 1 for "
        "the same order, 0 for none, -1 for the opposite one.",
    ),
    "rung_error": CellFact(
        "Error when it was judged",
        "{:.4f}",
        "Where candidates that are behind are stopped: the lowest validation error of this one by "
        "the time at which that was decided.",
    ),
    "epochs": CellFact(
        "Epochs of the candidate",
        "{:.0f}",
        "The chosen cells are trained anew, from scratch; passes over the training windows.",
    ),
    "parameters": CellFact(
        "Parameters of the candidate",
        "{:,.0f}",
        "Numbers that training adjusts; the more, the easier it is to learn noise.",
    ),
}
