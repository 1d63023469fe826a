"""`acc info`: what a model is made of, compiled or not; nothing is executed."""

from __future__ import annotations

import argparse
import json
from typing import Any

from acc.cli.compile import add_shape, add_target, add_value, target_options
from acc.errors import CompileError


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "info",
        help="describe a model, layer by layer",
        description="Describes a model: inputs, outputs, and per layer the target and the reason for it; of a compiled "
        "model also sizes and what the accelerator does. Nothing is executed.",
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        nargs="?",
        help="a compiled model (.so) or an ONNX model (.onnx); without it, the installed targets are listed",
    )
    onnx = parser.add_argument_group("for ONNX models")
    add_target(onnx)
    add_shape(onnx)
    add_value(onnx)
    parser.add_argument("--json", action="store_true", help="print as JSON")
    parser.set_defaults(run=run)


LEVEL = ("cpu", "cpu_features", "workspace_bytes")
"""What is told of the code for a further processor."""


def describe(path: str) -> dict[str, Any]:
    """What is known about a compiled model; raises ModelFileError."""
    from acc.arena import scratch_bytes
    from acc.container import read_model

    model = read_model(path)
    constants = model.metadata["constants"]
    known = ("inputs", "outputs", "constants", "programs", "layers", "workspace_bytes", "code", "data")
    return {
        "file": path,
        **{key: value for key, value in model.metadata.items() if key not in known},
        "inputs": [info.to_dict() for info in model.inputs],
        "outputs": [info.to_dict() for info in model.outputs],
        "code_bytes": len(model.image),
        "constant_bytes": sum(constant["bytes"] for constant in constants),
        "stored_constant_bytes": len(model.constants),
        "workspace_bytes": model.metadata["workspace_bytes"],
        "scratch_bytes": scratch_bytes(model.metadata.get("launches", ())),
        "levels": [{key: level[key] for key in LEVEL} for level in model.metadata.get("levels", ())],
        "programs": len(model.programs),
        "program_bytes": sum(len(program.data) for program in model.programs),
        "layers": model.metadata.get("layers", []),
    }


def _format_arena(arena: dict[str, int]) -> str:
    """What the accelerator's memory holds, in one line."""
    kinds = ("constants", "inputs_and_outputs", "programs", "workspace")
    parts = [f"{arena[kind]:,} {kind.replace('_', ' ')}" for kind in kinds]
    if arena["scratch"]:
        parts[-1] += f" ({arena['scratch']:,} for tensors of a chain)"
    return f"{arena['total']:,} bytes on the accelerator: {', '.join(parts)}"


def _format_threads(facts: dict[str, Any]) -> str:
    """How many threads the native kernels of a compiled model run on."""
    kernels = [layer for layer in facts["layers"] if layer.get("program") is None]
    several = sum(bool(layer.get("parallel")) for layer in kernels)
    if not several:
        return "1: no native kernel has work for more"
    wanted = facts.get("threads")
    number = "all cores that there are" if wanted is None else str(wanted)
    return f"{number}, for {several} of {len(kernels)} native kernels"


def describe_targets() -> dict[str, str]:
    """What every installed target is, by name; of one that cannot be loaded, why."""
    from acc import targets

    described: dict[str, str] = {}
    for name in targets.names():
        try:
            described[name] = targets.find(name).title
        except CompileError as error:
            described[name] = str(error)
    return described


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc.container import TensorInfo
    from acc.report import LayerReport, format_layers

    if args.model is None:
        installed = describe_targets()
        print(
            json.dumps(installed) if args.json else "\n".join(f"{name:10} {text}" for name, text in installed.items())
        )
        return 0
    if args.model.endswith(".onnx"):
        from acc.compiler import describe as describe_onnx

        shapes, values = dict(args.shape), dict(args.value)
        facts = describe_onnx(args.model, args.target or ["cpu"], args.config, shapes, values, **target_options(args))
        facts = {"file": args.model, **facts}
    else:
        facts = describe(args.model)
    if args.json:
        print(json.dumps(facts))
        return 0
    dialect = f", dialect {facts['vta_dialect']}" if facts.get("vta_dialect", "acc") != "acc" else ""
    print(f"model      {facts['file']} (target {facts.get('target', 'cpu')}{dialect})")
    if facts.get("ties") == "up":
        print(
            "rounding   one half up: results may differ from ONNX Runtime's, which has ties to even, by one step there"
        )
    for key in ("inputs", "outputs"):
        for item in facts[key]:
            print(f"{key[:-1]:9}  {item['name']}: {TensorInfo.from_dict(item)}")
    if "triple" in facts:
        for level in (facts, *facts["levels"]):
            features = ", ".join(level["cpu_features"]) or "nothing more"
            print(f"processor  {level['cpu']} of {facts['triple']}, with {features}")
    if "code_bytes" in facts:
        print(f"code       {facts['code_bytes']:,} bytes")
        print(f"constants  {facts['constant_bytes']:,} bytes, {facts['stored_constant_bytes']:,} in the file")
        shared = f", {facts['scratch_bytes']:,} for tensors of a chain of kernels" if facts["scratch_bytes"] else ""
        print(f"workspace  {facts['workspace_bytes']:,} bytes{shared}")
        print(f"programs   {facts['programs']}, {facts['program_bytes']:,} bytes")
        print(f"threads    {_format_threads(facts)}")
    if "arena" in facts:
        print(f"memory     {_format_arena(facts['arena'])}")
    if facts["layers"]:
        print("\n" + format_layers(LayerReport.from_dict(layer) for layer in facts["layers"]))
    return 0
