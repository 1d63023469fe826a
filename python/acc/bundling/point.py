"""A point of a front, as the folder that `acc explore` writes (docs/explore.md), and the same for a design by hand."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acc.bundling.manifest import BundleError
from acc.files import read_bytes

__all__ = ["FILE", "FORMAT", "Point", "make_point", "read_point"]

FORMAT = "acc-point-1"
FILE = "point.json"
# What must be there, and of which type it is.
NEEDED: Mapping[str, type | tuple[type, ...]] = {
    "model": str,
    "device": str,
    "circuit": dict,
    "timing_device": str,
    "compile_options": dict,
    "cycles": int,
}


@dataclass(frozen=True)
class Point:
    """A design: the folder's `point.json`, its text, and the files beside it.

    config: the hardware configuration. tuning: logs that its kernels obey.
    """

    data: Mapping[str, Any]
    text: bytes
    config: Path
    tuning: tuple[Path, ...]

    @property
    def target_mhz(self) -> float:
        """The clock that place and route aims at."""
        return float(self.data.get("target_mhz") or 100.0)


def read_point(folder: str | os.PathLike[str], configuration_file: str) -> Point:
    """Raises BundleError if the folder is none of a point, and says what is wrong with it."""
    path = Path(folder)
    if not path.is_dir():
        raise BundleError(f"'{path}' is no folder of a point: acc explore writes point-1, point-2, ...")
    text = read_bytes(path / FILE, BundleError)
    try:
        data = json.loads(text)
    except ValueError:
        raise BundleError(f"'{path / FILE}' is not JSON") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise BundleError(f"'{path / FILE}' is not of the format {FORMAT}")
    for key, kind in NEEDED.items():
        if not isinstance(data.get(key), kind):
            raise BundleError(f"'{path / FILE}' has no '{key}', or something else than it should be")
    config = path / configuration_file
    if not config.is_file():
        raise BundleError(f"'{path}' has no {configuration_file}")
    tuning = data.get("tuning")
    logs: tuple[Path, ...] = ()
    if tuning is not None:
        # A name and no path: what is elsewhere would not be found again.
        if not isinstance(tuning, str) or Path(tuning).name != tuning or not (path / tuning).is_file():
            raise BundleError(f"'{path / FILE}' names the tuning log {tuning!r}, which is not there")
        logs = (path / tuning,)
    return Point(data, text, config, logs)


def make_point(
    *,
    model: str,
    device: str,
    circuit: Mapping[str, Any],
    timing_device: str,
    compile_options: Mapping[str, Any],
    target_mhz: float,
    cycles: int,
    native: list[str],
    layers: list[dict[str, Any]],
    tuning: str | None,
) -> bytes:
    """The text of a `point.json` for a design that nobody explored: nothing is predicted."""
    import acc

    data = {
        "format": FORMAT,
        "acc_version": acc.__version__,
        "model": model,
        "device": device,
        "circuit": dict(circuit),
        "timing_device": timing_device,
        "compile_options": dict(compile_options),
        "cycles": cycles,
        "native": native,
        "predicted": {},
        "routed": None,
        "target_mhz": target_mhz,
        "latency": None,
        "energy": None,
        "tuning": tuning,
        "layers": layers,
    }
    return (json.dumps(data, indent=2) + "\n").encode()
