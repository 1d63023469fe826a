"""What is wrong with a model, collected so that one error lists all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from acc.errors import ModelError, NeedsShape, NeedsValue

_MAX_LISTED = 100


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


@dataclass
class Problems:
    """Reasons against importing one model.

    Attributes:
        source: what the user calls the model: its path, or "the model".
    """

    source: str
    _lines: list[str] = field(default_factory=list)
    _values: list[str] = field(default_factory=list)
    _shapes: list[str] = field(default_factory=list)
    _fatal: bool = False

    def add(self, where: str, reason: str, values: Sequence[str] = (), shapes: Sequence[str] = ()) -> None:
        """Notes a reason; `where` names the node, input or tensor.

        values, shapes: the inputs of the model whose values or sizes would settle it, if they would.
        """
        self._lines.append(f"{where}: {reason}")
        self._values += values
        self._shapes += shapes
        self._fatal |= not values and not shapes

    def raise_if_any(self) -> None:
        """Raises one ModelError that lists everything noted so far."""
        if not self._lines:
            return
        if len(self._lines) == 1:
            raise self._error(f"{self.source}: {self._lines[0]}")
        lines = self._lines[:_MAX_LISTED]
        if len(self._lines) > _MAX_LISTED:
            lines.append(f"and {len(self._lines) - _MAX_LISTED} more")
        listing = "".join(f"\n  {line}" for line in lines)
        raise self._error(f"{self.source}: {len(self._lines)} problems{listing}")

    def _error(self, message: str) -> ModelError:
        """Sizes come before values, as they may make values constant."""
        if self._fatal:
            return ModelError(message)
        if self._shapes:
            return NeedsShape(message, tuple(dict.fromkeys(self._shapes)))
        return NeedsValue(message, tuple(dict.fromkeys(self._values)))
