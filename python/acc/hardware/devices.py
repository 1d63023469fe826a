"""The command line's choice of a device: `--device NAME:OPTION=VALUE,...`, and options of their own for common ones."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from acc.devices import TIMED, DeviceSpec, kinds, one, specs
from acc.errors import RunError
from acc.files import replacing

# Sizes, addresses and counts on the command line; addresses beyond are out of any dram_base's reach.
LIMIT = 1 << 40

# Options of devices that have an option of the command line, with what it takes.
FLAGS = {"latency": "CYCLES", "mem_width": "BITS", "jitter": "CYCLES", "trace": "FILE"}


def number(text: str, option: str) -> int:
    """A count of bytes or cycles, or an address, from the command line."""
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if not 0 <= value < LIMIT:
        raise RunError(f"{option}: '{text}' is not a whole number from 0 on (decimal or 0x)")
    return value


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _help(name: str) -> str:
    """What an option means, its default, and which devices have it."""
    having = [kind for kind in kinds() if kind.has(name)]
    option = next(option for option in having[0].options if option.name == name)
    default = f"default: {option.initial}; " if option.is_number else ""
    return f"{option.help} ({default}{' and '.join(kind.name for kind in having)})"


class _Later:
    """A part of a help text that is made when somebody reads it, as it takes more than most commands need."""

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make

    def __str__(self) -> str:
        return self._make()


def declare(parser: argparse.ArgumentParser, *, default: str | None = None, timeline: bool = True) -> None:
    """Adds the choice of a device, and of its options; `default` is the device, or that of the instruction set."""
    shown = default or "the first that is for the programs"
    action = parser.add_argument(
        "--device",
        metavar="NAME[:OPTION=VALUE,...]",
        default=default,
        help=f"what runs accelerator programs: %(known)s (default: {shown})",
    )
    vars(action)["known"] = _Later(lambda: ", ".join(f"{kind.name}, {kind.summary}" for kind in kinds()))
    group = parser.add_argument_group("options of devices")
    for name, what in FLAGS.items():
        action = group.add_argument(_flag(name), metavar=what, help="%(about)s")
        vars(action)["about"] = _Later(partial(_help, name))
    if timeline:
        group.add_argument(
            "--timeline",
            metavar="FILE",
            help="write what happened when (.json, for ui.perfetto.dev or chrome://tracing)",
        )


class _Unwritten(Exception):
    """Leaves a file as it was."""


def _check_writable(path: str) -> None:
    """What cannot be written is known before anything is built or run."""
    with contextlib.suppress(_Unwritten), replacing(Path(path), RunError):
        raise _Unwritten


def chosen(args: argparse.Namespace) -> tuple[DeviceSpec, ...]:
    """The devices that the command line asks for; raises RunError for options that they do not have.

    Options of the command line are for the first of several.
    """
    options: dict[str, Any] = {}
    for name, what in FLAGS.items():
        text = getattr(args, name)
        if text is not None:
            options[name] = text if what == "FILE" else number(text, _flag(name))
    wanted = specs(args.device)
    if options:
        first, *others = wanted or (DeviceSpec(kinds()[0].name),)
        wanted = (first.with_options(**options), *others)
    for spec in wanted:
        if "trace" in spec.options:
            _check_writable(str(spec.options["trace"]))
    if getattr(args, "timeline", None) is not None:
        one(wanted).require(TIMED)
        _check_writable(args.timeline)
    return wanted


def make(spec: DeviceSpec, config: Any) -> Any:
    """A `_runtime.Device` of this kind for raw instruction streams."""
    from acc._lib import _runtime

    options = spec.options
    if spec.kind.preparation:
        from acc.hardware import simulator

        options = simulator.prepare(options, config)
    return _runtime.Device(spec.name, config, **options)
