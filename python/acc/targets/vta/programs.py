"""The VTA programs of compiled models, for those who look into them."""

from __future__ import annotations

from typing import Any

from acc.container import ModelFile
from acc.errors import ModelFileError

INSTRUCTION_SET = "vta"


def decode(model: ModelFile, number: int) -> Any:
    """A program of a model as a `_runtime.Program`; raises ModelFileError if it is for another instruction set."""
    from acc._lib import _runtime

    program = model.programs[number]
    if program.instruction_set != INSTRUCTION_SET:
        raise ModelFileError(
            f"program {number} of '{model.path}' is for the instruction set '{program.instruction_set}', not for "
            f"'{INSTRUCTION_SET}': only its devices can read it"
        )
    return _runtime.read_program(program.data)
