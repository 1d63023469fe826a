"""What an interrupted quantization has done so far, in a file from which the same command goes on.

Quantizing is a row of stages. Of one that goes through the samples, the number of samples that are done and a digest
of them are kept with what was counted; a finished one is kept whole. Everything else follows from these, so that what
comes out is the same as without an interruption. The file is written when Ctrl-C ends the work, and every so often
before.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from acc.files import replacing
from acc.interruptible import deferred
from acc.quantization.options import QuantizeError

__all__ = ["Stage", "State", "keeping"]

_SAVED_EVERY = 20.0
"""Seconds between two states on the disk."""


@dataclass
class Stage:
    """What is known of a stage.

    done, digest: how many samples are done, and of which these are. finished: whether that is all. content: what
    there is to be kept, arrays by name; called when the file is written, at a moment when all of it is of `done`
    samples.
    """

    done: int
    digest: str
    finished: bool
    content: Callable[[], Mapping[str, np.ndarray]]


@dataclass
class State:
    """The stages by name, and small results by name, which are whatever JSON holds.

    path: the file. purpose: what the work is for, beyond what `claim` says.
    """

    path: str
    purpose: str = ""
    stages: dict[str, Stage] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._key = ""
        self._saved = time.monotonic()

    def claim(self, key: str) -> None:
        """Says what the work is on, and reads the file if there is one.

        Raises QuantizeError for a file of something else.
        """
        self._key = hashlib.sha256(f"{key} {self.purpose}".encode()).hexdigest()
        if not os.path.exists(self.path):
            return
        try:
            with np.load(self.path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            header = json.loads(str(arrays.pop("header")))
            found = {}
            for number, entry in enumerate(header["stages"]):
                content = {name: arrays[f"{number}.{index}"] for index, name in enumerate(entry["names"])}
                found[str(entry["name"])] = Stage(
                    int(entry["done"]), str(entry["digest"]), bool(entry["finished"]), _constantly(content)
                )
            results, written = dict(header["results"]), str(header["key"])
        except (OSError, ValueError, KeyError, IndexError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise QuantizeError(
                f"'{self.path}' is no state of a calibration ({error}); delete it to begin anew"
            ) from None
        if written != self._key:
            raise self.refusal("of another model or with other options")
        self.stages, self.results = found, results

    def refusal(self, why: str) -> QuantizeError:
        """What to raise if the file is not of this work."""
        return QuantizeError(f"'{self.path}' is the state of a calibration {why}; delete it to begin anew")

    def save(self) -> None:
        """Writes the file, whole or not at all, if there is anything to be kept."""
        kept = {name: stage for name, stage in self.stages.items() if stage.done or stage.finished}
        if not self._key or not (kept or self.results):
            return
        entries, arrays = [], {}
        for number, (name, stage) in enumerate(kept.items()):
            content = stage.content()
            entries.append(
                {"name": name, "done": stage.done, "digest": stage.digest, "finished": stage.finished}
                | {"names": list(content)}
            )
            arrays |= {f"{number}.{index}": array for index, array in enumerate(content.values())}
        header = json.dumps({"key": self._key, "stages": entries, "results": self.results})
        buffer = io.BytesIO()
        np.savez(buffer, header=np.array(header), **arrays)  # type: ignore[arg-type]
        with replacing(self.path, QuantizeError, sync=False) as file:
            file.write(buffer.getbuffer())
        self._saved = time.monotonic()

    def save_sometimes(self) -> None:
        """Writes the file if that was long ago."""
        if time.monotonic() - self._saved > _SAVED_EVERY:
            with deferred():
                self.save()

    def remove(self) -> None:
        if os.path.exists(self.path):
            os.unlink(self.path)


def _constantly(content: Mapping[str, np.ndarray]) -> Callable[[], Mapping[str, np.ndarray]]:
    return lambda: content


@contextlib.contextmanager
def keeping(state: str | os.PathLike[str] | State | None, purpose: str = "") -> Iterator[State | None]:
    """The state in this file for the time of the block: written if Ctrl-C ends it, removed if it is done.

    One that is open already is left to whoever opened it.
    """
    if state is None or isinstance(state, State):
        yield state
        return
    kept = State(os.fspath(state), purpose)
    try:
        yield kept
    except KeyboardInterrupt:
        kept.save()
        raise
    kept.remove()
