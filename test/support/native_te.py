"""Runs te-level modules written by hand: native kernels of linalg and a main that launches them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from acc import ir
from acc.container import ModelContents
from acc.executable import Executable
from acc.passmanager import PassManager
from acc.signature import read_signature
from acc.targets.cpu import CpuOptions, stages

Case = tuple[Sequence[str], str]


def compile_te(text: str, options: CpuOptions | None = None) -> Executable:
    """Brings a module at the te level to something that runs; main's arguments and results need graph.name."""
    options = options or CpuOptions()
    module = ir.Module.parse(text, ir.Context())
    inputs, outputs = read_signature(module)
    for stage in (stages.make_te, stages.make_buffers, stages.make_llvm):
        pm = PassManager("builtin.module", module.context)
        stage(pm, options)
        pm.run(module)
    contents = ModelContents(
        image=stages.make_image(module, options),
        inputs=inputs,
        outputs=outputs,
        constants=stages.constants(module),
        workspace_bytes=stages.workspace_bytes(module),
        guard_bytes=options.guard_bytes,
        cpu_features=options.all_features(),
    )
    return Executable.from_contents(contents)


def elementwise(inputs: Mapping[str, str], cases: Sequence[Case], shape: Sequence[int]) -> str:
    """A module with one elementwise kernel per case.

    inputs: element types by name. cases: operations that compute %r from the inputs (%a, ...), and its element type.
    The results are called r0, r1, ...
    """
    dims = ", ".join(f"d{i}" for i in range(len(shape)))
    identity = f"affine_map<({dims}) -> ({dims})>"

    def tensor(element: str) -> str:
        return f"tensor<{''.join(f'{size}x' for size in shape)}{element}>"

    names, types = list(inputs), [tensor(element) for element in inputs.values()]
    operands = f"{', '.join(f'%{name}' for name in names)} : {', '.join(types)}"
    block = ", ".join(f"%{name}: {element}" for name, element in inputs.items())
    kernels, launches = [], []
    for index, (body, element) in enumerate(cases):
        out = tensor(element)
        arguments = "".join(f"%{name}: {kind}, " for name, kind in zip(names, types, strict=True))
        kernels.append(
            f"""
te.kernel @k{index}({arguments}%init: {out}) -> {out} attributes {{target = #te.host}} {{
  %0 = linalg.generic {{indexing_maps = [{", ".join([identity] * (len(names) + 1))}],
      iterator_types = [{", ".join(['"parallel"'] * len(shape))}]}} ins({operands}) outs(%init : {out}) {{
  ^bb0({block}, %o: {element}):
    {chr(10).join(body).replace("%", "%v_")}
    linalg.yield %v_r : {element}
  }} -> {out}
  te.return %0 : {out}
}}""".replace(f"^bb0({block}", f"^bb0({block.replace('%', '%v_')}")
        )
        launches.append(f"""
  %e{index} = tensor.empty() : {out}
  %r{index} = te.launch @k{index} ins({operands}) outs(%e{index} : {out}) -> {out}""")
    arguments = ", ".join(f'%{name}: {kind} {{graph.name = "{name}"}}' for name, kind in zip(names, types, strict=True))
    outs = [tensor(element) for _, element in cases]
    results = ", ".join(f'{out} {{graph.name = "r{index}"}}' for index, out in enumerate(outs))
    returned = ", ".join(f"%r{index}" for index in range(len(cases)))
    return f"""{"".join(kernels)}
func.func @main({arguments}) -> ({results}) {{{"".join(launches)}
  return {returned} : {", ".join(outs)}
}}"""
