"""What of a float model becomes integer arithmetic, and which tensors are quantized for that.

The form is the one that acc's legalization (`graph-legalize-quantization`), ONNX Runtime and OpenVINO run as integers:
every operator between DequantizeLinear and QuantizeLinear, where a bias and the ReLUs and clips behind an operator
are part of it.

Every node has a role. Convolutions and products are *anchors*: whatever they read and make is quantized. Sums,
products, concatenations, pools and movements of data *connect* them: they are integers where what they read is so
already and what they make ends in an anchor; otherwise quantizing would only add an error to what is computed in
float anyway. Chains of element-wise operators on one quantized tensor are *functions*: nothing is quantized inside of
them, only what comes out, and acc makes a table of them. Everything else, such as a Softmax or a LayerNormalization,
stays in float.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx

from acc.quantization.model import FloatModel, attribute
from acc.quantization.options import QuantizeOptions

__all__ = ["ANCHORS", "Layer", "Placement", "Role", "place", "weight_position"]


class Role(enum.Enum):
    """What a node is to quantization."""

    ANCHOR = "anchor"
    SUM = "sum"
    CONCAT = "concat"
    POOL = "pool"
    BOUND = "bound"
    MOVE = "move"
    FUNCTION = "function"
    FLOAT = "float"


_MOVES = {
    "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Slice", "Split", "Gather", "Pad",
    "DepthToSpace", "SpaceToDepth", "Expand", "Tile", "MaxPool", "GlobalMaxPool", "Dropout", "Upsample", "Resize",
    "ReverseSequence", "Compress",
}  # fmt: skip
"""Operators that have as results elements of their first operand, or numbers between some of them."""

_POOLS = {"AveragePool", "GlobalAveragePool", "ReduceMean"}
_BOUNDS = {"Relu", "Clip"}
_SUMS = {"Add", "Sub", "Sum", "Mul"}

_UNARY = {
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Celu", "Cos", "Cosh", "Elu", "Erf", "Exp",
    "Floor", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Log", "Mish", "Neg", "Reciprocal", "Round", "Selu",
    "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh",
    "ThresholdedRelu",
}  # fmt: skip
_WITH_CONSTANTS = {"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "PRelu", "Clip", "Relu", "Sum"}

ANCHORS = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
"""Operators that everything else is quantized for."""

_PRODUCTS = {"Gemm", "MatMul"}

_SCALINGS = ("Mul", "Div")


@dataclass
class Layer:
    """A node that becomes integer arithmetic, with the nodes that are part of it.

    Attributes:
        node: the operator.
        role: what it is.
        inputs: the computed tensors that it reads.
        output: the tensor that is quantized: that of the last node of the chain.
        weight: the constant that is quantized as weights; None if there is none.
        bias: the constant that is added to the sums of products: an operand of the node, or of a sum behind it.
        chain: the nodes behind the operator that are part of the layer: the sum with a bias, ReLUs and clips.
        constants: constants that are quantized as activations are, by the position of the input.
    """

    node: onnx.NodeProto
    role: Role
    inputs: tuple[str, ...]
    output: str
    weight: str | None = None
    bias: str | None = None
    chain: tuple[onnx.NodeProto, ...] = ()
    constants: dict[int, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.node.name


@dataclass
class Placement:
    """What is quantized.

    Attributes:
        layers: in execution order.
        tensors: the quantized tensors in execution order, and of each the tensor whose range decides and the factor
            between the two (1 but for multiples).
        float_nodes: nodes that stay in float, with the reason.
        functions: nodes of element-wise chains between quantized tensors.
    """

    layers: list[Layer]
    tensors: dict[str, tuple[str, float]]
    float_nodes: list[tuple[onnx.NodeProto, str]]
    functions: list[onnx.NodeProto]

    @property
    def roots(self) -> list[str]:
        """The tensors whose ranges are to be found."""
        return list(dict.fromkeys(root for root, _ in self.tensors.values()))

    def readers(self, root: str) -> list[str]:
        """The quantized tensors that have the scale of `root`, itself included."""
        return [name for name, (other, _) in self.tensors.items() if other == root]

    def only_products_read(self, root: str) -> bool:
        """Whether matrix products read tensors that have the scale of `root`, and no convolution or pool does."""
        names = set(self.readers(root))
        kinds = {layer.node.op_type for layer in self.layers if names.intersection(layer.inputs)}
        return bool(kinds & _PRODUCTS) and not any(kind in ANCHORS - _PRODUCTS or "Pool" in kind for kind in kinds)


def weight_position(node: onnx.NodeProto, model: FloatModel) -> int | None:
    """Which input of an anchor holds constant weights; None if both are computed."""
    constant = [position for position in (1, 0) if node.input[position] in model.constants]
    if not constant:
        return None
    return constant[0]


def place(model: FloatModel, options: QuantizeOptions) -> Placement:
    """Decides what of `model` is quantized."""
    return _Placer(model, options).run()


class _Placer:
    def __init__(self, model: FloatModel, options: QuantizeOptions) -> None:
        self.model, self.options = model, options
        self.roles: dict[str, Role] = {}
        self.reasons: dict[str, str] = {}
        # Which node's layer a node of a chain belongs to, and the chains by the name of the layer's node.
        self.owner: dict[str, str] = {}
        self.chains: dict[str, list[onnx.NodeProto]] = {}
        self.biases: dict[str, str] = {}
        # The quantized tensor that a computed one is a function of, element by element.
        self.source: dict[str, str] = {}

    def run(self) -> Placement:
        for node in self.model.nodes:
            if node.name not in self.owner:
                self._classify(node)
        demanded = self._demand()
        layers = [self._layer(node) for node in self.model.nodes if self._is_layer(node, demanded)]
        tensors = self._tensors(layers)
        active = {layer.name for layer in layers} | set(self.owner)
        floats, functions = [], []
        for node in self.model.nodes:
            if node.name in active and (node.name not in self.owner or self.owner[node.name] in active):
                continue
            if self.roles.get(node.name) is Role.FUNCTION and demanded.get(node.output[0]):
                functions.append(node)
            else:
                floats.append((node, self.reasons.get(node.name) or "what it makes is not read as integers"))
        return Placement(layers, tensors, floats, functions)

    # Roles, in execution order

    def _classify(self, node: onnx.NodeProto) -> None:
        role = self._role(node)
        if isinstance(role, str):
            self.reasons[node.name], role = role, Role.FLOAT
        self.roles[node.name] = role
        if role is Role.FLOAT:
            return
        if role is Role.FUNCTION:
            sources = [self.source[name] for name in self._computed(node)]
            self.source[node.output[0]] = sources[0]
            return
        if role is not Role.MOVE:
            self._extend(node)
        for name in self._results(node):
            self.source[name] = name

    def _end(self, node: onnx.NodeProto) -> onnx.NodeProto:
        """The last node of the layer that begins with `node`."""
        return self.chains[node.name][-1] if self.chains.get(node.name) else node

    def _results(self, node: onnx.NodeProto) -> list[str]:
        """What the layer that begins with `node` makes of data: of a pool, not the indices."""
        end = self._end(node)
        return [name for name in (end.output if end.op_type == "Split" else end.output[:1]) if name]

    def _computed(self, node: onnx.NodeProto) -> list[str]:
        """The computed tensors that a node takes as data."""
        names = node.input[:1] if node.op_type in _MOVES or node.op_type in ("Clip", "ReduceMean") else node.input
        return [name for name in names if name and name not in self.model.constants]

    def _role(self, node: onnx.NodeProto) -> Role | str:
        """The role of a node, or the reason why it stays in float."""
        model, kind = self.model, node.op_type
        if node.name in self.options.exclude or kind in self.options.exclude:
            return "excluded"
        if node.domain not in ("", "ai.onnx"):
            return f"{node.domain}.{kind} is no operator of ONNX"
        computed = self._computed(node)
        if not computed:
            return "it reads no computed numbers"
        if not all(model.is_float(name) for name in computed) or not model.is_float(node.output[0]):
            kinds = {model.types.get(name) for name in (*computed, node.output[0])}
            return "its element types are not known" if None in kinds else "it does not compute in float32"
        if kind in ANCHORS:
            return self._anchor_role(node)
        known = [self.source.get(name) for name in computed]
        if None in known:
            if kind in _MOVES | _POOLS | _BOUNDS | _SUMS | _UNARY | _WITH_CONSTANTS | {"Concat"}:
                return "what it reads is computed in float"
            return f"{kind} is computed in float"
        if kind == "Resize" and attribute(node, "mode", b"nearest") == b"cubic":
            return "cubic interpolation leaves the range of what it reads"
        if kind in _MOVES:
            return Role.MOVE if kind != "Pad" or self._pads_zeros(node) else "pads with other numbers than zero"
        if kind == "Concat":
            return Role.CONCAT
        if kind in _POOLS:
            return (
                Role.POOL if kind != "ReduceMean" or self._is_image_mean(node) else "its axes are not those of an image"
            )
        if kind in _UNARY:
            return Role.FUNCTION
        if kind in _BOUNDS and all(name in model.constants for name in node.input[1:] if name):
            # Behind a layer it would be a part of it: this one reads what others read, too.
            return Role.FUNCTION if self._is_function(known[0], node) else Role.BOUND
        if kind in _WITH_CONSTANTS and len(set(known)) == 1 and self._constants_broadcast(node):
            return Role.FUNCTION
        if kind in _SUMS:
            return Role.SUM
        return f"{kind} is computed in float"

    def _is_function(self, source: str | None, node: onnx.NodeProto) -> bool:
        return source is not None and source != node.input[0]

    def _anchor_role(self, node: onnx.NodeProto) -> Role | str:
        model, kind = self.model, node.op_type
        constant = [name in model.constants for name in node.input[:2]]
        if kind in ("Conv", "ConvTranspose") and not constant[1]:
            return "its weights are computed"
        if kind in ("Conv", "ConvTranspose") and constant[0]:
            return "it reads no computed numbers"
        if any(name in model.constants and not model.is_float(name) for name in node.input[:2]):
            return "it does not compute in float32"
        for name in node.input[:2]:
            rank = model.rank(name)
            if rank is None:
                return "the rank of an operand is not known"
            if rank < 2:
                return "an operand is a vector"
        if kind == "Gemm" and not constant[1] and len(node.input) > 2 and node.input[2]:
            return "it adds a bias to a product of two computed tensors"
        if kind == "Gemm" and constant[0] and attribute(node, "transA", 0):
            return "its first operand is a transposed constant"
        weight = model.constants.get(node.input[1])
        if weight is not None and weight.size == 0:
            return "it has no weights"
        if weight is not None and not np.isfinite(weight).all():
            return "its weights are not all finite"
        if self.options.float_outputs and self._ends_in_float(node):
            return "its result is computed in float"
        return Role.ANCHOR

    def _ends_in_float(self, node: onnx.NodeProto) -> bool:
        """Whether no other anchor depends on the node."""
        pending, seen = list(node.output), set()
        while pending:
            for reader in self.model.read_by(pending.pop()):
                if reader.node.op_type in ANCHORS:
                    return False
                if reader.node.name not in seen:
                    seen.add(reader.node.name)
                    pending += reader.node.output
        return True

    def _pads_zeros(self, node: onnx.NodeProto) -> bool:
        if attribute(node, "mode", b"constant") != b"constant":
            return True
        if len(node.input) < 3 or not node.input[2]:
            return True
        value = self.model.constants.get(node.input[2])
        return value is not None and not np.any(value)

    def _is_image_mean(self, node: onnx.NodeProto) -> bool:
        axes = attribute(node, "axes", None)
        if axes is None and len(node.input) > 1 and node.input[1] in self.model.constants:
            axes = self.model.constants[node.input[1]].tolist()
        rank = self.model.rank(node.input[0])
        return axes is not None and rank is not None and sorted(a % rank for a in axes) == list(range(2, rank))

    def _constants_broadcast(self, node: onnx.NodeProto) -> bool:
        """Whether the constants a node reads are one number, or one for each channel of the others."""
        shapes = self.model.shapes
        shape = shapes.get(node.output[0])
        for name in node.input:
            if not name:
                continue
            value = self.model.constants.get(name)
            if value is None:
                # What does not have the shape of the result would be spread over it.
                if shape is None or shapes.get(name) != shape:
                    return False
            elif value.size != 1 and (
                shape is None or value.ndim > len(shape) or sum(size != 1 for size in value.shape) > 1
            ):
                return False
        return True

    def _extend(self, node: onnx.NodeProto) -> None:
        """Finds the nodes behind an operator that are part of its layer."""
        model, chain = self.model, []
        end = node
        for _ in range(4):
            after = model.only_reader(end.output[0])
            if after is None or after.name in self.options.exclude or after.op_type in self.options.exclude:
                break
            if after.op_type == "Add" and node.op_type in ANCHORS and end is node and self._adds_bias(node, after):
                other = after.input[1] if after.input[0] == end.output[0] else after.input[0]
                self.biases[node.name] = other
            elif (
                after.op_type not in _BOUNDS
                or after.input[0] != end.output[0]
                or not all(name in model.constants for name in after.input[1:] if name)
            ):
                break
            chain.append(after)
            self.owner[after.name] = node.name
            end = after
        self.chains[node.name] = chain

    def _adds_bias(self, node: onnx.NodeProto, after: onnx.NodeProto) -> bool:
        """Whether `after` adds a constant for each output channel to a product that has none yet."""
        model = self.model
        if (len(node.input) > 2 and node.input[2]) or weight_position(node, model) != 1:
            return False
        other = after.input[1] if after.input[0] == node.output[0] else after.input[0]
        bias = model.constants.get(other)
        weight = model.constants[node.input[1]]
        if bias is None or bias.dtype != np.float32 or (weight.ndim != 2 and node.op_type in ("MatMul", "Gemm")):
            return False
        if node.op_type in ("Conv", "ConvTranspose"):
            return False
        outputs = weight.shape[0] if attribute(node, "transB", 0) else weight.shape[-1]
        rank = model.rank(node.output[0])
        return (
            bias.size == outputs
            and bias.ndim >= 1
            and bias.shape[-1] == outputs
            and rank is not None
            and bias.ndim <= rank
        )

    # Which of them are worth it, backwards

    def _demand(self) -> dict[str, bool]:
        """Of every computed tensor, whether something makes integers of it that end in an anchor."""
        demanded: dict[str, bool] = {}
        for node in reversed(self.model.nodes):
            if node.name in self.owner:
                continue
            role = self.roles[node.name]
            wanted = role is Role.ANCHOR or (
                role is not Role.FLOAT and any(demanded.get(name) for name in self._results(node))
            )
            if wanted:
                for name in self._computed(node):
                    demanded[name] = True
        return demanded

    def _is_layer(self, node: onnx.NodeProto, demanded: dict[str, bool]) -> bool:
        if node.name in self.owner:
            return False
        role = self.roles[node.name]
        if role in (Role.FLOAT, Role.FUNCTION):
            return False
        return role is Role.ANCHOR or any(demanded.get(name) for name in self._results(node))

    def _layer(self, node: onnx.NodeProto) -> Layer:
        role, chain = self.roles[node.name], tuple(self.chains.get(node.name, ()))
        output = self._end(node).output[0]
        if role is not Role.ANCHOR:
            constants = {}
            if role in (Role.SUM, Role.CONCAT):
                constants = {i: name for i, name in enumerate(node.input) if name in self.model.constants}
            return Layer(node, role, tuple(self._computed(node)), output, chain=chain, constants=constants)
        inputs = tuple(name for name in node.input[:2] if name not in self.model.constants)
        position = weight_position(node, self.model)
        weight, constants = None, {}
        if position == 1 and (node.op_type != "MatMul" or self.model.constants[node.input[1]].ndim == 2):
            weight = node.input[1]
        elif position is not None:
            constants = {position: node.input[position]}
        bias = self.biases.get(node.name)
        if bias is None and len(node.input) > 2 and node.input[2] in self.model.constants:
            bias = node.input[2]
        return Layer(node, role, inputs, output, weight, bias, chain, constants)

    # Which tensors share a scale

    def _tensors(self, layers: Sequence[Layer]) -> dict[str, tuple[str, float]]:
        names: dict[str, None] = {}
        for layer in layers:
            names |= dict.fromkeys(layer.inputs)
            names |= dict.fromkeys(self._results(layer.node))
        roots: dict[str, tuple[str, float]] = {name: (name, 1.0) for name in names}
        for layer in layers:
            if layer.role is Role.MOVE:
                for name in self._results(layer.node):
                    roots[name] = roots[layer.inputs[0]]
        for layer in layers:
            self._decide_behind_pool(layer, roots)
        self._scale_multiples(names, roots)
        for layer in reversed(layers):
            if layer.role is Role.CONCAT and not layer.chain:
                self._share_with_parts(layer, names, roots)
        # In execution order.
        order = {value.name: -1 for value in self.model.proto.graph.input}
        for index, node in enumerate(self.model.nodes):
            order.update(dict.fromkeys(node.output, index))
        return {name: roots[name] for name in sorted(roots, key=lambda name: order[name])}

    def _decide_behind_pool(self, layer: Layer, roots: dict[str, tuple[str, float]]) -> None:
        """Of what nothing but a maximum reads, only the numbers that win matter: the range is that of the maxima."""
        if layer.node.op_type not in ("MaxPool", "GlobalMaxPool") or layer.chain:
            return
        operand, output = layer.inputs[0], layer.output
        alone = self.model.only_reader(operand) is layer.node and roots[operand] == (operand, 1.0)
        if not alone or operand not in self.source.values():
            return
        for name, (root, factor) in list(roots.items()):
            if root == operand:
                roots[name] = (output, factor)

    def _scale_multiples(self, names: dict[str, None], roots: dict[str, tuple[str, float]]) -> None:
        """Tensors that are a quantized one times a positive constant get its scale times that: nothing is rounded."""
        for node in self.model.nodes:
            output = node.output[0] if node.output else ""
            if self.roles.get(node.name) is not Role.FUNCTION or node.op_type not in _SCALINGS or output not in names:
                continue
            factor = self.model.constants.get(node.input[1])
            operand = node.input[0]
            if factor is None and node.op_type == "Mul":
                factor, operand = self.model.constants.get(node.input[0]), node.input[1]
            if factor is None or factor.size != 1 or operand not in roots or not np.isfinite(factor).all():
                continue
            number = float(factor.reshape(-1)[0])
            number = 1 / number if node.op_type == "Div" and number else number
            if number > 0:
                root, other = roots[operand]
                old = roots[output]
                for name, (its, by) in roots.items():
                    if its == old[0]:
                        roots[name] = (root, by * other * number)

    def _share_with_parts(self, layer: Layer, names: dict[str, None], roots: dict[str, tuple[str, float]]) -> None:
        """What nothing but a concatenation reads gets the scale of the whole: it is rounded to it anyway."""
        root = roots[layer.output]
        for part in layer.inputs:
            if roots[part] != (part, 1.0) or root[0] == part:
                continue
            same = [name for name, (its, _) in roots.items() if its == part]
            if same == [part] and self.model.only_reader(part) is layer.node:
                roots[part] = root
