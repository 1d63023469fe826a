"""Whether a node that is refused would be imported if its sizes were known.

A verifier or a converter that meets an open size may refuse the node for that, or for what is wrong with any sizes, and
its words do not always tell. So the node is imported again, on its own, with numbers in place of its open sizes: if
that works, or fails for reasons that depend on the numbers, then it is the sizes that are missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from acc import ir
from acc.frontend.call import Tensor, element_of, shape_of
from acc.frontend.emitter import Emitter
from acc.frontend.problems import Expand, Unsupported
from acc.frontend.sizes import Size, current, is_symbolic
from acc.wording import plain

# What stands for open sizes. All are the same at a time, so that they agree with each other.
TRIED = (1, 2, 3, 4, 8, 16, 64)

# Shapes differ from trial to trial where they only say what is refused.
_SHAPE = re.compile(r"\[[\d, ?]*\]")

Attempt = Callable[[Emitter, Mapping[str, Tensor | None]], object]
"""Imports the node with an emitter of its own, given what its operands are."""


@dataclass(frozen=True)
class Refusal:
    """Why a node is refused; `fault` if acc is to blame."""

    reason: str
    fault: bool = False

    @staticmethod
    def unforeseen(error: Exception) -> Refusal:
        """What is said of an exception that nobody foresaw."""
        said = ": ".join(filter(None, (type(error).__name__, str(error).strip().split("\n")[0])))
        return Refusal(f"cannot be imported, which is a fault of acc: please report it ({said})", fault=True)


def lasting(
    attempt: Attempt, operands: Mapping[str, Tensor | None], context: ir.Context, refusal: Refusal
) -> Refusal | None:
    """Why the node is refused whatever its sizes are, or None if known sizes could settle it.

    operands: what the node reads, by name. refusal: why it was refused with open sizes.
    """
    refusals = []
    for number in TRIED:
        try:
            _try(attempt, operands, context, number)
        except Expand:
            return None
        except Unsupported as error:
            refusals.append(Refusal(plain(str(error))))
        except Exception as error:
            refusals.append(Refusal.unforeseen(error))
        else:
            return None
    if len(set(refusals)) == 1:
        return refusals[0]
    kinds = {_SHAPE.sub("", plain(each.reason)) for each in (*refusals, refusal)}
    return refusal if len(kinds) == 1 else None


def sampled(size: int, number: int) -> int:
    """A size with a number for everything that is not known."""
    return current().sample(size, number) if isinstance(size, Size) else int(size)


def sampled_shape(tensor: Tensor, number: int) -> list[int]:
    return [sampled(size, number) for size in shape_of(tensor)]


def _try(attempt: Attempt, operands: Mapping[str, Tensor | None], context: ir.Context, number: int) -> None:
    module = ir.Module.create(loc=ir.Location.name("trial", context=context))
    function = ir.Operation.create(
        "func.func",
        attributes={"sym_name": "main", "function_type": ir.FunctionType.get([], [], context=context)},
        regions=1,
        loc=ir.Location.name("trial", context=context),
        ip=ir.InsertionPoint(module.body),
    )
    block = function.regions[0].blocks.append()
    emitter = Emitter(context, block)
    known: dict[str, Tensor | None] = {}
    for name, tensor in operands.items():
        if isinstance(tensor, np.ndarray):
            known[name] = _known(tensor, number) if is_symbolic(tensor) else tensor
        elif tensor is not None:
            type = ir.RankedTensorType.get(
                cast(Sequence[int | None], sampled_shape(tensor, number)), element_of(tensor)
            )
            known[name] = block.add_argument(type, emitter.location(name))
        else:
            known[name] = None
    attempt(emitter, known)


def _known(array: np.ndarray, number: int) -> np.ndarray:
    return np.array([sampled(size, number) for size in array.reshape(-1)], np.int64).reshape(array.shape)
