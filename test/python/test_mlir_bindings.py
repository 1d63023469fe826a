"""acc.mlir: upstream's bindings with acc's dialects, their classes, what acc adds to them, and `import mlir`."""

import gc
import importlib.util
import inspect
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from acc import errors
from acc import ir as acc_ir
from acc.mlir import additions, ir
from acc.mlir._attributes import KeyedAttribute, TypedAttribute
from acc.mlir.dialects import func, graph, linalg, quant, te, vta
from acc.mlir.passmanager import PassManager
from acc.passes import Pass, host
from acc.passes import c as c_passes
from acc.passes import graph as graph_passes
from acc.passes import te as te_passes
from acc.passes import vta as vta_passes

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((Path(__file__).parent / "upstream_scripts").glob("*.py"))
KERNEL = ROOT / "test" / "Integration" / "kernel-to-program.mlir"

FUNCTION = """
func.func @f(%x: i32) -> i32 {
  %0 = arith.addi %x, %x : i32
  %1 = arith.muli %0, %0 : i32
  return %1 : i32
}
"""


@pytest.fixture
def context():
    with ir.Context() as made, ir.Location.unknown():
        yield made


def in_subprocess(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(ROOT / "python"), **os.environ}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, check=False)


# --- importing -------------------------------------------------------------------------------------------------------


def test_importing_acc_does_not_load_it():
    code = "import acc, acc.compiler, sys; sys.exit(any(m.startswith('acc.mlir') for m in sys.modules))"
    assert in_subprocess("-c", code).returncode == 0


def test_the_package_and_the_passes_load_no_library():
    code = "import acc.mlir, acc.passes.te, sys; sys.exit('acc.mlir._mlir_libs' in sys.modules)"
    assert in_subprocess("-c", code).returncode == 0


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_for_upstream_run_unedited(script):
    assert "import acc" not in script.read_text() and "from acc" not in script.read_text()
    result = in_subprocess("-m", "acc.mlir", str(script))
    assert (result.stdout, result.returncode) == ("ok\n", 0), result.stderr


def test_mlir_is_the_same_modules():
    code = """
import acc.mlir, sys
acc.mlir.install_as_mlir()
acc.mlir.install_as_mlir()
import mlir.ir, mlir.dialects.te, acc.mlir.ir, acc.mlir.dialects.te
from mlir.dialects import func
import acc.mlir.dialects.func
assert mlir is acc.mlir and mlir.ir is acc.mlir.ir and func is acc.mlir.dialects.func
assert acc.mlir.ir.__name__ == acc.mlir.ir.__spec__.name == "acc.mlir.ir"
try:
    import mlir.nonsense
except ModuleNotFoundError as error:
    assert error.name == "mlir.nonsense"
"""
    result = in_subprocess("-W", "error", "-c", code)
    assert result.returncode == 0, result.stderr


def test_without_the_hook_there_is_no_mlir():
    assert importlib.util.find_spec("mlir") is None


def test_another_mlir_is_not_replaced():
    code = "import sys, types; sys.modules['mlir'] = types.ModuleType('mlir')\n"
    code += "import acc.mlir; acc.mlir.install_as_mlir()"
    result = in_subprocess("-c", code)
    assert "another package called mlir is already imported" in result.stderr


def test_running_no_script():
    assert "usage: python -m acc.mlir SCRIPT" in in_subprocess("-m", "acc.mlir").stderr
    assert "nothing.py: no such file" in in_subprocess("-m", "acc.mlir", "nothing.py").stderr


# --- operations ------------------------------------------------------------------------------------------------------


def test_operations_have_classes(context):
    module = ir.Module.parse(KERNEL.read_text())
    kernel = module.body.operations[0]
    assert isinstance(kernel, te.KernelOp)
    assert kernel.sym_name.value == "halve" and isinstance(kernel.target, vta.ConfigAttr)
    assert isinstance(kernel.schedule, te.ScheduleAttr) and kernel.schedule.tiles[1].kind is te.LevelKind.VThread
    generic = kernel.body.blocks[0].operations[2]
    assert isinstance(generic, linalg.GenericOp)
    assert generic.attributes["indexing_maps"][0].value == ir.AffineMap.get_identity(6)
    with pytest.raises(ir.MLIRError, match=r"te.kernel.*requires attribute 'target'"):
        ir.Module.parse('"te.kernel"() <{function_type = () -> (), sym_name = "k"}> ({}) : () -> ()')


def test_building_operations(context):
    tensor = ir.RankedTensorType.get([4], ir.F32Type.get())
    module = ir.Module.create()
    with ir.InsertionPoint(module.body):

        @func.FuncOp.from_py_func(tensor, name="main")
        def main(x):
            padded = graph.pad(x, [0, 0], mode=graph.PadMode.Edge)
            return graph.clip(graph.relu(padded), max=2.0)

    module.operation.verify()
    pad, _, clip, _ = module.body.operations[0].regions[0].blocks[0].operations
    assert isinstance(pad, graph.PadOp) and pad.mode == graph.PadModeAttr.get(graph.PadMode.Edge)
    assert clip.max.value == 2.0


@pytest.mark.parametrize("dialect", [graph, te, vta])
def test_every_operation_has_a_class(context, dialect):
    name = dialect._Dialect.DIALECT_NAMESPACE
    classes = {c.OPERATION_NAME for c in vars(dialect).values() if hasattr(c, "OPERATION_NAME")}
    written = set()
    for path in (ROOT / "dialects").rglob("*.td"):
        written |= set(re.findall(rf"\b{name}\.[a-z][a-z_0-9.]*", path.read_text()))
    assert {w for w in written if context.is_registered_operation(w)} <= classes
    assert all(context.is_registered_operation(c) for c in classes)


def test_quantized_types(context):
    uniform = quant.UniformQuantizedType(ir.Type.parse("!quant.uniform<i8:f32, 0.5:-3>"))
    assert (uniform.scale, uniform.zero_point) == (0.5, -3)


# --- attributes ------------------------------------------------------------------------------------------------------


def classes_of(dialect) -> list[type[TypedAttribute]]:
    return [c for c in vars(dialect).values() if inspect.isclass(c) and issubclass(c, TypedAttribute)]


ATTRIBUTES = [
    c for dialect in (graph, te, vta) for c in classes_of(dialect) if c not in (KeyedAttribute, TypedAttribute)
]

#: An example of every attribute that is no enumeration; those of others are all their cases.
EXAMPLES = {
    te.TileAttr: "#te.tile<sizes = [0, 16], order = [1], kind = vector>",
    te.CacheAttr: "#te.cache<arg = 0, memory = #vta.mem<inp>, level = 1, slots = 2>",
    te.ScheduleAttr: "#te.schedule<tiles = [#te.tile<sizes = [1, 2]>, #te.tile<sizes = [0, 2], kind = vthread>],"
    " caches = [#te.cache<arg = 0, memory = #vta.mem<inp>, level = 0>], accumulator = #vta.mem<acc>,"
    " intrinsic = @vta_gemm>",
    te.MemoryAttr: '#te.memory<space = "vectors", shape = [8], type = i8, capacity = 256>',
    te.TargetAttr: '#te.target<name = "toy", scratchpads = [#te.memory<space = "vectors", shape = [8], type = i8, '
    'capacity = 256>], roles = {input = "vectors"}, only_zero = true>',
    graph.PlacementAttr: '#graph.placement<kernel = "k0", target = #te.host, reason = "small">',
    vta.ConfigAttr: "#vta.config<log_batch = 1, log_block_in = 3>",
    vta.UopsAttr: "#vta.uops<[0, 0, 0], [0, 1, 9]>",
    vta.PartAttr: '#vta.part<kernel = "conv1", label = "layer1/conv1", buffers = [0, 2], offsets = [0, 4096]>',
    vta.StepAttr: "#vta.step<op = shr, values = [3, 4]>",
    vta.ActivationAttr: "#vta.activation<before = [], left = [#vta.step<op = add, values = [1]>],"
    " right = [#vta.step<op = mul, values = [-2]>], join = max, after = [#vta.step<op = shr, values = [1]>]>",
}


def parameters_of(attribute: TypedAttribute) -> dict[str, object]:
    """All properties that the class itself defines."""
    return {n: getattr(attribute, n) for n, p in vars(type(attribute)).items() if isinstance(p, property)}


@pytest.mark.parametrize("cls", ATTRIBUTES, ids=lambda c: c.__name__)
def test_attributes_round_trip(context, cls):
    """What is parsed is of the class, and what the class makes of its parameters is equal to it."""
    if cls in EXAMPLES:
        texts = [EXAMPLES[cls]]
    elif not any(isinstance(p, property) for p in vars(cls).values()):
        texts = [f"#{cls.attr_name}"]
    else:
        enum = inspect.get_annotations(cls.get)["value"]
        module = sys.modules[cls.__module__]
        texts = [str(cls.get(case)) for case in getattr(module, enum)]
        assert len(texts) > 1
    for text in texts:
        parsed = ir.Attribute.parse(text)
        assert type(parsed) is cls and cls.isinstance(parsed) and parsed.static_typeid == cls.static_typeid
        assert text.startswith((f"#{cls.attr_name}", f"#{cls.attr_name.replace('.', '<')} "))
        if not issubclass(cls, KeyedAttribute):
            assert cls.get(**parameters_of(parsed)) == parsed
        assert cls(parsed) == parsed
    with pytest.raises(ValueError, match="Cannot cast attribute"):
        cls(ir.UnitAttr.get())


def test_parameters(context):
    schedule = ir.Attribute.parse(EXAMPLES[te.ScheduleAttr])
    assert [list(tile.sizes) for tile in schedule.tiles] == [[1, 2], [0, 2]]
    assert schedule.tiles[0].order is None
    assert [tile.kind for tile in schedule.tiles] == [te.LevelKind.Serial, te.LevelKind.VThread]
    assert (schedule.caches[0].slots, schedule.intrinsic.value) == (1, "vta_gemm")
    assert schedule.accumulator.value is vta.MemorySpace.Acc
    only_tiles = te.ScheduleAttr.get([te.TileAttr.get([1])])
    assert only_tiles.accumulator is None and only_tiles.caches is None
    assert str(only_tiles) == "#te.schedule<tiles = [#te.tile<sizes = [1]>]>"
    config = vta.ConfigAttr.get(log_batch=1, dialect="public")
    assert (config.log_batch, config.log_inp_width, config.dialect) == (1, 3, "public")
    assert config == ir.Attribute.parse("#vta.config<log_batch = 1, dialect = public>")
    assert vta.UopsAttr.get(np.array([0, 1, 2])).values == [0, 1, 2]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: te.TileAttr.get([12], kind=te.LevelKind.Vector),
            ir.MLIRError,
            "#te.tile is not valid:\n.*must be a power of two, got 12",
        ),
        (lambda: te.ScheduleAttr.get([ir.UnitAttr.get()]), ir.MLIRError, "tiles must hold #te.tile, got unit"),
        (lambda: vta.ConfigAttr.get(log_inp_width=9), ir.MLIRError, "LOG_INP_WIDTH is 9, but must be from 1 to 3"),
        (lambda: vta.ConfigAttr.get(log_inp_width=1 << 40), ir.MLIRError, "integer value too large"),
        (lambda: vta.MemorySpaceAttr.get(77), ValueError, "77 is not a valid MemorySpace"),
        (lambda: te.CacheAttr.get(0, None, 0), ir.MLIRError, "`memory` is missing"),
        (lambda: te.CacheAttr.get(0, "inp", 0), RuntimeError, "bad_cast"),
        (lambda: te.TileAttr.get("ab"), TypeError, "incompatible function arguments"),
        (lambda: te.CacheAttr.get(1), TypeError, "missing 2 required positional arguments: 'memory' and 'level'"),
    ],
)
def test_attributes_that_are_not_legal(context, make: Callable[[], object], error, message):
    with pytest.raises(error, match=message):
        make()


def test_attributes_want_a_context():
    with pytest.raises(RuntimeError, match="requires a Context"):
        te.TileAttr.get([1, 2])


# --- passes ----------------------------------------------------------------------------------------------------------

FAMILIES = [graph_passes, te_passes, host, vta_passes, c_passes]
FUNCTIONS = [f for m in FAMILIES for f in vars(m).values() if inspect.isfunction(f) and f.__module__ == m.__name__]


def test_every_pass_has_a_function():
    written = set()
    for path in (ROOT / "passes").rglob("Passes.td"):
        written |= set(re.findall(r'Pass<"([a-z-]+)"', path.read_text()))
    assert {function().element.split("{")[0] for function in FUNCTIONS} == written


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f"{f.__module__.rsplit('.', 1)[1]}.{f.__name__}")
def test_passes_are_added(context, function):
    manager = PassManager("builtin.module")
    manager.add(function())
    assert function().element.split("{")[0] in str(manager)
    assert function.__doc__


def test_options_of_passes(context):
    made = host.expand_math(functions=["math.exp", "math.tanh"])
    assert made == "host-expand-math{functions=math.exp,math.tanh}" and made.anchor == ""
    assert made.on("func.func") == "func.func(host-expand-math{functions=math.exp,math.tanh})"
    assert "alignment=128" in str(PassManager.parse(f"builtin.module({host.plan_memory(alignment=128)})"))
    assert te_passes.tile() == "te.kernel(te-tile)" and te_passes.tile().element == "te-tile"
    with pytest.raises(ValueError, match=r"te-tile is a pass for te.kernel, not for func.func"):
        te_passes.tile().on("func.func")
    with pytest.raises(TypeError, match="unexpected keyword argument 'aligment'"):
        host.plan_memory(aligment=128)  # pyright: ignore[reportCallIssue]
    with pytest.raises(ValueError, match="functions: 'a b' cannot be an option"):
        host.expand_math(functions=["a b"])


KERNEL_TO_PROGRAM: list[Pass | str] = [
    te_passes.declare_intrins(),
    te_passes.tile(),
    te_passes.vthread(),
    te_passes.cache(),
    te_passes.bufferize(),
    te_passes.tensorize(),
    te_passes.dma(),
    te_passes.lower_vthread(),
    vta_passes.allocate_scratchpads(),
    vta_passes.expand(),
    vta_passes.cache_uops(),
    vta_passes.insert_tokens(),
    vta_passes.verify_program(),
]


def test_a_kernel_becomes_a_program(context):
    module = ir.Module.parse(KERNEL.read_text())
    manager = PassManager("builtin.module")
    times = additions.time_passes(manager)
    names = []
    for given in KERNEL_TO_PROGRAM:
        manager.add(given)
        if given.anchor == "te.kernel":
            # Called for the kernel, though the manager is the module's.
            manager.add(lambda op, _: names.append(op.opview.sym_name.value), "look", op_name="te.kernel")
    manager.run(module.operation)
    assert names == ["halve"] * 6
    programs = [op for op in module.body.operations if isinstance(op, vta.ProgramOp)]
    assert [p.sym_name.value for p in programs] == ["halve"]
    kinds = [op.name for op in programs[0].regions[0].blocks[0]]
    assert len(kinds) == 8 and kinds[-1] == "vta.insn.finish"
    timed = [name for name, seconds in times.passes if seconds >= 0]
    elements = [p.element.partition("{")[0] for p in KERNEL_TO_PROGRAM if isinstance(p, Pass)]
    assert [name for name in timed if name != "look"] == elements
    times.clear()
    assert times.passes == []


def test_other_threads_run_meanwhile(context):
    body = "\n".join(f"%{i} = arith.addi %x, %{i - 1 if i else 'x'} : i32" for i in range(200))
    module = ir.Module.parse(
        "\n".join(f"func.func @f{i}(%x: i32) -> i32 {{\n{body}\nreturn %199 : i32 }}" for i in range(60))
    )
    manager = PassManager.parse("builtin.module(canonicalize,cse,canonicalize)")
    ticks, running = [], threading.Event()

    def tick():
        while not running.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.0005)

    thread = threading.Thread(target=tick)
    thread.start()
    started = time.perf_counter()
    manager.run(module.operation)
    ended = time.perf_counter()
    running.set()
    thread.join()
    assert sum(started < t < ended for t in ticks) > 5


class Boom(Exception):
    pass


def test_exceptions_of_callables(context):
    module = ir.Module.parse(FUNCTION + FUNCTION.replace("@f", "@g"))
    manager = PassManager("builtin.module")
    calls = []

    def fail(op, _):
        calls.append(op.opview.sym_name.value)
        if len(calls) <= 4:
            raise Boom(calls[-1])

    # The functions are independent, so the threads of the context share them.
    manager.add(fail, op_name="func.func")
    for _ in range(2):
        with pytest.raises(Boom):
            manager.run(module.operation)
    manager.run(module.operation)
    assert module.operation.verify()


def test_a_run_inside_a_run(context):
    module = ir.Module.parse(FUNCTION)
    inner = PassManager("func.func")

    def fail(op, _):
        raise Boom

    inner.add(fail)
    seen = []

    def run(op, _):
        with pytest.raises(Boom):
            inner.run(op.regions[0].blocks[0].operations[0].operation)
        seen.append(op.name)

    outer = PassManager("builtin.module")
    outer.add(run)
    outer.run(module.operation)
    assert seen == ["builtin.module"]


def test_the_callable_lives_as_long_as_the_manager(context):
    class Callable:
        __name__ = "callable"

        def __call__(self, op, _):
            pass

    made = Callable()
    before = sys.getrefcount(made)
    manager = PassManager("builtin.module")
    manager.add(made, op_name="func.func")
    manager.run(ir.Module.parse(FUNCTION).operation)
    assert sys.getrefcount(made) > before
    del manager
    gc.collect()
    assert sys.getrefcount(made) == before


def test_handlers_get_diagnostics_after_the_run(context):
    module = ir.Module.parse(FUNCTION)
    manager = PassManager("builtin.module")
    got = []
    context.emit_error_diagnostics = True

    def warn(op, _):
        op.location.emit_error("first")
        op.location.emit_error("second")

    manager.add(warn)
    with context.attach_diagnostic_handler(lambda d: got.append(d.message) or True):
        manager.run(module.operation)
    assert got == ["first", "second"]


# --- references ------------------------------------------------------------------------------------------------------


def uses(reference) -> list[Callable[[], object]]:
    """What would read the memory of an erased operation."""
    if isinstance(reference, ir.Value):
        return [lambda: reference.type, lambda: reference.owner, lambda: str(reference), lambda: list(reference.uses)]
    if isinstance(reference, ir.Block):
        return [lambda: reference.owner, lambda: list(reference.arguments), lambda: list(reference)]
    if isinstance(reference, ir.Region):
        return [lambda: list(reference.blocks), lambda: reference.owner]
    return [
        lambda: reference.name,
        lambda: str(reference),
        lambda: list(reference.operands),
        lambda: list(reference.regions),
        lambda: dict(reference.attributes),
        lambda: reference.parent,
        lambda: reference.operation.clone(),
    ]


def references_into(module: ir.Module) -> list[object]:
    function = module.body.operations[0]
    block = function.regions[0].blocks[0]
    add, multiply, end = block.operations
    again = next(iter(block.operations))
    parts = [function, function.operation, block, function.regions[0], add, again, multiply, end.operation]
    return [*parts, add.result, multiply.operands[0], block.arguments[0]]


def erase_through_another_reference(module: ir.Module) -> None:
    module.body.operations[0].operation.erase()


def run_a_pass(module: ir.Module) -> None:
    PassManager.parse("builtin.module(symbol-dce)").run(module.operation)


def erase_the_symbol(module: ir.Module) -> None:
    del ir.SymbolTable(module.operation)["f"]


@pytest.mark.parametrize("erase", [erase_through_another_reference, run_a_pass, erase_the_symbol])
def test_references_to_erased_operations_raise(context, erase):
    module = ir.Module.parse(FUNCTION.replace("@f", "private @f"))
    references = references_into(module)
    erase(module)
    assert len(list(module.body)) == 0
    for reference in references:
        for use in uses(reference):
            with pytest.raises(RuntimeError, match="the operation has been invalidated"):
                use()


def test_references_end_with_their_module(context):
    references = references_into(ir.Module.parse(FUNCTION))
    gc.collect()
    for reference in references:
        for use in uses(reference):
            with pytest.raises(RuntimeError, match="the operation has been invalidated"):
                use()


def test_references_that_a_callable_keeps(context):
    module = ir.Module.parse(FUNCTION)
    other = ir.Module.parse(FUNCTION)
    kept = []

    def keep(op, _):
        kept.append(op.regions[0].blocks[0].operations[0])
        kept.append(other.body.operations[0])

    manager = PassManager("builtin.module")
    manager.add(keep)
    manager.run(module.operation)
    with pytest.raises(RuntimeError, match="invalidated"):
        _ = kept[0].name
    assert kept[1].operation.name == "func.func"


def test_what_passes_ran_on_stays_valid(context):
    module = ir.Module.parse(FUNCTION)
    function = module.body.operations[0]
    value = function.arguments[0]
    manager = PassManager.parse("func.func(canonicalize)")
    manager.run(function.operation)
    assert function.operation.name == "func.func" and str(value.type) == "i32"
    assert [op.operation.name for op in module.body] == ["func.func"]


def test_what_cannot_be_erased(context):
    module = ir.Module.parse(FUNCTION)
    add, multiply, _ = module.body.operations[0].regions[0].blocks[0].operations
    with pytest.raises(ValueError, match=r"the results of arith\.addi are still used"):
        add.operation.erase()
    with pytest.raises(ValueError, match="the operation of a module lives as long as it"):
        module.operation.erase()
    assert multiply.operands[0].owner.name == "arith.addi" and module.operation.verify()


def test_a_detached_operation_whose_result_is_used(context):
    module = ir.Module.parse(FUNCTION)
    add, multiply, _ = module.body.operations[0].regions[0].blocks[0].operations
    add.operation.detach_from_parent()
    del add
    gc.collect()
    assert str(multiply.operands[0].type) == "i32"


def test_many_references_cost_little(context):
    """Invalidating looks at what was erased, not at all references that there are."""
    text = "\n".join(f"func.func private @f{i}() {{ return }}" for i in range(2000))
    module = ir.Module.parse(text)
    kept = list(module.body.operations)
    started = time.process_time()
    for op in kept:
        op.operation.erase()
    assert time.process_time() - started < 1
    assert len(list(module.body)) == 0


# --- resources -------------------------------------------------------------------------------------------------------


def aligned(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + 64, np.uint8)
    return memory[-memory.ctypes.data % 64 :][:size].view(dtype).reshape(shape)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "uint8", "int64", "bool"])
def test_resources_share_memory(context, dtype):
    array = aligned((3, 5), dtype)
    array[...] = np.arange(15).reshape(3, 5) % 2
    attribute = additions.resource(array, "weights")
    read = additions.resource_array(attribute)
    assert read.ctypes.data == array.ctypes.data
    assert read.dtype == array.dtype and not read.flags.writeable
    np.testing.assert_array_equal(read, array)


def test_resources_are_copied_where_they_must_be(context):
    array = aligned((4, 8), "float32")
    array[...] = np.arange(32).reshape(4, 8)
    for view in (array[:, ::2], array.T, array.reshape(-1)[1:9]):
        read = additions.resource_array(additions.resource(view, "w"))
        assert read.ctypes.data % 64 == 0
        np.testing.assert_array_equal(read, view)


def test_resource_arrays_outlive_the_context():
    with ir.Context():
        read = additions.resource_array(additions.resource(np.arange(64, dtype=np.int32), "w"))
    gc.collect()
    np.testing.assert_array_equal(read, np.arange(64))


def test_wrong_resources(context):
    with pytest.raises(ValueError, match="not a dense_resource"):
        additions.resource_array(ir.Attribute.parse("dense<1> : tensor<4xi32>"))
    with pytest.raises(ValueError, match=r"an array of float32 of shape \(2,\) is no tensor<3xf32>"):
        additions.resource(np.zeros(2, np.float32), "w", ir.Type.parse("tensor<3xf32>"))
    with pytest.raises(ValueError, match="one without data"):
        additions.resource_array(ir.Attribute.parse("dense_resource<nowhere> : tensor<4xi32>"))


# --- errors ----------------------------------------------------------------------------------------------------------


def test_errors_name_the_nodes(context):
    text = """
    func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
      %0 = "graph.relu"(%x) : (tensor<2xf32>) -> tensor<3xf32> loc(fused["conv1", "relu1"])
      return %x : tensor<2xf32>
    }"""
    with pytest.raises(errors.MLIRError) as caught, additions.naming_nodes():
        ir.Module.parse(text)
    diagnostic = caught.value.diagnostics[0]
    assert diagnostic.name == "conv1, relu1" and str(caught.value).startswith("conv1, relu1: ")
    assert all("current operation" not in note.message for note in diagnostic.notes)
    with pytest.raises(errors.MLIRError) as caught, additions.naming_nodes():
        ir.Module.parse("func.func @f() { return %x : i32 }")
    assert (caught.value.diagnostics[0].file, caught.value.diagnostics[0].line) == ("-", 1)
    with pytest.raises(KeyError), additions.naming_nodes():
        raise KeyError


def test_notes_with_operations_can_be_left_out(context):
    module = ir.Module.parse("func.func private @f()")
    module.body.operations[0].attributes["function_type"] = ir.TypeAttr.get(ir.IntegerType.get_signless(3))

    def notes() -> int:
        with pytest.raises(ir.MLIRError) as caught:
            module.operation.verify()
        return sum("current operation" in n.message for d in caught.value.error_diagnostics for n in d.notes)

    assert notes() == 1
    additions.print_operations_in_diagnostics(context, False)
    assert notes() == 0


# --- beside acc.ir ---------------------------------------------------------------------------------------------------


def test_ir_crosses_as_bytecode(context):
    module = ir.Module.parse(KERNEL.read_text())
    theirs = acc_ir.Context()
    crossed = acc_ir.Module.parse(module.operation.get_asm(binary=True), theirs)
    back = ir.Module.parse(crossed.operation.get_asm(binary=True))
    assert str(back) == str(module)


def test_affine_maps(context):
    """Maps and their expressions are upstream's classes."""
    maps = ir.Attribute.parse("[affine_map<(n, c, h) -> (c, h * 2 + 1)>]")
    first, second = maps[0].value.results
    assert isinstance(first, ir.AffineDimExpr) and first.position == 1
    assert isinstance(second, ir.AffineAddExpr) and second.rhs == ir.AffineConstantExpr.get(1)
    assert ir.AffineMapAttr.get(ir.AffineMap.get(3, 0, [first, second])) == maps[0]
