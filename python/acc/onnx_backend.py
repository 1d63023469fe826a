"""acc as a backend of the `onnx` package: the interface its own tests and tools use.

A model is compiled at `prepare` if what it declares is enough. Where an operator must know an input (axes, a
permutation) or the sizes of one, it is compiled at the first run with these and again when they change; the
inputs concerned are the ones that `acc.compile` asks for.

    import acc.onnx_backend as backend
    outputs = backend.prepare(onnx.load("model.onnx")).run([x])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper
from onnx.backend.base import Backend, BackendRep

import acc
from acc.errors import AccError, NeedsShape, NeedsValue, RunError
from acc.executable import Executable

__all__ = ["AccBackend", "AccBackendRep", "is_compatible", "prepare", "run_model", "run_node", "supports_device"]

MAX_SPECIALIZATIONS = 16
"""How many compilations for different values or sizes a prepared model keeps, the oldest going first."""


class AccBackendRep(BackendRep):
    """A prepared model.

    Attributes:
        executable: the compiled model, None if it depends on values or sizes of inputs.
        requirements: what compiling has asked for so far, values or sizes of inputs, in order.
    """

    def __init__(self, model: ModelProto, options: Mapping[str, Any]) -> None:
        """Raises AccError if the model is refused whatever its inputs are."""
        initializers = {tensor.name for tensor in model.graph.initializer}
        self.inputs: tuple[str, ...] = tuple(
            value.name for value in model.graph.input if value.name not in initializers
        )
        self.outputs: tuple[str, ...] = tuple(value.name for value in model.graph.output)
        self._model = model
        self._options = dict(options)
        self._values: set[str] = set(self._options.pop("values", None) or {})
        self._frozen: dict[str, Any] = dict(options.get("values") or {})
        self._shapes: set[str] = set()
        self._specialized: dict[object, Executable] = {}
        self.executable: Executable | None = None
        self.requirements: list[NeedsValue | NeedsShape] = []
        try:
            self.executable = self._compile({})
        except (NeedsValue, NeedsShape) as error:
            self._require(error)

    @property
    def specialized_inputs(self) -> tuple[str, ...]:
        """The inputs whose values are compiled in."""
        return tuple(name for name in self.inputs if name in self._values and name not in self._frozen)

    def run(self, inputs: Any, **kwargs: Any) -> tuple[np.ndarray, ...]:
        """Runs once: arrays in the order of the model's inputs, or by name; a tuple of arrays in order of outputs.

        Raises RunError for inputs that do not fit and, if the model depends on its inputs, what `acc.compile` raises.
        """
        if kwargs:
            raise RunError(f"there is no option '{next(iter(kwargs))}'")
        feeds = self._feeds(inputs)
        executable = self.executable or self._specialize(feeds)
        known = {info.name for info in executable.inputs}
        results = executable.run({name: array for name, array in feeds.items() if name in known})
        return tuple(results[name] for name in self.outputs)

    def _feeds(self, inputs: Any) -> dict[str, np.ndarray]:
        if isinstance(inputs, Mapping):
            feeds = {str(name): np.asarray(array) for name, array in inputs.items()}
        else:
            arrays = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
            wanted = [name for name in self.inputs if name not in self._frozen]
            if len(arrays) != len(wanted):
                raise RunError(f"the model has {len(wanted)} inputs, but {len(arrays)} arrays are given")
            feeds = {name: np.asarray(array) for name, array in zip(wanted, arrays, strict=True)}
        for name in self._values | self._shapes:
            if name not in feeds and name not in self._frozen:
                raise RunError(f"input '{name}' is missing")
        return feeds

    def _compile(self, feeds: Mapping[str, np.ndarray]) -> Executable:
        values = {name: feeds[name] for name in self._values if name not in self._frozen}
        shapes = dict(self._options.get("shapes") or {})
        shapes |= {name: feeds[name].shape for name in self._shapes - self._values}
        return acc.compile(self._model, **{**self._options, "values": self._frozen | values, "shapes": shapes})

    def _require(self, error: NeedsValue | NeedsShape) -> None:
        """Notes what the error asks for; raises it if that was given, or is nothing that a run can give."""
        wanted = self._values if isinstance(error, NeedsValue) else self._shapes
        new = set(error.inputs) - wanted
        if not new or not new <= set(self.inputs):
            raise error
        wanted |= new
        self.requirements.append(error)
        self._specialized.clear()

    def _specialize(self, feeds: Mapping[str, np.ndarray]) -> Executable:
        """The executable for the values and sizes of `feeds`; every turn of the loop learns of further ones."""
        while True:
            key = (
                *((name, feeds[name].shape, feeds[name].tobytes()) for name in sorted(self._values) if name in feeds),
                *((name, feeds[name].shape) for name in sorted(self._shapes)),
            )
            if key in self._specialized:
                return self._specialized[key]
            try:
                executable = self._compile(feeds)
            except (NeedsValue, NeedsShape) as error:
                self._require(error)
                continue
            while len(self._specialized) >= MAX_SPECIALIZATIONS:
                del self._specialized[next(iter(self._specialized))]
            self._specialized[key] = executable
            return executable


class AccBackend(Backend):
    """Compiles for the CPU; every refusal is an `acc.AccError` with the operator, the node and the reason."""

    @classmethod
    def is_compatible(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> bool:
        """Whether acc imports the model, perhaps only with values or sizes that a run will give."""
        try:
            acc.import_onnx(model, **kwargs)
        except (NeedsValue, NeedsShape):
            return cls.supports_device(device)
        except AccError:
            return False
        return cls.supports_device(device)

    @classmethod
    def prepare(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> AccBackendRep:
        """Compiles a model. Further arguments are those of `acc.compile`; raises what it raises."""
        if not cls.supports_device(device):
            raise acc.CompileError(f"there is no device '{device}': this backend runs on 'CPU'")
        return AccBackendRep(model, kwargs)

    @classmethod
    def run_model(cls, model: ModelProto, inputs: Any, device: str = "CPU", **kwargs: Any) -> tuple[np.ndarray, ...]:
        """Compiles and runs once."""
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(
        cls,
        node: NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[np.dtype, tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> tuple[np.ndarray, ...]:
        """Compiles and runs one node on arrays, in the order of its inputs that are not left out.

        opset_version: of the node's domain; the newest by default.
        """
        version = kwargs.pop("opset_version", None)
        names = list(dict.fromkeys(name for name in node.input if name))
        arrays = [np.asarray(array) for array in (inputs if isinstance(inputs, list | tuple) else [inputs])]
        if len(names) != len(arrays):
            raise RunError(f"the node reads {len(names)} inputs, but {len(arrays)} arrays are given")
        declared = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in zip(names, arrays, strict=True)
        ]
        outputs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
        graph = helper.make_graph([node], "node", declared, outputs)
        opset = helper.make_opsetid(node.domain, version or onnx.defs.onnx_opset_version())
        return cls.run_model(helper.make_model(graph, opset_imports=[opset]), arrays, device, **kwargs)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Only "CPU"."""
        return device.split(":")[0] == "CPU"


is_compatible = AccBackend.is_compatible
prepare = AccBackend.prepare
run_model = AccBackend.run_model
run_node = AccBackend.run_node
supports_device = AccBackend.supports_device
