"""acc as a backend of the `onnx` package: the interface its own tests and tools use.

A model is compiled at `prepare` if what it declares is enough, and otherwise at runs (`acc.specialization`).

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
from acc.frontend.model import input_names
from acc.specialization import Specialized

__all__ = ["AccBackend", "AccBackendRep", "is_compatible", "prepare", "run_model", "run_node", "supports_device"]


class AccBackendRep(BackendRep):
    """A prepared model, with what was compiled of it so far in `specialized`."""

    def __init__(self, model: ModelProto, options: Mapping[str, Any]) -> None:
        """Raises AccError if the model is refused whatever its inputs are."""
        self.inputs: tuple[str, ...] = input_names(model)
        self.outputs: tuple[str, ...] = tuple(value.name for value in model.graph.output)
        others = {name: value for name, value in options.items() if name not in ("values", "shapes")}
        self.specialized = Specialized(
            lambda values, shapes: acc.compile(model, values=values, shapes=shapes, **others),
            self.inputs,
            options.get("values"),
            options.get("shapes"),
        )

    @property
    def executable(self) -> Executable | None:
        """The compiled model, None if it depends on values or sizes of inputs."""
        return self.specialized.executable

    def run(self, inputs: Any, **kwargs: Any) -> tuple[np.ndarray, ...]:
        """Runs once: arrays in the order of the model's inputs, or by name; a tuple of arrays in order of outputs.

        Raises RunError for inputs that do not fit and, if the model depends on its inputs, what `acc.compile` raises.
        """
        if kwargs:
            raise RunError(f"there is no option '{next(iter(kwargs))}'")
        results = self.specialized.run(self._feeds(inputs))
        return tuple(results[name] for name in self.outputs)

    def _feeds(self, inputs: Any) -> dict[str, np.ndarray]:
        if isinstance(inputs, Mapping):
            known = set(self.inputs)
            return {str(name): np.asarray(array) for name, array in inputs.items() if name in known}
        arrays = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        wanted = self.specialized.fed
        if len(arrays) != len(wanted):
            raise RunError(f"the model has {len(wanted)} inputs, but {len(arrays)} arrays are given")
        return {name: np.asarray(array) for name, array in zip(wanted, arrays, strict=True)}


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
