"""Models that nobody would write, seeded: any operator of ONNX on operands of any type, rank and size.

What becomes of them is up to acc, as long as it is a refusal with a reason, or a model that runs or says why not.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import ml_dtypes
import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper

SIZES = (0, 1, 1, 2, 2, 3, 3, 4, 5, 8, 17)
GIANTS = (1 << 16, 1 << 31, (1 << 31) - 1, 1 << 40, (1 << 62) - 1)
INTEGERS = (
    1 - (1 << 63),
    -(1 << 31),
    -17,
    -3,
    -2,
    -1,
    0,
    0,
    1,
    1,
    2,
    2,
    3,
    4,
    5,
    7,
    16,
    1 << 20,
    1 << 33,
    (1 << 63) - 1,
)
FLOATS = (float("nan"), float("inf"), -float("inf"), 0.0, -1.0, 0.5, 1.0, 2.5, 1e-45, 1e38, -3.0)
TEXTS = ("", "SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", "linear", "cubic", "nearest", "reflect", "wrap", "constant")
MORE_TEXTS = (
    *("bilinear", "mean", "none", "add", "mul", "max", "asymmetric", "align_corners", "half_pixel", "floor"),
    "bij,bjk->bik",
)
# Names of types in the schemas of operators, and what they are called elsewhere.
TYPES = {
    "tensor(float)": TensorProto.FLOAT,
    "tensor(double)": TensorProto.DOUBLE,
    "tensor(float16)": TensorProto.FLOAT16,
    **{
        f"tensor({name})": getattr(TensorProto, name.upper())
        for name in (
            *("bfloat16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool", "int4"),
            *("uint4", "float8e4m3fn", "float8e5m2", "float4e2m1"),
        )
    },
}
# What acc does not have: that is tested elsewhere.
UNSUPPORTED = frozenset(
    (
        *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"),
        *("ImageDecoder", "StringNormalizer", "StringConcat", "StringSplit", "RegexFullMatch", "TfIdfVectorizer"),
        *("Optional", "OptionalGetElement", "OptionalHasElement", "SplitToSequence", "ConcatFromSequence", "Constant"),
        *(f"Sequence{what}" for what in ("At", "Construct", "Empty", "Erase", "Insert", "Length", "Map")),
    )
)
UNUSUAL = (np.dtype(ml_dtypes.int4), np.dtype(ml_dtypes.uint4), np.dtype(ml_dtypes.float4_e2m1fn))


@functools.cache
def _schemas(opset: int) -> list[onnx.defs.OpSchema]:
    """The operators of an operator set that compute, those of quantization many times over."""
    latest: dict[str, onnx.defs.OpSchema] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        graphs = any(a.type == onnx.defs.OpSchema.AttrType.GRAPH for a in schema.attributes.values())
        if schema.domain or schema.since_version > opset or schema.deprecated or graphs or schema.name in UNSUPPORTED:
            continue
        if schema.name not in latest or schema.since_version > latest[schema.name].since_version:
            latest[schema.name] = schema
    schemas = [latest[name] for name in sorted(latest)]
    return schemas + 6 * [schema for schema in schemas if "Linear" in schema.name or schema.name.endswith("Integer")]


class Invention:
    """A model under construction."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.opset = int(rng.choice((7, 9, 11, 13, 15, 17, 18, 20, 21, 22, 23, 24)))
        self.inputs: list[onnx.ValueInfoProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.nodes: list[onnx.NodeProto] = []
        self.values: dict[str, tuple[int, list[int]]] = {}
        self.base = self._shape([])

    def pick(self, items: Sequence[object]) -> object:
        return items[int(self.rng.integers(len(items)))]

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def _shape(self, like: Sequence[int]) -> list[int]:
        if like and self.chance(0.6):
            shape = list(like)
            if self.chance(0.3):
                shape[int(self.rng.integers(len(shape)))] = int(self.pick(SIZES))  # type: ignore[call-overload]
            return shape
        rank = int(self.rng.choice(6, p=(0.08, 0.2, 0.22, 0.2, 0.22, 0.08)))
        shape = [int(self.pick(SIZES)) for _ in range(rank)]  # type: ignore[call-overload]
        if shape and self.chance(0.01):
            shape[int(self.rng.integers(rank))] = int(self.pick(GIANTS))  # type: ignore[call-overload]
        return shape

    def operand(self, types: Sequence[str], wanted: int | None) -> str:
        """A name for an operand of one of the types: of a value there is, a new input or a constant."""
        known = [TYPES[name] for name in types if name in TYPES] or list(TYPES.values())
        if wanted in known and self.chance(0.9):
            known = [wanted]
        fitting = [name for name, (kind, _) in self.values.items() if kind in known]
        if fitting and self.chance(0.5):
            return str(self.pick(fitting))
        kind = int(self.pick(known))  # type: ignore[call-overload]
        small = kind in (TensorProto.INT64, TensorProto.INT32) and self.chance(0.6)
        shape = self._shape([int(self.rng.integers(1, 5))] if small else self.base)
        name = f"{'c' if small or self.chance(0.4) else 'x'}{len(self.values)}"
        self.values[name] = (kind, shape)
        if name[0] == "c" and np.prod(np.maximum(shape, 1), dtype=float) <= 4096:
            array = self.array(kind, shape, wild=self.chance(0.3))
            if array.dtype in UNUSUAL:
                self.initializers.append(helper.make_tensor(name, kind, shape, array.reshape(-1).astype(np.float32)))
            else:
                self.initializers.append(onnx.numpy_helper.from_array(array, name))
        else:
            dims: list[int | str | None] = list(shape)
            for axis in range(len(dims)):
                if self.chance(0.3):
                    dims[axis] = self.pick((None, f"{name}_{axis}", f"s{shape[axis]}"))  # type: ignore[assignment]
            self.inputs.append(helper.make_tensor_value_info(name, kind, None if self.chance(0.02) else dims))
        return name

    def array(self, kind: int, shape: Sequence[int], wild: bool = False) -> np.ndarray:
        dtype = helper.tensor_dtype_to_np_dtype(kind)
        if dtype.kind == "b":
            return self.rng.random(tuple(shape)) < 0.5
        numbers = self.rng.integers(-3, 6, tuple(shape)).astype(np.float64)
        with np.errstate(all="ignore"):
            if wild and dtype.kind in "iu":
                return self.rng.choice(INTEGERS, tuple(shape)).astype(dtype)
            if wild:
                numbers = self.rng.choice(FLOATS, tuple(shape))
            return numbers.astype(dtype)

    def attribute(self, name: str, schema: onnx.defs.OpSchema.Attribute) -> AttributeProto | None:
        count = int(self.rng.integers(0, 6))
        kinds = onnx.defs.OpSchema.AttrType
        value: object
        if schema.type == kinds.INT:
            value = int(self.pick((-1, 0, 0, 1, 1, 2, 3) if self.chance(0.8) else INTEGERS))  # type: ignore[call-overload]
        elif schema.type == kinds.FLOAT:
            value = float(self.pick(FLOATS))  # type: ignore[arg-type]
        elif schema.type == kinds.STRING:
            value = str(self.pick((*TEXTS, *MORE_TEXTS)))
        elif schema.type == kinds.INTS:
            few = (0, 1, 1, 1, 2, 3) if self.chance(0.7) else INTEGERS
            value = [int(self.pick(few)) for _ in range(count)]  # type: ignore[call-overload]
        elif schema.type == kinds.FLOATS:
            value = [float(self.pick(FLOATS)) for _ in range(count)]  # type: ignore[arg-type]
        elif schema.type == kinds.TENSOR:
            value = onnx.numpy_helper.from_array(self.array(TensorProto.FLOAT, [count]))
        else:
            return None
        return helper.make_attribute(name, value, attr_type=int(schema.type))

    def add(self, schema: onnx.defs.OpSchema) -> None:
        operands: list[str] = []
        bound: dict[str, int] = {}
        for formal in schema.inputs:
            optional = formal.option == onnx.defs.OpSchema.FormalParameterOption.Optional
            if optional and self.chance(0.5):
                operands.append("")
                continue
            many = formal.option == onnx.defs.OpSchema.FormalParameterOption.Variadic
            for _ in range(int(self.rng.integers(1, 4)) if many else 1):
                operands.append(self.operand(sorted(formal.types), bound.get(formal.type_str)))
                bound[formal.type_str] = self.values[operands[-1]][0]
        while operands and not operands[-1]:
            operands.pop()
        count = max(1, min(len(schema.outputs), int(self.rng.integers(schema.min_output, schema.min_output + 2))))
        names = [f"v{len(self.nodes)}_{index}" for index in range(count)]
        node = helper.make_node(schema.name, operands, names, f"n{len(self.nodes)}", domain=schema.domain)
        for name, attribute in sorted(schema.attributes.items()):
            if attribute.required or (name != "consumed_inputs" and self.chance(0.3)):
                made = self.attribute(name, attribute)
                if made is not None:
                    node.attribute.append(made)
        self.nodes.append(node)
        kinds = [TYPES[name] for name in sorted(schema.outputs[0].types) if name in TYPES] if schema.outputs else []
        used = [self.values[name][0] for name in operands if name]
        kind = next((k for k in used if k in kinds), kinds[0] if kinds else TensorProto.FLOAT)
        for name in names:
            self.values[name] = (kind, self.base)

    def finish(self) -> onnx.ModelProto:
        read = {name for node in self.nodes for name in node.input}
        outputs = [onnx.ValueInfoProto(name=name) for node in self.nodes for name in node.output if name not in read]
        for output in outputs:
            output.type.tensor_type.elem_type = self.values[output.name][0]
        graph = helper.make_graph(self.nodes, "invented", self.inputs, outputs, self.initializers)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("ai.onnx.ml", 4)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def generate(seed: int) -> onnx.ModelProto:
    """The model of a seed: one to four operators in a row."""
    rng = np.random.default_rng([seed, 6])
    invention = Invention(rng)
    schemas = _schemas(invention.opset)
    for _ in range(int(rng.integers(1, 5))):
        invention.add(schemas[int(rng.integers(len(schemas)))])
    return invention.finish()


def feeds(model: onnx.ModelProto, seed: int) -> dict[str, np.ndarray] | None:
    """Inputs to run the model on; None if they would be too large."""
    rng = np.random.default_rng([seed, 7])
    invention = Invention(rng)
    sizes: dict[str, int] = {}
    arrays = {}
    for value in model.graph.input:
        tensor = value.type.tensor_type
        shape = [
            dim.dim_value if dim.HasField("dim_value") else sizes.setdefault(dim.dim_param, int(rng.choice(SIZES)))
            for dim in tensor.shape.dim
        ]
        # Without elements there may still be sizes that numpy does not take.
        if np.prod(np.maximum(shape, 1), dtype=float) > 1 << 16:
            return None
        arrays[value.name] = invention.array(tensor.elem_type, shape, wild=bool(rng.random() < 0.2))
    return arrays
