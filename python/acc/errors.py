"""The errors that a user of acc can cause, and nothing else.

Every one carries a message that names the ONNX node, file or option concerned and what to do.
The command line prints the message and exits with code 2; a traceback means a defect of acc.
"""


class AccError(Exception):
    """Base of all errors that input to acc can cause."""


class ModelError(AccError):
    """The model cannot be imported: not ONNX, unsupported operators, unknown shapes."""


class ConfigError(AccError):
    """A `vta_config.json` is malformed, violates the instruction set or does not fit itself."""


class CompileError(AccError):
    """A model was imported but cannot be compiled for the target."""


class ModelFileError(AccError):
    """A compiled model file is missing, corrupted or of another version."""


class RunError(AccError):
    """A compiled model or an instruction stream was given wrong inputs or failed while running."""
