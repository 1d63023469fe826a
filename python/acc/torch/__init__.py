"""PyTorch models on acc: `torch.compile(model, backend="acc")`, and `acc.torch.compile` for a model as a whole.

    compiled = acc.torch.compile(model, (x,), dynamic={"x": {0: "batch"}})   # exported, compiled, called like the model
    fast = torch.compile(model, backend="acc")                               # graph by graph, the rest by PyTorch

Models are exported to ONNX by PyTorch's own exporter. Tensors on the CPU are handed over without copies, both ways.
There are no gradients: under `torch.no_grad()` (or `inference_mode`) acc runs, otherwise PyTorch. Needs torch and
onnxscript: pip install 'acc-compiler[torch]'.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import json
import logging
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from acc.devices import DeviceLike
from acc.dtypes import element_type
from acc.errors import AccError, CompileError, ModelError, ModelWarning, RunError
from acc.executable import Executable

try:
    # Optional, so that type checkers need not find it.
    torch: Any = importlib.import_module("torch")
except ModuleNotFoundError as error:
    raise CompileError("acc.torch needs PyTorch: pip install 'acc-compiler[torch]'") from error

__all__ = ["CompiledModule", "backend", "compile"]

_KEPT = 64
"""How many compiled models are kept for others with the same content."""

_made: OrderedDict[str, Executable] = OrderedDict()


class CompiledModule:
    """A PyTorch model that acc runs; called like the model, without gradients.

    Attributes:
        executable: the compiled model, with `report()`, `statistics` and `save`.
    """

    def __init__(self, executable: Executable, program: Any) -> None:
        self.executable = executable
        self._spec = program.call_spec
        signature = program.graph_signature
        self._inputs = list(signature.user_inputs)
        self._results = _result_plan(program, [info.name for info in executable.outputs])

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Raises RunError for arguments that the model was not compiled for."""
        flat, spec = torch.utils._pytree.tree_flatten((args, kwargs))
        if spec != self._spec.in_spec:
            raise RunError("the arguments are put together in another way than those that the model was compiled for")
        arrays: dict[str, np.ndarray] = {}
        tensors = (value for value in flat if isinstance(value, torch.Tensor))
        for info, tensor in zip(self.executable.inputs, tensors, strict=False):
            arrays[info.name] = to_array(tensor)
        results = self.executable.run(arrays)
        values = [to_tensor(results[item]) if isinstance(item, str) else item.value for item in self._results]
        return torch.utils._pytree.tree_unflatten(values, self._spec.out_spec)


class _Constant:
    """A result that is no tensor, or is the same in every run."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _result_plan(program: Any, names: Sequence[str]) -> list[str | _Constant]:
    """For every result of the model, in order, the output that it is, or what it always is."""
    plan: list[str | _Constant] = []
    left = iter(names)
    for item in program.graph_signature.output_specs:
        is_tensor = type(item.arg).__name__ == "TensorArgument"
        plan.append(next(left) if is_tensor else _Constant(getattr(item.arg, "value", None)))
    if next(left, None) is not None:
        raise CompileError("the exported model has more outputs than the PyTorch model has results")
    return plan


def compile(
    module: Any,
    example_inputs: Sequence[Any],
    kwargs: Mapping[str, Any] | None = None,
    *,
    target: Any = "cpu",
    dynamic: Any = None,
    device: DeviceLike = None,
    **options: Any,
) -> CompiledModule:
    """Exports and compiles a model for inference.

    module: a torch.nn.Module, in the mode that it is to run in (`module.eval()`). example_inputs, kwargs: arguments as
    for a call. dynamic: sizes that stay open: True for those that PyTorch finds it can leave open, or what
    `torch.export.export` takes as `dynamic_shapes`, where a text names a size; fixed without. device: what runs
    programs of accelerators. options: further ones of `acc.compile`.

    Models with the same content are compiled once. Raises ModelError if PyTorch cannot export it (with its reason), and
    what `acc.compile` raises.
    """
    if not isinstance(module, torch.nn.Module):
        raise ModelError(f"a model is a torch.nn.Module, not {type(module).__name__}")
    arguments = tuple(example_inputs) if isinstance(example_inputs, list | tuple) else (example_inputs,)
    program, model = _export(module, arguments, dict(kwargs or {}), dynamic)
    return CompiledModule(_compiled(model, {"target": target, **options}, device), program)


def _export(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], dynamic: Any) -> tuple[Any, Any]:
    """The exported program and its ONNX model; raises ModelError."""
    if importlib.util.find_spec("onnxscript") is None:
        raise CompileError("exporting from PyTorch needs onnxscript: pip install 'acc-compiler[torch]'")
    try:
        with _quiet(), torch.no_grad():
            shapes = _dynamic_shapes(args, kwargs, dynamic)
            program = torch.export.export(module, args, kwargs, dynamic_shapes=shapes)
            # Operators that change what they are given say so when they are taken apart.
            signature = program.run_decompositions({}).graph_signature
            changed = {**signature.buffers_to_mutate, **signature.user_inputs_to_mutate}
            if changed:
                name = next(iter(changed.values()))
                raise ModelError(f"the model changes '{name}' while it runs: put it in inference mode by eval()")
            exported = torch.onnx.export(
                program, args, kwargs=kwargs, dynamic_shapes=shapes, dynamo=True, verbose=False
            )
            assert exported is not None
            return program, exported.model_proto
    except AccError:
        raise
    except Exception as error:
        raise ModelError(f"PyTorch cannot export the model: {type(error).__name__}: {_first_line(error)}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says to those who work on it."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else "no reason is given"


def _dynamic_shapes(args: tuple[Any, ...], kwargs: dict[str, Any], dynamic: Any) -> Any:
    """What `torch.export.export` takes; texts for sizes become dimensions, equal ones the same."""
    if dynamic is None or dynamic is False:
        return None
    tree = torch.utils._pytree
    if dynamic is True:
        auto = torch.export.Dim.AUTO

        def open_all(value: Any) -> Any:
            return dict.fromkeys(range(value.dim()), auto) if isinstance(value, torch.Tensor) else None

        shapes = tree.tree_map(open_all, args)
        return (*shapes, *tree.tree_map(open_all, kwargs).values()) if kwargs else shapes
    named: dict[str, Any] = {}

    def dimension(size: Any) -> Any:
        return named.setdefault(size, torch.export.Dim(size)) if isinstance(size, str) else size

    def renamed(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: renamed(item) if not isinstance(item, str) else dimension(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(renamed(item) if not isinstance(item, str) else dimension(item) for item in value)
        return value

    return renamed(dynamic)


def _compiled(model: Any, options: dict[str, Any], device: DeviceLike) -> Executable:
    """The executable of an ONNX model, which may have been compiled before."""
    from acc.compiler import compile_contents

    content = hashlib.sha256(model.SerializeToString(deterministic=True))
    content.update(json.dumps([options, repr(device)], default=repr, sort_keys=True).encode())
    key = content.hexdigest()
    if key in _made:
        _made.move_to_end(key)
        return _made[key]
    executable = Executable.from_contents(compile_contents(model, **options).contents, device=device)
    _made[key] = executable
    while len(_made) > _KEPT:
        _made.popitem(last=False)
    return executable


def to_array(tensor: Any) -> np.ndarray:
    """The memory of a tensor as an array, without a copy if it is contiguous; raises RunError for one elsewhere."""
    if tensor.device.type != "cpu":
        raise RunError(f"a tensor is on '{tensor.device}', and acc reads those on the CPU")
    tensor = tensor.detach().contiguous()
    if tensor.dtype == torch.bfloat16:
        import ml_dtypes

        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    try:
        return tensor.numpy()
    except TypeError as error:
        raise RunError(f"a tensor of {tensor.dtype} has no counterpart in numpy: {error}") from None


def to_tensor(array: np.ndarray) -> Any:
    """A tensor on the memory of an array."""
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    try:
        return torch.from_numpy(array)
    except TypeError:
        raise RunError(f"a result is {element_type(array.dtype).name}, which PyTorch has no tensor of") from None


def backend(graph: Any, example_inputs: Sequence[Any], **kwargs: Any) -> Callable[..., Any]:
    """What `torch.compile(model, backend="acc", options={...})` calls with every graph; options are `acc.compile`'s.

    A graph is exported and compiled when it first runs, with parameters and buffers as constants, for the sizes that
    it runs with; for others, or after parameters have changed, again. What acc cannot run, PyTorch does, and a
    ModelWarning says why, once for each graph.
    """
    return _Graph(graph, dict(kwargs.get("options") or {}))


class _Graph:
    """A graph of `torch.compile`, and what was compiled of it."""

    def __init__(self, graph: Any, options: dict[str, Any]) -> None:
        self._graph = graph
        self._options = options
        self._made: dict[Any, Callable[..., Any] | None] = {}
        self._warned = False

    def __call__(self, *args: Any) -> Any:
        reason = _obstacle(args)
        if reason:
            return self._eager(reason, args)
        key = tuple(_key(value) for value in args)
        if key not in self._made:
            try:
                self._made[key] = self._make(args)
            except AccError as error:
                self._made[key] = None
                return self._eager(str(error), args)
        made = self._made[key]
        return self._graph(*args) if made is None else made(*args)

    def _eager(self, reason: str, args: tuple[Any, ...]) -> Any:
        if not self._warned:
            self._warned = True
            warnings.warn(f"PyTorch runs a graph, and not acc: {reason}", ModelWarning, stacklevel=3)
        return self._graph(*args)

    def _make(self, args: tuple[Any, ...]) -> Callable[..., Any]:
        """The graph for these arguments; only tensors that are no parameters stay inputs."""
        given = [at for at, value in enumerate(args) if isinstance(value, torch.Tensor) and not _is_constant(value)]
        module = _WithConstants(self._graph, args, given)
        compiled = compile(module, tuple(args[at] for at in given), **self._options)
        return lambda *values: compiled(*(values[at] for at in given))


class _WithConstants(torch.nn.Module):
    """A graph some of whose arguments are always the same."""

    def __init__(self, graph: Any, args: tuple[Any, ...], given: Sequence[int]) -> None:
        super().__init__()
        self._graph = graph
        self._given = list(given)
        self._fixed: list[Any] = []
        for at, value in enumerate(args):
            if isinstance(value, torch.Tensor) and at not in self._given:
                self.register_buffer(f"constant{at}", value.detach())
                self._fixed.append(f"constant{at}")
            else:
                self._fixed.append(value if at not in self._given else None)

    def forward(self, *inputs: Any) -> Any:
        left = iter(inputs)
        args = [
            next(left) if at in self._given else getattr(self, value) if isinstance(value, str) else value
            for at, value in enumerate(self._fixed)
        ]
        return self._graph(*args)


def _is_constant(value: Any) -> bool:
    return isinstance(value, torch.nn.Parameter) or getattr(value, "_dynamo_static_input_type", None) is not None


def _key(value: Any) -> Any:
    """What a graph is compiled for: numbers, types and sizes of inputs, and which constants, as they are now."""
    if not isinstance(value, torch.Tensor):
        return value
    if _is_constant(value):
        return id(value), value.data_ptr(), value._version
    return value.dtype, tuple(value.shape)


def _obstacle(args: Sequence[Any]) -> str:
    """Why acc cannot run a graph on these arguments at all; empty if it can."""
    tensors = [value for value in args if isinstance(value, torch.Tensor)]
    elsewhere = next((value for value in tensors if value.device.type != "cpu"), None)
    if elsewhere is not None:
        return f"a tensor is on '{elsewhere.device}', and acc reads those on the CPU"
    if torch.is_grad_enabled() and any(value.requires_grad for value in tensors):
        return "gradients are asked for, which acc does not compute: run it under torch.no_grad()"
    return ""


def _register() -> None:
    """Makes the name "acc" known to torch.compile where acc is not installed as a package, which does so too."""
    dynamo = importlib.import_module("torch._dynamo")
    if "acc" not in dynamo.list_backends(exclude_tags=None):
        dynamo.register_backend(compiler_fn=backend, name="acc")


_register()
