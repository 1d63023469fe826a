"""`acc.quantize`: a float model and samples to a quantized model."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from acc.files import replacing
from acc.quantization.calibration import (
    Programs,
    Progress,
    Runner,
    Statistics,
    Watch,
    calibrate,
    give_back,
    input_infos,
)
from acc.quantization.data import Data, open_samples
from acc.quantization.functions import function_of
from acc.quantization.importance import watch
from acc.quantization.methods import equalize, rescale_outputs, smooth
from acc.quantization.methods.correct_bias import correct_bias
from acc.quantization.methods.fold_batch_norm import fold_batch_norm
from acc.quantization.methods.gptq import choose_damping, damped, round_columns, scaled_best
from acc.quantization.methods.hardware import Chosen, choose_for_hardware
from acc.quantization.methods.refine import move_integers, move_scales
from acc.quantization.methods.widen import choose_wide
from acc.quantization.model import INT4_OPSET, MIN_OPSET, FloatModel, infer, prepare, read_model, serialized
from acc.quantization.options import NothingToQuantize, QuantizeError, QuantizeOptions, make_options
from acc.quantization.placement import Layer, Placement, Role, place
from acc.quantization.positions import Positions
from acc.quantization.products import Products, collect
from acc.quantization.qdq import fit_biases, write_qdq
from acc.quantization.ranges import Grid, clipped_share, find_range, make_grid, widened
from acc.quantization.state import Stage, State, keeping
from acc.quantization.tables import find_tables
from acc.quantization.weights import QuantizedWeight, WeightForm, quantize_rows
from acc.wording import listing

if TYPE_CHECKING:
    from acc.compiler import Config, TargetChoice
    from acc.quantization.precision import Evaluate, Search
    from acc.targets.base import Target

__all__ = ["LayerFacts", "Quantized", "TensorFacts", "quantize"]

FIRST_LOOK = 64
"""Samples that tell how large channels are, before what is scaled for that is calibrated."""

_SMALL = 2048
"""Columns of weights up to which one thread is enough."""

SECOND_PASS = 128
"""Samples that methods see which go through the samples once more."""


@dataclass(frozen=True)
class TensorFacts:
    """What is known of a quantized tensor: the range seen, the range chosen, and the share of numbers beyond it.

    name: of the tensor in the float model, and of what is quantized in the quantized one. is_root: whether the
    statistics are its own, and not those of a tensor that it is a part or a multiple of. in_float: whether it is made
    of integers but not quantized; range, scale and zero point are then those that it would have.
    """

    name: str
    seen: tuple[float, float]
    range: tuple[float, float]
    scale: float
    zero_point: int
    clipped: float
    statistics: Statistics = field(repr=False)
    is_root: bool = True
    in_float: bool = False


@dataclass(frozen=True)
class LayerFacts:
    """A layer that became integer arithmetic.

    Attributes:
        name, op_type: of its node.
        nodes: names of all nodes that it consists of.
        inputs, output: the tensors that it reads and makes; facts of them are in `Quantized.tensors`.
        weights: float ones, how they are quantized, and the integers in the model; None if there are none.
    """

    name: str
    op_type: str
    nodes: tuple[str, ...]
    inputs: tuple[str, ...]
    output: str
    weights: tuple[np.ndarray, QuantizedWeight, onnx.TensorProto] | None = field(default=None, repr=False)

    @property
    def weight(self) -> np.ndarray | None:
        """The weights before quantization, float32 in rows of an output each."""
        return self.weights[1].form.rows(self.weights[0]) if self.weights else None

    @property
    def quantized_weight(self) -> np.ndarray | None:
        """The same rows, as what the integers stand for."""
        if self.weights is None:
            return None
        _, how, tensor = self.weights
        values = onnx.numpy_helper.to_array(tensor).astype(np.int8)
        return replace(how, values=how.form.rows(values)).real

    @property
    def weight_bits(self) -> int | None:
        """Of an integer."""
        return self.weights[1].bits if self.weights else None


@dataclass(frozen=True)
class Quantized:
    """A quantized model and what is known of it.

    Attributes:
        model: standard ONNX with QuantizeLinear and DequantizeLinear.
        source: the float model in the form that was quantized: normalizations folded, channels equalised. Its
            tensors have the names that `layers` and `tensors` use; in `model`, NAME_quantized holds the integers of
            NAME.
        options: how it was made.
        layers: those that became integer arithmetic, in execution order.
        tensors: the quantized activations by name.
        left_in_float: names of nodes that stay in float, and the reasons.
        samples: how many it was calibrated with.
        search: what was measured to choose the precision of layers; None if nothing was.
        notes: what a user may want to know: constant tensors, methods that did not apply.
        hardware: what was chosen for an accelerator; None if there is none.
    """

    model: onnx.ModelProto
    source: FloatModel = field(repr=False)
    options: QuantizeOptions
    layers: tuple[LayerFacts, ...]
    tensors: dict[str, TensorFacts]
    left_in_float: tuple[tuple[str, str], ...]
    samples: int
    notes: tuple[str, ...] = ()
    search: Search | None = None
    hardware: Chosen | None = None

    @cached_property
    def float_model(self) -> onnx.ModelProto:
        """The float model of `source`, with weights of its own."""
        return self.source.build()

    def to_dict(self) -> dict[str, Any]:
        """What is known of it, JSON-compatible; not the model."""
        return {
            "options": self.options.to_dict(),
            "samples": self.samples,
            "layers": [
                {
                    "name": layer.name,
                    "op_type": layer.op_type,
                    "nodes": list(layer.nodes),
                    "inputs": list(layer.inputs),
                    "output": layer.output,
                    "weight_bits": layer.weight_bits,
                }
                for layer in self.layers
            ],
            "tensors": [
                {
                    "name": tensor.name,
                    "seen": list(tensor.seen),
                    "range": list(tensor.range),
                    "scale": tensor.scale,
                    "zero_point": tensor.zero_point,
                    "clipped": tensor.clipped,
                    "in_float": tensor.in_float,
                }
                for tensor in self.tensors.values()
            ],
            "left_in_float": [{"name": name, "reason": reason} for name, reason in self.left_in_float],
            "notes": list(self.notes),
            "search": self.search.to_dict() if self.search else None,
            "hardware": asdict(self.hardware) if self.hardware else None,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model, whole or not at all; raises QuantizeError if it cannot be written."""
        try:
            parts = serialized(self.model)
        except Exception as error:
            raise QuantizeError(f"cannot write '{os.fspath(path)}': {error}") from error
        with replacing(path, QuantizeError) as file:
            for part in parts:
                file.write(part)


def quantize(
    model: str | os.PathLike[str] | onnx.ModelProto | FloatModel,
    data: Data,
    options: QuantizeOptions | None = None,
    *,
    state: str | os.PathLike[str] | State | None = None,
    progress: Progress | None = None,
    statistics: Mapping[str, Statistics] | None = None,
    accuracy: str | None = None,
    evaluate: Evaluate | None = None,
    sensitivity: bool = False,
    target: TargetChoice = "cpu",
    config: Config | None = None,
    **choices: Any,
) -> Quantized:
    """Quantizes a float model: activations to 8 bits, weights to 8 or 4.

    model: a file, a ModelProto, or the `source` of another result. data: samples to calibrate with, see
    `acc.quantization.data.open_samples`. options, or choices by name: see QuantizeOptions. state: a file that holds
    what is done if Ctrl-C ends the work; if it is there already, the work goes on from it. It is removed when all is
    done. progress: called with a stage, how many samples are done, and how many there are (None if unknown).
    statistics: those of tensors that are known from an earlier calibration with the same samples, by name.

    accuracy: a bound such as "drop <= 0.3 %", "accuracy >= 75 %" or "sqnr >= 30 dB": layers stay in float, or get int8
    weights instead of int4 ones, as far as it takes to keep it, and the fastest such choice is returned. evaluate: what
    accuracy is, a function that is given a function from inputs to outputs, both dictionaries of arrays by name, and
    returns a number. sensitivity: measure the loss that each layer causes alone. See `acc.quantization.precision`;
    `Quantized.search` has what was measured. target, config: what cycles are counted for, as in `acc.compile`, and what
    scales are chosen for if it is an accelerator (`QuantizeOptions.hardware_friendly`).

    Raises QuantizeError if the model, the data and the options do not fit each other, ModelError if the model is none
    or acc cannot run it.
    """
    if options is not None and choices:
        raise QuantizeError(f"options are given as an object or by name, not both: '{next(iter(choices))}'")
    chosen = options if options is not None else make_options(**choices)
    if evaluate is not None and accuracy is None and not sensitivity:
        raise QuantizeError("nothing is evaluated without a bound on accuracy or a measure of sensitivity")
    targets: tuple[Target, ...] = ()
    if target != "cpu" or config is not None or accuracy is not None or sensitivity:
        # Without an accelerator, and nothing to be counted, the compiler has no part in it.
        from acc.compiler import resolve_targets

        targets = resolve_targets(target, config)
    with keeping(state, _name_of(evaluate)) as kept:
        if accuracy is not None or sensitivity:
            from acc.quantization.precision import Bound, search

            bound = Bound.parse(accuracy) if accuracy is not None else None
            return search(
                *(model, data, chosen, bound),
                **{"evaluate": evaluate, "targets": targets, "state": kept, "progress": progress},
            )
        return _Quantizer(model, data, chosen.for_targets(targets), progress, kept, statistics or {}).run()


def _name_of(evaluate: Evaluate | None) -> str:
    """What tells one evaluation from others."""
    return "" if evaluate is None else f"{getattr(evaluate, '__module__', '')}:{getattr(evaluate, '__qualname__', '')}"


class _Quantizer:
    def __init__(
        self,
        model: str | os.PathLike[str] | onnx.ModelProto | FloatModel,
        data: Data,
        options: QuantizeOptions,
        progress: Progress | None,
        state: State | None,
        statistics: Mapping[str, Statistics],
    ) -> None:
        self.options, self.progress, self.known = options, progress, statistics
        read = model.snapshot() if isinstance(model, FloatModel) else read_model(model)
        self.model = prepare(read, INT4_OPSET if options.weights == "int4" else MIN_OPSET)
        self.programs = Programs()
        inputs = input_infos(self.model.proto)
        self.samples = open_samples(data, inputs)
        self.positions = Positions(inputs, self.model.outputs, options.mask)
        self.state = state
        if state:
            state.claim(self._key())
        self.notes: list[str] = []
        self.hardware: Chosen | None = None
        # The tensors that code returns in all passes over the samples, so that it is the same.
        self.exposed: list[str] = []

    def _key(self) -> str:
        digest = hashlib.sha256(json.dumps(self.options.to_dict(), sort_keys=True).encode())
        digest.update(self.model.proto.SerializeToString(deterministic=True))
        for name, value in self.model.constants.items():
            digest.update(f"{name}{value.shape}{value.dtype}".encode())
            digest.update(np.ascontiguousarray(value).data.cast("B") if value.size else b"")
        return digest.hexdigest()

    def run(self) -> Quantized:
        options, model = self.options, self.model
        self._check_names()
        fold_batch_norm(model, into_layers=options.fold_batch_norm)
        placement = place(model, options)
        if not placement.layers:
            raise NothingToQuantize(f"nothing in the model can be quantized: {_reasons(placement)}")
        # A model of which statistics are known has been through this.
        self.exposed = self._wanted(placement)
        nodes = len(model.nodes)
        if not self.known and self._scale_channels(placement):
            infer(model)
            placement = place(model, options)
            if len(model.nodes) > nodes:
                # What was compiled is of another model.
                self.programs.close()
                self.exposed = self._wanted(placement)
        watched = {root: watch(model, placement, root) for root in placement.roots}
        statistics, count = {name: self.known[name] for name in watched if name in self.known}, 0
        unknown = {name: how for name, how in watched.items() if name not in statistics}
        if unknown:
            counted, count = calibrate(
                model,
                unknown,
                self.samples,
                limit=options.max_samples,
                progress=self.progress,
                state=self.state,
                programs=self.programs,
                more=self.exposed,
                positions=self.positions,
            )
            statistics |= counted
        if self.positions.mask is not None:
            self.notes.append(
                f"positions where '{self.positions.mask}' is {self.positions.ignored:g} are padding: they have no "
                "influence on others, and nothing is learned from them"
            )
        grids = self._grids(placement, statistics)
        # Quantizing weights corrects biases, which is no matter of the float model.
        source = model.snapshot()
        if options.rounding == "nearest" and not options.spared:
            # The model is not run any more.
            self.programs.close()
        give_back()
        with self._few_threads(placement):
            weights = self._weights(placement, statistics, watched, grids)
        self.programs.close()
        give_back()
        tables = find_tables(model, options)
        sums = rescale_outputs.sums(model, placement) if options.keeps_sums else set()
        written = {name: grid for name, grid in grids.items() if name not in sums}
        quantized, integers = write_qdq(model, placement, written, weights, tables)
        result = Quantized(
            quantized,
            source,
            options,
            tuple(self._layer_facts(layer, weights.get(layer.name), integers) for layer in placement.layers),
            self._tensor_facts(placement, grids, statistics, sums),
            tuple(
                (node.name, f"{node.op_type}: {reason}")
                for node, reason in placement.float_nodes
                if node.name not in tables
            ),
            count,
            tuple(self.notes),
            hardware=self.hardware,
        )
        return result

    def _check_names(self) -> None:
        names = {node.name for node in self.model.nodes} | {node.op_type for node in self.model.nodes}
        for name in self.options.exclude:
            if name not in names:
                raise QuantizeError(f"cannot exclude '{name}': the model has no node and no operator of that name")
        for name in self.options.wide:
            if name not in names:
                raise QuantizeError(f"cannot widen the weights of '{name}': the model has no node of that name")

    def _wanted(self, placement: Placement) -> list[str]:
        """The tensors that passes over the samples look at."""
        read = [layer.inputs[0] for layer in placement.layers if layer.weight is not None]
        return [
            *placement.roots,
            *(read if self.options.rounding == "gptq" else ()),
            *(self.model.outputs if self.options.spared else self.positions.needed),
        ]

    def _scale_channels(self, placement: Placement) -> int:
        """Makes channels alike where options want it; returns of how many tensors."""
        model, options = self.model, self.options
        wanted: dict[str, Watch] = {}
        if options.equalize:
            for group in equalize.groups(model, placement):
                axis = 1 if group.makers[0].node.op_type == "Conv" else -1
                wanted |= dict.fromkeys(group.tensors, Watch(axis))
        if options.smooth:
            wanted |= {name: watch(model, placement, name) for name in smooth.tensors(model, placement)}
        if options.rescale_outputs and options.per_channel:
            kept = rescale_outputs.sums(model, placement) if options.keeps_sums else ()
            for name, layer in rescale_outputs.tensors(model, placement).items():
                if name in kept:
                    continue
                wanted[name] = Watch(1 if layer.node.op_type == "Conv" else (model.rank(name) or 1) - 1)
        if not wanted:
            return 0
        wanted = {name: Watch(found.axis) for name, found in wanted.items()}
        self.exposed = [*self.exposed, *wanted]
        limit = min(options.max_samples, FIRST_LOOK)
        seen, _ = calibrate(
            model,
            wanted,
            self.samples,
            limit=limit,
            progress=self.progress,
            stage="looking at channels",
            state=self.state,
            programs=self.programs,
            more=self.exposed,
            positions=self.positions,
        )
        changed = 0
        if options.rescale_outputs and options.per_channel:
            changed += rescale_outputs.rescale_outputs(model, placement, seen)
        if options.smooth:
            changed += smooth.smooth(model, placement, seen, options)
        if options.equalize:
            changed += equalize.equalize(model, placement, seen, options)
        return changed

    def _grids(self, placement: Placement, statistics: dict[str, Statistics]) -> dict[str, Grid]:
        options = self.options
        roots: dict[str, Grid] = {}
        constant = []
        # What comes out of sums has no bounds of its own, as inputs and functions have.
        unbounded = {layer.output for layer in placement.layers if layer.role in (Role.ANCHOR, Role.SUM)}
        for root in placement.roots:
            seen = statistics[root]
            function = function_of(self.model, placement, root) if options.ranges == "auto" else None
            symmetric = bool(options.symmetric)
            low, high = find_range(
                seen,
                options.ranges,
                percentile=options.percentile,
                symmetric=symmetric,
                function=function,
                apart=placement.only_products_read(root),
            )
            if options.ranges == "auto" and root in unbounded:
                low, high = widened(seen, low, high)
            roots[root] = make_grid(low, high, options.activation_type, symmetric=symmetric)
            if seen.low == seen.high:
                constant.append(f"'{root}' ({seen.low:g})")
        if constant:
            self.notes.append(f"tensors that were constant for all samples: {listing(constant)}")
        return {
            name: roots[root] if factor == 1 else roots[root].scaled(factor)
            for name, (root, factor) in placement.tensors.items()
        }

    def _weights(
        self,
        placement: Placement,
        statistics: dict[str, Statistics],
        watched: dict[str, Watch],
        grids: dict[str, Grid],
    ) -> dict[str, QuantizedWeight]:
        model, options = self.model, self.options
        weights: dict[str, QuantizedWeight] = {}
        weighted = [layer for layer in placement.layers if layer.weight is not None]
        seen = {layer.name: self._channels(placement, statistics, layer) for layer in weighted}

        def nearest(layer: Layer, bits: int) -> None:
            found = seen[layer.name]
            weights[layer.name] = quantize_rows(
                layer,
                model.constants[layer.weight or ""],
                None if found is None else found[1],
                bits=bits,
                block=options.block,
                per_channel=options.per_channel,
            )
            self._fit(layer, weights, grids)

        for layer in weighted:
            nearest(layer, self._bits(layer))
        if options.hardware_friendly:
            squares = {name: None if found is None else found[1] for name, found in seen.items()}
            self.hardware = choose_for_hardware(
                model, placement, statistics, grids, weights, squares, ties=options.ties or "even"
            )
        if options.rounding == "gptq":
            self._round(weighted, weights, grids)
        if options.spared:
            for layer in self._worth_more(weighted, weights):
                nearest(layer, 8)
        for layer in weighted:
            found = seen[layer.name]
            if options.correct_bias and found is not None and correct_bias(model, layer, weights[layer.name], found[0]):
                self._fit(layer, weights, grids)
        return weights

    def _few_threads(self, placement: Placement) -> contextlib.AbstractContextManager[object]:
        """One thread for linear algebra, if the matrices are small.

        Between many small products, the threads of BLAS wait at full speed: two of them take three times as much time
        of the processors as one, and are no faster.
        """
        from threadpoolctl import threadpool_limits

        forms = [
            WeightForm.of(layer.node, self.model.constants[layer.weight].shape)
            for layer in placement.layers
            if layer.weight is not None
        ]
        small = all(len(form.channel) <= _SMALL for form in forms)
        return threadpool_limits(1 if small else None, user_api="blas")

    def _bits(self, layer: Layer) -> int:
        bits = self.options.weight_bits(layer.name)
        if bits == 4 and layer.node.op_type in ("MatMul", "Gemm") and not self.options.hardware_friendly:
            form = WeightForm.of(layer.node, self.model.constants[layer.weight or ""].shape)
            # Of products with an odd number of int4 weights for an output, OpenVINO 2026.4 leaves out the last.
            return 8 if len(form.channel) % 2 else 4
        return bits

    def _round(self, layers: Sequence[Layer], weights: dict[str, QuantizedWeight], grids: dict[str, Grid]) -> None:
        """Rounds weights so that errors make up for each other."""
        rounded: dict[str, np.ndarray] = {}
        if self.state:
            known = self.state.stages.get("rounding weights")
            rounded |= known.content() if known else {}
            # What is rounded needs no samples to go on.
            self.state.stages["rounding weights"] = Stage(0, "", True, lambda: rounded)
        left = []
        for layer in layers:
            if f"values {layer.name}" in rounded:
                weights[layer.name].values = rounded[f"values {layer.name}"]
                weights[layer.name].scales = rounded[f"scales {layer.name}"]
            else:
                left.append(layer)
        limit = min(self.options.max_samples, SECOND_PASS)
        for layer, products in collect(
            self.model, left, self.samples, limit, self.progress, self.programs, self.exposed, self.positions
        ):
            weight = weights[layer.name]
            self._round_one(layer, weight, products)
            self._fit(layer, weights, grids)
            rounded |= {f"values {layer.name}": weight.values, f"scales {layer.name}": weight.scales}
            if self.state:
                self.state.save_sometimes()

    def _round_one(self, layer: Layer, weight: QuantizedWeight, products: Products) -> None:
        rows = weight.form.rows(self.model.constants[layer.weight or ""])
        damping, mean = choose_damping(rows, weight, products), products.of_all
        if damping is None or mean is None:
            # To nearest, as they are, is the best that the samples know.
            return
        matrices = damped(mean, damping)
        weight.values = round_columns(rows, weight, matrices)
        # What is chosen for hardware are ratios of scales, and scales that are shared.
        movable = not self.options.hardware_friendly and weight.scales.size > 1
        if self.options.refine_weights:
            if movable and not weight.block and weight.bits < 8:
                scaled_best(rows, weight, matrices)
            weight.values = move_integers(rows, weight, matrices)
            if movable:
                weight.scales = move_scales(rows, weight, matrices)

    def _worth_more(self, layers: Sequence[Layer], weights: Mapping[str, QuantizedWeight]) -> list[Layer]:
        """The layers whose int4 weights become int8 ones."""
        known = self.state.results.get("wide weights") if self.state else None
        if known is None:
            runner = Runner(self.model, self.model.outputs, programs=self.programs, more=self.exposed)
            known = choose_wide(
                self.model, layers, weights, self.samples, self.options.spared, runner, self.positions, self.progress
            )
            if self.state:
                self.state.results["wide weights"] = known
        return [layer for layer in layers if layer.name in known]

    def _fit(self, layer: Layer, weights: dict[str, QuantizedWeight], grids: dict[str, Grid]) -> None:
        """Widens the scales of weights so that the bias fits, and rounds them again if they were too narrow."""
        weight, bias = weights[layer.name], None if layer.bias is None else self.model.constants[layer.bias]
        if fit_biases(layer, weight, bias, grids[layer.inputs[0]]):
            rows = weight.form.rows(self.model.constants[layer.weight or ""])
            weight.round(rows)

    def _channels(
        self, placement: Placement, statistics: dict[str, Statistics], layer: Layer
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Means and mean squares of the channels that weights meet, if the tensor's statistics are of them."""
        name = layer.inputs[0]
        root, factor = placement.tensors[name]
        seen = statistics[root]
        form = WeightForm.of(layer.node, self.model.constants[layer.weight or ""].shape)
        channels = int(form.groups * (form.channel.max(initial=-1) + 1))
        kept = name == root or channels == 1 or _keeps_channels(self.model, placement, name)
        if len(seen.sums) != channels or not kept:
            return None
        return seen.means * factor, seen.mean_squares * factor**2

    def _layer_facts(
        self, layer: Layer, weight: QuantizedWeight | None, integers: Mapping[str, onnx.TensorProto]
    ) -> LayerFacts:
        nodes = (layer.name, *(node.name for node in layer.chain))
        kind = layer.node.op_type
        if weight is None or layer.weight is None:
            return LayerFacts(layer.name, kind, nodes, layer.inputs, layer.output)
        weights = (self.model.constants[layer.weight], weight, integers[layer.name])
        return LayerFacts(layer.name, kind, nodes, layer.inputs, layer.output, weights)

    def _tensor_facts(
        self, placement: Placement, grids: dict[str, Grid], statistics: dict[str, Statistics], sums: set[str]
    ) -> dict[str, TensorFacts]:
        facts = {}
        for name, (root, factor) in placement.tensors.items():
            grid, seen = grids[name], statistics[root]
            facts[name] = TensorFacts(
                name,
                (seen.low * factor, seen.high * factor),
                (grid.low, grid.high),
                grid.scale,
                grid.zero_point,
                clipped_share(seen, grid.low / factor, grid.high / factor),
                seen,
                name == root,
                name in sums,
            )
        return facts


def _keeps_channels(model: FloatModel, placement: Placement, name: str) -> bool:
    """Whether a tensor has the channels of the one whose scale it has, moved over space alone."""
    while True:
        root = placement.tensors[name][0]
        if name == root:
            return True
        node = model.producers.get(name)
        if node is None or node.op_type not in (
            "MaxPool",
            "GlobalMaxPool",
            "Resize",
            "Upsample",
            "Pad",
            "Identity",
            "Mul",
            "Div",
        ):
            return False
        name = next(other for other in node.input if other and other not in model.constants)
        if name not in placement.tensors:
            return False


def _reasons(placement: Placement) -> str:
    told = dict.fromkeys(f"{node.name} ({node.op_type}): {reason}" for node, reason in placement.float_nodes)
    return listing(list(told), 4) or "it has no operators"
