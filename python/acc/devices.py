"""The devices that run accelerator programs: asked for by name with options, and added by packages besides acc.

    acc.load("model.so", device="csim")
    acc.load("model.so", device=acc.Device("tsim", latency=200, jitter=20))
    acc.load("model.so", device="tsim:latency=200,jitter=20")

An instruction set has one or more kinds of device; the first is its default. Those of acc are native
(runtime/include/acc/devices.h says what each can do and be told). Others may be classes of Python:

    class Interpreter:
        def __init__(self, trace: bool = False) -> None: ...
        def load(self, data: bytes) -> Program: ...
        def run(self, program: Program, buffers: list[np.ndarray], options: Mapping[str, bool]) -> None: ...

    acc.devices.register("toy", "interpreter", Interpreter)
"""

from __future__ import annotations

import importlib
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from acc.dtypes import BY_NAME
from acc.errors import CompileError, RunError

if TYPE_CHECKING:
    import inspect

    from acc.container import Program

TIMED = "timed"
"""The capability of devices that count cycles."""
SANITIZER = "sanitizer"
"""The capability of devices that find reads of what was never written, and the like."""
DIALECTS = "dialects"
"""The capability of devices that refuse what is not part of a dialect of the instruction set."""

# What messages call a capability that a device lacks.
_NOUNS = {TIMED: "notion of time", DIALECTS: "check of dialects"}


class PythonDevice(Protocol):
    """What a device written in Python offers. It is made once per loaded model, with the options as keywords."""

    def load(self, data: bytes) -> Any:
        """Reads a program. What it raises, also for bytes that are none, becomes a ModelFileError."""
        ...

    def run(self, program: Any, buffers: list[np.ndarray], options: Mapping[str, bool]) -> Mapping[str, Any] | None:
        """Runs what `load` returned, on arrays of the dtypes and shapes that the model's file gives to its buffers.

        They are the model's own memory: results are written in place, and nothing of them may be kept after the
        return. Those that the program does not write cannot be written. options: "sanitize" and "events", as
        the model was loaded with. What it raises becomes a RunError that names the kernel.

        It may return counts by name, which add up in `Executable.statistics`; "cycles" is how long it took.
        """
        ...


@dataclass(frozen=True)
class Preparation:
    """What a native device needs that is made in Python first: `options` are those that users give instead, and
    `prepare` makes the device's own of them, for a program of the model."""

    options: tuple[Any, ...]
    prepare: Callable[[Mapping[str, Any], bytes], Mapping[str, Any]]


# Modules with a PREPARATION, by instruction set and device.
_PREPARED: dict[tuple[str, str], str] = {("vta", "tsim"): "acc.hardware.simulator"}

# What makes the devices that are written in Python.
_FACTORIES: dict[tuple[str, str], Callable[..., PythonDevice]] = {}


@dataclass(frozen=True)
class DeviceKind:
    """A kind of device: what it executes, what it is in a few words, what it can do, and its options
    (`_runtime.DeviceOption`)."""

    instruction_set: str
    name: str
    summary: str
    capabilities: frozenset[str]
    options: tuple[Any, ...]

    @property
    def preparation(self) -> Preparation | None:
        module = _PREPARED.get((self.instruction_set, self.name))
        return importlib.import_module(module).PREPARATION if module else None

    def check(self, options: Mapping[str, Any]) -> None:
        """Raises RunError naming the options that are not known, and who knows them, or that are out of range."""
        from acc._lib import _runtime

        try:
            _runtime.check_device_options(self.name, list(self.options), dict(options))
        except RunError as error:
            hints = [
                f"; '{name}' is an option of {' and '.join(having)}"
                for name in options
                if not self.has(name)
                and (having := [other.name for other in kinds(self.instruction_set) if other.has(name)])
            ]
            raise RunError(f"{error}{''.join(hints)}") from None

    def has(self, option: str) -> bool:
        """Whether it has an option of that name."""
        return any(known.name == option for known in self.options)


def kinds(instruction_set: str | None = None) -> list[DeviceKind]:
    """The kinds of device that are known, or those of one instruction set, the default one first."""
    from acc._lib import _runtime

    found = []
    for native in _runtime.device_kinds():
        if instruction_set not in (None, native.instruction_set):
            continue
        kind = DeviceKind(
            native.instruction_set, native.name, native.summary, frozenset(native.capabilities), tuple(native.options)
        )
        if preparation := kind.preparation:
            kind = DeviceKind(kind.instruction_set, kind.name, kind.summary, kind.capabilities, preparation.options)
        found.append(kind)
    return found


def register(
    instruction_set: str,
    name: str,
    factory: Callable[..., PythonDevice],
    capabilities: Iterable[str] = (),
    *,
    summary: str = "",
) -> None:
    """Makes a device for programs of `instruction_set` known to this process; one of that name is replaced.

    factory: a class (see PythonDevice) or function; its keyword parameters are the device's options, whole numbers if
    their annotation or default is an int or bool, texts otherwise. capabilities: any of "timed" and "sanitizer".
    """
    from acc._lib import _runtime

    if isinstance(capabilities, str):
        capabilities = (capabilities,)
    for text in (instruction_set, name):
        if not re.fullmatch(r"[\w.-]+", text):
            raise RunError(f"'{text}' cannot name an instruction set or a device: use letters, digits, '_', '-', '.'")
    options = []
    for parameter in _parameters(factory):
        if _type_of(parameter) in (int, bool):
            default = parameter.default if isinstance(parameter.default, int) else 0
            limits = (0, 1) if _type_of(parameter) is bool else (-(2**63), 2**63 - 1)
            options.append(_runtime.DeviceOption.number(parameter.name, "", int(default), *limits))
        else:
            options.append(_runtime.DeviceOption.text(parameter.name, ""))
    _FACTORIES[instruction_set, name] = factory
    _runtime.register_device(instruction_set, name, summary or name, sorted(capabilities), options)


def _parameters(factory: Callable[..., Any]) -> list[inspect.Parameter]:
    import inspect

    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [parameter for parameter in inspect.signature(factory).parameters.values() if parameter.kind in kinds]


def _type_of(parameter: inspect.Parameter) -> type:
    for kind in (bool, int):
        if parameter.annotation in (kind, kind.__name__) or type(parameter.default) is kind:
            return kind
    return str


# Asking for devices


class DeviceSpec:
    """A device that somebody asks for, by name and options; raises RunError if there is none, or it has other options.

    `instruction_set` is only needed if several have a device of that name. Options that are None are not given.
    """

    __slots__ = ("instruction_set", "kind", "name", "options")

    def __init__(self, name: str, /, *, instruction_set: str = "", **options: Any) -> None:
        self.name = name
        self.instruction_set = instruction_set
        self.options: dict[str, Any] = {key: value for key, value in sorted(options.items()) if value is not None}
        self.kind = self._find_kind()
        self.kind.check(self.options)

    def _find_kind(self) -> DeviceKind:
        problems = ""
        for find in (lambda: "", _find):
            problems = find()
            for kind in kinds():
                if kind.name == self.name and self.instruction_set in ("", kind.instruction_set):
                    return kind
        wanted = f"{self.instruction_set}/{self.name}" if self.instruction_set else self.name
        said = f" ({problems})" if problems else ""
        raise RunError(f"unknown device '{wanted}': available are {_listed(kinds())}{said}")

    @classmethod
    def parse(cls, text: str) -> tuple[DeviceSpec, ...]:
        """Reads [INSTRUCTION-SET/]NAME[:OPTION=VALUE,...], and more of these behind semicolons."""
        from acc._lib import _runtime

        return tuple(
            cls(name, instruction_set=instruction_set, **options)
            for instruction_set, name, options in _runtime.parse_devices(text)
        )

    @property
    def capabilities(self) -> frozenset[str]:
        return self.kind.capabilities

    def require(self, capability: str) -> None:
        """Raises RunError, which names the devices that would do, if it lacks a capability."""
        if capability in self.capabilities:
            return
        others = [f"'{other.name}'" for other in kinds(self.kind.instruction_set) if capability in other.capabilities]
        does = f": {' and '.join(others)} {'does' if len(others) == 1 else 'do'}" if others else ""
        raise RunError(f"device '{self.name}' has no {_NOUNS.get(capability, capability)}{does}")

    def with_options(self, **options: Any) -> DeviceSpec:
        """The same with other options besides, or instead."""
        return DeviceSpec(self.name, instruction_set=self.instruction_set, **{**self.options, **options})

    def __str__(self) -> str:
        return _text(self.instruction_set, self.name, self.options)

    def __repr__(self) -> str:
        return f"<acc device {self}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DeviceSpec) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


Device = DeviceSpec

DeviceLike = str | DeviceSpec | Sequence["str | DeviceSpec"] | None
"""One device, or one for each of several instruction sets; None, or one that is missing, is the default."""


def specs(device: DeviceLike) -> tuple[DeviceSpec, ...]:
    """The devices that are asked for; raises RunError."""
    if device is None:
        return ()
    if isinstance(device, DeviceSpec):
        return (device,)
    if isinstance(device, str):
        found = DeviceSpec.parse(device)
        if not found:
            raise RunError("the device has no name")
        return found
    if isinstance(device, Sequence):
        return tuple(spec for item in device for spec in specs(item))
    raise RunError(f"a device is a name or an acc.Device, not {type(device).__name__}")


def one(device: DeviceLike) -> DeviceSpec:
    """The device, for what uses a single one; raises RunError if there are several or none."""
    wanted = specs(device)
    if len(wanted) != 1:
        raise RunError(f"one device is needed, not {len(wanted)}")
    return wanted[0]


def fitted(wanted: Sequence[DeviceSpec], made_for: Mapping[str, Any]) -> tuple[DeviceSpec, ...]:
    """The devices as they are where nothing else is said: with the options that programs were made for (the metadata
    "device_options"), so far as they have them and were not told otherwise."""

    def missing(spec: DeviceSpec) -> dict[str, Any]:
        return {name: value for name, value in made_for.items() if name not in spec.options and spec.kind.has(name)}

    return tuple(spec.with_options(**missing(spec)) for spec in wanted)


def differences(spec: DeviceSpec, made_for: Mapping[str, Any]) -> str:
    """What a device is told to be that programs were not made for, as a sentence; empty if there is nothing."""
    # Those of a device that was asked for by a text are texts.
    other = [name for name, value in made_for.items() if str(spec.options.get(name, value)) != str(value)]
    if not other:
        return ""
    made, runs = (", ".join(f"{name}={options[name]}" for name in other) for options in (made_for, spec.options))
    return f"the model was compiled for {made}, but runs with {runs}"


def resolve(wanted: Sequence[DeviceSpec], programs: Callable[[], Sequence[Program]]) -> str:
    """The devices as the runtime takes them (acc_model_options.device), with what they need for these programs."""
    texts = []
    for spec in wanted:
        options = spec.options
        if preparation := spec.kind.preparation:
            program = next((p for p in programs() if p.instruction_set == spec.kind.instruction_set), None)
            options = preparation.prepare(options, program.data) if program else {}
        texts.append(_text(spec.instruction_set, spec.name, options))
    return ";".join(texts)


def _text(instruction_set: str, name: str, options: Mapping[str, Any]) -> str:
    def escaped(value: object) -> str:
        return re.sub(r"[\\/:;,=]", r"\\\g<0>", str(int(value) if isinstance(value, bool) else value))

    text = (f"{escaped(instruction_set)}/" if instruction_set else "") + escaped(name)
    return text + (":" if options else "") + ",".join(f"{escaped(k)}={escaped(v)}" for k, v in options.items())


def _listed(known: Sequence[DeviceKind]) -> str:
    """The devices, like "fsim, csim and tsim for one instruction set; interpreter for toy"."""
    sets = dict.fromkeys(kind.instruction_set for kind in known)
    parts = []
    for instruction_set in sets:
        *most, last = [kind.name for kind in known if kind.instruction_set == instruction_set]
        names = f"{', '.join(most)} and {last}" if most else last
        parts.append(f"{names} for {instruction_set}" if len(sets) > 1 else names)
    return "; ".join(parts)


# What the runtime calls


def _find() -> str:
    """Loads the targets of other packages, which register their devices; returns what goes wrong."""
    from acc import targets

    problems = []
    for name in targets.others():
        try:
            targets.find(name)
        except CompileError as error:
            problems.append(str(error))
    return "; ".join(problems)


def _make(instruction_set: str, name: str, given: Mapping[str, str]) -> PythonDevice:
    factory = _FACTORIES[instruction_set, name]
    types = {parameter.name: _type_of(parameter) for parameter in _parameters(factory)}
    return factory(**{key: types[key](int(text) if types[key] is bool else text) for key, text in given.items()})


def _run(
    device: PythonDevice,
    program: Any,
    views: Sequence[tuple[memoryview, str, list[int]]],
    options: Mapping[str, bool],
) -> tuple[int | None, list[tuple[str, int]]]:
    """Runs a program; returns the cycles, if the device counts them, and its other counts."""
    buffers = [np.ndarray(shape, BY_NAME[dtype].dtype, memory) for memory, dtype, shape in views]
    try:
        counts = dict(device.run(program, buffers, options) or {})
    except BaseException as error:
        _clear_frames(error)
        raise
    finally:
        # The traceback of an exception keeps this frame, and whoever prints it would read memory that may be gone.
        buffers.clear()
        views = ()
    cycles = counts.pop("cycles", None)
    return None if cycles is None else _count("cycles", cycles), list(_flat(counts))


def _clear_frames(error: BaseException) -> None:
    """Drops the local variables of what an exception and its causes came through, among which are views of buffers."""
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        one = pending.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            traceback.clear_frames(one.__traceback__)
            pending += [one.__cause__, one.__context__]


def _flat(counts: Mapping[str, Any], group: str = "") -> Iterator[tuple[str, int]]:
    for name, value in counts.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{group}{name}.")
        else:
            yield f"{group}{name}", _count(f"{group}{name}", value)


def _count(name: str, value: Any) -> int:
    number = int(value)
    if not 0 <= number < 2**63:
        raise ValueError(f"the count '{name}' is {number}")
    return number
