"""What is wrong with a model, collected so that one error lists all of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from acc.errors import ModelError

_MAX_LISTED = 100


class Unsupported(Exception):
    """The node at hand cannot be imported; the message is the reason."""


@dataclass
class Problems:
    """Reasons against importing one model.

    Attributes:
        source: what the user calls the model: its path, or "the model".
    """

    source: str
    _lines: list[str] = field(default_factory=list)

    def add(self, where: str, reason: str) -> None:
        """Notes a reason; `where` names the node, input or tensor."""
        self._lines.append(f"{where}: {reason}")

    def raise_if_any(self) -> None:
        """Raises one ModelError that lists everything noted so far."""
        if not self._lines:
            return
        if len(self._lines) == 1:
            raise ModelError(f"{self.source}: {self._lines[0]}")
        lines = self._lines[:_MAX_LISTED]
        if len(self._lines) > _MAX_LISTED:
            lines.append(f"and {len(self._lines) - _MAX_LISTED} more")
        listing = "".join(f"\n  {line}" for line in lines)
        raise ModelError(f"{self.source}: {len(self._lines)} problems{listing}")
