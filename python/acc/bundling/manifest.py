"""The list of what is in a bundle: `manifest.json`, with the SHA-256 of every file, and the check against it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from acc.errors import AccError
from acc.files import load_arrays, read_bytes
from acc.wording import listing

__all__ = ["FILE", "Bundle", "BundleError", "describe_files", "evaluate_model", "run_samples", "sha256", "verify"]

FILE = "manifest.json"
FORMAT = "acc-bundle-1"
MODEL = "model.so"
INPUTS, EXPECTED = "samples/inputs.npz", "samples/expected.npz"


class BundleError(AccError):
    """A bundle cannot be made of what was given, or is not what its manifest says."""


@dataclass(frozen=True)
class Bundle:
    """A bundle: its folder, and its manifest as it is in the file."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def files(self) -> Mapping[str, Mapping[str, Any]]:
        """By path: "sha256", and "bytes"."""
        return self.manifest["files"]

    @property
    def left_out(self) -> Mapping[str, str]:
        """Why files are not there, by path."""
        return self.manifest["left_out"]

    @property
    def promised(self) -> Mapping[str, Any]:
        """What model.so does: "cycles" on "timing_device", "samples" that it was run on, and a "score" if asked for."""
        return self.manifest["promised"]

    def table(self) -> str:
        """The files and what they take, what is left out, and what is promised, for people."""
        from acc.report import format_table

        rows = [[path, f"{entry['bytes']:,}"] for path, entry in self.files.items()]
        lines = [format_table(rows, ["file", "bytes"]), ""]
        promised = self.promised
        lines.append(f"model.so takes {promised['cycles']:,} cycles on {promised['timing_device']}")
        if promised.get("score") is not None:
            lines.append(f"{promised['evaluation']} gives {promised['score']:g}")
        for path, why in self.left_out.items():
            lines.append(f"left out: {path}: {why}")
        return "\n".join(lines)


def sha256(contents: bytes) -> str:
    """64 hexadecimal digits."""
    return hashlib.sha256(contents).hexdigest()


def describe_files(folder: Path) -> dict[str, dict[str, Any]]:
    """The manifest's entries for all files of a folder, by path, in the order of paths."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    entries = {}
    for name in sorted(found):
        contents = read_bytes(found[name], BundleError)
        entries[name] = {"sha256": sha256(contents), "bytes": len(contents)}
    return entries


def _read(folder: Path) -> dict[str, Any]:
    path = folder / FILE
    if not folder.is_dir():
        raise BundleError(f"'{folder}' is no folder")
    try:
        manifest = json.loads(read_bytes(path, BundleError))
    except ValueError:
        raise BundleError(f"'{path}' is not JSON") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BundleError(f"'{path}' is not of the format {FORMAT}")
    files = manifest.get("files")
    sound = isinstance(files, dict) and all(
        isinstance(entry, dict) and isinstance(entry.get("sha256"), str) and _is_inside(name)
        for name, entry in files.items()
    )
    if not sound or not all(isinstance(manifest.get(key), dict) for key in ("left_out", "promised")):
        raise BundleError(f"'{path}' is not complete: its lists of files, of what is left out and promised are needed")
    return manifest


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and name == path.as_posix()


def verify(folder: str | os.PathLike[str], *, run: bool = False) -> Bundle:
    """Checks a bundle against its manifest, and returns it.

    run: run model.so too, for its cycles and for the results on the bundle's samples, bit for bit; it must be for this
    machine's processor. Raises BundleError that names every file which is missing, changed or not on the list, or what
    the model does otherwise.
    """
    path = Path(folder)
    manifest = _read(path)
    listed: Mapping[str, Any] = manifest["files"]
    # What `make -C example` builds is no alien.
    allowed = [FILE, *manifest.get("may_appear", [])]
    there = describe_files(path)
    problems = [f"{name} is missing" for name in listed if name not in there]
    problems += [
        f"{name} is changed" for name in listed if name in there and there[name]["sha256"] != listed[name]["sha256"]
    ]
    problems += [f"{name} is not in the manifest" for name in there if name not in {*listed, *allowed}]
    if problems:
        raise BundleError(f"'{path}' is not what its manifest says: {listing(problems)}")
    found = Bundle(path, manifest)
    if run:
        _run(found)
    return found


def _count_cycles(path: Path, device: str) -> int:
    """The cycles of a run of a compiled model's accelerator programs; 0 without any."""
    from acc.devices import one
    from acc.inspect.model_report import make_report

    return make_report(path, timed=False, device=one(device)).cycles or 0


def _run(bundle: Bundle) -> None:
    """Raises BundleError if the model does something else than what is promised."""
    promised = bundle.promised
    cycles = _count_cycles(bundle.folder / MODEL, str(promised.get("timing_device")))
    if cycles != promised.get("cycles"):
        raise BundleError(f"{MODEL} takes {cycles:,} cycles instead of {promised.get('cycles'):,}")
    if INPUTS not in bundle.files:
        return
    samples = _arrays(bundle.folder / INPUTS)
    expected = _arrays(bundle.folder / EXPECTED)
    results = run_samples(bundle.folder / MODEL, samples)
    for name, array in expected.items():
        if name not in results or results[name].tobytes() != array.tobytes():
            raise BundleError(f"{MODEL} gives other results for '{name}' than those in {EXPECTED}")


def _arrays(path: Path) -> dict[str, np.ndarray]:
    arrays = load_arrays(path, BundleError)
    if not isinstance(arrays, dict):
        raise BundleError(f"'{path}' holds one array without a name")
    return arrays


def run_samples(path: Path, samples: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The results of a compiled model for samples that lie along the first axis."""
    from acc.executable import load

    results: dict[str, list[np.ndarray]] = {}
    with load(path) as model:
        for number in range(len(next(iter(samples.values())))):
            for name, array in model.run({key: array[number] for key, array in samples.items()}).items():
                results.setdefault(name, []).append(np.array(array))
    return {name: np.stack(arrays) for name, arrays in results.items()}


def evaluate_model(path: Path, function: Callable[..., Any]) -> float:
    """What the user's function says of a compiled model; raises BundleError unless it is a number."""
    from acc.executable import load
    from acc.quantization.data import call_evaluation

    with load(path) as model:

        def run(feeds: Mapping[str, Any]) -> dict[str, np.ndarray]:
            return model.run({name: np.asarray(array) for name, array in feeds.items()})

        return call_evaluation(function, run, BundleError)
