"""How a model is quantized: one frozen object of choices, checked when it is made."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from acc.errors import AccError

if TYPE_CHECKING:
    from acc.targets.base import Target

__all__ = [
    "ACTIVATIONS",
    "MAX_SAMPLES",
    "RANGES",
    "ROUNDINGS",
    "WEIGHTS",
    "NothingToQuantize",
    "QuantizeError",
    "QuantizeOptions",
]


class QuantizeError(AccError):
    """A model cannot be quantized as asked: its data, its operators or the options do not allow it."""


class NothingToQuantize(QuantizeError):
    """No layer of a model can be integer arithmetic."""


WEIGHTS = ("int8", "int4")
ACTIVATIONS = ("int8", "uint8")
RANGES = ("auto", "minmax", "percentile", "entropy", "mse")
ROUNDINGS = ("nearest", "gptq")

MAX_SAMPLES = 1 << 24
"""More samples than this are taken for a generator that does not end."""


@dataclass(frozen=True)
class QuantizeOptions:
    """The choices of `acc.quantize`. Raises QuantizeError for values that mean nothing.

    Attributes:
        weights: "int8", or "int4" for convolutions and matrix products with constant weights.
        block: elements along the input axis that share a scale, of int4 weights of matrix products. 0 is one scale
            for each output channel; so is a number that no part of the axis is a multiple of.
        per_channel: whether int8 weights have a scale for each output channel, instead of one.
        activations: "int8" or "uint8". None is "uint8" with int4 weights, since ONNX Runtime 1.32 makes invalid models
            of int8 ones in operator sets from 21 on, and "int8" otherwise.
        symmetric: whether activations have zero point 0 (128 of uint8); None leaves it to the range.
        ranges: how the range of an activation is found. "minmax" is all that was seen. "percentile" leaves out the
            part of 1 - `percentile` / 100 at either end. "entropy" is the range whose histogram loses the least
            information (Migacz, 8-bit inference with TensorRT, 2017). "mse" has the least mean square error. "auto"
            has the least error of what the readers of the tensor make of it.
        percentile: for `ranges="percentile"`.
        fold_batch_norm: normalizations per channel become part of the convolution before them.
        equalize: channels of a tensor between two layers are scaled alike (cross-layer equalisation).
        rescale_outputs: channels of what a layer makes are scaled alike where only float operators read it, and back
            there.
        float_sums: what a matrix product makes for sums, normalizations and functions in float alone is not
            quantized. None is True, but where scales are chosen for hardware, whose results are integers, and for int4
            weights, whose products in blocks are no sums of integers (and lose more in ONNX Runtime 1.32 then).
        smooth: the same between a layer normalization and the matrix products behind it (SmoothQuant).
        correct_bias: biases make up for the mean error that quantized weights cause.
        hardware_friendly: scales that an accelerator needs fewer steps for are chosen where the error of no layer
            grows to more than twice what it was. None is True where one is the target, and False otherwise.
        ties: for `hardware_friendly`, where the accelerator rounds one half to: "even" or "up", which makes powers of
            two worth while. None is as the target does, or "even".
        tables: tables that rows are gathered from, such as embeddings, are int8 with a scale for each column.
        round_weights: "nearest", or "gptq", which rounds weights so that the errors of one make up for those of
            others. None is "gptq" for int4 and "nearest" otherwise.
        refine_weights: after "gptq", integers and scales are moved, one after the other, to where the error of the
            layer's outputs is the least.
        wide_share: which part of all int4 weights may be int8 instead, in those layers where that does most for the
            outputs of the model. None is an eighth, or none where scales are chosen for hardware, which may know one
            width only.
        wide: names of nodes whose weights are int8 where others are int4.
        exclude: names of nodes, or types of operators, that stay in float.
        float_outputs: leave layers in float of which nothing but outputs of the model and float operators are made.
        mask: the input that says which positions of sequences count; the padding of others is left out of all that is
            learned from samples. None is any input that proves to be one, "" none.
        max_samples: no more samples than this are used.
    """

    weights: str = "int8"
    block: int = 32
    per_channel: bool = True
    activations: str | None = None
    symmetric: bool | None = None
    ranges: str = "auto"
    percentile: float = 99.99
    fold_batch_norm: bool = True
    equalize: bool = True
    smooth: bool = True
    rescale_outputs: bool = True
    float_sums: bool | None = None
    correct_bias: bool = True
    hardware_friendly: bool | None = None
    ties: str | None = None
    tables: bool = True
    round_weights: str | None = None
    refine_weights: bool = True
    wide_share: float | None = None
    wide: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    float_outputs: bool = False
    mask: str | None = None
    max_samples: int = MAX_SAMPLES

    def __post_init__(self) -> None:
        _check_choice("weights", self.weights, WEIGHTS)
        if self.activations is not None:
            _check_choice("activations", self.activations, ACTIVATIONS)
        _check_choice("ranges", self.ranges, RANGES)
        if self.round_weights is not None:
            _check_choice("round_weights", self.round_weights, ROUNDINGS)
        if self.ties is not None:
            from acc.targets.ties import check_ties

            check_ties(self.ties)
        for name in ("symmetric", "hardware_friendly", "float_sums"):
            if getattr(self, name) not in (None, True, False):
                raise QuantizeError(f"{name} is True, False or None, not {getattr(self, name)!r}")
        for name in (
            "per_channel",
            "fold_batch_norm",
            "equalize",
            "smooth",
            "rescale_outputs",
            "correct_bias",
            "tables",
            "refine_weights",
            "float_outputs",
        ):
            if not isinstance(getattr(self, name), bool):
                raise QuantizeError(f"{name} is True or False, not {getattr(self, name)!r}")
        share = self.wide_share
        if share is not None and (not isinstance(share, int | float) or not 0 <= share <= 1):
            raise QuantizeError(f"wide_share is a number between 0 and 1, not {share!r}")
        if not _is_integer(self.block) or not 0 <= self.block <= 1 << 16:
            raise QuantizeError(f"block is a number of elements such as 32, or 0, not {self.block!r}")
        if not isinstance(self.percentile, int | float) or not 50 < self.percentile <= 100:
            raise QuantizeError(f"percentile is a number between 50 and 100, not {self.percentile!r}")
        if not _is_integer(self.max_samples) or self.max_samples < 1:
            raise QuantizeError(f"max_samples is a positive number, not {self.max_samples!r}")
        if self.mask is not None and not isinstance(self.mask, str):
            raise QuantizeError(f"mask is the name of an input, or '' for none, not {self.mask!r}")
        for field in ("exclude", "wide"):
            names = getattr(self, field)
            if isinstance(names, str) or not all(isinstance(name, str) for name in names):
                raise QuantizeError(f"{field} is a list of names of nodes or types of operators, not {names!r}")
            object.__setattr__(self, field, tuple(names))

    def for_targets(self, targets: Sequence[Target]) -> QuantizeOptions:
        """These options with what the targets decide, as far as it is left to them."""
        if not targets:
            return dataclasses.replace(self, hardware_friendly=bool(self.hardware_friendly), ties=self.ties or "even")
        from acc.targets.base import Accelerator

        accelerators = [target for target in targets if isinstance(target, Accelerator)]
        friendly = bool(accelerators) if self.hardware_friendly is None else self.hardware_friendly
        ties = "up" if any(target.ties == "up" for target in targets) else "even"
        return dataclasses.replace(self, hardware_friendly=friendly, ties=self.ties or ties)

    @property
    def rounding(self) -> str:
        """How weights are rounded, one of ROUNDINGS."""
        return self.round_weights or ("gptq" if self.weights == "int4" else "nearest")

    @property
    def spared(self) -> float:
        """The part of all weights that may be wider than others."""
        if self.weights != "int4":
            return 0.0
        return (0.0 if self.hardware_friendly else 0.125) if self.wide_share is None else float(self.wide_share)

    @property
    def keeps_sums(self) -> bool:
        """Whether results of products that only float operators read are not quantized."""
        if self.float_sums is None:
            return self.weights == "int8" and not self.hardware_friendly
        return self.float_sums and not self.hardware_friendly

    def weight_bits(self, layer: str) -> int:
        """The width of the weights of a layer, by the name of its node."""
        return 4 if self.weights == "int4" and layer not in self.wide else 8

    @property
    def activation_type(self) -> str:
        """What activations become, one of ACTIVATIONS."""
        return self.activations or ("uint8" if self.weights == "int4" else "int8")

    def to_dict(self) -> dict[str, Any]:
        """The choices by name, JSON-compatible."""
        return dataclasses.asdict(self) | {"exclude": list(self.exclude), "wide": list(self.wide)}


def make_options(**given: Any) -> QuantizeOptions:
    """The options of these names; raises QuantizeError for a name that is none."""
    known = [field.name for field in dataclasses.fields(QuantizeOptions)]
    for name in given:
        if name not in known:
            raise QuantizeError(f"there is no option '{name}': there are {', '.join(known)}")
    return QuantizeOptions(**given)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise QuantizeError(f"{name} is one of {', '.join(choices)}, not {value!r}")
