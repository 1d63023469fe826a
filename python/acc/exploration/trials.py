"""What was counted, kept as lines of JSON as it comes: nothing is lost by a kill, and nothing is counted twice."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from acc.errors import CompileError
from acc.exploration.design import Figures
from acc.tuning.log import Writer, canonical, version

__all__ = ["Trial", "Trials"]

FORMAT = "acc-trial-1"


@dataclasses.dataclass(frozen=True)
class Trial:
    """A design that was counted; figures: None where it failed, and why."""

    values: Mapping[str, int]
    figures: Figures | None
    error: str = ""


class Trials:
    """The trials of a model in a file, by `Design.identity`.

    model: a digest of what is counted. Attributes: problems, lines that cannot be read, each named; foreign, how many
    lines are of another model or version.
    """

    def __init__(self, path: str | os.PathLike[str], model: str) -> None:
        self.path, self.model = os.fspath(path), model
        self.problems: list[str] = []
        self.foreign = 0
        self._known: dict[str, Trial] = {}
        self._writer: Writer | None = None
        self._read()

    def _read(self) -> None:
        try:
            lines = Path(self.path).read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        except OSError as error:
            raise CompileError(f"cannot read '{self.path}': {error.strerror or error}") from None
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                data = json.loads(line)
                if data["format"] != FORMAT:
                    raise ValueError(f"its format is {data['format']!r}, not '{FORMAT}'")
                if (data["acc"], data["model"]) != (version(), self.model):
                    self.foreign += 1
                    continue
                self._known[canonical(data["identity"])] = _read_trial(data)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                reason = "it is no JSON" if isinstance(error, json.JSONDecodeError | UnicodeDecodeError) else error
                self.problems.append(f"{self.path}:{number}: {reason}")

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Any:
        return iter(self._known.values())

    def find(self, identity: Mapping[str, Any]) -> Trial | None:
        """What is known of a design."""
        return self._known.get(canonical(identity))

    def add(self, identity: Mapping[str, Any], trial: Trial) -> None:
        """Remembers a trial, in the file too; raises CompileError for what the system refuses."""
        self._known[canonical(identity)] = trial
        figures = None
        if trial.figures is not None:
            figures = {"cycles": trial.figures.cycles, "native": trial.figures.native, "counts": trial.figures.counts}
        line = {"format": FORMAT, "acc": version(), "model": self.model, "identity": identity}
        line |= {"values": dict(trial.values), "figures": figures, "error": trial.error}
        if self._writer is None:
            self._writer = Writer(self.path, "the trials")
        self._writer.append_line(canonical(line))

    def close(self) -> None:
        """Ends writing; all trials are in the file already."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _read_trial(data: Mapping[str, Any]) -> Trial:
    values = {str(name): int(value) for name, value in data["values"].items()}
    if data["figures"] is None:
        return Trial(values, None, str(data["error"]))
    counts = {str(name): int(count) for name, count in data["figures"]["counts"].items()}
    cycles = int(data["figures"]["cycles"])
    if cycles < 1:
        raise ValueError("'cycles' is no positive number")
    return Trial(values, Figures(cycles, int(data["figures"]["native"]), counts))
