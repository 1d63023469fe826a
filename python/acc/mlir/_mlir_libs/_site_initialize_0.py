"""What upstream's bindings import when they are first loaded: acc's dialects and passes."""

from ._acc import register_dialects as register_dialects
