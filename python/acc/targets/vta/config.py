"""Reading hardware configurations."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path

from acc.errors import ConfigError, ConfigWarning


def read_config(config: str | os.PathLike[str] | Mapping[str, object] | None) -> dict[str, object]:
    """The validated contents of a vta_config.json, with defaults filled in; None is the published configuration.

    Raises ConfigError naming every key that is malformed, violates the instruction set, or is meant to be another one.
    Keys of other tools are a ConfigWarning.
    """
    from acc._lib import _runtime

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
