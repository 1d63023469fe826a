"""Makes an ONNX model that fails at something smaller, as long as it goes on failing: delta debugging over its nodes.

The algorithm is ddmin of Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002). What a node
that is left out would have computed becomes an input of the model; what nothing is left to read becomes an output.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from acc.errors import AccError, ModelError

__all__ = ["Failure", "Reduced", "Runner", "reduce"]

Check = Callable[[onnx.ModelProto], bool]


@dataclasses.dataclass(frozen=True)
class Reduced:
    """What is left of a model, and how many checks it took."""

    model: onnx.ModelProto
    checks: int


@dataclasses.dataclass(frozen=True)
class Failure:
    """How a command ended: its exit code, negative for a signal, or None if it took too long."""

    code: int | None

    def __str__(self) -> str:
        if self.code is None:
            return "does not end in time"
        return f"ends with exit code {self.code}" if self.code >= 0 else f"ends with signal {-self.code}"


class Runner:
    """Runs a command on models; `fails_alike` says whether it fails as it did at first.

    command: words of a shell, in which {} stands for the model's file, which comes last otherwise. match: a text that
    the command must print too. timeout: seconds after which it is ended.
    """

    def __init__(self, command: str, match: str = "", timeout: float = 60.0) -> None:
        self._command, self._match, self._timeout = command, match, timeout
        self.first: Failure | None = None

    def __call__(self, model: onnx.ModelProto) -> tuple[Failure, str]:
        """How the command ends on a model, and what it prints."""
        with tempfile.TemporaryDirectory(prefix="acc-reduce-") as folder:
            path = Path(folder, "model.onnx")
            path.write_bytes(model.SerializeToString())
            quoted = shlex.quote(str(path))
            text = self._command.replace("{}", quoted) if "{}" in self._command else f"{self._command} {quoted}"
            none, pipe = subprocess.DEVNULL, subprocess.PIPE
            with subprocess.Popen(
                text, shell=True, start_new_session=True, stdin=none, stdout=pipe, stderr=subprocess.STDOUT
            ) as process:
                try:
                    said, _ = process.communicate(timeout=self._timeout)
                except subprocess.TimeoutExpired:
                    return Failure(None), ""
                finally:
                    # Whatever the command has started ends with it, also at Ctrl-C.
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.killpg(process.pid, signal.SIGKILL)
        return Failure(process.returncode), said.decode(errors="replace")

    def begin(self, model: onnx.ModelProto) -> Failure:
        """Notes how the command fails on the whole model; raises AccError if it does not."""
        failure, said = self(model)
        if failure.code == 0:
            raise AccError(f"'{self._command}' does not fail on the model, so there is nothing to keep")
        if failure.code in (126, 127):
            raise AccError(f"'{self._command}' cannot be run: {said.strip() or failure}")
        if self._match not in said:
            raise AccError(f"'{self._command}' fails, but does not print '{self._match}'")
        self.first = failure
        return failure

    def fails_alike(self, model: onnx.ModelProto) -> bool:
        """Whether the command fails on a model as it did on the whole one."""
        failure, said = self(model)
        return failure == self.first and self._match in said


def reduce(model: onnx.ModelProto, fails: Check, progress: Callable[[int, int], None] | None = None) -> Reduced:
    """The smallest model that is found on which `fails` holds, which it must on `model`.

    progress: told how many nodes are left, and how many checks were made. Raises ModelError for a model whose tensors
    have no types that could be inferred.
    """
    return _Reduction(model, fails, progress or (lambda nodes, checks: None)).run()


class _Reduction:
    def __init__(self, model: onnx.ModelProto, fails: Check, progress: Callable[[int, int], None]) -> None:
        try:
            self.model = onnx.shape_inference.infer_shapes(model, data_prop=True)
        except Exception as error:
            raise ModelError(f"the shapes of the model cannot be inferred: {str(error).splitlines()[0]}") from error
        self.fails, self.progress, self.checks = fails, progress, 0
        graph = self.model.graph
        self.infos = {info.name: info for info in (*graph.value_info, *graph.input, *graph.output)}
        self.stored = {tensor.name: tensor for tensor in graph.initializer}
        self.seen: dict[bytes, bool] = {}

    def run(self) -> Reduced:
        kept = self._minimal(list(range(len(self.model.graph.node))))
        best = self._build(kept) or self.model
        best = self._with_fewer_outputs(best)
        best = self._with_plain_constants(best)
        return Reduced(best, self.checks)

    def _try(self, model: onnx.ModelProto | None) -> bool:
        if model is None:
            return False
        key = model.SerializeToString(deterministic=True)
        if key not in self.seen:
            self.checks += 1
            self.seen[key] = self.fails(model)
            self.progress(len(model.graph.node), self.checks)
        return self.seen[key]

    def _minimal(self, nodes: list[int]) -> list[int]:
        """ddmin: leaves out ever smaller pieces until no single node can go."""
        pieces = 2
        while len(nodes) > 1:
            size = -(-len(nodes) // pieces)
            for start in range(0, len(nodes), size):
                rest = nodes[:start] + nodes[start + size :]
                if rest and self._try(self._build(rest)):
                    nodes, pieces = rest, max(pieces - 1, 2)
                    break
            else:
                if size == 1:
                    break
                pieces = min(2 * pieces, len(nodes))
        return nodes

    def _build(self, kept: Sequence[int]) -> onnx.ModelProto | None:
        """The model of some nodes; None if it would need an input of which no type is known."""
        graph = self.model.graph
        nodes = [graph.node[at] for at in kept]
        made = {name for node in nodes for name in node.output if name}
        read = {name for node in nodes for name in _reads(node)}
        inputs, constants = [], []
        for name in dict.fromkeys(name for node in nodes for name in _reads(node)):
            if name in made:
                continue
            if name in self.stored:
                constants.append(self.stored[name])
            elif name in self.infos and self.infos[name].type.WhichOneof("value"):
                inputs.append(self.infos[name])
            else:
                return None
        wanted = {info.name for info in graph.output}
        ends = [name for node in nodes for name in node.output if name and (name in wanted or name not in read)]
        if not ends:
            return None
        outputs = [self.infos.get(name) or helper.make_empty_tensor_value_info(name) for name in dict.fromkeys(ends)]
        return self._with_graph(nodes, inputs, outputs, constants)

    def _with_graph(
        self,
        nodes: Sequence[onnx.NodeProto],
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
        constants: Sequence[onnx.TensorProto],
    ) -> onnx.ModelProto:
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        del model.graph.node[:], model.graph.input[:], model.graph.output[:], model.graph.initializer[:]
        del model.graph.value_info[:]
        model.graph.node.extend(nodes)
        model.graph.input.extend(inputs)
        model.graph.output.extend(outputs)
        model.graph.initializer.extend(constants)
        return model

    def _with_fewer_outputs(self, model: onnx.ModelProto) -> onnx.ModelProto:
        for info in list(model.graph.output):
            others = [output for output in model.graph.output if output.name != info.name]
            graph = model.graph
            if others and self._try(smaller := self._with_graph(graph.node, graph.input, others, graph.initializer)):
                model = smaller
        return model

    def _with_plain_constants(self, model: onnx.ModelProto) -> onnx.ModelProto:
        """Constants become zeros where that makes no difference, one after the other."""
        for at, tensor in enumerate(list(model.graph.initializer)):
            try:
                array = numpy_helper.to_array(tensor)
            except (ValueError, TypeError, OSError):
                continue
            if not array.any():
                continue
            plain = onnx.ModelProto()
            plain.CopyFrom(model)
            plain.graph.initializer[at].CopyFrom(numpy_helper.from_array(np.zeros_like(array), tensor.name))
            if plain.graph.initializer[at].data_type == tensor.data_type and self._try(plain):
                model = plain
        return model


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    """What a node reads, also in graphs that are its attributes."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
            inside = {info.name for info in graph.input} | {tensor.name for tensor in graph.initializer}
            for inner in graph.node:
                yield from (name for name in _reads(inner) if name not in inside)
                inside.update(inner.output)
            yield from (info.name for info in graph.output if info.name not in inside)
