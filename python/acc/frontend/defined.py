"""The operators that acc defines by ONNX's own, by domain and name."""

from __future__ import annotations

from acc.frontend.attention_operators import ATTENTION_OPERATORS
from acc.frontend.block_operators import BLOCK_OPERATORS, GATHER_DEQUANTIZED
from acc.frontend.definitions import Definition
from acc.frontend.dequantized_tables import GatheredTable
from acc.frontend.fused_operators import FUSED_OPERATORS
from acc.frontend.grids import AFFINE_GRID
from acc.frontend.learning_operators import LEARNING_OPERATORS
from acc.frontend.model import Node
from acc.frontend.old_operators import OLD_OPERATORS
from acc.frontend.quantized_operators import QUANTIZED_OPERATORS
from acc.frontend.renewal import is_old

__all__ = ["DEFINED", "definition_of"]

MICROSOFT = "com.microsoft"
"""The domain of ONNX Runtime's operators."""

LEARNING = "ai.onnx.ml"
"""The domain of the standard's operators for machine learning."""

DEFINED: dict[tuple[str, str], Definition] = {
    (MICROSOFT, name): definition
    for table in (QUANTIZED_OPERATORS, FUSED_OPERATORS, ATTENTION_OPERATORS, BLOCK_OPERATORS)
    for name, definition in table.items()
}
DEFINED["", "AffineGrid"] = AFFINE_GRID
# ONNX Runtime has it in the default domain, though the standard does not.
DEFINED["", "SimplifiedLayerNormalization"] = FUSED_OPERATORS["SimplifiedLayerNormalization"]
DEFINED.update(((LEARNING, name), definition) for name, definition in LEARNING_OPERATORS.items())


def definition_of(node: Node) -> Definition | None:
    """What a node means by other operators, if that is all that is known of it."""
    if isinstance(node, GatheredTable):
        return GATHER_DEQUANTIZED
    if not node.domain and is_old(node.op_type, node.opset):
        return OLD_OPERATORS[node.op_type]
    return DEFINED.get((node.domain, node.op_type))
