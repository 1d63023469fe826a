"""The errors that a user of acc can meet.

Every one carries a message that names the ONNX node, file or option concerned and what to do.
The command line prints the message and exits with code 2. Defects of acc end in a `Fault`, whose cause has the details.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass


class AccError(Exception):
    """Base of all errors that input to acc can cause."""


class ModelError(AccError):
    """The model cannot be imported: not ONNX, unsupported operators, unknown shapes."""


class NeedsValue(ModelError):
    """Some operators must know inputs that are only known at run time; nothing else is wrong with the model.

    Attributes:
        inputs: their names. `acc.compile(model, values={name: array})` fixes them.
    """

    def __init__(self, message: str, inputs: tuple[str, ...]) -> None:
        super().__init__(message)
        self.inputs = inputs


class NeedsShape(ModelError):
    """Sizes of inputs must be known; otherwise nothing is known to be wrong with the model.

    Attributes:
        inputs: their names. `acc.compile(model, shapes={name: sizes})` fixes them.
        values: inputs whose values must be known too, as far as is known before the sizes are; see `NeedsValue`.
    """

    def __init__(self, message: str, inputs: tuple[str, ...], values: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.inputs = inputs
        self.values = values


class ConfigError(AccError):
    """A `vta_config.json` is malformed, violates the instruction set or does not fit itself."""


class ConfigWarning(UserWarning):
    """A `vta_config.json` says something that acc does not follow, such as the keys of other tools."""


class ModelWarning(UserWarning):
    """A model compiles, but not to what its user can have wanted."""


class TuningWarning(UserWarning):
    """A tuning log has lines that cannot be used, or none that can."""


class CompileError(AccError):
    """A model was imported but cannot be compiled for the target."""


class Fault(CompileError):
    """acc fails at a model for no reason that lies in the model: a defect of acc, which the message asks to report."""


class ModelFileError(AccError):
    """A compiled model file is missing, corrupted or of another version."""


class RunError(AccError):
    """A compiled model or an instruction stream was given wrong inputs or failed while running."""


@dataclass(frozen=True)
class Diagnostic:
    """One message of the compiler.

    `location` is MLIR's text of the location; `name` holds the ONNX node names in it, joined by commas,
    `file`, `line` and `column` the position in a source file. Each is None where unknown.
    """

    severity: str
    message: str
    location: str = "unknown"
    file: str | None = None
    line: int | None = None
    column: int | None = None
    name: str | None = None
    notes: tuple[Diagnostic, ...] = ()

    def __str__(self) -> str:
        """The message behind the place it belongs to, notes on further lines."""
        place = self.name or (f"{self.file}:{self.line}:{self.column}" if self.file else None)
        text = f"{place}: {self.message}" if place else self.message
        return "\n".join([text, *(f"  note: {note}" for note in self.notes)])


class MLIRError(AccError):
    """The compiler refused something: `diagnostics` holds what it said, in order.

    `message` is a summary for when it said nothing.
    """

    def __init__(self, message: str, diagnostics: tuple[Diagnostic, ...] = ()) -> None:
        self.message = message
        self.diagnostics = diagnostics
        errors = [str(diagnostic) for diagnostic in diagnostics if diagnostic.severity == "error"]
        super().__init__("\n".join(errors) or message)


def log_diagnostic(diagnostic: Diagnostic) -> None:
    """Passes a warning or remark of a successful compilation on to the logger `acc.mlir`."""
    from acc.wording import plain

    level = logging.WARNING if diagnostic.severity in ("warning", "error") else logging.INFO
    logging.getLogger("acc.mlir").log(level, "%s", plain(str(diagnostic)))
