"""The targets that are installed, by name: acc's own and those of other packages.

A package offers a target through the entry point group `acc.targets`, in its pyproject.toml:

    [project.entry-points."acc.targets"]
    toy = "acc_toy:Toy"

where `acc_toy.Toy` is a subclass of `acc.targets.base.Accelerator`.
"""

from __future__ import annotations

import importlib
import importlib.util
import types
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from acc.errors import CompileError

if TYPE_CHECKING:
    from acc.targets.base import Target

__all__ = ["OWN", "Flag", "command_packages", "find", "flags", "load", "names"]

GROUP = "acc.targets"

# Known without the entry points of an installed package, because acc also runs from its source tree.
OWN = {"c": "acc.targets.c.target:C", "cpu": "acc.targets.cpu.target:Cpu", "vta": "acc.targets.vta.target:Vta"}


@dataclass(frozen=True)
class Flag:
    """An option of a target that the command line has a flag for: the name in `Target.takes`, and the texts for --help.

    Options without one, such as those of other packages, are given as --option NAME=VALUE.
    """

    name: str
    metavar: str
    help: str


@cache
def flags() -> tuple[Flag, ...]:
    """The flags of acc's own targets, known without loading them."""
    modules = (importlib.import_module(f"acc.targets.{name}.flags") for name in OWN)
    return tuple(flag for module in modules for flag in module.FLAGS)


@cache
def command_packages() -> tuple[types.ModuleType, ...]:
    """The packages with commands for one target alone, of acc's own targets that have such."""
    specs = (importlib.util.find_spec(f"acc.targets.{name}.cli") for name in OWN)
    return tuple(importlib.import_module(spec.name) for spec in specs if spec is not None)


@cache
def _installed() -> dict[str, EntryPoint]:
    own = {name: EntryPoint(name, value, GROUP) for name, value in OWN.items()}
    return {**{entry.name: entry for entry in entry_points(group=GROUP)}, **own}


def names() -> tuple[str, ...]:
    """The names of all installed targets; whether each can be loaded is not known yet."""
    return tuple(sorted(_installed()))


def others() -> tuple[str, ...]:
    """The names of the targets of other packages than acc."""
    return tuple(name for name in names() if name not in OWN)


def find(name: str) -> type[Target]:
    """The target of that name.

    Raises CompileError if there is none (naming those that there are) or if the package that offers it cannot be
    loaded (with the reason); other targets still work then.
    """
    from acc.targets.base import Target

    # Known without a look at the packages that are installed, which takes a while.
    entry = EntryPoint(name, OWN[name], GROUP) if name in OWN else _installed().get(name)
    if entry is None:
        raise CompileError(f"there is no target '{name}': installed are {', '.join(names())}")
    try:
        module, _, attribute = entry.value.partition(":")
        loaded = getattr(importlib.import_module(module), attribute)
    except Exception as error:
        raise CompileError(
            f"target '{name}' ({entry.value}) cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not (isinstance(loaded, type) and issubclass(loaded, Target)):
        raise CompileError(f"target '{name}' ({entry.value}) is no acc.targets.base.Target")
    if loaded.name != name:
        raise CompileError(f"target '{name}' ({entry.value}) calls itself '{loaded.name}'")
    return loaded


def load(name: str) -> type[Target] | None:
    """As `find`, but None for a target that cannot be loaded."""
    try:
        return find(name)
    except CompileError:
        return None
