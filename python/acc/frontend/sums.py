"""Sums of products: Einsum, and the Fourier transforms, which are sums of products with a known matrix."""

from __future__ import annotations

import functools
import string
from collections.abc import Sequence

import numpy as np

from acc import ir
from acc.frontend.call import BOOL, PLAIN, Call, Tensor, dtype_of, element_of, shape_of
from acc.frontend.problems import Unsupported
from acc.frontend.reductions import cast_to, reshape
from acc.frontend.sizes import Size, are_same, current

DFT = {"axis": PLAIN, "inverse": BOOL, "onesided": BOOL}

_MAX_MATRIX = 1 << 26
"""Elements of the matrix of a Fourier transform: 256 MB."""


def convert_einsum(call: Call) -> list[Tensor]:
    """Writes out the ellipsis and the result, and multiplies more than two operands one after the other."""
    values = call.operands()
    terms, result = _parse(str(call.attributes["equation"]), [len(shape_of(value)) for value in values])
    values = _stretched(call, values, terms)
    while len(values) > 2:
        rest = set(result).union(*terms[2:])
        kept = "".join(letter for letter in dict.fromkeys(terms[0] + terms[1]) if letter in rest)
        product = call.emit("einsum", values[:2], equation=f"{terms[0]},{terms[1]}->{kept}")
        values, terms = [product, *values[2:]], [kept, *terms[2:]]
    return [call.emit("einsum", values, equation=f"{','.join(terms)}->{result}")]


def _stretched(call: Call, values: Sequence[ir.Value], terms: Sequence[str]) -> list[ir.Value]:
    """Operands in which every axis has the size of its letter, where that is 1 in some for all that is known."""
    sizes: dict[str, list[int]] = {}
    for value, term in zip(values, terms, strict=True):
        for letter, size in zip(term, shape_of(value), strict=True):
            sizes.setdefault(letter, []).append(size)
    wanted: dict[str, int] = {}
    for letter, found in sizes.items():
        differ = any(not are_same(found[:1], [size]) for size in found[1:])
        # A size that is known and not 1 is what the others must be.
        if differ and all(isinstance(size, Size) or size == 1 for size in found):
            wanted[letter] = functools.reduce(current().broadcast, found)
    results = []
    for value, term in zip(values, terms, strict=True):
        shape = [wanted.get(letter, size) for letter, size in zip(term, shape_of(value), strict=True)]
        single = len(set(term)) == len(term)
        results.append(
            value if not single or are_same(shape, shape_of(value)) else call.emit("expand", [value], shape=shape)
        )
    return results


def convert_gemm(call: Call) -> list[ir.Value]:
    """A product of matrices plus a third, which is added on its own if a run may find that it has to be repeated."""
    operands = call.operands()
    product = operands[:2]
    attributes = {name: call.attributes[name] for name in ("alpha", "beta", "transA", "transB")}
    if len(operands) < 3 or all(isinstance(size, int) for size in shape_of(operands[2])):
        return [call.emit("gemm", operands, **attributes)]
    total = call.emit("gemm", product, **attributes)
    rank = len(shape_of(operands[2]))
    if are_same(shape_of(operands[2]), shape_of(total)[2 - rank :]):
        return [call.emit("gemm", operands, **attributes)]
    added, beta = operands[2], call.attributes["beta"]
    if beta != 1:
        added = call.emit("mul", [added, call.literal(np.asarray(beta, dtype_of(element_of(added))))])
    return [call.emit("add", [total, added])]


def _parse(equation: str, ranks: list[int]) -> tuple[list[str], str]:
    """The letters of every operand and of the result."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise Unsupported(f"equation '{equation}' has {len(terms)} operands instead of {len(ranks)}")
    for term in [*terms, right]:
        if not set(term.replace("...", "", 1)) <= set(string.ascii_letters):
            raise Unsupported(f"equation '{equation}' is not valid")
    hidden = [rank - len(term.replace("...", "")) for term, rank in zip(terms, ranks, strict=True)]
    if any(count < 0 or (count > 0 and "..." not in term) for term, count in zip(terms, hidden, strict=True)):
        raise Unsupported(f"equation '{equation}' does not fit operands of ranks {ranks}")
    free = [letter for letter in string.ascii_letters if letter not in equation]
    longest = max(hidden)
    if longest > len(free):
        raise Unsupported(f"equation '{equation}' has more axes than there are letters")
    ellipsis = "".join(free[:longest])
    written = [term.replace("...", ellipsis[longest - count :]) for term, count in zip(terms, hidden, strict=True)]
    if arrow:
        # An ellipsis that the result lacks is summed over.
        return written, right.replace("...", ellipsis)
    once = sorted(letter for letter in set(left) & set(string.ascii_letters) if left.count(letter) == 1)
    return written, (ellipsis if "..." in left else "") + "".join(once)


def convert_dft(call: Call) -> list[Tensor]:
    value = call.operand(0)
    shape = shape_of(value)
    rank = len(shape)
    inverse, onesided = bool(call.attributes["inverse"]), bool(call.attributes["onesided"])
    given = -2
    if call.opset < 20:
        given = call.integer("axis")
    elif call.has(2):
        given = int(call.scalar(2, "axis"))
    axis = call.axis(given, rank)
    if axis == rank - 1 or rank < 2 or shape[-1] not in (1, 2):
        raise Unsupported(f"has no signal along axis {axis} of {list(shape)}")
    if shape[axis] < 1:
        raise Unsupported("transforms a signal of unknown or no length")
    length = 2 * (shape[axis] - 1) if inverse and onesided else shape[axis]
    if call.has(1):
        length = int(call.scalar(1, "dft_length"))
    if length < 1:
        raise Unsupported(f"transforms a signal of length {length}")
    matrix = call.literal(_fourier_matrix(shape[axis], shape[-1], length, inverse, onesided))
    letters = string.ascii_letters[:rank]
    out = letters[:axis] + "Y" + letters[axis + 1 : -1] + "Z"
    equation = f"{letters},{letters[axis]}{letters[-1]}YZ->{out}"
    # Waves cancel: in f64, what is zero comes out as zero.
    result = call.emit("einsum", [cast_to(call, value, np.dtype(np.float64)), matrix], equation=equation)
    return [cast_to(call, result, element_of(value))]


def _fourier_matrix(steps: int, parts: int, length: int, inverse: bool, onesided: bool) -> np.ndarray:
    """How (step, real or imaginary part) of a signal counts in (bin, part) of its transform."""
    bins = length // 2 + 1 if onesided and not inverse else length
    if steps * parts * bins * 2 > _MAX_MATRIX:
        raise Unsupported(f"a transform of length {length} is too long")
    # Products modulo the length keep the angles exact.
    angles = 2 * np.pi * (np.outer(np.arange(steps), np.arange(bins)) % length) / length
    cosines, sines = np.cos(angles), np.sin(angles) * (1 if inverse else -1)
    matrix = np.empty((steps, 2, bins, 2))
    matrix[:, 0, :, 0], matrix[:, 1, :, 0] = cosines, -sines
    matrix[:, 0, :, 1], matrix[:, 1, :, 1] = sines, cosines
    if inverse:
        matrix /= length
    if inverse and onesided:
        # The other half of the bins are conjugates of those given.
        weights = np.zeros(steps)
        weights[: length // 2 + 1] = 2
        weights[0] = 1
        if length % 2 == 0 and length // 2 < steps:
            weights[length // 2] = 1
        return (matrix * weights[:, None, None, None])[:, :parts, :, :1]
    matrix[length:] = 0
    return matrix[:, :parts]


def convert_stft(call: Call) -> list[Tensor]:
    """A convolution with the waves of every bin, under the window."""
    value = call.operand(0)
    shape = shape_of(value)
    if len(shape) != 3 or shape[2] not in (1, 2):
        raise Unsupported(f"signal {list(shape)} is not of the shape (batch, steps, 1 or 2)")
    step = int(call.scalar(1, "frame_step"))
    window = call.operand(2) if call.has(2) else None
    if call.has(3):
        length = int(call.scalar(3, "frame_length"))
    elif window is not None:
        length = shape_of(window)[0]
    else:
        raise Unsupported("needs a window or a frame_length")
    if step < 1 or length < 1 or (window is not None and list(shape_of(window)) != [length]):
        raise Unsupported(f"frames of {length} steps, {step} apart, do not fit the window")
    matrix = _fourier_matrix(length, shape[2], length, False, bool(call.attributes["onesided"]))
    bins = matrix.shape[2]
    waves = matrix.transpose(2, 3, 1, 0).reshape(bins * 2, shape[2], length)
    weight: ir.Value = call.literal(np.ascontiguousarray(waves, dtype_of(element_of(value))))
    if window is not None:
        weight = call.emit("mul", [weight, window])
    signal = call.emit("transpose", [value], perm=[0, 2, 1])
    result = call.emit("conv", [signal, weight], strides=[step], pads=[0, 0], dilations=[1])
    batch, _, frames = shape_of(result)
    return [reshape(call, call.emit("transpose", [result], perm=[0, 2, 1]), [batch, frames, bins, 2])]
