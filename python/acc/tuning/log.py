"""The log of a tuner: what was measured, a line of JSON each, found again by whoever has the same kernel.

A line says for what it holds: the version of acc, the target, everything that its time depends on, and the kernel or
network. So logs are merged by writing one behind the other, and a line that is not for the compilation at hand is never
used. Lines are added by one write each under a lock, so that neither a kill nor a second writer spoils what is there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import functools
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import acc
from acc.errors import CompileError

__all__ = ["Key", "Log", "Problem", "Record", "Writer", "canonical", "version"]

FORMAT = "acc-tuning-1"
KINDS = ("kernel", "network")


@functools.cache
def version() -> str:
    """acc's version with a digest of what decides how long a program takes: passes, policies, simulators."""
    package = Path(acc.__file__).parent
    digest = hashlib.blake2b(digest_size=6)
    native = sorted((package / "_lib").glob("*.so"))
    policies = sorted(file for room in ("schedule", "targets") for file in (package / room).rglob("*.py"))
    for file in (*native, package / "pipeline.py", package / "partition.py", *policies):
        digest.update(f"{file.relative_to(package)}\0".encode())
        digest.update(file.read_bytes())
    return f"{acc.__version__}+{digest.hexdigest()}"


def canonical(value: object) -> str:
    """The one text of a JSON-compatible value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


@dataclasses.dataclass(frozen=True)
class Key:
    """What a measurement holds for.

    acc: see `version`. target: its name. timing: the text of everything else that time depends on (`canonical`). kind:
    one of `KINDS`. what: the digest of the kernel or of the network.
    """

    acc: str
    target: str
    timing: str
    kind: str
    what: str


@dataclasses.dataclass(frozen=True)
class Record:
    """A measurement: the choice, JSON-compatible, and its cost; None for one that failed. name: for people."""

    key: Key
    choice: Mapping[str, Any]
    cost: float | None
    name: str = ""

    def line(self) -> str:
        """The line of the log, without its end."""
        return canonical(
            {
                "format": FORMAT,
                "acc": self.key.acc,
                "target": self.key.target,
                "timing": json.loads(self.key.timing),
                "kind": self.key.kind,
                "what": self.key.what,
                "name": self.name,
                "choice": self.choice,
                "cost": self.cost,
            }
        )

    @staticmethod
    def parse(line: str) -> Record:
        """Reads a line; raises ValueError with the reason for one that is none."""
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            raise ValueError("it is no JSON") from None
        if not isinstance(data, dict) or "format" not in data:
            raise ValueError("it is no line of a tuning log")
        if data["format"] != FORMAT:
            raise ValueError(f"its format is {data['format']!r}, not '{FORMAT}'")
        texts = {name: data.get(name) for name in ("acc", "target", "kind", "what", "name")}
        for name, text in texts.items():
            if not isinstance(text, str):
                raise ValueError(f"'{name}' is no text")
        if data["kind"] not in KINDS:
            raise ValueError(f"'kind' is '{data['kind']}', not {' or '.join(KINDS)}")
        cost, choice = data.get("cost"), data.get("choice")
        if not isinstance(choice, dict):
            raise ValueError("'choice' is no object")
        if cost is not None and not (type(cost) in (int, float) and 0 < cost < float("inf")):
            raise ValueError("'cost' is no positive number")
        key = Key(data["acc"], data["target"], canonical(data.get("timing")), data["kind"], data["what"])
        return Record(key, choice, cost, data["name"])


@dataclasses.dataclass(frozen=True)
class Problem:
    """A line that cannot be used, and why."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        """As messages name it."""
        return f"{self.file}:{self.line}: {self.reason}"


class Log:
    """Measurements by what they hold for; of the same choice the last one.

    Attributes:
        problems: the lines that were skipped.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._records: dict[Key, dict[str, Record]] = {}

    @staticmethod
    def read(*paths: str | os.PathLike[str]) -> Log:
        """Reads logs one after the other; raises CompileError for a file that cannot be read."""
        log = Log()
        for path in paths:
            name = os.fspath(path)
            try:
                if not stat.S_ISREG(os.stat(path).st_mode):
                    raise CompileError(f"cannot read the tuning log '{name}': it is no regular file")
                data = Path(path).read_bytes()
            except OSError as error:
                raise CompileError(f"cannot read the tuning log '{name}': {error.strerror or error}") from None
            for number, line in enumerate(data.split(b"\n"), 1):
                if not line.strip():
                    continue
                try:
                    log.add(Record.parse(line.decode()))
                except ValueError as error:
                    reason = "it is no UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
                    log.problems.append(Problem(name, number, reason))
        return log

    def add(self, record: Record) -> None:
        """Remembers a measurement."""
        self._records.setdefault(record.key, {})[canonical(record.choice)] = record

    def __len__(self) -> int:
        return sum(map(len, self._records.values()))

    def __iter__(self) -> Iterator[Record]:
        for known in self._records.values():
            yield from known.values()

    def of(self, key: Key) -> list[Record]:
        """What was measured for a key, the cheapest first; what failed comes last."""
        known = self._records.get(key, {}).values()
        return sorted(known, key=lambda record: float("inf") if record.cost is None else record.cost)

    def best(self, key: Key) -> Record | None:
        """The cheapest for a key, or None."""
        return next((record for record in self.of(key) if record.cost is not None), None)

    def others(self, key: Key) -> list[Record]:
        """The cheapest of each other key that is for the same kernel or network: what is worth a try."""
        same = [known for known in self._records if (known.kind, known.what) == (key.kind, key.what) and known != key]
        return [record for known in same if (record := self.best(known)) is not None]

    def matching(self, target: str, timing: str) -> Iterator[Record]:
        """The cheapest of every kernel and network on this target, of this version of acc."""
        for key in self._records:
            if (key.acc, key.target, key.timing) == (version(), target, timing):
                record = self.best(key)
                if record is not None:
                    yield record

    def explain(self, target: str, timing: str) -> str:
        """Why lines are not for this target: how many are of which other version, target or hardware, or ""."""
        others = [record.key for record in self if record.key.acc != version()]
        foreign = [record.key for record in self if record.key.acc == version() and record.key.target != target]
        elsewhere = [
            record.key
            for record in self
            if record.key.acc == version() and record.key.target == target and record.key.timing != timing
        ]
        parts = []
        if others:
            versions = ", ".join(sorted({key.acc for key in others})[:3])
            parts.append(f"{len(others):,} of another version of acc ({versions}; this is {version()})")
        if foreign:
            parts.append(f"{len(foreign):,} for target {', '.join(sorted({key.target for key in foreign}))}")
        if elsewhere:
            parts.append(f"{len(elsewhere):,} for other hardware: {_differences(elsewhere, timing)}")
        return "; ".join(parts)


def _differences(keys: Iterable[Key], timing: str) -> str:
    """In what the hardware of lines differs from this one."""
    here = dict(_flat(json.loads(timing)))
    found: list[str] = []
    for text in dict.fromkeys(key.timing for key in keys):
        there = dict(_flat(json.loads(text)))
        found += [
            f"{name} {there.get(name)} instead of {here.get(name)}"
            for name in sorted(here.keys() | there.keys())
            if here.get(name) != there.get(name)
        ]
    unique = list(dict.fromkeys(found))
    return ", ".join(unique[:4]) + (", ..." if len(unique) > 4 else "")


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, str(key))
    else:
        yield name, value


class Writer:
    """Adds lines to a log, each at once and whole. Raises CompileError for what the system refuses.

    A log that was not there before, and gets no line, is gone afterwards. what: as messages call the file.
    """

    def __init__(self, path: str | os.PathLike[str], what: str = "the tuning log") -> None:
        self.path = os.fspath(path)
        self._what = what
        self._is_new = not os.path.lexists(path)
        with self._refused():
            self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
            self._is_file = stat.S_ISREG(os.fstat(self._file).st_mode)

    @contextlib.contextmanager
    def _refused(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CompileError(f"cannot write {self._what} '{self.path}': {error.strerror or error}") from None

    def append(self, record: Record) -> None:
        """Adds a line."""
        self.append_line(record.line())

    def append_line(self, text: str) -> None:
        """Adds a line that is given without its end."""
        data = f"{text}\n".encode()
        with self._refused():
            if not self._is_file:
                self._write(data)
                return
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                end = os.fstat(self._file).st_size
                # Whoever was killed in the middle of a line has left one without an end.
                if end and os.pread(self._file, 1, end - 1) != b"\n":
                    data = b"\n" + data
                try:
                    self._write(data)
                except OSError:
                    os.ftruncate(self._file, end)
                    raise
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._file, data) :]

    def close(self) -> None:
        """Ends writing; all lines are in the file already."""
        if self._is_new and self._is_file and os.fstat(self._file).st_size == 0:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        os.close(self._file)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
