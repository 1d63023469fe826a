"""What the generated classes of attributes share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from ._mlir_libs._acc import AttributeClass
from .ir import AttrBuilder, Attribute, Context, TypeID, register_type_caster

__all__ = ["TypedAttribute"]

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
