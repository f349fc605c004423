"""Evidence side by side, and a supernet that has it, for the tests of the search."""

from __future__ import annotations

from search_samples import WIDTH, small_supernet

from regime_nas_pipeline.networks.operations import BLOCK_OPERATIONS, EVIDENCE
from regime_nas_pipeline.networks.regime_net import RegimeNet
from regime_nas_pipeline.networks.training import single_threaded
from regime_nas_pipeline.search.evidence import SideBySideEvidence

NAMES = tuple(name for name in BLOCK_OPERATIONS[EVIDENCE] if name != "none")


def all_evidence(seed: int = 0) -> SideBySideEvidence:
    with single_threaded(seed):
        return SideBySideEvidence(WIDTH, 2).eval()


def supernet_with_all_evidence(seed: int = 0) -> RegimeNet:
    evidence = all_evidence(seed)
    return small_supernet(seed, nodes=1, evidence=(evidence, len(NAMES) * WIDTH))


def kept_names(evidence: SideBySideEvidence) -> set[str]:
    return {evidence.names[position] for position in evidence.kept}
