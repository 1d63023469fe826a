"""Metamorphic: whether an operand is an input of the model or an initializer makes no difference, not in one bit.

    python test/support/constants_as_inputs.py [-k PATTERN] [-j N]

Every operator test of the onnx package is compiled with its inputs as inputs, which is the measure, then with all of
them as initializers, and with one of them at a time.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

import acc
from acc.onnx_backend import AccBackend
from onnx_conformance import Outcome, run_cases

Arrays = Mapping[str, np.ndarray]


def variants(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Which inputs become initializers: all, and one at a time where there are several."""
    if names:
        yield tuple(names)
    if len(names) > 1:
        yield from ((name,) for name in names)


def with_initializers(model: onnx.ModelProto, arrays: Arrays) -> onnx.ModelProto:
    """The model with initializers in place of those inputs."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    kept = [value for value in result.graph.input if value.name not in arrays]
    del result.graph.input[:]
    result.graph.input.extend(kept)
    result.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
    return result


def compute(model: onnx.ModelProto, feeds: Arrays) -> tuple[np.ndarray, ...]:
    """What acc computes; inputs that it must know are compiled in. Raises AccError."""
    return AccBackend.prepare(model).run(feeds)


def describe(found: Sequence[np.ndarray], wanted: Sequence[np.ndarray], rounded: bool = False) -> str:
    """The first difference; "" if there is none. rounded: floats that sums in another order may give are equal."""
    for index, (array, other) in enumerate(zip(found, wanted, strict=True)):
        if (array.dtype, array.shape) != (other.dtype, other.shape):
            return f"output {index} is {array.dtype}{array.shape}, not {other.dtype}{other.shape}"
        if rounded and array.dtype.kind == "f" and np.allclose(array, other, rtol=1e-5, atol=1e-6, equal_nan=True):
            continue
        if array.tobytes() != other.tobytes():
            bits = f"u{array.dtype.itemsize}" if array.dtype.itemsize < 16 else "V16"
            wrong = np.flatnonzero(np.ascontiguousarray(array).reshape(-1).view(bits) != other.reshape(-1).view(bits))
            at = int(wrong[0])
            return (
                f"output {index}: {wrong.size} of {array.size} elements differ, "
                f"the first is {array.flat[at]!r}, not {other.flat[at]!r}"
            )
    return ""


def differences(model: onnx.ModelProto, feeds: Arrays) -> tuple[int, list[str]]:
    """How many variants were compared with the measure, and where they differ. Raises AccError if there is none."""
    wanted = compute(model, feeds)
    found = []
    # With constant weights a transposed convolution is a plain one for each of its phases, which sums in its order.
    rounded = any(node.op_type == "ConvTranspose" for node in model.graph.node)
    tried = list(variants(list(feeds)))
    for names in tried:
        constants = {name: feeds[name] for name in names}
        try:
            results = compute(
                with_initializers(model, constants), {name: feeds[name] for name in feeds if name not in names}
            )
        except acc.AccError as error:
            found.append(f"{', '.join(names)} constant: {type(error).__name__}: {error}")
            continue
        if difference := describe(results, wanted, rounded):
            found.append(f"{', '.join(names)} constant: {difference}")
    return len(tried), found


def operator_cases() -> dict[str, tuple[onnx.ModelProto, Arrays]]:
    """The operator tests of the onnx package whose inputs are arrays of numbers, with the inputs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        cases = collect_testcases(None)
    found: dict[str, tuple[onnx.ModelProto, Arrays]] = {}
    for case in cases:
        if case.model is None or not case.data_sets:
            continue
        initialized = {tensor.name for tensor in case.model.graph.initializer}
        names = [value.name for value in case.model.graph.input if value.name not in initialized]
        values = [_as_array(value) for value in case.data_sets[0][0]]
        arrays = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        if len(arrays) == len(names):
            found[case.name] = (case.model, arrays)
    return found


def _as_array(value: object) -> np.ndarray | None:
    array = numpy_helper.to_array(value) if isinstance(value, TensorProto) else value
    if isinstance(array, np.generic):
        array = np.asarray(array)
    return array if isinstance(array, np.ndarray) and array.dtype.kind not in "OSU" else None


class Suite:
    """The cases, ready to run one by one in this process."""

    def __init__(self) -> None:
        self.cases = operator_cases()
        self.names = list(self.cases)

    def run(self, name: str) -> Outcome:
        started = time.perf_counter()
        try:
            count, found = differences(*self.cases[name])
        except acc.AccError as error:
            return Outcome(name, "refused", str(error).splitlines()[0])
        reason = "; ".join(found) if found else f"{count} variants"
        return Outcome(name, "wrong" if found else "passed", reason, seconds=time.perf_counter() - started)


def run_all(pattern: str = "", jobs: int = 2) -> Iterator[Outcome]:
    """The outcomes of all cases whose name matches, as they come."""
    suite = Suite()
    yield from run_cases(suite, [name for name in suite.names if re.search(pattern, name)], jobs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("-k", default="", metavar="REGEX", help="only cases whose name matches")
    parser.add_argument("-j", type=int, default=1, metavar="N", help="worker processes")
    args = parser.parse_args()
    outcomes = []
    for outcome in run_all(args.k, args.j):
        outcomes.append(outcome)
        if sys.stderr.isatty():
            print(f"\r{len(outcomes)} {outcome.name}\x1b[K", end="", file=sys.stderr, flush=True)
        if outcome.failed:
            print(f"{outcome.name}: {outcome.kind}: {outcome.reason}", flush=True)
    kinds = [outcome.kind for outcome in outcomes]
    compared = sum(int(outcome.reason.split()[0]) for outcome in outcomes if outcome.kind == "passed")
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(sorted(kinds)))
    print(f"{len(outcomes)} cases: {counts}; {compared} variants of those that passed are equal bit for bit")
    return int(any(outcome.failed for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
