"""What the generated classes of attributes share."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, ClassVar, Self, TypeVar

from acc import ir
from acc._mlir import AttributeClass
from acc.keyed_attributes import read_key, write_keys

__all__ = ["Enumeration", "KeyedAttribute", "TypedAttribute"]

C = TypeVar("C", bound=type["TypedAttribute"])

# The class of a builtin attribute by the name of the conversion that makes it.
_CLASSES = {"StrAttr": "StringAttr", "DictionaryAttr": "DictAttr"}


class Enumeration(IntEnum):
    """An enumeration: its cases are integers, their text is that of the IR."""

    text: str

    def __new__(cls, value: int, text: str = "") -> Self:
        case = int.__new__(cls, value)
        case._value_ = value
        case.text = text
        return case

    @classmethod
    def named(cls, text: str) -> Self:
        """The case of that text; raises ValueError."""
        for case in cls:
            if case.text == text:
                return case
        raise ValueError(f"{text!r} is no {cls.__name__}: {', '.join(case.text for case in cls)}")

    def __str__(self) -> str:
        return self.text


class TypedAttribute(ir.Attribute):
    """An attribute that a dialect of acc defines: `get` makes one, properties read its parameters.

    `TileAttr(attribute)` raises ValueError for attributes of other classes.
    """

    _class: ClassVar[AttributeClass]

    #: The name of the attribute, such as "te.tile".
    attr_name: ClassVar[str]

    def __init__(self, cast_from: ir.Attribute) -> None:
        if not self._class.isinstance(cast_from):
            raise ValueError(f"{cast_from} is not of class {type(self).__name__}")
        super().__init__(cast_from)

    @classmethod
    def isinstance(cls, other: ir.Attribute) -> bool:
        """Whether an attribute is of this class."""
        return cls._class.isinstance(other)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"

    @classmethod
    def _get(cls, context: ir.Context | None, values: tuple[Any, ...]) -> Any:
        """The attribute of all its parameters, in order."""
        return cls._class.get(context, values)

    @classmethod
    def _get_or_default(cls, context: ir.Context | None, values: tuple[Any, ...]) -> Any:
        """The same for attributes whose parser knows defaults: None stands for what an empty text means."""
        if None in values:
            default = cls(ir.Attribute.parse(f"#{cls.attr_name}<>", context))
            values = tuple(default._parameter(i) if value is None else value for i, value in enumerate(values))
        return cls._get(context, values)

    def _parameter(self, index: int) -> Any:
        return self._class.parameter(self, index)


class KeyedAttribute(TypedAttribute):
    """An attribute of keys and values, `#dialect.name<key = 0, other = "text">`, which its own parser checks.

    A key is read as if it were a property: an int, a str, or a keyword as a str; AttributeError for one that is not
    printed, because it has its default.
    """

    @classmethod
    def get(cls, *, context: ir.Context | None = None, **values: int | str) -> Self:
        """The attribute of these values; raises MLIRError for keys that there are not and values that are not legal.

        Keywords are strings that are identifiers, such as `dialect="public"`.
        """
        return cls(ir.Attribute.parse(f"#{cls.attr_name}<{write_keys(values)}>", context))

    def __getattr__(self, key: str) -> Any:
        return read_key(str(self), key)


def _typed(name: str) -> Callable[[C], C]:
    """Makes a class that of all attributes of this name."""

    def register(cls: C) -> C:
        cls._class = AttributeClass(name)
        cls._class.register(cls)
        cls.attr_name = name
        return cls

    return register


def _convert(builder: str, value: Any, context: ir.Context | None) -> ir.Attribute | None:
    """A Python value as a builtin attribute of the class that `builder` makes."""
    if value is None or isinstance(value, ir.Attribute):
        return value
    cls = getattr(ir, _CLASSES.get(builder, builder))
    if builder in ("AffineMapAttr", "TypeAttr"):
        return cls.get(value)
    if builder == "SymbolRefAttr":
        value = [value]
    return cls.get(value, context)
