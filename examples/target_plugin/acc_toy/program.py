"""Programs of the toy, as text: a line per instruction, with its name and fields of numbers.

    toy inputs=4096 weights=4096 sums=512          the values that the memories hold
    load memory=inputs at=0 low=0,0 ...            zeros, and a box of a buffer inside of them, to a memory
    store memory=sums at=0 ...                     the other way, without zeros
    copy x=0 by=0,1 y=8 to=1,4 bounds=4,4          sums[y + to * d] = sums[x + by * d] for all d within the bounds
    dot x=0 by=8,0 w=0 along=0,8 y=0 to=1,0 ...    sums[y + to * d] += 8 inputs times 8 weights

Addresses and strides count values.
"""

from __future__ import annotations

from collections.abc import Mapping

from acc.targets.declared import Issue, Kernel, Load, Step, Store

Fields = dict[str, list[int]]


def write(kernel: Kernel, memories: Mapping[str, int]) -> bytes:
    """The program of a kernel."""
    head = "toy " + " ".join(f"{name}={size}" for name, size in memories.items())
    return "\n".join([head, *map(_line, kernel.steps), ""]).encode()


def _line(step: Step) -> str:
    if isinstance(step, Load | Store):
        box, view = (step.source, step.target) if isinstance(step, Load) else (step.target, step.source)
        name = "load" if isinstance(step, Load) else "store"
        fields: dict[str, object] = {"memory": view.memory, "at": view.offset, "by": view.strides}
        fields |= {"buffer": box.argument, "offset": box.offset, "sizes": box.sizes, "strides": box.strides}
        fields |= {"low": step.low, "high": step.high} if isinstance(step, Load) else {}
    else:
        name, fields = _compute(step)
    return " ".join([name, *(f"{key}={_text(value)}" for key, value in fields.items())])


def _compute(step: Issue) -> tuple[str, dict[str, object]]:
    name = step.intrinsic.removeprefix("toy_")
    names = [("x", "by"), ("w", "along"), ("y", "to")] if name == "dot" else [("x", "by"), ("y", "to")]
    fields: dict[str, object] = {}
    for (at, by), operand in zip(names, step.operands, strict=True):
        fields |= {at: operand.offset, by: operand.strides}
    return name, fields | {"bounds": step.bounds}


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def read(data: bytes) -> tuple[dict[str, int], list[tuple[str, str, Fields]]]:
    """The sizes of the memories; then per instruction its name, its memory, if it names one, and its numbers."""
    head, *lines = data.decode().splitlines()
    name, *sizes = head.split()
    if name != "toy":
        raise ValueError("not a program of the toy")
    return {key: int(size) for key, size in (text.split("=") for text in sizes)}, list(map(_read_line, lines))


def _read_line(line: str) -> tuple[str, str, Fields]:
    name, *texts = line.split()
    fields = dict(text.split("=") for text in texts)
    memory = fields.pop("memory", "")
    return name, memory, {key: [int(n) for n in text.split(",") if n] for key, text in fields.items()}
