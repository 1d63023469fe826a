"""The space of an exploration, and the file that it is read from."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from acc.errors import ConfigError
from acc.exploration.design import Designs

__all__ = ["Space", "SpaceChoice", "read_space"]

Space = Mapping[str, tuple[int, ...]]
"""The values that knobs may have, ascending; other knobs have their defaults."""
SpaceChoice = str | os.PathLike[str] | Mapping[str, Any]

MOST_VALUES = 1 << 16


def read_space(space: SpaceChoice | None, designs: Designs) -> Space:
    """A space as a file, as what such a file contains, or None for the usual one.

    Raises ConfigError naming the file and the knob for what cannot be read, is no knob, or has no values.
    """
    if space is None:
        return {name: tuple(values) for name, values in designs.usual().items()}
    if isinstance(space, Mapping):
        name, data = "the space", space
    else:
        name = f"'{os.fspath(space)}'"
        try:
            data = tomllib.loads(Path(space).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"cannot read {name}: {error.strerror or error}") from None
        except ValueError as error:
            raise ConfigError(f"{name} is no space: {error}") from None
    knobs = data.get("knobs", data)
    if not isinstance(knobs, Mapping) or (knobs is not data and len(data) > 1):
        raise ConfigError(f"{name} is no space: it has knobs, each a name with its values, and nothing else")
    found = {}
    for knob, values in knobs.items():
        if knob not in designs.knobs:
            near = difflib.get_close_matches(str(knob), designs.knobs, 1, 0.6)
            hint = f": is '{near[0]}' meant?" if near else f": there are {', '.join(designs.knobs)}"
            raise ConfigError(f"{name}: there is no knob '{knob}'{hint}")
        try:
            found[knob] = _values(values)
        except ValueError as error:
            raise ConfigError(f"{name}: '{knob}': {error}") from None
    return found


def _whole(value: object) -> int:
    if isinstance(value, bool):
        return int(value)
    if not isinstance(value, int):
        raise ValueError(f"{value!r} is not a whole number")
    return value


def _values(values: object) -> tuple[int, ...]:
    if isinstance(values, Mapping):
        if not {"from", "to"} <= values.keys() <= {"from", "to", "step"}:
            raise ValueError("a range is { from = ..., to = ... }, and may have a step")
        first, last, step = (_whole(values.get(key, 1)) for key in ("from", "to", "step"))
        if step < 1 or last < first or (last - first) // step >= MOST_VALUES:
            raise ValueError(f"from {first} to {last} in steps of {step} is no range")
        return tuple(range(first, last + 1, step))
    if isinstance(values, Sequence) and not isinstance(values, str):
        if not values:
            raise ValueError("it has no values")
        return tuple(sorted({_whole(value) for value in values}))
    return (_whole(values),)
