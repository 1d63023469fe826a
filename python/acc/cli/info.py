"""`acc info`: what a compiled model is made of; nothing is executed."""

from __future__ import annotations

import argparse
import json
from typing import Any


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "info",
        help="describe a model, layer by layer",
        description="Describes a compiled model: inputs, outputs, sizes, and per layer the target, the reason for "
        "it and what the accelerator does. Nothing is executed.",
    )
    parser.add_argument("model", metavar="model.so", help="the compiled model")
    parser.add_argument("--json", action="store_true", help="print as JSON")
    parser.set_defaults(run=run)


def describe(path: str) -> dict[str, Any]:
    """What `acc info --json` prints about a compiled model; raises ModelFileError."""
    from acc.container import read_model

    model = read_model(path)
    constants = model.metadata["constants"]
    known = ("inputs", "outputs", "constants", "programs", "layers", "workspace_bytes")
    return {
        "file": path,
        **{key: value for key, value in model.metadata.items() if key not in known},
        "inputs": [info.to_dict() for info in model.inputs],
        "outputs": [info.to_dict() for info in model.outputs],
        "code_bytes": len(model.image),
        "constant_bytes": sum(constant["bytes"] for constant in constants),
        "stored_constant_bytes": len(model.constants),
        "workspace_bytes": model.metadata["workspace_bytes"],
        "programs": len(model.programs),
        "program_bytes": sum(len(program) for program in model.programs),
        "layers": model.metadata.get("layers", []),
    }


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc.container import TensorInfo
    from acc.report import LayerReport, format_layers

    facts = describe(args.model)
    if args.json:
        print(json.dumps(facts))
        return 0
    print(f"model      {facts['file']} (target {facts.get('target', 'cpu')})")
    for key in ("inputs", "outputs"):
        for item in facts[key]:
            print(f"{key[:-1]:9}  {item['name']}: {TensorInfo.from_dict(item)}")
    print(f"code       {facts['code_bytes']:,} bytes")
    print(f"constants  {facts['constant_bytes']:,} bytes, {facts['stored_constant_bytes']:,} in the file")
    print(f"workspace  {facts['workspace_bytes']:,} bytes")
    print(f"programs   {facts['programs']}, {facts['program_bytes']:,} bytes")
    if facts["layers"]:
        print("\n" + format_layers(LayerReport.from_dict(layer) for layer in facts["layers"]))
    return 0
