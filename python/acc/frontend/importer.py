"""`import_onnx`: an ONNX model becomes a module of the graph dialect."""

from __future__ import annotations

import contextlib
import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import onnx

from acc import ir
from acc.errors import AccError, Fault, ModelError
from acc.frontend import regions
from acc.frontend.call import Call, Operator, Tensor, check_node, dtype_of, element_of, shape_of, storage_of
from acc.frontend.control import UNROLLED, TooManyTurns
from acc.frontend.defined import definition_of
from acc.frontend.definitions import OPSET
from acc.frontend.dequantized_tables import gather_integers
from acc.frontend.emitter import CHECK, Emitter, Quantization
from acc.frontend.exact import evaluate
from acc.frontend.folding import Constants, NotComputed
from acc.frontend.functions import Body, Expander
from acc.frontend.inputs import describe_arguments, example_sizes, input_type, show
from acc.frontend.model import Graph, Node, read_graph
from acc.frontend.operators import DOMAINS
from acc.frontend.origins import Origins
from acc.frontend.problems import Expand, Failed, Needs, NotConstant, NotStatic, Problems, Unsupported
from acc.frontend.selection import MAX_OPERATORS, cannot_fail
from acc.frontend.sizes import UnknownSizeError, are_same, is_empty, is_symbolic, using
from acc.frontend.source import Storage, load_model, read_tensor
from acc.frontend.specialize import Values, freeze
from acc.frontend.trial import Attempt, Refusal, lasting
from acc.targets.cpu import CpuOptions
from acc.wording import listing

Shapes = Mapping[str, Sequence[int]]

MAX_ELEMENTS = 1 << 40
"""What an input may have, as every result: terabytes, far from where sizes in bytes overflow."""

REGIONS = {"Loop": regions.import_loop, "Scan": regions.import_scan}
"""Loops that a run decides on."""

SEQUENCES = ": it has sequences of tensors, which acc has not; lists of the exported program can be stacked or joined"
"""What is said of operators that are not about tensors."""

FOR_ONE_MACHINE = ": ONNX Runtime saved the model optimized for one machine, unlike at its level ORT_ENABLE_EXTENDED"
"""What is said of operators on layouts that ONNX Runtime chooses for a processor."""

MAX_DECIDING = 4096
"""Elements of integers and truth values that may decide on shapes and conditions, and are computed at once."""


PREDICATES = {"Equal": 0, "Less": 2, "LessOrEqual": 3, "Greater": 4, "GreaterOrEqual": 5}
"""Comparisons, by arith's numbers for them."""

SIGNS = {0: "==", 1: "!=", 2: "<", 3: "<=", 4: ">", 5: ">="}
"""How these are written."""

NEGATED = {0: 1, 1: 0, 2: 5, 3: 4, 4: 3, 5: 2}
"""Of each of these numbers that of what holds otherwise."""

PASSING = frozenset({"Cast", "Identity", "Not", "Reshape", "Squeeze", "Unsqueeze"})
"""What may stand between a comparison and a condition."""

TENSORS = "graph.tensors"
"""Attribute of a module that is asked for it: of each ONNX node its name, operator, inputs and outputs."""


def import_onnx(
    model: str | os.PathLike[str] | onnx.ModelProto,
    shapes: Shapes | None = None,
    values: Values | None = None,
    *,
    symbolic: bool = False,
    cpu: CpuOptions | None = None,
    record_nodes: bool = False,
) -> ir.Module:
    """Imports an ONNX model for inference.

    Args:
        model: path of an ONNX file, whose external data lies in the same folder; or the parsed model.
        shapes: sizes of inputs, by name; needed for inputs that the model declares with unknown sizes.
        values: arrays for inputs, by name, which become constants and are no longer inputs.
        symbolic: whether sizes may stay unknown; they then get their value at run time.
        record_nodes: whether the module says in `graph.tensors` which tensors each ONNX node reads and makes.
        cpu: the processor that the model is compiled for, whose native code computes operators on constants if this
            machine can run it.

    Returns:
        A module with one function `main`, whose arguments and results are the inputs and outputs of the model
        in order, named by the attribute `graph.name`. All shapes are static unless `symbolic`; the attribute
        `graph.dims` then names the sizes of an argument, with equal names for equal sizes. Every operator's
        location is the name of the ONNX node it came from.

    Raises:
        ModelError: the file is not an ONNX model, or some of it is not supported; the message lists every node
            concerned, with the reason. NeedsShape or NeedsValue if `shapes` or `values` would settle all of it.
        Fault: acc fails at a node for no reason that lies in the model.
    """
    if isinstance(model, onnx.ModelProto):
        problems, storage = Problems("the model"), Storage()
    elif isinstance(model, str | os.PathLike):
        problems = Problems(os.fspath(model))
        model, storage = load_model(model)
    else:
        raise ModelError(f"a model is a path or an onnx.ModelProto, not {type(model).__name__}")
    if not isinstance(shapes, Mapping | None):
        raise ModelError(f"shapes are a dictionary by input name, not {type(shapes).__name__}")
    if not isinstance(values, Mapping | None):
        raise ModelError(f"values are a dictionary by input name, not {type(values).__name__}")
    proto = model

    def attempt(problems: Problems, assumed: bool | None) -> tuple[_Importer, Graph]:
        graph = freeze(read_graph(proto, problems), values or {}, problems)
        return _Importer(gather_integers(graph), storage, shapes or {}, problems, symbolic, cpu, assumed), graph

    importer, graph = attempt(problems, None)
    try:
        module = importer.run()
    except ModelError:
        if not importer.undecided:
            raise
        # Both branches cannot be compiled; if the rest of the model fits one of them only, that is the one.
        found = []
        for assumed in (True, False):
            with contextlib.suppress(ModelError):
                other, graph = attempt(Problems(problems.source), assumed)
                found.append((other.run(), graph))
        if len(found) != 1:
            raise
        ((module, graph),) = found
    if record_nodes:
        module.operation.attributes[TENSORS] = ir.ArrayAttr.get(
            [[node.name, node.op_type, list(node.inputs), list(node.outputs)] for node in graph.nodes],
            context=module.context,
        )
    return module


class _Importer:
    """Imports one graph.

    `values` maps ONNX names to what is known of them; None stands for the result of a node that failed, so
    that its consumers are not blamed. `unread` names those of them that would have been constants. `computable`
    are the values of nodes that only depend on constants. Where sizes that only a run knows decide between branches
    with results of different shapes, `assumed` is what they decide, which a run is made to check; where that is None,
    `undecided` says that there is such a question.
    """

    def __init__(
        self,
        graph: Graph,
        storage: Storage,
        shapes: Shapes,
        problems: Problems,
        symbolic: bool,
        cpu: CpuOptions | None,
        assumed: bool | None = None,
    ) -> None:
        self.cpu = cpu
        self.assumed = assumed
        self.undecided = False
        self.symbolic = symbolic
        self.graph = graph
        self.storage = storage
        self.shapes = shapes
        self.problems = problems
        self.values: dict[str, Tensor | None] = {}
        self.unread: set[str] = set()
        self.used = set(graph.used)
        self.producers = {name: node for node in graph.nodes for name in node.outputs if name}
        self.origins = Origins(graph, self.producers, self._is_known, self.values)
        self.expander = Expander(graph)
        self.computable: list[ir.Value] = []
        self.materialized: dict[tuple[str, str, ir.Block | None], ir.Value] = {}

    def run(self) -> ir.Module:
        types = self._input_types()
        supported = [node for node in self.graph.nodes if self._check(node)]
        context = ir.Context()
        with using(context):
            return self._run(context, types, supported)

    def _run(
        self, context: ir.Context, types: dict[str, tuple[list[int | str], np.dtype]], supported: list[Node]
    ) -> ir.Module:
        self.context = context
        module = ir.Module.create(loc=ir.Location.name(self.problems.source, context=context))
        function = ir.Operation.create(
            "func.func",
            attributes={
                "sym_name": "main",
                "function_type": ir.FunctionType.get([], [], context=context),
            },
            regions=1,
            loc=ir.Location.name("main", context=context),
            ip=ir.InsertionPoint(module.body),
        )
        block = function.regions[0].blocks.append()
        self.emitter = Emitter(context, block)
        self.constants = Constants(self.emitter, self.cpu)
        for value in self.graph.inputs:
            self.values[value.name] = None
            if value.name in types:
                shape, dtype = types[value.name]
                sizes = [None if isinstance(size, str) else size for size in shape]
                type = ir.RankedTensorType.get(sizes, self.emitter.element_type(dtype))
                self.values[value.name] = block.add_argument(type, self.emitter.location(value.name))
        # Which sizes are equal counts from the first operator on.
        function.attributes["arg_attrs"] = describe_arguments(self.graph, types, context)
        self._read_initializers(self.graph.initializers)
        alive = set(map(id, supported))
        for node in self.graph.nodes:
            self._fail(node)
            if id(node) in alive:
                self._import(node)
        self.problems.raise_if_any()

        outputs = [self._output(name) for name in self.graph.outputs]
        ir.Operation.create(
            "func.return",
            operands=outputs,
            loc=self.emitter.location("outputs"),
            ip=ir.InsertionPoint(block),
        )
        results = [value.type for value in outputs]
        self.constants.fold(block, self._constant_before)
        self.emitter.drop_regions()
        _erase_unused(block)
        arguments = [argument.type for argument in block.arguments]
        function.attributes["function_type"] = ir.FunctionType.get(arguments, results, context=context)
        function.attributes["res_attrs"] = _names(self.graph.outputs, context)
        try:
            module.operation.verify()
        except ir.MLIRError as error:
            raise Fault(
                f"{self.problems.source}: cannot be imported, which is a fault of acc: please report it"
            ) from error
        return module

    def _input_types(self) -> dict[str, tuple[list[int | str], np.dtype]]:
        """Shape and element type of every input; problems are noted."""
        types = {}
        names = [value.name for value in self.graph.inputs]
        self.problems.examples = {value.name: example_sizes(value) for value in self.graph.inputs}
        for name in self.shapes:
            if name not in names:
                known = ", ".join(f"'{other}'" for other in names) or "none"
                self.problems.add(f"shapes for '{name}'", f"the model has no such input; its inputs are {known}")
        for value in self.graph.inputs:
            try:
                types[value.name] = input_type(value, self.shapes.get(value.name), self.symbolic)
                known = [size for size in types[value.name][0] if isinstance(size, int)]
                if math.prod(known) > MAX_ELEMENTS:
                    raise Unsupported(f"a tensor cannot have the shape {show(types[value.name][0])}")
            except NotStatic as error:
                self.problems.add(f"input '{value.name}'", str(error), Needs(shapes=(value.name,)))
            except Unsupported as error:
                self.problems.add(f"input '{value.name}'", str(error))
        return types

    def _check(self, node: Node) -> bool:
        """Whether the node can be imported as far as that shows without its operands; problems are noted."""
        if self.expander.is_local(node):
            return True
        operator = self._operator(node)
        if node.domain and operator is None and not self.expander.is_function(node):
            hint = FOR_ONE_MACHINE if node.domain == "com.microsoft.nchwc" else ""
            self.problems.add(str(node), f"unsupported operator of domain '{node.domain}'{hint}")
            return False
        if operator is None:
            # It may still turn out to be a constant, or be defined by other nodes.
            return True
        reasons = check_node(node, operator, node.opset)
        for reason in reasons:
            self.problems.add(str(node), reason)
        return not reasons

    def _operator(self, node: Node) -> Operator | None:
        """What acc has for a node itself."""
        if self.expander.is_local(node) or definition_of(node) is not None:
            return None
        return DOMAINS.get(node.domain, {}).get(node.op_type)

    def _read_initializers(self, initializers: Mapping[str, onnx.TensorProto]) -> None:
        for name, tensor in initializers.items():
            if name not in self.used:
                continue
            try:
                self.values[name] = read_tensor(tensor, self.storage)
            except Unsupported as error:
                self.problems.add(f"initializer '{name}'", str(error))
                self.values[name] = None
                self.unread.add(name)

    def _import(self, node: Node) -> None:
        inputs = [self._look(name) for name in node.inputs]
        failed = any(name and tensor is None for name, tensor in zip(node.inputs, inputs, strict=True))
        operator = self._operator(node)
        if operator is None:
            expands = self.expander.is_function(node) or (node.op_type in UNROLLED and not node.domain)
            if (failed and expands) or (not failed and self._expand(node)):
                return
            if not self._is_static(node):
                reason = SEQUENCES if "Sequence" in node.op_type else ""
                self.problems.add(str(node), f"unsupported operator{reason}")
            return
        if failed:
            return
        outputs: Sequence[Tensor] | None = None
        if not any(isinstance(tensor, ir.Value) for tensor in inputs):
            outputs = evaluate(node, cast(list[np.ndarray | None], inputs))
        if outputs is None:
            found: list[Sequence[Tensor]] = []
            if not self._guarded(
                node, lambda: found.append(self._convert(node, operator)), self._attempt(node, operator)
            ):
                return
            (outputs,) = found
        for name, tensor in zip(node.outputs, outputs, strict=False):
            if name:
                self.values[name] = self._note(tensor)
                self.unread.discard(name)

    def _convert(self, node: Node, operator: Operator) -> Sequence[Tensor]:
        inputs = [self._look(name) for name in node.inputs]
        outputs = Call(node, operator, inputs, node.opset, self.emitter, self._materialize, self._known).convert()
        self._check_outputs(node, len(outputs))
        return outputs

    def _attempt(self, node: Node, operator: Operator) -> Attempt:
        """The conversion of a node on other operands, which leaves no trace."""

        def attempt(emitter: Emitter, operands: Mapping[str, Tensor | None]) -> None:
            def materialize(name: str, quantization: Quantization | None) -> ir.Value:
                array = operands[name]
                assert isinstance(array, np.ndarray)
                return emitter.constant(array, name, quantization)

            inputs = [operands[name] if name else None for name in node.inputs]
            outputs = Call(
                node, operator, inputs, node.opset, emitter, materialize, lambda _, known, __: known
            ).convert()
            self._check_outputs(node, len(outputs))

        return attempt

    def _guarded(self, node: Node, work: Callable[[], object], attempt: Attempt | None) -> bool:
        """Whether `work`, which imports a node or what it stands for, is done. What is against it is noted.

        attempt: the same with other operands, to see whether it is only open sizes that are in the way.
        """
        try:
            work()
            return True
        except NotConstant as error:
            self.problems.add(str(node), str(error), self.origins.of_value(error.name))
        except (NotStatic, UnknownSizeError) as error:
            self._add_refused(node, Refusal(str(error)), attempt, certain=True)
        except Expand as error:
            if not self._expand(node):
                self.problems.add(str(node), str(error))
        except Failed:
            pass
        except Unsupported as error:
            self._add_refused(node, Refusal(str(error)), attempt)
        except (AccError, MemoryError):
            raise
        except Exception as error:
            logging.getLogger("acc").debug("the import of %s failed", node, exc_info=True)
            self._add_refused(node, Refusal.unforeseen(error), attempt)
        return False

    def _add_refused(self, node: Node, refusal: Refusal, attempt: Attempt | None, certain: bool = False) -> None:
        """Notes why a node is refused, and which sizes, or values that these follow from, would settle it.

        certain: whether it is refused because of sizes that are not known.
        """
        names = [name for name in (*node.inputs, *node.captures) if name]
        needs: Needs | None = self.origins.of_node(node)
        if not certain and not needs.values and not any(map(self.origins.is_open, names)):
            needs = None
        # A trial gives numbers to open sizes, but none to values that decide on sizes.
        if needs and not needs.values and attempt is not None:
            operands = {name: self._look_up_if_possible(name) for name in names}
            if reason := lasting(attempt, operands, self.context, refusal):
                refusal, needs = reason, None
        self.problems.add(str(node), refusal.reason, needs, fault=refusal.fault and not needs)

    def _look(self, name: str) -> Tensor | None:
        """What is known of a value at the moment."""
        tensor = self.values[name] if name else None
        known = self.constants.get(tensor) if isinstance(tensor, ir.Value) else None
        return tensor if known is None else known

    def _known(self, name: str, tensor: Tensor, required: bool) -> Tensor:
        """The array of a tensor, called `name`, that only depends on constants; others as they are.

        required: whether it must be known, so that quantized constants are no longer looked at as such.
        """
        if not isinstance(tensor, ir.Value):
            return tensor
        if not self.constants.is_computable(tensor) and not (required and self.constants.is_determined(tensor)):
            return tensor
        try:
            return self.constants.compute(tensor, self.computable)
        except NotComputed as error:
            raise Unsupported(f"operand '{name}' must be known but cannot be computed: {error}") from error

    def _note(self, tensor: Tensor) -> Tensor:
        """A tensor that a node produced. Numbers that may decide on shapes and conditions are computed at once."""
        if isinstance(tensor, np.ndarray):
            return tensor
        if is_empty(shape_of(tensor)):
            return self._without_elements(tensor)
        if not self.constants.is_computable(tensor):
            return tensor
        self.computable.append(tensor)
        type = ir.RankedTensorType(tensor.type)
        decides = isinstance(type.element_type, ir.IntegerType) and math.prod(type.shape) <= MAX_DECIDING
        if decides or not type.has_static_shape:
            with contextlib.suppress(NotComputed):
                return self.constants.compute(tensor, self.computable)
        return tensor

    def _without_elements(self, tensor: ir.Value) -> Tensor:
        """A tensor without elements is known, whatever computes it: no later stage need care for it."""
        shape, element = shape_of(tensor), element_of(tensor)
        if isinstance(element, ir.QuantizedType):
            return tensor
        dtype = dtype_of(element)
        if all(isinstance(size, int) for size in shape):
            return np.zeros(shape, dtype)
        name = next(iter(tensor.owner.location.names), "") if isinstance(tensor.owner, ir.Operation) else ""
        # Of no elements any number makes as many as there are.
        empty = self.emitter.constant(np.zeros([0 if is_empty([size]) else 1 for size in shape], dtype), name)
        return self.emitter.emit("expand", [empty], {"shape": list(shape)}, name)

    def _constant_before(self, array: np.ndarray, operation: ir.Operation) -> ir.Value:
        """A constant in front of an operation, in the name of the same node."""
        value = self.emitter.constant(array, next(iter(operation.location.names), ""))
        cast(ir.Operation, value.owner).move_before(operation)
        return value

    def _expand(self, node: Node) -> bool:
        """Imports what the node stands for; false if it only stands for itself. Problems are noted."""
        if node.op_type in UNROLLED and not node.domain:
            self._guarded(node, lambda: self._unroll(node), None)
            return True
        found: list[Body | None] = []

        def define() -> None:
            found.append(self._function(node, {name: self._look(name) for name in node.inputs if name}))

        def attempt(_: Emitter, operands: Mapping[str, Tensor | None]) -> None:
            if self._function(node, operands) is None:
                raise Unsupported(_undefined(node, operands))

        if not self._guarded(node, define, attempt):
            return True
        (body,) = found
        if body is not None:
            self._import_body(body)
            return True
        if not self.expander.is_function(node):
            return False
        # Some operators ONNX only defines for operands of certain types, or of known shapes.
        operands = {name: self._look(name) for name in node.inputs if name}
        self._add_refused(node, Refusal(_undefined(node, operands)), attempt)
        return True

    def _unroll(self, node: Node) -> None:
        """Imports control flow: as it is known at import, else as a run decides on it."""
        try:
            UNROLLED[node.op_type](self.expander, node, self._look_up, self._import_body)
            return
        except (NotConstant, TooManyTurns) as error:
            known = error
        if isinstance(known, NotConstant) and node.op_type == "If":
            self._choose(node, known)
            return
        try:
            REGIONS[node.op_type](self._regions, node)
        except Unsupported as error:
            if not isinstance(known, NotConstant) or isinstance(error, Failed | NotStatic):
                raise
            raise NotConstant(f"{known}, and as one that a run decides on it {error}", known.name) from error

    def _choose(self, node: Node, known: NotConstant) -> None:
        """Imports an If whose condition a run computes; raises NotConstant if it must be known, as `known` says.

        What is wrong with a branch is not noted: where the condition is known, it may be the other one.
        """
        if self._select(node):
            return
        mark = self.problems.mark()
        try:
            regions.import_branches(self._regions, node)
        except Unsupported as error:
            noted = self.problems.since(mark)
            self.problems.forget(mark)
            if self._assume(node):
                return
            reason = f"as one that a run decides on it {error}"
            if isinstance(error, Failed):
                reason = f"a branch cannot be imported ({'; '.join(noted[:1])})"
            raise NotConstant(f"{known}, and {reason}", known.name) from error

    def _assume(self, node: Node) -> bool:
        """Imports the branch of an If that is assumed to be taken, which a run is to check; false if none is."""
        comparison = self._comparison(node.inputs[0])
        if comparison is None:
            return False
        self.undecided = True
        if self.assumed is None:
            return False
        predicate, a, b = comparison
        start = f"node '{node.name}': the model only fits together where {'' if self.assumed else 'not '}"
        message = [start, f" {SIGNS[predicate]} ", ": fix the sizes of inputs when it is compiled for others"]
        self.emitter.check(predicate if self.assumed else NEGATED[predicate], a, b, message, node.name)
        self._import_body(self.expander.branch(node, self.assumed))
        return True

    def _comparison(self, name: str) -> tuple[int, int, int] | None:
        """The predicate (arith's number) and the sizes that a condition compares, if that is all that it does."""
        negated = False
        producer = self.producers.get(name)
        while producer is not None and not producer.domain and producer.op_type in PASSING:
            negated ^= producer.op_type == "Not"
            producer = self.producers.get(producer.inputs[0])
        if producer is None or producer.domain or producer.op_type not in PREDICATES:
            return None
        operands = [self._look_up_if_possible(operand) for operand in producer.inputs]
        sizes = [
            size
            for operand in operands
            if isinstance(operand, np.ndarray) and operand.size == 1 and operand.dtype.kind in "iuO"
            for size in operand.reshape(-1).tolist()
        ]
        if len(sizes) != 2:
            return None
        predicate = PREDICATES[producer.op_type]
        return (NEGATED[predicate] if negated else predicate, *sizes)

    @property
    def _regions(self) -> regions.Importer:
        return regions.Importer(
            self.emitter, self.expander, self._look_up_if_possible, self._bind, self._value, self._import_body
        )

    def _bind(self, name: str, tensor: Tensor) -> None:
        """Lets a name stand for a tensor."""
        self.used.add(name)
        self.values[name] = tensor
        self.unread.discard(name)

    def _value(self, name: str) -> ir.Value:
        """A value that is there, also of a constant."""
        tensor = self._look(name)
        if tensor is None:
            raise Failed("reads what could not be imported")
        return self._materialize(name, None) if isinstance(tensor, np.ndarray) else tensor

    def _select(self, node: Node) -> bool:
        """Imports an If whose condition a run computes as both branches and a choice; false if that may not be."""
        block, mark = self.emitter.block, self.problems.mark()
        before = len(block.operations)
        names: list[list[str]] = []
        for branch in (True, False):
            results = [self.expander.name(node, "result") if name in self.used else "" for name in node.outputs]
            names.append(results)
            self.used.update(filter(None, results))
            self._import_body(self.expander.branch(replace(node, outputs=tuple(results)), branch))
        chosen = list(zip(*names, (name for name in node.outputs), strict=True))
        made = list(block.operations)[before:]
        failed = self.problems.mark() != mark
        if failed or len(made) > MAX_OPERATORS or not cannot_fail(made) or not all(map(self._are_alike, *names)):
            self.problems.forget(mark)
            # Nothing uses what else was made.
            for op in made:
                if op.name == CHECK:
                    op.erase()
            return False
        if regions.is_costly(made) and self._branch(node):
            return True
        nothing = onnx.numpy_helper.from_array(np.zeros(0, np.int64))
        shape, condition = self.expander.name(node, "shape"), self.expander.name(node, "condition")
        protos = [
            onnx.helper.make_node("Constant", [], [shape], value=nothing),
            onnx.helper.make_node("Reshape", [node.inputs[0], shape], [condition]),
            *(onnx.helper.make_node("Where", [condition, *pair], [name]) for *pair, name in chosen if pair[0]),
        ]
        self._import_body(Body(tuple(self.expander.nodes(node, protos, OPSET))))
        return True

    def _branch(self, node: Node) -> bool:
        """Imports an If so that only one branch is computed; false where that may not be."""
        mark = self.problems.mark()
        try:
            regions.import_branches(self._regions, node)
        except Unsupported:
            self.problems.forget(mark)
            return False
        return True

    def _are_alike(self, one: str, other: str) -> bool:
        """Whether two values are known to have the same type and shape."""
        if not one:
            return True
        a, b = self._look(one), self._look(other)
        if a is None or b is None:
            return False
        return self._type(a).tensor_type.elem_type == self._type(b).tensor_type.elem_type and are_same(
            shape_of(a), shape_of(b)
        )

    def _function(self, node: Node, operands: Mapping[str, Tensor | None]) -> Body | None:
        """The body of the function that a node calls on operands that are given by name."""
        given = [operands[name] if name else None for name in node.inputs]
        known = [array if isinstance(array, np.ndarray) and not is_symbolic(array) else None for array in given]
        wanted = tuple(name if name in self.used else "" for name in node.outputs)
        return self.expander.function(replace(node, outputs=wanted), [self._type(tensor) for tensor in given], known)

    def _look_up(self, name: str) -> Tensor | None:
        """What can be known of a value."""
        tensor = self._look(name)
        return None if tensor is None else self._known(name, tensor, False)

    def _look_up_if_possible(self, name: str) -> Tensor | None:
        """As `_look_up`, or what is known at the moment of a value that cannot be computed."""
        try:
            return self._look_up(name)
        except Unsupported:
            return self._look(name)

    def _import_body(self, body: Body) -> None:
        self.used |= body.used
        self.producers |= {name: inner for inner in body.nodes for name in inner.outputs if name}
        self._read_initializers(body.initializers)
        for inner in body.nodes:
            self._fail(inner)
            if self._check(inner):
                self._import(inner)

    def _type(self, tensor: Tensor | None) -> onnx.TypeProto:
        """What ONNX knows of a value; an empty type for an operand that is left out."""
        if tensor is None:
            return onnx.TypeProto()
        if isinstance(tensor, np.ndarray):
            dtype = np.dtype(np.int64) if is_symbolic(tensor) else tensor.dtype
        else:
            element = element_of(tensor)
            dtype = storage_of(element) if isinstance(element, ir.QuantizedType) else dtype_of(element)
        shape = [size if isinstance(size, int) else None for size in shape_of(tensor)]
        return onnx.helper.make_tensor_type_proto(onnx.helper.np_dtype_to_tensor_dtype(dtype), shape)

    def _is_known(self, name: str) -> bool:
        """Whether a value is a constant, not even one made of sizes."""
        tensor = self.values.get(name)
        if isinstance(tensor, ir.Value):
            return self.constants.is_computable(tensor)
        return tensor is not None and not is_symbolic(tensor)

    def _fail(self, node: Node) -> None:
        """Makes the outputs of `node` unknown, until it is imported."""
        names = [name for name in node.outputs if name]
        self.values.update(dict.fromkeys(names, None))
        operator = self._operator(node)
        if self._is_static(node) or (operator is not None and operator.static):
            self.unread.update(names)

    def _is_static(self, node: Node) -> bool:
        """Whether the node would be a constant if what it depends on had been imported."""
        inputs = [name for name in node.inputs if name]
        known = [name in self.unread or self._is_known(name) or is_symbolic(self.values[name]) for name in inputs]
        return all(known) and any(name in self.unread for name in inputs)

    def _check_outputs(self, node: Node, count: int) -> None:
        for index, name in enumerate(node.outputs[count:], count):
            if name and name in self.used:
                raise Unsupported(f"output {index} ('{name}') is used but not supported")

    def _materialize(self, name: str, quantization: Quantization | None) -> ir.Value:
        """The constant called `name` as a value, made at most once for each type."""
        array = self._look(name)
        # Sizes are computed where they are used.
        key = (name, str(quantization), self.emitter.block if is_symbolic(array) else None)
        if key not in self.materialized:
            assert isinstance(array, np.ndarray)
            self.materialized[key] = self.emitter.constant(array, name, quantization)
        return self.materialized[key]

    def _output(self, name: str) -> ir.Value:
        """A value for a graph output: constants appear, quantized tensors become their integers."""
        tensor = self._look(name)
        if isinstance(tensor, np.ndarray):
            try:
                return self._materialize(name, None)
            except Unsupported as error:
                raise ModelError(f"{self.problems.source}: output '{name}': {error}") from error
        assert tensor is not None
        element = element_of(tensor)
        if not isinstance(element, ir.QuantizedType):
            return tensor
        type = self.emitter.tensor_type(shape_of(tensor), storage_of(element))
        return self.emitter.emit("storage_cast", [tensor], {}, name, type)


def _erase_unused(block: ir.Block) -> None:
    """Drops what no output depends on: parts of what nodes became that were not needed."""
    for op in reversed(list(block.operations)):
        if op.results and not any(True for result in op.results for _ in result.uses):
            op.erase()


def _undefined(node: Node, operands: Mapping[str, Tensor | None]) -> str:
    """Why an operator cannot be imported by what ONNX defines it to be."""
    types = []
    for name in dict.fromkeys(filter(None, node.inputs)):
        tensor = operands[name]
        assert tensor is not None
        element = tensor.dtype if isinstance(tensor, np.ndarray) else element_of(tensor)
        kind = "int64" if is_symbolic(tensor) else str(element)
        types.append(f"'{name}' of {kind}[{', '.join(str(size) for size in shape_of(tensor))}]")
    return f"unsupported operator for the operands {listing(types)}"


def _names(names: Sequence[str], context: ir.Context) -> ir.Attribute:
    return ir.ArrayAttr.get([{"graph.name": name} for name in names], context=context)
