"""What the generated classes of attributes share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self, TypeVar

from acc.keyed_attributes import read_key, write_keys

from ._mlir_libs._acc import AttributeClass
from .ir import AttrBuilder, Attribute, Context, TypeID, register_type_caster

__all__ = ["KeyedAttribute", "TypedAttribute"]

C = TypeVar("C", bound=type["TypedAttribute"])


class TypedAttribute(Attribute):
    """An attribute that a dialect of acc defines: `get` makes one, properties read its parameters.

    As upstream's own classes: attributes that come out of the IR are of their class already, and
    `TileAttr(attribute)` raises ValueError for others.
    """

    _class: ClassVar[AttributeClass]

    #: The name of the attribute, such as "te.tile".
    attr_name: ClassVar[str]
    static_typeid: ClassVar[TypeID]

    def __init__(self, cast_from_attr: Attribute) -> None:
        if not self._class.isinstance(cast_from_attr):
            raise ValueError(f"Cannot cast attribute to {type(self).__name__} (from {cast_from_attr!r})")
        super().__init__(cast_from_attr)

    @classmethod
    def isinstance(cls, other: Attribute) -> bool:
        """Whether an attribute is of this class."""
        return cls._class.isinstance(other)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"

    @classmethod
    def _get(cls, context: Context | None, values: tuple[Any, ...]) -> Any:
        """The attribute of all its parameters, in order."""
        return cls._class.get(context, values)

    @classmethod
    def _get_or_default(cls, context: Context | None, values: tuple[Any, ...]) -> Any:
        """The same for attributes whose parser knows defaults: None stands for what an empty text means."""
        if None in values:
            default = cls(Attribute.parse(f"#{cls.attr_name}<>", context))
            values = tuple(default._parameter(i) if value is None else value for i, value in enumerate(values))
        return cls._get(context, values)

    def _parameter(self, index: int) -> Any:
        return self._class.parameter(self, index)

    @property
    def typeid(self) -> TypeID:
        return self.static_typeid


class KeyedAttribute(TypedAttribute):
    """An attribute of keys and values, `#dialect.name<key = 0, other = "text">`, which its own parser checks.

    A key is read as if it were a property: an int, a str, or a keyword as a str; AttributeError for one that is not
    printed, because it has its default.
    """

    @classmethod
    def get(cls, *, context: Context | None = None, **values: int | str) -> Self:
        """The attribute of these values; raises MLIRError for keys that there are not and values that are not legal.

        Keywords are strings that are identifiers, such as `dialect="public"`.
        """
        return cls(Attribute.parse(f"#{cls.attr_name}<{write_keys(values)}>", context))

    def __getattr__(self, key: str) -> Any:
        return read_key(str(self), key)


def _typed(name: str) -> Callable[[C], C]:
    """Makes a class that of all attributes of this name: what upstream's bindings return for them."""

    def register(cls: C) -> C:
        cls._class = AttributeClass(name)
        cls.attr_name = name
        cls.static_typeid = cls._class.typeid
        register_type_caster(cls.static_typeid)(cls)
        return cls

    return register


def _convert(builder: str, value: Any, context: Context | None) -> Attribute | None:
    """A Python value as a builtin attribute, by upstream's conversion of that name."""
    if value is None or isinstance(value, Attribute):
        return value
    return AttrBuilder.get(builder)(value, context)
