"""What kernels take, on the nodes of views: Model Explorer's node data, as JSON.

The figure of a kernel is at one node of main, and at one of its own view: so groups have right sums.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence

from acc.model_explorer.graphs import MAIN, Node, View

__all__ = ["COLOURS", "Figure", "figures", "node_data"]

COLOURS = ("#fdf0c4", "#ffd166", "#d1495b")
"""Of nodes that take least, more, and most."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """What a kernel takes: its name in reports, the ONNX nodes that it runs, and the number."""

    kernel: str
    layers: Sequence[str]
    value: float


def _node_of(view: View, figure: Figure) -> Node | None:
    """Where a figure is shown: at the launch of the kernel, or the first node that computes for its layers."""
    wanted = set(figure.layers)
    launches = [node for node in view.nodes if figure.kernel in node.kernels]
    own = [node for node in view.nodes if wanted & set(node.layers)]
    return next(iter([*launches, *(node for node in own if node.edges), *own]), None)


def figures(views: Sequence[View], rows: Iterable[Figure]) -> dict[str, dict[str, float]]:
    """By view, the ids of nodes with what they take.

    What main launches has the figures of the launch; without a main, functions named like a kernel have its.
    """
    found: dict[str, dict[str, float]] = {}
    main = next((view for view in views if view.id == MAIN), None)
    for row in rows:
        if main is not None:
            node = _node_of(main, row)
            opened = set(node.opens) if node is not None else set()
        else:
            opened = {view.id for view in views if view.id.rpartition(".")[2] == row.kernel}
        for view in views:
            at = _node_of(view, row) if view is main or view.id in opened else None
            if at is not None:
                values = found.setdefault(view.id, {})
                values[at.id] = values.get(at.id, 0) + row.value
    return found


def node_data(views: Sequence[View], rows: Iterable[Figure], name: str) -> str:
    """The JSON for `--node_data_paths`: by view, what its nodes take. name: what the figures are, with their unit."""
    stops = [{"stop": at / (len(COLOURS) - 1), "bgColor": colour} for at, colour in enumerate(COLOURS)]
    return json.dumps(
        {
            view: {
                "name": name,
                "results": {node: {"value": value} for node, value in values.items()},
                "gradient": stops,
            }
            for view, values in figures(views, rows).items()
        }
    )
