"""Models behind ONNX Runtime's interface for Python: scripts that were written for it change one line.

    import acc.session as ort  # for: import onnxruntime as ort
    session = ort.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"x": x})

What only says how fast something runs or how much is logged is taken and has no effect; what acc cannot do raises.
Errors are acc's own: ModelError, CompileError, ModelFileError and RunError. What each of the methods does is described
in ONNX Runtime's documentation of its Python API.
"""

from __future__ import annotations

import ctypes
import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from acc.container import TensorInfo
from acc.devices import DeviceLike
from acc.dtypes import BY_NAME, BY_ONNX, element_type
from acc.errors import ModelError, ModelWarning, RunError
from acc.executable import Executable, empty_aligned, load
from acc.specialization import Specialized
from acc.threads import check_threads, usable_cores

__all__ = [
    "IOBinding",
    "InferenceSession",
    "ModelMetadata",
    "NodeArg",
    "OrtValue",
    "RunOptions",
    "SessionOptions",
    "get_available_providers",
    "get_device",
]

PROVIDER = "CPUExecutionProvider"
"""ONNX Runtime's name for the processor, which inputs and outputs are in the memory of on every target of acc."""


def get_available_providers() -> list[str]:
    """The one name of a provider that means something to acc."""
    return [PROVIDER]


def get_device() -> str:
    """Where inputs and outputs are."""
    return "CPU"


@dataclass(frozen=True)
class NodeArg:
    """An input or output of a model: its type as ONNX writes it, "tensor(float)", and its sizes, of which those that
    are open have a name, or None.
    """

    name: str
    type: str
    shape: list[int | str | None]


@dataclass(frozen=True)
class ModelMetadata:
    """What an ONNX model says of itself."""

    producer_name: str = ""
    graph_name: str = ""
    domain: str = ""
    description: str = ""
    graph_description: str = ""
    version: int = 0
    custom_metadata_map: Mapping[str, str] | None = None


class SessionOptions:
    """Options that make nothing but speed and logs different: native code of acc is optimised always, and runs on
    `intra_op_num_threads` threads (0 is the default of `acc.load`). Others cannot be set.
    """

    __slots__ = (
        "enable_cpu_mem_arena",
        "enable_mem_pattern",
        "enable_mem_reuse",
        "execution_mode",
        "execution_order",
        "graph_optimization_level",
        "inter_op_num_threads",
        "intra_op_num_threads",
        "log_severity_level",
        "log_verbosity_level",
        "logid",
        "use_deterministic_compute",
    )


class RunOptions:
    """Options of a run that have to do with logs only."""

    __slots__ = ("log_severity_level", "log_verbosity_level", "logid", "only_execute_path_to_fetches")


class OrtValue:
    """A tensor in the processor's memory; the array is not copied."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    @classmethod
    def ortvalue_from_numpy(cls, numpy_obj: np.ndarray, device_type: str = "cpu", device_id: int = 0) -> OrtValue:
        """The value that an array is."""
        _check_device(device_type)
        return cls(np.asarray(numpy_obj))

    @classmethod
    def ortvalue_from_shape_and_type(
        cls, shape: Sequence[int], element_type: Any, device_type: str = "cpu", device_id: int = 0
    ) -> OrtValue:
        """A value of a numpy type, or the number of one in ONNX, whose elements are not set."""
        _check_device(device_type)
        return cls(empty_aligned(tuple(shape), _dtype(element_type)))

    def numpy(self) -> np.ndarray:
        """The array itself."""
        return self._array

    def shape(self) -> list[int]:
        return list(self._array.shape)

    def data_type(self) -> str:
        """Such as "tensor(float)"."""
        return _type_name(self._array.dtype)

    def element_type(self) -> int:
        """The number of the element type in ONNX."""
        return element_type(self._array.dtype).onnx

    def data_ptr(self) -> int:
        """The address of the first element."""
        return self._array.__array_interface__["data"][0]

    def device_name(self) -> str:
        return "cpu"

    def is_tensor(self) -> bool:
        return True

    def has_value(self) -> bool:
        return True

    def tensor_size_in_bytes(self) -> int:
        return self._array.nbytes

    def update_inplace(self, np_arr: np.ndarray) -> None:
        """Copies an array of the same type and shape to where the value is."""
        if np_arr.shape != self._array.shape or np_arr.dtype != self._array.dtype:
            raise RunError(
                f"the value is {self._array.dtype}{list(self._array.shape)}, the array {np_arr.dtype}"
                f"{list(np_arr.shape)}"
            )
        np.copyto(self._array, np_arr)


class IOBinding:
    """Arrays that a session reads its inputs from and writes its outputs to."""

    def __init__(self, session: InferenceSession) -> None:
        self._session = session
        self._inputs: dict[str, np.ndarray] = {}
        self._bound: dict[str, np.ndarray | None] = {}
        self._outputs: dict[str, np.ndarray] = {}

    def bind_cpu_input(self, name: str, arr_on_cpu: np.ndarray) -> None:
        self._session._check_name(name, self._session.get_inputs(), "input")
        self._inputs[name] = np.asarray(arr_on_cpu)

    def bind_ortvalue_input(self, name: str, ortvalue: OrtValue) -> None:
        self.bind_cpu_input(name, ortvalue.numpy())

    def bind_input(
        self, name: str, device_type: str, device_id: int, element_type: Any, shape: Sequence[int], buffer_ptr: int
    ) -> None:
        """An input at an address, which must stay what it is until the run is over."""
        _check_device(device_type)
        self.bind_cpu_input(name, _at(buffer_ptr, _dtype(element_type), tuple(shape)))

    def bind_output(
        self,
        name: str,
        device_type: str = "cpu",
        device_id: int = 0,
        element_type: Any = None,
        shape: Sequence[int] | None = None,
        buffer_ptr: int | None = None,
    ) -> None:
        """An output that goes to an address, or to an array of its own."""
        _check_device(device_type)
        self._session._check_name(name, self._session.get_outputs(), "output")
        if buffer_ptr is None:
            self._bound[name] = None
            return
        if element_type is None or shape is None:
            raise RunError(f"output '{name}' is bound to an address without an element type and a shape")
        self._bound[name] = _at(buffer_ptr, _dtype(element_type), tuple(shape))

    def bind_ortvalue_output(self, name: str, ortvalue: OrtValue) -> None:
        self._session._check_name(name, self._session.get_outputs(), "output")
        self._bound[name] = ortvalue.numpy()

    def clear_binding_inputs(self) -> None:
        self._inputs.clear()

    def clear_binding_outputs(self) -> None:
        self._bound.clear()
        self._outputs.clear()

    def synchronize_inputs(self) -> None:
        """Nothing is under way between runs."""

    def synchronize_outputs(self) -> None:
        """Nothing is under way between runs."""

    def get_outputs(self) -> list[OrtValue]:
        """The outputs of the last run, in the order in which they were bound."""
        return [OrtValue(array) for array in self._outputs.values()]

    def copy_outputs_to_cpu(self) -> list[np.ndarray]:
        """The outputs of the last run, as copies."""
        return [array.copy() for array in self._outputs.values()]


class InferenceSession:
    """A model that runs: an ONNX model, which is compiled, or a model that acc has compiled."""

    def __init__(
        self,
        path_or_bytes: str | os.PathLike[str] | bytes | onnx.ModelProto,
        sess_options: Any = None,
        providers: Sequence[str | tuple[str, Mapping[str, Any]]] | None = None,
        provider_options: Sequence[Mapping[str, Any]] | None = None,
        *,
        device: DeviceLike = None,
        threads: int | None = None,
        **options: Any,
    ) -> None:
        """path_or_bytes: a file (.onnx, or .so for one that `acc compile` wrote), the bytes of an ONNX model, or a
        ModelProto. providers: names of ONNX Runtime, of which CPUExecutionProvider is there; a warning names others.
        device: what runs programs of accelerators, as in `acc.load`. threads: how many native code uses, rather than
        `intra_op_num_threads` of the options of the session. options: those of `acc.compile`, such as target,
        config and shapes.

        A model that depends on sizes or values of inputs is compiled when a run brings them, and again for others.
        Raises what `acc.compile` and `acc.load` raise, and RunError for an option that acc does not have.
        """
        _check_options(sess_options)
        _check_providers(providers)
        self._options = sess_options
        self._meta = ModelMetadata()
        self._inputs: list[NodeArg] = []
        self._outputs: list[NodeArg] = []
        wanted = threads if threads is not None else getattr(sess_options, "intra_op_num_threads", 0) or None
        self._threads = None if wanted is None else check_threads(wanted, RunError)
        is_path = isinstance(path_or_bytes, str | os.PathLike)
        if is_path and _is_compiled(path_or_bytes):
            if options:
                raise RunError(f"'{next(iter(options))}' is for an ONNX model, and this one is compiled already")
            executable = load(path_or_bytes, device=device, threads=self._threads)
            self._run = executable.run
        else:
            self._run, executable = self._compile(path_or_bytes, device, options)
        self._executable = executable
        if executable is not None:
            declared = {argument.name: argument.shape for argument in (*self._inputs, *self._outputs)}
            self._inputs = [_argument(info, declared.get(info.name)) for info in executable.inputs]
            self._outputs = [_argument(info, declared.get(info.name)) for info in executable.outputs]

    def _compile(self, model: Any, device: DeviceLike, options: dict[str, Any]) -> tuple[Any, Executable | None]:
        from acc.compiler import compile_contents
        from acc.frontend.model import input_names
        from acc.frontend.source import load_model

        proto = model
        if isinstance(model, str | os.PathLike):
            # For its names; it is compiled from the file, where its weights may stay.
            proto, _ = load_model(model)
        elif isinstance(model, bytes | bytearray | memoryview):
            proto = model = _parse(bytes(model))
        elif not isinstance(model, onnx.ModelProto):
            raise ModelError(f"a model is a path, bytes or a ModelProto, not {type(model).__name__}")
        fixed = options.pop("values", None), options.pop("shapes", None)
        self._meta = _metadata(proto)

        def compile(values: dict[str, Any], shapes: dict[str, Any]) -> Executable:
            contents = compile_contents(model, values=values or None, shapes=shapes or None, **options).contents
            return Executable.from_contents(contents, device=device, threads=self._threads)

        specialized = Specialized(compile, input_names(proto), *fixed)
        declared = {value.name: value for value in proto.graph.input}
        self._inputs = [_declared(declared[name]) for name in specialized.fed]
        # Texts are left out, as a warning says.
        texts = onnx.TensorProto.STRING
        self._outputs = [_declared(value) for value in proto.graph.output if value.type.tensor_type.elem_type != texts]
        return specialized.run, specialized.executable

    @property
    def threads(self) -> int:
        """How many threads native code uses."""
        if self._executable is not None:
            return self._executable.threads
        return self._threads or usable_cores()

    def get_inputs(self) -> list[NodeArg]:
        return list(self._inputs)

    def get_outputs(self) -> list[NodeArg]:
        return list(self._outputs)

    def get_overridable_initializers(self) -> list[NodeArg]:
        """None: acc compiles initializers in."""
        return []

    def get_modelmeta(self) -> ModelMetadata:
        return self._meta

    def get_providers(self) -> list[str]:
        return get_available_providers()

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        return {PROVIDER: {}}

    def get_session_options(self) -> Any:
        return self._options if self._options is not None else SessionOptions()

    def run(
        self, output_names: Sequence[str] | None, input_feed: Mapping[str, Any], run_options: Any = None
    ) -> list[np.ndarray]:
        """Runs once: the outputs of these names, in their order, or all; raises RunError for what does not fit."""
        return list(self._execute(output_names, input_feed, run_options, {}).values())

    def run_with_ort_values(
        self, output_names: Sequence[str] | None, input_dict_ort_values: Mapping[str, OrtValue], run_options: Any = None
    ) -> list[OrtValue]:
        """As `run`, on values."""
        feed = {name: value.numpy() for name, value in input_dict_ort_values.items()}
        return [OrtValue(array) for array in self.run(output_names, feed, run_options)]

    def io_binding(self) -> IOBinding:
        return IOBinding(self)

    def run_with_iobinding(self, iobinding: IOBinding, run_options: Any = None) -> None:
        """Runs once, on bound inputs, for bound outputs."""
        given = {name: array for name, array in iobinding._bound.items() if array is not None}
        iobinding._outputs = self._execute(list(iobinding._bound), iobinding._inputs, run_options, given)

    def _execute(
        self,
        names: Sequence[str] | None,
        feed: Mapping[str, Any],
        run_options: Any,
        given: Mapping[str, np.ndarray],
    ) -> dict[str, np.ndarray]:
        if getattr(run_options, "terminate", False):
            raise RunError("the run is terminated by its options")
        if not isinstance(feed, Mapping):
            raise RunError(f"the inputs are a dictionary of arrays by name, not {type(feed).__name__}")
        if isinstance(names, str):
            raise RunError(f"names of outputs are a list, not the text '{names}'")
        for name in names or ():
            self._check_name(name, self._outputs, "output")
        arrays = {
            str(name): value.numpy() if isinstance(value, OrtValue) else value
            for name, value in feed.items()
            # An optional input that is left out, as ONNX Runtime takes it.
            if value is not None
        }
        results = self._run(arrays, given)
        return {name: results[name] for name in (names or results)}

    def _check_name(self, name: str, known: Sequence[NodeArg], kind: str) -> None:
        if name not in {argument.name for argument in known}:
            names = ", ".join(f"'{argument.name}'" for argument in known)
            raise RunError(f"the model has no {kind} '{name}': its {kind}s are {names or 'none'}")


def _check_options(options: Any) -> None:
    """Raises RunError for options, ONNX Runtime's own too, that would have to have an effect."""
    if getattr(options, "enable_profiling", False):
        raise RunError("acc writes no profile of a session: see `acc profile` and `acc run --profile`")
    if getattr(options, "optimized_model_filepath", ""):
        raise RunError("acc writes no optimized ONNX model: see `acc compile --dump-stages`")


def _check_providers(providers: Sequence[str | tuple[str, Mapping[str, Any]]] | None) -> None:
    names = [item if isinstance(item, str) else item[0] for item in providers or ()]
    others = [name for name in names if name != PROVIDER]
    if not others:
        return
    if len(others) == len(names):
        raise RunError(
            f"there is no provider '{others[0]}', only {PROVIDER}: accelerators of acc are chosen by target="
        )
    warnings.warn(f"there is no provider '{others[0]}': {PROVIDER} is used", ModelWarning, stacklevel=3)


def _check_device(kind: str) -> None:
    if kind.lower() not in ("cpu", "cpu:0"):
        raise RunError(f"there is no memory of a device '{kind}': inputs and outputs are in that of the 'cpu'")


def _is_compiled(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds a compiled model rather than an ONNX model."""
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def _parse(data: bytes) -> onnx.ModelProto:
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise ModelError("the bytes are not an ONNX model, or a truncated one") from error
    if not model.HasField("graph"):
        raise ModelError("the bytes are not an ONNX model: it has no graph")
    return model


def _metadata(model: onnx.ModelProto) -> ModelMetadata:
    return ModelMetadata(
        model.producer_name,
        model.graph.name,
        model.domain,
        model.doc_string,
        model.graph.doc_string,
        model.model_version,
        {entry.key: entry.value for entry in model.metadata_props},
    )


def _type_name(dtype: np.dtype) -> str:
    number = element_type(dtype).onnx
    return f"tensor({onnx.TensorProto.DataType.Name(number).lower()})"  # pyright: ignore[reportArgumentType]


def _argument(info: TensorInfo, declared: Sequence[int | str | None] | None) -> NodeArg:
    """An input or output of a compiled model; sizes that stay open are called as the ONNX model declares them."""
    shape: list[int | str | None] = [None if size == "?" else size for size in info.shape]
    if declared is not None and len(declared) == len(shape):
        shape = [size if isinstance(size, int) else name for size, name in zip(shape, declared, strict=True)]
    return NodeArg(info.name, _type_name(BY_NAME[info.dtype].dtype), shape)


def _declared(value: onnx.ValueInfoProto) -> NodeArg:
    """An input or output as the model declares it, for one that is not compiled yet."""
    kind = value.type.tensor_type
    shape = [
        size.dim_value if size.HasField("dim_value") else size.dim_param if size.dim_param else None
        for size in kind.shape.dim
    ]
    element = BY_ONNX.get(kind.elem_type)
    return NodeArg(value.name, _type_name(element.dtype) if element else "", shape)


def _dtype(kind: Any) -> np.dtype:
    """The numpy type that a numpy type, or the number of an element type in ONNX, is."""
    if isinstance(kind, int):
        if kind not in BY_ONNX:
            raise RunError(f"{kind} is not the number of an element type that acc has")
        return BY_ONNX[kind].dtype
    wanted: Any = kind
    try:
        return np.dtype(wanted)
    except TypeError as error:
        raise RunError(f"{kind!r} is not an element type: {error}") from None


def _at(address: int, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """The array at an address, contiguous."""
    count = math.prod(shape) * dtype.itemsize
    if not count:
        return np.empty(shape, dtype)
    if not address:
        raise RunError("the address of an array is 0")
    memory = (ctypes.c_uint8 * count).from_address(address)
    return np.ctypeslib.as_array(memory).view(dtype).reshape(shape)
