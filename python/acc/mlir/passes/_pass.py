"""The text of a pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

__all__ = ["Pass"]

Option = bool | int | float | str | Sequence[bool] | Sequence[int] | Sequence[float] | Sequence[str]


class Pass(str):
    """A pass with its options, as the text that the pass manager of a module takes.

    Attributes:
        element: the pass itself, as the pass manager of the operation it runs on takes it.
        anchor: the name of that operation, "" for any.
    """

    __slots__ = ("anchor", "element")
    element: str
    anchor: str

    @classmethod
    def of(cls, argument: str, anchor: str, options: Mapping[str, Option]) -> Self:
        """The pass that is called `argument` on the command line."""
        texts = [f"{name}={_text(name, value)}" for name, value in options.items() if not _is_empty(value)]
        element = f"{argument}{{{' '.join(texts)}}}" if texts else argument
        nested = f"{anchor}({element})" if anchor not in ("", "builtin.module") else element
        made = cls(nested)
        made.element = element
        made.anchor = anchor
        return made

    def on(self, operation: str) -> Self:
        """The same pass on all operations of this name; ValueError if it is for others."""
        if self.anchor and operation != self.anchor:
            raise ValueError(f"{self.element} is a pass for {self.anchor}, not for {operation}")
        return type(self).of(self.element, operation, {})


def _is_empty(value: Option) -> bool:
    """Whether a value is that of an option which is not written: no elements, no text."""
    return not isinstance(value, bool | int | float) and len(value) == 0


def _text(name: str, value: Option) -> str:
    """A value as pipelines spell it; ValueError for a string that they cannot."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        if any(c in value for c in " \t\n{},()'\""):
            raise ValueError(f"{name}: {value!r} cannot be an option of a pass")
        return value
    return ",".join(_text(name, element) for element in value)
