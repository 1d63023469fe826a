"""Generates acc.dialects (classes of attributes) and acc.passes (functions that make passes) from what TableGen knows.

python generate.py dialect NAME RECORDS.json MODULE.py TABLE.inc       a module of acc.dialects, and what it asks C++
python generate.py upstream NAME RECORDS.json MODULE.py ATTRIBUTES.py  the same attributes for acc.mlir.dialects
python generate.py passes FOLDER RECORDS.json ...                      the modules of acc.passes

RECORDS.json is the output of `llvm-tblgen -dump-json`. For the operations and enumerations of acc.mlir, mlir-tblgen has
generators.
"""

from __future__ import annotations

import json
import keyword
import pathlib
import re
import sys
import textwrap
from dataclasses import dataclass, replace
from typing import Any

Records = dict[str, Any]

HEADER = '''"""{title}

Generated from the definitions of acc's dialects and passes; do not edit.
"""

from __future__ import annotations

'''


def snake(name: str) -> str:
    """CamelCase or camelCase as snake_case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def camel(name: str) -> str:
    """The name of a parameter as in its accessor: log_inp and logInp are both LogInp."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def documentation(summary: str, description: str, indent: str) -> str:
    """A docstring of a summary and a description."""
    text = summary[:1].upper() + summary[1:].rstrip(".") + "."
    if body := textwrap.dedent(description or "").strip():
        text += "\n\n" + body
    text = text.replace("\\", "\\\\").replace('"""', '\\"""')
    if "\n" in text:
        text += "\n"
    return textwrap.indent(f'"""{text}"""', indent, lambda line: bool(line.strip()))


def write(path: pathlib.Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


# --- attributes ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parameter:
    """A parameter of an attribute.

    Attributes:
        name: in C++.
        read: its Python type when read.
        given: the same when given.
        builder: upstream's conversion from Python values, for parameters that are builtin attributes.
        cast: the Python class that an integer is turned into when read.
        default: what it is when it is not given, as Python.
    """

    name: str
    read: str
    given: str
    builder: str | None = None
    cast: str | None = None
    default: str | None = None

    @property
    def python(self) -> str:
        """The name in Python."""
        name = snake(self.name)
        return name + "_" * keyword.iskeyword(name)

    def optional(self) -> Parameter:
        """The same, which may be absent."""
        return replace(self, read=f"{self.read} | None", given=f"{self.given} | None", default="None")


# Builtin attributes as parameters: upstream's class, what else a caller may give, upstream's conversion of it.
BUILTIN = {
    "ArrayAttr": ("ArrayAttr", "Sequence[Attribute]", "ArrayAttr"),
    "StringAttr": ("StringAttr", "str", "StrAttr"),
    "SymbolRefAttr": ("SymbolRefAttr", "str", "SymbolRefAttr"),
    "FlatSymbolRefAttr": ("FlatSymbolRefAttr", "str", "FlatSymbolRefAttr"),
    "BoolAttr": ("BoolAttr", "bool", "BoolAttr"),
    "TypeAttr": ("TypeAttr", "Type", "TypeAttr"),
    "DictionaryAttr": ("DictAttr", "dict[str, Attribute]", "DictionaryAttr"),
    "AffineMapAttr": ("AffineMapAttr", "AffineMap", "AffineMapAttr"),
    "DenseBoolArrayAttr": ("DenseBoolArrayAttr", "Sequence[bool]", "DenseBoolArrayAttr"),
    "DenseI8ArrayAttr": ("DenseI8ArrayAttr", "Sequence[int]", "DenseI8ArrayAttr"),
    "DenseI16ArrayAttr": ("DenseI16ArrayAttr", "Sequence[int]", "DenseI16ArrayAttr"),
    "DenseI32ArrayAttr": ("DenseI32ArrayAttr", "Sequence[int]", "DenseI32ArrayAttr"),
    "DenseI64ArrayAttr": ("DenseI64ArrayAttr", "Sequence[int]", "DenseI64ArrayAttr"),
    "DenseF32ArrayAttr": ("DenseF32ArrayAttr", "Sequence[float]", "DenseF32ArrayAttr"),
    "DenseF64ArrayAttr": ("DenseF64ArrayAttr", "Sequence[float]", "DenseF64ArrayAttr"),
    "IntegerAttr": ("IntegerAttr", "", None),
    "FloatAttr": ("FloatAttr", "", None),
}

INTEGER = r"u?int(8|16|32|64)?(_t)?|unsigned|size_t"


def parameter(records: Records, attribute: Records, cpp: str, name: str, default: str | None) -> Parameter | None:
    """A parameter by its C++ type, or None for types that do not cross the C interface (capi/Attributes.cpp)."""
    base = cpp.rsplit("::", 1)[-1]
    kinds = records["!instanceof"]
    enums = {f"{e['cppNamespace']}::{e['className']}": e for e in map(records.get, kinds.get("EnumInfo", ()))}
    own = {a["cppClassName"] for a in map(records.get, kinds["AttrDef"]) if a["dialect"] == attribute["dialect"]}
    if array := re.fullmatch(r"(::)?llvm::ArrayRef<(.*)>", cpp):
        element = parameter(records, attribute, array[2], name, None)
        if element is None or element.read == "Type":
            return None
        cast = element.cast and f"{element.cast}[]"
        return Parameter(name, f"list[{element.read}]", f"Sequence[{element.given}]", cast=cast)
    if cpp in enums:
        enum = enums[cpp]["className"]
        if default is not None:
            default = f"{enum}.{default.rsplit('::', 1)[-1]}"
        return Parameter(name, enum, enum, cast=enum, default=default)
    if re.fullmatch(INTEGER, cpp):
        return Parameter(name, "int", "int", default=default)
    if cpp == "bool":
        return Parameter(name, "bool", "bool", cast="bool", default=default and default.capitalize())
    if base == "StringRef":
        return Parameter(name, "str", "str", default=default)
    if base == "AffineMap":
        return Parameter(name, "AffineMapAttr", "AffineMapAttr | AffineMap", "AffineMapAttr")
    if base == "Type" or ("mlir::" in cpp and base.endswith("Type")):
        return Parameter(name, "Type", "Type")
    if base in BUILTIN:
        read, other, builder = BUILTIN[base]
        return Parameter(name, read, f"{read} | {other}" if other else read, builder)
    if base in own:
        return Parameter(name, base, base)
    if base == "Attribute" or base.endswith("Attr"):
        return Parameter(name, "Attribute", "Attribute")
    return None


def parameters_of(records: Records, attribute: Records) -> list[Parameter] | None:
    """The parameters of an attribute; None if it is one that is read by keys, `#dialect.name<key = value, ...>`.

    That is what becomes of an attribute with a format of its own and a parameter that does not cross the C interface.
    Such a parameter in another attribute ends the build.
    """
    found = []
    for given, name in attribute["parameters"]["args"]:
        record = records[given["def"]] if isinstance(given, dict) else {"cppType": given}
        cpp = re.sub(r"\s", "", record["cppType"])
        made = parameter(records, attribute, cpp, name, record.get("defaultValue") or None)
        if made is None and attribute["hasCustomAssemblyFormat"]:
            return None
        if made is None:
            sys.exit(
                f"generate.py: parameter {name} of #{attribute['attrName']} is a {cpp}, which has no counterpart in"
                " Python. Describe enumerations in TableGen; other types are for generate.py and capi/Attributes.cpp."
            )
        found.append(made.optional() if "OptionalParameter" in record.get("!superclasses", ()) else made)
    return found


def attribute_class(attribute: Records, parameters: list[Parameter] | None) -> str:
    """The Python class of an attribute."""
    name = attribute["cppClassName"]
    head = [
        f'@_typed("{attribute["attrName"]}")',
        f"class {name}({'TypedAttribute' if parameters is not None else 'KeyedAttribute'}):",
        documentation(attribute["summary"] or attribute["attrName"], attribute["description"], "    "),
    ]
    if parameters is None:
        return "\n".join(head)
    return "\n".join([*head, *getter(attribute, parameters), *properties(parameters)])


def getter(attribute: Records, parameters: list[Parameter]) -> list[str]:
    """The method that makes the attribute."""
    # Those without a default come first, as Python wants it; the others are given by name. A format of its own may
    # have defaults that only its parser knows: integers and strings that are not given are what an empty text means.
    make = "_get"
    if attribute["hasCustomAssemblyFormat"] and any(p.read in ("int", "str") for p in parameters):
        make = "_get_or_default"
        parameters = [p.optional() if p.read in ("int", "str") and not p.default else p for p in parameters]
    required = [f"{p.python}: {p.given}" for p in parameters if p.default is None]
    others = [f"{p.python}: {p.given} = {p.default}" for p in parameters if p.default is not None]
    signature = ", ".join(["cls", *required, "*", *others, "context: Context | None = None"])
    values = []
    for p in parameters:
        if p.builder:
            values.append(f'_convert("{p.builder}", {p.python}, context)')
        elif p.cast and p.cast.endswith("[]"):
            values.append(f"[{p.cast[:-2]}(element) for element in {p.python}]")
        elif p.cast:
            values.append(f"{p.cast}({p.python})")
        else:
            values.append(p.python)
    return [
        "",
        "    @classmethod",
        f"    def get({signature}) -> {attribute['cppClassName']}:",
        '        """The attribute of these parameters; raises MLIRError if they are not legal."""',
        f"        return cls.{make}(context, ({''.join(f'{value}, ' for value in values)}))",
    ]


def properties(parameters: list[Parameter]) -> list[str]:
    """The properties that read the parameters."""
    lines = []
    for index, p in enumerate(parameters):
        value = f"self._parameter({index})"
        if p.cast and p.cast.endswith("[]"):
            value = f"[{p.cast[:-2]}(element) for element in {value}]"
        elif p.cast:
            value = f"{p.cast}({value})"
        lines += ["", "    @property", f"    def {p.python}(self) -> {p.read}:", f"        return {value}"]
    return lines


def table_entry(attribute: Records, parameters: list[Parameter] | None) -> str:
    """The entry in the table of capi/Attributes.cpp."""
    cpp = f"{attribute['cppNamespace']}::{attribute['cppClassName']}"
    if parameters is None:
        return f"describeKeyed<{cpp}>(),\n"
    verified = "true" if attribute["genVerifyDecl"] else "false"
    accessors = "".join(f", &{cpp}::get{camel(p.name)}" for p in parameters)
    names = ", ".join(f'{{"{p.python}", {str(p.default == "None").lower()}}}' for p in parameters)
    return f"describe<{cpp}, {verified}{accessors}>({{{names}}}),\n"


def attributes_of(name: str, records: Records) -> tuple[str, list[str], str]:
    """The classes of a dialect's attributes, their names, and their entries in the table of the C interface."""
    defined = [records[a] for a in records["!instanceof"].get("AttrDef", ())]
    defined = [a for a in defined if records[a["dialect"]["def"]]["name"] == name]
    defined.sort(key=lambda attribute: attribute["attrName"])
    known = [(attribute, parameters_of(records, attribute)) for attribute in defined]
    body = "".join(f"\n\n{attribute_class(*one)}\n" for one in known)
    return body, [a["cppClassName"] for a in defined], "".join(table_entry(*one) for one in known)


def enumerations(records: Records, body: str) -> tuple[str, list[str]]:
    """The classes of the enumerations that `body` uses, and their names."""
    text, names = "", []
    for enum in map(records.get, records["!instanceof"].get("EnumInfo", ())):
        assert enum is not None
        if not used({enum["className"]}, body):
            continue
        names.append(enum["className"])
        cases = [records[case["def"]] for case in enum["enumerants"]]
        title = enum["summary"][:1].upper() + enum["summary"][1:].rstrip(".")
        text += f'\n\nclass {enum["className"]}(Enumeration):\n    """{title}."""\n\n'
        for case in cases:
            symbol = case["symbol"] + "_" * keyword.iskeyword(case["symbol"])
            text += f'    {symbol} = {case["value"]}, "{case["str"]}"\n'
    return text, names


def used(names: set[str], body: str) -> str:
    """Those of some names that occur in a text, separated by commas."""
    return ", ".join(sorted(n for n in names if re.search(rf"\b{n}\b", body)))


BUILTIN_NAMES = {read for read, _, _ in BUILTIN.values()} | {"AffineMap", "Attribute", "Context", "Type"}


def dialect(name: str, source: str, module: str, table: str) -> None:
    """Writes a module of acc.dialects and the table of the dialect's attributes for the C interface."""
    records: Records = json.loads(pathlib.Path(source).read_text())
    body, names, entries = attributes_of(name, records)
    enums, enum_names = enumerations(records, body)
    text = HEADER.format(title=f"The {name} dialect: its attributes and enumerations as classes.")
    if used({"Sequence"}, body):
        text += "from collections.abc import Sequence\n\n"
    if builtin := used(BUILTIN_NAMES, body):
        text += f"from acc.ir import {builtin}\n"
    if helpers := used({"Enumeration", "KeyedAttribute", "TypedAttribute", "_convert", "_typed"}, enums + body):
        text += f"from acc.dialects._attributes import {helpers}\n"
    text += f"\n__all__ = {json.dumps(sorted([*enum_names, *names]))}\n"
    write(pathlib.Path(module), text + enums + body)
    write(pathlib.Path(table), entries)


def upstream(name: str, source: str, module: str, attributes: str) -> None:
    """Writes a module of acc.mlir.dialects and the one of its attributes."""
    records: Records = json.loads(pathlib.Path(source).read_text())
    body, names, _ = attributes_of(name, records)
    text = HEADER.format(title=f"The attributes of the {name} dialect as classes.")
    if used({"Sequence"}, body):
        text += "from collections.abc import Sequence\n\n"
    if builtin := used(BUILTIN_NAMES, body):
        text += f"from ..ir import {builtin}\n"
    if helpers := used({"KeyedAttribute", "TypedAttribute", "_convert", "_typed"}, body):
        text += f"from .._attributes import {helpers}\n"
    if enums := used({records[e]["className"] for e in records["!instanceof"].get("EnumInfo", ())}, body):
        text += f"from ._{name}_enums_gen import {enums}\n"
    text += f"\n__all__ = {json.dumps(names)}\n"
    write(pathlib.Path(attributes), text + body)

    title = f"The {name} dialect: its operations, enumerations and attributes as classes."
    text = HEADER.format(title=title)
    text += "".join(f"from ._{name}_{kind}_gen import *\n" for kind in ("attributes", "enums", "ops"))
    text += f"from ._{name}_ops_gen import _Dialect as _Dialect\n"
    write(pathlib.Path(module), text)


# --- passes ----------------------------------------------------------------------------------------------------------


def option_type(option: Records) -> str:
    """The Python type of an option; enumerations are given by name."""
    cpp = option["type"].strip()
    if re.fullmatch(INTEGER, cpp):
        return "int"
    return {"bool": "bool", "double": "float", "float": "float"}.get(cpp, "str")


def default_of(option: Records) -> str:
    """The default of an option as Python; None, which leaves it to C++, if that has no literal for it."""
    kind, text = option_type(option), (option["defaultValue"] or "").strip()
    if kind == "str":
        return json.dumps(text.strip('"')) if option["type"].strip() == "std::string" else "None"
    if kind == "bool" and text in ("true", "false"):
        return text.capitalize()
    number = re.fullmatch(r"(-?[\d.]+(?:e-?\d+)?)[uUlLf]*", text)
    return number[1] if number and kind in ("int", "float") else "None"


def operation_name(base: str) -> str:
    """The operation that a pass runs on, from its C++ base class; empty for any."""
    found = re.search(r"OperationPass<([\w:]+)>", base)
    if not found:
        return ""
    *namespaces, name = found[1].removeprefix("::").split("::")
    prefix = "builtin" if namespaces in ([], ["mlir"]) else namespaces[-1]
    return f"{prefix}.{snake(name.removesuffix('Op'))}"


def pass_function(name: str, records: Records, record: Records) -> str:
    """The Python function that makes a pass."""
    signature, values, documented = [], [], []
    for option in (records[o["def"]] for o in record["options"]):
        python = option["argument"].replace("-", "_")
        python += "_" * keyword.iskeyword(python)
        kind = option_type(option)
        if "ListOption" in option["!superclasses"]:
            signature.append(f"{python}: Sequence[{kind}] = ()")
            values.append(f'"{option["argument"]}": ({python}, "{kind}s")')
        else:
            default = default_of(option)
            signature.append(f"{python}: {kind}{' | None' if default == 'None' else ''} = {default}")
            values.append(f'"{option["argument"]}": ({python}, "{kind}")')
        described = " ".join(option["description"].split())
        documented.append(f"    {python}: {described.rstrip('.')}.")
    description = textwrap.dedent(record["description"] or "").strip()
    if documented:
        description = "\n".join([description, "", "Args:", *documented])
    parameters = ", ".join(["*", *signature]) if signature else ""
    arguments = f'"{record["argument"]}", "{operation_name(record["baseClass"])}", {{{", ".join(values)}}}'
    return "\n".join(
        [
            f"def {name}({parameters}) -> Pass:",
            documentation(record["summary"] or record["argument"], description, "    "),
            f"    return Pass.of({arguments})",
        ]
    )


def passes(folder: str, *sources: str) -> None:
    """Writes a module per family of passes, which is the word that the names of acc's begin with."""
    families: dict[str, dict[str, str]] = {}
    for source in sources:
        records: Records = json.loads(pathlib.Path(source).read_text())
        for record in (records[name] for name in records["!instanceof"]["PassBase"]):
            if "UpstreamPasses" in source:
                family, name = "upstream", record["argument"]
            else:
                family, _, name = record["argument"].partition("-")
            name = name.replace("-", "_")
            name += "_" * keyword.iskeyword(name)
            families.setdefault(family, {})[name] = pass_function(name, records, record)
    for family, functions in families.items():
        body = "".join(f"\n\n{functions[name]}\n" for name in sorted(functions))
        text = HEADER.format(title=f"The {family} passes as functions.")
        if "Sequence[" in body:
            text += "from collections.abc import Sequence\n\n"
        write(pathlib.Path(folder) / f"{family}.py", text + "from acc.passes._pass import Pass\n" + body)


if __name__ == "__main__":
    {"dialect": dialect, "upstream": upstream, "passes": passes}[sys.argv[1]](*sys.argv[2:])
