"""Makes bundles: a folder of its own is filled and checked, and appears whole or not at all."""

from __future__ import annotations

import importlib.resources
import itertools
import json
import os
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from acc.bundling.manifest import (
    EXPECTED,
    FILE,
    FORMAT,
    INPUTS,
    MODEL,
    Bundle,
    BundleError,
    describe_files,
    evaluate_model,
    run_samples,
    sha256,
    verify,
)
from acc.bundling.point import FILE as POINT
from acc.bundling.point import Point, make_point, read_point
from acc.errors import CompileError
from acc.files import check_new_folder, creating_folder, read_bytes
from acc.targets.base import Accelerator

__all__ = ["bundle"]

QUANTIZED, FLOAT, TUNING = "model_q.onnx", "model.onnx", "tuned.jsonl"
MOST_SAMPLES = 16
TOLERANCE = 0.01
"""By which part cycles may differ from those of a point: where buffers lie in memory moves a few."""

VERSIONS = ("acc", "model format", "LLVM and MLIR", "linker", "numpy", "onnx", "protobuf")
"""Of `acc.machine.versions`, what decides about bytes of a bundle."""

Path_ = str | os.PathLike[str]
Progress = Callable[[str, str], None]


def bundle(
    model: Path_,
    output: Path_,
    *,
    point: Path_ | None = None,
    config: Path_ | Mapping[str, object] | None = None,
    circuit: Mapping[str, Any] | None = None,
    device: str | None = None,
    target_mhz: float | None = None,
    float_model: Path_ | None = None,
    tuning: Path_ | Sequence[Path_] = (),
    timing_device: str | None = None,
    target: str | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    values: Mapping[str, Any] | None = None,
    cpu: str = "native",
    cpu_features: str = "",
    data: Any = None,
    evaluation: str | None = None,
    netlist: bool = True,
    bitstream: bool = False,
    progress: Progress = lambda step, detail: None,
    **target_options: object,
) -> Bundle:
    """Writes a folder with a model, the hardware for it, and everything that was made of both; docs/bundle.md.

    model: the quantized ONNX model. output: the folder, which is new or empty. point: a folder of `acc explore`, or a
    bundle; or instead config, circuit (options by name), device ("ecp5-85k"), target_mhz (100), tuning and
    target_options say what the hardware is and how the model is compiled. float_model: what the model was quantized
    from. timing_device: what counts the cycles, or that of the circuit. target: whose hardware it is, or the first
    target that has some to deliver. shapes, values, cpu, cpu_features: as for `acc.compile`. data: samples as for
    `acc.quantize`, of which the first 16 go into the bundle with their results. evaluation: "module:function", as for
    `acc.quantize`; its number is promised. netlist, bitstream: whether the circuit is synthesized, and placed and
    routed; without the tools both are left out, and the manifest says so. progress: told each step, and how far it is.

    Two bundles of the same inputs, versions and processor are equal byte for byte. Raises BundleError, or what
    compiling, synthesis and reading of models and samples raise; there is no folder then.
    """
    check_new_folder(output, BundleError)
    given = {"config": config, "circuit": circuit, "device": device, "target_mhz": target_mhz, "tuning": tuning or None}
    given |= {"timing_device": timing_device, **target_options}
    if point is not None and (beside := [name for name, value in given.items() if value is not None]):
        raise BundleError(f"'{beside[0]}' is for a design without a point, and '{os.fspath(point)}' has its own")
    kind = _find_kind(target)
    found = read_point(point, kind.configuration_file) if point is not None else None
    logs = (tuning,) if isinstance(tuning, str | os.PathLike) else tuple(tuning)
    job = _Job(
        kind=kind,
        point=found,
        model=read_bytes(model, BundleError, "the model"),
        float_model=None if float_model is None else read_bytes(float_model, BundleError, "the float model"),
        config=found.config if found else config,
        circuit=found.data["circuit"] if found else dict(circuit or {}),
        device=found.data["device"] if found else device or "ecp5-85k",
        target_mhz=found.target_mhz if found else target_mhz or 100.0,
        logs=tuple(read_bytes(log, BundleError, "the tuning log") for log in (found.tuning if found else logs)),
        timing_device=found.data["timing_device"] if found else timing_device,
        compile_options=found.data["compile_options"]
        if found
        else {name: value for name, value in target_options.items() if value is not None},
        shapes={name: tuple(shape) for name, shape in (shapes or {}).items()},
        values=dict(values or {}),
        cpu=cpu,
        cpu_features=cpu_features,
        evaluation=evaluation,
        netlist=netlist or bitstream,
        bitstream=bitstream,
        progress=progress,
    )
    if found is not None and point is not None and found.data["model"] != sha256(job.model):
        raise BundleError(f"'{os.fspath(point)}' is for another model than '{os.fspath(model)}': their digests differ")
    with creating_folder(output, BundleError) as work:
        job.fill(work, data)
        made = verify(work)
    return Bundle(Path(output), made.manifest)


def _find_kind(name: str | None) -> type[Accelerator]:
    """The accelerator of that name, or the first that has hardware to deliver."""
    from acc import targets

    for candidate in targets.names() if name is None else (name,):
        kind = targets.load(candidate) if name is None else targets.find(candidate)
        if kind is not None and issubclass(kind, Accelerator) and kind.configuration_file:
            return kind
    raise CompileError("no target has hardware to deliver" if name is None else f"target '{name}' has no hardware")


@dataclass(frozen=True)
class _Job:
    """What a bundle is made of, read already."""

    kind: type[Accelerator]
    point: Point | None
    model: bytes
    float_model: bytes | None
    config: Any
    circuit: Mapping[str, Any]
    device: str
    target_mhz: float
    logs: tuple[bytes, ...]
    timing_device: str | None
    compile_options: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]]
    values: Mapping[str, Any]
    cpu: str
    cpu_features: str
    evaluation: str | None
    netlist: bool
    bitstream: bool
    progress: Progress

    def fill(self, work: Path, data: Any) -> None:
        """Writes all files; the manifest is the last."""
        from acc.targets.delivery import HardwareOrder

        (work / QUANTIZED).write_bytes(self.model)
        if self.float_model is not None:
            (work / FLOAT).write_bytes(self.float_model)
        if self.logs:
            (work / TUNING).write_bytes(b"".join(log if log.endswith(b"\n") else log + b"\n" for log in self.logs))
        target = cast(Accelerator, self.kind.from_options({"config": self.config, **self.compile_options}))
        order = HardwareOrder(
            self.circuit, self.device, self.target_mhz, self.netlist, self.bitstream, progress=self.progress
        )
        # What compiles in seconds comes before what is synthesized for minutes.
        sketch = target.hardware_files(HardwareOrder(self.circuit, self.device, self.target_mhz, netlist=False))
        timing_device = self.timing_device or sketch.timing_device
        self._compile(work, timing_device)
        promised, layers, native = self._measure(work, timing_device)
        samples = self._write_samples(work, data) if data is not None else 0
        promised |= {"samples": samples, **self._evaluate(work)}
        hardware = target.hardware_files(order) if self.netlist else sketch
        for path, contents in hardware.files.items():
            _write(work / path, contents)
        text = self.point.text if self.point else None
        text = text or make_point(
            model=sha256(self.model),
            device=self.device,
            circuit=hardware.circuit,
            timing_device=timing_device,
            compile_options=self.compile_options,
            target_mhz=self.target_mhz,
            cycles=promised["cycles"],
            native=native,
            layers=layers,
            tuning=TUNING if self.logs else None,
        )
        (work / POINT).write_bytes(text)
        if self.point and self.point.tuning and (name := self.point.tuning[0].name) != TUNING:
            (work / TUNING).rename(work / name)
        _write_example(work)
        (work / "README.md").write_text(_readme(self, hardware.left_out, promised))
        script = work / "reproduce.sh"
        script.write_text(self._script(samples))
        script.chmod(0o755)
        left_out = dict(hardware.left_out)
        if self.float_model is None:
            left_out[FLOAT] = "it was not given"
        if not samples:
            left_out[INPUTS] = left_out[EXPECTED] = "no samples were given"
        if not self.logs:
            left_out[TUNING] = "nothing was tuned"
        manifest = {
            "format": FORMAT,
            "target": self.kind.name,
            "device": self.device,
            "circuit": dict(hardware.circuit),
            "promised": promised,
            "figures": dict(hardware.figures),
            **self._processor(),
            "versions": {**_versions(), **hardware.versions},
            "left_out": dict(sorted(left_out.items())),
            "may_appear": ["example/run_model"],
            "files": describe_files(work),
        }
        (work / FILE).write_text(json.dumps(manifest, indent=2) + "\n")

    def _compile(self, work: Path, timing_device: str) -> None:
        from acc.compiler import compile_contents
        from acc.container import write_model

        self.progress("compiling", "")
        compilation = compile_contents(
            os.fspath(work / QUANTIZED),
            self.kind.name,
            self.config,
            self.shapes,
            self.values,
            cpu=self.cpu,
            cpu_features=self.cpu_features,
            tuning=[work / TUNING] if self.logs else (),
            tuning_device=timing_device if self.logs else "",
            **self.compile_options,
        )
        write_model(work / MODEL, compilation.contents)

    def _measure(self, work: Path, timing_device: str) -> tuple[dict[str, Any], list[dict[str, Any]], list[str]]:
        """What a run takes, by layer too, and the layers that the host computes; writes the report."""
        from acc.devices import one
        from acc.inspect.model_report import make_report

        self.progress("counting cycles", "")
        report = make_report(work / MODEL, name=MODEL, timed=False, device=one(timing_device))
        (work / "report.html").write_text(report.to_html())
        cycles = report.cycles or 0
        if self.point is not None and abs(cycles - self.point.data["cycles"]) > TOLERANCE * self.point.data["cycles"]:
            raise BundleError(
                f"the point promises {self.point.data['cycles']:,} cycles, and the compiled model takes {cycles:,}: it "
                f"was found by acc {self.point.data.get('acc_version', 'of unknown version')} in another state"
            )
        layers = [
            {
                "name": row.layer.name,
                "cycles": row.cycles,
                "gemm_steps": row.layer.gemm_steps,
                "dram_bytes": sum(row.layer.dram_bytes.values()),
            }
            for row in report.rows
            if not row.is_native
        ]
        native = [row.layer.name for row in report.rows if row.is_native]
        return {"cycles": cycles, "timing_device": timing_device}, layers, native

    def _write_samples(self, work: Path, data: Any) -> int:
        """Writes samples and their results; returns how many. The first input of the first is the example's."""
        from acc.container import read_model
        from acc.quantization.data import open_samples

        self.progress("running samples", "")
        samples = list(itertools.islice(open_samples(data, read_model(work / MODEL).inputs), MOST_SAMPLES))
        if not samples:
            raise BundleError("there are no samples in the data")
        arrays = {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}
        (work / INPUTS).parent.mkdir()
        np.savez(work / INPUTS, **arrays)  # type: ignore[arg-type]
        np.savez(work / EXPECTED, **run_samples(work / MODEL, arrays))  # type: ignore[arg-type]
        first = next(iter(read_model(work / MODEL).inputs)).name
        _write(work / "example" / "input.bin", np.ascontiguousarray(arrays[first][0]).tobytes())
        return len(samples)

    def _evaluate(self, work: Path) -> dict[str, Any]:
        from acc.quantization.data import load_function

        if self.evaluation is None:
            return {}
        self.progress("evaluating", "")
        function = load_function(self.evaluation)
        return {"evaluation": self.evaluation, "score": evaluate_model(work / MODEL, function)}

    def _processor(self) -> dict[str, Any]:
        """The processor that native code is for, by name, and all features that it may use."""
        from acc import _mlir
        from acc.targets.cpu import CpuOptions

        name = _mlir.host_cpu() if self.cpu == "native" else self.cpu
        return {"cpu": name, "cpu_features": CpuOptions(self.cpu, self.cpu_features).all_features()}

    def _script(self, samples: int) -> str:
        """The script that makes the bundle again from its own files, and compares all of them."""

        def options() -> Iterator[str]:
            yield f'--model "$here/{QUANTIZED}"'
            if self.float_model is not None:
                yield f'--float "$here/{FLOAT}"'
            yield f"--target {shlex.quote(self.kind.name)}"
            for name, shape in self.shapes.items():
                yield f"--shape {shlex.quote(name + '=' + ','.join(map(str, shape)))}"
            for name, value in self.values.items():
                yield f"--value {shlex.quote(name + '=' + ','.join(map(str, np.ravel(value))))}"
            yield f"--cpu {shlex.quote(self.cpu)}"
            if self.cpu_features:
                yield f"--cpu-features={shlex.quote(self.cpu_features)}"
            if samples:
                yield f'--data "$here/{INPUTS}"'
            if self.evaluation is not None:
                yield f"--eval {shlex.quote(self.evaluation)}"
            if not self.netlist:
                yield "--no-netlist"
            if self.bitstream:
                yield "--bitstream"

        lines = " \\\n    ".join(options())
        return (
            "#!/bin/sh\n"
            "# Makes every file of this bundle again, in the folder that is named (default: a new one beside it), and\n"
            "# compares them. Needs acc and the tools of the versions in manifest.json.\n"
            "set -eu\n"
            'here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)\n'
            'again=${1:-"$here.again"}\n'
            'acc bundle --verify "$here" > /dev/null\n'
            f'acc bundle "$here" \\\n    {lines} \\\n    -o "$again"\n'
            'diff -r "$here" "$again"\n'
            'echo "every file is the same"\n'
        )


def _write(path: Path, contents: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(contents)


def _installed(*places: str) -> Path:
    """The first of some paths, from the package's folder on, that is there: as installed, or in the source tree."""
    package = Path(str(importlib.resources.files("acc")))
    for place in places:
        if (package / place).is_file():
            return package / place
    raise BundleError(f"'{places[0]}' is not part of this installation")


def _write_example(work: Path) -> None:
    """The C example with the runtime that it is linked to."""
    places = {
        "example/run_model.c": ("examples/run_model.c", "../../examples/run_model.c"),
        "example/include/acc/runtime.h": ("include/acc/runtime.h", "../../runtime/include/acc/runtime.h"),
        "example/lib/libacc_runtime.so": ("_lib/libacc_runtime.so",),
    }
    for path, candidates in places.items():
        target = work / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_installed(*candidates), target)
    (work / "example" / "Makefile").write_text(
        "# make: builds run_model; make run: runs the model of the bundle.\n"
        "run_model: run_model.c\n"
        "\t$(CC) -O2 run_model.c -I include -L lib -lacc_runtime -Wl,-rpath,'$$ORIGIN/lib' -o $@\n"
        "run: run_model\n"
        f"\t./run_model ../{MODEL} $(wildcard input.bin)\n"
        ".PHONY: run\n"
    )


def _versions() -> dict[str, str]:
    """What makes a difference, without where it lies on this machine."""
    from acc.machine import versions

    return {name: text.partition(" (/")[0] for name, text in versions().items() if name in VERSIONS}


def _readme(job: _Job, left_out: Mapping[str, str], promised: Mapping[str, Any]) -> str:
    rows = {
        QUANTIZED: "the quantized model",
        **({FLOAT: "the float model that it was quantized from"} if job.float_model is not None else {}),
        MODEL: "the compiled model, for Python (`acc.load`), C and C++",
        job.kind.configuration_file: "the configuration of the accelerator",
        POINT: "the design with its figures: this folder is a point of a front, too",
        **({TUNING: "the tuning log that the kernels obey"} if job.logs else {}),
        "rtl/": "the circuit: its package, its modules, and `files.f`, their order",
        "synth/": "wrapper of few pins, cells of the FPGA, constraints, and what tools made",
        "report.html": "what runs where and why, and where the time goes",
        "example/": "a C program that runs the model: `make -C example run`",
        **({"samples/": "inputs, and the results that they must give"} if promised["samples"] else {}),
        FILE: "versions and SHA-256 of every file: `acc bundle --verify .`",
        "reproduce.sh": "makes every file again and compares",
    }
    lines = ["# A model and its accelerator", "", "| | |", "|---|---|"]
    lines += [f"| `{name}` | {what} |" for name, what in rows.items()]
    lines += ["", f"`{MODEL}` takes {promised['cycles']:,} cycles on `{promised['timing_device']}`."]
    if promised.get("score") is not None:
        lines.append(f"`{promised['evaluation']}` gives {promised['score']:g}.")
    lines += [f"Left out: `{name}`: {why}." for name, why in left_out.items()]
    return "\n".join(lines) + "\n"
