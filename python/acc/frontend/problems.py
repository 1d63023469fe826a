"""What is wrong with a model, collected so that one error lists all of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from acc.errors import AccError, Fault, ModelError, NeedsShape, NeedsValue
from acc.wording import listing, plain

_MAX_LISTED = 100

UNKNOWN = "depends on sizes that are not known before run time"
"""What comparisons of sizes raise whose answer is not the same for all of them."""

# How many inputs a message names; the error itself has them all.
_MAX_NAMED = 8


class Unsupported(Exception):
    """The node at hand cannot be imported; the message is the reason."""


class NotConstant(Unsupported):
    """An operand that must be known is not; `name` is its ONNX name."""

    def __init__(self, reason: str, name: str) -> None:
        super().__init__(reason)
        self.name = name


class Expand(Unsupported):
    """The node is to be imported as the nodes by which ONNX defines it; a converter raises it."""


class Failed(Unsupported):
    """The node cannot be imported for reasons that are noted already."""


class NotStatic(Unsupported):
    """Sizes must be known and are not."""


@dataclass(frozen=True)
class Needs:
    """Inputs of the model that would have to be fixed: those whose values, and those whose sizes must be known."""

    values: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.values or self.shapes)


@dataclass
class Problems:
    """Reasons against importing one model.

    Attributes:
        source: what the user calls the model: its path, or "the model".
        examples: plausible sizes of inputs, by name, for messages that ask for sizes.
    """

    source: str
    examples: Mapping[str, Sequence[int]] = field(default_factory=dict)
    _lines: list[str] = field(default_factory=list)
    _values: list[str] = field(default_factory=list)
    _shapes: list[str] = field(default_factory=list)
    _fatal: bool = False
    _fault: bool = False

    def add(self, where: str, reason: str, needs: Needs | None = None, *, fault: bool = False) -> None:
        """Notes a reason; `where` names the node, input or tensor.

        needs: the inputs that would settle it if they were fixed; the message says so. fault: acc is to blame.
        """
        needs = needs or Needs()
        reason = plain(reason)
        line = f"{where}: {reason}"
        if needs and reason == UNKNOWN:
            line = f"{where}: {self._remedy(needs).removeprefix('it ')}"
        elif needs:
            # What is said of an input itself need not name it again.
            own = needs == Needs(shapes=needs.shapes[:1]) and where == f"input '{needs.shapes[0]}'"
            line += f": give them{self._options(needs)}" if own else f": {self._remedy(needs)}"
        self._lines.append(line)
        self._values += needs.values
        self._shapes += needs.shapes
        self._fatal |= not needs
        self._fault |= fault

    def mark(self) -> tuple[int, int, int, bool, bool]:
        """What `forget` goes back to."""
        return len(self._lines), len(self._values), len(self._shapes), self._fatal, self._fault

    def since(self, mark: tuple[int, int, int, bool, bool]) -> list[str]:
        """What was noted since a mark."""
        return self._lines[mark[0] :]

    def forget(self, mark: tuple[int, int, int, bool, bool]) -> None:
        """Drops what was noted since a mark."""
        for noted, count in zip((self._lines, self._values, self._shapes), mark[:3], strict=True):
            del noted[count:]
        self._fatal, self._fault = mark[3:]

    def raise_if_any(self) -> None:
        """Raises one ModelError that lists everything noted so far; a Fault if acc is to blame for some of it."""
        if not self._lines:
            return
        if len(self._lines) == 1:
            raise self._error(f"{self.source}: {self._lines[0]}")
        lines = self._lines[:_MAX_LISTED]
        if len(self._lines) > _MAX_LISTED:
            lines.append(f"and {len(self._lines) - _MAX_LISTED} more")
        text = "".join(f"\n  {line}" for line in lines)
        raise self._error(f"{self.source}: {len(self._lines)} problems{text}")

    def _error(self, message: str) -> AccError:
        """Sizes come before values, as they may make values constant."""
        values, shapes = tuple(dict.fromkeys(self._values)), tuple(dict.fromkeys(self._shapes))
        if self._fault:
            return Fault(message)
        if self._fatal:
            return ModelError(message)
        if shapes:
            return NeedsShape(message, shapes, values)
        return NeedsValue(message, values)

    def _remedy(self, needs: Needs) -> str:
        """What a problem depends on, and how that is fixed."""
        parts = []
        if needs.shapes:
            parts.append(f"the sizes of {_inputs(needs.shapes)}")
        if needs.values:
            parts.append(f"the value{'s' if len(needs.values) > 1 else ''} of {_inputs(needs.values)}")
        what = "it" if len(needs.values) == 1 and not needs.shapes else "them"
        return f"it depends on {' and '.join(parts)}: fix {what}{self._options(needs)}"

    def _options(self, needs: Needs) -> str:
        """The options that fix inputs, for the command line and for Python."""
        shapes = {name: self.examples.get(name, (1,)) for name in needs.shapes[:_MAX_NAMED]}
        values = needs.values[:_MAX_NAMED]
        options = [shlex.quote(f"{name}={','.join(map(str, sizes))}") for name, sizes in shapes.items()]
        shell = [f"--shape {option}" for option in options]
        shell += [f"--value {shlex.quote(name)}=..." for name in values]
        python = []
        if shapes:
            python.append("shapes={" + ", ".join(f'"{name}": {tuple(sizes)}' for name, sizes in shapes.items()) + "}")
        if values:
            python.append("values={" + ", ".join(f'"{name}": ...' for name in values) + "}")
        example = ", for example " if shapes else " "
        return f"{example}with {' '.join(shell)} (in Python {', '.join(python)})"


def _inputs(names: Sequence[str]) -> str:
    return ("input " if len(names) == 1 else "inputs ") + listing([f"'{name}'" for name in names], _MAX_NAMED)
