"""The folder of an exploration: front.json, front.html, and a folder for each point (docs/explore.md)."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from acc.errors import CompileError, TuningWarning
from acc.exploration.options import Front, Point
from acc.exploration.page import make_page
from acc.files import creating_folder, read_bytes, replacing
from acc.tuning.log import Writer, canonical

__all__ = ["read_rows", "write_front", "write_row"]

SHOWN = 3


def read_rows(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines; lines that are none are a TuningWarning. Raises CompileError."""
    rows, wrong = [], []
    for number, line in enumerate(read_bytes(path, CompileError).split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError
            rows.append(row)
        except ValueError:
            wrong.append(number)
    if wrong:
        lines = ", ".join(map(str, wrong[:SHOWN])) + (", ..." if len(wrong) > SHOWN else "")
        warnings.warn(
            f"'{os.fspath(path)}': {len(wrong):,} lines are skipped, as they are no JSON objects: {lines}",
            TuningWarning,
            stacklevel=2,
        )
    return rows


def write_row(path: str | os.PathLike[str], row: Mapping[str, Any]) -> None:
    """Adds a line of JSON; raises CompileError for what the system refuses."""
    with Writer(path, "what was routed,") as writer:
        writer.append_line(canonical(row))


def write_front(folder: Path, front: Front) -> None:
    """Writes all files of a front; those of an earlier one go. Raises CompileError for what the system refuses."""
    try:
        for old in folder.glob("point-*"):
            shutil.rmtree(old)
    except OSError as error:
        raise CompileError(f"cannot write '{folder}': {error.strerror or error}") from None
    for point in front.points:
        _write_point(folder / point.name, point)
    _write(folder / "front.html", make_page(front).encode())
    # Where this is, all is.
    _write(folder / "front.json", _text(front.to_dict()))
    for log in folder.glob(".tuned-*"):
        log.unlink(missing_ok=True)


def _write_point(path: Path, point: Point) -> None:
    with creating_folder(path, CompileError) as work:
        for name, content in point.files.items():
            if isinstance(content, Path):
                shutil.copyfile(content, work / name)
            else:
                (work / name).write_bytes(_text(content))
        (work / "point.json").write_bytes(_text(point.data))


def _text(value: object) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _write(path: Path, contents: bytes) -> None:
    with replacing(path, CompileError) as file:
        file.write(contents)
