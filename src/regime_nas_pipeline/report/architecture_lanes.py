"""Where the blocks of an architecture and their edges lie in its drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

FIRST_NODE = 1.7
_INPUT = "input"
_ARC_HEIGHT = 0.5


@dataclass(frozen=True)
class Edge:
    """One edge of a cell: positions of its ends (0 is the block's input) and its arc's height."""

    start: int
    end: int
    operation: str
    arc: float


@dataclass(frozen=True)
class Lane:
    """One block: its edges, the vertical strip that it takes and the gap between its nodes."""

    name: str
    nodes: int
    gap: float
    edges: tuple[Edge, ...]
    top: float
    middle: float
    bottom: float

    def place(self, node: int) -> float:
        """Where a node stands from left to right; 0 is the block's input."""
        return FIRST_NODE + self.gap * node


def stack_lanes(
    blocks: Mapping[str, Sequence[Mapping[str, Any]]], gap: float, top: float
) -> list[Lane]:
    """Strips of the blocks from ``top`` down, wide enough for their arcs.

    Args:
        blocks: Block to its nodes with their edges.
        gap: Between nodes.
        top: Upper edge of the first.
    """
    lanes = []
    for name, nodes in blocks.items():
        edges = _edges(nodes)
        up = max([0.0, *(edge.arc for edge in edges)])
        down = max([0.0, *(-edge.arc for edge in edges)])
        middle = top - 0.52 - up
        bottom = middle - 0.34 - down
        lanes.append(Lane(str(name), len(nodes), gap, edges, top, middle, bottom))
        top = bottom - 0.14
    return lanes


def lane_above(name: str, nodes: Sequence[Mapping[str, Any]], gap: float, bottom: float) -> Lane:
    """The strip of one block whose lower edge lies at ``bottom``."""
    [lane] = stack_lanes({name: nodes}, gap, top=0.0)
    up = bottom - lane.bottom
    return replace(lane, top=lane.top + up, middle=lane.middle + up, bottom=lane.bottom + up)


def _edges(nodes: Sequence[Mapping[str, Any]]) -> tuple[Edge, ...]:
    """Edges with arcs that keep labels apart: neighbours straight, longer jumps wider arcs."""
    position = {_INPUT: 0}
    position.update({str(node["node"]): place for place, node in enumerate(nodes, start=1)})
    edges = []
    seen: dict[tuple[int, int], int] = {}
    for node in nodes:
        for edge in node["edges"]:
            start, end = position[str(edge["from"])], position[str(node["node"])]
            twin = seen.get((start, end), 0)
            seen[(start, end)] = twin + 1
            side = 1.0 if start % 2 == 0 else -1.0
            arc = side * _ARC_HEIGHT * (end - start - 1 + twin)
            edges.append(Edge(start, end, str(edge["operation"]), arc))
    return tuple(edges)
