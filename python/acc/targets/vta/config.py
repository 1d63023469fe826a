"""Reading hardware configurations, and what policies know of an accelerator."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, log2
from pathlib import Path

from acc import _mlir, ir
from acc._lib import _runtime
from acc.errors import ConfigError, ConfigWarning

__all__ = ["Hardware", "load_config", "read_config"]


@dataclass(frozen=True)
class Hardware:
    """An accelerator: its configuration, and the dialect of the instructions that programs for it may use.

    activation_cycles: how long a function of one tensor may keep the vector unit, in cycles for a vector of results,
    before it is left to the host; None for as long as it takes.
    """

    config: _runtime.Config = field(default_factory=_runtime.Config)
    dialect: str = "acc"
    activation_cycles: int | None = None

    @staticmethod
    def from_keys(keys: Mapping[str, object], dialect: str = "acc", activation_cycles: int | None = None) -> Hardware:
        """Reads keys of vta_config.json; missing ones have the documented defaults. ConfigError if they are illegal."""
        return Hardware(_runtime.Config(json.dumps(dict(keys))), dialect, activation_cycles)

    @staticmethod
    def from_attribute(attribute: ir.Attribute) -> Hardware:
        """Reads a #vta.config."""
        text, dialect = _mlir.read_vta_config(attribute)
        return Hardware(_runtime.Config(text), dialect)

    def attribute(self, context: ir.Context) -> ir.Attribute:
        """The #vta.config. It holds the numbers alone: programs do not depend on where the accelerator is."""
        keys = json.loads(self.config.to_json())
        sizes = {key: value for key, value in keys.items() if isinstance(value, int)}
        return _mlir.make_vta_config(json.dumps(sizes), self.dialect, context)

    def depth(self, memory: str) -> int:
        """Elements of the scratchpad "inp", "wgt" or "acc"."""
        return self.config.depth(memory)

    def enlarged(self, memory: str, elements: int) -> str:
        """The key of a configuration whose scratchpad has room for `elements`, with the value it would need."""
        key = f"LOG_{memory.upper()}_BUFF_SIZE"
        now = int(getattr(self.config, key.lower()))
        return f"{key} {now + ceil(log2(elements / self.depth(memory)))} instead of {now}"


def read_config(config: str | os.PathLike[str] | Mapping[str, object] | None) -> dict[str, object]:
    """The validated contents of a vta_config.json, with defaults filled in; None is the published configuration.

    Raises ConfigError naming every key that is malformed, violates the instruction set, or is meant to be another one.
    Keys of other tools are a ConfigWarning.
    """
    if config is None:
        text, name = "{}", "the default configuration"
    elif isinstance(config, Mapping):
        name = "the configuration"
        try:
            text = json.dumps(dict(config))
        except TypeError as error:
            raise ConfigError(f"{name}: {error}") from None
    elif not isinstance(config, str | os.PathLike):
        raise ConfigError(f"a configuration is a path or a dictionary, not {type(config).__name__}")
    else:
        name = os.fspath(config)
        try:
            text = Path(config).read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"cannot read '{name}': {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"'{name}' is not a vta_config.json: not UTF-8 text") from None
        except ValueError as error:
            raise ConfigError(f"cannot read {name!r}: {error}") from None
    try:
        read, complaints = _runtime.Config.read(text)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None
    for complaint in complaints:
        warnings.warn(f"{name}: {complaint}", ConfigWarning, stacklevel=2)
    return json.loads(read.to_json())


def load_config(config: str | os.PathLike[str] | Mapping[str, object] | None) -> _runtime.Config:
    """What `read_config` reads, as the class of the instruction set; raises what it raises."""
    return _runtime.Config(json.dumps(read_config(config)))
