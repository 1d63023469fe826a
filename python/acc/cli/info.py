"""`acc info`: what a model is made of, compiled or not; nothing is executed."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from acc.cli.compile import add_dialect, add_value, parse_shape

if TYPE_CHECKING:
    from acc.frontend.specialize import Values


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "info",
        help="describe a model, layer by layer",
        description="Describes a model: inputs, outputs, and per layer the target and the reason for it; of a compiled "
        "model also sizes and what the accelerator does. Nothing is executed.",
    )
    parser.add_argument("model", metavar="MODEL", help="a compiled model (.so) or an ONNX model (.onnx)")
    onnx = parser.add_argument_group("for ONNX models")
    onnx.add_argument("--target", default="cpu", choices=("cpu", "vta"), help="what it would be compiled for")
    onnx.add_argument("--config", metavar="vta_config.json", help="the accelerator (default: the published one)")
    onnx.add_argument("--shape", action="append", default=[], type=parse_shape, metavar="NAME=D,D,...")
    add_value(onnx)
    add_dialect(onnx)
    parser.add_argument("--json", action="store_true", help="print as JSON")
    parser.set_defaults(run=run)


def describe(path: str) -> dict[str, Any]:
    """What is known about a compiled model; raises ModelFileError."""
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


def describe_onnx(
    path: str,
    target: str,
    config: str | None = None,
    shapes: dict[str, tuple[int, ...]] | None = None,
    values: Values | None = None,
    dialect: str | None = None,
) -> dict[str, Any]:
    """What would become of an ONNX model: its kernels and their targets; raises AccError as compiling it does."""
    from acc.compiler import check_vta_options, signature
    from acc.config import read_config
    from acc.macs import Macs
    from acc.pipeline import Options, Pipeline
    from acc.report import LayerReport, read_launches, report_macs

    check_vta_options(target, config, dialect)
    hardware = read_config(config) if target == "vta" else {}
    pipeline = Pipeline(Options(target=target, config=hardware, dialect=dialect or "acc"))
    module = pipeline.make_graph(path, shapes, values)
    inputs, outputs = signature(module)
    pipeline.make_te(module)
    placed = {placement.kernel: placement for placement in pipeline.placements}
    decided = {decision.kernel: decision for decision in pipeline.decisions}
    layers = []
    for launch in read_launches(module):
        placement, decision = placed.get(launch.kernel), decided.get(launch.symbol)
        schedule = decision.schedule if decision else None
        report = LayerReport(
            layers=placement.layers if placement else (),
            kernel=launch.kernel,
            target="vta" if schedule else "cpu",
            reason=(decision.reason if decision else "") or (placement.reason if placement else ""),
            **report_macs(placement.macs if placement else Macs()),
            schedule=schedule.summary() if schedule else "",
        )
        layers.append(report.to_dict())
    return {
        "file": path,
        "target": target,
        **({"config": hardware, "vta_dialect": pipeline.options.dialect} if hardware else {}),
        "inputs": [info.to_dict() for info in inputs],
        "outputs": [info.to_dict() for info in outputs],
        "layers": layers,
    }


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc.container import TensorInfo
    from acc.report import LayerReport, format_layers

    if args.model.endswith(".onnx"):
        shapes, values = dict(args.shape), dict(args.value)
        facts = describe_onnx(args.model, args.target, args.config, shapes, values, args.vta_dialect)
    else:
        facts = describe(args.model)
    if args.json:
        print(json.dumps(facts))
        return 0
    dialect = f", dialect {facts['vta_dialect']}" if facts.get("vta_dialect", "acc") != "acc" else ""
    print(f"model      {facts['file']} (target {facts.get('target', 'cpu')}{dialect})")
    for key in ("inputs", "outputs"):
        for item in facts[key]:
            print(f"{key[:-1]:9}  {item['name']}: {TensorInfo.from_dict(item)}")
    if "code_bytes" in facts:
        print(f"code       {facts['code_bytes']:,} bytes")
        print(f"constants  {facts['constant_bytes']:,} bytes, {facts['stored_constant_bytes']:,} in the file")
        print(f"workspace  {facts['workspace_bytes']:,} bytes")
        print(f"programs   {facts['programs']}, {facts['program_bytes']:,} bytes")
    if facts["layers"]:
        print("\n" + format_layers(LayerReport.from_dict(layer) for layer in facts["layers"]))
    return 0
