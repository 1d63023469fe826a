"""The extension: Model Explorer imports this module, and finds the adapter by its base class."""

from __future__ import annotations

from typing import Any

# Of the extra "view", which tools that check this file need not have.
from model_explorer import Adapter, AdapterMetadata, graph_builder  # pyright: ignore[reportMissingImports]

from acc.model_explorer.graphs import Node, View, read_views

__all__ = ["ADAPTER", "AccAdapter", "to_graph"]

ADAPTER = "acc"
"""By which Model Explorer knows the adapter."""


def to_graph(view: View) -> Any:
    """A view as Model Explorer has it."""
    return graph_builder.Graph(id=view.id, nodes=[_to_node(node) for node in view.nodes])


def _to_node(node: Node) -> Any:
    pair = graph_builder.KeyValue
    return graph_builder.GraphNode(
        id=node.id,
        label=node.label,
        namespace=node.group,
        subgraphIds=list(node.opens),
        attrs=[pair(key=key, value=value) for key, value in [*node.attributes, ("layers", ", ".join(node.layers))]],
        incomingEdges=[
            graph_builder.IncomingEdge(
                sourceNodeId=edge.source, sourceNodeOutputId=str(edge.output), targetNodeInputId=str(edge.operand)
            )
            for edge in node.edges
        ],
        outputsMetadata=[
            graph_builder.MetadataItem(id=str(number), attrs=[pair(key="type", value=text)])
            for number, text in enumerate(node.outputs)
        ],
    )


class AccAdapter(Adapter):
    """Opens the IR of any stage: what `--dump-stages`, `--to` and `acc import -o` write."""

    metadata = AdapterMetadata(
        id=ADAPTER,
        name="acc",
        description="Stages of acc: graph, kernels, accelerator programs, native code",
        fileExts=["mlir"],
    )

    def convert(self, model_path: str, settings: dict[str, Any]) -> Any:
        """The graphs of a file; raises CompileError for one that is no IR."""
        graphs = [to_graph(view) for view in read_views(model_path)]
        return {"graphCollections": [graph_builder.GraphCollection(label="", graphs=graphs, graphSorting="name_asc")]}
