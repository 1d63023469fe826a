"""Uses acc's dialects as if they were upstream's, and types and attributes of the dialect quant."""

from mlir.dialects import func, graph, quant, te, vta
from mlir.ir import (
    Attribute,
    Context,
    F32Type,
    FunctionType,
    InsertionPoint,
    IntegerType,
    Location,
    Module,
    RankedTensorType,
    TypeAttr,
)
from mlir.passmanager import PassManager

with Context() as context, Location.unknown():
    tensor = RankedTensorType.get([2, 3], F32Type.get())
    module = Module.create()
    module.operation.attributes["vta.config"] = vta.ConfigAttr.get(log_block_in=4, log_block_out=4)
    with InsertionPoint(module.body):

        @func.FuncOp.from_py_func(tensor, tensor, name="main")
        def main(x, y):
            return graph.add(graph.relu(x), y)

        kernel = te.KernelOp(
            "k", TypeAttr.get(FunctionType.get([tensor, tensor], [tensor])), te.HostAttr.get(), layers=["Add_0"]
        )
        block = kernel.body.blocks.append(tensor, tensor)
        with InsertionPoint(block):
            te.ReturnOp([block.arguments[1]])
    assert module.operation.verify()
    assert isinstance(module.body.operations[0].regions[0].blocks[0].operations[1], graph.AddOp)
    kernel.schedule = te.ScheduleAttr.get([te.TileAttr.get([1])])
    assert list(kernel.schedule.tiles[0].sizes) == [1]
    assert module.operation.attributes["vta.config"].log_block_out == 4
    assert Attribute.parse("#vta.mem<acc>") == vta.MemorySpaceAttr.get(vta.MemorySpace.Acc)

    uniform = quant.UniformQuantizedType.get(
        quant.QuantizedType.FLAG_SIGNED, IntegerType.get_signless(8), F32Type.get(), 0.5, -3, -128, 127
    )
    assert str(uniform) == "!quant.uniform<i8:f32, 5.000000e-01:-3>", uniform
    assert quant.UniformQuantizedType(Attribute.parse(f"{uniform}").value).zero_point == -3

    manager = PassManager.parse("builtin.module(func.func(graph-legalize-quantization),canonicalize)")
    manager.run(module.operation)
print("ok")
