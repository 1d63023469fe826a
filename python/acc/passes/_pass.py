"""The text of a pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

__all__ = ["Pass"]

#: By the name of a type: the classes that it accepts.
_ACCEPTED: dict[str, tuple[type, ...]] = {"bool": (bool,), "int": (int,), "float": (float, int), "str": (str,)}


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
    def of(cls, argument: str, anchor: str, options: Mapping[str, tuple[object, str]]) -> Self:
        """The pass that is called `argument` on the command line, for operations called `anchor`.

        Options are values with the names of their types, "ints" for a sequence of "int"; None is an option that is
        not given. TypeError if a value is of another type.
        """
        texts = []
        for name, (value, kind) in options.items():
            text = _text(f"{argument}: {name}", value, kind)
            if text:
                texts.append(f"{name}={text}")
        return cls._of(f"{argument}{{{' '.join(texts)}}}" if texts else argument, anchor)

    @classmethod
    def _of(cls, element: str, anchor: str) -> Self:
        made = cls(f"{anchor}({element})" if anchor not in ("", "builtin.module") else element)
        made.element = element
        made.anchor = anchor
        return made

    def on(self, operation: str) -> Self:
        """The same pass on all operations of this name; ValueError if it is for others."""
        if self.anchor and operation != self.anchor:
            raise ValueError(f"{self.element} is a pass for {self.anchor}, not for {operation}")
        return self._of(self.element, operation)


def _text(name: str, value: object, kind: str) -> str:
    """A value as pipelines spell it, "" if it is not given; TypeError for one of another type than `kind`."""
    if value is None:
        return ""
    if kind not in _ACCEPTED:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise TypeError(f"{name} is a sequence of {kind}, not {value!r}")
        return ",".join(_text(name, element, kind.removesuffix("s")) for element in value)
    if not isinstance(value, _ACCEPTED[kind]) or (isinstance(value, bool) and kind != "bool"):
        raise TypeError(f"{name} is of type {kind}, not {value!r}")
    if isinstance(value, str):
        if any(c in value for c in " \t\n{},()'\""):
            raise ValueError(f"{name}: {value!r} cannot be an option of a pass")
        return value
    return str(value).lower() if isinstance(value, bool) else repr(value)
