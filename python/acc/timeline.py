"""Timelines of the accelerator in the trace-event format, which Perfetto and chrome://tracing show.

A track each for fetch, load, compute and store; a slice per instruction and per wait for a token; an arrow per token.
The format counts microseconds: one of them stands for one cycle.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from acc.errors import AccError, RunError
from acc.files import replacing

TRACKS = ("launches", "fetch", "load", "compute", "store")
MODULES = ("load", "compute", "store")
# Instructions that fetch hands out with no more cycles in between are one slice.
FETCH_GAP = 4


@dataclasses.dataclass(frozen=True)
class Run:
    """A stream that ran: its instructions (`Program.instructions`) and what the device said (with `events`)."""

    instructions: list[dict[str, Any]]
    result: Mapping[str, Any]
    name: str = "stream"

    @property
    def cycles(self) -> int:
        return int(self.result["cycles"])


@dataclasses.dataclass(frozen=True)
class Slice:
    """What a module did with an instruction, after it was done with the one before."""

    index: int
    begin: int
    end: int
    # The token that came last, if it came after the one before was done: from when on the module waited, for whom.
    waits: tuple[int, int, str] | None


def tokens(instructions: list[dict[str, Any]]) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """By pushing and popping module: which instruction pushed each token and which popped it."""
    pushed: dict[tuple[str, str], list[int]] = {}
    popped: dict[tuple[str, str], list[int]] = {}
    for index, insn in enumerate(instructions):
        for other in insn["pushes"]:
            pushed.setdefault((insn["module"], other), []).append(index)
        for other in insn["pops"]:
            popped.setdefault((other, insn["module"]), []).append(index)
    # The k-th pop takes the k-th push.
    return {queue: list(zip(pushers, popped.get(queue, []), strict=False)) for queue, pushers in pushed.items()}


def slices(run: Run) -> dict[str, list[Slice]]:
    """Each module's slices, one behind the other."""
    started, retired = run.result["started"], run.result["retired"]
    latest: dict[int, tuple[int, str]] = {}
    for (pusher, _), pairs in tokens(run.instructions).items():
        for push, pop in pairs:
            latest[pop] = max(latest.get(pop, (-1, "")), (int(retired[push]), pusher))
    tracks: dict[str, list[Slice]] = {module: [] for module in MODULES}
    for index, insn in enumerate(run.instructions):
        track = tracks[insn["module"]]
        done = track[-1].end if track else 0
        begin, end = max(int(started[index]), done), int(retired[index])
        waits = None
        if index in latest:
            pushed, whom = latest[index]
            # It cannot wait for a token before it has arrived itself.
            since = max(done, int(run.result["dispatched"][index]) if len(run.result.get("dispatched", ())) else 0)
            if pushed > since:
                waits = (since, min(pushed, begin), whom)
        track.append(Slice(index, begin, end, waits))
    return tracks


def layer_cycles(run: Run) -> dict[str, int]:
    """Cycles by layer: each cycle counts for the layer of the instruction that retires next."""
    order = sorted(range(len(run.instructions)), key=lambda i: int(run.result["retired"][i]))
    cycles: dict[str, int] = {}
    before = 0
    for index in order:
        name = run.instructions[index]["layer"]
        retired = int(run.result["retired"][index])
        cycles[name] = cycles.get(name, 0) + retired - before
        before = retired
    if order:
        # What comes after FINISH belongs to nobody in particular.
        cycles[run.instructions[order[-1]]["layer"]] += run.cycles - before
    return cycles


def layer_waits(run: Run) -> dict[str, dict[str, int]]:
    """By layer, for how many cycles compute has nothing to do but wait for a token of load and of store."""
    waits: dict[str, dict[str, int]] = {}
    for piece in slices(run)["compute"]:
        if piece.waits is not None:
            since, until, whom = piece.waits
            layer = waits.setdefault(run.instructions[piece.index]["layer"], {})
            layer[whom] = layer.get(whom, 0) + until - since
    return waits


def fetches(run: Run) -> Iterator[tuple[int, int, int, int]]:
    """Instructions handed out together: the first and the last, and from when until when."""
    times = [int(t) for t in run.result.get("dispatched", ())]
    first = 0
    for index in range(1, len(times) + 1):
        if index < len(times) and times[index] - times[index - 1] <= FETCH_GAP:
            continue
        yield first, index - 1, times[first], times[index - 1] + 1
        first = index


def _fetch(run: Run, offset: int) -> Iterator[dict[str, Any]]:
    """Slices of instructions handed out together."""
    for first, last, begin, end in fetches(run):
        count = last - first + 1
        yield {
            "ph": "X",
            "name": f"{count} instruction{'s' if count > 1 else ''}",
            "cat": "fetch",
            "ts": offset + begin,
            "dur": end - begin,
            "tid": TRACKS.index("fetch"),
            "args": {"first": first, "last": last},
        }


def _arguments(insn: dict[str, Any], index: int, started: int, retired: int) -> dict[str, Any]:
    args: dict[str, Any] = {"instruction": index, "assembly": insn["assembly"], "started": started, "retired": retired}
    if insn["layer"]:
        args["layer"] = insn["layer"]
    for key in ("dram_bytes", "gemm_steps", "alu_steps", "reset_steps"):
        if insn[key]:
            args[key] = insn[key]
    return args


def _events(run: Run, offset: int, first_flow: int) -> Iterator[dict[str, Any]]:
    """All events of a stream that starts at cycle `offset`; its arrows are numbered from `first_flow` on."""
    yield from _fetch(run, offset)
    place: dict[int, tuple[int, Slice]] = {}
    for module, track in slices(run).items():
        tid = TRACKS.index(module)
        for piece in track:
            insn = run.instructions[piece.index]
            place[piece.index] = (tid, piece)
            if piece.waits:
                since, until, whom = piece.waits
                if until > since:
                    yield {
                        "ph": "X",
                        "name": f"wait for {whom}",
                        "cat": "wait",
                        "ts": offset + since,
                        "dur": until - since,
                        "tid": tid,
                        "args": {"instruction": piece.index, "token from": whom},
                        "cname": "terrible",
                    }
            started, retired = int(run.result["started"][piece.index]), int(run.result["retired"][piece.index])
            yield {
                "ph": "X",
                "name": f"{insn['name']} {insn['layer']}".rstrip(),
                "cat": insn["name"].split()[0],
                "ts": offset + piece.begin,
                "dur": piece.end - piece.begin,
                "tid": tid,
                "args": _arguments(insn, piece.index, offset + started, offset + retired),
            }
    flow = first_flow
    for (pusher, popper), pairs in tokens(run.instructions).items():
        for push, pop in pairs:
            (from_tid, source), (to_tid, target) = place[push], place[pop]
            common = {"name": f"{pusher} to {popper}", "cat": "token", "id": flow}
            yield {**common, "ph": "s", "ts": offset + source.end - 1, "tid": from_tid}
            yield {**common, "ph": "f", "bp": "e", "ts": offset + target.begin, "tid": to_tid}
            flow += 1


def events(runs: Iterable[Run | str]) -> Iterator[dict[str, Any]]:
    """The events of streams that run one after the other; a text between them names what the processor does."""
    tracks = dict(enumerate(TRACKS))
    offset = flow = 0
    yield {"ph": "M", "name": "process_name", "pid": 1, "args": {"name": "accelerator (1 us here is 1 cycle)"}}
    for tid, name in tracks.items():
        yield {"ph": "M", "name": "thread_name", "pid": 1, "tid": tid, "args": {"name": name}}
        yield {"ph": "M", "name": "thread_sort_index", "pid": 1, "tid": tid, "args": {"sort_index": tid}}
    for run in runs:
        if isinstance(run, str):
            yield {"ph": "i", "s": "t", "name": run, "cat": "native", "ts": offset, "pid": 1, "tid": 0}
            continue
        launch = {"ph": "X", "name": run.name, "cat": "launch", "ts": offset, "dur": run.cycles, "pid": 1, "tid": 0}
        yield {**launch, "args": run.result.get("activity", {})}
        for event in _events(run, offset, flow):
            yield {**event, "pid": 1}
            flow += event["ph"] == "s"
        offset += run.cycles


def write(
    path: str | os.PathLike[str],
    runs: Iterable[Run | str],
    about: Mapping[str, Any],
    error: type[AccError] = RunError,
) -> None:
    """Writes a timeline, whole or not at all; `about` says in its metadata what it shows."""
    write_events(path, events(runs), {"time unit": "1 microsecond of this file is 1 cycle", **about}, error)


def write_events(
    path: str | os.PathLike[str],
    events: Iterable[Mapping[str, Any]],
    about: Mapping[str, Any],
    error: type[AccError] = RunError,
) -> None:
    """Writes events of the format as a file, whole or not at all."""
    with replacing(path, error) as file:
        file.write(b'{"displayTimeUnit": "ns", "otherData": ' + json.dumps(about).encode() + b', "traceEvents": [\n')
        for number, event in enumerate(events):
            file.write((b",\n" if number else b"") + json.dumps(event).encode())
        file.write(b"\n]}\n")
