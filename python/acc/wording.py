"""What the compiler says, in the words of ONNX: users know nodes, element types and shapes, not acc's IR.

Passes and verifiers speak of the IR, since that is what people who work on it read: 'tensor<?x3xf32>',
'graph.conv', a size of -9223372036854775808. Everything that reaches a user goes through `plain`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from acc import targets
from acc.dtypes import BY_MLIR

__all__ = ["first_line", "is_plain", "listing", "plain", "raised"]

# The mark of a size that is not known, MLIR's ShapedType::kDynamic.
_UNKNOWN = str(-(2**63))

_TYPE = re.compile(r"(?:tensor|memref|vector)<|!quant\.uniform<")
# Element types as words of their own, and not as parts of names.
_ELEMENT = re.compile(rf"(?<![\w.'/:-])(?:{'|'.join(map(re.escape, BY_MLIR))})(?![\w.'/:-])")
_QUOTED = re.compile(r"'[^']*'")

# Sentences of MLIR's own, and what they mean.
_SENTENCES = (
    (r"^'[\w.]+' op ", ""),
    (
        r"operand #(\d+) must be (?:variadic of )?ranked tensor of (.*) values, but got ",
        r"operand \1 must be \2, but is ",
    ),
    (
        r"inferred type\(s\) (.*) are incompatible with return type\(s\) of operation (.*)",
        r"the result is \2 and not \1",
    ),
    (r"attribute '(\w+)' failed to satisfy constraint: .*", r"attribute '\1' is not valid"),
    (
        r"has \d+ index operands but \d+ values that are not constant",
        "depends on sizes that are not known before run time",
    ),
)

_MARKS = re.compile(
    r"(?:tensor|memref|vector|dense\w*|strided|affine_\w+)<|[!#]\w+[.<]|\b\d+x(?:[a-z]+\d+|index)\b"
    rf"|{_UNKNOWN}|\b(?:graph|te|tensor|memref|arith|linalg|scf|cf|func|builtin|llvm|bufferization|affine|math|vector"
    rf"|{'|'.join(targets.OWN)})"
    r"\.\w+|type\(s\)|see current operation|SmallVector|unrealized|\.(?:cpp|cc|h):\d+|%\w+ ="
)


def plain(text: str) -> str:
    """A message of the compiler in terms of ONNX: types such as float32[?, 3], no operators of acc's own."""
    for pattern, words in _SENTENCES:
        text = re.sub(pattern, words, text, flags=re.DOTALL)
    parts: list[str] = []
    position = 0
    while match := _TYPE.search(text, position):
        end = _closing(text, match.end())
        before, after = text[position : match.start()], text[end:]
        if before.endswith("'") and after.startswith("'"):
            before, end = before[:-1], end + 1
        parts += [before, _type(text[match.start() : end].rstrip("'"))]
        position = end
    text = "".join([*parts, text[position:]]).replace(_UNKNOWN, "?")
    # What stands in quotes is a name, unless all of it is an element type.
    pieces, position = [], 0
    for match in _QUOTED.finditer(text):
        element = BY_MLIR.get(match.group()[1:-1])
        pieces += [_elements(text[position : match.start()]), element.name if element else match.group()]
        position = match.end()
    return "".join([*pieces, _elements(text[position:])])


def is_plain(text: str) -> bool:
    """Whether a message is free of marks of the IR."""
    return not _MARKS.search(text)


def first_line(error: BaseException) -> str:
    """The first line of what an exception says, or its kind if it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def raised(error: BaseException) -> str:
    """What users' code raised, in one line: "ValueError: no such file"."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def listing(things: Sequence[str], most: int = 8) -> str:
    """Things as one reads them out, of many only the first."""
    shown = [*things[:most], *([f"{len(things) - most} more"] if len(things) > most else [])]
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def _closing(text: str, start: int) -> int:
    """Behind the bracket that closes what was opened before `start`; the end if nothing does."""
    depth = 1
    for position in range(start, len(text)):
        if text[position] == "<":
            depth += 1
        elif text[position] == ">" and text[position - 1] != "-":
            depth -= 1
            if depth == 0:
                return position + 1
    return len(text)


def _elements(text: str) -> str:
    return _ELEMENT.sub(lambda match: BY_MLIR[match.group()].name, text)


def _type(text: str) -> str:
    """A type of the IR as ONNX has it: an element type, and the shape of a tensor."""
    if text.startswith("!quant"):
        match = re.match(r"!quant\.uniform<([iu])(\d+)", text)
        return f"quantized {'u' if match.group(1) == 'u' else ''}int{match.group(2)}" if match else "quantized integers"
    body = text[text.index("<") + 1 :].removesuffix(">")
    match = re.match(r"((?:(?:\d+|\?|\[\d+\])x)*)(.*)", body, re.DOTALL)
    assert match is not None
    sizes, element = match.group(1).split("x")[:-1], match.group(2)
    # Behind the element type of a buffer stand its layout and its memory.
    quantized = re.match(r"!quant\.\w+<", element)
    element = element[: _closing(element, quantized.end())] if quantized else element.split(",")[0]
    name = BY_MLIR[element].name if element in BY_MLIR else _type(element) if quantized else element
    return f"{name}[{', '.join(sizes)}]"
