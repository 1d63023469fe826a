"""The text of attributes of keys and values, `#dialect.name<key = 0, other = "text">`, for classes of either bindings.

`acc.dialects` and `acc.mlir` have a class each for such an attribute; nanobind allows no common base beside that of
their bindings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

__all__ = ["read_key", "write_keys"]

# Keys whose values are written without quotes.
_KEYWORDS = frozenset({"dialect"})


def write_keys(values: Mapping[str, int | str]) -> str:
    """The text between the angle brackets; raises TypeError for a value that is neither an int nor a str."""
    texts = []
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise TypeError(f"{key} is an int or a str, not {value!r}")
        quoted = isinstance(value, str) and key not in _KEYWORDS
        texts.append(f"{key} = {json.dumps(value)}" if quoted else f"{key} = {value}")
    return ", ".join(texts)


def read_key(attribute: str, key: str) -> int | str:
    """The value of a key in an attribute's text; raises AttributeError for one that is not printed."""
    found = re.search(rf'\b{re.escape(key)} = (?:"([^"]*)"|(-?\d+)|(\w+))', attribute)
    if found is None:
        raise AttributeError(key)
    text, number, keyword = found.groups()
    return int(number) if number is not None else text if text is not None else keyword
