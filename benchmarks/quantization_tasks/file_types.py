"""File types: the model of the package magika names the types of files of this system.

What a file is is known from how its name ends, for endings that mean one thing. The sample is the same on machines that
have the same packages. A point is a hundredth of the files.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import sysconfig

import numpy as np
import onnx

from quantization_tasks import Run, Task, fix_sizes, package_folder

MOST_OF_ONE_TYPE = 40
CALIBRATION = 128
ENDINGS = {
    **{
        "py": "python",
        "pyc": "pythonbytecode",
        "gz": "gzip",
        "png": "png",
        "yaml": "yaml",
        "yml": "yaml",
        "js": "javascript",
    },
    **{"rst": "rst", "json": "json", "xml": "xml", "html": "html", "cmake": "cmake", "md": "markdown", "svg": "svg"},
    **{
        "jar": "jar",
        "cpp": "cpp",
        "cc": "cpp",
        "c": "c",
        "h": "c",
        "toml": "toml",
        "sql": "sql",
        "php": "php",
        "so": "elf",
    },
    **{
        "f90": "fortran",
        "sh": "shell",
        "css": "css",
        "csv": "csv",
        "tcl": "tcl",
        "npy": "npy",
        "npz": "npz",
        "ttf": "ttf",
    },
    **{"exe": "pebin", "wav": "wav", "ps1": "powershell", "gif": "gif", "m4": "m4", "pkl": "pickle", "bat": "batch"},
    **{"pdf": "pdf", "jpg": "jpeg", "awk": "awk", "xz": "xz", "bz2": "bzip", "zip": "zip", "ico": "ico", "lua": "lua"},
    **{"pm": "perl", "rb": "ruby", "ts": "typescript", "whl": "zip", "woff2": "woff2", "woff": "woff", "java": "java"},
}


def _files() -> list[tuple[pathlib.Path, str]]:
    """Files and their types, at most so many of one type, in an order that depends on their names alone."""
    roots = {pathlib.Path("/usr"), pathlib.Path(sysconfig.get_path("purelib"))}
    by_type: dict[str, list[tuple[str, pathlib.Path]]] = {}
    for root in sorted(roots):
        for folder, _, names in os.walk(root):
            for name in names:
                label = ENDINGS.get(name.rpartition(".")[2].lower()) if "." in name else None
                if label is not None:
                    path = pathlib.Path(folder, name)
                    # Copies of one file, in several environments, are one.
                    key = hashlib.sha256(str(path.relative_to(root)).encode()).hexdigest()
                    by_type.setdefault(label, []).append((key, path))
    chosen: list[tuple[str, pathlib.Path, str]] = []
    for label, found in by_type.items():
        kept: list[tuple[str, pathlib.Path, str]] = []
        for key, path in sorted(found):
            if len(kept) == MOST_OF_ONE_TYPE:
                break
            # Below some tens of bytes, Magika does not ask its model.
            if path.is_file() and not path.is_symlink() and path.stat().st_size >= 64:
                kept.append((key, path, label))
        chosen += kept
    return [(path, label) for _, path, label in sorted(chosen)]


def _features(path: pathlib.Path, settings: dict[str, int]) -> np.ndarray:
    """What the model sees of a file: int32, bytes of its beginning and of its end, without white space around them."""
    block, begin, end, pad = (settings[key] for key in ("block_size", "beg_size", "end_size", "padding_token"))
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        first = file.read(block).lstrip()[:begin]
        file.seek(max(0, size - block))
        last = file.read(block).rstrip()[-end:]
    features = np.full(begin + end, pad, np.int32)
    features[: len(first)] = np.frombuffer(first, np.uint8)
    features[begin + end - len(last) :] = np.frombuffer(last, np.uint8)
    return features


def prepare() -> Task:
    """The task."""
    folder = next((package_folder("magika") / "models").iterdir())
    settings = json.loads((folder / "config.min.json").read_text())
    labels = settings["target_labels_space"]
    model = onnx.load(folder / "model.onnx")
    name = model.graph.input[0].name
    model = fix_sizes(model, {name: (1, settings["beg_size"] + settings["end_size"])})
    files = _files()
    features = np.stack([_features(path, settings) for path, _ in files])
    # The order is that of hashes: the first are as good as any, and none of them is judged.
    test = range(CALIBRATION, len(files))

    def score(run: Run) -> float:
        right = sum(labels[int(np.argmax(run({name: features[i : i + 1]})[0]))] == files[i][1] for i in test)
        return 100 * right / len(test)

    return Task(model, {name: features[:CALIBRATION]}, score, "files named right")
