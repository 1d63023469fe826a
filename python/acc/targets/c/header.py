"""The header of a model in C: its interface, with names and sizes that users know."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from acc.container import TensorInfo

__all__ = ["C_TYPES", "identifier", "make_header"]

C_TYPES = {
    "float32": "float",
    "float64": "double",
    "float16": "uint16_t",
    "bfloat16": "uint16_t",
    "bool": "uint8_t",
    **{f"{sign}int{bits}": f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
"""By the name of an element type, what an element is in C."""

_NOTES = {"float16": ", as its bits", "bfloat16": ", as its bits", "bool": ", 0 or 1"}

# Words of C11 and C++, which may not be names of parameters, and the name of the last parameter.
_RESERVED = frozenset(
    """
    alignas alignof and arena asm auto bool break case catch char class const constexpr continue decltype default delete
    do double else enum explicit export extern false float for friend goto if inline int long mutable namespace new
    noexcept not nullptr operator or private protected public register restrict return short signed sizeof static struct
    switch template this throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while
    xor
    """.split()  # noqa: SIM905
)


def identifier(name: str, otherwise: str) -> str:
    """A name as an identifier of C; `otherwise` for one of which nothing is left."""
    plain = re.sub(r"[^0-9A-Za-z_]+", "_", name).strip("_")
    if not plain:
        return otherwise
    return f"{otherwise}_{plain}" if plain[0].isdigit() else plain


def _unique(names: Sequence[str], otherwise: str) -> list[str]:
    result: list[str] = []
    for name in names:
        chosen = base = identifier(name, otherwise)
        number = 2
        # Two names that differ in case alone would have one macro.
        while chosen in _RESERVED or chosen.upper() in [known.upper() for known in result]:
            chosen, number = f"{base}_{number}", number + 1
        result.append(chosen)
    return result


def make_header(
    prefix: str, source: str, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo], arena_bytes: int, align: int
) -> str:
    """The text of `prefix`.h, of a model that was read from `source`."""
    names = _unique([info.name for info in (*inputs, *outputs)], "tensor")
    macro = prefix.upper()
    lines, parameters = [], []
    for name, info in zip(names, (*inputs, *outputs), strict=True):
        shape = info.fixed_shape or ()
        is_input = len(lines) < len(inputs)
        sizes = " x ".join(map(str, shape)) or "one number"
        what = f"{'input' if is_input else 'output'} '{_comment(info.name)}': {sizes}, {info.dtype}"
        lines.append(
            f"/* {what}{_NOTES.get(info.dtype, '')} */\n#define {macro}_{name.upper()}_SIZE {max(math.prod(shape), 1)}"
        )
        parameters.append(f"{'const ' if is_input else ''}{C_TYPES[info.dtype]} *{name}")
    tensors = "\n".join(lines)
    return f"""\
/* {prefix}: the model '{_comment(source)}' in C11, made by acc. */
#ifndef {macro}_H
#define {macro}_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

{tensors}

/* What the model computes in between lies in an arena: memory of this many bytes
   whose address is a multiple of {macro}_ARENA_ALIGNMENT. Nothing in it outlives
   a run; one arena serves any number of models, one after the other. */
#define {macro}_ARENA_BYTES {max(arena_bytes, 1)}
#define {macro}_ARENA_ALIGNMENT {align}

/* An arena as a variable: static {macro}_ARENA(arena); */
#ifdef __cplusplus
#define {macro}_ARENA(name) unsigned char name alignas({macro}_ARENA_ALIGNMENT)[{macro}_ARENA_BYTES]
#else
#define {macro}_ARENA(name) _Alignas({macro}_ARENA_ALIGNMENT) unsigned char name[{macro}_ARENA_BYTES]
#endif

/* Runs the model once. Inputs and outputs are arrays of elements, the last axis
   first in memory, that do not overlap. Returns 0, or the number of a check in
   {prefix}.c that does not hold: then the outputs are undefined. */
int {prefix}_run({", ".join([*parameters, "void *arena"])});

#ifdef __cplusplus
}}
#endif

#endif
"""


def _comment(text: str) -> str:
    """A text that can stand in a comment."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return printable.replace("*/", "* /").replace("/*", "/ *")
